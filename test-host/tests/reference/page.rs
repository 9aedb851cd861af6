//! The page as Markdown.

use std::fmt::Write as _;

use serde_json::Value;
use wardpoint_core::audit;
use wardpoint_core::filter::{COUNTERS, Counting, Plugin as _};
use wardpoint_core::mcp_authz::McpAuthzApproval;
use wardpoint_core::policy::Reason;
use wardpoint_core::{mcp_authz, token_exchange};

use super::{alerts, config, counters};

const HEAD: &str = "
<!-- Made from the code by `make docs`; a test fails when it is stale. Change the code, not this page. -->

- [Configuration](#configuration): every field
- [Reasons](#reasons): every way to be refused, and what the client gets
- [Metrics](#metrics): every counter, and alerts to start from
- [Audit record](#audit-record): every field
";

/// A plugin that has a page.
pub(super) struct Plugin {
    pub(super) name: &'static str,
    pub(super) schema: fn() -> String,
    /// What it counts beside what all plugins do.
    pub(super) counters: &'static [Counting],
    /// Another plugin that is on this page: its name, and what it counts beside what all plugins do.
    pub(super) sister: Option<(&'static str, &'static [Counting])>,
}

/// All that have one.
pub(super) fn plugins() -> [Plugin; 2] {
    let sister = Some((McpAuthzApproval::NAME, mcp_authz::COUNTERS_OF_ASKING));
    let schema = token_exchange::config::schema;
    [
        Plugin { name: mcp_authz::NAME, schema: mcp_authz::config::schema, counters: &[], sister },
        Plugin { name: token_exchange::NAME, schema, counters: token_exchange::COUNTERS, sister: None },
    ]
}

/// What each plugin counts beside what all do.
pub(super) fn counted() -> Vec<(&'static str, &'static [Counting])> {
    plugins().into_iter().flat_map(|plugin| [Some((plugin.name, plugin.counters)), plugin.sister]).flatten().collect()
}

/// The page of a plugin.
pub(super) fn page(plugin: &Plugin) -> String {
    let schema: Value = serde_json::from_str(&(plugin.schema)()).unwrap();
    let name = plugin.name;
    let mut out = format!("# Reference: {name}\n{HEAD}");
    out.push_str("\n## Configuration\n\nJSON, or YAML for people; an unknown field is an error. ");
    let _ = write!(out, "`wardpoint check --plugin {name} policy.yaml` says every problem at once, each with its line. ");
    let _ = writeln!(out, "The JSON Schema is that of `wardpoint schema {name}`.");
    out.push_str(&config::tables(&schema));
    out.push_str(&reasons());
    out.push_str(&metrics(plugin));
    out.push_str(&record(name));
    out
}

/// The page of what `wardpoint render` reads.
pub(super) fn access() -> String {
    let schema: Value = serde_json::from_str(&wardpoint_test_host::render::schema()).unwrap();
    let mut out = String::from("# Reference: access\n\n");
    out.push_str(
        "<!-- Made from the code by `make docs`; a test fails when it is stale. Change the code, not this page. -->\n\n",
    );
    out.push_str("Who may reach which server and which of its tools: what `wardpoint render` makes NetworkPolicies, AuthorizationPolicies and the ");
    out.push_str("configuration of `mcp-authz` of. An [example](../../examples/one-declaration/README.md). JSON, or YAML for people; an unknown field is an ");
    out.push_str(
        "error, and every problem is told at once, each with its line. The JSON Schema is that of `wardpoint schema access`.\n",
    );
    out.push_str(&config::tables(&schema));
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
        "\n## Reasons\n\nCodes are stable, and one list for all plugins. The client finds the code in `error.data.reason` of the JSON-RPC answer, ",
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

fn metrics(plugin: &Plugin) -> String {
    let mut out = String::from(
        "\n## Metrics\n\nCounters of the proxy. In Envoy's `/stats` each stands behind `wasmcustom.`; `/stats/prometheus` shows it under the second name: ",
    );
    out.push_str("what is neither letter, digit nor `_` becomes `_`. So give rules ids that still differ then.\n\n");
    out.push_str("| counter | Prometheus | counts |\n|---|---|---|\n");
    let own = COUNTERS.iter().chain(plugin.counters).map(|counter| (plugin.name, counter));
    for (of, counter) in own.chain(plugin.sister.iter().flat_map(|(name, own)| own.iter().map(|counter| (*name, counter)))) {
        let name = format!("wardpoint.{of}.{}", counter.name);
        row(&mut out, &[&format!("`{name}`"), &format!("`{}`", counters::prometheus(&name)), counter.doc]);
    }
    if let Some((sister, _)) = plugin.sister {
        let _ = write!(out, "\n`{sister}` counts all of them, under its own name.");
    }
    out.push_str("\nA counter is there from the first time that it counts; until then a query finds nothing.\n");
    let alerts = alerts(plugin.name);
    let file = plugin.name;
    let _ = write!(
        out,
        "\n### Alerts\n\nTo start from; [the file]({file}.alerts.yaml) is a rule file for Prometheus.\n\n```yaml\n{alerts}```\n"
    );
    out
}

fn record(plugin: &str) -> String {
    let state = format!("wasm.wardpoint_{}", plugin.replace('-', "_"));
    let schema: Value = serde_json::from_str(audit::SCHEMA).unwrap();
    let mut out = String::from(
        "\n## Audit record\n\nOne a decision, mostly one a request. No content and no token. The JSON Schema is that of `wardpoint schema audit`. ",
    );
    out.push_str("Where records go is `audit.to`:\n\n");
    out.push_str("- `log`: a line of the proxy's log, `wardpoint.audit ` and the record, as soon as it is decided.\n");
    let _ = write!(
        out,
        "- `accessLog`: filter state `{state}`, a JSON array of the request's records. The proxy's own access log writes it "
    );
    let _ = write!(out, "when the request is over, if its format has `%FILTER_STATE({state}:PLAIN)%`. ");
    out.push_str(
        "On a line of its own (`text_format_source`) that is JSON as it stands; as a field of a JSON log it is JSON in JSON. ",
    );
    out.push_str(
        "Where headers go on before they are judged an empty list is left with them, and another name with `audit.as`. ",
    );
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
