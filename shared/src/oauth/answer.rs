//! The answer of a token endpoint (RFC 6749 section 5.1, RFC 8693 section 2.2.1).

use super::failure::{Failure, Unreadable};
use super::token_type::TokenType;
use crate::http::{self, Headers};
use crate::json::{self, Limits, Reader, has_control};
use crate::secret::Secret;
use crate::time::Duration;

/// Largest answer in bytes (BY-X-07).
pub const MAX_ANSWER: usize = 64 * 1024;
/// Longest token in bytes (OA-J-13).
const MAX_TOKEN: usize = 16 * 1024;
/// Most scopes in one answer.
const MAX_TEXTS: usize = 256;
/// Longest life that is taken for said; what is more is cut to it.
const MAX_LIFE: u64 = 10 * 365 * 86_400;
/// Answers are small and flat; some servers add a few objects of their own.
pub(super) const LIMITS: Limits = Limits { depth: 16, number: 32, nodes: 2_000 };

/// What a token service issued, as it says. Nobody has judged it yet. A refresh token is dropped (OA-TE-03).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    /// The token, which fits into a header.
    pub token: Secret<String>,
    /// What kind of token it is; RFC 8693 requires it, other grants do not have it.
    pub kind: Option<TokenType>,
    /// How it may be used.
    pub usage: Usage,
    /// How long from now it is good.
    pub expires_in: Option<Duration>,
    /// What it grants; `None`: it is said to be what was asked for.
    pub scopes: Option<Vec<String>>,
}

/// How a token may be used: `token_type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Usage {
    /// As a bearer token (RFC 6750).
    Bearer,
    /// With a proof of possession only (RFC 9449).
    Dpop,
    /// Not as an access token at all (RFC 8693 section 2.2.1).
    NotApplicable,
}

impl Issued {
    /// Reads an answer, whatever its status.
    pub fn read(status: u16, headers: &Headers, body: &[u8]) -> Result<Self, Failure> {
        if status != 200 {
            return Err(Failure::read(status, headers, body));
        }
        Self::read_body(headers, body).map_err(Failure::Unreadable)
    }

    fn read_body(headers: &Headers, body: &[u8]) -> Result<Self, Unreadable> {
        let mut token = None;
        let mut kind = None;
        let mut usage = None;
        let mut expires_in = None;
        let mut scopes = None;
        let mut wrong = None;
        object(headers, body, |name, reader| {
            match name {
                "access_token" => token = Some(reader.string()?.text().into_owned()),
                "issued_token_type" => kind = Some(TokenType::from_urn(&reader.string()?.text())),
                "token_type" => usage = Some(Usage::read(&reader.string()?.text())),
                "expires_in" => expires_in = Some(seconds(reader.number()?)),
                "scope" => scopes = Some(texts(&reader.string()?.text())),
                "error" => wrong = Some("error"),
                _ => {}
            }
            Ok(())
        })?;
        if let Some(name) = wrong {
            return Err(Unreadable::Member(name));
        }
        let token = token.filter(|token| is_token(token)).ok_or(Unreadable::Member("access_token"))?;
        let some = |name| Unreadable::Member(name);
        Ok(Self {
            token: Secret::new(token),
            kind: kind.map(|kind| kind.ok_or(some("issued_token_type"))).transpose()?,
            usage: usage.flatten().ok_or(some("token_type"))?,
            expires_in: expires_in.map(|life| life.ok_or(some("expires_in"))).transpose()?,
            scopes: scopes.map(|scopes| scopes.ok_or(some("scope"))).transpose()?,
        })
    }
}

impl Usage {
    /// RFC 6749 section 5.1: without case.
    pub(super) fn read(text: &str) -> Option<Self> {
        let known = [("Bearer", Self::Bearer), ("DPoP", Self::Dpop), ("N_A", Self::NotApplicable)];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, usage)| usage)
    }
}

/// Reads a body that must be one strict JSON object.
pub(super) fn object(
    headers: &Headers,
    body: &[u8],
    mut member: impl FnMut(&str, &mut Reader<'_>) -> Result<(), json::Error>,
) -> Result<(), Unreadable> {
    if body.len() > MAX_ANSWER {
        return Err(Unreadable::TooLarge);
    }
    if !is_json(headers) {
        return Err(Unreadable::MediaType);
    }
    let mut reader = Reader::new(body, LIMITS);
    let read = reader.object(|name, reader| member(&name.text(), reader));
    read.and_then(|_| reader.finish()).map_err(|_| Unreadable::Malformed)
}

/// Whether the one content type is JSON in UTF-8, and nothing is encoded (RFC 6749 section 5.1).
pub(super) fn is_json(headers: &Headers) -> bool {
    let Ok(Some(value)) = headers.one("content-type") else { return false };
    http::media_type(value).0 == b"application/json" && !headers.has("content-encoding")
}

/// Whole seconds; neither negative nor broken.
pub(super) fn seconds(number: &str) -> Option<Duration> {
    number.parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(MAX_LIFE)))
}

/// Texts that are separated by a space each (RFC 6749 section 3.3): no other white space, no quotes, not too many.
pub(super) fn texts(text: &str) -> Option<Vec<String>> {
    let fits = |c: u8| matches!(c, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
    let found: Vec<String> = text.split(' ').filter(|part| !part.is_empty()).map(Into::into).collect();
    (text.bytes().all(fits) && found.len() <= MAX_TEXTS).then_some(found)
}

/// Whether it is a bearer token in form (RFC 6750 section 2.1), so that it can be put into a header (BY-X-10).
pub(super) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !body.is_empty() && text.len() <= MAX_TOKEN && body.bytes().all(fits)
}

/// Whether it is a text with something in it and no control characters.
pub(super) fn is_text(text: &str) -> bool {
    !text.is_empty() && !has_control(text)
}
