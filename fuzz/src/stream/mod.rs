//! `Stream` under any order of events: with a filter that does anything, and with the one that ships.

mod mcp;
mod play;
mod proxy;
mod script;

pub(crate) use mcp::{BETWEEN, run as run_mcp};
pub use play::{Played, play};
pub(crate) use script::run as run_scripted;
