//! Messages as people write them, and the bytes that they mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fields::{Fields, Problems};
use super::token;
use super::yaml::{Data, Node};
use crate::engine::Sent;

/// Largest `repeat` text.
const MAX_TEXT: u64 = 64 << 20;

/// The two kinds of message; they differ in their defaults.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Request,
    Answer,
}

/// Reads the fields of a message; the caller asks for its own and finishes.
pub(super) fn message(fields: &mut Fields<'_>, side: Side, problems: &mut Problems) -> Sent {
    let (chunks, streams) = chunks(fields, problems);
    let mut written = fields.take("headers").map(|(node, path)| headers(node, &path, problems)).unwrap_or_default();
    let trailers = fields.take("trailers").map(|(node, path)| headers(node, &path, problems)).unwrap_or_default();
    let length = match fields.take("contentLength") {
        Some((node, path)) => problems.boolean(node, &path).unwrap_or(true),
        None => !streams,
    };
    if side == Side::Answer
        && let Some((node, path)) = fields.take("status")
        && let Some(status) = problems.integer(node, &path)
    {
        written.insert(0, (":status".to_owned(), Some(status.to_string().into_bytes())));
    }

    let has_body = chunks.iter().any(|chunk| !chunk.is_empty());
    let total: usize = chunks.iter().map(Vec::len).sum();
    let mut pairs = Vec::new();
    let pseudo: &[(&str, &str)] = match side {
        Side::Request => &[(":method", "POST"), (":scheme", "https"), (":authority", "tools.example"), (":path", "/mcp")],
        Side::Answer => &[(":status", "200")],
    };
    for (name, value) in pseudo {
        add(&mut pairs, &written, name, Some(value.as_bytes()));
    }
    for (name, value) in &written {
        if !pseudo.iter().any(|(pseudo, _)| pseudo == name)
            && let Some(value) = value
        {
            pairs.push((name.clone().into_bytes(), value.clone()));
        }
    }
    if has_body {
        let absent = |name: &str| !written.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let media = if streams { "text/event-stream" } else { "application/json" };
        if absent("content-type") {
            add(&mut pairs, &[], "content-type", Some(media.as_bytes()));
        }
        if side == Side::Request && absent("accept") {
            add(&mut pairs, &[], "accept", Some(b"application/json, text/event-stream"));
        }
        if length && trailers.is_empty() && absent("content-length") {
            add(&mut pairs, &[], "content-length", Some(total.to_string().as_bytes()));
        }
    }
    let trailers = trailers.into_iter().filter_map(|(name, value)| Some((name.into_bytes(), value?))).collect();
    Sent { headers: pairs, chunks: if has_body { chunks } else { Vec::new() }, trailers }
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
type Written = Vec<(String, Option<Vec<u8>>)>;

/// What was written of `name`, or its default.
fn add(pairs: &mut Pairs, written: &[(String, Option<Vec<u8>>)], name: &str, default: Option<&[u8]>) {
    let mut own = written.iter().filter(|(n, _)| n == name).map(|(_, value)| value).peekable();
    if own.peek().is_none() {
        pairs.extend(default.map(|value| (name.as_bytes().to_vec(), value.to_vec())));
    }
    pairs.extend(own.flatten().map(|value| (name.as_bytes().to_vec(), value.clone())));
}

/// Header lines in order; `None` where a default is left out.
fn headers(node: &Node, path: &str, problems: &mut Problems) -> Written {
    let Data::Map(entries) = &node.data else {
        problems.expected(node, path, "a mapping");
        return Vec::new();
    };
    let mut lines = Vec::new();
    for entry in entries {
        let at = format!("{path}.{}", entry.key);
        match &entry.value.data {
            Data::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let value = header_value(item, &format!("{at}[{index}]"), problems);
                    lines.extend(value.map(|value| (entry.key.clone(), Some(value))));
                }
            }
            Data::Null => lines.push((entry.key.clone(), None)),
            _ => lines.extend(header_value(&entry.value, &at, problems).map(|value| (entry.key.clone(), Some(value)))),
        }
    }
    lines
}

fn header_value(node: &Node, path: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    match &node.data {
        Data::String(text) => Some(text.clone().into_bytes()),
        Data::Number(number) => Some(number.to_string().into_bytes()),
        Data::Map(_) if node.get("bearer").is_some() => {
            let value = token::bearer(node);
            if value.is_none() {
                problems.expected(node, path, "`{bearer: claims}`, or with members of the token's `header` beside it");
            }
            value.map(String::into_bytes)
        }
        Data::Map(_) => base64_bytes(node.get("base64")?, path, problems),
        _ => {
            let forms = "a string, a number, a list of them, `{base64: …}`, `{bearer: claims}`, or null to leave it out";
            problems.expected(node, path, forms);
            None
        }
    }
}

/// `body` or `chunks`, and whether it is an event stream.
fn chunks(fields: &mut Fields<'_>, problems: &mut Problems) -> (Vec<Vec<u8>>, bool) {
    let (whole, parts) = (fields.take("body"), fields.take("chunks"));
    match (whole, parts) {
        (Some(_), Some((node, path))) => {
            problems.add(node, &path, "a message has `body` or `chunks`, not both");
            (Vec::new(), false)
        }
        (Some((node, path)), None) => (vec![body(node, &path, problems)], node.get("sse").is_some()),
        (None, Some((node, path))) => {
            let items = problems.list(node, &path);
            let chunks = items.iter().enumerate().map(|(i, item)| body(item, &format!("{path}[{i}]"), problems)).collect();
            (chunks, items.iter().any(|item| item.get("sse").is_some()))
        }
        (None, None) => (Vec::new(), false),
    }
}

/// The bytes of a body; see the README for the forms.
pub(super) fn body(node: &Node, path: &str, problems: &mut Problems) -> Vec<u8> {
    match &node.data {
        Data::String(text) => text.clone().into_bytes(),
        Data::Map(entries) => match entries.first().map(|entry| (entry.key.as_str(), &entry.value, entries.len())) {
            Some(("json", value, 1)) => json_bytes(value),
            Some(("base64", value, 1)) => base64_bytes(value, path, problems).unwrap_or_default(),
            Some(("sse", value, 1)) => sse(value, &format!("{path}.sse"), problems),
            Some(("text", ..)) if entries.iter().all(|entry| entry.key == "text" || entry.key == "repeat") => {
                repeated(node, path, problems)
            }
            _ => json_bytes(node),
        },
        Data::Null => Vec::new(),
        _ => json_bytes(node),
    }
}

fn json_bytes(node: &Node) -> Vec<u8> {
    token::minted(node.to_json()).to_string().into_bytes()
}

fn base64_bytes(node: &Node, path: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    let text = problems.string(node, path)?;
    let bytes = STANDARD.decode(text.trim());
    if let Err(error) = &bytes {
        problems.add(node, path, format!("not base64 (RFC 4648 section 4, with padding): {error}"));
    }
    bytes.ok()
}

fn repeated(node: &Node, path: &str, problems: &mut Problems) -> Vec<u8> {
    let Some(mut fields) = Fields::of(node, path, problems) else { return Vec::new() };
    let text = fields.take("text").and_then(|(node, path)| problems.string(node, &path)).unwrap_or_default();
    let times = fields.take("repeat").and_then(|(node, path)| problems.integer(node, &path)).unwrap_or(1);
    if times.saturating_mul(text.len() as u64) > MAX_TEXT {
        problems.add(node, path, format!("more than {MAX_TEXT} bytes"));
        return Vec::new();
    }
    text.repeat(usize::try_from(times).unwrap_or(0)).into_bytes()
}

/// Events with LF ends; the fields of an event in the written order, `data` once a line.
fn sse(node: &Node, path: &str, problems: &mut Problems) -> Vec<u8> {
    let mut out = String::new();
    for (index, event) in problems.list(node, path).iter().enumerate() {
        let at = format!("{path}[{index}]");
        let Data::Map(entries) = &event.data else {
            problems.expected(event, &at, "a mapping of `event`, `id`, `retry`, `data` or `comment`");
            continue;
        };
        for entry in entries {
            let text = match &entry.value.data {
                Data::String(text) => text.clone(),
                _ => entry.value.to_json().to_string(),
            };
            let name = match entry.key.as_str() {
                "comment" => "",
                name @ ("event" | "id" | "retry" | "data") => name,
                other => {
                    let known = super::fields::instead(other, &["event", "id", "retry", "data", "comment"]);
                    problems.at(entry.place, &at, format!("unknown field `{other}`{known}"));
                    continue;
                }
            };
            for line in text.split('\n') {
                out.push_str(name);
                out.push_str(": ");
                out.push_str(line);
                out.push('\n');
            }
        }
        out.push('\n');
    }
    out.into_bytes()
}
