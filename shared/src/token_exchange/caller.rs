//! Who asks: named by the claims that the proxy verified, or by the token itself; and whether that still holds.

use std::rc::Rc;

use super::authority::is_that_of;
use super::credential::bearer;
use super::failure::Refused;
use super::policy::Policy;
use crate::filter::{CallId, Effects, Head, Properties, PropertyError};
use crate::http::Headers;
use crate::identity::Caller;
use crate::identity::revocation::{Bearing, Standing};
use crate::identity::tokens::{Tokens, Verdict};
use crate::jws::{Stated, TokenError, Verified};

/// Why the caller is not known.
pub(super) enum Unknown {
    Refused(Box<Refused>),
    /// Not yet: something must come first.
    Wait(CallId),
}

/// A request that waits until it can be decided.
pub(super) struct Arrived {
    headers: Headers,
    properties: Vec<Result<Option<Vec<u8>>, PropertyError>>,
    /// How often it has waited.
    pub(super) waits: u8,
}

/// Keys, a list of what is revoked, what a server says of the token, what our client shows and, with two steps, the other one:
/// one wait each.
pub(super) const MAX_WAITS: u8 = 5;

impl Policy {
    /// Who asks.
    pub(super) fn caller(&self, head: Head<'_>, fx: &mut Effects<'_>) -> Result<Caller, Unknown> {
        let (caller, verified) = match (&self.tokens, bearer(head.headers)) {
            (Some(tokens), Ok(token)) => {
                let verified = verified(tokens, token, fx)?;
                (self.source.read_with(head.properties, verified.bearer.clone()), Some(verified))
            }
            // Without a token there is a peer at the most; what needs more says so.
            (Some(_), Err(_)) | (None, _) => (self.source.read(head.properties), None),
        };
        let caller = caller.map_err(|reason| refused(Refused::plain(reason)))?;
        let Some(revocation) = &self.revocation else { return Ok(caller) };
        // What else the proxy verified is not in its claims. A token of which that is not true goes nowhere anyhow.
        let token = bearer(head.headers).ok().filter(|_| verified.is_none());
        let stated = token.and_then(|token| Stated::read(token.as_bytes()).ok()).filter(|stated| is_that_of(stated, &caller));
        let bearing = Bearing::of(&caller, verified.as_deref());
        let bearing = stated.as_ref().map_or(bearing, |stated| bearing.saying(stated));
        match revocation.judge(&bearing, fx.now(), fx) {
            Standing::Good => Ok(caller),
            Standing::Refused(error) => Err(refused(Refused::token(error, None))),
            Standing::Wait(call) => Err(Unknown::Wait(call)),
        }
    }
}

fn verified(tokens: &Tokens, token: &str, fx: &mut Effects<'_>) -> Result<Rc<Verified>, Unknown> {
    match tokens.verify(token.as_bytes(), fx.now(), fx) {
        Verdict::Known(verified) => Ok(verified),
        Verdict::Refused(error) => {
            let steps = matches!(error, TokenError::AuthenticationTooOld | TokenError::AuthenticationTooWeak);
            let issuer = Stated::read(token.as_bytes()).ok().filter(|_| steps).and_then(|stated| stated.issuer);
            Err(refused(Refused::token(error, issuer.map(|issuer| tokens.requirement(&issuer)).as_ref())))
        }
        Verdict::Wait(call) => Err(Unknown::Wait(call)),
    }
}

fn refused(refused: Refused) -> Unknown {
    Unknown::Refused(Box::new(refused))
}

impl Arrived {
    /// Keeps what the request brought.
    pub(super) fn keep(head: Head<'_>, count: usize, waits: u8) -> Self {
        let value = |index| head.properties.get(index).map(|value| value.map(Into::into));
        Self { headers: head.headers.clone(), properties: (0..count).map(value).collect(), waits }
    }

    /// What the request brought.
    pub(super) fn head(&self) -> Head<'_> {
        Head { headers: &self.headers, properties: Properties::new(&self.properties), end_of_stream: false }
    }
}
