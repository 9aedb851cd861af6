//! What a server sends: everything in a message that a decision can depend on, read in one pass (rules.md 1.4, "answer").

use super::known::KnownLists;
use super::wanted::{Elicitation, Mode, Want, WantedUrl};
use super::{BadMessage, Fault, Id, List, Method, Shape};
use crate::json::{self, Kind, Limits, Reader, Span, Str};
use crate::jsonrpc;
use crate::order::has_twice;

/// A message of a server: an answer, a request of its own, or a notification.
#[derive(Clone, Debug)]
pub struct ServerMessage<'a> {
    /// What it is.
    pub shape: Shape,
    /// Its id, to be compared with that of the request (BY-S-04).
    pub id: Option<Id<'a>>,
    /// The method of a request or notification; `Method::None` for answers.
    pub method: Method,
    /// Its results: that of an answer, and what a task brings inside of it or in a notification (MCP-K-03).
    pub results: Vec<Payload>,
    /// Lists, in whichever result they stand.
    pub lists: Vec<ItemList<'a>>,
    /// URIs of `contents`; `None` for a content without one.
    pub contents: Vec<Option<Str<'a>>>,
    /// What the server wants from the client: with a request, `inputRequests`, or `error.data.elicitations` (MCP-G-07).
    pub wants: Vec<Want<'a>>,
    /// `params.uri` of a notification.
    pub uri: Option<Str<'a>>,
    /// Values of `cacheScope` other than `"private"`.
    pub shared: Vec<Span>,
    /// Values of `ttlMs`.
    pub lifetimes: Vec<Lifetime>,
    /// A `resultType` is none of those that are known (MCP-A-01).
    pub odd_type: bool,
}

/// A result, known by its shape: it can come by another way than its request (MCP-G-03, BY-S-03).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Payload {
    /// Where it stands.
    pub span: Span,
    /// The method that has results of this shape; `Unknown` if none that is known.
    pub of: Method,
    /// Whether it is a task's, inside of another result or of a notification.
    pub nested: bool,
}

/// A list in a result.
#[derive(Clone, Debug)]
pub struct ItemList<'a> {
    /// Of what.
    pub list: List,
    /// **All** of its items, in order. No two have one key.
    pub items: Vec<Item<'a>>,
}

/// One item of a list.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Where it stands.
    pub span: Span,
    /// [`List::key`] of it: what it is called by.
    pub key: Str<'a>,
}

/// How long an answer may be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetime {
    /// Where the value stands.
    pub span: Span,
    /// Milliseconds; `None` if it is no whole number that fits.
    pub millis: Option<u64>,
}

/// Reads one message of a server. An error means that nothing of it may go on where it has to be inspected (MCP-L-04).
pub fn read_answer<'a>(text: &'a [u8], limits: Limits) -> Result<ServerMessage<'a>, BadMessage<'a>> {
    read_seen(text, limits, Seen::default())
}

/// [`read_answer`], quicker where one of the `known` lists is in it. They know the lists of this one from then on.
pub fn read_answer_knowing<'a>(
    text: &'a [u8],
    limits: Limits,
    known: &'a KnownLists,
) -> Result<ServerMessage<'a>, BadMessage<'a>> {
    read_seen(text, limits, Seen { known: Some(known), ..Seen::default() })
}

fn read_seen<'a>(text: &'a [u8], limits: Limits, mut seen: Seen<'a>) -> Result<ServerMessage<'a>, BadMessage<'a>> {
    let envelope = jsonrpc::read(text, limits, &mut seen)?;
    if let Some(fault) = seen.fault {
        return Err(BadMessage { fault, id: envelope.id });
    }
    let method = match envelope.shape {
        Shape::Request | Shape::Notification => Method::from_text(&envelope.method),
        Shape::Result | Shape::Error => Method::None,
    };
    if envelope.shape == Shape::Request {
        let url = if method == Method::ElicitationCreate { seen.params.url() } else { WantedUrl::None };
        seen.wants.push(Want { method, url });
    }
    let Seen { results, lists, contents, wants, shared, lifetimes, odd_type, params, .. } = seen;
    Ok(ServerMessage {
        shape: envelope.shape,
        id: envelope.id,
        method,
        results,
        lists,
        contents,
        wants,
        uri: params.uri,
        shared,
        lifetimes,
        odd_type,
    })
}

/// Members of a result by which something is decided (BY-J-02).
const RESULT: &[&str] = &[
    "cacheScope",
    "completion",
    "content",
    "contents",
    "inputRequests",
    "messages",
    "prompts",
    "resourceTemplates",
    "resources",
    "result",
    "resultType",
    "structuredContent",
    "tools",
    "ttlMs",
];
const PARAMS: &[&str] = &["elicitations", "inputRequests", "mode", "result", "uri", "url"];
const WANT: &[&str] = &["method", "params", "mode", "url"];

/// What was seen, in whatever order it came.
#[derive(Default)]
struct Seen<'a> {
    /// Lists that may be in it.
    known: Option<&'a KnownLists>,
    fault: Option<Fault>,
    results: Vec<Payload>,
    lists: Vec<ItemList<'a>>,
    contents: Vec<Option<Str<'a>>>,
    wants: Vec<Want<'a>>,
    params: Elicitation<'a>,
    shared: Vec<Span>,
    lifetimes: Vec<Lifetime>,
    odd_type: bool,
}

impl<'a> jsonrpc::Parts<'a> for Seen<'a> {
    fn result(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        self.payload(reader, false)
    }

    fn params(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        reader.object(|name, reader| match () {
            () if name.eq_str("result") => self.payload(reader, true),
            () if name.eq_str("inputRequests") => self.input_requests(reader),
            () if self.params.read(&name, reader)? => Ok(()),
            () => self.twin(&name, PARAMS),
        })?;
        Ok(())
    }

    /// `data.elicitations` of `-32042` (2025-11-25).
    fn error(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        reader.object(|name, reader| {
            if !name.eq_str("data") {
                return self.twin(&name, &["data"]);
            }
            if reader.peek()? != Kind::Map {
                return Ok(());
            }
            reader.object(|name, reader| {
                if !name.eq_str("elicitations") {
                    return self.twin(&name, PARAMS);
                }
                if reader.peek()? != Kind::List {
                    self.wants.push(Want { method: Method::ElicitationCreate, url: WantedUrl::Unreadable });
                    return Ok(());
                }
                reader.array(|_, reader| {
                    let params = self.elicitation(reader)?;
                    self.wants.push(Want { method: Method::ElicitationCreate, url: params.url() });
                    Ok(())
                })?;
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    }
}

impl<'a> Seen<'a> {
    fn twin(&mut self, name: &Str<'a>, known: &[&str]) -> Result<(), json::Error> {
        if jsonrpc::is_twin(&name.text(), known) {
            self.fault.get_or_insert(Fault::CaseTwin);
        }
        Ok(())
    }

    fn malformed(&mut self, what: &'static str) -> Result<(), json::Error> {
        self.fault.get_or_insert(Fault::Malformed(what));
        Ok(())
    }

    /// A result of whatever shape. What is in it of several shapes counts as that of a call first.
    fn payload(&mut self, reader: &mut Reader<'a>, nested: bool) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            let span = reader.skip()?;
            self.results.push(Payload { span, of: Method::Unknown, nested });
            return Ok(());
        }
        let mut of = Method::Unknown;
        let mut add = |method: Method| {
            if of == Method::Unknown || method == Method::ToolsCall {
                of = method;
            }
        };
        let span = reader.object(|name, reader| {
            if let Some(list) = List::ALL.into_iter().find(|list| name.eq_str(list.member())) {
                add(list.method());
                return self.list(list, reader);
            }
            match () {
                () if name.eq_str("content") || name.eq_str("structuredContent") => add(Method::ToolsCall),
                () if name.eq_str("messages") => add(Method::PromptsGet),
                () if name.eq_str("completion") => add(Method::CompletionComplete),
                () if name.eq_str("contents") => {
                    add(Method::ResourcesRead);
                    return self.contents(reader);
                }
                () if name.eq_str("inputRequests") => return self.input_requests(reader),
                () if name.eq_str("cacheScope") => return self.scope(reader),
                () if name.eq_str("resultType") => return self.result_type(reader),
                () if name.eq_str("ttlMs") => return self.lifetime(reader),
                () if name.eq_str("result") && !nested => return self.payload(reader, true),
                () => return self.twin(&name, RESULT),
            }
            Ok(())
        })?;
        self.results.push(Payload { span, of, nested });
        Ok(())
    }

    fn list(&mut self, list: List, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::List {
            return self.malformed("a list is not an array");
        }
        if let Some(known) = self.known
            && let Some(items) = known.recall(list, reader)?
        {
            self.lists.push(ItemList { list, items });
            return Ok(());
        }
        let nodes = reader.nodes();
        let mut items = Vec::new();
        let span = reader.array(|_, reader| {
            if reader.peek()? != Kind::Map {
                return self.malformed("an item of a list is not an object");
            }
            let (span, key) = self.keyed(list.key(), reader)?;
            match key {
                Some(key) => items.push(Item { span, key }),
                None => return self.malformed("an item of a list has no name"),
            }
            Ok(())
        })?;
        let keys: Vec<_> = items.iter().map(|item| item.key.text()).collect();
        if has_twice(&keys.iter().map(AsRef::as_ref).collect::<Vec<&str>>()) {
            return self.malformed("two items of a list have one name");
        }
        if let (Some(known), None) = (self.known, self.fault) {
            known.keep(list, span, nodes, &items, reader);
        }
        self.lists.push(ItemList { list, items });
        Ok(())
    }

    fn contents(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::List {
            return self.malformed("contents is not an array");
        }
        reader.array(|_, reader| {
            let uri = if reader.peek()? == Kind::Map { self.keyed("uri", reader)?.1 } else { None };
            self.contents.push(uri);
            Ok(())
        })?;
        Ok(())
    }

    /// An object, and its member `known` if that is a string.
    fn keyed(&mut self, known: &'static str, reader: &mut Reader<'a>) -> Result<(Span, Option<Str<'a>>), json::Error> {
        let mut key = None;
        let span = reader.object(|name, reader| {
            if !name.eq_str(known) {
                return self.twin(&name, &[known]);
            }
            if reader.peek()? == Kind::String {
                key = Some(reader.string()?);
            }
            Ok(())
        })?;
        Ok((span, key))
    }

    fn scope(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        let start = reader.peek().map(|_| reader.position())?;
        let span = match reader.peek()? {
            Kind::String if reader.string()?.eq_str("private") => return Ok(()),
            Kind::String => Span { start, end: reader.position() },
            _ => reader.skip()?,
        };
        self.shared.push(span);
        Ok(())
    }

    fn result_type(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        let text = if reader.peek()? == Kind::String { Some(reader.string()?) } else { None };
        self.odd_type |= !text.is_some_and(|text| ["complete", "input_required", "task"].iter().any(|known| text.eq_str(known)));
        Ok(())
    }

    fn lifetime(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        let start = reader.peek().map(|_| reader.position())?;
        let lifetime = if reader.peek()? == Kind::Number {
            let millis = reader.number()?.parse().ok();
            Lifetime { span: Span { start, end: reader.position() }, millis }
        } else {
            Lifetime { span: reader.skip()?, millis: None }
        };
        self.lifetimes.push(lifetime);
        Ok(())
    }

    /// `inputRequests`: names to requests (MRTR, tasks).
    fn input_requests(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        let unreadable = Want { method: Method::Unknown, url: WantedUrl::Unreadable };
        if reader.peek()? != Kind::Map {
            self.wants.push(unreadable);
            return Ok(());
        }
        reader.object(|_, reader| {
            let want = if reader.peek()? == Kind::Map { self.input_request(reader)? } else { unreadable };
            self.wants.push(want);
            Ok(())
        })?;
        Ok(())
    }

    fn input_request(&mut self, reader: &mut Reader<'a>) -> Result<Want<'a>, json::Error> {
        let (mut method, mut params) = (Method::Unknown, Elicitation::default());
        reader.object(|name, reader| match () {
            () if name.eq_str("method") => {
                if reader.peek()? == Kind::String {
                    method = Method::from_text(&reader.string()?.text());
                }
                Ok(())
            }
            () if name.eq_str("params") => {
                params = self.elicitation(reader)?;
                Ok(())
            }
            () => self.twin(&name, WANT),
        })?;
        let url = if method == Method::ElicitationCreate { params.url() } else { WantedUrl::None };
        Ok(Want { method, url })
    }

    fn elicitation(&mut self, reader: &mut Reader<'a>) -> Result<Elicitation<'a>, json::Error> {
        let mut params = Elicitation::default();
        if reader.peek()? != Kind::Map {
            params.mode = Some(Mode::Other);
            return Ok(params);
        }
        reader.object(|name, reader| if params.read(&name, reader)? { Ok(()) } else { self.twin(&name, WANT) })?;
        Ok(params)
    }
}
