//! JSON: the reader of `wardpoint-wire`, and trees of what is read once.

mod tree;

pub use tree::{Node, parse_tree};
pub use wardpoint_wire::json::*;
