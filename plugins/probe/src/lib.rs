//! Test only: a plugin that does on request what any plugin may do, to calibrate the behavioural host against Envoy.
//!
//! The request header `x-probe` is a script: `<phase>=<action>[:<argument>]`, separated by `;`. The actions of a phase are
//! done in order; the last one that says how to go on counts. Every event is one log line `probe.trace …`.
//!
//! What no policy can ask for, wrong host calls, is what `test-host/calibration/guest` is for.
//!
//! Configuration: `{"holdHeaders": bool}`, or `{"hostProfile": {"holdHeaders": bool}}`.
#![forbid(unsafe_code)]

mod filter;
mod script;

wardpoint_proxy_wasm::export!(filter::Probe);
