//! Asking the issuer whether a token still holds (RFC 7662, OA-R-05), for a token that was verified here.
//!
//! Its answer is believed for `cache`, so what is revoked at the issuer passes for no longer than that. One call at a time for
//! each token; where there is no answer, the token is refused.

use std::rc::Rc;

use super::Refusal;
use super::remembered::{Place, Remembered};
use crate::config::{Problems, record};
use crate::filter::{CallId, Callout, CalloutError, HttpCall, Reply, RootEffects};
use crate::identity::client::{Client, RawClient};
use crate::identity::secret::Ready;
use crate::identity::{RawFrom, Reach};
use crate::jws::{TokenError, Verified};
use crate::oauth::{Introspected, introspect};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

record! {
    /// Where the issuer says whether a token still holds.
    pub struct RawIntrospection {
        /// Its introspection endpoint.
        endpoint: RawFrom = "endpoint";
        /// The gate's client there.
        client: RawClient = "client";
        /// How long an answer is believed: the longest time that a revocation takes; at most `5m`.
        cache: Duration = "cache", Duration::from_secs(10);
    }
}

/// Asks, and remembers what was said.
pub(super) struct Introspection {
    raw: RawIntrospection,
    client: Client,
    said: Remembered<(Timestamp, Result<(), TokenError>)>,
    asked: Vec<Asked>,
}

/// A question that is under way.
struct Asked {
    call: CallId,
    place: Place,
    size: usize,
    /// `sub` and `exp` of the token: an answer about another is none.
    subject: Option<Rc<str>>,
    expires: Timestamp,
    until: Timestamp,
}

/// Most answers that are remembered, and most bytes of their tokens.
const SAID: (usize, usize) = (8_192, 8 << 20);
/// Most questions that are under way.
const MAX_ASKED: usize = 256;
/// How long a question is not repeated that was not answered.
const RETRY: Duration = Duration::from_secs(1);
const MAX_CACHE: Duration = Duration::from_secs(300);

impl RawIntrospection {
    /// What it means; only good if no problem was added.
    pub(super) fn compile(&self, issuer: &str, problems: &mut Problems) -> Introspection {
        let _post = problems.field("endpoint", |p| self.endpoint.compile("application/json", p));
        if self.cache == Duration::ZERO || self.cache > MAX_CACHE {
            problems.field("cache", |p| p.add("is not between `1ms` and `5m`"));
        }
        let client = problems.field("client", |p| self.client.compile("client", &format!("issuer `{issuer}`"), p));
        Introspection { raw: self.clone(), client, said: Remembered::new(SAID.0, SAID.1), asked: Vec::new() }
    }
}

impl Introspection {
    /// Takes its secret from the proxy's environment.
    pub(super) fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        self.client.equip(secret, problems);
    }

    /// Whether the token still holds.
    pub(super) fn judge(
        &mut self,
        (token, place): (&[u8], Option<Place>),
        verified: &Verified,
        now: Timestamp,
        reach: &mut dyn Reach,
    ) -> Result<(), Refusal> {
        let unknown = Refusal::Cheap(TokenError::RevocationUnknown);
        // Without a place nothing could be remembered, and each use of each token would be a call.
        let Some(place) = place else { return Err(unknown) };
        if let Some((until, said)) = self.said.get(place)
            && now < until
        {
            return said.map_err(Refusal::Cheap);
        }
        self.asked.retain(|asked| now < asked.until);
        if let Some(asked) = self.asked.iter().find(|asked| asked.place == place) {
            return Err(Refusal::Wait(asked.call));
        }
        if self.asked.len() >= MAX_ASKED {
            return Err(Refusal::Cheap(TokenError::TooManyWaiting));
        }
        let text = core::str::from_utf8(token).map_err(|_| TokenError::Base64)?;
        match self.client.want(now, reach) {
            Ready::Yes => {}
            Ready::Wait(call) => return Err(Refusal::Wait(call)),
            Ready::No(_) => return Err(unknown),
        }
        let Some(question) = self.question(text, now) else { return Err(unknown) };
        let until = now + question.timeout + RETRY;
        let call = reach.call(Callout::Http(question));
        let (subject, expires, size) = (verified.bearer.subject.clone(), verified.expires, token.len());
        self.asked.push(Asked { call, place, size, subject, expires, until });
        Err(Refusal::Wait(call))
    }

    fn question(&self, token: &str, now: Timestamp) -> Option<HttpCall> {
        let endpoint = &self.raw.endpoint;
        let post = self.client.show(now, |auth| introspect(token, auth))?;
        let (headers, body) = post.into_request(&endpoint.authority, &endpoint.path);
        Some(HttpCall { cluster: endpoint.cluster.clone(), headers, body, timeout: endpoint.timeout })
    }

    /// To be called at each tick of the plugin.
    pub(super) fn on_tick(&self, now: Timestamp, fx: &mut RootEffects<'_>) {
        if let Some(secret) = self.client.fetched() {
            secret.on_tick(now, fx);
        }
    }

    /// The answer to a call. `false`: it was not for this.
    pub(super) fn on_reply(
        &mut self,
        call: CallId,
        now: Timestamp,
        reply: Result<Reply<'_>, CalloutError>,
        fx: &mut RootEffects<'_>,
    ) -> bool {
        let Some(at) = self.asked.iter().position(|asked| asked.call == call) else {
            return self.client.fetched().is_some_and(|secret| secret.on_reply(call, now, reply, fx));
        };
        let asked = self.asked.swap_remove(at);
        if let (Ok(Reply { status: 401, .. }), Some(secret)) = (&reply, self.client.fetched()) {
            secret.distrust(now, fx);
        }
        let said = reply.ok().and_then(|reply| Introspected::read(reply.status, reply.headers, reply.body).ok());
        let unknown = (now + RETRY, Err(TokenError::RevocationUnknown));
        let said = match said {
            Some(Introspected::Inactive) => (now + self.raw.cache, Err(TokenError::Revoked)),
            Some(Introspected::Active(token)) => {
                let same = token.subject.is_none_or(|subject| Some(&*subject) == asked.subject.as_deref())
                    && token.expires.is_none_or(|expires| expires == asked.expires);
                if same { (now + self.raw.cache, Ok(())) } else { unknown }
            }
            None => unknown,
        };
        fx.count(match said.1 {
            Ok(()) => "introspection.active",
            Err(TokenError::Revoked) => "introspection.inactive",
            Err(_) => "introspection.failed",
        });
        self.said.put(asked.place, said, asked.size);
        true
    }
}
