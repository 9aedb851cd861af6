//! Laws that must hold for any input.
//!
//! A target is a function that takes bytes and panics if a law is broken. Three drivers use it: the smoke test of this
//! crate (`tests/smoke.rs`, deterministic, on the pinned toolchain), libFuzzer (`guided/`, `make fuzz`), and
//! `tests/found.rs` with every input that ever broke a law.
#![forbid(unsafe_code)]
#![expect(clippy::panic, clippy::indexing_slicing, reason = "a broken law is a panic")]

pub mod caller;
mod cel;
mod config;
pub mod drive;
pub mod generate;
pub mod input;
mod json;
mod message;
mod oauth;
pub mod random;
mod revoked;
mod secret;
mod seeds;
mod sse;
pub mod stream;
mod token;

/// A law and where to begin.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, on the command line and of its folder of inputs.
    pub name: &'static str,
    /// Panics if the law is broken.
    pub run: fn(&[u8]),
    /// Inputs that go far, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that inputs of this kind are made of.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "json", run: json::run, seeds: seeds::json, words: json::WORDS },
    Target { name: "sse", run: sse::run, seeds: seeds::sse, words: sse::WORDS },
    Target { name: "message", run: message::run, seeds: seeds::messages, words: message::WORDS },
    Target { name: "config", run: config::run, seeds: seeds::configs, words: config::WORDS },
    Target { name: "cel", run: cel::run, seeds: seeds::conditions, words: cel::WORDS },
    Target { name: "token", run: token::run, seeds: seeds::tokens, words: token::WORDS },
    Target { name: "oauth", run: oauth::run, seeds: seeds::oauth, words: oauth::WORDS },
    Target { name: "revoked", run: revoked::run, seeds: seeds::revoked, words: revoked::WORDS },
    Target { name: "secret", run: secret::run, seeds: seeds::secrets, words: secret::WORDS },
    Target { name: "order", run: stream::run_scripted, seeds: seeds::orders, words: &[] },
    Target { name: "exchange", run: stream::run_mcp, seeds: seeds::exchanges, words: message::WORDS },
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
