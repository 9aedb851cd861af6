//! Lists in answers: what is not to be seen is cut out, byte for byte (rules.md 1.5).

use super::{BadMessage, Fault, Id, Method, ServerMessage, Shape, read_answer};
use crate::json::{Limits, Splices};

/// A list that an answer may have. Recognized by its shape, because an answer can come by another way than its request
/// (MCP-G-03, BY-S-03).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum List {
    /// `result.prompts[].name`
    Prompts,
    /// `result.resourceTemplates[].uriTemplate`
    ResourceTemplates,
    /// `result.resources[].uri`
    Resources,
    /// `result.tools[].name`
    Tools,
}

impl List {
    pub(super) const ALL: [Self; 4] = [Self::Prompts, Self::ResourceTemplates, Self::Resources, Self::Tools];

    /// The member of `result`.
    pub fn member(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::ResourceTemplates => "resourceTemplates",
            Self::Resources => "resources",
            Self::Tools => "tools",
        }
    }

    /// The member of an item by which it is called.
    pub fn key(self) -> &'static str {
        match self {
            Self::Prompts | Self::Tools => "name",
            Self::ResourceTemplates => "uriTemplate",
            Self::Resources => "uri",
        }
    }

    /// The method that asks for it.
    pub fn method(self) -> Method {
        match self {
            Self::Prompts => Method::PromptsList,
            Self::ResourceTemplates => Method::ResourcesTemplatesList,
            Self::Resources => Method::ResourcesList,
            Self::Tools => Method::ToolsList,
        }
    }
}

/// How the lists of a message are shown to one caller.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    splices: Splices,
    /// Items that stay, of each list in order.
    pub shown: Vec<usize>,
    /// Items that were cut out.
    pub hidden: usize,
}

/// An answer after filtering.
#[derive(Clone, Debug)]
pub struct Filtered<'a> {
    /// What kind of message it is. Only results are filtered.
    pub shape: Shape,
    /// Its id, to be compared with that of the request (BY-S-04).
    pub id: Option<Id<'a>>,
    /// The text to send instead; `None` if not a byte changes.
    pub text: Option<Vec<u8>>,
    /// The lists that it has.
    pub lists: Vec<List>,
    /// Items that stay.
    pub shown: usize,
    /// Items that were cut out.
    pub hidden: usize,
}

impl ServerMessage<'_> {
    /// Cuts the items out of the lists for which `keep` says no. `max_ttl`: no longer than so many milliseconds may a list
    /// be kept.
    ///
    /// What was filtered for one caller, and a resource that was read for one, gets `cacheScope: "private"` where it has
    /// another one, even if nothing goes: what one caller may see, a cache must not show to another (MCP-L-03).
    /// `nextCursor` stays (MCP-L-02).
    pub fn show(&self, max_ttl: Option<u64>, mut keep: impl FnMut(List, &str, &super::Item<'_>) -> bool) -> Shown {
        let mut out = Shown::default();
        for list in &self.lists {
            let spans: Vec<_> = list.items.iter().map(|item| item.span).collect();
            let kept: Vec<_> = list.items.iter().map(|item| keep(list.list, &item.key.text(), item)).collect();
            out.splices.remove_items(&spans, |index| kept.get(index).copied().unwrap_or_default());
            let shown = kept.iter().filter(|kept| **kept).count();
            out.hidden += kept.len() - shown;
            out.shown.push(shown);
        }
        if !self.lists.is_empty() || !self.contents.is_empty() {
            for span in &self.shared {
                out.splices.replace(*span, *b"\"private\"");
            }
        }
        if let (false, Some(max)) = (self.lists.is_empty(), max_ttl) {
            for lifetime in self.lifetimes.iter().filter(|lifetime| lifetime.millis.is_none_or(|millis| millis > max)) {
                out.splices.replace(lifetime.span, max.to_string());
            }
        }
        out
    }
}

impl Shown {
    /// The text to send in place of `text`; `None` if not a byte changes.
    pub fn apply(self, text: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if self.splices.is_empty() {
            return Ok(None);
        }
        self.splices.apply(text).map(Some).map_err(|_| Fault::Malformed("a list could not be edited"))
    }
}

/// Filters `result.tools` of an answer; see [`filter_lists`].
pub fn filter_tools<'a>(
    text: &'a [u8],
    limits: Limits,
    mut keep: impl FnMut(&str) -> bool,
) -> Result<Filtered<'a>, BadMessage<'a>> {
    filter_lists(text, limits, |list, name| list != List::Tools || keep(name))
}

/// Reads one answer and cuts out of its lists what `keep` does not name; see [`ServerMessage::show`].
///
/// Messages without a list are unchanged. An error means that the answer cannot be read as one message or that an item has
/// no name or that of another item; then nothing of it may go on (MCP-L-04).
pub fn filter_lists<'a>(
    text: &'a [u8],
    limits: Limits,
    mut keep: impl FnMut(List, &str) -> bool,
) -> Result<Filtered<'a>, BadMessage<'a>> {
    let message = read_answer(text, limits)?;
    let edits = message.show(None, |list, key, _| keep(list, key));
    Ok(Filtered {
        shape: message.shape,
        id: message.id,
        lists: message.lists.iter().map(|list| list.list).collect(),
        shown: edits.shown.iter().sum(),
        hidden: edits.hidden,
        text: edits.apply(text).map_err(|fault| BadMessage { fault, id: message.id })?,
    })
}
