//! Answers: what of one has to be looked at, and what becomes of it.

mod body;
mod judge;
mod url;

pub(super) use body::Body;
pub use judge::pin_of;

use std::rc::Rc;

use super::policy::{Ask, Item, Policy, RequestFacts};
use crate::audit::About;
use crate::identity::Caller;
use crate::mcp::{Era, Method, Shape};
use crate::policy::Mode;
use crate::time::Timestamp;

/// What was asked and allowed, as it stands in the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// `Method::None` with `shape` `None`: the stream of a session, on which answers to anything may come (MCP-G-03).
    pub(super) method: Method,
    pub(super) shape: Option<Shape>,
    pub(super) era: Era,
    /// What it names, if that is one thing.
    pub(super) item: Item<'a>,
    pub(super) arguments: Option<&'a [u8]>,
    pub(super) facts: Option<&'a RequestFacts>,
    /// Its raw id.
    pub(super) id: Option<&'a str>,
}

/// The same, kept until the answer is there: what that is held against.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) shape: Option<Shape>,
    pub(super) era: Era,
    pub(super) item: OwnedItem,
    pub(super) id: Option<Box<str>>,
    /// Empty where no result is judged.
    arguments: Option<Vec<u8>>,
    facts: Option<RequestFacts>,
}

/// An [`Item`] that outlives the body it was read from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum OwnedItem {
    /// None, or one that says nothing about a result: a task.
    Unknown,
    Prompt(String),
    Resource(String),
    Tool(String),
}

/// What of one answer has to be looked at.
#[derive(Clone, Debug)]
pub(super) struct Inspection {
    pub(super) policy: Rc<Policy>,
    pub(super) caller: Caller,
    pub(super) about: About,
    pub(super) asked: Asked,
    /// The id of the decision, for errors that take the place of a part.
    pub(super) decision_id: Rc<str>,
    /// The results are held against response rules.
    results: bool,
}

impl Inspection {
    /// What has to be looked at, or `None`: then the answer is not read at all.
    pub(super) fn new(policy: &Rc<Policy>, caller: Caller, about: &About, request: Request<'_>) -> Option<Self> {
        let results = policy.needs_result(&caller, &request.ask());
        let lists = match request.method {
            Method::PromptsList
            | Method::ResourcesList
            | Method::ResourcesTemplatesList
            | Method::ToolsList
            // What comes by another way than its request (MCP-G-03, MCP-K-03, BY-S-03); and news of resources.
            | Method::SubscriptionsListen
            | Method::TasksGet
            | Method::TasksResult
            | Method::TasksUpdate
            // Contents may be of another URI than the one that was asked for.
            | Method::ResourcesRead => true,
            Method::None => request.shape.is_none(),
            _ => false,
        };
        let wants = policy.server_requests.is_some();
        // What only edits has nothing to do in `observe` mode.
        let needed = match policy.mode {
            Mode::Enforce => results || lists || wants,
            Mode::Observe => {
                results
                    || wants
                    || listens(request.method, request.shape)
                    || request.method == Method::ToolsList && policy.tools.is_some()
            }
        };
        needed.then(|| {
            let asked = Asked::new(request, results);
            let decision_id = Rc::from("");
            Self { policy: policy.clone(), caller, about: about.clone(), asked, decision_id, results }
        })
    }

    /// When a stream that begins at `now` has to end, if it was opened to listen: nobody asks again whether its caller may, so
    /// it lasts no longer than the token (BY-S-06). The answer to a call may take its time.
    pub(super) fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        let longest = self.policy.max_stream.map(|longest| now + longest);
        let ends = [self.caller.expires, longest].into_iter().flatten().min();
        ends.filter(|_| listens(self.asked.method, self.asked.shape))
    }
}

/// Whether the client only waits for what the server may have to say.
fn listens(method: Method, shape: Option<Shape>) -> bool {
    method == Method::SubscriptionsListen || shape.is_none()
}

impl Request<'_> {
    /// The stream of a session.
    pub(super) const SESSION: Self =
        Self { method: Method::None, shape: None, era: Era::Legacy, item: Item::Method, arguments: None, facts: None, id: None };

    /// A question about the results that the answer may have, as far as the request tells.
    fn ask(&self) -> Ask<'_> {
        let method = match self.method {
            Method::TasksGet | Method::TasksResult | Method::TasksUpdate | Method::TasksCancel | Method::SubscriptionsListen => {
                Method::None
            }
            method => method,
        };
        let item = if let Item::Task(_) | Item::Template(_) = self.item { Item::Method } else { self.item };
        Ask { method, item, arguments: self.arguments, request: self.facts, result: None }
    }
}

impl Asked {
    fn new(request: Request<'_>, results: bool) -> Self {
        Self {
            method: request.method,
            shape: request.shape,
            era: request.era,
            item: OwnedItem::new(request.item),
            id: request.id.map(Into::into),
            arguments: request.arguments.filter(|_| results).map(<[u8]>::to_vec),
            facts: request.facts.cloned(),
        }
    }

    /// A question about a result, or about a part of it, of the shape of `of`.
    fn ask(&self, of: Method) -> Ask<'_> {
        let item = self.item.as_item();
        let method = if item == Item::Method { of } else { self.method };
        Ask { method, item, arguments: self.arguments.as_deref(), request: self.facts.as_ref(), result: None }
    }
}

impl OwnedItem {
    pub(super) fn new(item: Item<'_>) -> Self {
        match item {
            Item::Prompt(name) => Self::Prompt(name.to_owned()),
            Item::Resource(uri) => Self::Resource(uri.to_owned()),
            Item::Tool(name) => Self::Tool(name.to_owned()),
            Item::Method | Item::Task(_) | Item::Template(_) => Self::Unknown,
        }
    }

    fn as_item(&self) -> Item<'_> {
        match self {
            Self::Unknown => Item::Method,
            Self::Prompt(name) => Item::Prompt(name),
            Self::Resource(uri) => Item::Resource(uri),
            Self::Tool(name) => Item::Tool(name),
        }
    }
}
