//! All that a worker knows of tokens: those that it has, and those that it has asked for.

use core::cell::RefCell;
use std::rc::Rc;

use super::authority::Askable;
use super::cache::{Cache, Held, Whose as Owner};
use super::failure::Refused;
use super::issued::Expected;
use super::key::Key;
use super::policy::{Auth, Client, Policy, SecretOf, Server, Target};
use super::profile::{Asking, Told};
use crate::filter::{CallId, Callout, CalloutError, Effects, HttpCall, Reply, RootEffects};
use crate::jws::Stated;
use crate::oauth::{ClientAuth, Failure, Issued};
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
    salt: Option<[u8; 32]>,
    cache: Cache,
    flights: Vec<Flight>,
}

/// A token that was asked for.
struct Flight {
    key: Key,
    call: CallId,
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
    pub(super) target: Rc<Target>,
    pub(super) subject: Stated,
    /// All names of the agent that calls.
    pub(super) agent: Vec<Rc<str>>,
    pub(super) asked: Askable,
    pub(super) of: Owner,
}

/// A token, or why there is none.
pub(super) type Outcome = Result<Rc<Held>, Rc<Refused>>;

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
    pub(super) fn salt(&self, fx: &mut Effects<'_>) -> Option<[u8; 32]> {
        let mut state = self.state.try_borrow_mut().ok()?;
        if state.salt.is_none() {
            let mut salt = [0; 32];
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
        let call = self.call(&ask, token)?;
        let call = fx.call_out_shared(Callout::Http(call));
        state.flights.push(Flight { key, call, ask, since: now, done: None });
        Ok(call)
    }

    /// What has become of what was asked for; `None`: nothing yet.
    pub(super) fn outcome(&self, key: &Key) -> Option<Outcome> {
        let state = self.state.try_borrow().ok()?;
        state.flights.iter().rev().find(|flight| flight.key == *key)?.done.clone()
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
        let State { cache, flights, .. } = &mut *state;
        let Some(flight) = flights.iter_mut().find(|flight| flight.call == call && flight.done.is_none()) else { return };
        let outcome = self.judge(&flight.ask, now, reply).map(Rc::new).map_err(Rc::new);
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
            let server = self.policy.servers.get(flight.ask.server).map(|server| &*server.name).unwrap_or_default();
            fx.warn(&format!("server `{server}`: {}, {}", refused.reason.code(), refused.detail.unwrap_or("see its own log")));
        }
        flight.done = Some(outcome);
    }

    /// Drops a token that its destination no longer takes.
    pub(super) fn forget(&self, key: &Key) {
        if let Ok(mut state) = self.state.try_borrow_mut() {
            state.cache.forget(key);
        }
    }

    /// Drops all tokens that are so: revocation beats what is kept (BY-X-04).
    #[expect(dead_code, reason = "revocation calls it")]
    pub(super) fn flush(&self, so: impl Fn(&Owner) -> bool) -> usize {
        self.state.try_borrow_mut().map_or(0, |mut state| state.cache.flush(so))
    }

    fn call(&self, ask: &Ask, token: &str) -> Result<HttpCall, Refused> {
        let misconfigured = || Refused::plain(Reason::ExchangeMisconfigured);
        let (server, client) = self.parties(ask).ok_or_else(misconfigured)?;
        let asking = Asking {
            subject: token,
            actor: None,
            audience: ask.target.audience.as_deref(),
            resource: ask.target.resource.as_deref(),
            scopes: ask.asked.scopes(),
        };
        let post = server.profile.post(&asking, &client.auth().ok_or_else(misconfigured)?);
        let (headers, body) = post.into_request(&server.token.authority, &server.token.path);
        Ok(HttpCall { cluster: server.token.cluster.clone(), headers, body, timeout: server.token.timeout })
    }

    fn judge(&self, ask: &Ask, now: Timestamp, reply: Result<Reply<'_>, CalloutError>) -> Result<Held, Refused> {
        let scopes = &ask.target.scopes;
        let unavailable = |detail, alarm| Refused { detail: Some(detail), alarm, ..Refused::plain(Reason::ExchangeUnavailable) };
        let reply = reply.map_err(|error| match error {
            CalloutError::NoReply => unavailable("no_reply", false),
            CalloutError::NotDispatched => unavailable("not_dispatched", true),
            CalloutError::TimedOut => unavailable("timed_out", false),
        })?;
        let issued = Issued::read(reply.status, reply.headers, reply.body).map_err(|failure| {
            let detail = detail(&failure);
            Refused { detail: Some(detail), ..Refused::told(Told::of(failure), scopes) }
        })?;
        let (server, client) = self.parties(ask).ok_or_else(|| Refused::plain(Reason::Internal))?;
        let agent: Vec<&str> = ask.agent.iter().map(|name| &**name).collect();
        let besides: Vec<&str> = server.besides.iter().map(String::as_str).collect();
        let expected = Expected {
            profile: &server.profile,
            issuer: &server.issuer,
            subject: &ask.subject,
            actor: None,
            agent: &agent,
            client: &client.id,
            audience: ask.target.audience.as_deref(),
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
        let token = expected.judge(issued).map_err(|refusal| Refused::issued(refusal, scopes))?;
        Ok(Held {
            header: Secret::new(format!("Bearer {}", token.token.reveal())),
            until: now + token.expires.since(now).saturating_sub(self.policy.cache.skew),
            of: ask.of.clone(),
        })
    }

    fn parties(&self, ask: &Ask) -> Option<(&Server, &Client)> {
        let server = self.policy.servers.get(ask.server)?;
        Some((server, server.clients.get(ask.client)?))
    }
}

impl Client {
    /// How it shows who it is; `None`: its secret is not there.
    fn auth(&self) -> Option<ClientAuth<'_>> {
        fn secret(of: &SecretOf) -> Option<Secret<&str>> {
            Some(Secret::new(of.value.as_ref()?.reveal().as_str()))
        }
        Some(match &self.auth {
            Auth::Basic(of) => ClientAuth::Basic { id: &self.id, secret: secret(of)? },
            Auth::Post(of) => ClientAuth::Post { id: &self.id, secret: secret(of)? },
            Auth::Cluster => ClientAuth::Cluster { id: Some(&self.id) },
        })
    }
}

/// What a failure was, for the record: a closed set.
fn detail(failure: &Failure) -> &'static str {
    match failure {
        Failure::Busy { .. } => "busy",
        Failure::Refused { error, .. } => error.code(),
        Failure::Unavailable => "unavailable",
        Failure::Unreadable(_) => "unreadable",
    }
}
