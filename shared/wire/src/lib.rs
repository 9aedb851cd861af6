//! Layer 0 of `wardpoint-core`: wire formats, which know nothing of policy.
//!
//! A package of its own only because a package is what has an optimization level: bytes of traffic are read here, so this is
//! compiled for speed, and what is above it for size. Use it as the modules of `wardpoint-core`.
#![forbid(unsafe_code)]

pub mod http;
pub mod json;
pub mod jsonrpc;
pub mod mcp;
pub mod order;
pub mod path;
pub mod secret;
pub mod sse;
pub mod time;
