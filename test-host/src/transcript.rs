//! What an outsider saw of one exchange. Two engines agree if their transcripts are equal.

use serde_json::Value;
use wardpoint_core::filter::left_as;

/// What client, upstream and called services saw, and what was recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// What the exchange that hands over a token or a ticket gave. Not compared between engines.
    pub handed: Option<String>,
    /// The statuses that the clients of the exchanges before this one got.
    pub before: Vec<Option<u16>>,
    /// What the client got.
    pub client: ClientSaw,
    /// What the upstream got.
    pub upstream: UpstreamSaw,
    /// Calls to other services, in order.
    pub callouts: Vec<Called>,
    /// Audit records, in order, wherever they were found; without `time` and `took_us`.
    pub audit: Vec<Value>,
    /// How many of them each place got.
    pub places: Places,
    /// Counters of the plugin that are not zero, by name.
    pub counters: std::collections::BTreeMap<String, u64>,
    /// The plugin trapped; what the trap said. Always a failure.
    pub trapped: Option<String>,
    /// All that the plugin wrote to the log but audit records. Not compared between engines; scanned for canaries.
    pub log: Vec<String>,
}

/// How many audit records each place got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Places {
    /// The proxy's log.
    pub log: usize,
    /// Filter state, for the access log.
    pub access_log: usize,
}

/// What the client got.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientSaw {
    /// Status; `None`: no answer at all.
    pub status: Option<u16>,
    /// Header pairs without `:status` and those that the proxy itself adds (`server`, `date`, `x-envoy-*`,
    /// `transfer-encoding`, `connection`), names in lower case, sorted by name.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
    /// How it ended.
    pub end: Ending,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// As it should.
    Complete,
    /// It was still open when the driver stopped looking: a hang.
    #[default]
    Open,
    /// The stream was reset.
    Reset,
}

/// What the upstream got.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum UpstreamSaw {
    /// A complete request.
    Complete {
        /// Header pairs, those that the proxy itself adds left out, sorted by name.
        headers: Vec<(String, String)>,
        /// The body, whole.
        body: Vec<u8>,
    },
    /// Nothing, or (headers not held) headers without any byte of the body and without an end.
    #[default]
    Nothing,
    /// Part of a body: something leaked, or somebody left.
    Partial {
        /// The bytes that came.
        body: Vec<u8>,
    },
}

/// A call to another service.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Called {
    /// The cluster.
    pub cluster: String,
    /// Header pairs, those that the proxy itself adds left out, sorted by name.
    pub headers: Vec<(String, String)>,
    /// The body, or the gRPC message.
    pub body: Vec<u8>,
}

impl Transcript {
    /// What the upstream got as `authorization`, if it got a complete request.
    pub(crate) fn authorization(&self) -> Option<String> {
        let UpstreamSaw::Complete { headers, .. } = &self.upstream else { return None };
        headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.clone())
    }

    /// The ticket that the client got, and the header by which it comes back.
    pub(crate) fn ticket(&self) -> Option<(String, String)> {
        let body: Value = serde_json::from_slice(&self.client.body).ok()?;
        let data = body.pointer("/error/data")?;
        let of = data["reason"].as_str()?.strip_suffix("_pending")?;
        Some((format!("wardpoint-{of}"), data["ticket"].as_str()?.to_owned()))
    }

    /// Takes the audit records of both places: `access_log` is the text that filter state had. What is in both is one record;
    /// what the access log could not take comes behind.
    pub(crate) fn set_audit(&mut self, log: Vec<Value>, access_logs: &[&str]) {
        let records = |text: &&str| match serde_json::from_str::<Vec<Value>>(text) {
            _ if text.is_empty() => Vec::new(),
            Ok(records) => records.into_iter().map(lasting).collect(),
            // No record, so the schema will say so.
            Err(_) => vec![Value::String((*text).to_owned())],
        };
        let mut left: Vec<Value> = access_logs.iter().flat_map(records).collect();
        if access_logs.len() > 1 {
            // Each plugin's are in order; between them the log knows it.
            left.sort_by_key(|record| log.iter().position(|known| known == record).unwrap_or(usize::MAX));
        }
        self.places = Places { log: log.len(), access_log: left.len() };
        self.audit = if log.starts_with(&left) {
            log
        } else {
            if !left.starts_with(&log) {
                left.extend(log);
            }
            left
        };
    }
}

/// A record without what differs from run to run.
pub(crate) fn lasting(mut record: Value) -> Value {
    if let Some(fields) = record.as_object_mut() {
        for name in ["time", "took_us"] {
            fields.shift_remove(name);
        }
    }
    record
}

/// The name of the filter state in which a plugin with this configuration leaves records for the access log.
pub(crate) fn filter_state(plugin: &str, config: &Value) -> String {
    format!("wasm.{}", left_as(plugin, config.pointer("/audit/as").and_then(Value::as_str)))
}
