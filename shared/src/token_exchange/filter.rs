//! The machine of one request.

use std::rc::Rc;

use super::cache::Held;
use super::caller::{Arrival, Arrived, Asker, MAX_WAITS, Unknown};
use super::consent::{self, Standing, Wish};
use super::credential::holds;
use super::exchanged::{Exchanged, unasked};
use super::exchanger::{Exchanger, Found, Outcome, Progress};
use super::failure::Refused;
use super::key::Key;
use super::policy::{Action, Target};
use super::prepare::{Prepared, ask, prepare};
use super::refer::refer;
use super::routes::ClusterUnknown;
use super::tool::{Calling, Unreadable};
use crate::audit::About;
use crate::filter::{CallId, CalloutError, Chunk, Effects, Filter, Head, Reply, Ruling, Step};
use crate::identity::Caller;
use crate::identity::secret::Ready;
use crate::policy::{Decision, Denial, Mode, Reason, RuleId, Wire};
use crate::time::Timestamp;

/// One request. All is decided with its headers, but where the route depends on the tool that is called; each state owns what is alive in it.
pub struct ExchangeFilter {
    exchanger: Rc<Exchanger>,
    state: State,
    /// What the caller brought for a consent that its user was asked for.
    ticket: Option<Box<str>>,
}

enum State {
    ExpectHeaders,
    /// Its route depends on what its body says.
    ExpectBody(Box<Calling>),
    /// Who asks is not known yet, or what our client shows has not come.
    ExpectMore(Box<Arrived>),
    /// A token is being asked for.
    ExpectToken(Box<Pending>),
    /// Its user has to consent first, and what seals has not come.
    ExpectKeys(Box<Pending>, Rc<Refused>),
    /// The request has gone on with a token.
    ExpectAnswer {
        key: Key,
        held: Rc<Held>,
    },
    Done,
}

/// A request that waits for its token.
struct Pending {
    key: Key,
    /// The call that it waits for.
    call: Option<CallId>,
    rule: RuleId,
    about: About,
    exchange: Exchanged,
    /// Headers that must not go on.
    stripped: Vec<String>,
}

/// Credentials that no answer may bring to a client (BY-X-12).
const RESPONSE: &[&str] = &["authorization", "proxy-authorization", "txn-token"];

impl ExchangeFilter {
    pub(super) fn new(exchanger: Rc<Exchanger>) -> Self {
        Self { exchanger, state: State::ExpectHeaders, ticket: None }
    }
}

impl Filter for ExchangeFilter {
    fn on_request_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        if let Some(consent) = &self.exchanger.policy.consent {
            if let Some(step) = consent.answer(head, fx) {
                fx.skip_body();
                self.state = State::Done;
                return step;
            }
            match head.headers.one(consent::TICKET) {
                Ok(ticket) => self.ticket = ticket.map(|ticket| String::from_utf8_lossy(ticket).into()),
                Err(_) => return refuse(About::default(), &Refused::plain(Reason::RepeatedHeader), fx),
            }
        }
        let policy = &self.exchanger.policy;
        let wants_tool = |head: Head<'_>| policy.destination(head).is_ok_and(|to| policy.routes.want_tool(&to));
        // To read the destination costs more than to look whether any route depends on a tool; mostly none does.
        if head.end_of_stream || !policy.routes.want_tools() || !wants_tool(head) {
            fx.skip_body();
            return self.arrive(Arrival::first(head), fx);
        }
        match Calling::begin(head, policy.properties.len(), policy.max_body) {
            Ok(calling) => {
                self.state = State::ExpectBody(Box::new(calling));
                Step::Hold
            }
            Err(reason) => self.misread(head, Unreadable { reason, id: None }, fx),
        }
    }

    fn on_request_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        let mut calling = match core::mem::replace(&mut self.state, State::Done) {
            State::ExpectBody(calling) => calling,
            other => {
                self.state = other;
                return Step::Continue;
            }
        };
        if let Err(reason) = calling.take(chunk.bytes, self.exchanger.policy.max_body) {
            return self.misread(calling.arrived.head(), Unreadable { reason, id: None }, fx);
        }
        if !chunk.end_of_stream {
            self.state = State::ExpectBody(calling);
            return Step::Hold;
        }
        match calling.tool() {
            Ok(tool) => {
                calling.arrived.tool = tool;
                self.arrive(calling.arrived.arrival(), fx)
            }
            Err(unreadable) => self.misread(calling.arrived.head(), unreadable, fx),
        }
    }

    fn on_callout_reply(&mut self, _: Timestamp, _: Result<Reply<'_>, CalloutError>, fx: &mut Effects<'_>) -> Step {
        match core::mem::replace(&mut self.state, State::Done) {
            State::ExpectMore(arrived) => self.arrive(Arrival { waits: arrived.waits + 1, ..arrived.arrival() }, fx),
            State::ExpectToken(pending) => self.told(*pending, fx),
            State::ExpectKeys(pending, refused) => self.without(*pending, &refused, false, fx),
            State::ExpectHeaders | State::ExpectBody(_) | State::ExpectAnswer { .. } | State::Done => Step::Reset,
        }
    }

    fn on_response_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        fx.skip_body();
        if let State::ExpectAnswer { key, held } = core::mem::replace(&mut self.state, State::Done) {
            if head.headers.status() == Some(401) {
                // Revoked, perhaps. The challenge passes; the next request asks anew.
                self.exchanger.forget(&key);
            }
            let token = held.header.reveal().strip_prefix("Bearer ").unwrap_or_default().as_bytes();
            let mut gone: Vec<&str> = Vec::new();
            for (name, value) in head.headers.iter() {
                let Ok(name) = core::str::from_utf8(name) else { continue };
                let listed = RESPONSE.iter().any(|known| name.eq_ignore_ascii_case(known));
                if (listed || holds(value, token)) && !name.starts_with(':') && !gone.contains(&name) {
                    gone.push(name);
                    fx.remove_header(name);
                }
            }
        }
        Step::Continue
    }
}

impl ExchangeFilter {
    /// Decides by what the request brought; for the first time, or when it is known who asks.
    fn arrive(&mut self, arrival: Arrival<'_>, fx: &mut Effects<'_>) -> Step {
        self.state = State::Done;
        let Arrival { head, tool, waits } = arrival;
        let exchanger = self.exchanger.clone();
        let policy = &exchanger.policy;
        let asker = match policy.asker(arrival, fx) {
            Ok(asker) => asker,
            Err(Unknown::Refused(refused)) => {
                if refused.alarm {
                    fx.count("alarms");
                }
                return refuse(About { exchange: unasked(refused.detail), ..About::default() }, &refused, fx);
            }
            Err(Unknown::Wait(_)) if waits >= MAX_WAITS => {
                return refuse(About::default(), &Refused::plain(Reason::CalloutFailed), fx);
            }
            Err(Unknown::Wait(call)) => return self.wait(call, arrival),
        };
        let about = about(&asker.caller);
        let to = match policy.destination(head) {
            Ok(to) => to,
            Err(reason) => return refuse(about, &Refused::plain(reason), fx),
        };
        let (rule, action) = match policy.routes.find(&to, tool) {
            Ok(Some(route)) => (route.id.clone(), &route.action),
            Ok(None) => ("builtin:unmatched".into(), &policy.unmatched),
            Err(ClusterUnknown) => {
                let detail = Some("cluster_unknown");
                let about = About { exchange: unasked(detail), ..about };
                return refuse(about, &Refused { detail, ..Refused::plain(Reason::RouteUnmatched) }, fx);
            }
        };
        match action {
            Action::Deny => refuse(about, &Refused::plain(Reason::RouteUnmatched), fx),
            Action::Strip => {
                fx.skip_response();
                let about = About { action: Some("strip".to_owned()), ..about };
                let step = fx.enforce(Ruling { about, ..Ruling::new(Decision::allow(rule)) });
                if policy.mode == Mode::Enforce {
                    strip(&asker.stripped(), head.headers.has("authorization"), fx);
                }
                step
            }
            Action::Passthrough => {
                fx.skip_response();
                let about = About { action: Some("passthrough".to_owned()), ..about };
                fx.enforce(Ruling { about, ..Ruling::new(Decision::allow(rule)) })
            }
            Action::Exchange(target) => self.exchange(&asker, target, rule, about, fx),
            Action::Reference(agent) => {
                let ready = policy.references.as_ref().map_or(Ready::Yes, |referring| referring.keys.want(fx.now(), fx));
                match ready.or_else_unknown() {
                    Err(Unknown::Wait(call)) if waits < MAX_WAITS => self.wait(call, asker.arrival),
                    Err(Unknown::Refused(refused)) => {
                        fx.count("alarms");
                        refuse(About { exchange: unasked(refused.detail), ..about }, &refused, fx)
                    }
                    Ok(()) | Err(Unknown::Wait(_)) => refer(policy, &asker, agent, rule, about, fx),
                }
            }
        }
    }

    /// Decides anew when a call is over.
    fn wait(&mut self, call: CallId, arrival: Arrival<'_>) -> Step {
        let count = self.exchanger.policy.properties.len();
        self.state = State::ExpectMore(Box::new(Arrived::keep(arrival, count)));
        Step::Await(call)
    }

    /// Refuses what does not say in one way which tool it calls.
    fn misread(&mut self, head: Head<'_>, what: Unreadable, fx: &mut Effects<'_>) -> Step {
        let caller = self.exchanger.policy.source.read(head.properties).unwrap_or_default();
        fx.skip_body();
        fx.skip_response();
        let wire = Wire::JsonRpc(what.id);
        fx.enforce(Ruling { about: about(&caller), wire, ..Ruling::new(Decision::deny(what.reason)) })
    }

    /// The call for its token is over.
    fn told(&mut self, pending: Pending, fx: &mut Effects<'_>) -> Step {
        // The plugin has had the answer before; where it has not, it has not come in time.
        let progress = pending.call.map_or(Progress::Lost, |call| self.exchanger.progress(&pending.key, call));
        match progress {
            Progress::Done(outcome) => self.finish(pending, outcome, fx),
            Progress::Next(call) => {
                self.state = State::ExpectToken(Box::new(Pending { call: Some(call), ..pending }));
                Step::Await(call)
            }
            Progress::Lost => {
                let refused = Refused { detail: Some("timed_out"), ..Refused::plain(Reason::ExchangeUnavailable) };
                pending.refuse(&refused, fx)
            }
        }
    }

    fn exchange(&mut self, asker: &Asker<'_>, target: &Rc<Target>, rule: RuleId, about: About, fx: &mut Effects<'_>) -> Step {
        let exchanger = self.exchanger.clone();
        let about = About { action: Some("exchange".to_owned()), resource: Some(target.resource()), ..about };
        let caller = &asker.caller;
        let prepared = prepare(&exchanger, asker, target, fx);
        let Prepared { key, server, client, found, subject } = match prepared {
            Ok(prepared) => prepared,
            Err(refused) => return refuse(about, &refused, fx),
        };
        let client_id = server.clients.get(client).map(|client| client.id.clone()).unwrap_or_else(|| "".into());
        let exchange = Exchanged { server: server.name.clone(), client: client_id, cached: false };
        let mut pending = Pending { key, call: None, rule, about, exchange, stripped: asker.stripped() };
        let call = match found {
            Some(Found::Kept(outcome)) => {
                fx.count(if outcome.is_ok() { "cache.hits" } else { "cache.refusals" });
                pending.exchange.cached = true;
                return self.finish(pending, outcome, fx);
            }
            Some(Found::Awaited(call)) => {
                fx.count("calls.shared");
                call
            }
            None => {
                let asked = ask(&exchanger, caller, target, server, client, subject);
                let asked = match asked.and_then(|ask| Ok((exchanger.ready(&ask, fx)?, ask))) {
                    Ok((Some(call), _)) if asker.arrival.waits < MAX_WAITS => return self.wait(call, asker.arrival),
                    Ok((_, ask)) => match asker.text() {
                        Ok(token) => exchanger.ask(key, ask, token, fx),
                        Err(reason) => Err(Refused::plain(reason)),
                    },
                    Err(refused) => Err(refused),
                };
                fx.count("calls.made");
                match asked {
                    Ok(call) => call,
                    Err(refused) => {
                        if refused.alarm {
                            fx.count("alarms");
                        }
                        return pending.refuse(&refused, fx);
                    }
                }
            }
        };
        pending.call = Some(call);
        self.state = State::ExpectToken(Box::new(pending));
        Step::Await(call)
    }

    /// Lets the request go on with its token and nothing else that it brought, or refuses it.
    fn finish(&mut self, pending: Pending, outcome: Outcome, fx: &mut Effects<'_>) -> Step {
        let held = match outcome {
            Ok(held) => held,
            Err(refused) => return self.without(pending, &refused, true, fx),
        };
        let Pending { key, rule, about, exchange, stripped, .. } = pending;
        let about = About { exchange: Some(exchange.to_json(None)), ..about };
        let step = fx.enforce(Ruling { about, ..Ruling::new(Decision::allow(rule)) });
        if self.exchanger.policy.mode == Mode::Enforce {
            // `authorization` was there once, and is written over.
            strip(&stripped, false, fx);
            fx.set_header("authorization", held.header.reveal().as_bytes());
            self.state = State::ExpectAnswer { key, held };
        } else {
            fx.skip_response();
        }
        step
    }

    /// Refuses a request for which there is no token. Where its user has to consent first, the user is told where; `waits` says whether
    /// it may wait for what that takes.
    fn without(&mut self, pending: Pending, refused: &Rc<Refused>, waits: bool, fx: &mut Effects<'_>) -> Step {
        let exchanger = self.exchanger.clone();
        let policy = &exchanger.policy;
        let server = policy.servers.iter().find(|server| server.name == pending.exchange.server);
        let (Some(scopes), Some(consent), Some(server), Mode::Enforce) = (&refused.consent, &policy.consent, server, policy.mode)
        else {
            return pending.refuse(refused, fx);
        };
        let (Some(page), Some(subject)) = (&server.consent_page, &pending.about.subject) else {
            return pending.refuse(refused, fx);
        };
        match consent.keys.want(fx.now(), fx) {
            Ready::Wait(call) if waits => {
                self.state = State::ExpectKeys(Box::new(pending), refused.clone());
                return Step::Await(call);
            }
            Ready::No(missing) => {
                fx.count("alarms");
                return pending.refuse(&Refused::secret(missing), fx);
            }
            Ready::Yes | Ready::Wait(_) => {}
        }
        if waits && let Some(call) = self.ticket.as_deref().and_then(|ticket| consent.keys.want_for(ticket, fx.now(), fx)) {
            self.state = State::ExpectKeys(Box::new(pending), refused.clone());
            return Step::Await(call);
        }
        let wish = Wish {
            issuer: subject.issuer.as_deref().unwrap_or_default(),
            user: &subject.user,
            agent: pending.about.agent.as_deref().unwrap_or_default(),
            service: &server.issuer,
            client: &pending.exchange.client,
            scopes,
            page,
        };
        match consent.stand(&wish, self.ticket.as_deref(), fx) {
            Standing::Blocked(detail) => pending.refuse(&Refused { detail: Some(detail), ..Refused::clone(refused) }, fx),
            Standing::Pending { ticket, asked } => {
                let exchange = pending.exchange.with_consent(refused.detail, asked.as_ref());
                let retry_after = u32::try_from(consent.retry_after.as_secs()).unwrap_or(u32::MAX);
                let denial = Denial::Approval { ticket: Some(ticket), retry_after };
                let refused = Refused { denial, ..Refused::plain(Reason::ConsentPending) };
                refuse(About { exchange: Some(exchange), ..pending.about }, &refused, fx)
            }
        }
    }
}

impl Pending {
    /// There is no token for it.
    fn refuse(self, refused: &Refused, fx: &mut Effects<'_>) -> Step {
        refuse(About { exchange: Some(self.exchange.to_json(refused.detail)), ..self.about }, refused, fx)
    }
}

pub(super) fn strip(names: &[String], authorization: bool, fx: &mut Effects<'_>) {
    if authorization {
        fx.remove_header("authorization");
    }
    for name in names {
        fx.remove_header(name);
    }
}

pub(super) fn refuse(about: About, refused: &Refused, fx: &mut Effects<'_>) -> Step {
    fx.skip_response();
    let decision = Decision::deny(refused.reason);
    let (denial, challenge) = (refused.denial.clone(), refused.challenge.as_deref().cloned());
    fx.enforce(Ruling { about, denial, challenge, ..Ruling::new(decision) })
}

fn about(caller: &Caller) -> About {
    About { subject: caller.user.clone(), agent: caller.agent.clone(), actors: caller.actors.clone(), ..About::default() }
}
