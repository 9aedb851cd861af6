//! What a filter may do besides saying how to go on.

use std::collections::VecDeque;
use std::rc::Rc;

use super::event::Direction;
use super::services::Services;
use super::step::{CallId, Callout, Counted, Counter, LocalResponse, Op, RootOp, Step};
use super::stream::{DESCRIBING, Exchange};
use crate::audit::{About, Outcome, Record};
use crate::json::push_hex;
use crate::policy::{Answer, Challenge, Decision, Denial, Deny, Mode, Reason, Wire};
use crate::time::Timestamp;

/// The sink of one event. Ops go out in the order in which they were put in.
pub struct Effects<'a> {
    pub(super) exchange: &'a mut Exchange,
    pub(super) ops: &'a mut VecDeque<Op>,
    pub(super) services: &'a mut dyn Services,
    pub(super) ids: &'a CallIds,
    pub(super) now: Timestamp,
    pub(super) direction: Direction,
    pub(super) headers_editable: bool,
}

/// A decision with all that its record and its answer need.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// What the policy says.
    pub decision: Decision,
    /// Who asked for what.
    pub about: About,
    /// The protocol of the client.
    pub wire: Wire,
    /// How a refusal is shown.
    pub denial: Denial,
    /// What a refused client may do about it.
    pub challenge: Option<Challenge>,
}

/// The source of call ids of one VM.
#[derive(Clone, Debug, Default)]
pub(super) struct CallIds(Rc<core::cell::Cell<u32>>);

impl CallIds {
    pub(super) fn next(&self) -> CallId {
        self.0.set(self.0.get().wrapping_add(1));
        CallId(self.0.get())
    }
}

impl Ruling {
    /// A ruling about nothing that could be named yet, shown as plain HTTP.
    pub fn new(decision: Decision) -> Self {
        Self { decision, about: About::default(), wire: Wire::default(), denial: Denial::default(), challenge: None }
    }
}

impl Effects<'_> {
    /// Now, as the host told it with this event.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Host services.
    pub fn services(&mut self) -> &mut dyn Services {
        self.services
    }

    /// Sets a header of this direction. Outside the time in which the proxy lets headers be edited it is a bug of the
    /// filter, and the stream fails closed.
    pub fn set_header(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        if self.may_edit() {
            self.ops.push_back(Op::SetHeader(self.direction, name.to_owned(), value.into()));
        }
    }

    /// Removes a header of this direction, under the rule of [`Effects::set_header`].
    pub fn remove_header(&mut self, name: &str) {
        if self.may_edit() {
            self.ops.push_back(Op::RemoveHeader(self.direction, name.to_owned()));
        }
    }

    /// With headers: this body may be replaced. What describes the old bytes goes (`content-length`, digests, BY-E-12).
    pub fn edit_body(&mut self) {
        if self.may_edit() {
            self.exchange.side(self.direction).edits_body = true;
            for (bit, name) in DESCRIBING.into_iter().enumerate() {
                if self.exchange.side(self.direction).described & 1 << bit != 0 {
                    self.ops.push_back(Op::RemoveHeader(self.direction, name.to_owned()));
                }
            }
        }
    }

    /// The rest of this direction's body is of no interest: it is neither read nor shown again.
    pub fn skip_body(&mut self) {
        self.exchange.side(self.direction).skips_body = true;
    }

    /// The answer is of no interest, neither its headers nor its body: once the request is decided, none of it is read.
    pub fn skip_response(&mut self) {
        self.exchange.skips_response = true;
    }

    /// Replaces all that the proxy holds of this direction's body. Needs [`Effects::edit_body`] with the headers.
    pub fn replace_body(&mut self, with: Vec<u8>) {
        if self.exchange.side(self.direction).edits_body {
            self.exchange.side(self.direction).replaced = Some(!with.is_empty());
            self.ops.push_back(Op::ReplaceBody(self.direction, with));
        } else {
            self.exchange.broken = true;
        }
    }

    /// Makes a call that outlives this stream. Wait for it with [`Step::Await`]; [`super::Plugin::on_reply`] gets it too.
    pub fn call_out_shared(&mut self, callout: Callout) -> CallId {
        let id = self.ids.next();
        self.ops.push_back(Op::CallOutShared(id, callout));
        id
    }

    /// Adds one to a counter. `name` is built from a closed set, never from request data (OT-02).
    pub fn count(&mut self, name: &str) {
        self.count_what(Counted::Other(name.to_owned()));
    }

    fn count_what(&mut self, what: Counted) {
        self.ops.push_back(Op::Count(Counter { plugin: self.exchange.plugin, what }, 1));
    }

    /// Records the decision, counts it, and says how to go on: the only way to refuse a client.
    ///
    /// In `observe` mode a refusal is recorded as `would_deny` and the step is [`Step::Continue`].
    pub fn enforce(&mut self, ruling: Ruling) -> Step {
        let observed = self.exchange.settings.mode == Mode::Observe;
        let Ruling { decision, about, wire, denial, challenge } = ruling;
        self.exchange.wire = wire;
        self.exchange.about = about.clone();
        let request = self.write(&decision, about, observed);
        self.exchange.decided = true;
        match decision {
            Decision::Deny(deny) if !observed => {
                Step::Respond(LocalResponse::new(Answer::new(&deny, &self.exchange.wire, &denial, challenge.as_ref(), &request)))
            }
            Decision::Allow(_) | Decision::Deny(_) => Step::Continue,
        }
    }

    /// Records and counts a decision about a part of an exchange that has been decided: something in an answer that is taken
    /// out. `observed`: it is not taken out, only recorded as `would_deny`; in `observe` mode nothing ever is.
    pub fn note(&mut self, decision: &Decision, about: About, observed: bool) {
        let observed = observed || self.exchange.settings.mode == Mode::Observe;
        self.write(decision, about, observed);
    }

    /// Answers a request that is for the policy itself, and records it as allowed by `rule`. In `observe` mode it is recorded
    /// and goes on; where something was decided before, it is a bug of the filter, and the stream fails closed.
    pub fn answer(&mut self, rule: &str, about: About, answer: Answer) -> Step {
        self.exchange.broken |= self.exchange.decided;
        match self.enforce(Ruling { about, ..Ruling::new(Decision::allow(rule)) }) {
            Step::Continue if self.exchange.settings.mode == Mode::Enforce => Step::Respond(LocalResponse::new(answer)),
            step => step,
        }
    }

    /// The id under which this exchange is recorded, for an error that takes the place of a part of an answer.
    pub fn decision_id(&mut self) -> Rc<str> {
        self.request_id()
    }

    /// Counts and records; the id of the record.
    fn write(&mut self, decision: &Decision, about: About, observed: bool) -> Rc<str> {
        let (outcome, reason, rule, tier) = match decision {
            Decision::Allow(allow) => (Outcome::Allow, None, Some(allow.rule.clone()), allow.tier),
            Decision::Deny(deny) if observed => (Outcome::WouldDeny, Some(deny.reason), deny.rule.clone(), deny.tier),
            Decision::Deny(deny) => (Outcome::Deny, Some(deny.reason), deny.rule.clone(), deny.tier),
        };
        let request = self.request_id();
        self.count_what(Counted::Decisions(outcome));
        if let Some(rule) = &rule {
            self.count_what(Counted::Rules(rule.clone(), outcome));
        }
        if let Some(reason) = reason {
            self.count_what(Counted::Reasons(reason));
        }
        let record = self.record(request.clone(), about, outcome, reason);
        self.ops.push_back(Op::Audit(Record { rule, tier, ..record }));
        request
    }

    /// Refuses whatever the mode is: for a state in which going on is not possible.
    pub(super) fn fail(&mut self, reason: Reason) -> LocalResponse {
        let request = self.request_id();
        self.count_what(Counted::Decisions(Outcome::Deny));
        self.count_what(Counted::Reasons(reason));
        let record = self.record(request.clone(), self.exchange.about.clone(), Outcome::Deny, Some(reason));
        self.ops.push_back(Op::Audit(record));
        self.exchange.decided = true;
        let deny = Deny { reason, rule: None, tier: None };
        LocalResponse::new(Answer::new(&deny, &self.exchange.wire, &Denial::Refuse, None, &request))
    }

    /// Records that no decision came about.
    pub(super) fn undecided(&mut self, reason: Reason) {
        let request = self.request_id();
        self.count_what(Counted::Decisions(Outcome::Undecided));
        self.count_what(Counted::Reasons(reason));
        let record = self.record(request, self.exchange.about.clone(), Outcome::Undecided, Some(reason));
        self.ops.push_back(Op::Audit(record));
        self.exchange.decided = true;
    }

    fn record(&self, request: Rc<str>, about: About, outcome: Outcome, reason: Option<Reason>) -> Record {
        let exchange = &*self.exchange;
        Record {
            time: self.now,
            plugin: exchange.plugin,
            policy: exchange.settings.policy.clone(),
            trace: exchange.trace.clone(),
            request,
            about,
            outcome,
            reason,
            rule: None,
            tier: None,
            mode: exchange.settings.mode,
            late: exchange.request.headers_gone,
        }
    }

    /// The proxy's request id; where there is none, a random one, so that a refusal can always be found.
    fn request_id(&mut self) -> Rc<str> {
        if let Some(id) = &self.exchange.request_id {
            return id.clone();
        }
        let mut bytes = [0; 16];
        let id: Rc<str> = match self.services.random(&mut bytes) {
            Ok(()) => {
                let mut id = String::with_capacity(32);
                push_hex(&mut id, &bytes);
                id.into()
            }
            Err(_) => format!("t{}", self.now.as_nanos()).into(),
        };
        self.exchange.request_id = Some(id.clone());
        id
    }

    fn may_edit(&mut self) -> bool {
        if !self.headers_editable {
            self.exchange.broken = true;
        }
        self.headers_editable
    }
}

/// The sink of one event of the root.
pub struct RootEffects<'a> {
    pub(super) plugin: &'static str,
    pub(super) ops: &'a mut VecDeque<RootOp>,
    pub(super) services: &'a mut dyn Services,
    pub(super) ids: &'a CallIds,
}

impl RootEffects<'_> {
    /// Host services.
    pub fn services(&mut self) -> &mut dyn Services {
        self.services
    }

    /// Makes a call; its answer comes to [`super::Plugin::on_reply`] and to the streams that await it.
    pub fn call_out(&mut self, callout: Callout) -> CallId {
        let id = self.ids.next();
        self.ops.push_back(RootOp::CallOut(id, callout));
        id
    }

    /// Adds one to a counter, under the rule of [`Effects::count`].
    pub fn count(&mut self, name: &str) {
        self.ops.push_back(RootOp::Count(Counter { plugin: self.plugin, what: Counted::Other(name.to_owned()) }, 1));
    }

    /// Writes a line to the log: fixed text, no content, no token.
    pub fn warn(&mut self, text: &str) {
        self.ops.push_back(RootOp::Warn(text.to_owned()));
    }
}
