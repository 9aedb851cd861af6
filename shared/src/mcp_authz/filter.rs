//! The machine of one request.

use std::rc::Rc;

use super::listing::Listing;
use super::policy::{Ask, DenialForm, Item, Policy};
use super::request::{BadBody, Kind, judge_head, judge_message, routing};
use crate::audit::{About, Resource};
use crate::filter::{Chunk, Effects, Filter, Head, Ruling, Step};
use crate::http::{Headers, media_type};
use crate::identity::Caller;
use crate::mcp::{Era, Message, Method, Shape};
use crate::policy::{Allow, Challenge, Decision, Denial, Deny, Mode, Reason, Wire};

/// One request. It expects headers, then a body, then an answer; each state owns what is alive in it.
pub struct McpFilter {
    policy: Rc<Policy>,
    state: State,
}

enum State {
    ExpectHeaders,
    ExpectBody {
        caller: Caller,
        routing: Headers,
        body: Vec<u8>,
    },
    /// `id`: the raw id of the request whose answer it must be; a GET stream has none.
    ExpectAnswer {
        caller: Caller,
        lists: bool,
        id: Option<Box<str>>,
    },
    ExpectList(Listing),
    Done,
}

impl McpFilter {
    pub(super) fn new(policy: Rc<Policy>) -> Self {
        Self { policy, state: State::ExpectHeaders }
    }
}

/// What would let a client choose another method or path behind our back (BY-H-10).
const OVERRIDES: &[&str] = &["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

impl Filter for McpFilter {
    fn on_request_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        let caller = match self.policy.source.read(head.properties) {
            Ok(caller) => caller,
            Err(reason) => return self.refuse(fx, About::default(), reason, None),
        };
        let kind = match judge_head(&self.policy, head.headers, head.end_of_stream) {
            Ok(kind) => kind,
            Err(reason) => return self.refuse(fx, about(&caller), reason, None),
        };
        if let Some(reason) = self.policy.greet(&caller) {
            return self.refuse(fx, about(&caller), reason, None);
        }
        if self.policy.mode == Mode::Enforce {
            // An answer that has to be filtered must be readable, hence no `accept-encoding` (BY-H-02).
            for name in OVERRIDES.iter().chain(&["accept-encoding"]).filter(|name| head.headers.has(name)) {
                fx.remove_header(name);
            }
        }
        let (action, lists) = match kind {
            Kind::Message => {
                let body = Vec::new();
                self.state = State::ExpectBody { caller, routing: routing(head.headers), body };
                return Step::Hold;
            }
            Kind::Stream => ("GET", true),
            Kind::EndSession => ("DELETE", false),
        };
        let about = About { action: Some(action.to_owned()), ..about(&caller) };
        self.state = State::ExpectAnswer { caller, lists, id: None };
        fx.enforce(Ruling { about, wire: Wire::JsonRpc(None), ..Ruling::new(Decision::allow("builtin:session")) })
    }

    fn on_request_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        let State::ExpectBody { caller, routing, mut body } = core::mem::replace(&mut self.state, State::Done) else {
            return Step::Continue;
        };
        if body.len() + chunk.bytes.len() > self.policy.max_body {
            return self.refuse(fx, about(&caller), Reason::BodyTooLarge, None);
        }
        body.extend_from_slice(chunk.bytes);
        if !chunk.end_of_stream {
            self.state = State::ExpectBody { caller, routing, body };
            return Step::Hold;
        }
        match judge_message(&self.policy, &body, &routing) {
            Err(bad) => self.refuse_as(fx, about(&caller), bad),
            Ok((message, era)) => self.decide(caller, &message, era, fx),
        }
    }

    fn on_response_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        let state = core::mem::replace(&mut self.state, State::Done);
        let State::ExpectAnswer { caller, lists: true, id } = state else {
            fx.skip_body();
            return Step::Continue;
        };
        if head.end_of_stream || self.policy.mode == Mode::Observe {
            fx.skip_body();
            return Step::Continue;
        }
        let wire = Wire::JsonRpc(id.clone());
        let deny = |reason| Ruling { about: about(&caller), wire: wire.clone(), ..Ruling::new(Decision::deny(reason)) };
        let identity = |coding: &[u8]| coding.eq_ignore_ascii_case(b"identity");
        if !head.headers.all("content-encoding").all(identity) {
            return fx.enforce(deny(Reason::ResponseEncoded));
        }
        let Ok(content_type) = head.headers.one("content-type") else {
            return fx.enforce(deny(Reason::ResponseUnreadable));
        };
        let ok = head.headers.status().is_some_and(|status| (200..300).contains(&status));
        let listing = match media_type(content_type.unwrap_or_default()).0.as_str() {
            "application/json" => Listing::whole(self.policy.clone(), caller, id),
            "text/event-stream" => Listing::events(self.policy.clone(), caller, id),
            // An error answer of another type lists nothing that a client would read.
            _ if !ok => {
                fx.skip_body();
                return Step::Continue;
            }
            _ => return fx.enforce(deny(Reason::ResponseUnreadable)),
        };
        fx.edit_body();
        // The status of an error goes on in any case, and `www-authenticate` with it: a client must learn that it has to log
        // in, also where the body that says so is no JSON-RPC and is replaced.
        let holds = listing.is_whole() && ok;
        self.state = State::ExpectList(listing);
        if holds { Step::Hold } else { Step::Continue }
    }

    fn on_response_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        let State::ExpectList(listing) = &mut self.state else { return Step::Continue };
        let pushed = listing.push(chunk);
        if let Some(text) = pushed.text {
            fx.replace_body(text);
        }
        match pushed.failed {
            None if listing.is_whole() && !chunk.end_of_stream => Step::Hold,
            None => Step::Continue,
            Some(reason) => {
                let (about, wire) = (about(listing.caller()), listing.wire());
                self.state = State::Done;
                fx.enforce(Ruling { about, wire, ..Ruling::new(Decision::deny(reason)) })
            }
        }
    }
}

impl McpFilter {
    /// Decides about one message. Notifications are judged like requests (BY-J-12).
    fn decide(&mut self, caller: Caller, message: &Message<'_>, era: Era, fx: &mut Effects<'_>) -> Step {
        let id = message.id.as_ref().map(|id| id.raw());
        let wire = Wire::JsonRpc(id.map(Into::into));
        let action = Some(message.method_text.clone().into_owned()).filter(|text| !text.is_empty());
        let about = About { action, ..about(&caller) };
        let builtin = match message.method {
            Method::ToolsCall => return self.decide_call(caller, message, about, wire, fx),
            Method::ToolsList => "builtin:list",
            Method::Initialize | Method::Ping | Method::ServerDiscover => "builtin:lifecycle",
            Method::NotifyCancelled | Method::NotifyInitialized | Method::NotifyProgress | Method::NotifyRootsChanged
                if message.shape == Shape::Notification =>
            {
                "builtin:notification"
            }
            // The answer to a request of the server: only in the legacy era (MCP-G-04, MCP-T-02).
            Method::None if era == Era::Legacy => "builtin:response",
            Method::Unknown => {
                // To a legacy client 404 says that its session is over (MCP-G-01).
                let denial = if era == Era::Modern { Denial::NotFound } else { Denial::Refuse };
                return self.refuse_as(fx, about, BadBody { reason: Reason::UnknownMethod, id, denial });
            }
            _ => return self.refuse(fx, about, Reason::NoMatchingRule, id),
        };
        let lists = message.method == Method::ToolsList;
        self.state = State::ExpectAnswer { caller, lists, id: id.map(Into::into) };
        fx.enforce(Ruling { about, wire, ..Ruling::new(Decision::allow(builtin)) })
    }

    fn decide_call(&mut self, caller: Caller, message: &Message<'_>, about: About, wire: Wire, fx: &mut Effects<'_>) -> Step {
        let tool = message.name().unwrap_or_default();
        let about = About { resource: Some(Resource { kind: "tool", name: tool.to_owned() }), ..about };
        let verdict = self.policy.decide(&caller, &Ask::about(Item::Tool(tool)));
        let denial = match self.policy.denial {
            DenialForm::Hide => Denial::Hide(format!("Unknown tool: {tool}")),
            DenialForm::Refuse | DenialForm::StepUp => Denial::Refuse,
        };
        let challenge = match &verdict.decision {
            Decision::Deny(Deny { reason: Reason::NoUser, .. }) => {
                Some(Challenge { scopes: verdict.needed, ..Challenge::default() })
            }
            Decision::Deny(Deny { reason: Reason::InsufficientScope, .. }) if self.policy.denial == DenialForm::StepUp => {
                Some(Challenge { error: Some("insufficient_scope"), scopes: verdict.needed, resource_metadata: None })
            }
            Decision::Allow(Allow { .. }) | Decision::Deny(_) => None,
        };
        self.state = State::ExpectAnswer { caller, lists: false, id: None };
        fx.enforce(Ruling { decision: verdict.decision, about, wire, denial, challenge })
    }

    /// Refuses for a reason that is not a rule's.
    fn refuse(&mut self, fx: &mut Effects<'_>, about: About, reason: Reason, id: Option<&str>) -> Step {
        self.refuse_as(fx, about, BadBody { reason, id, denial: Denial::Refuse })
    }

    fn refuse_as(&mut self, fx: &mut Effects<'_>, about: About, bad: BadBody<'_>) -> Step {
        self.state = State::Done;
        let BadBody { reason, id, denial } = bad;
        let challenge = (reason == Reason::NoUser).then(Challenge::default);
        let wire = Wire::JsonRpc(id.map(Into::into));
        let step = fx.enforce(Ruling { decision: Decision::deny(reason), about, wire, denial, challenge });
        if let Step::Continue = step {
            // Observed only: the rest is of no interest.
            fx.skip_body();
        }
        step
    }
}

fn about(caller: &Caller) -> About {
    About {
        subject: caller.user.clone(),
        agent: caller.agent.clone(),
        actors: caller.actors.clone(),
        action: None,
        resource: None,
    }
}
