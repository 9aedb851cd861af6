//! The contract between a policy and a proxy.
//!
//! A policy author implements [`Plugin`] and [`Filter`]. A driver (the proxy-wasm adapter, the native engine of the test
//! host) owns a [`Root`] a VM and a [`Stream`] a request, feeds [`Event`]s and carries out [`Op`]s.

mod counters;
mod effects;
mod event;
mod raw;
mod root;
mod services;
mod step;
mod stream;
mod trail;
pub mod upstream;

pub use counters::{COUNTERS, Counting};
pub use effects::{Effects, RootEffects, Ruling};
pub use event::{CalloutError, Chunk, DETAILS, Direction, Event, Head, HostCall, OURS, Properties, PropertyError, Reply, Values};
pub use raw::{RawAudit, RawDestination, RawHostProfile, RawMode};
pub use root::Root;
pub use services::{Cas, Digest, ServiceError, Services, Shared, Signature};
pub use step::{CallId, Callout, Counted, Counter, Flow, GrpcCall, HttpCall, LocalResponse, Op, RootOp, Step};
pub use stream::Stream;
pub use trail::{Destinations, Sink, left_as};

use crate::config::ConfigErrors;
use crate::policy::{Mode, PolicyId};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// How often a driver tells the root and its streams that time passes.
pub const TICK_PERIOD: Duration = Duration::from_millis(500);

/// Longest time that a call of a stream may take: what waits for it is ended soon after.
pub const LONGEST_CALL: Duration = Duration::from_secs(9);

/// A configured policy. One per VM and configuration.
pub trait Plugin: Sized + 'static {
    /// Its name in configuration, audit and metrics.
    const NAME: &'static str;
    /// The machine of one stream.
    type Filter: Filter + 'static;

    /// Text to policy, with all problems at once. A plugin with problems never starts.
    fn configure(config: &[u8]) -> Result<Self, ConfigErrors>;

    /// Whether it makes calls. Without, its module has no code for them, and a call that it asks for is not made.
    const CALLS: bool = true;

    /// Whether it has signatures checked by the host. Without, its module has no code for that, and the host has no such service.
    const SIGNATURES: bool = true;

    /// Whether its configuration may name secrets of the proxy's environment. Only then does a module ask for that at all.
    const SECRETS: bool = false;

    /// Takes the secrets that the configuration names, once, before the first stream; `secret` gives what the environment
    /// has under a name. One that is missing is a problem like any other.
    fn equip(self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>) -> Result<Self, ConfigErrors> {
        let _ = secret;
        Ok(self)
    }

    /// What every stream of this policy needs to know.
    fn settings(&self) -> Settings;

    /// The machine of one stream.
    fn filter(&self) -> Self::Filter;

    /// Every [`TICK_PERIOD`].
    fn on_tick(&mut self, now: Timestamp, fx: &mut RootEffects<'_>) {
        let _ = (now, fx);
    }

    /// The answer to a call that [`RootEffects::call_out`] or [`Effects::call_out_shared`] made.
    fn on_reply(&mut self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) {
        let _ = (call, now, reply, fx);
    }
}

/// One stream's machine: it is told what happened and says how to go on. It never calls anybody.
///
/// Every request must be decided by [`Effects::enforce`] before it is let through; [`Stream`] refuses one that is not.
pub trait Filter {
    /// The request's headers.
    fn on_request_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step;

    /// The next part of the request's body; only bytes that were not shown before.
    fn on_request_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        let _ = (chunk, fx);
        Step::Continue
    }

    /// Whether so many bytes more of the request's body, which do not end it, would only be kept. The proxy can do that too, so they
    /// need not be shown before the next ones.
    fn gathers(&self, bytes: usize) -> bool {
        let _ = bytes;
        false
    }

    /// The answer to this stream's call. Without an own version the stream is reset: nobody asked for it.
    fn on_callout_reply(&mut self, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut Effects<'_>) -> Step {
        let _ = (now, reply, fx);
        Step::Reset
    }

    /// The response's headers.
    fn on_response_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        let _ = head;
        fx.skip_body();
        Step::Continue
    }

    /// The next part of the response's body.
    fn on_response_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        let _ = (chunk, fx);
        Step::Continue
    }

    /// The exchange is over.
    fn on_end(&mut self, fx: &mut Effects<'_>) {
        let _ = fx;
    }
}

/// What every stream of a policy needs to know.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Name and digest of the configuration, for the audit record.
    pub policy: PolicyId,
    /// Whether decisions are carried out.
    pub mode: Mode,
    /// What this proxy can do.
    pub host: HostProfile,
    /// Where audit records go.
    pub audit: Destinations,
    /// Host properties that `Head` delivers with the request's headers, in this order.
    pub properties: std::rc::Rc<[PropertyPath]>,
}

/// What the proxy can do. It is configuration, never a guess (`hostProfile`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HostProfile {
    /// Headers can wait for the body: `allow_on_headers_stop_iteration` is set (Envoy ≥ 1.35; not through Istio's APIs).
    pub hold_headers: bool,
}

/// The path of a host property, such as `["connection", "uri_san_peer_certificate"]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PropertyPath(pub Vec<String>);
