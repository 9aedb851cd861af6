//! Approval by a user who is away: OpenID Connect CIBA core 1.0, poll mode.

use super::answer::{is_token, object, seconds};
use super::failure::{ErrorCode, Failure, Unreadable};
use super::{ClientAuth, Form, Issued, Post};
use crate::http::Headers;
use crate::json::push_hex;
use crate::secret::Secret;
use crate::time::Duration;

/// How long to wait between two polls, if the server does not say (section 7.3).
pub const INTERVAL: Duration = Duration::from_secs(5);
/// What `slow_down` adds to it, for good (section 11).
pub const SLOW_DOWN: Duration = Duration::from_secs(5);
/// Longest interval that is waited for; a server that wants more is asked too seldom to be of use.
const MAX_INTERVAL: Duration = Duration::from_secs(300);
/// Longest time that an approval may be out.
const MAX_LIFE: Duration = Duration::from_secs(3600);
/// Longest id of a request for approval, in bytes.
const MAX_ID: usize = 4096;
/// Digits of the digest in a binding message: 64 bits, so that nobody finds two actions with one message.
const DIGITS: usize = 16;

/// A request for approval (section 7.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthRequest<'a> {
    /// What is to be approved; `openid` is added.
    pub scopes: &'a [&'a str],
    /// Who is to approve it.
    pub user: User<'a>,
    /// What the user is shown.
    pub message: &'a BindingMessage,
    /// How strongly to be authenticated.
    pub acr_values: &'a [&'a str],
    /// How long the user has, where the server is to be told.
    pub expires_in: Option<Duration>,
}

/// Who is to approve. One of them, never more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum User<'a> {
    /// By a name that the server knows.
    LoginHint(&'a str),
    /// By a token about the user.
    LoginHintToken(Secret<&'a str>),
    /// By an ID token that the server issued.
    IdToken(Secret<&'a str>),
}

/// What the user is shown: the action and a digest of all that is approved. It has only characters that every server takes,
/// and nothing of what the agent wrote but them (OA-C-01).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BindingMessage(String);

/// A request for approval that was taken (section 7.3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Started {
    /// Its id.
    pub id: Secret<String>,
    /// How long the user has.
    pub expires_in: Duration,
    /// How long to wait between two polls.
    pub interval: Duration,
}

/// What a poll says (section 11).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Polled {
    /// The user said yes.
    Approved(Issued),
    /// The user said no.
    Denied,
    /// The user did not answer in time, or the id is used up.
    Expired,
    /// The user has not answered yet.
    Pending,
    /// The same, and we ask too often.
    SlowDown,
    /// No answer about the user.
    Failed(Failure),
}

impl BindingMessage {
    /// The message of an action with this digest of all its arguments, in at most `longest` bytes (Keycloak takes 50,
    /// ThunderID 256). `None`: there is no place for the digest.
    pub fn new(action: &str, digest: &[u8; 32], longest: usize) -> Option<Self> {
        let room = longest.checked_sub(DIGITS + 1)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/') { c } else { '_' };
        let mut text: String = action.chars().map(plain).take(room).collect();
        text.push('#');
        push_hex(&mut text, digest.get(..DIGITS / 2)?);
        Some(Self(text))
    }

    /// The message.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AuthRequest<'_> {
    /// The request, ready to be sent.
    pub fn post(&self, client: &ClientAuth<'_>) -> Post {
        let mut form = Form::new();
        form.push_list("scope", &[&["openid"], self.scopes].concat());
        match &self.user {
            User::LoginHint(name) => form.push("login_hint", name),
            User::LoginHintToken(token) => form.push("login_hint_token", token.reveal()),
            User::IdToken(token) => form.push("id_token_hint", token.reveal()),
        }
        form.push("binding_message", self.message.as_str());
        form.push_list("acr_values", self.acr_values);
        form.push_some("requested_expiry", self.expires_in.map(|life| life.as_secs().to_string()).as_deref());
        client.sign(form)
    }
}

impl Started {
    /// Reads an answer, whatever its status.
    pub fn read(status: u16, headers: &Headers, body: &[u8]) -> Result<Self, Failure> {
        if status != 200 {
            return Err(Failure::read(status, headers, body));
        }
        Self::read_body(headers, body).map_err(Failure::Unreadable)
    }

    fn read_body(headers: &Headers, body: &[u8]) -> Result<Self, Unreadable> {
        let (mut id, mut expires_in, mut interval, mut wrong) = (None, None, None, false);
        object(headers, body, |name, reader| {
            match name {
                "auth_req_id" => id = Some(reader.string()?.text().into_owned()),
                "expires_in" => expires_in = Some(seconds(reader.number()?)),
                "interval" => interval = Some(seconds(reader.number()?)),
                "error" => wrong = true,
                _ => {}
            }
            Ok(())
        })?;
        let missing = Unreadable::Member;
        if wrong {
            return Err(missing("error"));
        }
        let id = id.filter(|id| id.len() <= MAX_ID && is_token(id)).ok_or(missing("auth_req_id"))?;
        let expires_in = expires_in.flatten().filter(|life| !life.is_zero()).ok_or(missing("expires_in"))?;
        let interval = interval.map_or(Some(INTERVAL), |interval| interval).ok_or(missing("interval"))?;
        Ok(Self {
            id: Secret::new(id),
            expires_in: expires_in.min(MAX_LIFE),
            interval: interval.clamp(Duration::from_secs(1), MAX_INTERVAL),
        })
    }
}

impl Polled {
    /// Reads an answer, whatever its status.
    pub fn read(status: u16, headers: &Headers, body: &[u8]) -> Self {
        match Issued::read(status, headers, body) {
            Ok(issued) => Self::Approved(issued),
            Err(Failure::Refused { error: ErrorCode::AuthorizationPending, .. }) => Self::Pending,
            Err(Failure::Refused { error: ErrorCode::SlowDown, .. }) => Self::SlowDown,
            Err(Failure::Refused { error: ErrorCode::AccessDenied, .. }) => Self::Denied,
            // An id that was used, or is another client's, is never good again.
            Err(Failure::Refused { error: ErrorCode::ExpiredToken | ErrorCode::InvalidGrant, .. }) => Self::Expired,
            Err(failure) => Self::Failed(failure),
        }
    }
}
