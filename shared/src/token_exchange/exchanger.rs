//! All that a worker knows of tokens: those that it has, and those that it has asked for.

use core::cell::RefCell;
use std::rc::Rc;

use super::authority::Askable;
use super::cache::{Cache, Held};
use super::client::Client;
use super::failure::{Refused, read};
use super::issued::{Expected, Narrowed, Refusal};
use super::key::{Key, Salt};
use super::policy::{Policy, Server, Target};
use super::profile::Asking;
use crate::filter::{CallId, Callout, CalloutError, Effects, HttpCall, Reply, RootEffects, Services};
use crate::identity::secret::Ready;
use crate::jws::Stated;
use crate::oauth::{ClientAuth, Issued, Post, TokenRequest, TokenType, Usage};
use crate::policy::Reason;
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// Calls that may be under way at a time; a request that would need one more is refused.
const MAX_FLIGHTS: usize = 256;
/// A call that nobody has heard of for so long is given up: longer than the proxy lets any take.
const LOST: Duration = Duration::from_secs(15);

/// One per VM and configuration; the plugin and its filters share it.
pub(super) struct Exchanger {
    pub(super) policy: Policy,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    salt: Option<Salt>,
    cache: Cache,
    actors: Vec<Actor>,
    flights: Vec<Flight>,
}

/// An agent's own token, got by the client that it is.
struct Actor {
    /// Indices of server and client.
    of: (usize, usize),
    token: Secret<String>,
    stated: Stated,
    until: Timestamp,
}

/// What the call that is under way is for.
enum Stage {
    /// The agent's own token; this is the caller's, which is sent with it.
    Actor(Secret<String>),
    /// The token, or the first of two; this is what the agent's own token says, where one was sent.
    Token(Option<Box<Stated>>),
    /// The second of two.
    Redeem,
}

/// A token that was asked for.
struct Flight {
    key: Key,
    /// The call that is under way.
    call: CallId,
    stage: Stage,
    ask: Ask,
    since: Timestamp,
    /// It came to this. Those who wait for it are told in the same breath.
    done: Option<Outcome>,
}

/// What is asked, and of whom.
pub(super) struct Ask {
    /// Index in [`Policy::servers`].
    pub(super) server: usize,
    /// Index in [`Server::clients`].
    pub(super) client: usize,
    /// Server and client of the second of two steps.
    pub(super) redeem: Option<(usize, usize)>,
    pub(super) target: Rc<Target>,
    pub(super) subject: Rc<Stated>,
    /// All names of the agent that calls.
    pub(super) agent: Vec<Rc<str>>,
    pub(super) asked: Askable,
}

/// A token, or why there is none.
pub(super) type Outcome = Result<Rc<Held>, Rc<Refused>>;

/// How far it is with what was asked for.
pub(super) enum Progress {
    Done(Outcome),
    /// A further call brings it.
    Next(CallId),
    /// Nobody knows of it any more.
    Lost,
}

/// How a token is come by.
pub(super) enum Found {
    /// Here it is; whether it was kept.
    Kept(Outcome),
    /// It is being asked for.
    Awaited(CallId),
}

impl Exchanger {
    pub(super) fn new(policy: Policy) -> Self {
        let cache = Cache::new(policy.cache.tokens);
        Self { policy, state: RefCell::new(State { cache, ..State::default() }) }
    }

    /// What keys are made with: random bytes, drawn once. `None`: the proxy has none.
    pub(super) fn salt(&self, fx: &mut Effects<'_>) -> Option<Salt> {
        let mut state = self.state.try_borrow_mut().ok()?;
        if state.salt.is_none() {
            let mut salt = Salt::default();
            fx.services().random(&mut salt).ok()?;
            state.salt = Some(salt);
        }
        state.salt
    }

    /// The token or the refusal that is kept, or the call that will bring it.
    pub(super) fn find(&self, key: &Key, now: Timestamp) -> Option<Found> {
        let mut state = self.state.try_borrow_mut().ok()?;
        if let Some(held) = state.cache.get(key, now) {
            return Some(Found::Kept(Ok(held)));
        }
        if let Some(refused) = state.cache.refusal(key, now) {
            return Some(Found::Kept(Err(refused)));
        }
        let flight = state.flights.iter().find(|flight| flight.key == *key && flight.done.is_none());
        flight.map(|flight| Found::Awaited(flight.call))
    }

    /// Asks for a token.
    pub(super) fn ask(&self, key: Key, ask: Ask, token: &str, fx: &mut Effects<'_>) -> Result<CallId, Refused> {
        let Ok(mut state) = self.state.try_borrow_mut() else { return Err(Refused::plain(Reason::Internal)) };
        let now = fx.now();
        state.flights.retain(|flight| flight.done.is_none() && now.since(flight.since) < LOST);
        if state.flights.len() >= MAX_FLIGHTS {
            return Err(Refused { detail: Some("too_many_calls"), ..Refused::plain(Reason::ExchangeUnavailable) });
        }
        let of = (ask.server, ask.client);
        state.actors.retain(|actor| actor.until > now);
        let (call, stage) = match (self.sends_actor(&ask), state.actors.iter().find(|actor| actor.of == of)) {
            (false, _) => (self.call(&ask, token, None, now, fx.services())?, Stage::Token(None)),
            (true, Some(actor)) => (
                self.call(&ask, token, Some(&actor.token), now, fx.services())?,
                Stage::Token(Some(Box::new(actor.stated.clone()))),
            ),
            (true, None) => {
                let post = |_: &Server, auth: &ClientAuth<'_>| TokenRequest::ClientCredentials { scopes: &[] }.post(auth);
                (self.post(of, now, fx.services(), post)?, Stage::Actor(Secret::new(token.to_owned())))
            }
        };
        let call = fx.call_out_shared(Callout::Http(call));
        state.flights.push(Flight { key, call, stage, ask, since: now, done: None });
        Ok(call)
    }

    /// What has become of what was asked for, after the answer to `call`.
    pub(super) fn progress(&self, key: &Key, call: CallId) -> Progress {
        let Ok(state) = self.state.try_borrow() else { return Progress::Lost };
        match state.flights.iter().rev().find(|flight| flight.key == *key) {
            Some(Flight { done: Some(outcome), .. }) => Progress::Done(outcome.clone()),
            Some(flight) if flight.call != call => Progress::Next(flight.call),
            _ => Progress::Lost,
        }
    }

    /// The answer to a call.
    pub(super) fn answered(
        &self,
        call: CallId,
        now: Timestamp,
        reply: Result<Reply<'_>, CalloutError>,
        fx: &mut RootEffects<'_>,
    ) {
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        let State { cache, flights, actors, .. } = &mut *state;
        let Some(flight) = flights.iter_mut().find(|flight| flight.call == call && flight.done.is_none()) else { return };
        let outcome = match self.advance(flight, actors, now, reply, fx.services()) {
            Ok(Advance::Call(call)) => {
                flight.call = fx.call_out(Callout::Http(call));
                return;
            }
            Ok(Advance::Done(held)) => Ok(Rc::new(held)),
            Err(refused) => Err(Rc::new(refused)),
        };
        match &outcome {
            Ok(held) => cache.put(flight.key, held.clone(), now),
            Err(refused) if refused.lasting => {
                cache.put_refusal(flight.key, refused.clone(), self.policy.cache.refusals, now);
            }
            Err(_) => {}
        }
        if let Err(refused) = &outcome
            && refused.alarm
        {
            fx.count("alarms");
            let secret = self.asking(flight).and_then(Client::fetched);
            if let Some(secret) = secret.filter(|_| refused.reason == Reason::ExchangeMisconfigured) {
                secret.distrust(now, fx);
            }
            let server = self.policy.servers.get(flight.ask.server).map(|server| &*server.name).unwrap_or_default();
            fx.warn(&format!("server `{server}`: {}, {}", refused.reason.code(), refused.detail.unwrap_or("see its own log")));
        }
        flight.done = Some(outcome);
    }

    /// Whether the clients that ask can show who they are; where one cannot yet, the call to wait for.
    pub(super) fn ready(&self, ask: &Ask, fx: &mut Effects<'_>) -> Result<Option<CallId>, Refused> {
        for of in [Some((ask.server, ask.client)), ask.redeem].into_iter().flatten() {
            let (_, client) = self.parties(of).ok_or_else(|| Refused::plain(Reason::Internal))?;
            match client.ready(fx) {
                Ready::Yes => {}
                Ready::Wait(call) => return Ok(Some(call)),
                Ready::No(missing) => return Err(Refused::secret(missing)),
            }
        }
        Ok(None)
    }

    /// The client whose call is under way.
    fn asking(&self, flight: &Flight) -> Option<&Client> {
        let Flight { ask, stage, .. } = flight;
        let of = if let Stage::Redeem = stage { ask.redeem? } else { (ask.server, ask.client) };
        self.parties(of).map(|(_, client)| client)
    }

    /// Drops a token that its destination no longer takes.
    pub(super) fn forget(&self, key: &Key) {
        if let Ok(mut state) = self.state.try_borrow_mut() {
            state.cache.forget(key);
        }
    }

    /// Whether the agent's own token is sent beside the caller's.
    fn sends_actor(&self, ask: &Ask) -> bool {
        self.policy.servers.get(ask.server).is_some_and(|server| server.sends_actor)
    }

    /// The call for the token, or for the first of two.
    fn call(
        &self,
        ask: &Ask,
        token: &str,
        actor: Option<&Secret<String>>,
        now: Timestamp,
        services: &mut dyn Services,
    ) -> Result<HttpCall, Refused> {
        // The assertion is for the server of the resource.
        let redeemer = ask.redeem.and_then(|(server, _)| self.policy.servers.get(server));
        let asking = Asking {
            subject: token,
            actor: actor.map(|actor| (actor.reveal().as_str(), TokenType::AccessToken)),
            audience: redeemer.map(|server| &*server.issuer).or(ask.target.audience.as_deref()),
            resource: ask.target.resource.as_deref(),
            scopes: ask.asked.scopes(),
        };
        self.post((ask.server, ask.client), now, services, |server, auth| server.profile.post(&asking, auth))
    }

    /// A call of a client to the token endpoint of its server.
    fn post(
        &self,
        of: (usize, usize),
        now: Timestamp,
        services: &mut dyn Services,
        post: impl FnOnce(&Server, &ClientAuth<'_>) -> Post,
    ) -> Result<HttpCall, Refused> {
        let misconfigured = || Refused::plain(Reason::ExchangeMisconfigured);
        let (server, client) = self.parties(of).ok_or_else(misconfigured)?;
        let proof = client.proof(now, services)?;
        let auth = client.auth(proof.as_ref()).ok_or_else(misconfigured)?;
        let (headers, body) = post(server, &auth).into_request(&server.token.authority, &server.token.path);
        Ok(HttpCall { cluster: server.token.cluster.clone(), headers, body, timeout: server.token.timeout })
    }

    /// What follows from the answer to the call that was under way.
    fn advance(
        &self,
        flight: &mut Flight,
        actors: &mut Vec<Actor>,
        now: Timestamp,
        reply: Result<Reply<'_>, CalloutError>,
        services: &mut dyn Services,
    ) -> Result<Advance, Refused> {
        let issued = read(reply, &flight.ask)?;
        let ask = &flight.ask;
        match &flight.stage {
            Stage::Actor(token) => {
                let actor = self.actor(ask, issued, now)?;
                let call = self.call(ask, token.reveal(), Some(&actor.token), now, services)?;
                flight.stage = Stage::Token(Some(Box::new(actor.stated.clone())));
                actors.push(actor);
                Ok(Advance::Call(call))
            }
            Stage::Token(_) if ask.redeem.is_some() => {
                let assertion = self.judge(ask, What::Assertion, now, |expected| expected.judge_assertion(issued))?;
                let scopes = ask.asked.scopes();
                let of = ask.redeem.unwrap_or_default();
                // What the server of the resource is sent is by the profile of the first: one grant, two steps.
                let profile = self.policy.servers.get(ask.server).map(|server| server.profile);
                let call = self.post(of, now, services, |server, auth| {
                    profile.unwrap_or(server.profile).post_assertion(&assertion, scopes, auth)
                })?;
                flight.stage = Stage::Redeem;
                Ok(Advance::Call(call))
            }
            Stage::Token(actor) => {
                let token = self.judge(ask, What::Token(actor.as_deref()), now, |expected| expected.judge(issued))?;
                Ok(self.held(&token, ask, now))
            }
            Stage::Redeem => {
                let token = self.judge(ask, What::Redeemed, now, |expected| expected.judge(issued))?;
                Ok(self.held(&token, ask, now))
            }
        }
    }

    /// The agent's own token: it must be the one of the client that asked for it.
    fn actor(&self, ask: &Ask, issued: Issued, now: Timestamp) -> Result<Actor, Refused> {
        let refused = |detail| Refused { detail: Some(detail), ..Refused::plain(Reason::IssuedAgent) };
        let (_, client) = self.parties((ask.server, ask.client)).ok_or_else(|| Refused::plain(Reason::Internal))?;
        let stated = Stated::read(issued.token.reveal().as_bytes()).map_err(|_| refused("actor_unreadable"))?;
        let names = [stated.client.as_deref(), stated.subject.as_deref()];
        if issued.usage != Usage::Bearer || !names.contains(&Some(&*client.id)) {
            return Err(refused("actor_other"));
        }
        let said = issued.expires_in.map(|life| now + life);
        let ends = [said, stated.expires].into_iter().flatten().min().ok_or_else(|| refused("actor_never_ends"))?;
        let until = now + ends.since(now).saturating_sub(self.policy.cache.skew);
        Ok(Actor { of: (ask.server, ask.client), token: issued.token, stated, until })
    }

    /// Judges what was issued. With two steps the client of both answers is the one that the server of the resource knows.
    fn judge<T>(
        &self,
        ask: &Ask,
        what: What<'_>,
        now: Timestamp,
        judge: impl FnOnce(&Expected<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refused> {
        let internal = || Refused::plain(Reason::Internal);
        let (first, own) = self.parties((ask.server, ask.client)).ok_or_else(internal)?;
        let second = ask.redeem.and_then(|of| self.parties(of));
        let server = if let What::Redeemed = what { second.ok_or_else(internal)?.0 } else { first };
        let audience = if let What::Assertion = what { second.map(|(server, _)| &*server.issuer) } else { None };
        let actor = if let What::Token(actor) = what { actor } else { None };
        let actor_name = actor.and_then(|actor| actor.subject.as_deref());
        let agent: Vec<&str> = ask.agent.iter().map(|name| &**name).chain(actor_name).collect();
        let besides: Vec<&str> = server.besides.iter().map(String::as_str).collect();
        let expected = Expected {
            profile: &first.profile,
            issuer: &server.issuer,
            subject: &ask.subject,
            actor,
            agent: &agent,
            client: second.map_or(&own.id, |(_, client)| &client.id),
            audience: audience.or(ask.target.audience.as_deref()),
            resource: ask.target.resource.as_deref(),
            beside: &server.beside,
            ours: &self.policy.ours,
            asked: &ask.asked,
            besides: &besides,
            max_life: ask.target.max_life,
            opaque: server.opaque,
            chain: &self.policy.chain,
            now,
        };
        judge(&expected).map_err(|refusal| Refused::issued(refusal, &ask.target.scopes))
    }

    fn held(&self, token: &Narrowed, ask: &Ask, now: Timestamp) -> Advance {
        Advance::Done(Held {
            header: Secret::new(format!("Bearer {}", token.token.reveal())),
            until: now + token.expires.since(now).saturating_sub(self.policy.cache.skew),
            subject: ask.subject.clone(),
        })
    }

    fn parties(&self, (server, client): (usize, usize)) -> Option<(&Server, &Client)> {
        let server = self.policy.servers.get(server)?;
        Some((server, server.clients.get(client)?))
    }
}

/// What was issued.
enum What<'a> {
    /// The token; with what the agent's own token says, where one was sent.
    Token(Option<&'a Stated>),
    /// The first of two: an assertion for the server of the resource.
    Assertion,
    /// The second of two: that server's token.
    Redeemed,
}

/// What follows from an answer.
enum Advance {
    Call(HttpCall),
    Done(Held),
}
