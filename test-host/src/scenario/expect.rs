//! What must be seen of an exchange.

use regex_lite::Regex;

use super::fields::{Fields, Problems};
use super::message;
use super::token;
use super::yaml::{Data, Node, Place};
use crate::transcript::Ending;

/// What must be seen of a case in one profile.
#[derive(Clone, Debug)]
pub struct Expected {
    /// By the client.
    pub client: ExpectedClient,
    /// By the upstream.
    pub upstream: ExpectedUpstream,
    /// By called services, in order.
    pub callouts: Vec<ExpectedCall>,
    /// Where `callouts` stands, or the expectation itself.
    pub callouts_place: Place,
    /// Audit records; each a subset.
    pub audit: Node,
    /// Counters; `0`: must not have counted.
    pub counters: Vec<(String, u64, Place)>,
}

/// What the client must get.
#[derive(Clone, Debug)]
pub struct ExpectedClient {
    /// Where it stands.
    pub place: Place,
    /// `None`: no answer at all; `end` is `Open` if the client still waits, else `Reset`.
    pub status: Option<u16>,
    /// A subset.
    pub headers: Vec<ExpectedHeader>,
    /// `None`: the upstream's bytes if the request got there and the status is that of its answer; otherwise any.
    pub body: Option<ExpectedBody>,
    /// How it ends.
    pub end: Ending,
}

/// What the upstream must get.
#[derive(Clone, Debug)]
pub struct ExpectedUpstream {
    /// Where it stands.
    pub place: Place,
    /// What.
    pub kind: UpstreamKind,
}

/// See [`ExpectedUpstream`].
#[derive(Clone, Debug)]
pub enum UpstreamKind {
    /// Not a byte of the body, no end of it.
    Nothing,
    /// A complete request with these headers; the body as the client sent it if there is none here.
    Complete(Vec<ExpectedHeader>, Option<ExpectedBody>),
    /// Part of a body.
    Partial(ExpectedBody),
}

/// A call that must be made.
#[derive(Clone, Debug)]
pub struct ExpectedCall {
    /// Where it stands.
    pub place: Place,
    /// The cluster.
    pub cluster: Option<String>,
    /// A subset.
    pub headers: Vec<ExpectedHeader>,
    /// `None`: any.
    pub body: Option<ExpectedBody>,
}

/// A header by name.
#[derive(Clone, Debug)]
pub struct ExpectedHeader {
    /// Where it stands.
    pub place: Place,
    /// In lower case.
    pub name: String,
    /// Its values; empty: it must be absent.
    pub values: Vec<TextMatch>,
}

/// A text or what it must be like.
#[derive(Clone, Debug)]
pub enum TextMatch {
    /// These bytes.
    Exact(Vec<u8>),
    /// This text somewhere in it.
    Contains(String),
    /// This regular expression somewhere in it.
    Matches(Regex),
}

/// A body and where it stands.
#[derive(Clone, Debug)]
pub struct ExpectedBody {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: BodyKind,
}

/// See [`ExpectedBody`].
#[derive(Clone, Debug)]
pub enum BodyKind {
    /// JSON, objects as subsets.
    Json(Node),
    /// Events.
    Events(Vec<ExpectedEvent>),
    /// A form: its parameters in ascending order, all of them.
    Form(Vec<(String, String)>),
    /// Texts.
    Text(TextMatch),
}

/// A server-sent event. Fields that are not named must be absent.
#[derive(Clone, Debug)]
pub struct ExpectedEvent {
    /// Where.
    pub place: Place,
    /// `event`.
    pub event: Option<String>,
    /// `id`.
    pub id: Option<String>,
    /// `retry`.
    pub retry: Option<String>,
    /// `data`: a string is exact, all else is JSON.
    pub data: Option<Node>,
}

/// Reads the `expect` of a case for one profile; `over` is its `hold` or `noHold`.
pub(super) fn expected(base: &Node, path: &str, over: Option<(&Node, String)>, problems: &mut Problems) -> Option<Expected> {
    let own = over.as_ref().and_then(|(node, path)| Fields::of(node, path, problems));
    let mut own = own;
    let mut base_fields = Fields::of(base, path, problems)?;
    let mut pick = |name: &'static str| {
        let own = own.as_mut().and_then(|fields| fields.take(name));
        let base = base_fields.take(name);
        own.or(base)
    };
    let (client, upstream, audit) = (pick("client"), pick("upstream"), pick("audit"));
    let (callouts, counters) = (pick("callouts"), pick("counters"));
    let _ = (base_fields.take("hold"), base_fields.take("noHold"));
    if let Some(own) = own {
        own.finish(problems);
    }
    base_fields.finish(problems);
    let mut missing = |name: &str, forms: &str| {
        problems.add(base, path, format!("`{name}` is missing: {forms}, or run with --bless"));
    };
    if client.is_none() {
        missing("client", "`{status, headers, body, end}`, `nothing` or `open`");
    }
    if upstream.is_none() {
        missing("upstream", "`nothing`, `unchanged`, `{headers, body}` or `{partial: …}`");
    }
    if audit.is_none() {
        missing("audit", "a list with one entry a record; `[]` if there is none");
    }
    let (client, upstream, audit) = (client?, upstream?, audit?);
    problems.list(audit.0, &audit.1);
    Some(Expected {
        client: expected_client(client.0, &client.1, problems)?,
        upstream: expected_upstream(upstream.0, &upstream.1, problems)?,
        callouts_place: callouts.as_ref().map_or(base.place, |(node, _)| node.place),
        callouts: callouts.map(|(node, path)| calls(node, &path, problems)).unwrap_or_default(),
        audit: audit.0.clone(),
        counters: counters.map(|(node, path)| counts(node, &path, problems)).unwrap_or_default(),
    })
}

fn expected_client(node: &Node, path: &str, problems: &mut Problems) -> Option<ExpectedClient> {
    let place = node.place;
    if let Data::String(_) = node.data {
        let end = problems.word(node, path, &[("nothing", Ending::Reset), ("open", Ending::Open)])?;
        return Some(ExpectedClient { place, status: None, headers: Vec::new(), body: None, end });
    }
    let mut fields = Fields::of(node, path, problems)?;
    let status = match fields.take("status") {
        Some((node, path)) => problems.integer(node, &path).and_then(|status| u16::try_from(status).ok()),
        None => {
            problems.add(node, path, "`status` is missing; `client: nothing` if there must be no answer");
            None
        }
    };
    let headers = fields.take("headers").map(|(node, path)| headers(node, &path, problems)).unwrap_or_default();
    let body = fields.take("body").and_then(|(node, path)| body(node, &path, problems));
    let words = [("complete", Ending::Complete), ("open", Ending::Open), ("reset", Ending::Reset)];
    let end = fields.take("end").and_then(|(node, path)| problems.word(node, &path, &words)).unwrap_or(Ending::Complete);
    fields.finish(problems);
    Some(ExpectedClient { place, status, headers, body, end })
}

fn expected_upstream(node: &Node, path: &str, problems: &mut Problems) -> Option<ExpectedUpstream> {
    let place = node.place;
    if let Data::String(_) = node.data {
        let nothing = problems.word(node, path, &[("nothing", true), ("unchanged", false)])?;
        let kind = if nothing { UpstreamKind::Nothing } else { UpstreamKind::Complete(Vec::new(), None) };
        return Some(ExpectedUpstream { place, kind });
    }
    let mut fields = Fields::of(node, path, problems)?;
    let partial = fields.take("partial").and_then(|(node, path)| body(node, &path, problems));
    let headers = fields.take("headers").map(|(node, path)| headers(node, &path, problems)).unwrap_or_default();
    let body = fields.take("body").and_then(|(node, path)| body(node, &path, problems));
    fields.finish(problems);
    let kind = match partial {
        Some(_) if !headers.is_empty() || body.is_some() => {
            problems.add(node, path, "`partial` stands alone: the headers of a request that did not end are not compared");
            return None;
        }
        Some(partial) => UpstreamKind::Partial(partial),
        None => UpstreamKind::Complete(headers, body),
    };
    Some(ExpectedUpstream { place, kind })
}

fn calls(node: &Node, path: &str, problems: &mut Problems) -> Vec<ExpectedCall> {
    let items = problems.list(node, path).iter().enumerate();
    items.filter_map(|(index, item)| call(item, &format!("{path}[{index}]"), problems)).collect()
}

fn call(node: &Node, path: &str, problems: &mut Problems) -> Option<ExpectedCall> {
    let mut fields = Fields::of(node, path, problems)?;
    let cluster = fields.take("cluster").and_then(|(node, path)| problems.string(node, &path));
    let headers = fields.take("headers").map(|(node, path)| headers(node, &path, problems)).unwrap_or_default();
    let body = fields.take("body").and_then(|(node, path)| body(node, &path, problems));
    fields.finish(problems);
    Some(ExpectedCall { place: node.place, cluster, headers, body })
}

fn counts(node: &Node, path: &str, problems: &mut Problems) -> Vec<(String, u64, Place)> {
    let Data::Map(entries) = &node.data else {
        problems.expected(node, path, "a mapping from counter to number");
        return Vec::new();
    };
    let mut counts = Vec::new();
    for entry in entries {
        let at = format!("{path}.{}", entry.key);
        counts.extend(problems.integer(&entry.value, &at).map(|count| (entry.key.clone(), count, entry.place)));
    }
    counts
}

fn headers(node: &Node, path: &str, problems: &mut Problems) -> Vec<ExpectedHeader> {
    let Data::Map(entries) = &node.data else {
        problems.expected(node, path, "a mapping");
        return Vec::new();
    };
    let mut headers = Vec::new();
    for entry in entries {
        let at = format!("{path}.{}", entry.key);
        let values = match &entry.value.data {
            Data::Null => Vec::new(),
            Data::List(items) => items.iter().filter_map(|item| text_match(item, &at, problems)).collect(),
            Data::Number(number) => vec![TextMatch::Exact(number.to_string().into_bytes())],
            _ => text_match(&entry.value, &at, problems).into_iter().collect(),
        };
        headers.push(ExpectedHeader { place: entry.place, name: entry.key.to_ascii_lowercase(), values });
    }
    headers
}

fn text_match(node: &Node, path: &str, problems: &mut Problems) -> Option<TextMatch> {
    match &node.data {
        Data::String(text) => Some(TextMatch::Exact(text.clone().into_bytes())),
        Data::Map(_) if node.get("bearer").is_some() => token::bearer(node).map(|value| TextMatch::Exact(value.into_bytes())),
        Data::Map(_) => {
            let found = matcher(node, path, problems);
            if found.is_none() {
                problems.expected(node, path, "a string, `{contains: …}` or `{matches: …}`");
            }
            found
        }
        _ => {
            problems.expected(node, path, "a string, `{contains: …}` or `{matches: …}`, or null if it must be absent");
            None
        }
    }
}

/// `{contains: text}` or `{matches: regex}`.
pub(super) fn matcher(node: &Node, path: &str, problems: &mut Problems) -> Option<TextMatch> {
    let Data::Map(entries) = &node.data else { return None };
    let [entry] = entries.as_slice() else { return None };
    let text = entry.value.as_str()?;
    match entry.key.as_str() {
        "contains" => Some(TextMatch::Contains(text.to_owned())),
        "matches" => match Regex::new(text) {
            Ok(regex) => Some(TextMatch::Matches(regex)),
            Err(error) => {
                problems.add(&entry.value, path, format!("not a regular expression: {error}"));
                None
            }
        },
        _ => None,
    }
}

fn body(node: &Node, path: &str, problems: &mut Problems) -> Option<ExpectedBody> {
    let place = node.place;
    let only = match &node.data {
        Data::Map(entries) => entries.first().filter(|_| entries.len() == 1).map(|e| (e.key.as_str(), &e.value)),
        _ => None,
    };
    let kind = match (&node.data, only) {
        (Data::Map(_), Some(("contains" | "matches", _))) => BodyKind::Text(matcher(node, path, problems)?),
        (Data::Map(_), Some(("sse", list))) => BodyKind::Events(events(list, &format!("{path}.sse"), problems)),
        (Data::Map(_), Some(("form", value))) => BodyKind::Form(token::form(value, &format!("{path}.form"), problems)),
        (Data::Map(_), Some(("json", value))) => BodyKind::Json(value.clone()),
        (Data::Map(entries), _)
            if only.is_some_and(|(key, _)| key == "base64")
                || (node.get("text").is_some() && entries.iter().all(|e| e.key == "text" || e.key == "repeat")) =>
        {
            BodyKind::Text(TextMatch::Exact(message::body(node, path, problems)))
        }
        (Data::Map(_) | Data::List(_), _) => BodyKind::Json(node.clone()),
        (Data::String(text), _) => BodyKind::Text(TextMatch::Exact(text.clone().into_bytes())),
        _ => {
            problems.expected(node, path, "a mapping or list (JSON), or a string (exact bytes)");
            return None;
        }
    };
    Some(ExpectedBody { place, kind })
}

fn events(node: &Node, path: &str, problems: &mut Problems) -> Vec<ExpectedEvent> {
    let items = problems.list(node, path).iter().enumerate();
    items.filter_map(|(index, item)| event(item, &format!("{path}[{index}]"), problems)).collect()
}

fn event(node: &Node, path: &str, problems: &mut Problems) -> Option<ExpectedEvent> {
    let mut fields = Fields::of(node, path, problems)?;
    let mut text = |name| {
        fields.take(name).map(|(node, _)| match node.as_str() {
            Some(text) => text.to_owned(),
            None => node.to_json().to_string(),
        })
    };
    let (event, id, retry) = (text("event"), text("id"), text("retry"));
    let data = fields.take("data").map(|(node, _)| node.clone());
    fields.finish(problems);
    Some(ExpectedEvent { place: node.place, event, id, retry, data })
}
