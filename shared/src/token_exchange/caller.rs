//! Who asks: named by the claims that the proxy verified, or by the token itself; and whether that still holds.

use std::rc::Rc;

use super::authority::is_that_of;
use super::credential::{bearer, others};
use super::failure::Refused;
use super::policy::Policy;
use super::reference::{PREFIX, is_reference};
use crate::filter::{CallId, Effects, Head, Properties, PropertyError};
use crate::http::Headers;
use crate::identity::Caller;
use crate::identity::revocation::{Bearing, Standing};
use crate::identity::secret::Ready;
use crate::identity::tokens::{Tokens, Verdict};
use crate::jws::{Stated, TokenError, Verified};
use crate::policy::Reason;
use crate::seal::NotOpened;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Why the caller is not known.
pub(super) enum Unknown {
    Refused(Box<Refused>),
    /// Not yet: something must come first.
    Wait(CallId),
}

/// A request.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) head: Head<'a>,
    /// The tool that it calls, where its route depends on that.
    pub(super) tool: Option<&'a str>,
    /// How often it has waited.
    pub(super) waits: u8,
}

/// A request that waits until it can be decided.
pub(super) struct Arrived {
    headers: Headers,
    properties: Vec<Result<Option<Vec<u8>>, PropertyError>>,
    /// As in [`Arrival`].
    pub(super) tool: Option<String>,
    /// As in [`Arrival`].
    pub(super) waits: u8,
}

/// Keys that open a reference, and others; keys of issuers, a list of statuses, what an issuer says of the token, and what is shown to
/// it; a list of what is revoked; what our client shows and, with two steps, the other one; keys that seal: one wait each.
pub(super) const MAX_WAITS: u8 = 10;

/// Who asks, and with what.
pub(super) struct Asker<'a> {
    pub(super) caller: Caller,
    /// The token, or why there is none.
    pub(super) brought: Result<Brought<'a>, Reason>,
    pub(super) arrival: Arrival<'a>,
}

impl Asker<'_> {
    /// The token, if its claims were verified.
    pub(super) fn verified(&self) -> Result<&[u8], Reason> {
        let token = self.brought.as_ref().map_err(|reason| *reason)?.token();
        if self.caller.verified { Ok(token) } else { Err(Reason::InvalidToken) }
    }

    /// The same as text, for where it is sent: a token68 is ASCII, and to see that once more costs a warm exchange what it need not pay.
    pub(super) fn text(&self) -> Result<&str, Reason> {
        core::str::from_utf8(self.verified()?).map_err(|_| Reason::InvalidToken)
    }

    /// What the token says; `kept`: what it has said when it was read before. It must be the very one that was verified, and
    /// anybody's who has it.
    pub(super) fn subject(&self, kept: Option<&Rc<Stated>>, now: Timestamp) -> Result<Rc<Stated>, Reason> {
        let token = self.verified()?;
        let stated = match kept {
            Some(stated) => stated.clone(),
            None => Rc::new(Stated::read(token).map_err(|_| Reason::InvalidToken)?),
        };
        if stated.bound {
            return Err(Reason::SenderConstrained);
        }
        let holds = is_that_of(&stated, &self.caller) && stated.expires.is_some_and(|expires| expires > now);
        if holds { Ok(stated) } else { Err(Reason::InvalidToken) }
    }

    /// Headers that must not go on.
    pub(super) fn stripped(&self) -> Vec<String> {
        match &self.brought {
            Ok(brought) => others(self.arrival.head.headers, &[brought.text, brought.token()]),
            Err(_) => others(self.arrival.head.headers, &[]),
        }
    }
}

/// The token that a request brings.
pub(super) struct Brought<'a> {
    /// As it stands there: the token, or a reference to it.
    text: &'a [u8],
    /// What the reference stands for.
    opened: Option<Secret<String>>,
}

impl Brought<'_> {
    /// The token itself.
    pub(super) fn token(&self) -> &[u8] {
        self.opened.as_ref().map_or(self.text, |token| token.reveal().as_bytes())
    }
}

impl Policy {
    /// Who asks.
    pub(super) fn asker<'a>(&self, arrival: Arrival<'a>, fx: &mut Effects<'_>) -> Result<Asker<'a>, Unknown> {
        let head = arrival.head;
        let brought = match bearer(head.headers) {
            Ok(text) => Ok(self.brought(text, head, fx)?),
            Err(reason) => Err(reason),
        };
        let caller = self.caller(head, brought.as_ref().ok().map(Brought::token), fx)?;
        Ok(Asker { caller, brought, arrival })
    }

    /// What a bearer token stands for: where references are opened, that of a reference which is this agent's.
    fn brought<'a>(&self, text: &'a [u8], head: Head<'a>, fx: &mut Effects<'_>) -> Result<Brought<'a>, Unknown> {
        let plain = Ok(Brought { text, opened: None });
        let Some(referring) = self.references.as_ref().filter(|referring| referring.opens) else { return plain };
        // A token68 is ASCII; a reference is one, too.
        let reference = core::str::from_utf8(text).ok().filter(|text| is_reference(text));
        let Some(reference) = reference else {
            return if referring.plain { plain } else { Err(refused(Refused::plain(Reason::ReferenceRequired))) };
        };
        let peer = self.source.read(head.properties).map_err(|reason| refused(Refused::plain(reason)))?;
        let agent = peer.agent.ok_or_else(|| refused(Refused::plain(Reason::NoAgent)))?;
        let now = fx.now();
        referring.keys.want(now, fx).or_else_unknown()?;
        if let Some(call) = reference.strip_prefix(PREFIX).and_then(|sealed| referring.keys.want_for(sealed, now, fx)) {
            return Err(Unknown::Wait(call));
        }
        let opened = referring.references(now).map_or(Err(NotOpened::UnknownKey), |own| own.redeem(reference, &agent, now));
        let opened = opened.map_err(|why| {
            let detail = match why {
                NotOpened::Expired => "expired",
                NotOpened::Other => "not_opened",
                NotOpened::UnknownKey => "unknown_key",
            };
            fx.count(&["references.refused.", detail].concat());
            refused(Refused { detail: Some(detail), ..Refused::plain(Reason::ReferenceRefused) })
        })?;
        fx.count("references.opened");
        Ok(Brought { text, opened: Some(opened) })
    }

    fn caller(&self, head: Head<'_>, token: Option<&[u8]>, fx: &mut Effects<'_>) -> Result<Caller, Unknown> {
        let (caller, verified) = match (&self.tokens, token) {
            (Some(tokens), Some(token)) => {
                let verified = verified(tokens, token, fx)?;
                (self.source.read_with(head.properties, &verified.bearer), Some(verified))
            }
            // Without a token there is a peer at the most; what needs more says so.
            (Some(_), None) | (None, _) => (self.source.read(head.properties), None),
        };
        let caller = caller.map_err(|reason| refused(Refused::plain(reason)))?;
        let Some(revocation) = &self.revocation else { return Ok(caller) };
        // What else the proxy verified is not in its claims. A token of which that is not true goes nowhere anyhow.
        let token = token.filter(|_| verified.is_none());
        let stated = token.and_then(|token| Stated::read(token).ok()).filter(|stated| is_that_of(stated, &caller));
        let bearing = Bearing::of(&caller, verified.as_deref());
        let bearing = stated.as_ref().map_or(bearing, |stated| bearing.saying(stated));
        match revocation.judge(&bearing, fx.now(), fx) {
            Standing::Good => Ok(caller),
            Standing::Refused(error) => Err(refused(Refused::token(error, None))),
            Standing::Wait(call) => Err(Unknown::Wait(call)),
        }
    }
}

impl Ready {
    /// Goes on where it is there.
    pub(super) fn or_else_unknown(self) -> Result<(), Unknown> {
        match self {
            Self::Yes => Ok(()),
            Self::Wait(call) => Err(Unknown::Wait(call)),
            Self::No(missing) => Err(refused(Refused::secret(missing))),
        }
    }
}

fn verified(tokens: &Tokens, token: &[u8], fx: &mut Effects<'_>) -> Result<Rc<Verified>, Unknown> {
    match tokens.verify(token, fx.now(), fx) {
        Verdict::Known(verified) => Ok(verified),
        Verdict::Refused(error) => {
            let steps = matches!(error, TokenError::AuthenticationTooOld | TokenError::AuthenticationTooWeak);
            let issuer = Stated::read(token).ok().filter(|_| steps).and_then(|stated| stated.issuer);
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
    pub(super) fn keep(arrival: Arrival<'_>, count: usize) -> Self {
        let Arrival { head, tool, waits } = arrival;
        let value = |index| head.properties.get(index).map(|value| value.map(Into::into));
        let properties = (0..count).map(value).collect();
        Self { headers: head.headers.clone(), properties, tool: tool.map(str::to_owned), waits }
    }

    /// What the request brought.
    pub(super) fn head(&self) -> Head<'_> {
        Head { headers: &self.headers, properties: Properties::new(&self.properties), end_of_stream: false }
    }

    /// All that is known of it.
    pub(super) fn arrival(&self) -> Arrival<'_> {
        Arrival { head: self.head(), tool: self.tool.as_deref(), waits: self.waits }
    }
}

impl<'a> Arrival<'a> {
    /// A request that has just come.
    pub(super) fn first(head: Head<'a>) -> Self {
        Self { head, tool: None, waits: 0 }
    }
}
