//! One question to the policy.

use crate::http::Headers;
use crate::mcp::Method;

/// What a request, or an item of a list, is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Item<'a> {
    /// Nothing but the method itself. Of a result: it is not known what it is about.
    Method,
    /// A prompt, by name.
    Prompt(&'a str),
    /// A resource, by URI.
    Resource(&'a str),
    /// A task, by id. Which tool it runs is not known to a gate without memory (MCP-K-03).
    Task(&'a str),
    /// A resource template, by its RFC 6570 text: some URI of it.
    Template(&'a str),
    /// A tool, by name.
    Tool(&'a str),
}

/// One question. What is `None` is not known (yet): a condition over it is neither true nor false.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The method; that of a call also when an item of a list is judged. Of a result: the method whose answer has its shape,
    /// or [`Method::None`] if that cannot be told.
    pub method: Method,
    /// What it is about.
    pub item: Item<'a>,
    /// `params.arguments` as JSON text; `Some(b"{}")` if there are none.
    pub arguments: Option<&'a [u8]>,
    /// What conditions read of the HTTP request, from [`super::Policy::request_facts`].
    pub request: Option<&'a RequestFacts>,
    /// The result that is judged; only for [`super::Policy::withholds`].
    pub result: Option<Outcome<'a>>,
}

/// The result of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome<'a> {
    /// `result` as JSON text.
    pub json: &'a [u8],
    /// Its size as the upstream sent it.
    pub bytes: usize,
}

/// What conditions may read of the HTTP request. Nothing of it names anybody.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestFacts {
    /// `:method`
    pub method: Vec<u8>,
    /// `:path`, with the query.
    pub path: Vec<u8>,
    /// `:authority`
    pub host: Vec<u8>,
    /// The headers that some condition names, in lower case; several lines are several entries.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The cluster that the proxy sends it to, whatever `host` is. `None`: it has not said, or no condition asks.
    pub cluster: Option<String>,
}

impl<'a> Ask<'a> {
    /// About `item`, with nothing else known: an item of a list.
    pub fn about(item: Item<'a>) -> Self {
        let method = match item {
            Item::Method => Method::None,
            Item::Prompt(_) => Method::PromptsGet,
            Item::Resource(_) | Item::Template(_) => Method::ResourcesRead,
            Item::Task(_) => Method::TasksGet,
            Item::Tool(_) => Method::ToolsCall,
        };
        Self { method, item, arguments: None, request: None, result: None }
    }

    /// About a method that names nothing.
    pub fn method(method: Method) -> Self {
        Self { method, ..Self::about(Item::Method) }
    }
}

impl Item<'_> {
    /// Its kind and name for the audit record.
    pub fn resource(self) -> Option<(&'static str, String)> {
        let (kind, name) = match self {
            Self::Method => return None,
            Self::Prompt(name) => ("prompt", name),
            Self::Resource(uri) => ("resource", uri),
            Self::Task(id) => ("task", id),
            Self::Template(text) => ("template", text),
            Self::Tool(name) => ("tool", name),
        };
        Some((kind, name.to_owned()))
    }
}

impl RequestFacts {
    /// Copies what stands in `headers`, of ordinary headers only those of the names `wanted`, and the cluster.
    pub(super) fn read(headers: &Headers, wanted: &[String], cluster: Option<&str>) -> Self {
        let pseudo = |name: &str| headers.all(name).next().unwrap_or_default().to_vec();
        let named = |name: &String| headers.all(name).map(|value| (name.clone(), value.to_vec())).collect::<Vec<_>>();
        Self {
            method: pseudo(":method"),
            path: pseudo(":path"),
            host: pseudo(":authority"),
            headers: wanted.iter().flat_map(named).collect(),
            cluster: cluster.map(str::to_owned),
        }
    }
}
