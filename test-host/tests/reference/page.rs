//! The page as Markdown.

use std::fmt::Write as _;

use serde_json::Value;
use wardpoint_core::audit;
use wardpoint_core::filter::COUNTERS;
use wardpoint_core::mcp_authz;
use wardpoint_core::policy::Reason;

use super::{config, counters};

const HEAD: &str = "# Reference: mcp-authz

<!-- Made from the code by `make docs`; a test fails when it is stale. Change the code, not this page. -->

- [Configuration](#configuration): every field
- [Reasons](#reasons): every way to be refused, and what the client gets
- [Metrics](#metrics): every counter, and alerts to start from
- [Audit record](#audit-record): every field
";

/// The page of mcp-authz.
pub(super) fn page(alerts: &str) -> String {
    let schema: Value = serde_json::from_str(&mcp_authz::config::schema()).unwrap();
    let mut out = HEAD.to_owned();
    out.push_str("\n## Configuration\n\nJSON, or YAML for people; an unknown field is an error. ");
    out.push_str("`wardpoint check --plugin mcp-authz policy.yaml` says every problem at once, each with its line. ");
    out.push_str("The JSON Schema is that of `wardpoint schema mcp-authz`.\n");
    out.push_str(&config::tables(&schema));
    out.push_str(&reasons());
    out.push_str(&metrics(alerts));
    out.push_str(&record());
    out
}

/// The cells of a row. A bar would end a cell.
pub(super) fn row(out: &mut String, cells: &[&str]) {
    for cell in cells {
        let _ = write!(out, "| {} ", cell.replace('|', "\\|"));
    }
    out.push_str("|\n");
}

/// What doc comments leave behind: blanks around.
pub(super) fn plain(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn reasons() -> String {
    let mut out = String::from(
        "\n## Reasons\n\nCodes are stable. The client finds the code in `error.data.reason` of the JSON-RPC answer, ",
    );
    out.push_str("with `error.data.decisionId`, which is `request` of the audit record. The message is fixed text.\n\n");
    out.push_str("| reason | HTTP | JSON-RPC | message | meaning |\n|---|---|---|---|---|\n");
    let mut all: Vec<Reason> = Reason::ALL.to_vec();
    all.sort_by_key(|reason| reason.code());
    for reason in all {
        let code = format!("`{}`", reason.code());
        row(
            &mut out,
            &[&code, &reason.status().to_string(), &reason.rpc_code().to_string(), reason.message(), &plain(reason.doc())],
        );
    }
    out
}

fn metrics(alerts: &str) -> String {
    let mut out = String::from(
        "\n## Metrics\n\nCounters of the proxy. In Envoy's `/stats` each stands behind `wasmcustom.`; `/stats/prometheus` shows it under the second name: ",
    );
    out.push_str("what is neither letter, digit nor `_` becomes `_`. So give rules ids that still differ then.\n\n");
    out.push_str("| counter | Prometheus | counts |\n|---|---|---|\n");
    for counter in COUNTERS {
        let name = format!("wardpoint.mcp-authz.{}", counter.name);
        row(&mut out, &[&format!("`{name}`"), &format!("`{}`", counters::prometheus(&name)), counter.doc]);
    }
    out.push_str("\nA counter is there from the first time that it counts; until then a query finds nothing.\n");
    let _ = write!(
        out,
        "\n### Alerts\n\nTo start from; [the file](mcp-authz.alerts.yaml) is a rule file for Prometheus.\n\n```yaml\n{alerts}```\n"
    );
    out
}

fn record() -> String {
    let schema: Value = serde_json::from_str(audit::SCHEMA).unwrap();
    let mut out = String::from(
        "\n## Audit record\n\nOne a decision, mostly one a request. No content and no token. The JSON Schema is that of `wardpoint schema audit`. ",
    );
    out.push_str("Where records go is `audit.to`:\n\n");
    out.push_str("- `log`: a line of the proxy's log, `wardpoint.audit ` and the record, as soon as it is decided.\n");
    out.push_str("- `accessLog`: filter state `wasm.wardpoint_mcp_authz`, a JSON array of the request's records. The proxy's own access log writes it ");
    out.push_str("when the request is over, if its format has `%FILTER_STATE(wasm.wardpoint_mcp_authz:PLAIN)%`. ");
    out.push_str("This is the cheaper place: the proxy's log is written to at once, which costs it more than the decision.\n\n");
    out.push_str("What the access log cannot take (more than 16 KiB of one request, or a proxy that fails) goes to the log, whatever is configured.\n\n");
    out.push_str("| field | type | meaning |\n|---|---|---|\n");
    fields(&mut out, "", &schema);
    out
}

fn fields(out: &mut String, before: &str, schema: &Value) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{before}{name}");
        let doc = field["description"].as_str().unwrap_or_else(|| panic!("{path} of the audit record lacks a description"));
        row(out, &[&format!("`{path}`"), &config::kind(field), doc]);
        fields(out, &format!("{path}."), field);
    }
}
