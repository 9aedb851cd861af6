//! What holds for every exchange, whatever a case expects.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::model::Case;
use crate::engine::Sent;
use crate::transcript::{Ending, Places, Transcript, UpstreamSaw};

/// The audit schema without `time` and `took_us`, which transcripts leave out. `Err`: the schema itself is broken.
static SCHEMA: LazyLock<Result<Validator, String>> = LazyLock::new(|| {
    let mut schema: Value = serde_json::from_str(wardpoint_core::audit::SCHEMA).map_err(|error| error.to_string())?;
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name != "time" && name != "took_us");
    }
    jsonschema::validator_for(&schema).map_err(|error| error.to_string())
});

/// What `seen` breaks: traps, hangs, malformed audit records, unaudited requests, leaked credentials.
pub fn broken(case: &Case, open_expected: bool, seen: &Transcript) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(trap) = &seen.trapped {
        out.push(format!("the plugin trapped: {trap}"));
    }
    if seen.client.end == Ending::Open && !open_expected && case.exchange.leaves.is_none() {
        out.push("the exchange hangs: the client's answer did not end".to_owned());
    }
    match &*SCHEMA {
        Err(error) => out.push(format!("the audit schema is broken: {error}")),
        Ok(schema) => {
            for (index, record) in seen.audit.iter().enumerate() {
                out.extend(
                    schema
                        .iter_errors(record)
                        .map(|error| format!("audit record {index} breaks its schema at `{}`: {error}", error.instance_path())),
                );
            }
        }
    }
    if matches!(seen.upstream, UpstreamSaw::Complete { .. }) && seen.audit.is_empty() {
        out.push("a request reached the upstream without an audit record".to_owned());
    }
    out.extend(passed_through(case, seen));
    out.extend(misplaced(case, seen));
    out.extend(leaked(case, seen));
    out
}

/// A token that was to be exchanged or taken away, and is upstream all the same.
fn passed_through(case: &Case, seen: &Transcript) -> Option<String> {
    let is = |record: &Value, name: &str, value: &str| record.get(name).and_then(Value::as_str) == Some(value);
    let replaced = |record: &Value| {
        let action = ["exchange", "reference", "strip"].into_iter().any(|action| is(record, "action", action));
        is(record, "plugin", "token-exchange") && is(record, "mode", "enforce") && action
    };
    let (headers, body) = match &seen.upstream {
        UpstreamSaw::Complete { headers, body } => (headers.as_slice(), body),
        UpstreamSaw::Partial { body } => (&[][..], body),
        UpstreamSaw::Nothing => return None,
    };
    let sent = &case.exchange.request;
    let own_body = sent.chunks.concat();
    let there = |token: &str| {
        headers.iter().any(|(_, value)| value.contains(token))
            || (*body != own_body && body.windows(token.len()).any(|window| window == token.as_bytes()))
    };
    let tokens = [Some(sent), case.handed.as_ref().map(|handed| &handed.exchange.request)].into_iter().flatten();
    let tokens =
        tokens.filter_map(authorization).chain(seen.handed.as_deref()).filter_map(|value| Some(value.split_once(' ')?.1));
    let passed = seen.audit.iter().any(replaced) && tokens.into_iter().any(there);
    passed.then(|| "the token that the request brought is upstream".to_owned())
}

fn authorization(sent: &Sent) -> Option<&str> {
    let value = sent.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"authorization"));
    std::str::from_utf8(&value?.1).ok()
}

/// Whether records are not where the configuration wants them. A fault may drive them elsewhere, and the access log's share
/// is some twenty of them.
fn misplaced(case: &Case, seen: &Transcript) -> Option<String> {
    const SHARE: usize = 10;
    let wanted =
        |name: &str| case.config.pointer("/audit/to").and_then(Value::as_array).is_none_or(|to| to.contains(&name.into()));
    let all = seen.audit.len();
    let want = Places { log: if wanted("log") { all } else { 0 }, access_log: if wanted("accessLog") { all } else { 0 } };
    let comparable = case.exchange.faults.is_empty() && seen.trapped.is_none() && all <= SHARE;
    (comparable && seen.places != want)
        .then(|| format!("of {all} audit records, {want:?} was configured and {:?} came", seen.places))
}

/// The secrets of the case that log or audit show; how many, never which.
pub fn leaked(case: &Case, seen: &Transcript) -> Vec<String> {
    let mut out = Vec::new();
    let handed = seen.handed.as_deref().map(|value| value.rsplit(' ').next().unwrap_or(value).to_owned());
    for canary in case.canaries.iter().chain(&handed) {
        let in_log = seen.log.iter().filter(|line| line.contains(canary.as_str())).count();
        let in_audit = seen.audit.iter().filter(|record| holds(record, canary)).count();
        if in_log + in_audit > 0 {
            out.push(format!("a secret of the case is in {in_log} log lines and {in_audit} audit records"));
        }
    }
    out
}

/// Whether a text is in any string or member name of `value`.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains(text) || holds(value, text)),
        _ => false,
    }
}
