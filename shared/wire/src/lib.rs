//! The lowest part of `wardpoint-core`: JSON, header blocks, base64, tokens as text, and what those need.
//!
//! A package of its own only because a package is what has an optimization level: each byte of a body and each header is looked at
//! here, so this is compiled for speed, and what is above it for size. Use it as the modules of `wardpoint-core`.
#![forbid(unsafe_code)]

pub mod base64;
pub mod http;
pub mod json;
pub mod keyed;
pub mod order;
pub mod pairs;
pub mod token68;
