//! Scenarios: exchanges as YAML, each with what an outsider must see.
//!
//! `scenarios/README.md` is the reference of the format.

mod fields;
pub mod yaml;

pub use fields::{LoadError, Problem};
