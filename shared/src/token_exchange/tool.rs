//! Which tool a request calls, where its route depends on that: read from the body, once the headers were held against it.

use super::caller::{Arrival, Arrived};
use crate::filter::Head;
use crate::http::{Headers, media_type};
use crate::json::Limits;
use crate::mcp::{Method, check_headers, read_request};
use crate::policy::Reason;

/// A request whose body has not ended. Its headers wait.
pub(super) struct Calling {
    pub(super) arrived: Arrived,
    body: Vec<u8>,
}

/// Why a body says no tool that could be believed.
pub(super) struct Unreadable {
    pub(super) reason: Reason,
    /// The raw id to answer with.
    pub(super) id: Option<Box<str>>,
}

impl Calling {
    /// What its headers must say so that its body can be read in one way.
    pub(super) fn begin(head: Head<'_>, properties: usize, most: usize) -> Result<Self, Reason> {
        let headers = head.headers;
        let coding = headers.one("content-encoding").map_err(|_| Reason::RepeatedHeader)?;
        if !coding.is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity")) {
            return Err(Reason::UnsupportedEncoding);
        }
        let kind = headers.one("content-type").map_err(|_| Reason::RepeatedHeader)?.unwrap_or_default();
        let (essence, parameters) = media_type(kind);
        let utf8 = [&b""[..], b"charset=utf-8", b"charset=\"utf-8\""].iter().any(|known| parameters.eq_ignore_ascii_case(known));
        if essence != b"application/json" || !utf8 {
            return Err(Reason::UnsupportedMediaType);
        }
        if declared(headers).is_some_and(|length| length > most) {
            return Err(Reason::BodyTooLarge);
        }
        Ok(Self { arrived: Arrived::keep(Arrival::first(head), properties), body: Vec::new() })
    }

    /// Takes the next part of the body.
    pub(super) fn take(&mut self, bytes: &[u8], most: usize) -> Result<(), Reason> {
        if self.body.len() + bytes.len() > most {
            return Err(Reason::BodyTooLarge);
        }
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    /// With the whole body: the tool that is called, if one is. A modern request must say in its headers what its body says
    /// (MCP-H-01); one of the legacy era need not, and if it does it must be the same (MCP-E-02 item 5).
    pub(super) fn tool(&self) -> Result<Option<String>, Unreadable> {
        called(&self.body, self.arrived.head().headers)
    }
}

fn called(body: &[u8], headers: &Headers) -> Result<Option<String>, Unreadable> {
    let message = read_request(body, Limits::default()).map_err(|bad| {
        let id = bad.id.as_ref().map(|id| id.raw().into());
        Unreadable { reason: bad.fault.into(), id }
    })?;
    let id = || message.id.as_ref().map(|id| id.raw().into());
    check_headers(&message, headers).map_err(|fault| Unreadable { reason: fault.into(), id: id() })?;
    Ok(message.name().filter(|_| message.method == Method::ToolsCall).map(str::to_owned))
}

fn declared(headers: &Headers) -> Option<usize> {
    core::str::from_utf8(headers.one("content-length").ok()??).ok()?.parse().ok()
}
