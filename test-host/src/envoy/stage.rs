//! What the servers have to answer in the play that is on, and what they saw.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::{Callouts, Play, Sent};
use crate::transcript::{Called, Ending, UpstreamSaw};

/// Shared between the engine and the servers.
#[derive(Clone, Default)]
pub(super) struct Stage(Arc<Mutex<State>>);

/// The play that is on.
#[derive(Default)]
pub(super) struct State {
    number: u64,
    /// What the upstream answers.
    pub(super) upstream: Option<Sent>,
    /// It answers before it has the whole request.
    pub(super) early: bool,
    /// What is left to answer to callouts.
    pub(super) callouts: Callouts,
    /// The upstream's request, once its headers have come.
    pub(super) request: Option<Request>,
    /// The callouts that came.
    pub(super) called: Vec<Called>,
}

/// A request at the upstream.
#[derive(Default)]
pub(super) struct Request {
    /// Header pairs as they came.
    pub(super) headers: Vec<(String, String)>,
    /// What has come of the body.
    pub(super) body: Vec<u8>,
    /// How it ended.
    pub(super) end: Ending,
}

/// Names the play in which a server got a request.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct PlayNumber(u64);

impl Stage {
    /// Makes it ready for this play.
    pub(super) fn set(&self, play: &Play) {
        let mut state = self.lock();
        *state = State {
            number: state.number + 1,
            upstream: play.upstream.clone(),
            early: play.upstream_early,
            callouts: play.callouts.clone(),
            request: None,
            called: Vec::new(),
        };
    }

    /// The play that is on.
    pub(super) fn number(&self) -> PlayNumber {
        PlayNumber(self.lock().number)
    }

    /// Works on the state if that play is still on.
    pub(super) fn with<T>(&self, number: PlayNumber, work: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = self.lock();
        (state.number == number.0).then(|| work(&mut state))
    }

    /// Works on the request at the upstream.
    pub(super) fn request(&self, number: PlayNumber, work: impl FnOnce(&mut Request)) {
        self.with(number, |state| work(state.request.get_or_insert_default()));
    }

    /// The upstream has the whole request and will never answer: nothing more can happen there.
    pub(super) fn waits_for_ever(&self) -> bool {
        let state = self.lock();
        state.upstream.is_none() && state.request.as_ref().is_some_and(|request| request.end == Ending::Complete)
    }

    /// Nothing is under way at the upstream.
    pub(super) fn is_quiet(&self) -> bool {
        self.lock().request.as_ref().is_none_or(|request| request.end != Ending::Open)
    }

    /// What the upstream saw.
    pub(super) fn upstream_saw(&self, added: &[&str]) -> UpstreamSaw {
        match self.lock().request.take() {
            Some(Request { headers, body, end: Ending::Complete }) => {
                let headers = headers.into_iter().filter(|(name, _)| !added.contains(&name.as_str()));
                UpstreamSaw::Complete { headers: super::message::normal(headers, &body), body }
            }
            Some(Request { body, .. }) if !body.is_empty() => UpstreamSaw::Partial { body },
            _ => UpstreamSaw::Nothing,
        }
    }

    /// The callouts that came.
    pub(super) fn called(&self) -> Vec<Called> {
        std::mem::take(&mut self.lock().called)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
