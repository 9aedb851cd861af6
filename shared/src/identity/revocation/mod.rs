//! The kill switch: who was suspended, and what was revoked, before it has expired.
//!
//! A list that somebody keeps is fetched at intervals; [`Revocation::judge`] looks into it at each use of a token or of what was
//! made from it, so that nothing that is remembered outlives it. Between a suspension in the list and its effect lie at most
//! `poll`, one fetch and two ticks; where the list cannot be fetched, at most `within`, after which nothing passes.

mod list;

pub use list::{RawRevocations, RawRevoked, Revocations, schema};

use core::cell::RefCell;
use core::fmt;
use std::rc::Rc;

use super::{Asked, Caller, Document, Fetching, RawFrom};
use crate::config::{Problems, choice, record};
use crate::filter::{CallId, CalloutError, Effects, Reply, RootEffects};
use crate::jws::{Stated, TokenError, Verified};
use crate::time::{Duration, Timestamp};

choice! {
    /// What becomes of requests while there is no list that is recent enough.
    pub enum RawStale {
        /// They are refused: 503 `revocation_unknown`.
        Deny = "deny",
        /// They are judged by the last list, however old; by none at all where there never was one.
        Keep = "keep",
    }
}

record! {
    /// Where the list of what is revoked is fetched, and how old it may be.
    pub struct RawRevocation {
        /// Where it is fetched.
        list: RawFrom = "list";
        /// How often.
        poll: Duration = "poll", Duration::from_secs(10);
        /// How old the last good one may be: the longest time that a suspension takes.
        within: Duration = "within", Duration::from_secs(60);
        /// What becomes of requests after that.
        stale: RawStale = "stale", RawStale::Deny;
    }
}

/// Says what is revoked, for a plugin and all its filters.
#[derive(Clone)]
pub struct Revocation(Rc<RefCell<Inner>>);

/// Whether something is revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It is not.
    Good,
    /// It is, or cannot be told.
    Refused(TokenError),
    /// There is no list yet. Return [`Step::Await`](crate::filter::Step::Await) of this call, and ask again with its reply.
    Wait(CallId),
}

/// What a request brings that could be revoked. What is not known of it is not found in the list, but for `issued`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bearing<'a> {
    /// `iss`.
    pub issuer: Option<&'a str>,
    /// `sub`.
    pub subject: Option<&'a str>,
    /// The agent that is calling.
    pub agent: Option<&'a str>,
    /// Prior actors.
    pub actors: &'a [String],
    /// The client of the token, and the one that is mapped to the agent.
    pub clients: [Option<&'a str>; 2],
    /// `jti`.
    pub token: Option<&'a str>,
    /// `iat`.
    pub issued: Option<Timestamp>,
}

struct Inner {
    list: Document<Revocations>,
    stale: RawStale,
}

impl RawRevocation {
    /// What it means; only good if no problem was added.
    pub fn compile(&self, problems: &mut Problems) -> Revocation {
        let call = problems.field("list", |p| self.list.compile("application/json", p));
        if self.poll < Duration::from_secs(1) {
            problems.field("poll", |p| p.add("is less than `1s`"));
        }
        if self.within < self.poll + self.list.timeout + Duration::from_secs(2) {
            problems.field("within", |p| {
                p.add("leaves no time for one fetch: it is less than `poll`, `list.timeout` and two seconds")
            });
        }
        let name = self.list.name("");
        let from = Fetching { call, refresh: self.poll, keep: self.within, cool_down: self.poll, name };
        Revocation(Rc::new(RefCell::new(Inner { list: Document::fetched(from), stale: self.stale })))
    }
}

impl Revocation {
    /// To be called at each tick of the plugin.
    pub fn on_tick(&self, now: Timestamp, fx: &mut RootEffects<'_>) {
        if let Ok(mut inner) = self.0.try_borrow_mut() {
            inner.list.on_tick(now, fx);
        }
    }

    /// To be called with each reply that the plugin gets. `false`: it was not for this.
    pub fn on_reply(
        &self,
        call: CallId,
        now: Timestamp,
        reply: Result<Reply<'_>, CalloutError>,
        fx: &mut RootEffects<'_>,
    ) -> bool {
        self.0.try_borrow_mut().is_ok_and(|mut inner| inner.list.on_reply(call, now, reply, fx))
    }

    /// Whether any of this is revoked.
    pub fn judge(&self, who: &Bearing<'_>, now: Timestamp, fx: &mut Effects<'_>) -> Standing {
        match self.0.try_borrow_mut() {
            Ok(mut inner) => inner.judge(who, now, fx),
            Err(_) => Standing::Refused(TokenError::RevocationUnknown),
        }
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revocation")
    }
}

impl Inner {
    fn judge(&mut self, who: &Bearing<'_>, now: Timestamp, fx: &mut Effects<'_>) -> Standing {
        let fresh = |list: &&Rc<Revocations>| list.expires.is_none_or(|expires| now < expires);
        if self.list.usable(now).filter(fresh).is_none() {
            match self.list.want(now, fx) {
                Asked::Wait(call) if self.list.last().is_none() => return Standing::Wait(call),
                // Who waits for a list that there once was would wait at each request while the server is down.
                Asked::No | Asked::Renewed | Asked::TooMany | Asked::Wait(_) => {}
            }
        }
        let list = match self.stale {
            RawStale::Deny => self.list.usable(now).filter(fresh),
            RawStale::Keep => self.list.last(),
        };
        match (list, self.stale) {
            (None, RawStale::Deny) => Standing::Refused(TokenError::RevocationUnknown),
            (None, RawStale::Keep) => Standing::Good,
            (Some(list), _) if list.has(who, now) => Standing::Refused(TokenError::Revoked),
            (Some(_), _) => Standing::Good,
        }
    }
}

impl<'a> Bearing<'a> {
    /// What a caller brings; `verified` where the token was verified here. Where the proxy did it, [`Bearing::saying`] tells
    /// the rest.
    pub fn of(caller: &'a Caller, verified: Option<&'a Verified>) -> Self {
        let user = caller.user.as_ref();
        let bearer = verified.map(|verified| &verified.bearer);
        Self {
            issuer: bearer.and_then(|bearer| bearer.issuer.as_deref()).or(user.and_then(|user| user.issuer.as_deref())),
            subject: bearer.and_then(|bearer| bearer.subject.as_deref()).or(user.map(|user| &*user.user)),
            agent: caller.agent.as_deref(),
            actors: &caller.actors,
            clients: [bearer.and_then(|bearer| bearer.client.as_deref()), caller.client.as_deref()],
            token: verified.and_then(|verified| verified.id.as_deref()),
            issued: verified.and_then(|verified| verified.issued),
        }
    }

    /// With `jti` and `iat` of the token, read without a key: it must be the one that was verified.
    pub fn saying(self, stated: &'a Stated) -> Self {
        Self { token: self.token.or(stated.id.as_deref()), issued: self.issued.or(stated.issued), ..self }
    }

    fn agents(&self) -> impl Iterator<Item = &'a str> {
        self.agent.into_iter().chain(self.actors.iter().map(String::as_str))
    }
}
