//! The lowest part of `wardpoint-core`: JSON, and what that needs.
//!
//! A package of its own only because a package is what has an optimization level: each byte of a body is looked at here, so this
//! is compiled for speed, and what is above it for size. Use it as the modules of `wardpoint-core`.
#![forbid(unsafe_code)]

pub mod json;
pub mod order;
