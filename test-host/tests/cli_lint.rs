//! `wardpoint lint` as an operator sees it: one manifest that is as it should be, and each way to break it (F25).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "lint/dump.rs"]
mod dump;
#[path = "lint/guards.rs"]
mod guards;
#[path = "lint/mirrors.rs"]
mod mirrors;
#[path = "lint/switched.rs"]
mod switched;
#[path = "lint/taken.rs"]
mod taken;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wardpoint_test_host::lint::Check;

const GOOD: &str = include_str!("lint/good.yaml");

/// What is found, what is changed, and what that becomes.
const BROKEN: &[(&str, &str, &str)] = &[
    ("callout-cluster", "cluster: \"outbound|443||idp.example.com\"", "cluster: keycloak"),
    ("callout-cluster", "annotations: {envoyfilter.istio.io/referenced-services: idp.example.com}", "labels: {}"),
    ("callout-cluster", "hosts: [idp.example.com]", "hosts: [idp.example.com]\n  exportTo: [other]"),
    ("callout-cluster", "number: 443", "number: 8443"),
    ("callout-tls", "tls: {mode: SIMPLE}", "tls: {mode: DISABLE}"),
    ("plugin-config", "tools: [\"search_*\"], scopes", "tools: [\"*search*\"], scopes"),
    ("plugin-config", "\"allow\":{\"agents\"", "\"allows\":{\"agents\""),
    ("plugin-config", "profile: keycloak", "profile: keyclock"),
    ("hold-headers", "holdHeaders: false", "holdHeaders: true"),
    ("fail-strategy", "    failStrategy: FAIL_RELOAD\n    plugin", "    failStrategy: FAIL_OPEN\n    plugin"),
    ("fail-strategy", "    failStrategy: FAIL_RELOAD\n    plugin", "    plugin"),
    ("fail-strategy", "failure_policy: FAIL_RELOAD", "failure_policy: FAIL_CLOSED"),
    ("priority-unset", "  priority: 300\n", ""),
    ("phase-sees-no-claims", "phase: AUTHZ\n  priority: 300", "phase: AUTHN\n  priority: 300"),
    ("match-ports", "match: [{mode: SERVER}]", "match: [{mode: SERVER, ports: [{number: 8080}]}]"),
    ("match-client", "match: [{mode: SERVER}]", "match: [{mode: CLIENT}]"),
    ("selector", "targetRefs: [{group: \"\", kind: Service, name: mcp-server}]", "selector: {matchLabels: {app: mcp-server}}"),
    ("target-missing", "kind: Service, name: mcp-server}", "kind: Service, name: mcp-servers}"),
    ("target-missing", "  targetRefs: [{group: \"\", kind: Service, name: mcp-server}]\n", ""),
    ("target-missing", "kind: Service, name: mcp-server}", "kind: Deployment, name: mcp-server}"),
    ("target-missing", "group: \"\", kind: Service, name: mcp-server", "group: x, kind: GatewayClass, name: istio-waypoint"),
    ("no-waypoint", "  namespace: tools\n  labels: {istio.io/use-waypoint: waypoint}", "  namespace: tools"),
    (
        "no-waypoint",
        "labels: {istio.io/use-waypoint: waypoint}\nspec:\n  ports",
        "labels: {istio.io/use-waypoint: gone}\nspec:\n  ports",
    ),
    (
        "host-believed",
        "targetRefs: [{group: \"\", kind: Service, name: mcp-server}]\n  phase: AUTHZ\n  priority: 100",
        "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]\n  phase: AUTHZ\n  priority: 100",
    ),
    ("route-elsewhere", "- {host: mcp-server.tools, server", "- {service: elsewhere.other.svc.cluster.local, server"),
    ("route-elsewhere", "- {host: mcp-server.tools, server", "- {service: mcp-server.tools, server"),
    ("route-elsewhere", "- {host: mcp-server.tools, server", "- {service: gone.tools.svc.cluster.local, server"),
    (
        "route-elsewhere",
        "- {host: mcp-server.tools, server",
        "- {upstreamCluster: \"inbound-vip|8080|http|gone.tools.svc.cluster.local\", server",
    ),
    ("route-elsewhere", "- {host: mcp-server.tools, server", "- {upstreamCluster: mcp-server, server"),
    (
        "route-elsewhere",
        "tools: [\"search_*\"], scopes: [\"files:read\"]}",
        "tools: [\"search_*\"], when: 'request.service == \"gone.tools.svc.cluster.local\"'}",
    ),
    (
        "route-elsewhere",
        "tools: [\"search_*\"], scopes: [\"files:read\"]}",
        "tools: [\"search_*\"], when: 'request.service in [\"mcp-server.tools\"]'}",
    ),
    (
        "route-elsewhere",
        "tools: [\"search_*\"], scopes: [\"files:read\"]}",
        "tools: [\"search_*\"], when: 'request.cluster != \"inbound-vip|8080|http|idp.example.com\"'}",
    ),
    (
        "token-mirrored",
        "rules: [{backendRefs",
        "rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copies, port: 8080}}}], backendRefs",
    ),
    (
        "token-mirrored",
        "kind: HTTPRoute\nmetadata: {name: mcp-server, namespace: tools}\nspec:\n  parentRefs: [{kind: Service, group: \"\", name: mcp-server}]\n  \
         rules: [{backendRefs: [{name: mcp-server, port: 8080}]}]",
        "kind: GRPCRoute\nmetadata: {name: mcp-server, namespace: tools}\nspec:\n  parentRefs: [{name: waypoint}]\n  \
         rules: [{backendRefs: [{name: mcp-server, filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copies}}}]}]}]",
    ),
    (
        "token-mirrored",
        "  hosts: [elsewhere]\n  http: [{",
        "  hosts: [mcp-server.tools]\n  http: [{mirrors: [{destination: {host: copies}}], ",
    ),
    (
        "token-mirrored",
        "  hosts: [elsewhere]\n  http: [{",
        "  hosts: [\"*.tools.svc.cluster.local\"]\n  gateways: [mesh, x/y]\n  http: [{mirror: {host: copies}, ",
    ),
    (
        "token-mirrored",
        "  hosts: [elsewhere]\n  http: [{",
        "  hosts: [mcp-server.tools.svc.cluster.local]\n  http: [{mirror: {host: copies}, ",
    ),
    (
        "token-mirrored",
        "      value:\n        typed_per_filter_config:",
        "      value:\n        route: {request_mirror_policies: [{cluster: copies}]}\n        typed_per_filter_config:",
    ),
    ("audit-gap", "name: elsewhere-audit, namespace: other", "name: elsewhere-audit, namespace: tools"),
    ("audit-gap", "kind: Service, name: elsewhere}", "kind: Service, name: elsewhere-2}"),
    ("audit-gap", "accessLogging: [{providers: [{name: wardpoint-audit}]}]", "accessLogging: [{providers: [{name: debug}]}]"),
    ("audit-gap", "accessLogging: [{providers: [{name: wardpoint-audit}]}]", "metrics: [{providers: [{name: prometheus}]}]"),
    (
        "audit-gap",
        "accessLogging: [{providers: [{name: wardpoint-audit}]}]",
        "accessLogging: [{disabled: true, providers: [{name: wardpoint-audit}]}]",
    ),
    (
        "audit-gap",
        "accessLogging: [{providers: [{name: wardpoint-audit}]}]",
        "accessLogging: [{match: {mode: CLIENT}, providers: [{name: wardpoint-audit}]}]",
    ),
    ("waypoint-namespace", ", allowedRoutes: {namespaces: {from: All}}", ""),
    ("waypoint-namespace", "namespaces: {from: All}", "namespaces: {from: Same}"),
    ("digest-missing", "    sha256: \"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\n", ""),
    ("digest-missing", ", sha256: \"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"}", "}"),
    (
        "latest-tag",
        "url: oci://registry.example.com/wardpoint/mcp-authz:1.0.0",
        "url: oci://registry.example.com/wardpoint/mcp-authz:latest",
    ),
    (
        "latest-tag",
        "url: oci://registry.example.com/wardpoint/mcp-authz:1.0.0",
        "url: oci://registry.example.com/wardpoint/mcp-authz",
    ),
    ("forward-original-token", "forwardOriginalToken: true", "forwardOriginalToken: false"),
    ("forward-original-token", "    forwardOriginalToken: true\n", ""),
    (
        "request-authentication",
        "kind: RequestAuthentication\nmetadata: {name: users, namespace: tools}",
        "kind: RequestAuthentication\nmetadata: {name: users, namespace: other}",
    ),
    ("buffer-limit", "per_connection_buffer_limit_bytes: 4194304", "per_connection_buffer_limit_bytes: 1048576"),
    (
        "buffer-limit",
        "listener: {name: main_internal}}\n    patch: {operation: MERGE",
        "listener: {name: other}}\n    patch: {operation: MERGE",
    ),
    (
        "egress-around",
        "metadata: {name: llm, namespace: tools, labels: {istio.io/use-waypoint: waypoint}}",
        "metadata: {name: llm, namespace: tools}",
    ),
    ("egress-opaque", "{number: 80, name: http, protocol: HTTP, targetPort: 443}", "{number: 443, name: tls, protocol: TLS}"),
    ("egress-open", "policyTypes: [Egress]", "policyTypes: [Ingress]"),
    ("cors-wildcard", "{exact: \"https://console.example.com\"}", "{safe_regex: {regex: \".*\"}}"),
    ("cors-wildcard", "{exact: \"https://console.example.com\"}", "{prefix: \"\"}"),
    (
        "filter-anchor",
        "grpc_stats}}}}\n    patch:\n      operation: INSERT_BEFORE\n      value: {",
        "rbac}}}}\n    patch:\n      operation: INSERT_BEFORE\n      value: {",
    ),
    ("filter-anchor", "operation: INSERT_BEFORE\n      value: {", "operation: INSERT_AFTER\n      value: {"),
    ("worker-unguarded", "trafficextension/tools.tools-authz}", "trafficextension/tools.other}"),
    ("worker-unguarded", "tools.exchange~istio-translated-wasmplugin}", "tools.exchange}"),
    ("worker-unguarded", "wasmplugin/tools.exchange}", "wasmplugin/exchange}"),
    ("worker-unguarded", "metadata: {name: guards, namespace: tools}", "metadata: {name: guards, namespace: other}"),
    (
        "worker-unguarded",
        "match: {context: SIDECAR_INBOUND, listener: {name: main_internal, filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: extensions.istio.io/trafficextension/tools.tools-authz}",
        "match: {context: SIDECAR_OUTBOUND, listener: {name: main_internal, filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: extensions.istio.io/trafficextension/tools.tools-authz}",
    ),
    (
        "worker-unguarded",
        "patch:\n      operation: INSERT_AFTER\n      value:\n        name: tools-authz-guard",
        "patch:\n      operation: INSERT_BEFORE\n      value:\n        name: tools-authz-guard",
    ),
    ("worker-unguarded", "key: wasm.wardpoint_mcp_authz,", "key: wasm.other,"),
    ("worker-unguarded", "key: wasm.wardpoint_mcp_authz.approvals", "key: wasm.other"),
    (
        "filter-disabled",
        "value: {name: wardpoint.mcp-authz, config_discovery",
        "value: {name: wardpoint.mcp-authz, disabled: true, config_discovery",
    ),
    (
        "filter-disabled",
        "        typed_per_filter_config:\n",
        "        typed_per_filter_config:\n          wardpoint.mcp-authz: {\"@type\": x/envoy.config.route.v3.FilterConfig, disabled: true}\n",
    ),
    (
        "filter-disabled",
        "        typed_per_filter_config:\n",
        "        typed_per_filter_config:\n          extensions.istio.io/trafficextension/tools.tools-authz: {\"@type\": x/envoy.config.route.v3.FilterConfig, disabled: true}\n",
    ),
    (
        "worker-unguarded",
        "        typed_per_filter_config:\n",
        "        typed_per_filter_config:\n          tools-authz-guard: {\"@type\": x/envoy.config.route.v3.FilterConfig, disabled: true}\n",
    ),
    (
        "worker-unguarded",
        "        typed_per_filter_config:\n",
        "        typed_per_filter_config:\n          exchange-guard: {\"@type\": x/envoy.extensions.filters.http.rbac.v3.RBACPerRoute}\n",
    ),
    ("worker-unguarded", "name: tools-authz-guard\n", "name: tools-authz-guard\n        disabled: true\n"),
    ("guard-refuses-all", "key: wasm.wardpoint_mcp_authz,", "key: wasm.wardpoint_mcp_authz.mesh,"),
    ("guard-refuses-all", "key: wasm.wardpoint_mcp_authz.approvals", "key: wasm.wardpoint_mcp_authz.approval"),
    ("guard-refuses-all", "key: wasm.wardpoint_token_exchange,", "key: wasm.wardpoint_token_exchange.mesh,"),
    ("guard-refuses-all", "\"audit\":{\"as\":\"approvals\"}", "\"audit\":{\"as\":\"approvals\",\"to\":[\"log\"]}"),
    (
        "guard-refuses-all",
        "    pluginConfig:\n      version: 1\n",
        "    pluginConfig:\n      version: 1\n      audit: {to: [log]}\n",
    ),
    (
        "guard-refuses-all",
        "    pluginConfig:\n      version: 1\n",
        "    pluginConfig:\n      version: 1\n      audit: {as: tier}\n",
    ),
];

/// Exit code, output and errors of `wardpoint lint` with these words, in a folder that has `manifest.yaml`.
fn lint(manifest: &str, words: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manifest.yaml"), manifest).unwrap();
    run(folder.path(), words)
}

fn run(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wardpoint")).arg("lint").args(words).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn findings(manifest: &str) -> Vec<Value> {
    let (exit, out, err) = lint(manifest, &["--format", "json", "manifest.yaml"]);
    assert!(matches!(exit, Some(0 | 1)), "{err}");
    let Value::Array(found) = serde_json::from_str(&out).unwrap() else { panic!("{out}") };
    found
}

#[test]
fn nothing_is_found_where_all_is_well() {
    let (exit, out, err) = lint(GOOD, &["manifest.yaml"]);
    assert_eq!((exit, out.as_str(), err.as_str()), (Some(0), "18 objects, 0 errors, 0 warnings\n", ""));
}

#[test]
fn each_break_is_found_and_nothing_else_at_its_line_with_a_fix() {
    let wrong: Vec<String> = BROKEN.iter().filter_map(|(check, good, bad)| wrong(check, good, bad)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the lint should have said of a break and did not.
fn wrong(check: &str, good: &str, bad: &str) -> Option<String> {
    if GOOD.matches(good).count() != 1 {
        return Some(format!("{good} must be there once"));
    }
    let broken = GOOD.replace(good, bad);
    let found = findings(&broken);
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let only = !found.is_empty() && found.iter().all(|it| it["check"] == check);
    let placed = found.iter().all(|it| it["line"].as_u64().is_some_and(|at| at > 1 && at <= broken.lines().count() as u64));
    let told = found.iter().all(|it| !text(it, "fix").is_empty() && !text(it, "why").is_empty());
    (!only || !placed || !told).then(|| format!("{check}, {bad}: {found:#?}"))
}

#[test]
fn each_check_has_a_break() {
    let broken: BTreeSet<&str> =
        BROKEN.iter().map(|(check, ..)| *check).chain(dump::BROKEN.iter().map(|(check, _)| *check)).collect();
    let all: BTreeSet<&str> = Check::ALL.iter().map(|check| check.id()).collect();
    assert_eq!(broken, all);
}

#[test]
fn a_finding_names_place_object_reason_and_fix() {
    let (exit, out, _) = lint(&GOOD.replace("  priority: 300\n", ""), &["manifest.yaml"]);
    let want = "manifest.yaml:39:1: error[priority-unset]: TrafficExtension tools/tools-authz: there is no priority
    why: an unset priority is the lowest of all: the plugin runs behind those that it should run before
    fix:
      spec:
        priority: 300
18 objects, 1 errors, 0 warnings
";
    assert_eq!((exit, out.as_str()), (Some(1), want));
}

/// A route that says where the proxy must send the request does not believe what the caller says of it.
#[test]
fn routes_that_are_bound_to_a_service_may_stand_before_several() {
    let (_, narrow, wide) = BROKEN.iter().find(|(check, ..)| *check == "host-believed").unwrap();
    let wide = GOOD.replace(narrow, wide);
    let route = "- {host: mcp-server.tools, server";
    let with = |said: &str| findings(&wide.replace(route, &format!("- {{{said}, server")));
    for bound in [
        "service: mcp-server.tools.svc.cluster.local",
        "service: mcp-server.tools.svc.cluster.local, host: mcp-server.tools",
        "upstreamCluster: \"inbound-vip|8080|http|mcp-server.tools.svc.cluster.local\"",
    ] {
        assert_eq!(with(bound), Vec::<Value>::new(), "{bound}");
    }
    let stripped = wide.replace(route, &format!("- {{host: mail.tools, action: strip}}\n    {route}"));
    for (text, fix) in [(&wide, "- service: "), (&stripped, "- service: ")] {
        let found = findings(text);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found.iter().all(|it| it["check"] == "host-believed" && it["fix"].as_str().unwrap().contains(fix)), "{found:#?}");
    }
    let all = stripped.replace(route, "- {service: mcp-server.tools.svc.cluster.local, server");
    assert_eq!(findings(&all), Vec::<Value>::new());
}

/// So does a condition on the service, and not one on the host, nor one on both: it would be true for a host that is made up.
#[test]
fn conditions_on_the_service_may_stand_before_several() {
    let scopes = "tools: [\"search_*\"], scopes: [\"files:read\"]}";
    let with = |when: &str| findings(&GOOD.replace(scopes, &scopes.replace('}', &format!(", when: '{when}'}}"))));
    for bound in [
        "request.service == \"mcp-server.tools.svc.cluster.local\"",
        "request.service in [\"mcp-server.tools.svc.cluster.local\", \"elsewhere.other.svc.cluster.local\", \"api.llm.example\"]",
        "request.cluster == \"inbound-vip|8080|http|mcp-server.tools.svc.cluster.local\"",
        "request.cluster.startsWith(\"inbound-vip|8080|\")",
    ] {
        assert_eq!(with(bound), Vec::<Value>::new(), "{bound}");
    }
    for (elsewhere, fix) in [
        (
            "mcp-server.tools",
            "when: 'request.service == \"mcp-server.tools.svc.cluster.local\"'   # in the place of mcp-server.tools",
        ),
        ("idp.example.com", "kind: ServiceEntry\nmetadata:\n  name: idp\n"),
        ("gone", "when: 'request.service == \"api.llm.example\"'   # in the place of gone, or the one that is meant"),
    ] {
        let found = with(&format!("request.service == \"{elsewhere}\""));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0]["check"] == "route-elsewhere" && found[0]["fix"].as_str().unwrap().starts_with(fix), "{found:#?}");
    }
    let api = "api.llm.example";
    for believed in [
        "request.host == \"mcp-server.tools\"",
        "request[\"host\"] == \"mcp-server.tools\"",
        &format!("request.service == \"{api}\" || request.host == \"{api}\""),
    ] {
        let found = with(believed);
        assert_eq!(found.len(), 1, "{found:#?}");
        let fix = found[0]["fix"].as_str().unwrap();
        assert!(found[0]["check"] == "host-believed" && fix.starts_with("when: 'request.service == "), "{found:#?}");
    }
}

/// What goes through the waypoint may be in routes: its own services, those of other namespaces, what is outside.
#[test]
fn a_route_may_bind_to_whatever_goes_through_its_waypoint() {
    let (_, narrow, wide) = BROKEN.iter().find(|(check, ..)| *check == "host-believed").unwrap();
    let route = "- {host: mcp-server.tools, server";
    let wide = GOOD.replace(narrow, wide);
    let with = |text: &str, service: &str| findings(&text.replace(route, &format!("- {{service: {service}, server")));
    for service in ["mcp-server.tools.svc.cluster.local", "elsewhere.other.svc.cluster.local", "api.llm.example"] {
        assert_eq!(with(&wide, service), Vec::<Value>::new(), "{service}");
    }
    let enrolled = "labels: {istio.io/use-waypoint: waypoint, istio.io/use-waypoint-namespace: tools}";
    let space = |labels: &str| {
        format!("{}---\nkind: Namespace\nmetadata: {{name: other, {labels}}}\n", wide.replace(enrolled, "labels: {}"))
    };
    for (text, service, fix) in [
        (&wide, "idp.example.com", "use-waypoint: waypoint"),
        (&wide, "elsewhere.other", "service: elsewhere.other.svc.cluster.local"),
        (&wide, "gone.tools.svc.cluster.local", "service: api.llm.example"),
        (&space("labels: {}"), "elsewhere.other.svc.cluster.local", "namespace: other"),
    ] {
        let found = with(text, service);
        assert_eq!(found.len(), 1, "{service}: {found:#?}");
        assert!(
            found.iter().all(|it| it["check"] == "route-elsewhere" && it["fix"].as_str().unwrap().contains(fix)),
            "{found:#?}"
        );
    }
    // The label may be the namespace's.
    assert_eq!(with(&space(enrolled), "elsewhere.other.svc.cluster.local"), Vec::<Value>::new());
    // Before a waypoint of which nothing is known here anything may stand.
    let own = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]\n  phase: AUTHZ\n  priority: 100";
    let next = wide.replace(own, &own.replace("name: waypoint", "name: next"));
    let next = format!("{next}---\nkind: Gateway\nmetadata: {{name: next, namespace: tools}}\n");
    let found = with(&next, "gone.tools.svc.cluster.local");
    assert!(found.iter().all(|it| it["check"] != "route-elsewhere"), "{found:#?}");
}

/// Who says nothing of access logs has records in the proxy's log; who prints some has them all.
#[test]
fn records_that_nobody_prints_are_somebodys_choice() {
    let both = |name: &str| GOOD.matches(name).count() == 2;
    assert!(both("kind: Telemetry"));
    assert_eq!(findings(&GOOD.replace("kind: Telemetry", "kind: Other")), Vec::<Value>::new());
    let (gateway, service) = ("kind: Telemetry\nmetadata: {name: audit,", "kind: Telemetry\nmetadata: {name: elsewhere-audit,");
    // One service of two, and nothing about the waypoint.
    let one = findings(&GOOD.replace(gateway, &gateway.replace("Telemetry", "Other")));
    assert!(
        !one.is_empty() && one.iter().all(|it| it["check"] == "audit-gap" && it["object"] != "Service other/elsewhere"),
        "{one:#?}"
    );
    // About whole namespaces: the mesh's is about all, the waypoint's about its chains, wherever services are.
    for space in ["istio-system", "tools", "other"] {
        let wide = format!(
            "---\nkind: Telemetry\nmetadata: {{name: all, namespace: {space}}}\nspec: {{accessLogging: [{{providers: [{{name: wardpoint-audit}}]}}]}}\n"
        );
        let found = findings(&format!("{}{wide}", GOOD.replace(service, &service.replace("Telemetry", "Other"))));
        assert_eq!(found, Vec::<Value>::new(), "{space}");
    }
    // A policy that leaves no records there misses none.
    let silent =
        |text: &str| text.replace("pluginConfig:\n      version: 1", "pluginConfig:\n      version: 1\n      audit: {to: [log]}");
    let unprinted = GOOD.replace(service, &service.replace("Telemetry", "Other"));
    // So no guard is behind it either: that is another finding.
    let gaps = |text: &str| findings(text).iter().filter(|it| it["check"] == "audit-gap").count();
    assert_eq!(gaps(&silent(&unprinted).replace("\"audit\":{\"as\"", "\"audit\":{\"to\":[\"log\"],\"as\"")), 0);
    assert_eq!(gaps(&silent(&unprinted)), 1);
}

#[test]
fn a_warning_alone_does_not_fail() {
    let (exit, out, _) = lint(&GOOD.replace("policyTypes: [Egress]", "policyTypes: [Ingress]"), &["manifest.yaml"]);
    assert_eq!(exit, Some(0), "{out}");
    assert!(out.contains("warning[egress-open]"), "{out}");
}

#[test]
fn sarif_has_the_rules_and_where_they_were_broken() {
    let (exit, out, _) =
        lint(&GOOD.replace("FAIL_RELOAD\n    plugin", "FAIL_OPEN\n    plugin"), &["--format", "sarif", "manifest.yaml"]);
    assert_eq!(exit, Some(1));
    let sarif: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), Check::ALL.len());
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&Value::from("fail-strategy"), &Value::from("error")));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "manifest.yaml");
    let line = GOOD.lines().position(|line| line == "    failStrategy: FAIL_RELOAD").unwrap() + 1;
    assert_eq!(place["region"]["startLine"], line);
}

#[test]
fn lists_and_several_files_are_one_world() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = GOOD.split_once("---\napiVersion: extensions.istio.io").unwrap();
    fs::write(folder.path().join("a.yaml"), first).unwrap();
    fs::write(folder.path().join("b.yaml"), format!("apiVersion: extensions.istio.io{second}")).unwrap();
    let (exit, out, _) = run(folder.path(), &["a.yaml", "b.yaml"]);
    assert_eq!((exit, out.as_str()), (Some(0), "18 objects, 0 errors, 0 warnings\n"));
    let (exit, out, _) = run(folder.path(), &["b.yaml"]);
    assert_eq!(exit, Some(1));
    assert!(out.contains("error[target-missing]"), "{out}");
    fs::write(
        folder.path().join("list.yaml"),
        "kind: List\nitems:\n- {kind: Gateway, metadata: {name: waypoint, namespace: tools}}\n",
    )
    .unwrap();
    assert_eq!(run(folder.path(), &["list.yaml"]).1, "1 objects, 0 errors, 0 warnings\n");
}

#[test]
fn what_cannot_be_read_is_an_error_and_not_a_clean_bill() {
    for (text, why) in [
        ("kind: [", "manifest.yaml:"),
        ("kind: Gateway", "`kind` and `metadata.name` are needed"),
        ("kind: Gateway\nkind: Service\nmetadata: {name: x}", "is there twice"),
    ] {
        let (exit, out, err) = lint(text, &["manifest.yaml"]);
        assert_eq!((exit, out.as_str()), (Some(2), ""), "{text}");
        assert!(err.contains(why), "{err}");
    }
    let (exit, _, err) = lint(GOOD, &["elsewhere.yaml"]);
    assert_eq!(exit, Some(2));
    assert!(err.contains("elsewhere.yaml: cannot be read"), "{err}");
}
