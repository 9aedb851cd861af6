//! All that a worker knows of tokens: those that it has, and those that it has asked for.

use core::cell::RefCell;
use std::rc::Rc;

use super::authority::Askable;
use super::cache::{Cache, Held};
use super::client::Client;
use super::failure::Refused;
use super::key::{Key, Salt};
use super::policy::{Policy, Server, Target};
use super::profile::Asking;
use super::steps::Advance;
use crate::filter::{CallId, Callout, CalloutError, Effects, HttpCall, Reply, RootEffects, Services};
use crate::identity::secret::Ready;
use crate::jws::Stated;
use crate::oauth::{ClientAuth, Post, TokenRequest, TokenType};
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
pub(super) struct Actor {
    /// Indices of server and client.
    pub(super) of: (usize, usize),
    pub(super) token: Secret<String>,
    pub(super) stated: Stated,
    pub(super) until: Timestamp,
}

/// What the call that is under way is for.
pub(super) enum Stage {
    /// The agent's own token; this is the caller's, which is sent with it.
    Actor(Secret<String>),
    /// The token, or the first of two; this is what the agent's own token says, where one was sent.
    Token(Option<Box<Stated>>),
    /// The second of two.
    Redeem,
}

/// A token that was asked for.
pub(super) struct Flight {
    key: Key,
    /// The call that is under way.
    call: CallId,
    pub(super) stage: Stage,
    pub(super) ask: Ask,
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
    pub(super) fn call(
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
    pub(super) fn post(
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

    pub(super) fn parties(&self, (server, client): (usize, usize)) -> Option<(&Server, &Client)> {
        let server = self.policy.servers.get(server)?;
        Some((server, server.clients.get(client)?))
    }
}
