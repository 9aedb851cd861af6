//! Why there is no token: what a token service says when it refuses (RFC 6749 section 5.2), and what it says when it is broken.

use super::answer::{LIMITS, object, texts};
use crate::base64;
use crate::http::Headers;
use crate::json::{self, Kind};
use crate::time::Duration;

/// Why there is no answer that could be used. Shows nothing of what the server wrote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The server is asked too often (429), or is away and says for how long (503).
    Busy {
        /// How long to leave it alone, where it said so in seconds.
        retry_after: Option<Duration>,
    },
    /// The server refused, for this reason.
    Refused {
        /// Why.
        error: ErrorCode,
        /// What its own words add to the code.
        hint: Option<Hint>,
        /// What the user has to do first, where it said so.
        step_up: StepUp,
    },
    /// The server cannot answer now: 5xx, or it says so itself.
    Unavailable,
    /// An answer of a kind that no token service gives: another status, HTML, JSON that is not strict (BY-X-07).
    Unreadable(Unreadable),
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unreadable {
    /// Not one strict JSON object of the expected members.
    Malformed,
    /// Not `application/json`.
    MediaType,
    /// It lacks a member, or has one that contradicts the status; by name.
    Member(&'static str),
    /// A status that is neither success nor a refusal; a redirect is never followed.
    Status,
    /// Larger than any answer is.
    TooLarge,
}

/// What servers say in free text only. The text is compared with theirs and not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hint {
    /// The target is not one for this client: Keycloak says it with `invalid_request`.
    Audience,
    /// The user has not consented to this client: Keycloak says it with `invalid_scope`, Entra with `interaction_required`.
    Consent,
    /// This client may not exchange at all: Keycloak says it with `invalid_request`. No login changes that.
    Client,
    /// The chain of actors is too long: Auth0 says it with `invalid_request`.
    Depth,
    /// The subject token is not good: Keycloak says it with `invalid_request`.
    Subject,
}

/// What the user has to do before the same request can succeed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StepUp {
    /// How strongly to be authenticated (RFC 9470 section 3).
    pub acr_values: Vec<String>,
    /// How long ago at most.
    pub max_age: Option<u64>,
    /// Entra's `claims`, as base64: it is handed to the client as it is.
    pub claims: Option<String>,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        /// Why a server refused. A closed set: its own words go no further (BY-X-09).
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $name,)+
            /// A code that is not known here.
            Unknown,
        }

        impl ErrorCode {
            /// All that have a name.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code on the wire.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                    Self::Unknown => "unknown",
                }
            }
        }
    };
}

codes! {
    /// The user or the server said no (RFC 6749 section 4.1.2.1, CIBA core section 11).
    AccessDenied = "access_denied";
    /// The user has not answered yet (CIBA core section 11).
    AuthorizationPending = "authorization_pending";
    /// The user must agree first (OpenID Connect core section 3.1.2.6).
    ConsentRequired = "consent_required";
    /// The user did not answer in time (CIBA core section 11).
    ExpiredToken = "expired_token";
    /// The token of the user's hint is too old (CIBA core section 13).
    ExpiredLoginHintToken = "expired_login_hint_token";
    /// The user must log in more strongly or again (RFC 9470 section 3).
    InsufficientUserAuthentication = "insufficient_user_authentication";
    /// The user must do something first: consent, log in again, a second factor (OpenID Connect core section 3.1.2.6; Entra).
    InteractionRequired = "interaction_required";
    /// The binding message is too long or has the wrong characters (CIBA core section 13).
    InvalidBindingMessage = "invalid_binding_message";
    /// The client could not prove itself.
    InvalidClient = "invalid_client";
    /// The DPoP proof was refused (RFC 9449 section 5).
    InvalidDpopProof = "invalid_dpop_proof";
    /// The assertion or the grant is not good.
    InvalidGrant = "invalid_grant";
    /// Something about the request; token services say so of a bad subject token, too (RFC 8693 section 2.2.2).
    InvalidRequest = "invalid_request";
    /// Scopes that are not known or not for this client.
    InvalidScope = "invalid_scope";
    /// The target is not one for which tokens are given (RFC 8693 section 2.2.2, RFC 8707 section 2).
    InvalidTarget = "invalid_target";
    /// The user code is wrong (CIBA core section 13).
    InvalidUserCode = "invalid_user_code";
    /// The user must log in (OpenID Connect core section 3.1.2.6).
    LoginRequired = "login_required";
    /// The user must give a second factor (Auth0).
    MfaRequired = "mfa_required";
    /// The user code is missing (CIBA core section 13).
    MissingUserCode = "missing_user_code";
    /// The server broke.
    ServerError = "server_error";
    /// Asked too early (CIBA core section 11).
    SlowDown = "slow_down";
    /// The server is overloaded or in maintenance.
    TemporarilyUnavailable = "temporarily_unavailable";
    /// What the user should have approved went wrong (CIBA core section 12).
    TransactionFailed = "transaction_failed";
    /// This client may not do this.
    UnauthorizedClient = "unauthorized_client";
    /// Nobody is known by this hint (CIBA core section 13).
    UnknownUserId = "unknown_user_id";
    /// The server does not do this kind of grant.
    UnsupportedGrantType = "unsupported_grant_type";
    /// The server does not make this kind of token (RFC 7009 section 2.2.1; some say it of exchanges).
    UnsupportedTokenType = "unsupported_token_type";
    /// The server wants a nonce in the DPoP proof (RFC 9449 section 8).
    UseDpopNonce = "use_dpop_nonce";
}

/// Longest `claims` that is handed on, in bytes before base64.
const MAX_CLAIMS: usize = 4096;
/// Longest time that a server may ask to be left alone for.
const MAX_RETRY_AFTER: u64 = 3600;

impl ErrorCode {
    fn read(code: &str) -> Self {
        Self::ALL.iter().copied().find(|known| known.code() == code).unwrap_or(Self::Unknown)
    }
}

impl Hint {
    fn read(text: &str) -> Option<Self> {
        match text {
            "Invalid token" => Some(Self::Subject),
            "Audience not found" => Some(Self::Audience),
            "Standard token exchange is not enabled for the requested client" => Some(Self::Client),
            _ if text.starts_with("Missing consents for Token Exchange") => Some(Self::Consent),
            _ if text.starts_with("Requested audience not available") => Some(Self::Audience),
            _ if text.starts_with("Delegation chain") => Some(Self::Depth),
            _ => None,
        }
    }
}

impl Failure {
    /// What an answer with a status other than 200 says.
    pub(super) fn read(status: u16, headers: &Headers, body: &[u8]) -> Self {
        match (status, retry_after(headers)) {
            (429, retry_after) | (503, retry_after @ Some(_)) => Self::Busy { retry_after },
            (400..=499, _) => match Self::read_body(headers, body) {
                // Keycloak's word for a wrong secret. RFC 6749 section 5.2: only a client that was not authenticated gets a 401.
                Ok(Self::Refused { error: ErrorCode::UnauthorizedClient, hint, step_up }) if status == 401 => {
                    Self::Refused { error: ErrorCode::InvalidClient, hint, step_up }
                }
                Ok(failure) => failure,
                Err(why) => Self::Unreadable(why),
            },
            (500..=599, _) => Self::Unavailable,
            _ => Self::Unreadable(Unreadable::Status),
        }
    }

    fn read_body(headers: &Headers, body: &[u8]) -> Result<Self, Unreadable> {
        let (mut error, mut hint, mut step_up) = (None, None, StepUp::default());
        object(headers, body, |name, reader| {
            match (name, reader.peek()?) {
                ("error", _) => error = Some(ErrorCode::read(&reader.string()?.text())),
                ("error_description", Kind::String) => hint = hint.or(Hint::read(&reader.string()?.text())),
                ("suberror", Kind::String) => {
                    hint = reader.string()?.eq_str("consent_required").then_some(Hint::Consent).or(hint);
                }
                ("acr_values", Kind::String) => step_up.acr_values = texts(&reader.string()?.text()).unwrap_or_default(),
                ("max_age", Kind::Number) => step_up.max_age = reader.number()?.parse().ok(),
                ("claims", Kind::String) => step_up.claims = claims(&reader.string()?.text()),
                _ => {}
            }
            Ok(())
        })?;
        Ok(match error.ok_or(Unreadable::Member("error"))? {
            ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => Self::Unavailable,
            error => Self::Refused { error, hint, step_up },
        })
    }
}

/// Entra's challenge: JSON that only its own client reads. What is not strict JSON, or long, is left out.
fn claims(text: &str) -> Option<String> {
    let good = text.len() <= MAX_CLAIMS && json::check(text.as_bytes(), LIMITS).is_ok();
    good.then(|| base64::encode(text.as_bytes()))
}

/// `retry-after` in seconds (RFC 9110 section 10.2.3); a date is not read.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let value = core::str::from_utf8(headers.one("retry-after").ok()??).ok()?;
    let seconds: u64 = value.parse().ok().filter(|_| value.bytes().all(|c| c.is_ascii_digit()))?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}
