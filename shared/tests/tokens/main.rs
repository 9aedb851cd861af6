//! Tokens that a plugin verifies itself (`identity::tokens`), with several VMs, a key server and a clock that are all made up.

mod config;
mod faults;
mod introspection;
mod keys;
mod revocation;
#[path = "../jws/signers.rs"]
#[expect(dead_code, reason = "the tests of `jws` need more of it")]
mod signers;
mod status;
mod verdicts;
mod world;
