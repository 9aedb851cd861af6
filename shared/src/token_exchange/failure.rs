//! From what went wrong to what the client hears (OA-TE-07). What the token service says goes no further (BY-X-09).

use super::exchanger::Ask;
use super::issued::Refusal;
use super::profile::Told;
use crate::filter::{CalloutError, Reply};
use crate::identity::tokens::Requirement;
use crate::jws::TokenError;
use crate::oauth::{Failure, Issued};
use crate::policy::{Challenge, Denial, Reason};
use crate::time::Duration;

/// How long a client is asked to wait for a token service that does not say it.
const RETRY_AFTER: u32 = 5;

/// Why there is no token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    pub(super) denial: Denial,
    pub(super) challenge: Option<Box<Challenge>>,
    /// What exactly, for the record.
    pub(super) detail: Option<&'static str>,
    /// The same answer may be given again for a few seconds (OA-TE-06).
    pub(super) lasting: bool,
    /// Somebody has to look at the configuration.
    pub(super) alarm: bool,
    /// The user has to consent to these scopes first: those that were asked for.
    pub(super) consent: Option<Vec<String>>,
}

impl Refused {
    /// Refused for this reason, with the challenge that belongs to it.
    pub(super) fn plain(reason: Reason) -> Self {
        let error = match reason {
            // RFC 6750 section 3.1: without any credential there is nothing that could be wrong.
            Reason::NoToken => Some(None),
            Reason::InvalidToken
            | Reason::ReferenceRefused
            | Reason::ReferenceRequired
            | Reason::Revoked
            | Reason::SenderConstrained
            | Reason::SubjectRefused => Some(Some("invalid_token")),
            Reason::MalformedCredential | Reason::RepeatedHeader | Reason::TokenInQuery => Some(Some("invalid_request")),
            _ => None,
        };
        let challenge = error.map(|error| Box::new(Challenge { error, ..Challenge::default() }));
        let later = matches!(reason, Reason::CalloutFailed | Reason::ExchangeUnavailable | Reason::RevocationUnknown);
        let denial = if later { Denial::Later(RETRY_AFTER) } else { Denial::Refuse };
        let alarm = reason == Reason::ExchangeMisconfigured;
        Self { reason, denial, challenge, detail: None, lasting: false, alarm, consent: None }
    }

    /// The caller's token was not accepted; `requirement` is what was asked of the login behind it (RFC 9470 section 3).
    pub(super) fn token(error: TokenError, requirement: Option<&Requirement>) -> Self {
        let refused = Self { detail: Some(error.code()), ..Self::plain(error.reason()) };
        let Some(Requirement { contexts, max_age }) = requirement else { return refused };
        let contexts = Some(contexts.join(" ")).filter(|contexts| !contexts.is_empty());
        let more = [("acr_values", contexts), ("max_age", max_age.map(|age| age.as_secs().to_string()))];
        let more = more.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let challenge = Challenge { error: Some("insufficient_user_authentication"), more, ..Challenge::default() };
        Self { challenge: Some(Box::new(challenge)), ..refused }
    }

    /// The caller's token lacks all of these scopes.
    pub(super) fn scopes(scopes: &[String]) -> Self {
        let challenge = Challenge { error: Some("insufficient_scope"), scopes: scopes.to_vec(), ..Challenge::default() };
        Self { challenge: Some(Box::new(challenge)), ..Self::plain(Reason::InsufficientScope) }
    }

    /// The token service refused or did not answer; `scopes` are those of the route, all at once, `asked` those that were asked for.
    pub(super) fn told(told: Told, scopes: &[String], asked: &[String]) -> Self {
        let lasting = told.is_lasting();
        let refused = match told {
            Told::Consent => Self { consent: Some(asked.to_vec()), ..Self::plain(Reason::ConsentBlocked) },
            Told::Denied => Self::plain(Reason::ExchangeRefused),
            Told::Misconfigured => Self::plain(Reason::ExchangeMisconfigured),
            Told::SubjectRefused => Self::plain(Reason::SubjectRefused),
            Told::Unavailable { retry_after } => {
                let seconds = retry_after.map(|wait: Duration| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX));
                Self { denial: Denial::Later(seconds.unwrap_or(RETRY_AFTER)), ..Self::plain(Reason::ExchangeUnavailable) }
            }
            Told::StepUp(step_up) => {
                let error = if step_up.claims.is_some() { "insufficient_claims" } else { "insufficient_user_authentication" };
                let acr = Some(step_up.acr_values.join(" ")).filter(|acr| !acr.is_empty());
                let more =
                    [("acr_values", acr), ("max_age", step_up.max_age.map(|age| age.to_string())), ("claims", step_up.claims)];
                let more = more.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                let challenge = Challenge { error: Some(error), scopes: scopes.to_vec(), more, ..Challenge::default() };
                Self { challenge: Some(Box::new(challenge)), ..Self::plain(Reason::StepUpRequired) }
            }
        };
        Self { lasting, ..refused }
    }

    /// The issued token is not what it must be.
    pub(super) fn issued(refusal: Refusal, scopes: &[String]) -> Self {
        let refused = match refusal {
            Refusal::AgentOther | Refusal::ClientOther => Self::plain(Reason::IssuedAgent),
            Refusal::AudienceMissing | Refusal::AudienceOurs | Refusal::AudienceWider => Self::plain(Reason::IssuedAudience),
            Refusal::ActorUnknown | Refusal::ChainLoop | Refusal::ChainOther | Refusal::ChainTooLong => {
                Self::plain(Reason::IssuedChain)
            }
            Refusal::Expired | Refusal::LivesTooLong | Refusal::NotYetValid => Self::plain(Reason::IssuedExpiry),
            Refusal::Bound | Refusal::KindOther | Refusal::UsageRefused => Self::plain(Reason::IssuedKind),
            Refusal::NothingGranted => Self::scopes(scopes),
            Refusal::ScopeWider => Self::plain(Reason::IssuedScope),
            Refusal::UserOther => Self::plain(Reason::IssuedUser),
            Refusal::IssuerOther | Refusal::MayNotAct | Refusal::Opaque | Refusal::Unreadable(_) => {
                Self::plain(Reason::IssuedUnreadable)
            }
        };
        Self { detail: Some(refusal.code()), ..refused }
    }

    /// The caller's own token may not be exchanged by this agent.
    pub(super) fn subject(refusal: Refusal) -> Self {
        let reason = match refusal {
            Refusal::MayNotAct => Reason::MayNotAct,
            _ => Reason::ActorChain,
        };
        Self { detail: Some(refusal.code()), ..Self::plain(reason) }
    }
}

/// What a token service has issued, as it says.
pub(super) fn read(reply: Result<Reply<'_>, CalloutError>, ask: &Ask) -> Result<Issued, Refused> {
    let unavailable = |detail, alarm| Refused { detail: Some(detail), alarm, ..Refused::plain(Reason::ExchangeUnavailable) };
    let reply = reply.map_err(|error| match error {
        CalloutError::NoReply => unavailable("no_reply", false),
        CalloutError::NotDispatched => unavailable("not_dispatched", true),
        CalloutError::TimedOut => unavailable("timed_out", false),
    })?;
    Issued::read(reply.status, reply.headers, reply.body).map_err(|failure| {
        let detail = detail(&failure);
        Refused { detail: Some(detail), ..Refused::told(Told::of(failure), &ask.target.scopes, ask.asked.scopes()) }
    })
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
