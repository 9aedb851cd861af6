//! The answer to a list: what the caller may not call is cut out, byte for byte.

use std::rc::Rc;

use super::policy::Policy;
use crate::filter::Chunk;
use crate::identity::Caller;
use crate::json::{Limits, Reader};
use crate::mcp::{Shape, filter_tools};
use crate::policy::Reason;

/// An answer that may have a list, and who gets it.
pub(super) struct Listing {
    policy: Rc<Policy>,
    caller: Caller,
    /// The raw id of the request; `None` on a GET stream, where answers to any request may come (MCP-G-03).
    id: Option<Box<str>>,
    form: Form,
}

enum Form {
    /// One JSON text, held until it is whole.
    Whole(Vec<u8>),
}

impl Listing {
    pub(super) fn whole(policy: Rc<Policy>, caller: Caller, id: Option<Box<str>>) -> Self {
        Self { policy, caller, id, form: Form::Whole(Vec::new()) }
    }

    pub(super) fn stream(policy: Rc<Policy>, caller: Caller, id: Option<Box<str>>) -> Self {
        Self { policy, caller, id, form: Form::Whole(Vec::new()) }
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self.form, Form::Whole(_))
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(super) fn id(&self) -> Option<Box<str>> {
        self.id.clone()
    }

    /// What to send in place of all that the proxy holds; `None` to send it as it is.
    pub(super) fn push(&mut self, chunk: Chunk<'_>) -> Result<Option<Vec<u8>>, Reason> {
        let Form::Whole(text) = &mut self.form;
        if text.len() + chunk.bytes.len() > self.policy.max_body {
            return Err(Reason::ResponseTooLarge);
        }
        text.extend_from_slice(chunk.bytes);
        if !chunk.end_of_stream {
            return Ok(None);
        }
        let text = core::mem::take(text);
        filter_message(&self.policy, &self.caller, self.id.as_deref(), &text)
    }
}

/// Filters one message. A response to another request than `id` cannot be told apart from a forged one (BY-S-04).
fn filter_message(policy: &Policy, caller: &Caller, id: Option<&str>, text: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
    let filtered =
        filter_tools(text, Limits::default(), |tool| policy.shows(caller, tool)).map_err(|_| Reason::ResponseUnreadable)?;
    let answers = matches!(filtered.shape, Shape::Result | Shape::Error);
    if let (true, Some(asked), Some(got)) = (answers, id, &filtered.id)
        && !same_id(asked, got.raw())
    {
        return Err(Reason::ResponseUnreadable);
    }
    Ok(filtered.text)
}

/// Whether two raw ids are one: `1` and `"1"` are not, and an escape makes no difference.
fn same_id(a: &str, b: &str) -> bool {
    let text = |raw: &str| Reader::new(raw.as_bytes(), Limits::default()).string().ok().map(|text| text.text().into_owned());
    a == b || text(a).is_some_and(|a| text(b) == Some(a))
}
