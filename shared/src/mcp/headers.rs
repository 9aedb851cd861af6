//! Routing headers against the body (rules.md 1.2, mirrored headers).

use std::borrow::Cow;

use super::{Era, Message, Method, Shape, Version};
use crate::base64;
use crate::http::Headers;

/// Why headers and body do not belong together. Each is HTTP status 400.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeaderFault {
    /// Header and body speak of two eras (MCP-E-02 item 4).
    AmbiguousEra,
    /// A header has characters or an encoding that it must not have (MCP-H-01, MCP-H-02).
    Illegal(&'static str),
    /// A header says another thing than the body (MCP-H-01).
    Mismatch(&'static str),
    /// A modern request without a header that it must have (MCP-H-01).
    Missing(&'static str),
    /// The header names a modern version, the body has no metadata (MCP-T-10).
    MissingMeta,
    /// A header stands there twice (MCP-H-05).
    Repeated(&'static str),
    /// A client must not send responses in the modern era (MCP-T-02).
    ResponseRefused,
    /// A version that is not known here (MCP-T-10).
    UnsupportedVersion,
}

const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// Whether the headers say what the body says; the era of the message. Decide on the body after this, never on a header.
///
/// `Mcp-Param-*` cannot be compared without the schema of the tool; such headers go on as they are (MCP-H-04).
pub fn check_headers(message: &Message<'_>, headers: &Headers) -> Result<Era, HeaderFault> {
    let version = value(headers, VERSION)?;
    let method = value(headers, METHOD)?;
    let name = value(headers, NAME)?.map(decode).transpose()?;

    let era = era(message, version)?;
    if era == Era::Modern && message.shape == Shape::Request {
        required(version, VERSION)?;
        required(method, METHOD)?;
        if message.method.needs_name_header() {
            required(name.as_deref(), NAME)?;
        }
    }
    match method {
        Some(text) if message.method == Method::None || text != message.method_text => Err(HeaderFault::Mismatch(METHOD)),
        _ if name.is_some() && name.as_deref() != message.key.as_deref() => Err(HeaderFault::Mismatch(NAME)),
        _ => Ok(era),
    }
}

/// MCP-E-02. A header that is there must fit; one that is missing is judged by the caller.
fn era(message: &Message<'_>, header: Option<&str>) -> Result<Era, HeaderFault> {
    let header = header.map(|text| (text, Version::from_text(text)));
    let Some(meta) = &message.meta_version else {
        return match header {
            None => Ok(Era::Legacy),
            Some((_, None)) => Err(HeaderFault::UnsupportedVersion),
            Some((_, Some(version))) => match (version.era(), message.shape) {
                (Era::Legacy, _) => Ok(Era::Legacy),
                (Era::Modern, Shape::Result | Shape::Error) => Err(HeaderFault::ResponseRefused),
                (Era::Modern, _) if message.method == Method::Initialize => Err(HeaderFault::AmbiguousEra),
                (Era::Modern, Shape::Request) => Err(HeaderFault::MissingMeta),
                (Era::Modern, Shape::Notification) => Ok(Era::Modern),
            },
        };
    };
    match (Version::from_text(meta).map(Version::era), header) {
        (Some(Era::Legacy), _) => Err(HeaderFault::AmbiguousEra),
        // Also where neither is known (MCP-H-01): the client must first know itself what it speaks.
        (_, Some((text, _))) if text != meta => Err(HeaderFault::Mismatch(VERSION)),
        (Some(Era::Modern), _) => Ok(Era::Modern),
        (None, _) => Err(HeaderFault::UnsupportedVersion),
    }
}

fn required<T>(value: Option<T>, name: &'static str) -> Result<T, HeaderFault> {
    value.ok_or(HeaderFault::Missing(name))
}

/// The one value of a header without the blanks around it (MCP-H-08).
fn value<'a>(headers: &'a Headers, name: &'static str) -> Result<Option<&'a str>, HeaderFault> {
    let Some(value) = headers.one(name).map_err(|_| HeaderFault::Repeated(name))? else { return Ok(None) };
    let visible = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    if !value.iter().all(visible) {
        return Err(HeaderFault::Illegal(name));
    }
    let text = core::str::from_utf8(value).map_err(|_| HeaderFault::Illegal(name))?;
    Ok(Some(text.trim_ascii()))
}

/// Undoes `=?base64?…?=` (MCP-H-02). What looks like the start of it and is not right is refused.
fn decode(text: &str) -> Result<Cow<'_, str>, HeaderFault> {
    let Some(encoded) = text.strip_prefix("=?base64?").and_then(|text| text.strip_suffix("?=")) else {
        return Ok(Cow::Borrowed(text));
    };
    let bytes = base64::decode(encoded.as_bytes()).ok_or(HeaderFault::Illegal(NAME))?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| HeaderFault::Illegal(NAME))
}
