//! Answers: what of one has to be looked at, and what becomes of it.

mod body;
mod judge;
mod url;

pub(super) use body::Body;

use std::rc::Rc;

use super::policy::{Ask, Item, Policy, RequestFacts};
use crate::audit::About;
use crate::identity::Caller;
use crate::mcp::{Era, Method, Shape};
use crate::policy::Mode;

/// What was asked and allowed: what an answer is held against.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// `Method::None` with `shape` `None`: the stream of a session, on which answers to anything may come (MCP-G-03).
    pub(super) method: Method,
    pub(super) shape: Option<Shape>,
    pub(super) era: Era,
    pub(super) item: OwnedItem,
    pub(super) arguments: Option<Vec<u8>>,
    pub(super) facts: Option<RequestFacts>,
    /// The raw id of the request.
    pub(super) id: Option<Box<str>>,
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
    pub(super) fn new(policy: &Rc<Policy>, caller: Caller, about: About, asked: Asked) -> Option<Self> {
        let results = policy.needs_result(&caller, &asked.ask(asked.method_of_result()));
        let lists = match asked.method {
            Method::PromptsList
            | Method::ResourcesList
            | Method::ResourcesTemplatesList
            | Method::ToolsList
            // What comes by another way than its request (MCP-G-03, MCP-K-03, BY-S-03); and updates of resources.
            | Method::SubscriptionsListen
            | Method::TasksGet
            | Method::TasksResult
            | Method::TasksUpdate
            // Contents may be of another URI than the one that was asked for.
            | Method::ResourcesRead => true,
            Method::None => asked.shape.is_none(),
            _ => false,
        };
        let wants = policy.server_requests.is_some();
        // What only edits has nothing to do in `observe` mode.
        let needed = match policy.mode {
            Mode::Enforce => results || lists || wants,
            Mode::Observe => results || wants || asked.method == Method::ToolsList && policy.tools.is_some(),
        };
        let decision_id = Rc::from("");
        needed.then(|| Self { policy: policy.clone(), caller, about, asked, decision_id, results })
    }
}

impl Asked {
    /// The stream of a session.
    pub(super) fn session() -> Self {
        Self {
            method: Method::None,
            shape: None,
            era: Era::Legacy,
            item: OwnedItem::Unknown,
            arguments: None,
            facts: None,
            id: None,
        }
    }

    /// A question about a result, or about a part of it, of the shape of `of`.
    fn ask(&self, of: Method) -> Ask<'_> {
        let known = self.item.as_item();
        Ask {
            method: if known == Item::Method { of } else { self.method },
            item: known,
            arguments: self.arguments.as_deref(),
            request: self.facts.as_ref(),
            result: None,
        }
    }

    /// Whose results the answer may have, as far as the request tells.
    fn method_of_result(&self) -> Method {
        match self.method {
            Method::TasksGet | Method::TasksResult | Method::TasksUpdate | Method::TasksCancel | Method::SubscriptionsListen => {
                Method::None
            }
            method => method,
        }
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
