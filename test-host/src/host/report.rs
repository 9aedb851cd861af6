//! From what happened to a transcript.

use serde_json::Value;

use super::{Host, Map};
use crate::engine::Play;
use crate::transcript::{ClientSaw, Ending, Transcript, UpstreamSaw, lasting};

/// One end of the wire: what it got.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    pub(super) headers: Option<Map>,
    pub(super) body: Vec<u8>,
    pub(super) end: Ending,
    /// No body follows, whatever `content-length` says (RFC 9110 section 6.4.1).
    pub(super) bodiless: bool,
    /// The end never comes.
    pub(super) endless: bool,
}

impl Receiver {
    pub(super) fn headers(&mut self, map: Map) {
        self.headers = Some(map);
    }

    /// The sender is done. A receiver that was promised more waits for it; of what is more than promised it reads nothing
    /// (`envoy-istio` 4.3, content-length kept).
    pub(super) fn finish(&mut self) {
        let promised = self.headers.as_ref().and_then(Map::content_length).filter(|_| !self.bodiless);
        match promised {
            Some(length) if self.body.len() < length => {}
            Some(length) => {
                self.body.truncate(length);
                self.end = Ending::Complete;
            }
            None => self.end = Ending::Complete,
        }
    }
}

/// What the model adds to a request, as Envoy's connection manager does before any filter.
pub(super) const ADDED: [(&str, &str); 2] =
    [("x-forwarded-proto", "http"), ("x-request-id", "00000000-0000-4000-8000-000000000001")];

pub(super) fn transcript(host: &Host, play: &Play, client: Receiver, upstream: Receiver, trapped: Option<String>) -> Transcript {
    let mut transcript = Transcript {
        callouts: host.calls.seen.clone(),
        counters: host.shared.borrow().counters(),
        trapped,
        ..Transcript::default()
    };
    if let Some(headers) = &client.headers {
        let status = headers.first(b":status").and_then(|status| core::str::from_utf8(status).ok()?.parse().ok());
        let headers = pairs(headers, |name| name != ":status");
        transcript.client = ClientSaw { status, headers, body: client.body, end: client.end };
    } else {
        transcript.client.end = client.end;
    }
    transcript.upstream = match (upstream.headers, upstream.end) {
        (Some(headers), Ending::Complete) => {
            let sent = |name: &str| play.request.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
            let added = |name: &str| ADDED.iter().any(|(known, _)| *known == name) && !sent(name);
            UpstreamSaw::Complete { headers: pairs(&headers, |name| !added(name)), body: upstream.body }
        }
        _ if upstream.body.is_empty() => UpstreamSaw::Nothing,
        _ => UpstreamSaw::Partial { body: upstream.body },
    };
    let (logged, log) = sorted(host.lines());
    transcript.log = log;
    let left = host.filter_state(&play.filter_state()).unwrap_or_default();
    transcript.set_audit(logged, &[&*String::from_utf8_lossy(left)]);
    transcript
}

/// Lines of the log: audit records, and the others.
pub(super) fn sorted(lines: &[String]) -> (Vec<Value>, Vec<String>) {
    let (mut records, mut others) = (Vec::new(), Vec::new());
    for line in lines {
        match audit(line) {
            Some(record) => records.push(record),
            None => others.push(line.clone()),
        }
    }
    (records, others)
}

/// The audit record in a line, without what differs from run to run.
fn audit(line: &str) -> Option<Value> {
    let text = line.get(line.find(r#"{"v":1,"#)?..)?;
    let record: Value = serde_json::from_str(text).ok()?;
    record.get("decision")?;
    Some(lasting(record))
}

/// Header pairs for a transcript: sorted, without what the proxy itself adds.
pub(super) fn pairs(map: &Map, keep: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let own = |name: &str| name.starts_with("x-envoy-") || matches!(name, "server" | "date" | "transfer-encoding" | "connection");
    let all = map.iter().map(|(name, value)| (text(name), text(value)));
    let mut pairs: Vec<_> = all.filter(|(name, _)| !own(name) && keep(name)).collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}
