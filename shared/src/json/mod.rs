//! JSON without building it: one strict reader, spans out, splices in.

mod write;

pub use write::{push_string, push_string_bounded};
