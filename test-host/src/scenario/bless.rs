//! Writes what was seen into the `expect` blocks of a scenario; every other byte stays.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::compare::{compare, ending};
use super::expect::{BodyKind, Expected, UpstreamKind};
use super::json::{project, special_text, subset};
use super::model::{Case, Exchange, Profile, Scenario};
use super::run::{Failure, Line, Outcome};
use super::sse;
use super::yaml::{self, Data, Node};
use crate::transcript::{Ending, Transcript, UpstreamSaw};

/// Longest line that is written.
const WIDTH: usize = 128;

/// What a blessing came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Blessed {
    /// The new text.
    pub text: String,
    /// Names of the cases whose expectation is new.
    pub written: Vec<String>,
    /// Names of the cases that cannot be blessed, and why.
    pub refused: Vec<(String, String)>,
}

/// The text of `scenario` with new expectations for the cases that failed. `lines` are those of a run that kept what it saw.
pub fn bless(scenario: &Scenario, index: usize, lines: &[Line]) -> Blessed {
    let mut blessed = Blessed { text: scenario.text.clone(), ..Blessed::default() };
    let root = yaml::parse(&scenario.text).ok();
    for (number, case) in scenario.cases.iter().enumerate().rev() {
        let lines: Vec<&Line> = lines.iter().filter(|line| (line.scenario, line.case) == (index, number)).collect();
        if !lines.iter().any(|line| matches!(line.outcome, Outcome::Failed(..))) {
            continue;
        }
        let old = root.as_ref().and_then(|root| root.locate_node(&format!("cases[{number}].expect")));
        match expectation(case, old, &lines).and_then(|new| spliced(&blessed.text, case, &new)) {
            Ok(text) => {
                blessed.text = text;
                blessed.written.push(case.name.clone());
            }
            Err(why) => blessed.refused.push((case.name.clone(), why)),
        }
    }
    blessed.written.reverse();
    blessed.refused.reverse();
    blessed
}

/// What `case` should expect, or why that cannot be said.
fn expectation(case: &Case, old: Option<&Node>, lines: &[&Line]) -> Result<Value, String> {
    let mut by_profile = Vec::new();
    for profile in Profile::ALL.into_iter().filter(|profile| case.profiles.contains(profile)) {
        let mut seen = None;
        for line in lines.iter().filter(|line| line.profile == profile) {
            match &line.outcome {
                Outcome::Failed(_, Failure::Engines(_)) => return Err("the engines differ".to_owned()),
                Outcome::Failed(_, Failure::Engine(error)) => return Err(format!("an engine failed: {error}")),
                Outcome::Failed(_, Failure::Differs(_, broken)) if !broken.is_empty() => {
                    return Err(format!("it breaks what every exchange must hold: {}", broken.join("; ")));
                }
                Outcome::Failed(cut, Failure::Differs(..)) if *cut != super::cut::Cut::AsWritten => {
                    return Err(format!("what is seen depends on the cut ({cut})"));
                }
                _ => seen = seen.or(line.seen.as_ref()),
            }
        }
        if let Some(seen) = seen {
            let over = if profile == Profile::Hold { "hold" } else { "noHold" };
            let shape = |name: &str| old.and_then(|old| old.get(over).and_then(|over| over.get(name)).or(old.get(name)));
            by_profile.push((profile, observed(case, profile, &shape, seen)));
        }
    }
    let mut profiles = by_profile.into_iter();
    let Some((_, base)) = profiles.next() else { return Err("it was not played".to_owned()) };
    let mut all = base.clone();
    for (_, other) in profiles {
        let differs: Map<String, Value> = other.into_iter().filter(|(name, value)| base.get(name) != Some(value)).collect();
        if !differs.is_empty() {
            all.insert("noHold".to_owned(), Value::Object(differs));
        }
    }
    Ok(Value::Object(all))
}

/// The expectation that `seen` fulfils; where the old one did already, it stays.
fn observed<'a>(
    case: &Case,
    profile: Profile,
    shape: &dyn Fn(&str) -> Option<&'a Node>,
    seen: &Transcript,
) -> Map<String, Value> {
    let expected = case.expected(profile);
    let differs: Vec<String> = expected.map(|e| compare(e, case, seen).into_iter().map(|m| m.path).collect()).unwrap_or_default();
    let kept = |name: &str| {
        let fits = expected.is_some() && !differs.iter().any(|path| path.starts_with(name));
        shape(name).filter(|_| fits).map(Node::to_json)
    };
    let mut out = Map::new();
    out.insert("client".to_owned(), kept("client").unwrap_or_else(|| client(expected, &case.exchange, shape("client"), seen)));
    out.insert("upstream".to_owned(), kept("upstream").unwrap_or_else(|| upstream(expected, &case.exchange, seen)));
    if shape("callouts").is_some() || !seen.callouts.is_empty() {
        let calls = seen.callouts.iter().map(|call| json!({"cluster": call.cluster, "body": body_value(&call.body, false)}));
        out.insert("callouts".to_owned(), kept("callouts").unwrap_or_else(|| calls.collect()));
    }
    let audit = Value::Array(seen.audit.clone());
    let records = || match shape("audit") {
        Some(old @ Node { data: Data::List(items), .. }) if items.len() == seen.audit.len() => fit(old, &audit),
        _ => seen.audit.iter().map(essence).collect(),
    };
    out.insert("audit".to_owned(), kept("audit").unwrap_or_else(records));
    if let Some(Node { data: Data::Map(entries), .. }) = shape("counters") {
        let counts = entries.iter().map(|e| (e.key.clone(), seen.counters.get(&e.key).copied().unwrap_or(0).into()));
        out.insert("counters".to_owned(), Value::Object(counts.collect()));
    }
    out
}

fn client(expected: Option<&Expected>, exchange: &Exchange, old: Option<&Node>, seen: &Transcript) -> Value {
    let saw = &seen.client;
    let Some(status) = saw.status else {
        return if saw.end == Ending::Open { json!("open") } else { json!("nothing") };
    };
    let mut out = Map::new();
    out.insert("status".to_owned(), status.into());
    if let Some(Node { data: Data::Map(entries), .. }) = old.and_then(|old| old.get("headers")) {
        let header = |name: &str| {
            let values: Vec<&String> = saw.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).collect();
            match values.as_slice() {
                [] => Value::Null,
                [one] => json!(one),
                more => json!(more),
            }
        };
        let headers = entries.iter().map(|entry| (entry.key.clone(), header(&entry.key)));
        out.insert("headers".to_owned(), Value::Object(headers.collect()));
    }
    let answer = exchange.upstream.as_ref().map(|answer| answer.chunks.concat());
    let streams = saw.headers.iter().any(|(n, v)| n == "content-type" && v.starts_with("text/event-stream"));
    let old_body = expected.and_then(|expected| expected.client.body.as_ref());
    match old_body.map(|body| &body.kind) {
        Some(BodyKind::Json(old)) => match serde_json::from_slice::<Value>(&saw.body) {
            Ok(value) => out.insert("body".to_owned(), fit(old, &value)),
            Err(_) => out.insert("body".to_owned(), body_value(&saw.body, streams)),
        },
        Some(_) => out.insert("body".to_owned(), body_value(&saw.body, streams)),
        None if answer.as_ref() == Some(&saw.body) => None,
        None => out.insert("body".to_owned(), without_ids(body_value(&saw.body, streams))),
    };
    if saw.end != Ending::Complete {
        out.insert("end".to_owned(), ending(saw.end).into());
    }
    Value::Object(out)
}

fn upstream(expected: Option<&Expected>, exchange: &Exchange, seen: &Transcript) -> Value {
    match &seen.upstream {
        UpstreamSaw::Nothing => json!("nothing"),
        UpstreamSaw::Partial { body } => json!({"partial": body_value(body, false)}),
        UpstreamSaw::Complete { headers, body } => {
            let mut out = Map::new();
            if let Some(UpstreamKind::Complete(old, _)) = expected.map(|expected| &expected.upstream.kind)
                && !old.is_empty()
            {
                let value = |name: &str| match headers.iter().find(|(n, _)| n == name) {
                    Some((_, value)) => json!(value),
                    None => Value::Null,
                };
                let pairs = old.iter().map(|header| (header.name.clone(), value(&header.name)));
                out.insert("headers".to_owned(), Value::Object(pairs.collect()));
            }
            if *body != exchange.request.chunks.concat() {
                out.insert("body".to_owned(), body_value(body, false));
            }
            if out.is_empty() { json!("unchanged") } else { Value::Object(out) }
        }
    }
}

/// The form of a body in a scenario.
fn body_value(body: &[u8], streams: bool) -> Value {
    if streams {
        let data = |text: String| match serde_json::from_str::<Value>(&text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
            _ => Value::String(text),
        };
        let event = |event: sse::Event| {
            let mut out = Map::new();
            let fields = [("event", event.event), ("id", event.id), ("retry", event.retry)];
            out.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
            out.extend(event.data.map(|text| ("data".to_owned(), data(text))));
            Value::Object(out)
        };
        return json!({"sse": sse::events(body).into_iter().map(event).collect::<Vec<_>>()});
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ => match std::str::from_utf8(body) {
            Ok(text) => json!(text),
            Err(_) => {
                use base64::Engine as _;
                json!({"base64": base64::engine::general_purpose::STANDARD.encode(body)})
            }
        },
    }
}

/// Decision ids are different each time.
fn without_ids(mut body: Value) -> Value {
    if let Some(Value::Object(data)) = body.pointer_mut("/error/data") {
        data.shift_remove("decisionId");
    }
    body
}

/// What a new case says of a record.
fn essence(record: &Value) -> Value {
    let names = ["decision", "reason", "rule", "action", "resource"].into_iter();
    let pairs = names.filter_map(|name| Some((name.to_owned(), record.get(name).filter(|v| !v.is_null())?.clone())));
    Value::Object(pairs.collect())
}

/// `seen` in the shape of `old`: what fits stays as it is written, matchers included.
fn fit(old: &Node, seen: &Value) -> Value {
    let mut differs = Vec::new();
    subset(old, seen, "", &mut differs);
    if differs.is_empty() {
        return old.to_json();
    }
    match (&old.data, seen) {
        (Data::Map(entries), Value::Object(members)) if !special_text(old) => {
            let pairs = entries.iter().filter_map(|e| Some((e.key.clone(), fit(&e.value, members.get(&e.key)?))));
            Value::Object(pairs.collect())
        }
        (Data::List(items), Value::Array(values)) if items.len() == values.len() => {
            items.iter().zip(values).map(|(item, value)| fit(item, value)).collect()
        }
        _ => project(old, seen),
    }
}

/// The text with `new` as the case's expectation.
fn spliced(text: &str, case: &Case, new: &Value) -> Result<String, String> {
    let span = &case.span;
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let in_flow = part(span.case.clone()).starts_with('{');
    let column = span.column.saturating_sub(1);
    let (range, fresh) = match (&span.expect_key, &span.expect) {
        (Some(key), Some(value)) => {
            let colon = part(key.end..text.len()).find(':').map(|at| key.end + at + 1).ok_or("its `expect` has no colon")?;
            let empty = part(value.clone()).trim().is_empty();
            let end = if empty { colon } else { value.end.max(colon) };
            let fresh = if in_flow { format!(" {}", flow(new)) } else { block_after_key(new, column + 2) };
            (colon..end, fresh)
        }
        _ if in_flow => return Err("a case in braces without `expect`; write it as a block".to_owned()),
        _ => {
            let end = span.case.end;
            (end..end, format!("\n{}expect:{}", " ".repeat(column), block_after_key(new, column + 2)))
        }
    };
    let mut out = text.to_owned();
    if text.get(range.clone()).is_none() {
        return Err("its place in the text is unclear".to_owned());
    }
    out.replace_range(range, &fresh);
    // Whatever was written must be read back as the same; a text that is not is worse than an old expectation.
    let reads = yaml::parse(&out).map_err(|error| format!("the new text cannot be read: {error}"))?;
    let Node { data: Data::List(cases), .. } = reads.get("cases").ok_or("the new text has no cases")? else {
        return Err("the new text has no list of cases".to_owned());
    };
    let same = cases.iter().filter(|node| node.get("name").and_then(Node::as_str) == Some(case.name.as_str()));
    match same.map(|node| node.get("expect").map(Node::to_json)).next() {
        Some(Some(value)) if value == *new => Ok(out),
        _ => Err("the new text does not say what it should".to_owned()),
    }
}

/// What stands behind `key:`, either on its line or below it.
fn block_after_key(value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let member =
                |(name, value): (&String, &Value)| format!("\n{pad}{}:{}", scalar(name), after_key(value, indent, name.len()));
            members.iter().map(member).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("\n{pad}- {}", item_text(item, indent))).collect()
        }
        other => format!(" {}", flow(other)),
    }
}

fn after_key(value: &Value, indent: usize, key: usize) -> String {
    let line = flow(value);
    if indent + key + 2 + line.chars().count() <= WIDTH { format!(" {line}") } else { block_after_key(value, indent + 2) }
}

fn item_text(item: &Value, indent: usize) -> String {
    let line = flow(item);
    if indent + 2 + line.chars().count() <= WIDTH {
        return line;
    }
    block_after_key(item, indent + 2).trim_start().to_owned()
}

/// One line of YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let pairs: Vec<_> = members.iter().map(|(name, value)| format!("{}: {}", scalar(name), flow(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A string, plain where every YAML reader takes it for one.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.' | b'/'))
        && matches!(yaml::parse(text), Ok(Node { data: Data::String(_), .. }));
    if plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
#[path = "bless_tests.rs"]
mod tests;
