//! What a VM's imports work on.

use std::collections::BTreeMap;

use wasmtime::{Memory, TypedFunc};

use crate::host::{Host, Scope};
use crate::random::Random;

/// The ABI's number of the root context.
pub(super) const ROOT: u32 = 1;

/// Data of a store.
pub(super) struct State {
    /// The model; lent for the time of a callback.
    pub(super) host: Host,
    /// The number of the stream that is played, if one is.
    pub(super) stream: Option<u32>,
    pub(super) memory: Option<Memory>,
    pub(super) allocate: Option<TypedFunc<u32, u32>>,
    pub(super) random: Random,
    /// What the module wrote to standard output or error and has not ended with a line feed; a panic's text is there.
    pub(super) output: Vec<u8>,
    /// `NAME=value`, each with a NUL behind it.
    pub(super) environment: Vec<Vec<u8>>,
    /// How often each import was called.
    pub(super) calls: BTreeMap<&'static str, u64>,
}

impl State {
    pub(super) fn new() -> Self {
        let random = Random::new(1);
        Self {
            host: Host::default(),
            stream: None,
            memory: None,
            allocate: None,
            random,
            output: Vec::new(),
            environment: Vec::new(),
            calls: BTreeMap::new(),
        }
    }

    pub(super) fn count(&mut self, import: &'static str) {
        *self.calls.entry(import).or_default() += 1;
    }

    /// The context of that number, if the host knows it.
    pub(super) fn scope(&self, context: u32) -> Option<Scope> {
        match context {
            ROOT => Some(Scope::Root),
            _ => (self.stream == Some(context)).then_some(Scope::Stream),
        }
    }
}
