//! The behavioural proxy-wasm host: plays scenarios against a plugin on three engines and compares what an outsider saw.
#![forbid(unsafe_code)]

pub mod engine;
pub mod host;
pub mod native;
mod random;
pub mod transcript;
pub mod wasm;
