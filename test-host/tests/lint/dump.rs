//! `wardpoint lint --config-dump`: the dump of an Envoy that is as it should be, and each way to break it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run;

/// What Envoy 1.40 said; a test below says when it says something else.
pub(crate) const DUMP: &str = include_str!("dump.json");

/// Where an Envoy's files are, in the dump and in the files below proxy/.
const PLACE: &str = "/etc/envoy";

/// How long Envoy may take to start, on a machine that has other work.
const START: Duration = Duration::from_secs(60);

/// How a dump is changed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Break {
    /// Each occurrence of the first text, in JSON without white space, becomes the second.
    Text(&'static str, &'static str),
    /// This filter of the chain `tools` stands at this number.
    Move(&'static str, usize),
    /// This chain has not these filters.
    Drop(&'static str, &'static [&'static str]),
    /// The chain `tools` has this filter twice.
    Twice(&'static str),
}

use Break::{Drop as Without, Move, Text, Twice};

/// What is found of which change.
pub(crate) const BROKEN: &[(&str, Break)] = &[
    ("not-in-chain", Text("\"http_filters\":[", "\"was\":[")),
    ("chain-unguarded", Without("others", &["tools.mcp-authz", "mcp_authz.guard"])),
    (
        "not-in-force",
        Text(
            "\"name\":\"health\",\"active_state\"",
            "\"name\":\"health\",\"error_state\":{\"details\":\"bad\"},\"active_state\"",
        ),
    ),
    ("not-in-force", Text("\"name\":\"health\",\"active_state\"", "\"name\":\"health\",\"warming_state\"")),
    ("not-in-force", Text("\"ecds_filter\":", "\"error_state\":{\"details\":\"Unable to create Wasm plugin\"},\"ecds_filter\":")),
    (
        "module-missing",
        Text("v3.TypedExtensionConfig\",\"name\":\"tools.mcp-authz\"", "v3.TypedExtensionConfig\",\"name\":\"other\""),
    ),
    (
        "module-missing",
        Text(
            "v3.Wasm\",\"config\":{\"name\":\"tools.mcp-authz\"",
            "v3.RBAC\",\"rules_stat_prefix\":\"wasm-default-deny\",\"was\":{\"x\":0",
        ),
    ),
    (
        "module-missing",
        Text(
            "v3.Wasm\",\"config\":{\"name\":\"tools.mcp-authz\"",
            "v3.RBAC\",\"rules_stat_prefix\":\"wasm-default-allow\",\"was\":{\"x\":0",
        ),
    ),
    ("filter-disabled", Text("{\"name\":\"exchange\",", "{\"name\":\"exchange\",\"disabled\":true,")),
    ("filter-disabled", Text("\"typed_per_filter_config\":{", "\"typed_per_filter_config\":{\"exchange\":{\"disabled\":true},")),
    (
        "filter-disabled",
        Text(
            "\"domains\":[\"*\"]",
            "\"domains\":[\"*\"],\"typed_per_filter_config\":{\"tools.mcp-authz\":{\"@type\":\"x/envoy.config.route.v3.FilterConfig\",\"disabled\":true}}",
        ),
    ),
    ("cors-wildcard", Text("{\"exact\":\"https://console.example.com\"}", "{\"safe_regex\":{\"regex\":\".*\"}}")),
    ("cors-wildcard", Text("{\"exact\":\"https://console.example.com\"}", "{\"prefix\":\"\"}")),
    ("fail-strategy", Text("\"failure_policy\":\"FAIL_RELOAD\"", "\"fail_open\":true")),
    ("fail-strategy", Text(",\"failure_policy\":\"FAIL_RELOAD\"", "")),
    ("fail-strategy", Text("FAIL_RELOAD", "FAIL_OPEN")),
    ("worker-unguarded", Without("tools", &["mcp_authz.guard"])),
    ("worker-unguarded", Without("others", &["mcp_authz.guard"])),
    ("worker-unguarded", Without("tools", &["token_exchange.guard"])),
    ("worker-unguarded", Text("\"key\":\"wasm.wardpoint_token_exchange\"", "\"key\":\"wasm.other\"")),
    ("worker-unguarded", Text("{\"name\":\"mcp_authz.guard\",", "{\"name\":\"mcp_authz.guard\",\"disabled\":true,")),
    (
        "worker-unguarded",
        Text(
            "\"typed_per_filter_config\":{",
            "\"typed_per_filter_config\":{\"token_exchange.guard\":{\"@type\":\"x/envoy.extensions.filters.http.rbac.v3.RBACPerRoute\"},",
        ),
    ),
    (
        "worker-unguarded",
        Text(
            "\"domains\":[\"*\"]",
            "\"domains\":[\"*\"],\"typed_per_filter_config\":{\"mcp_authz.guard\":{\"@type\":\"x/envoy.config.route.v3.FilterConfig\",\"disabled\":true}}",
        ),
    ),
    (
        "worker-unguarded",
        Text(
            "\"principals\":[{\"filter_state\":{\"key\":\"wasm.wardpoint_token_exchange\"",
            "\"principals\":[{\"any\":true},{\"filter_state\":{\"key\":\"wasm.wardpoint_token_exchange\"",
        ),
    ),
    ("guard-refuses-all", Text("\\\"limits\\\":{", "\\\"audit\\\":{\\\"to\\\":[\\\"log\\\"]},\\\"limits\\\":{")),
    ("guard-refuses-all", Text("\\\"limits\\\":{", "\\\"audit\\\":{\\\"as\\\":\\\"tier\\\"},\\\"limits\\\":{")),
    ("guard-refuses-all", Text("\"wasm.wardpoint_token_exchange\"", "\"wasm.wardpoint_token_exchange.tier\"")),
    ("guard-refuses-all", Move("token_exchange.guard", 2)),
    ("guard-refuses-all", Without("tools", &["exchange"])),
    ("guard-refuses-all", Without("others", &["tools.mcp-authz"])),
    (
        "token-mirrored",
        Text(
            "\"timeout\":\"0s\"",
            "\"timeout\":\"0s\",\"request_mirror_policies\":[{\"cluster\":\"outbound|443||idp.example.com\"}]",
        ),
    ),
    ("token-mirrored", Text("\"domains\":[\"*\"]", "\"domains\":[\"*\"],\"request_mirror_policies\":[{\"cluster\":\"copies\"}]")),
    (
        "token-mirrored",
        Text("\"virtual_hosts\":[", "\"request_mirror_policies\":[{\"cluster_header\":\"x-to\"}],\"virtual_hosts\":["),
    ),
    (
        "token-mirrored",
        Text(
            "v3.Cluster\",\"name\":\"tools\"",
            "v3.Cluster\",\"typed_extension_protocol_options\":{\"x\":{\"request_mirror_policies\":[{\"cluster\":\"copies\"}]}},\"name\":\"tools\"",
        ),
    ),
    ("destination-chosen", Text("\"route\":{\"cluster\":\"tools\"", "\"route\":{\"cluster_header\":\"x-to\"")),
    (
        "destination-chosen",
        Text(
            "v3.Cluster\",\"name\":\"tools\"",
            "v3.Cluster\",\"original_dst_lb_config\":{\"use_http_header\":true},\"name\":\"tools\"",
        ),
    ),
    ("hold-headers", Text("\"allow_on_headers_stop_iteration\":true", "\"allow_on_headers_stop_iteration\":false")),
    (
        "digest-missing",
        Text(
            "\"local\":{\"filename\":\"/etc/envoy/mcp-authz.wasm\"}",
            "\"remote\":{\"http_uri\":{\"uri\":\"oci://r.example.com/x:1\"}}",
        ),
    ),
    ("route-elsewhere", Text("\\\"host\\\":\\\"tools.example.com\\\"", "\\\"service\\\":\\\"gone.tools.svc.cluster.local\\\"")),
    ("route-elsewhere", Text("\\\"host\\\":\\\"tools.example.com\\\"", "\\\"upstreamCluster\\\":\\\"gone\\\"")),
    (
        "audit-gap",
        Text(
            "\"stat_prefix\":\"tools\"",
            "\"stat_prefix\":\"tools\",\"access_log\":[{\"format\":\"%FILTER_STATE(wasm.wardpoint_mcp_authz:PLAIN)%\"}]",
        ),
    ),
    ("audit-shared", Twice("tools.mcp-authz")),
    ("audit-gap", Text("\\\"limits\\\":{", "\\\"audit\\\":{\\\"to\\\":[\\\"accessLog\\\"]},\\\"limits\\\":{")),
    ("plugin-config", Text("search_*", "*search*")),
    ("plugin-config", Text("\\\"rules\\\":[", "\\\"rule\\\":[")),
    ("plugin-config", Text("protobuf.StringValue\",\"value\"", "protobuf.Struct\",\"of\"")),
    ("buffer-limit", Text("\"per_connection_buffer_limit_bytes\":4194304", "\"per_connection_buffer_limit_bytes\":1048576")),
    ("buffer-limit", Text("\"per_connection_buffer_limit_bytes\":4194304", "\"listener_filters_timeout\":\"1s\"")),
    ("request-authentication", Text("jwt_authn.v3.JwtAuthentication", "other.v3.Other")),
    ("phase-sees-no-claims", Move("envoy.filters.http.jwt_authn", 4)),
    ("filter-order", Move("exchange", 2)),
    ("forward-original-token", Text(",\"forward\":true", "")),
    ("peer-unverified", Text(",\"validation_context\":{\"trusted_ca\":{\"filename\":\"/etc/envoy/agents.pem\"}}}", "}")),
    (
        "peer-unverified",
        Text("/etc/envoy/agents.pem\"}}}", "/etc/envoy/agents.pem\"},\"trust_chain_verification\":\"ACCEPT_UNTRUSTED\"}}"),
    ),
    ("peer-unverified", Text("v3.DownstreamTlsContext", "v3.Other")),
    ("tls-resumption", Text("\"disable_stateless_session_resumption\":true", "\"disable_stateless_session_resumption\":false")),
    ("tls-resumption", Text(",\"disable_stateful_session_resumption\":true", "")),
    ("callout-cluster", Text("v3.Cluster\",\"name\":\"outbound|443||idp.example.com\"", "v3.Cluster\",\"name\":\"idp\"")),
    (
        "callout-tls",
        Text(
            "\"transport_socket\":{\"name\":\"envoy.transport_sockets.tls\",\"typed_config\":{\"@type\":\"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Up",
            "\"was\":{\"name\":\"envoy.transport_sockets.tls\",\"typed_config\":{\"@type\":\"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Up",
        ),
    ),
];

pub(crate) fn findings(dump: &str, words: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dump.json"), dump).unwrap();
    run(folder.path(), words)
}

/// The dump with a change; none if there is nothing to change.
fn broken(change: Break) -> Option<String> {
    let mut dump: Value = serde_json::from_str(DUMP).unwrap();
    match change {
        Text(from, to) => {
            let text = dump.to_string();
            return text.contains(from).then(|| text.replace(from, to));
        }
        Move(name, to) => {
            let filters = filters(&mut dump, "tools")?;
            let at = filters.iter().position(|filter| filter["name"] == name)?;
            let filter = filters.remove(at);
            filters.insert(to, filter);
        }
        Twice(name) => {
            let filters = filters(&mut dump, "tools")?;
            let at = filters.iter().position(|filter| filter["name"] == name)?;
            let filter = filters.get(at)?.clone();
            filters.insert(at, filter);
        }
        Without(chain, names) => filters(&mut dump, chain)?.retain(|filter| names.iter().all(|name| filter["name"] != *name)),
    }
    Some(dump.to_string())
}

/// The HTTP filters of the chain with this prefix of counters.
fn filters<'d>(value: &'d mut Value, prefix: &str) -> Option<&'d mut Vec<Value>> {
    if value.get("stat_prefix").is_some_and(|it| it == prefix) {
        return value["http_filters"].as_array_mut();
    }
    match value {
        Value::Object(members) => members.values_mut().find_map(|value| filters(value, prefix)),
        Value::Array(items) => items.iter_mut().find_map(|value| filters(value, prefix)),
        _ => None,
    }
}

#[test]
fn nothing_is_found_in_a_proxy_where_all_is_well() {
    let (exit, out, err) = findings(DUMP, &["--config-dump", "dump.json"]);
    assert_eq!((exit, out.as_str(), err.as_str()), (Some(0), "3 chains, 0 errors, 0 warnings\n", ""));
}

#[test]
fn each_break_of_a_dump_is_found_and_nothing_else_with_its_path_and_a_fix() {
    let wrong: Vec<String> = BROKEN.iter().filter_map(|(check, change)| wrong(check, *change)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the lint should have said of a break and did not.
fn wrong(check: &str, change: Break) -> Option<String> {
    let Some(broken) = broken(change) else { return Some(format!("{change:?}: there is nothing to change")) };
    let (exit, out, err) = findings(&broken, &["--format", "json", "--config-dump", "dump.json"]);
    let found: Value = serde_json::from_str(&out).unwrap_or_default();
    let found = found.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let only = !found.is_empty() && found.iter().all(|it| it["check"] == check);
    let placed = found.iter().all(|it| text(it, "path").starts_with("configs") && it["line"].is_null());
    let told = found.iter().all(|it| !text(it, "fix").is_empty() && !text(it, "why").is_empty());
    let ended = exit == Some(i32::from(found.iter().any(|it| it["severity"] == "error")));
    (!only || !placed || !told || !ended).then(|| format!("{check}, {change:?}: {found:#?}{err}"))
}

#[test]
fn a_finding_in_a_dump_names_path_chain_reason_and_fix() {
    let broken = broken(Move("exchange", 2)).unwrap();
    let (exit, out, _) = findings(&broken, &["--config-dump", "dump.json"]);
    let want = "dump.json: configs[2].dynamic_listeners[0].active_state.listener.filter_chains[0].filters[0].typed_config.http_filters[2]: \
error[filter-order]: listener agents, chain tools, filter exchange: it is asked before mcp-authz
    why: what will be refused gets a token first: it is minted, paid for and in somebody's log
    fix:
      priority: 100   # and 300 for mcp-authz; Envoy: behind it
3 chains, 1 errors, 0 warnings
";
    assert_eq!((exit, out.as_str()), (Some(1), want));
    let (_, sarif, _) = findings(&broken, &["--format", "sarif", "--config-dump", "dump.json"]);
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0];
    assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "dump.json");
    assert!(place["physicalLocation"]["region"].is_null());
    assert!(place["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap().ends_with("http_filters[2]"));
}

/// Routes go where a cluster of the proxy goes; in a waypoint what plugins call is no destination.
#[test]
fn a_route_of_a_dump_goes_where_a_cluster_is() {
    let route = "\\\"host\\\":\\\"tools.example.com\\\"";
    let with = |said: &str, from: &'static str, to: &'static str| {
        let dump = broken(Text(from, to)).unwrap();
        assert!(dump.contains(route));
        let (_, out, _) =
            findings(&dump.replace(route, &said.replace('"', "\\\"")), &["--format", "json", "--config-dump", "dump.json"]);
        serde_json::from_str::<Vec<Value>>(&out).unwrap().iter().map(|it| it["check"].clone()).collect::<Vec<_>>()
    };
    let same = ("v3.Cluster\",\"name\":\"tools\"", "v3.Cluster\",\"name\":\"tools\"");
    let vip = (same.0, "v3.Cluster\",\"name\":\"inbound-vip|8080|http|files.tools.svc.cluster.local\"");
    for (said, (from, to), wanted) in [
        (r#""upstreamCluster":"tools""#, same, 0),
        (r#""service":"idp.example.com""#, same, 0),
        (r#""service":"idp.example.com""#, vip, 1),
        (r#""service":"files.tools.svc.cluster.local""#, vip, 0),
        (r#""service":"files.tools""#, vip, 1),
        (r#""service":"tools.svc.cluster.local""#, vip, 1),
    ] {
        let found = with(said, from, to);
        assert_eq!(found, vec![Value::from("route-elsewhere"); wanted], "{said} {to}");
    }
}

/// Conditions too: a deny rule for a service that is spelt otherwise would deny nothing.
#[test]
fn a_condition_of_a_dump_goes_where_a_cluster_is() {
    let tools = "\\\"tools\\\":[\\\"search_*\\\"]";
    let vip =
        ("v3.Cluster\",\"name\":\"tools\"", "v3.Cluster\",\"name\":\"inbound-vip|8080|http|files.tools.svc.cluster.local\"");
    for (when, (from, to), wanted) in [
        ("request.cluster == 'tools'", (vip.0, vip.0), 0),
        ("request.cluster == 'tool'", (vip.0, vip.0), 1),
        ("request.service == 'idp.example.com'", (vip.0, vip.0), 0),
        ("request.service == 'idp.example.com'", vip, 1),
        ("request.service == 'files.tools.svc.cluster.local'", vip, 0),
        ("request.service in ['files.tools.svc.cluster.local', 'files.tools']", vip, 1),
        ("has(request.service)", vip, 0),
    ] {
        let dump = broken(Text(from, to)).unwrap();
        assert_eq!(dump.matches(tools).count(), 1);
        let dump = dump.replace(tools, &format!("{tools},\\\"when\\\":\\\"{when}\\\""));
        let (_, out, _) = findings(&dump, &["--format", "json", "--config-dump", "dump.json"]);
        let found: Vec<Value> = serde_json::from_str(&out).unwrap();
        let found: Vec<_> = found.iter().map(|it| it["check"].clone()).collect();
        assert_eq!(found, vec![Value::from("route-elsewhere"); wanted], "{when} {to}: {out}");
    }
}

#[test]
fn a_log_of_another_plugin_prints_no_records_of_this_one() {
    let text = |plugin: &str| format!("{{\"format\":\"%FILTER_STATE(wasm.wardpoint_{plugin}:PLAIN)%\"}}");
    for (logs, gaps) in [
        (text("mcp_authz_approval"), 0),
        (text("mcp_authz"), 1),
        (format!("{},{}", text("token_exchange"), text("mcp_authz")), 1),
    ] {
        let tools = "\"stat_prefix\":\"tools\"";
        let dump = DUMP.parse::<Value>().unwrap().to_string().replace(tools, &format!("{tools},\"access_log\":[{logs}]"));
        let (_, out, _) = findings(&dump, &["--format", "json", "--config-dump", "dump.json"]);
        let found: Vec<Value> = serde_json::from_str(&out).unwrap();
        assert_eq!(found.iter().filter(|it| it["check"] == "audit-gap").count(), gaps, "{logs}: {found:#?}");
        assert!(found.iter().all(|it| it["object"] == "listener agents, chain others"), "{found:#?}");
    }
}

/// What a guard asks for must be left before it: what is said names the one place that is wrong.
#[test]
fn a_guard_asks_for_what_is_left_before_it() {
    let (authz, exchange) = ("wasm.wardpoint_mcp_authz", "wasm.wardpoint_token_exchange");
    let limits = r#"\"limits\":{"#;
    for (change, path, text, fix) in [
        (
            Text(limits, r#"\"audit\":{\"to\":[\"log\"]},\"limits\":{"#),
            "configuration.value",
            format!(
                "audit.to: [\"log\"]: the filter mcp_authz.guard behind it asks for {authz}, which is left for the access log only"
            ),
            "audit: {to: [log, accessLog]}",
        ),
        (
            Text(limits, r#"\"audit\":{\"as\":\"tier\"},\"limits\":{"#),
            "http_filters[3]",
            format!("it asks for {authz}, and the filter tools.mcp-authz before it leaves {authz}.tier"),
            r#""key":"wasm.wardpoint_mcp_authz.tier""#,
        ),
        (
            Move("token_exchange.guard", 2),
            "http_filters[2]",
            format!("it asks for {exchange}, and the filter exchange, which leaves that, stands behind it"),
            "- name: exchange\n- name: token_exchange.guard",
        ),
        (
            Without("tools", &["exchange"]),
            "http_filters[4]",
            format!("it asks for {exchange}, and no filter before it leaves that"),
            "# the plugin before it",
        ),
    ] {
        let (exit, out, _) = findings(&broken(change).unwrap(), &["--format", "json", "--config-dump", "dump.json"]);
        let found: Vec<Value> = serde_json::from_str(&out).unwrap();
        let says = |it: &Value, name: &str, what: &str| it[name].as_str().unwrap().contains(what);
        let all = |it: &Value| says(it, "path", path) && says(it, "text", &text) && says(it, "fix", fix);
        assert!(exit == Some(1) && found.iter().all(|it| it["check"] == "guard-refuses-all"), "{change:?}: {found:#?}");
        assert!(found.iter().any(all), "{change:?}, {text}: {found:#?}");
    }
    // A plugin that leaves nothing for a guard has none.
    let silent = broken(Text(limits, r#"\"audit\":{\"to\":[\"log\"]},\"limits\":{"#)).unwrap();
    let (_, out, _) =
        findings(&silent.replace(&format!("\"{authz}\""), "\"wasm.other\""), &["--format", "json", "--config-dump", "dump.json"]);
    let found: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert!(found.len() == 2 && found.iter().all(|it| it["check"] == "worker-unguarded"), "{found:#?}");
}

#[test]
fn a_chain_that_refuses_everything_needs_no_plugin() {
    for (rbac, warnings) in [
        (r#""rules":{}"#, 0),
        (r#""stat_prefix":"x""#, 1),
        (r#""rules":{"action":"DENY"}"#, 1),
        (r#""rules":{"policies":{"a":{}}}"#, 1),
        (r#""matcher":{}"#, 0),
        (r#""matcher":{"on_no_match":{"action":{"typed_config":{"action":"DENY"}}}}"#, 0),
        (r#""matcher":{"on_no_match":{"action":{"typed_config":{"action":"ALLOW"}}}},"rules":{}"#, 1),
    ] {
        let mut dump: Value = serde_json::from_str(DUMP).unwrap();
        let filter =
            format!(r#"{{"name":"rbac","typed_config":{{"@type":"x/envoy.extensions.filters.http.rbac.v3.RBAC",{rbac}}}}}"#);
        let filters = filters(&mut dump, "others").unwrap();
        filters.retain(|filter| filter["name"] != "mcp_authz.guard");
        let at = filters.iter().position(|filter| filter["name"] == "tools.mcp-authz").unwrap();
        *filters.get_mut(at).unwrap() = serde_json::from_str(&filter).unwrap();
        let (_, out, _) = findings(&dump.to_string(), &["--config-dump", "dump.json"]);
        assert!(out.ends_with(&format!("3 chains, 0 errors, {warnings} warnings\n")), "{rbac}: {out}");
    }
}

#[test]
fn a_dump_in_camel_case_is_the_same_dump() {
    let dump: Value = serde_json::from_str(&broken(Text("FAIL_RELOAD", "FAIL_OPEN")).unwrap()).unwrap();
    let (_, snake, _) = findings(&dump.to_string(), &["--format", "json", "--config-dump", "dump.json"]);
    let (_, camel, _) = findings(&camel(&dump).to_string(), &["--format", "json", "--config-dump", "dump.json"]);
    let checks = |text: &str| {
        let found: Vec<Value> = serde_json::from_str(text).unwrap();
        found.iter().map(|it| (it["check"].clone(), it["object"].clone(), it["text"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(checks(&snake), checks(&camel));
    assert!(camel.contains("dynamicListeners[0].activeState"), "{camel}");
}

fn camel(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let mut words = name.split('_').map(str::to_owned);
                let first = words.next().unwrap();
                let name = words.fold(first, |name, word| {
                    let (first, rest) = word.split_at(1);
                    name + &first.to_uppercase() + rest
                });
                (name, camel(value))
            })
            .collect(),
        Value::Array(items) => items.iter().map(camel).collect(),
        other => other.clone(),
    }
}

#[test]
fn what_is_no_dump_is_an_error_and_not_a_clean_bill() {
    for (text, why) in [("{}", "is no config_dump"), ("nothing", "is not JSON"), ("{\"configs\":[]}", "is no config_dump")] {
        let (exit, out, err) = findings(text, &["--config-dump", "dump.json"]);
        assert_eq!((exit, out.as_str()), (Some(2), ""), "{text}");
        assert!(err.contains(why), "{err}");
    }
}

/// A running Envoy with its files. It is killed when this is dropped.
struct Envoy(Child, tempfile::TempDir);

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where `make` puts things, unless a variable says otherwise.
fn place(variable: &str, below: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os(variable).map_or_else(|| root.join(below), PathBuf::from)
}

fn start() -> Envoy {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint/proxy")).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(file.path()).unwrap().replace(PLACE, folder.path().to_str().unwrap());
        fs::write(path(file.file_name().to_str().unwrap()), text).unwrap();
    }
    for plugin in ["mcp-authz.wasm", "token-exchange.wasm"] {
        fs::copy(place("WARDPOINT_PLUGINS", "target/plugins").join(plugin), path(plugin)).unwrap();
    }
    let own = rcgen::generate_simple_self_signed(["tools.example.com".to_owned()]).unwrap();
    fs::write(path("tls.crt"), own.cert.pem()).unwrap();
    fs::write(path("agents.pem"), own.cert.pem()).unwrap();
    fs::write(path("tls.key"), own.signing_key.serialize_pem()).unwrap();
    let mut command = Command::new(place("ENVOY_BIN", "target/envoy/1.40.0/bin/envoy"));
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]);
    command.arg("--config-path").arg(path("bootstrap.yaml")).arg("--admin-address-path").arg(path("admin"));
    let log = fs::File::create(path("log")).unwrap();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    Envoy(child, folder)
}

/// What it says it runs, once it serves.
fn ask(envoy: &Envoy) -> Value {
    let begun = Instant::now();
    loop {
        let admin = fs::read_to_string(envoy.1.path().join("admin")).unwrap_or_default();
        let dump = get(&admin, "/config_dump").and_then(|text| serde_json::from_str::<Value>(&text).ok()).unwrap_or_default();
        let text = dump.to_string();
        if text.matches("active_state").count() == 2 && text.contains("\"ecds_filters\"") && !text.contains("warming_state") {
            return dump;
        }
        let log = fs::read_to_string(envoy.1.path().join("log")).unwrap_or_default();
        assert!(begun.elapsed() < START, "Envoy does not come to serve: {log}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn get(admin: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(admin).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let (from, to) = (body.find('{')?, body.rfind('}')?);
    // Chunks: their lengths stand on lines of their own.
    let lines = body.get(from..=to)?.split("\r\n").filter(|line| u64::from_str_radix(line, 16).is_err());
    Some(lines.collect())
}

/// Without what differs from run to run and from machine to machine, and without what the proxy was built with.
fn normal(mut dump: Value, folder: &Path) -> Value {
    let configs = dump.get_mut("configs").and_then(Value::as_array_mut).unwrap();
    configs.retain(|it| !it["@type"].as_str().unwrap().ends_with("BootstrapConfigDump"));
    for section in configs.iter_mut() {
        for name in ["static_clusters", "dynamic_listeners", "static_route_configs", "dynamic_route_configs"] {
            if let Some(list) = section.get_mut(name).and_then(Value::as_array_mut) {
                list.sort_by_key(Value::to_string);
            }
        }
    }
    undated(&mut dump);
    serde_json::from_str(&dump.to_string().replace(folder.to_str().unwrap(), PLACE)).unwrap()
}

fn undated(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("last_updated");
            members.values_mut().for_each(undated);
        }
        Value::Array(items) => items.iter_mut().for_each(undated),
        _ => {}
    }
}

#[test]
fn the_dump_is_what_envoy_says() {
    let envoy = start();
    let dump = ask(&envoy);
    let (exit, out, _) = findings(&dump.to_string(), &["--config-dump", "dump.json"]);
    assert_eq!((exit, out.as_str()), (Some(0), "3 chains, 0 errors, 0 warnings\n"));
    let normal = format!("{:#}\n", normal(dump, envoy.1.path()));
    if std::env::var_os("BLESS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint/dump.json"), normal).unwrap();
    } else {
        assert!(normal == DUMP, "dump.json is stale: run with BLESS=1, then read the diff\n{normal}");
    }
}
