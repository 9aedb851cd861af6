//! What a filter answers, and what the driver then has to do.

use core::fmt;

use super::event::Direction;
use crate::audit::{Outcome, Record};
use crate::policy::{Answer, Reason, RuleId};
use crate::time::Duration;

/// How to go on.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Wait for a call that the root or another stream of this VM has made.
    Await(CallId),
    /// Make this call and wait for its answer. Naming the call is the only way to wait for one.
    CallOut(Callout),
    /// Let the proxy go on with what it holds.
    Continue,
    /// Keep what the proxy holds until more of the body is there.
    Hold,
    /// Too late to answer: end the stream.
    Reset,
    /// Answer now; nothing goes on.
    Respond(LocalResponse),
}

/// An answer of our own. Only [`super::Effects::enforce`] makes one, so none goes round the audit record.
#[derive(Debug)]
pub struct LocalResponse(Answer);

/// A call to another service. Every call has a time limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Callout {
    /// A unary gRPC call.
    Grpc(GrpcCall),
    /// An HTTP call.
    Http(HttpCall),
}

/// An HTTP call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpCall {
    /// The proxy's name of the upstream cluster.
    pub cluster: String,
    /// Header pairs; `:method`, `:path` and `:authority` among them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait; never zero.
    pub timeout: Duration,
}

/// A unary gRPC call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GrpcCall {
    /// The proxy's name of the upstream cluster.
    pub cluster: String,
    /// Full name of the service.
    pub service: String,
    /// Name of the method.
    pub method: String,
    /// The request message.
    pub message: Vec<u8>,
    /// How long to wait; never zero.
    pub timeout: Duration,
}

/// Names a call within one VM.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CallId(pub(super) u32);

/// What the host's callback must answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Flow {
    /// Go on with what you hold.
    Continue,
    /// Keep it.
    Pause,
}

/// A counter of one plugin. Names are a closed set of the configuration, never request data (OT-02).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counter {
    /// Name of the plugin.
    pub plugin: &'static str,
    /// What is counted.
    pub what: Counted,
}

/// What is counted. It becomes a name where a driver needs one, which is once and not once a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Counted {
    /// Decisions that ended so.
    Decisions(Outcome),
    /// Something of the plugin's own.
    Other(String),
    /// Refusals for this reason.
    Reasons(Reason),
    /// Decisions of this rule that ended so.
    Rules(RuleId, Outcome),
}

/// The name in the proxy's statistics.
impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in ["wardpoint.", self.plugin, "."] {
            f.write_str(part)?;
        }
        let parts = match &self.what {
            Counted::Decisions(outcome) => ["decisions.", outcome.as_str(), "", ""],
            Counted::Other(name) => [name, "", "", ""],
            Counted::Reasons(reason) => ["reasons.", reason.code(), "", ""],
            Counted::Rules(rule, outcome) => ["rules.", rule.as_str(), ".", outcome.as_str()],
        };
        parts.iter().try_for_each(|part| f.write_str(part))
    }
}

/// What the driver has to do, in order.
#[derive(Debug)]
pub enum Op {
    /// Write a record: with [`super::Stream::write`].
    Audit(Record),
    /// Make a call for this stream; feed [`super::Event::CalloutReply`]. Always the last op of an event.
    CallOut(CallId, Callout),
    /// Make a call on the root; feed [`super::Root::on_reply`].
    CallOutShared(CallId, Callout),
    /// Add to a counter.
    Count(Counter, u64),
    /// The request goes on before it is judged: leave a mark, with [`super::Stream::mark`].
    Mark,
    /// Remove a header.
    RemoveHeader(Direction, String),
    /// Replace all that the proxy holds of the body in this callback.
    ReplaceBody(Direction, Vec<u8>),
    /// End the stream.
    Reset,
    /// Answer the client.
    Respond(Answer),
    /// Let a paused stream go on.
    Resume(Direction),
    /// Set a header to this one value.
    SetHeader(Direction, String, Vec<u8>),
}

/// What the driver has to do for the root.
#[derive(Debug)]
pub enum RootOp {
    /// Make a call; feed [`super::Root::on_reply`].
    CallOut(CallId, Callout),
    /// Add to a counter.
    Count(Counter, u64),
    /// Write a line to the log, without content and tokens.
    Warn(String),
}

impl LocalResponse {
    pub(super) const fn new(answer: Answer) -> Self {
        Self(answer)
    }

    pub(super) fn into_answer(self) -> Answer {
        self.0
    }
}
