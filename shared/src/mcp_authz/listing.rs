//! The answer to a list: what the caller may not call is cut out, byte for byte.

use std::rc::Rc;

use super::policy::{Item, Policy};
use crate::filter::Chunk;
use crate::identity::Caller;
use crate::json::{Limits, Reader};
use crate::mcp::{Shape, filter_tools};
use crate::policy::{Reason, Wire};
use crate::sse::{Event, EventFilter, Output, Rewrite, Rewriter};

/// An answer that may have a list, and who gets it.
pub(super) struct Listing {
    view: View,
    form: Form,
}

/// What one caller may see.
#[derive(Clone)]
struct View {
    policy: Rc<Policy>,
    caller: Rc<Caller>,
    /// The raw id of the request; `None` on a GET stream, where answers to any request may come (MCP-G-03).
    id: Option<Box<str>>,
}

enum Form {
    /// Events, each filtered when it is whole.
    Events(Rewriter<Events>),
    /// One JSON text, held until it is whole.
    Whole(Vec<u8>),
}

/// What is to be sent in place of a chunk.
pub(super) struct Pushed {
    /// In place of all that the proxy holds; `None`: as it is.
    pub(super) text: Option<Vec<u8>>,
    /// Nothing behind `text` may be sent, for this reason.
    pub(super) failed: Option<Reason>,
}

impl Listing {
    pub(super) fn whole(policy: Rc<Policy>, caller: Caller, id: Option<Box<str>>) -> Self {
        Self { view: View { policy, caller: Rc::new(caller), id }, form: Form::Whole(Vec::new()) }
    }

    pub(super) fn events(policy: Rc<Policy>, caller: Caller, id: Option<Box<str>>) -> Self {
        let limit = policy.max_body;
        let view = View { policy, caller: Rc::new(caller), id };
        let events = Events { view: view.clone(), failed: None };
        Self { view, form: Form::Events(Rewriter::new(limit, events)) }
    }

    /// Whether the proxy has to hold the answer until it is whole.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.form, Form::Whole(_))
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.view.caller
    }

    /// The protocol in which an error has to be said from now on.
    pub(super) fn wire(&self) -> Wire {
        match self.form {
            Form::Events(_) => Wire::Events(self.view.id.clone()),
            Form::Whole(_) => Wire::JsonRpc(self.view.id.clone()),
        }
    }

    /// Takes the next part of the answer.
    pub(super) fn push(&mut self, chunk: Chunk<'_>) -> Pushed {
        match &mut self.form {
            Form::Events(rewriter) => {
                let mut text = match rewriter.push(chunk.bytes) {
                    Output::Bytes(bytes) => Some(bytes.into_owned()),
                    Output::Unchanged => None,
                };
                if chunk.end_of_stream {
                    let rest = rewriter.finish();
                    if !rest.is_empty() {
                        text.get_or_insert_with(|| chunk.bytes.to_vec()).extend(rest);
                    }
                }
                Pushed { text, failed: rewriter.filter().failed }
            }
            Form::Whole(text) if text.len() + chunk.bytes.len() > self.view.policy.max_body => {
                Pushed { text: None, failed: Some(Reason::ResponseTooLarge) }
            }
            Form::Whole(text) => {
                text.extend_from_slice(chunk.bytes);
                if !chunk.end_of_stream {
                    return Pushed { text: None, failed: None };
                }
                match self.view.filter(text) {
                    Ok(text) => Pushed { text, failed: None },
                    Err(reason) => Pushed { text: None, failed: Some(reason) },
                }
            }
        }
    }
}

/// Filters the messages in events of any name (BY-E-06).
struct Events {
    view: View,
    failed: Option<Reason>,
}

impl EventFilter for Events {
    fn on_event(&mut self, event: Event<'_>) -> Rewrite {
        let message = match &event.data {
            // Also where there is no data for us: there may be some for another client.
            _ if event.ambiguous => Err(Reason::ResponseUnreadable),
            // Keep-alives, and the event that only brings an id to resume from (MCP-T-07, MCP-G-03).
            None => return Rewrite::Keep,
            Some(data) if data.is_empty() => return Rewrite::Keep,
            Some(data) => self.view.filter(data),
        };
        match message {
            Ok(None) => Rewrite::Keep,
            Ok(Some(text)) => Rewrite::Data(text),
            Err(reason) => {
                self.failed = Some(reason);
                Rewrite::Cut(Vec::new())
            }
        }
    }

    fn on_too_large(&mut self) -> Vec<u8> {
        self.failed = Some(Reason::ResponseTooLarge);
        Vec::new()
    }
}

impl View {
    /// Filters one message. A response to another request cannot be told from a forged one (BY-S-04).
    fn filter(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
        let shows = |tool: &str| self.policy.shows(&self.caller, Item::Tool(tool));
        let filtered = filter_tools(text, Limits::default(), shows).map_err(|_| Reason::ResponseUnreadable)?;
        let answers = matches!(filtered.shape, Shape::Result | Shape::Error);
        if let (true, Some(asked), Some(got)) = (answers, &self.id, &filtered.id)
            && !same_id(asked, got.raw())
        {
            return Err(Reason::ResponseUnreadable);
        }
        Ok(filtered.text)
    }
}

/// Whether two raw ids are one: `1` and `"1"` are not, and an escape makes no difference.
fn same_id(a: &str, b: &str) -> bool {
    let text = |raw: &str| Reader::new(raw.as_bytes(), Limits::default()).string().ok().map(|text| text.text().into_owned());
    a == b || text(a).is_some_and(|a| text(b) == Some(a))
}
