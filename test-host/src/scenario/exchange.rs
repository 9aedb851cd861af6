//! The exchange of a case: client, upstream and called services.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::fields::{Fields, Problems};
use super::message::{Side, body, message};
use super::model::Exchange;
use super::yaml::{self, Data, Node};
use crate::engine::{Answers, CalloutScript, Callouts, Leaves, Sent};

/// Reads its fields; the caller asks for its own and finishes.
pub(super) fn exchange(fields: &mut Fields<'_>, problems: &mut Problems) -> Exchange {
    let peer = fields.take("peer").and_then(|(node, path)| problems.string(node, &path));
    let claims = fields.take("claims").and_then(|(node, path)| {
        Fields::of(node, &path, problems)?;
        Some(node.to_json())
    });
    let properties = fields.take("properties").map(|(node, path)| properties(node, &path, problems)).unwrap_or_default();
    let (mut request, mut leaves) = (None, None);
    if let Some((node, path)) = fields.take("request")
        && let Some(mut fields) = Fields::of(node, &path, problems)
    {
        request = Some(message(&mut fields, Side::Request, problems));
        let words =
            [("afterRequestHeaders", Leaves::AfterRequestHeaders), ("afterFirstResponseChunk", Leaves::AfterFirstResponseChunk)];
        leaves = fields.take("leaves").and_then(|(node, path)| problems.word(node, &path, &words));
        fields.finish(problems);
    }
    let request = request.unwrap_or_else(|| {
        let empty = Node { data: Data::Map(Vec::new()), place: yaml::Place::default(), bytes: 0..0 };
        Fields::of(&empty, "request", problems)
            .map(|mut fields| message(&mut fields, Side::Request, problems))
            .unwrap_or_default()
    });
    let (upstream, early) = upstream(fields, &request, problems);
    Exchange {
        peer,
        claims,
        properties,
        leaves,
        upstream,
        early,
        callouts: fields.take("callouts").map(|(node, path)| callouts(node, &path, problems)).unwrap_or_default(),
        faults: fields.take("faults").map(|(node, path)| faults(node, &path, problems)).unwrap_or_default(),
        time: fields.take("time").and_then(|(node, path)| duration(node, &path, problems)).unwrap_or_default(),
        buffer_limit: fields
            .take("bufferLimit")
            .and_then(|(node, path)| problems.integer(node, &path))
            .and_then(|limit| usize::try_from(limit).ok()),
        http2: fields.take("http2").and_then(|(node, path)| problems.boolean(node, &path)).unwrap_or(false),
        request,
    }
}

/// The upstream's answer, and whether it comes early.
fn upstream(fields: &mut Fields<'_>, request: &Sent, problems: &mut Problems) -> (Option<Sent>, bool) {
    let Some((node, path)) = fields.take("upstream") else { return (Some(default_answer(request)), false) };
    if let Data::String(_) = node.data {
        problems.word(node, &path, &[("none", ())]);
        return (None, false);
    }
    let Some(mut fields) = Fields::of(node, &path, problems) else { return (None, false) };
    let sent = message(&mut fields, Side::Answer, problems);
    let early = fields.take("early").and_then(|(node, path)| problems.boolean(node, &path)).unwrap_or(false);
    fields.finish(problems);
    (Some(sent), early)
}

/// An empty JSON-RPC result for the request's id.
fn default_answer(request: &Sent) -> Sent {
    let asked: Option<Value> = serde_json::from_slice(&request.chunks.concat()).ok();
    let id = asked.as_ref().and_then(|value| value.get("id")).cloned().unwrap_or(json!(1));
    let body = json!({"jsonrpc": "2.0", "id": id, "result": {}}).to_string().into_bytes();
    let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let headers =
        vec![pair(":status", "200"), pair("content-type", "application/json"), pair("content-length", &body.len().to_string())];
    Sent { headers, chunks: vec![body], trailers: Vec::new() }
}

/// A list, in the order of the calls; or a mapping from clusters to their lists, or to the one answer for all of their calls.
fn callouts(node: &Node, path: &str, problems: &mut Problems) -> Callouts {
    let Data::Map(entries) = &node.data else { return Callouts::InOrder(scripts(node, path, problems)) };
    let answers = entries.iter().filter_map(|entry| {
        let path = format!("{path}.{}", entry.key);
        let answers = match entry.value.data {
            Data::List(_) => Answers::InOrder(scripts(&entry.value, &path, problems)),
            _ => Answers::Always(script(&entry.value, &path, problems)?),
        };
        Some((entry.key.clone(), answers))
    });
    Callouts::Of(answers.collect())
}

fn scripts(node: &Node, path: &str, problems: &mut Problems) -> VecDeque<CalloutScript> {
    let items = problems.list(node, path).iter().enumerate();
    items.filter_map(|(index, item)| script(item, &format!("{path}[{index}]"), problems)).collect()
}

fn script(node: &Node, path: &str, problems: &mut Problems) -> Option<CalloutScript> {
    if let Data::String(_) = node.data {
        let words = [("reset", 0), ("silence", 1), ("noCluster", 2)];
        return problems.word(node, path, &words).map(|word| match word {
            0 => CalloutScript::Reset,
            1 => CalloutScript::Silence,
            _ => CalloutScript::NoCluster,
        });
    }
    let mut fields = Fields::of(node, path, problems)?;
    let sent = message(&mut fields, Side::Answer, problems);
    let after = fields.take("after").and_then(|(node, path)| duration(node, &path, problems)).unwrap_or_default();
    fields.finish(problems);
    Some(CalloutScript::Answer(sent, after))
}

fn faults(node: &Node, path: &str, problems: &mut Problems) -> Vec<(String, u32)> {
    let Data::Map(entries) = &node.data else {
        problems.expected(node, path, "a mapping from host call to proxy-wasm status");
        return Vec::new();
    };
    let mut faults = Vec::new();
    for entry in entries {
        let status = problems.integer(&entry.value, &format!("{path}.{}", entry.key));
        faults.extend(status.and_then(|s| u32::try_from(s).ok()).map(|status| (entry.key.clone(), status)));
    }
    faults
}

fn properties(node: &Node, path: &str, problems: &mut Problems) -> Vec<(Vec<String>, Vec<u8>)> {
    let mut list = Vec::new();
    for (index, item) in problems.list(node, path).iter().enumerate() {
        let at = format!("{path}[{index}]");
        let Some(mut fields) = Fields::of(item, &at, problems) else { continue };
        let name = fields.take("path").map(|(node, path)| problems.strings(node, &path)).unwrap_or_default();
        let value = fields.take("value").map(|(node, path)| body(node, &path, problems));
        fields.finish(problems);
        match value {
            Some(value) if !name.is_empty() => list.push((name, value)),
            _ => problems.add(item, &at, "a property is `{path: [first, second], value: text}`"),
        }
    }
    list
}

/// `250ms`, `2s`, `3m`.
fn duration(node: &Node, path: &str, problems: &mut Problems) -> Option<Duration> {
    let text = node.as_str().unwrap_or_default();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let duration = digits.parse::<u64>().ok().and_then(|number| match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    });
    if duration.is_none() {
        problems.add(node, path, "expected a duration such as `250ms`, `2s` or `3m`");
    }
    duration
}
