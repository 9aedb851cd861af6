//! What comes by callout and nobody else may see: what a client shows (a JWT-SVID, a client secret, a private key), and keys that seal.
//!
//! Wasm reads no files, and has no way to the SPIFFE Workload API: a small bridge beside the proxy does that and answers GET.
//!
//! - Each VM fetches for itself, at its first tick and then in the background. Nothing of it stands in shared data.
//! - What came is held against what it must be. What is not takes no place: the last good one stays until its end.
//! - An SVID is fetched again when half of what is left of its life has passed, and never used after `exp`.
//! - Where there is none, a request waits for one fetch; where that fails, [`FetchedSecret::want`] says why.

mod config;
mod content;
mod of;
mod sealing;

pub use config::{RawSecret, RawSecretFetch, SecretFrom};
pub use content::{Fetched, MAX_KEY, MAX_SECRET, Wanted};
pub use of::SecretOf;
pub use sealing::SealingKeys;

use core::cell::RefCell;
use core::fmt;
use std::rc::Rc;

use super::{Asked, Document, Fault, RawFrom, Reach};
use crate::config::Problems;
use crate::filter::{CallId, CalloutError, Reply, RootEffects};
use crate::jws::Signer;
use crate::seal::Sealer;
use crate::secret::Secret;
use crate::time::Timestamp;

/// A secret that is fetched, for a plugin and all its filters.
#[derive(Clone)]
pub struct FetchedSecret(Rc<Inner>);

struct Inner {
    /// Whose it is, for the log.
    whose: String,
    document: RefCell<Document<Fetched>>,
}

/// Whether there is one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ready {
    /// There is.
    Yes,
    /// Not yet. Return [`Step::Await`](crate::filter::Step::Await) of this call, and ask again with its reply.
    Wait(CallId),
    /// There is none.
    No(Missing),
}

/// Why there is no secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Missing {
    /// A word for it, of a closed set.
    pub code: &'static str,
    /// Something came, but not what the configuration says: it will not mend itself.
    pub other: bool,
}

impl FetchedSecret {
    /// A JWT-SVID of `subject` for `audience`. Only good if no problem was added; `whose` is what the log calls it.
    pub fn svid(from: &RawFrom, (subject, audience): (&str, &str), whose: String, problems: &mut Problems) -> Self {
        let wanted = Wanted::Svid { subject: subject.into(), audience: audience.into() };
        Self::new(Document::ruled(config::of_svid(from, problems), wanted), whose)
    }

    /// A client secret.
    pub fn secret(from: &RawSecretFetch, whose: String, problems: &mut Problems) -> Self {
        Self::new(Document::ruled(from.compile(problems), Wanted::Secret), whose)
    }

    /// A private key; `id` is what the token service knows it as.
    pub fn key(from: &RawSecretFetch, id: Option<&str>, whose: String, problems: &mut Problems) -> Self {
        Self::new(Document::ruled(from.compile(problems), Wanted::key(id)), whose)
    }

    /// Keys that seal.
    pub fn sealing(from: &RawSecretFetch, whose: String, problems: &mut Problems) -> Self {
        Self::new(Document::ruled(from.compile(problems), Wanted::Sealing), whose)
    }

    fn new(document: Document<Fetched>, whose: String) -> Self {
        Self(Rc::new(Inner { whose, document: RefCell::new(document) }))
    }

    /// To be called at each tick of the plugin.
    pub fn on_tick(&self, now: Timestamp, fx: &mut RootEffects<'_>) {
        if let Ok(mut document) = self.0.document.try_borrow_mut() {
            document.on_tick(now, fx);
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
        let Ok(mut document) = self.0.document.try_borrow_mut() else { return false };
        let ours = document.on_reply(call, now, reply, fx);
        if ours && let Some(fault) = document.fault() {
            let there = if document.usable(now).is_some() { "the one before stays" } else { "there is none" };
            fx.warn(&format!("secret of {}: {}, {there}", self.0.whose, code(fault)));
        }
        ours
    }

    /// The text, where there is one now.
    pub fn text(&self, now: Timestamp) -> Option<Secret<String>> {
        self.0.document.try_borrow().ok()?.usable(now).map(|fetched| fetched.text().clone())
    }

    /// What signs with the key, where there is one now.
    pub fn signer(&self, now: Timestamp) -> Option<Rc<Signer>> {
        self.0.document.try_borrow().ok()?.usable(now)?.signer.clone()
    }

    /// What seals with the keys, where there are any now.
    pub fn sealer(&self, now: Timestamp) -> Option<Rc<Sealer>> {
        self.0.document.try_borrow().ok()?.usable(now)?.sealer.clone()
    }

    /// Whether there is one; where there is not, it is fetched.
    pub(crate) fn want(&self, now: Timestamp, reach: &mut dyn Reach) -> Ready {
        let Ok(mut document) = self.0.document.try_borrow_mut() else { return Ready::No(Missing::of(None)) };
        if document.usable(now).is_some() {
            return Ready::Yes;
        }
        match document.want(now, reach) {
            Asked::Renewed => Ready::Yes,
            Asked::Wait(call) => Ready::Wait(call),
            Asked::No | Asked::TooMany => Ready::No(Missing::of(document.fault())),
        }
    }

    /// Something is not in the one that there is; whether there is another now.
    pub(crate) fn want_another(&self, now: Timestamp, reach: &mut dyn Reach) -> Ready {
        let Ok(mut document) = self.0.document.try_borrow_mut() else { return Ready::No(Missing::of(None)) };
        match document.want_another(now, reach) {
            Asked::Renewed => Ready::Yes,
            Asked::Wait(call) => Ready::Wait(call),
            Asked::No | Asked::TooMany => Ready::No(Missing::of(document.fault())),
        }
    }

    /// Why there is none, for who does not wait.
    pub fn missing(&self) -> Missing {
        Missing::of(self.0.document.try_borrow().ok().and_then(|document| document.fault()))
    }

    /// The token service did not take what there is: perhaps there is another by now.
    pub fn distrust(&self, now: Timestamp, fx: &mut RootEffects<'_>) {
        if let Ok(mut document) = self.0.document.try_borrow_mut() {
            let _nobody_waits = document.want_another(now, fx);
        }
    }
}

impl Missing {
    fn of(fault: Option<Fault>) -> Self {
        Self { code: fault.map_or("secret_missing", code), other: matches!(fault, Some(Fault::Content(_))) }
    }
}

fn code(fault: Fault) -> &'static str {
    match fault {
        Fault::Call(CalloutError::NoReply) => "secret_no_reply",
        Fault::Call(CalloutError::NotDispatched) => "secret_not_dispatched",
        Fault::Call(CalloutError::TimedOut) => "secret_timed_out",
        Fault::Content(what) => what,
        Fault::Status => "secret_unavailable",
    }
}

/// Shows nothing of the secret.
impl fmt::Debug for FetchedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FetchedSecret({})", self.0.whose)
    }
}
