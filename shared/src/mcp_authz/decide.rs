//! What is decided about one message: each item that it is about is asked for.

use super::answer::Request;
use super::approve::{Allowed, Asks};
use super::filter::{McpFilter, about};
use super::how::{How, how};
use super::policy::{Ask, Item, RequestFacts};
use super::request::BadBody;
use crate::audit::{About, Resource};
use crate::filter::{Effects, Ruling, Step};
use crate::identity::Caller;
use crate::mcp::{Era, Message, Method};
use crate::policy::{Decision, Denial, Reason, Wire};

impl<D: Asks> McpFilter<D> {
    /// Decides about one message.
    pub(super) fn decide(
        &mut self,
        caller: Caller,
        message: &Message<'_>,
        body: &[u8],
        era: Era,
        facts: Option<RequestFacts>,
        fx: &mut Effects<'_>,
    ) -> Step {
        let id = message.id.as_ref().map(|id| id.raw());
        let action = Some(message.method_text.clone().into_owned()).filter(|text| !text.is_empty());
        let about = About { action, ..about(&caller) };
        let items = match how(message, era) {
            How::Ask(items) => items,
            How::OnlyServers => return self.refuse(fx, about, Reason::NoMatchingRule, id),
            How::Unknown => {
                // To a legacy client 404 says that its session is over (MCP-G-01).
                let denial = if era == Era::Modern { Denial::NotFound } else { Denial::Refuse };
                return self.refuse_as(fx, about, BadBody { reason: Reason::UnknownMethod, id, denial });
            }
        };
        // Where no server may ask, there is nothing to answer, neither so (MCP-G-04) nor as 2026-07-28 does (MCP-S-01, MCP-K-01).
        let asks_none = self.policy.server_requests.as_ref().is_some_and(|allowed| allowed.methods.is_empty());
        if asks_none && (message.method == Method::None || message.input_responses) {
            let resource = if let [(_, item)] = items.as_slice() { item.resource() } else { None };
            let about = About { resource: resource.map(|(kind, name)| Resource { kind, name }), ..about };
            return self.refuse(fx, about, Reason::ServerRequestRefused, id);
        }
        if message.method == Method::Initialize && self.policy.sessions.is_some() {
            self.begins = Some(caller.clone());
        }
        let arguments = matches!(message.method, Method::ToolsCall | Method::PromptsGet)
            .then(|| message.arguments.map_or(&b"{}"[..], |span| span.of(body)));
        let request = Request {
            method: message.method,
            shape: Some(message.shape),
            era,
            // What comes by a subscription can be of any of its items, or of a task of any tool.
            item: if let [(_, item)] = items.as_slice() { *item } else { Item::Method },
            arguments,
            facts: facts.as_ref(),
            id,
        };
        self.decide_items(caller, &items, request, about, fx)
    }

    /// One that is refused, refuses all.
    fn decide_items(
        &mut self,
        caller: Caller,
        items: &[(Method, Item<'_>)],
        request: Request<'_>,
        mut about: About,
        fx: &mut Effects<'_>,
    ) -> Step {
        let wire = Wire::JsonRpc(request.id.map(Into::into));
        let mut approval = false;
        let mut allowed: Option<(Decision, About)> = None;
        let mut observed = Vec::new();
        let mut left = items.len();
        for (method, item) in items {
            left -= 1;
            let ask = Ask { method: *method, item: *item, arguments: request.arguments, request: request.facts, result: None };
            let mut verdict = self.policy.decide(&caller, &ask);
            if let (Item::Tool(tool), Decision::Allow { .. }, Some(tools)) = (item, &verdict.decision, &self.policy.tools)
                && tools.pin(tool).is_some_and(|pin| pin.changed.get())
            {
                verdict.decision = Decision::deny(Reason::ToolChanged);
            }
            let resource = item.resource().map(|(kind, name)| Resource { kind, name });
            let own = if left == 0 { core::mem::take(&mut about) } else { about.clone() };
            let about = About { resource, ..own };
            if let Decision::Deny(deny) = &verdict.decision {
                let challenge = self.challenge(deny.reason, verdict.needed);
                let denial = self.denial(*item);
                self.expect_answer(Some(request), caller, &about);
                return fx.enforce(Ruling { decision: verdict.decision, about, wire, denial, challenge });
            }
            approval |= verdict.approval;
            observed.extend(verdict.observed.map(|deny| (deny, about.clone())));
            // The record is about the first thing, if there is any.
            if allowed.as_ref().is_none_or(|(_, about)| about.resource.is_none()) {
                allowed = Some((verdict.decision, about));
            }
        }
        let Some((decision, about)) = allowed else {
            return self.refuse(fx, about, Reason::NoMatchingRule, request.id);
        };
        // Where nobody is asked, no policy wants it: it could not be configured.
        let asks = (D::ASKS && approval).then(|| caller.clone());
        self.expect_answer(Some(request), caller, &about);
        let allowed = Allowed { decision, about, wire, observed };
        match asks {
            None => self.allow(allowed, fx),
            Some(caller) => self.ask(&caller, request.item, request.arguments, allowed, fx),
        }
    }
}
