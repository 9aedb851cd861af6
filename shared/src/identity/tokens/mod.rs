//! Tokens that this plugin verifies itself: whose they may be, their keys, and what was judged before.
//!
//! [`Tokens`] is made with the configuration, and shared by the plugin, which lends it ticks and replies, and its filters:
//!
//! - [`Tokens::verify`] answers at once, or names a call that the filter awaits before it asks again.
//! - Whose keys are asked the token says itself (`iss`), and must then be signed with one of them: no issuer's keys count for
//!   the tokens of another (OA-J-06, BY-T-14).
//! - A token that was verified is remembered until it expires, under a keyed hash; at each use its dates, the login behind it
//!   and the keys of its issuer are judged again. A refusal that cost a signature is remembered for seconds.

mod config;
mod introspection;
mod remembered;
mod requirement;
mod status;

pub use config::{RawFetch, RawIssuer, RawJwks, RawOwnIdentity};
pub use introspection::RawIntrospection;
pub use requirement::{RawRequirement, Requirement};
pub use status::{RawStatusList, Statuses};

use core::cell::RefCell;
use core::fmt;
use std::rc::Rc;

use super::{Asked, Content, Document, Reach};
use crate::config::Problems;
use crate::filter::{CallId, CalloutError, Effects, Reply, RootEffects, ServiceError};
use crate::jws::{Algorithm, AnyVerifier, Issuer, Jws, Key, KeySet, Offer, TokenError, Verified, Verifier};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};
use introspection::Introspection;
use remembered::{Place, Places, Remembered};
use status::StatusList;

/// Verifies tokens, for a plugin and all its filters.
#[derive(Clone)]
pub struct Tokens(Rc<RefCell<Inner>>);

/// What is known of a token.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is good; what it says.
    Known(Rc<Verified>),
    /// It is not.
    Refused(TokenError),
    /// Something must be fetched first. Return [`Step::Await`](crate::filter::Step::Await) of this call, and ask again with its
    /// reply, whatever that is. Each time something else is waited for: after the fourth time it is [`Verdict::Refused`].
    Wait(CallId),
}

/// Most tokens that are remembered, and most bytes of them.
const GOOD: (usize, usize) = (8_192, 8 << 20);
/// The same of tokens that were refused.
const BAD: (usize, usize) = (2_048, 2 << 20);
/// How long a refusal is remembered.
const BAD_FOR: Duration = Duration::from_secs(5);

struct Inner {
    authorities: Vec<Authority>,
    /// What the host can do, once it was asked. At configuration there is no host that could be: the first tick or request is
    /// the first time that it lends its services.
    host: Option<(Offer, Places)>,
    good: Remembered<Good>,
    bad: Remembered<Bad>,
}

/// One issuer.
struct Authority {
    issuer: Issuer,
    requirement: Requirement,
    keys: Document<KeySet>,
    lists: Vec<StatusList>,
    introspection: Option<Introspection>,
}

#[derive(Clone)]
struct Good {
    verified: Rc<Verified>,
    /// Which issuer's it is, and with which version of its keys it was verified.
    of: (usize, u32),
}

#[derive(Clone)]
struct Bad {
    error: TokenError,
    until: Timestamp,
    of: (usize, u32),
}

impl Tokens {
    /// Verifies tokens of these issuers. Only good if no problem was added; the path of `problems` is that of the list.
    pub fn new(issuers: &[RawIssuer], problems: &mut Problems) -> Self {
        let authorities = config::compile(issuers, problems);
        let (good, bad) = (Remembered::new(GOOD.0, GOOD.1), Remembered::new(BAD.0, BAD.1));
        Self(Rc::new(RefCell::new(Inner { authorities, host: None, good, bad })))
    }

    /// Takes secrets from the proxy's environment; to be called before the first request.
    pub fn equip(&self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        let Ok(mut inner) = self.0.try_borrow_mut() else { return };
        for (index, authority) in inner.authorities.iter_mut().enumerate() {
            if let Some(introspection) = &mut authority.introspection {
                problems.item(index, |p| p.field("introspection", |p| introspection.equip(secret, p)));
            }
        }
    }

    /// To be called at each tick of the plugin.
    pub fn on_tick(&self, now: Timestamp, fx: &mut RootEffects<'_>) {
        let Ok(mut inner) = self.0.try_borrow_mut() else { return };
        inner.meet(fx);
        for authority in &mut inner.authorities {
            authority.keys.on_tick(now, fx);
            for list in &mut authority.lists {
                list.text.on_tick(now, fx);
            }
            if let Some(introspection) = &authority.introspection {
                introspection.on_tick(now, fx);
            }
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
        let Ok(mut inner) = self.0.try_borrow_mut() else { return false };
        inner.authorities.iter_mut().any(|Authority { keys, lists, introspection, .. }| {
            keys.on_reply(call, now, reply, fx)
                || lists.iter_mut().any(|list| list.text.on_reply(call, now, reply, fx))
                || introspection.as_mut().is_some_and(|introspection| introspection.on_reply(call, now, reply, fx))
        })
    }

    /// Judges a token: all of OA-J-01…14.
    pub fn verify(&self, token: &[u8], now: Timestamp, fx: &mut Effects<'_>) -> Verdict {
        let verdict = match self.0.try_borrow_mut() {
            Ok(mut inner) => inner.verify(token, now, fx),
            Err(_) => Verdict::Refused(TokenError::HostFailed),
        };
        if let Verdict::Refused(error) = verdict {
            fx.count(&["tokens.refused.", error.code()].concat());
        }
        verdict
    }

    /// What is asked of the login behind tokens of this issuer, for a challenge.
    pub fn requirement(&self, issuer: &str) -> Requirement {
        let inner = self.0.try_borrow();
        let found = inner.ok().and_then(|inner| {
            inner.authorities.iter().find(|known| known.issuer.name() == issuer).map(|known| known.requirement.clone())
        });
        found.unwrap_or_default()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl Inner {
    /// Asks the host what it can do, the first time that it can be asked.
    fn meet(&mut self, reach: &mut dyn Reach) -> Offer {
        if let Some((offer, _)) = &self.host {
            return *offer;
        }
        let offer = Offer::probe(reach.services());
        self.host = Some((offer, Places::new(reach.services())));
        for (holds, what) in [(offer.rsa, "rsa"), (offer.ecdsa, "ecdsa")] {
            reach.count(&[if holds { "keys.host_verifies." } else { "keys.host_lacks." }, what].concat());
        }
        offer
    }

    fn verify(&mut self, token: &[u8], now: Timestamp, reach: &mut dyn Reach) -> Verdict {
        let offer = self.meet(reach);
        let place = self.host.as_ref().and_then(|(_, keyed)| keyed.place(token));
        let found = match place.and_then(|place| self.recall(place, now)) {
            Some(found) => found.map_err(Refusal::Cheap),
            None => self.judge(token, now, offer, reach).map(|(of, verified)| {
                let good = Good { verified: Rc::new(verified), of };
                if let Some(place) = place {
                    self.good.put(place, good.clone(), token.len());
                }
                good
            }),
        };
        match found.and_then(|good| self.still_holds((token, place), &good, now, reach).map(|()| good.verified)) {
            Ok(verified) => Verdict::Known(verified),
            Err(Refusal::Wait(call)) => Verdict::Wait(call),
            Err(Refusal::Cheap(error)) => Verdict::Refused(error),
            Err(Refusal::Costly(of, error)) => {
                if let Some(place) = place {
                    self.bad.put(place, Bad { error, until: now + BAD_FOR, of }, token.len());
                }
                Verdict::Refused(error)
            }
        }
    }

    /// What was judged before, where the keys are still those of then.
    fn recall(&mut self, place: Place, now: Timestamp) -> Option<Result<Good, TokenError>> {
        if let Some(good) = self.good.get(place) {
            if self.is_current(good.of, now) {
                return Some(Ok(good));
            }
            self.good.forget(place);
        }
        let Bad { error, until, of } = self.bad.get(place)?;
        if now < until && self.is_current(of, now) {
            return Some(Err(error));
        }
        self.bad.forget(place);
        None
    }

    /// Whether the keys are still those of that version, and may be used.
    fn is_current(&self, of: (usize, u32), now: Timestamp) -> bool {
        self.authorities
            .get(of.0)
            .is_some_and(|authority| authority.keys.version() == of.1 && authority.keys.usable(now).is_some())
    }

    /// Judges what may change from one use of a token to the next.
    fn still_holds(
        &mut self,
        token: (&[u8], Option<Place>),
        good: &Good,
        now: Timestamp,
        reach: &mut dyn Reach,
    ) -> Result<(), Refusal> {
        let offer = self.meet(reach);
        let Good { verified, of } = good;
        let authority = self.authorities.get_mut(of.0).ok_or(TokenError::IssuerRefused)?;
        authority.issuer.check_again(verified, now)?;
        authority.requirement.judge(verified, now)?;
        let Authority { issuer, keys, lists, introspection, .. } = authority;
        if let Some(named) = verified.status.as_ref().filter(|_| !lists.is_empty()) {
            let list = lists.iter_mut().find(|list| list.is(named)).ok_or(TokenError::RevocationUnknown)?;
            if list.text.usable(now).is_none() {
                list.text.want(now, reach).renewed(TokenError::RevocationUnknown)?;
            }
            list.judge(named, issuer, keys, now, &mut AnyVerifier::new(reach.services(), offer))?;
        }
        match introspection {
            Some(introspection) => introspection.judge(token, verified, now, reach),
            None => Ok(()),
        }
    }

    /// Judges a token that is not remembered.
    fn judge(
        &mut self,
        token: &[u8],
        now: Timestamp,
        offer: Offer,
        reach: &mut dyn Reach,
    ) -> Result<((usize, u32), Verified), Refusal> {
        let token = Jws::read(token)?;
        let claimed = token.claimed()?;
        let issuer = claimed.issuer()?;
        let mut known = self.authorities.iter_mut().enumerate();
        let Some((index, authority)) = known.find(|(_, known)| known.issuer.is(issuer)) else {
            return Err(Refusal::Cheap(TokenError::IssuerRefused));
        };
        let mut keys = match authority.keys.usable(now).cloned() {
            Some(keys) => keys,
            None => {
                authority.keys.want(now, reach).renewed(TokenError::KeysUnavailable)?;
                authority.keys.usable(now).cloned().ok_or(TokenError::KeysUnavailable)?
            }
        };
        // The second time with other keys.
        for _ in 0..2 {
            let of = (index, authority.keys.version());
            let mut verifier = Asking { inner: AnyVerifier::new(reach.services(), offer), asked: false };
            let signed = authority.issuer.authenticate(&token, &keys, &mut verifier);
            if let Err(TokenError::UnknownKey) = signed {
                authority.keys.want_another(now, reach).renewed(TokenError::UnknownKey)?;
                keys = authority.keys.usable(now).cloned().ok_or(TokenError::KeysUnavailable)?;
                continue;
            }
            let judged = signed.and_then(|signed| authority.issuer.judge(signed, claimed, now));
            return judged.map(|verified| (of, verified)).map_err(|error| {
                if verifier.asked && lasts(error) { Refusal::Costly(of, error) } else { Refusal::Cheap(error) }
            });
        }
        Err(Refusal::Cheap(TokenError::UnknownKey))
    }
}

impl Content for KeySet {
    const NAME: &'static str = "keys";
    type Rule = ();

    fn read(text: &[u8], (): &(), _: Timestamp) -> Result<Self, &'static str> {
        Self::read(text).map_err(|_| "unreadable")
    }
}

/// Why there is no verified token.
enum Refusal {
    /// It cost no more than to look.
    Cheap(TokenError),
    /// It cost a signature.
    Costly((usize, u32), TokenError),
    Wait(CallId),
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::Cheap(error)
    }
}

impl Asked {
    /// Goes on where there are other keys now.
    fn renewed(self, else_error: TokenError) -> Result<(), Refusal> {
        match self {
            Self::No => Err(Refusal::Cheap(else_error)),
            Self::Renewed => Ok(()),
            Self::TooMany => Err(Refusal::Cheap(TokenError::TooManyWaiting)),
            Self::Wait(call) => Err(Refusal::Wait(call)),
        }
    }
}

/// Whether the same token would be refused again in a moment.
fn lasts(error: TokenError) -> bool {
    !matches!(error, TokenError::HostFailed | TokenError::IssuedInFuture | TokenError::NotYetValid | TokenError::Unsupported)
}

/// Notes whether a signature was looked at.
struct Asking<V> {
    inner: V,
    asked: bool,
}

impl<V: Verifier> Verifier for Asking<V> {
    fn verify(&mut self, key: &Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<bool, ServiceError> {
        self.asked = true;
        self.inner.verify(key, algorithm, message, signature)
    }
}
