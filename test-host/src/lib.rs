//! The behavioural proxy-wasm host: plays scenarios against a plugin on three engines and compares what an outsider saw.
#![forbid(unsafe_code)]

mod callouts;
pub mod cli;
pub mod engine;
pub mod envoy;
mod guard;
pub mod host;
pub mod lint;
pub mod native;
pub mod oci;
mod random;
pub mod render;
pub mod report;
pub mod scenario;
pub mod transcript;
pub mod wasm;
