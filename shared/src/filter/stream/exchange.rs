//! What filter, effects and stream know of one exchange.

use std::rc::Rc;

use super::super::Settings;
use super::super::event::{Direction, Head};
use crate::audit::About;
use crate::http::Headers;
use crate::policy::Wire;

/// One exchange, as far as it is known.
pub(in crate::filter) struct Exchange {
    pub(in crate::filter) plugin: &'static str,
    pub(in crate::filter) settings: Settings,
    pub(in crate::filter) request: Side,
    pub(in crate::filter) response: Side,
    pub(in crate::filter) decided: bool,
    /// The answer is neither read nor shown to the filter.
    pub(in crate::filter) skips_response: bool,
    pub(in crate::filter) about: About,
    pub(in crate::filter) wire: Wire,
    pub(in crate::filter) request_id: Option<Rc<str>>,
    pub(in crate::filter) trace: Option<Rc<str>>,
    /// The filter did something that it may not; the event fails closed.
    pub(in crate::filter) broken: bool,
}

/// One direction.
#[derive(Default)]
pub(in crate::filter) struct Side {
    /// Its headers have come.
    pub(in crate::filter) begun: bool,
    /// Its headers have gone on.
    pub(in crate::filter) headers_gone: bool,
    /// Bytes of its body have gone on.
    pub(super) bytes_gone: bool,
    /// Its last part has come.
    pub(super) ended: bool,
    /// The proxy holds body bytes of it, for us.
    pub(super) holding: bool,
    /// Nothing of its body goes on any more.
    pub(super) swallows: bool,
    pub(in crate::filter) edits_body: bool,
    pub(in crate::filter) skips_body: bool,
    /// In this event the body was replaced, by something or by nothing.
    pub(in crate::filter) replaced: Option<bool>,
    /// Which of [`DESCRIBING`] are there, a bit each.
    pub(in crate::filter) described: u8,
}

/// Headers that describe the bytes of a body (BY-E-12).
pub(in crate::filter) const DESCRIBING: [&str; 6] =
    ["content-length", "content-digest", "repr-digest", "digest", "content-md5", "etag"];

// === impl Exchange ===

impl Exchange {
    pub(in crate::filter) fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    pub(super) fn side_ref(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }

    /// Takes what names this exchange in logs: the proxy's request id and the W3C trace id.
    pub(super) fn identify(&mut self, headers: &Headers) {
        let id = headers.one("x-request-id").ok().flatten().and_then(|id| core::str::from_utf8(id).ok());
        self.request_id = id.filter(|id| !id.is_empty()).map(Into::into);
        self.trace = headers.one("traceparent").ok().flatten().and_then(trace_id);
    }
}

impl Side {
    pub(super) fn begin(&mut self, head: Head<'_>) {
        self.begun = true;
        self.ended = head.end_of_stream;
        self.described = DESCRIBING.iter().rev().fold(0, |bits, name| bits << 1 | u8::from(head.headers.has(name)));
    }
}

/// The trace id of a `traceparent` value (W3C Trace Context section 3.2.2.3).
fn trace_id(value: &[u8]) -> Option<Rc<str>> {
    let id = core::str::from_utf8(value.get(3..35)?).ok()?;
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let well_formed =
        id.bytes().all(hex) && id.bytes().any(|c| c != b'0') && value.get(2) == Some(&b'-') && value.get(35) == Some(&b'-');
    well_formed.then(|| id.into())
}
