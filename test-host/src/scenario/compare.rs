//! What was seen against what was expected.

use serde_json::Value;

use super::expect::{
    BodyKind, Expected, ExpectedBody, ExpectedCall, ExpectedClient, ExpectedEvent, ExpectedHeader, TextMatch, UpstreamKind,
};
use super::json::subset;
use super::model::{Case, Exchange};
use super::sse;
use super::token;
use super::yaml::{Data, Place};
use crate::transcript::{Called, ClientSaw, Ending, Transcript, UpstreamSaw};

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// Where the expectation stands.
    pub place: Place,
    /// What it is about: `client.body.error.code`.
    pub path: String,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub seen: String,
}

pub(super) type Mismatches = Vec<Mismatch>;

impl Mismatch {
    pub(super) fn new(place: Place, path: &str, expected: String, seen: String) -> Self {
        Self { place, path: path.to_owned(), expected, seen }
    }
}

/// All differences between a transcript and what the case expects.
pub fn compare(expected: &Expected, case: &Case, seen: &Transcript) -> Vec<Mismatch> {
    let mut out = Vec::new();
    for (index, before) in case.before.iter().enumerate() {
        let status = seen.before.get(index).copied().flatten();
        if status != Some(before.status) {
            let path = format!("before[{index}].status");
            out.push(Mismatch::new(before.place, &path, before.status.to_string(), answered(status)));
        }
    }
    client(expected, &case.exchange, &seen.client, &mut out);
    upstream(expected, &case.exchange, &seen.upstream, &mut out);
    callouts(expected, &seen.callouts, &mut out);
    subset(&expected.audit, &Value::Array(seen.audit.clone()), "audit", &mut out);
    for (name, want, place) in &expected.counters {
        let count = seen.counters.get(name).copied().unwrap_or(0);
        if count != *want {
            out.push(Mismatch::new(*place, &format!("counters.{name}"), want.to_string(), count.to_string()));
        }
    }
    out
}

fn answered(status: Option<u16>) -> String {
    status.map_or("no answer".to_owned(), |status| status.to_string())
}

fn client(expected: &Expected, exchange: &Exchange, seen: &ClientSaw, out: &mut Mismatches) {
    let ExpectedClient { place, status, headers: want, body: want_body, end } = &expected.client;
    if *status != seen.status {
        out.push(Mismatch::new(*place, "client.status", answered(*status), answered(seen.status)));
    }
    if status.is_none() {
        return;
    }
    if *end != seen.end {
        out.push(Mismatch::new(*place, "client.end", ending(*end).to_owned(), ending(seen.end).to_owned()));
    }
    headers(want, &seen.headers, "client.headers", out);
    if let Some(want_body) = want_body {
        body(want_body, &seen.body, "client.body", out);
    } else if let (UpstreamKind::Complete(..), Some(answer)) = (&expected.upstream.kind, &exchange.upstream) {
        let same_status = status.is_some_and(|s| answer.headers.contains(&(b":status".to_vec(), s.to_string().into_bytes())));
        let bytes = answer.chunks.concat();
        if same_status && *end == Ending::Complete && seen.body != bytes {
            out.push(Mismatch::new(*place, "client.body (not stated, so that of the upstream)", text(&bytes), text(&seen.body)));
        }
    }
}

fn upstream(expected: &Expected, exchange: &Exchange, seen: &UpstreamSaw, out: &mut Mismatches) {
    let place = expected.upstream.place;
    match (&expected.upstream.kind, seen) {
        (UpstreamKind::Nothing, UpstreamSaw::Nothing) => {}
        (UpstreamKind::Complete(want, want_body), UpstreamSaw::Complete { headers: got, body: got_body }) => {
            headers(want, got, "upstream.headers", out);
            match want_body {
                Some(want_body) => body(want_body, got_body, "upstream.body", out),
                None => {
                    let sent = exchange.request.chunks.concat();
                    if sent != *got_body {
                        out.push(Mismatch::new(place, "upstream.body (unchanged)", text(&sent), text(got_body)));
                    }
                }
            }
        }
        (UpstreamKind::Partial(want_body), UpstreamSaw::Partial { body: got_body }) => {
            body(want_body, got_body, "upstream.partial", out);
        }
        (kind, seen) => {
            let want = match kind {
                UpstreamKind::Nothing => "nothing",
                UpstreamKind::Complete(..) => "a complete request",
                UpstreamKind::Partial(_) => "part of a request",
            };
            let got = match seen {
                UpstreamSaw::Nothing => "nothing".to_owned(),
                UpstreamSaw::Complete { body, .. } => format!("a complete request\n{}", text(body)),
                UpstreamSaw::Partial { body } => format!("part of a request\n{}", text(body)),
            };
            out.push(Mismatch::new(place, "upstream", want.to_owned(), got));
        }
    }
}

fn callouts(expected: &Expected, seen: &[Called], out: &mut Mismatches) {
    if expected.callouts.len() != seen.len() {
        let want = format!("{} calls", expected.callouts.len());
        let names: Vec<_> = seen.iter().map(|call| call.cluster.as_str()).collect();
        let got = format!("{} calls: {}", seen.len(), names.join(", "));
        out.push(Mismatch::new(expected.callouts_place, "callouts", want, got));
        return;
    }
    for (index, (want, got)) in expected.callouts.iter().zip(seen).enumerate() {
        let path = format!("callouts[{index}]");
        let ExpectedCall { place, cluster, headers: want_headers, body: want_body } = want;
        if let Some(cluster) = cluster
            && *cluster != got.cluster
        {
            out.push(Mismatch::new(*place, &format!("{path}.cluster"), cluster.clone(), got.cluster.clone()));
        }
        headers(want_headers, &got.headers, &format!("{path}.headers"), out);
        if let Some(want_body) = want_body {
            body(want_body, &got.body, &format!("{path}.body"), out);
        }
    }
}

fn headers(expected: &[ExpectedHeader], seen: &[(String, String)], path: &str, out: &mut Mismatches) {
    for header in expected {
        let got: Vec<&str> = seen.iter().filter(|(name, _)| *name == header.name).map(|(_, value)| value.as_str()).collect();
        let holds =
            got.len() == header.values.len() && header.values.iter().zip(&got).all(|(want, got)| want.is_match(got.as_bytes()));
        if !holds {
            let wants: Vec<String> = header.values.iter().map(TextMatch::show).collect();
            let or_absent = |lines: String| if lines.is_empty() { "absent".to_owned() } else { lines };
            let path = format!("{path}.{}", header.name);
            out.push(Mismatch::new(header.place, &path, or_absent(wants.join("\n")), or_absent(got.join("\n"))));
        }
    }
}

fn body(expected: &ExpectedBody, seen: &[u8], path: &str, out: &mut Mismatches) {
    let place = expected.place;
    match &expected.kind {
        BodyKind::Json(node) => match serde_json::from_slice::<Value>(seen) {
            Ok(value) => subset(node, &value, path, out),
            Err(_) => out.push(Mismatch::new(place, path, show(&node.to_json()), text(seen))),
        },
        BodyKind::Form(want) => {
            if token::read_form(seen).as_ref() != Some(want) {
                let lines = |pairs: &[(String, String)]| pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
                let got = token::read_form(seen).map_or_else(|| text(seen), |pairs| lines(&pairs));
                out.push(Mismatch::new(place, path, lines(want), got));
            }
        }
        BodyKind::Text(want) => {
            if !want.is_match(seen) {
                out.push(Mismatch::new(place, path, want.show(), text(seen)));
            }
        }
        BodyKind::Events(want) => {
            let got = sse::events(seen);
            if got.len() == want.len() {
                for (index, (want, got)) in want.iter().zip(&got).enumerate() {
                    event(want, got, &format!("{path}.sse[{index}]"), out);
                }
            } else {
                let want = format!("{} events", want.len());
                out.push(Mismatch::new(place, path, want, format!("{} events\n{}", got.len(), text(seen))));
            }
        }
    }
}

fn event(want: &ExpectedEvent, got: &sse::Event, path: &str, out: &mut Mismatches) {
    for (name, want_text, got_text) in
        [("event", &want.event, &got.event), ("id", &want.id, &got.id), ("retry", &want.retry, &got.retry)]
    {
        if want_text != got_text {
            let show = |text: &Option<String>| text.clone().unwrap_or_else(|| "absent".to_owned());
            out.push(Mismatch::new(want.place, &format!("{path}.{name}"), show(want_text), show(got_text)));
        }
    }
    let path = format!("{path}.data");
    let got_text = got.data.clone().unwrap_or_else(|| "absent".to_owned());
    match (&want.data, &got.data) {
        (None, None) => {}
        (Some(node), Some(data)) => match (&node.data, serde_json::from_str::<Value>(data)) {
            (Data::String(text), _) if text == data => {}
            (Data::Map(_) | Data::List(_), Ok(value)) => subset(node, &value, &path, out),
            (Data::String(text), _) => out.push(Mismatch::new(node.place, &path, text.clone(), got_text)),
            (_, Ok(value)) if node.to_json() == value => {}
            _ => out.push(Mismatch::new(node.place, &path, show(&node.to_json()), got_text)),
        },
        (None, Some(_)) => out.push(Mismatch::new(want.place, &path, "absent".to_owned(), got_text)),
        (Some(node), None) => out.push(Mismatch::new(node.place, &path, show(&node.to_json()), got_text)),
    }
}

impl TextMatch {
    /// Whether `seen` is as it must be.
    pub fn is_match(&self, seen: &[u8]) -> bool {
        match self {
            Self::Exact(want) => want == seen,
            Self::Contains(want) => want.is_empty() || seen.windows(want.len()).any(|window| window == want.as_bytes()),
            Self::Matches(regex) => regex.is_match(&String::from_utf8_lossy(seen)),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Exact(want) => text(want),
            Self::Contains(want) => format!("contains `{want}`"),
            Self::Matches(regex) => format!("matches `{regex}`"),
        }
    }
}

/// The name of an ending in scenarios.
pub fn ending(end: Ending) -> &'static str {
    match end {
        Ending::Complete => "complete",
        Ending::Open => "open",
        Ending::Reset => "reset",
    }
}

/// Objects and lists over several lines, so that a diff is readable.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()),
        _ => value.to_string(),
    }
}

/// A body for people: bytes that are no text are escaped, long ones are cut.
pub(crate) fn text(bytes: &[u8]) -> String {
    const MOST: usize = 4096;
    if bytes.is_empty() {
        return "(empty)".to_owned();
    }
    let shown = bytes.get(..MOST).unwrap_or(bytes);
    let mut text = match std::str::from_utf8(shown) {
        Ok(text) if !text.contains(|c: char| c.is_control() && c != '\n') => text.to_owned(),
        _ => shown.escape_ascii().to_string().replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'"),
    };
    if bytes.len() > MOST {
        text.push_str(&format!("\n… {} bytes in all", bytes.len()));
    }
    text
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
