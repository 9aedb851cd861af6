//! The machine of one request.

use std::rc::Rc;

use super::answer::{Body, Inspection, Request};
use super::approve::{Asked, Asks, TICKET, ticket};
use super::policy::{DenialForm, Item, Policy, RequestFacts};
use super::request::{BadBody, Kind, accepts_legacy, has_bearer, judge_head, judge_message, routing};
use super::session;
use crate::audit::About;
use crate::filter::{CalloutError, Chunk, Effects, Filter, Head, Reply, Ruling, Step};
use crate::http::{Headers, media_type};
use crate::identity::Caller;
use crate::mcp::Shape;
use crate::policy::{Challenge, Decision, Denial, Mode, Reason, Wire};
use crate::time::Timestamp;

/// One request. It expects headers, then a body, then an answer; each state owns what is alive in it.
pub struct McpFilter<D> {
    pub(super) policy: Rc<Policy>,
    pub(super) desk: Option<D>,
    state: State,
    /// What the caller brings to go on with.
    pub(super) ticket: Option<String>,
    /// A call whose user is being asked.
    pub(super) asked: Option<Box<Asked>>,
    /// Whose the session will be that the answer begins.
    pub(super) begins: Option<Caller>,
}

enum State {
    ExpectHeaders,
    ExpectBody(Box<Pending>),
    ExpectAnswer(Box<Inspection>),
    ExpectAnswerBody(Box<Body>),
    Done,
}

/// A request whose body has not ended.
struct Pending {
    caller: Caller,
    routing: Headers,
    facts: Option<RequestFacts>,
    body: Vec<u8>,
}

impl<D: Asks> McpFilter<D> {
    pub(super) fn new(policy: Rc<Policy>, desk: Option<D>) -> Self {
        Self { policy, desk, state: State::ExpectHeaders, ticket: None, asked: None, begins: None }
    }
}

/// What would let a client choose another method or path behind our back (BY-H-10).
const OVERRIDES: &[&str] = &["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];
/// What only sessions have (MCP-T-09).
const SESSION: &[&str] = &[SESSION_ID, "last-event-id"];
const SESSION_ID: &str = "mcp-session-id";

impl<D: Asks> Filter for McpFilter<D> {
    fn on_request_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        if let Some((method, answer)) = self.policy.metadata.as_ref().and_then(|metadata| metadata.serve(head)) {
            self.state = State::Done;
            let about = About { action: Some(method.to_owned()), ..About::default() };
            return fx.answer("builtin:metadata", about, answer);
        }
        let caller = match self.policy.source.read(head.properties) {
            Ok(caller) => caller,
            Err(reason) => return self.refuse(fx, About::default(), reason, None),
        };
        let kind = match judge_head(&self.policy, head.headers, head.end_of_stream) {
            Ok(kind) => kind,
            Err((reason, denial)) => return self.refuse_as(fx, about(&caller), BadBody { reason, id: None, denial }),
        };
        if self.policy.source.has_claims() && !caller.verified && has_bearer(head.headers) {
            return self.refuse(fx, about(&caller), Reason::InvalidToken, None);
        }
        if let Some(reason) = self.policy.greet(&caller) {
            return self.refuse(fx, about(&caller), reason, None);
        }
        if let Some(id) = self.session(head.headers)
            && let Err(reason) = session::join(&self.policy, fx.services(), id, &caller)
        {
            return self.refuse(fx, about(&caller), reason, None);
        }
        if self.policy.mode == Mode::Enforce {
            let session: &[&str] = if accepts_legacy(&self.policy) { &[] } else { SESSION };
            // An answer that has to be filtered must be readable, hence no `accept-encoding` (BY-H-02).
            let ticket: &[&str] = if D::ASKS { &[TICKET] } else { &[] };
            let names = OVERRIDES.iter().chain(session).chain(ticket).chain(&["accept-encoding"]);
            for name in names.filter(|name| head.headers.has(name)) {
                fx.remove_header(name);
            }
        }
        let action = match kind {
            Kind::Message => {
                let facts = self.policy.request_facts(head.headers, head.properties);
                match head.headers.one(TICKET) {
                    _ if !D::ASKS => {}
                    Ok(value) => self.ticket = value.and_then(ticket),
                    Err(_) => return self.refuse(fx, about(&caller), Reason::RepeatedHeader, None),
                }
                let pending = Pending { caller, routing: routing(head.headers), facts, body: Vec::new() };
                self.state = State::ExpectBody(Box::new(pending));
                return Step::Hold;
            }
            Kind::Stream => "GET",
            Kind::EndSession => "DELETE",
        };
        let about = About { action: Some(action.to_owned()), ..about(&caller) };
        self.expect_answer((kind == Kind::Stream).then_some(Request::SESSION), caller, &about);
        fx.enforce(Ruling { about, wire: Wire::JsonRpc(None), ..Ruling::new(Decision::allow("builtin:session")) })
    }

    fn on_request_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        let State::ExpectBody(mut pending) = core::mem::replace(&mut self.state, State::Done) else {
            return Step::Continue;
        };
        if pending.body.len() + chunk.bytes.len() > self.policy.max_body {
            return self.refuse(fx, about(&pending.caller), Reason::BodyTooLarge, None);
        }
        if !chunk.end_of_stream {
            pending.body.extend_from_slice(chunk.bytes);
            self.state = State::ExpectBody(pending);
            return Step::Hold;
        }
        let Pending { caller, routing, facts, body: mut kept } = *pending;
        // Mostly it comes in one piece, which is not copied.
        let body = if kept.is_empty() {
            chunk.bytes
        } else {
            kept.extend_from_slice(chunk.bytes);
            kept.as_slice()
        };
        match judge_message(&self.policy, body, &routing) {
            Err(bad) => self.refuse_as(fx, about(&caller), bad),
            Ok((message, era)) => self.decide(caller, &message, body, era, facts, fx),
        }
    }

    fn gathers(&self, bytes: usize) -> bool {
        let kept = |pending: &Pending| pending.body.len().saturating_add(bytes);
        matches!(&self.state, State::ExpectBody(pending) if kept(pending) <= self.policy.max_body)
    }

    fn on_callout_reply(&mut self, _: Timestamp, _: Result<Reply<'_>, CalloutError>, fx: &mut Effects<'_>) -> Step {
        match self.asked.take() {
            Some(asked) if D::ASKS => self.heard(*asked, fx),
            _ => Step::Reset,
        }
    }

    fn on_response_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        if let (Some(caller), Ok(Some(id))) = (self.begins.take(), head.headers.one(SESSION_ID))
            && let Err(reason) = session::begin(&self.policy, fx.services(), id, &caller)
        {
            return self.refuse(fx, about(&caller), reason, None);
        }
        let state = core::mem::replace(&mut self.state, State::Done);
        let State::ExpectAnswer(mut inspection) = state else {
            fx.skip_body();
            return Step::Continue;
        };
        let expects_none = inspection.asked.shape.is_some_and(|shape| shape != Shape::Request);
        let status = head.headers.status().unwrap_or_default();
        if head.end_of_stream || (expects_none && matches!(status, 202 | 204)) {
            fx.skip_body();
            return Step::Continue;
        }
        let wire = Wire::JsonRpc(inspection.asked.id.clone());
        let identity = |coding: &[u8]| coding.eq_ignore_ascii_case(b"identity");
        let encoded = !head.headers.all("content-encoding").all(identity);
        let content_type = media_type(head.headers.one("content-type").ok().flatten().unwrap_or_default()).0;
        let repeated = head.headers.one("content-type").is_err();
        let ok = (200..300).contains(&status);
        inspection.decision_id = fx.decision_id();
        let caller_about = about(&inspection.caller);
        let body = match content_type.as_slice() {
            _ if encoded => Err(Reason::ResponseEncoded),
            _ if repeated => Err(Reason::ResponseUnreadable),
            b"application/json" => Ok(Body::whole(*inspection)),
            b"text/event-stream" => Ok(Body::events(*inspection, fx.now())),
            // An error answer of another type says nothing that a client would read as a message.
            _ if !ok => {
                fx.skip_body();
                return Step::Continue;
            }
            _ => Err(Reason::ResponseUnreadable),
        };
        let body = match body {
            Ok(body) => body,
            Err(reason) => {
                let step = fx.enforce(Ruling { about: caller_about, wire, ..Ruling::new(Decision::deny(reason)) });
                if let Step::Continue = step {
                    fx.skip_body();
                }
                return step;
            }
        };
        let observed = self.policy.mode == Mode::Observe;
        if !observed {
            fx.edit_body();
        }
        // The status of an error goes on in any case, and `www-authenticate` with it: a client must learn that it has to log
        // in, also where the body that says so is no JSON-RPC and is replaced.
        let holds = body.is_whole() && ok && !observed;
        self.state = State::ExpectAnswerBody(Box::new(body));
        if holds { Step::Hold } else { Step::Continue }
    }

    fn on_response_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        let observed = self.policy.mode == Mode::Observe;
        let State::ExpectAnswerBody(body) = &mut self.state else { return Step::Continue };
        let pushed = body.push(chunk, fx.now());
        if let Some(text) = pushed.text.filter(|_| !observed) {
            fx.replace_body(text);
        }
        for note in pushed.notes {
            fx.note(&note.decision, note.about, note.observed);
        }
        match pushed.failed {
            None if body.is_whole() && !chunk.end_of_stream && !observed => Step::Hold,
            None => Step::Continue,
            Some((decision, about)) => {
                let wire = body.wire();
                self.state = State::Done;
                let step = fx.enforce(Ruling { about, wire, ..Ruling::new(decision) });
                if let Step::Continue = step {
                    fx.skip_body();
                }
                step
            }
        }
    }
}

impl<D: Asks> McpFilter<D> {
    /// The session that a request says it belongs to, where sessions have owners. A modern request should name none (MCP-T-09);
    /// one that does is held to it like any other, for the server may do so too.
    fn session<'a>(&self, headers: &'a Headers) -> Option<&'a [u8]> {
        let binds = self.policy.sessions.is_some() && accepts_legacy(&self.policy);
        headers.one(SESSION_ID).ok().flatten().filter(|_| binds)
    }

    /// Nothing of the answer is looked at.
    pub(super) fn expect_nothing(&mut self) {
        self.state = State::Done;
    }

    /// Whether nothing of the answer is looked at.
    pub(super) fn expects_nothing(&self) -> bool {
        matches!((&self.state, &self.begins), (State::Done, None))
    }

    pub(super) fn expect_answer(&mut self, request: Option<Request<'_>>, caller: Caller, about: &About) {
        let inspection = request.and_then(|request| Inspection::new(&self.policy, caller, about, request));
        self.state = inspection.map_or(State::Done, |inspection| State::ExpectAnswer(Box::new(inspection)));
    }

    /// How a refusal by the rules looks (MCP-L-05).
    pub(super) fn denial(&self, item: Item<'_>) -> Denial {
        let unknown = match item {
            Item::Method => None,
            Item::Prompt(name) => Some(format!("Unknown prompt: {name}")),
            Item::Resource(uri) | Item::Template(uri) => Some(format!("Resource not found: {uri}")),
            Item::Task(id) => Some(format!("Unknown task: {id}")),
            Item::Tool(name) => Some(format!("Unknown tool: {name}")),
        };
        match (self.policy.denial, unknown) {
            (DenialForm::Hide, Some(message)) => Denial::Hide(message),
            _ => Denial::Refuse,
        }
    }

    /// What a client may do about a refusal (MCP-Z-01, MCP-Z-02, RFC 6750 section 3.1).
    pub(super) fn challenge(&self, reason: Reason, needed: Vec<String>) -> Option<Challenge> {
        let error = match reason {
            // Without any credential there is nothing that could be wrong.
            Reason::NoUser => None,
            Reason::InvalidToken => Some("invalid_token"),
            Reason::TokenInQuery => Some("invalid_request"),
            Reason::InsufficientScope if self.policy.denial == DenialForm::StepUp => Some("insufficient_scope"),
            _ => return None,
        };
        let resource_metadata = self.policy.metadata.as_ref().map(|metadata| metadata.url().to_owned());
        Some(Challenge { error, scopes: needed, resource_metadata, more: Vec::new() })
    }

    /// Refuses for a reason that is not a rule's.
    pub(super) fn refuse(&mut self, fx: &mut Effects<'_>, about: About, reason: Reason, id: Option<&str>) -> Step {
        self.refuse_as(fx, about, BadBody { reason, id, denial: Denial::Refuse })
    }

    pub(super) fn refuse_as(&mut self, fx: &mut Effects<'_>, about: About, bad: BadBody<'_>) -> Step {
        self.state = State::Done;
        let BadBody { reason, id, denial } = bad;
        let challenge = self.challenge(reason, Vec::new());
        let wire = Wire::JsonRpc(id.map(Into::into));
        let step = fx.enforce(Ruling { decision: Decision::deny(reason), about, wire, denial, challenge });
        if let Step::Continue = step {
            // Observed only: the rest is of no interest.
            fx.skip_body();
        }
        step
    }
}

pub(super) fn about(caller: &Caller) -> About {
    About {
        subject: caller.user.clone(),
        agent: caller.agent.clone(),
        actors: caller.actors.clone(),
        action: None,
        resource: None,
        exchange: None,
    }
}
