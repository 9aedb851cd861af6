//! Test only: a plugin that does on request what any plugin may do, to calibrate the behavioural host against Envoy.
//!
//! The request header `x-probe` is a script: `<phase>=<action>[:<argument>]`, separated by `;`. The actions of a phase are
//! done in order; the last one that says how to go on counts. Every event is one log line `probe.trace …`.
//!
//! The request header `x-raw` makes raw host calls instead, see `raw.rs`.
//!
//! Configuration: `{"holdHeaders": bool}`, or `{"hostProfile": {"holdHeaders": bool}}`.
#![forbid(unsafe_code)]

mod filter;
mod raw;
mod script;

wardpoint_proxy_wasm::export!(callbacks: raw::Raw);
