//! What a client sends.

use std::borrow::Cow;

use super::{BadMessage, Era, Fault, Id, Key, Method, Shape, Version};
use crate::json::{self, Kind, Limits, Reader, Span, Str, has_control};
use crate::jsonrpc;

/// A message of a client, with everything that a decision can depend on. Read from the whole body, in one pass.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Request, notification or response. Notifications are authorized like requests (BY-J-12).
    pub shape: Shape,
    /// The id; `None` for notifications.
    pub id: Option<Id<'a>>,
    /// The method; `Method::None` for responses.
    pub method: Method,
    /// The method as the client wrote it.
    pub method_text: Cow<'a, str>,
    /// `params._meta["io.modelcontextprotocol/protocolVersion"]` as the client wrote it.
    pub meta_version: Option<Cow<'a, str>>,
    /// `params.protocolVersion` of `initialize`: what the client would like to speak; any text.
    pub wanted_version: Option<Cow<'a, str>>,
    /// What the method names ([`Method::key`]): a tool, prompt, URI or task. No control characters (BY-J-05).
    pub key: Option<Cow<'a, str>>,
    /// Whether `key` came from `params.ref.uri` or `params.uri`, so that it is a URI.
    pub key_is_uri: bool,
    /// Where `params` stand.
    pub params: Option<Span>,
    /// Where `params.arguments` stand: an object. In it only repeated names are refused.
    pub arguments: Option<Span>,
    /// Whether `params.cursor` is there: a later page of a list. The empty string is a cursor (MCP-L-02).
    pub cursor: bool,
    /// Whether `params.task` is there: a call whose result is fetched later (2025-11-25).
    pub task: bool,
    /// Whether `params.inputResponses` is there: answers to what the server asked of the client (2026-07-28).
    pub input_responses: bool,
    /// `params.notifications.resourceSubscriptions` of `subscriptions/listen`.
    pub subscriptions: Vec<Cow<'a, str>>,
    /// `params.notifications.taskIds` of `subscriptions/listen`.
    pub subscribed_tasks: Vec<Cow<'a, str>>,
}

impl Message<'_> {
    /// The era that the body speaks of (MCP-E-01, MCP-E-02). `None` where it names a version that is not known.
    pub fn era(&self) -> Option<Era> {
        match &self.meta_version {
            None => Some(Era::Legacy),
            Some(text) => Version::from_text(text).map(Version::era),
        }
    }

    /// `params.name` of a call or prompt.
    pub fn name(&self) -> Option<&str> {
        self.key.as_deref().filter(|_| self.method.key() == Key::Name)
    }

    /// `params.uri` of a resource.
    pub fn uri(&self) -> Option<&str> {
        self.key.as_deref().filter(|_| self.method.key() == Key::Uri)
    }
}

/// Reads a request body as one message. The first fault wins; a fault of the JSON wins over all.
pub fn read_request<'a>(body: &'a [u8], limits: Limits) -> Result<Message<'a>, BadMessage<'a>> {
    let mut params = Params::default();
    let envelope = jsonrpc::read(body, limits, &mut params)?;
    let method = match envelope.shape {
        Shape::Request | Shape::Notification => params.method_of_era(Method::from_text(&envelope.method)),
        Shape::Result | Shape::Error => Method::None,
    };
    match params.judge(method) {
        Err(fault) => Err(BadMessage { fault, id: envelope.id }),
        Ok(key) => Ok(Message {
            shape: envelope.shape,
            id: envelope.id,
            method,
            method_text: envelope.method,
            meta_version: params.meta_version.as_ref().map(Str::text),
            wanted_version: params.wanted_version.text().map(|text| text.text()),
            key_is_uri: match method.key() {
                Key::Uri => true,
                Key::Reference => params.ref_uri.is_text(),
                _ => false,
            },
            key,
            params: envelope.params,
            arguments: params.arguments,
            cursor: params.cursor,
            task: params.task,
            input_responses: params.input_responses,
            subscriptions: params.subscriptions,
            subscribed_tasks: params.subscribed_tasks,
        }),
    }
}

/// Members of `params` by which something is decided, in any method (BY-J-02).
const PARAMS: &[&str] = &[
    "_meta",
    "argument",
    "arguments",
    "context",
    "cursor",
    "id",
    "inputResponses",
    "level",
    "messages",
    "method",
    "model",
    "name",
    "notifications",
    "params",
    "protocolVersion",
    "ref",
    "requestState",
    "systemPrompt",
    "task",
    "taskId",
    "tools",
    "uri",
    "url",
];
const META: &[&str] = &[
    META_VERSION,
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/related-task",
    "io.modelcontextprotocol/subscriptionId",
];
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const REFERENCE: &[&str] = &["type", "name", "uri"];
const NOTIFICATIONS: &[&str] = &["resourceSubscriptions", "taskIds"];

/// What was seen of `params`; judged when the method is known, because members come in any order.
#[derive(Default)]
struct Params<'a> {
    fault: Option<Fault>,
    name: Field<'a>,
    uri: Field<'a>,
    task_id: Field<'a>,
    ref_type: Field<'a>,
    ref_name: Field<'a>,
    ref_uri: Field<'a>,
    wanted_version: Field<'a>,
    meta_version: Option<Str<'a>>,
    arguments: Option<Span>,
    arguments_wrong: bool,
    cursor: bool,
    task: bool,
    input_responses: bool,
    subscriptions: Vec<Cow<'a, str>>,
    subscribed_tasks: Vec<Cow<'a, str>>,
    subscriptions_wrong: bool,
}

/// A member that some methods want to be a string.
#[derive(Clone, Copy, Default)]
enum Field<'a> {
    #[default]
    Absent,
    Text(Str<'a>),
    Wrong,
}

impl<'a> Field<'a> {
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        *self = if reader.peek()? == Kind::String { Self::Text(reader.string()?) } else { Self::Wrong };
        Ok(())
    }

    fn text(&self) -> Option<&Str<'a>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn is_text(&self) -> bool {
        self.text().is_some()
    }
}

impl<'a> jsonrpc::Parts<'a> for Params<'a> {
    fn params(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        reader.object(|name, reader| match () {
            () if name.eq_str("name") => self.name.read(reader),
            () if name.eq_str("uri") => self.uri.read(reader),
            () if name.eq_str("taskId") => self.task_id.read(reader),
            () if name.eq_str("protocolVersion") => self.wanted_version.read(reader),
            () if name.eq_str("arguments") => {
                self.arguments_wrong = reader.peek()? != Kind::Map;
                self.arguments = Some(reader.skip()?);
                Ok(())
            }
            () if name.eq_str("cursor") => {
                self.cursor = true;
                if reader.peek()? != Kind::String {
                    self.fault(Fault::Params("params.cursor is not a string"));
                }
                Ok(())
            }
            () if name.eq_str("task") => {
                self.task = true;
                Ok(())
            }
            () if name.eq_str("_meta") => self.meta(reader),
            () if name.eq_str("ref") => self.reference(reader),
            () if name.eq_str("notifications") => self.notifications(reader),
            () if name.eq_str("inputResponses") => {
                self.input_responses = true;
                Ok(())
            }
            () => self.twin(&name, PARAMS),
        })?;
        Ok(())
    }
}

impl<'a> Params<'a> {
    fn fault(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn twin(&mut self, name: &Str<'a>, known: &[&str]) -> Result<(), json::Error> {
        if jsonrpc::is_twin(&name.text(), known) {
            self.fault(Fault::CaseTwin);
        }
        Ok(())
    }

    fn meta(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            self.fault(Fault::Params("params._meta is not an object"));
            return Ok(());
        }
        reader.object(|name, reader| {
            if !name.eq_str(META_VERSION) {
                return self.twin(&name, META);
            }
            if reader.peek()? == Kind::String {
                self.meta_version = Some(reader.string()?);
            } else {
                self.fault(Fault::Params("the protocol version in params._meta is not a string"));
            }
            Ok(())
        })?;
        Ok(())
    }

    fn reference(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            return Ok(());
        }
        reader.object(|name, reader| match () {
            () if name.eq_str("type") => self.ref_type.read(reader),
            () if name.eq_str("name") => self.ref_name.read(reader),
            () if name.eq_str("uri") => self.ref_uri.read(reader),
            () => self.twin(&name, REFERENCE),
        })?;
        Ok(())
    }

    fn notifications(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            self.subscriptions_wrong = true;
            return Ok(());
        }
        reader.object(|name, reader| {
            let texts = match () {
                () if name.eq_str("resourceSubscriptions") => &mut self.subscriptions,
                () if name.eq_str("taskIds") => &mut self.subscribed_tasks,
                () => return self.twin(&name, NOTIFICATIONS),
            };
            if reader.peek()? != Kind::List {
                self.subscriptions_wrong = true;
                return Ok(());
            }
            reader.array(|_, reader| {
                if reader.peek()? == Kind::String {
                    texts.push(reader.string()?.text());
                } else {
                    self.subscriptions_wrong = true;
                }
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    }

    /// 2026-07-28 has no handshake and no subscriptions by method: whatever their `params` are, they are unknown there (MCP-T-10).
    fn method_of_era(&self, method: Method) -> Method {
        let gone = matches!(method, Method::Initialize | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe);
        let version = self.meta_version.as_ref().map(Str::text);
        let modern = version.and_then(|text| Version::from_text(&text)).is_some_and(|version| version.era() == Era::Modern);
        if gone && modern { Method::Unknown } else { method }
    }

    /// Whether `params` are those of this method; what the method names.
    fn judge(&self, method: Method) -> Result<Option<Cow<'a, str>>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (field, wrong) = match method.key() {
            Key::Name => (&self.name, "params.name is not a string"),
            Key::Uri => (&self.uri, "params.uri is not a string"),
            Key::Task => (&self.task_id, "params.taskId is not a string"),
            Key::Reference => (self.reference_field()?, "params.ref names nothing"),
            Key::Nothing => {
                if method == Method::SubscriptionsListen {
                    let mut texts = self.subscriptions.iter().chain(&self.subscribed_tasks);
                    if self.subscriptions_wrong || texts.any(|text| has_control(text)) {
                        return Err(Fault::Params("params.notifications does not list strings"));
                    }
                }
                return Ok(None);
            }
        };
        if self.arguments_wrong && matches!(method, Method::ToolsCall | Method::PromptsGet) {
            return Err(Fault::Params("params.arguments is not an object"));
        }
        let key = field.text().ok_or(Fault::Params(wrong))?.text();
        if has_control(&key) {
            return Err(Fault::Params("a name has control characters"));
        }
        Ok(Some(key))
    }

    /// `ref` has one of two types, each with its own member; the other one must not be there.
    fn reference_field(&self) -> Result<&Field<'a>, Fault> {
        let kind = self.ref_type.text().ok_or(Fault::Params("params.ref has no type"))?;
        match (&self.ref_name, &self.ref_uri) {
            (name, Field::Absent) if kind.eq_str("ref/prompt") => Ok(name),
            (Field::Absent, uri) if kind.eq_str("ref/resource") => Ok(uri),
            _ => Err(Fault::Params("params.ref is neither a prompt nor a resource")),
        }
    }
}
