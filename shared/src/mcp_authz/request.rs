//! What can be said of a request before its body, and of its body before the rules.

use super::policy::Policy;
use crate::http::{Headers, media_type};
use crate::json::Limits;
use crate::mcp::{BadMessage, Era, Message, Version, check_headers, read_request};
use crate::path;
use crate::policy::{Denial, Reason};

/// What a request wants to be, by its HTTP method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// POST: a message in the body.
    Message,
    /// GET: the stream of a legacy session (MCP-G-03).
    Stream,
    /// DELETE: the end of a legacy session (MCP-G-05).
    EndSession,
}

/// Headers of which two lines are refused: peers take the first or the last of them (BY-H-07).
const SINGLE: &[&str] = &["authorization", "content-type", "content-encoding", "content-length", "mcp-session-id", "origin"];
/// Headers that the body is held against.
const ROUTING: &[&str] = &["mcp-protocol-version", "mcp-method", "mcp-name"];

/// Judges a request by its headers alone.
pub(super) fn judge_head(policy: &Policy, headers: &Headers, end_of_stream: bool) -> Result<Kind, (Reason, Denial)> {
    let legacy = accepts_legacy(policy);
    judge_headers(policy, headers, end_of_stream, legacy).map_err(|reason| match reason {
        Reason::UnsupportedMethod => (reason, Denial::Methods(if legacy { "POST, GET, DELETE" } else { "POST" })),
        _ => (reason, Denial::Refuse),
    })
}

/// Whether a version with sessions may be spoken here.
pub(super) fn accepts_legacy(policy: &Policy) -> bool {
    policy.versions.iter().any(|version| version.era() == Era::Legacy)
}

fn judge_headers(policy: &Policy, headers: &Headers, end_of_stream: bool, legacy: bool) -> Result<Kind, Reason> {
    if SINGLE.iter().any(|name| headers.one(name).is_err()) || headers.all("authorization").any(has_two_credentials) {
        return Err(Reason::RepeatedHeader);
    }
    if headers.has("upgrade") || headers.one(":method") == Ok(Some(b"CONNECT")) {
        return Err(Reason::UpgradeRefused);
    }
    if let Ok(Some(origin)) = headers.one("origin")
        && !policy.origins.iter().any(|known| known.as_bytes() == origin)
    {
        return Err(Reason::OriginRefused);
    }
    let Some((_, query)) = headers.one(":path").ok().flatten().and_then(path::split) else {
        return Err(Reason::InvalidPath);
    };
    if query.is_some_and(has_token) {
        return Err(Reason::TokenInQuery);
    }
    match headers.one(":method") {
        Ok(Some(b"POST")) => {}
        Ok(Some(b"GET")) if legacy && end_of_stream && accepts_events(headers) => return Ok(Kind::Stream),
        Ok(Some(b"DELETE")) if legacy && end_of_stream => return Ok(Kind::EndSession),
        _ => return Err(Reason::UnsupportedMethod),
    }
    if !headers.one("content-encoding").ok().flatten().is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity")) {
        return Err(Reason::UnsupportedEncoding);
    }
    let content_type = headers.one("content-type").ok().flatten().unwrap_or_default();
    if content_type != b"application/json" && !is_json(content_type) {
        return Err(Reason::UnsupportedMediaType);
    }
    if declared_length(headers).is_some_and(|length| length > policy.max_body) {
        return Err(Reason::BodyTooLarge);
    }
    if end_of_stream { Err(Reason::MalformedJson) } else { Ok(Kind::Message) }
}

/// Whether it is JSON in UTF-8, however that is written.
fn is_json(content_type: &[u8]) -> bool {
    let (essence, parameters) = media_type(content_type);
    essence == b"application/json"
        && (parameters.is_empty()
            || parameters.eq_ignore_ascii_case(b"charset=utf-8")
            || parameters.eq_ignore_ascii_case(b"charset=\"utf-8\""))
}

/// The headers that [`judge_message`] needs, kept until the body is there.
pub(super) fn routing(headers: &Headers) -> Headers {
    ROUTING.iter().flat_map(|name| headers.all(name).map(move |value| (name, value))).collect()
}

/// Why a body is not judged by the rules.
pub(super) struct BadBody<'a> {
    pub(super) reason: Reason,
    /// The raw id to answer with.
    pub(super) id: Option<&'a str>,
    pub(super) denial: Denial,
}

/// Reads a whole body as one message that its headers agree with.
pub(super) fn judge_message<'a>(policy: &Policy, body: &'a [u8], routing: &Headers) -> Result<(Message<'a>, Era), BadBody<'a>> {
    let message = read_request(body, Limits::default()).map_err(|bad: BadMessage<'a>| {
        let id = bad.id.as_ref().map(|id| id.raw());
        BadBody { reason: bad.fault.into(), id, denial: Denial::Refuse }
    })?;
    let id = message.id.as_ref().map(|id| id.raw());
    let header = routing.one("mcp-protocol-version").ok().flatten().and_then(|value| core::str::from_utf8(value).ok());
    let wanted = message.meta_version.as_deref().or(header).map(str::trim);
    let bad = |reason| {
        let supported = policy.versions.iter().map(|version| version.text()).collect();
        let denial = match reason {
            Reason::UnsupportedVersion => Denial::Versions { supported, requested: wanted.unwrap_or_default().to_owned() },
            _ => Denial::Refuse,
        };
        BadBody { reason, id, denial }
    };
    let era = check_headers(&message, routing).map_err(|fault| bad(fault.into()))?;
    let spoken = match wanted.and_then(Version::from_text) {
        Some(version) => policy.versions.contains(&version),
        // A legacy request may leave the header out (MCP-E-04, `initialize`).
        None => policy.versions.iter().any(|version| version.era() == era),
    };
    if spoken { Ok((message, era)) } else { Err(bad(Reason::UnsupportedVersion)) }
}

fn accepts_events(headers: &Headers) -> bool {
    let accepted = |value: &[u8]| value.split(|c| *c == b',').any(|part| media_type(part).0 == b"text/event-stream");
    headers.all("accept").any(accepted)
}

/// Whether two credentials were joined to one line, as Envoy does with two lines of `authorization` before any filter sees
/// them. A comma behind `scheme token68` (RFC 9110 section 11.4) starts another one; between parameters it does not.
fn has_two_credentials(value: &[u8]) -> bool {
    let token = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    let Some(comma) = memchr::memchr(b',', value) else { return false };
    let first = value.get(..comma).unwrap_or_default().trim_ascii();
    let Some(blank) = memchr::memchr(b' ', first) else { return true };
    let mut credential = first.get(blank..).unwrap_or_default().trim_ascii();
    while let Some(rest) = credential.strip_suffix(b"=") {
        credential = rest;
    }
    credential.iter().all(token)
}

/// Whether the query has a token (RFC 6750 section 2.3), however its name is written.
fn has_token(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        path::decode(name).is_some_and(|name| name.eq_ignore_ascii_case("access_token"))
    })
}

fn declared_length(headers: &Headers) -> Option<usize> {
    core::str::from_utf8(headers.one("content-length").ok()??).ok()?.parse().ok()
}

/// Whether the request brings a token (RFC 6750 section 2.1). The scheme has no case.
pub(super) fn has_bearer(headers: &Headers) -> bool {
    let bearer = |value: &[u8]| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    headers.all("authorization").any(bearer)
}
