//! Lists in answers: what is not to be seen is cut out, byte for byte (rules.md 1.5).

use std::borrow::Cow;

use super::{BadMessage, Fault, Id, Shape};
use crate::json::{self, Kind, Limits, Reader, Span, Splices, Str};
use crate::jsonrpc;
use crate::order::has_twice;

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
    const ALL: [Self; 4] = [Self::Prompts, Self::ResourceTemplates, Self::Resources, Self::Tools];

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

/// Filters `result.tools` of an answer; see [`filter_lists`].
pub fn filter_tools<'a>(
    text: &'a [u8],
    limits: Limits,
    mut keep: impl FnMut(&str) -> bool,
) -> Result<Filtered<'a>, BadMessage<'a>> {
    filter_lists(text, limits, |list, name| list != List::Tools || keep(name))
}

/// Cuts the items out of the lists of one answer for which `keep` says no.
///
/// An answer with a list gets `cacheScope: "private"` where it has another one, even if all items stay: what one caller
/// may see, a cache must not show to another (MCP-L-03). `nextCursor` stays (MCP-L-02). Messages without a list are
/// unchanged. An error means that the answer cannot be read as one message or that an item has no name or that of
/// another item; then nothing of it may go on (MCP-L-04).
pub fn filter_lists<'a>(
    text: &'a [u8],
    limits: Limits,
    mut keep: impl FnMut(List, &str) -> bool,
) -> Result<Filtered<'a>, BadMessage<'a>> {
    let mut seen = Seen::default();
    let envelope = jsonrpc::read(text, limits, &mut seen)?;
    let bad = |fault| BadMessage { fault, id: envelope.id };
    if let Some(fault) = seen.fault {
        return Err(bad(fault));
    }

    let mut out = Filtered { shape: envelope.shape, id: envelope.id, text: None, lists: Vec::new(), shown: 0, hidden: 0 };
    let mut splices = Splices::new();
    for list in &seen.lists {
        let keys: Vec<_> = list.items.iter().map(|(_, key)| key.text()).collect();
        if has_twice(&keys.iter().map(Cow::as_ref).collect::<Vec<_>>()) {
            return Err(bad(Fault::Malformed("two items of a list have one name")));
        }
        let spans: Vec<_> = list.items.iter().map(|(span, _)| *span).collect();
        let kept: Vec<_> = keys.iter().map(|key| keep(list.list, key)).collect();
        splices.remove_items(&spans, |index| kept.get(index).copied().unwrap_or_default());
        let shown = kept.iter().filter(|kept| **kept).count();
        out.shown += shown;
        out.hidden += kept.len() - shown;
        out.lists.push(list.list);
    }
    if let (false, Some(span)) = (seen.lists.is_empty(), seen.public) {
        splices.replace(span, *b"\"private\"");
    }
    if !splices.is_empty() {
        out.text = Some(splices.apply(text).map_err(|_| bad(Fault::Malformed("a list could not be edited")))?);
    }
    Ok(out)
}

#[derive(Default)]
struct Seen<'a> {
    fault: Option<Fault>,
    lists: Vec<Items<'a>>,
    /// A `cacheScope` that is not `private`.
    public: Option<Span>,
}

struct Items<'a> {
    list: List,
    items: Vec<(Span, Str<'a>)>,
}

const RESULT: &[&str] = &["cacheScope", "prompts", "resourceTemplates", "resources", "tools"];

impl<'a> jsonrpc::Parts<'a> for Seen<'a> {
    fn result(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            return Ok(());
        }
        reader.object(|name, reader| {
            if let Some(list) = List::ALL.into_iter().find(|list| name.eq_str(list.member())) {
                return self.list(list, reader);
            }
            if name.eq_str("cacheScope") {
                let start = reader.peek().map(|_| reader.position())?;
                let span = match reader.peek()? {
                    Kind::String if reader.string()?.eq_str("private") => return Ok(()),
                    Kind::String => Span { start, end: reader.position() },
                    _ => reader.skip()?,
                };
                self.public = Some(span);
            } else if jsonrpc::is_twin(&name.text(), RESULT) {
                self.fault.get_or_insert(Fault::CaseTwin);
            }
            Ok(())
        })?;
        Ok(())
    }
}

impl<'a> Seen<'a> {
    fn list(&mut self, list: List, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::List {
            self.fault.get_or_insert(Fault::Malformed("a list is not an array"));
            return Ok(());
        }
        let mut items = Vec::new();
        reader.array(|_, reader| {
            if reader.peek()? != Kind::Map {
                self.fault.get_or_insert(Fault::Malformed("an item of a list is not an object"));
                return Ok(());
            }
            let mut key = None;
            let span = reader.object(|name, reader| {
                if name.eq_str(list.key()) {
                    if reader.peek()? == Kind::String {
                        key = Some(reader.string()?);
                    }
                } else if jsonrpc::is_twin(&name.text(), &[list.key()]) {
                    self.fault.get_or_insert(Fault::CaseTwin);
                }
                Ok(())
            })?;
            match key {
                Some(key) => items.push((span, key)),
                None => {
                    self.fault.get_or_insert(Fault::Malformed("an item of a list has no name"));
                }
            }
            Ok(())
        })?;
        self.lists.push(Items { list, items });
        Ok(())
    }
}
