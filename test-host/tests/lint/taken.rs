//! What EnvoyFilters take out of the chains of a waypoint again, or change there, in the order in which istiod applies them.

use serde_json::{Value, json};

use crate::GOOD;

const PLUGIN: &str = "extensions.istio.io/trafficextension/tools.tools-authz";
/// Of the form that is an EnvoyFilter, with its guard.
const HOLDS: &str = "wardpoint.mcp-authz";
const HOLDS_GUARD: &str = "wardpoint.mcp-authz.guard";
const GUARD: &str = "tools-authz-guard";

/// Rules of an `rbac` filter that ask for this record.
fn asks(record: &str) -> Value {
    rules(json!({ "filter_state": { "key": record, "string_match": { "prefix": "[" } } }))
}

fn rules(principal: Value) -> Value {
    json!({ "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": { "policies": { "more": { "permissions": [{ "any": true }], "principals": [principal] } } },
    } })
}

/// What is found with one more EnvoyFilter: check, object, path, and what is said.
fn found(namespace: &str, priority: i64, filter: &str, patch: &Value) -> Vec<(String, String)> {
    let hcm = json!({ "name": "envoy.filters.network.http_connection_manager", "subFilter": { "name": filter } });
    let matches =
        json!({ "context": "SIDECAR_INBOUND", "listener": { "name": "main_internal", "filterChain": { "filter": hcm } } });
    let object = json!({
        "kind": "EnvoyFilter",
        "metadata": { "name": "changes", "namespace": namespace },
        "spec": {
            "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint" }],
            "priority": priority,
            "configPatches": [{ "applyTo": "HTTP_FILTER", "match": matches, "patch": patch }],
        },
    });
    let found = crate::findings(&format!("{GOOD}---\n{object}\n"));
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    for it in &found {
        assert_eq!(text(it, "object"), format!("EnvoyFilter {namespace}/changes"));
        assert_eq!(text(it, "path"), "spec.configPatches[0].patch.operation");
        assert!(text(it, "fix").contains(filter));
    }
    found.iter().map(|it| (text(it, "check"), text(it, "text"))).collect()
}

#[test]
fn what_is_taken_out_of_a_chain_again_is_told() {
    let remove = || json!({ "operation": "REMOVE" });
    let replace = |value: Value| json!({ "operation": "REPLACE", "value": value });
    let merge = |value: Value| json!({ "operation": "MERGE", "value": value });
    let other = || json!({ "name": "other", "typed_config": { "@type": "x/envoy.extensions.filters.http.cors.v3.Cors" } });
    let (record, any) = ("wasm.wardpoint_mcp_authz", || rules(json!({ "any": true })));
    let (off, open) = ("filter-disabled", "worker-unguarded");
    for (filter, priority, patch, wanted) in [
        (PLUGIN, 0, remove(), Some((off, "TrafficExtension tools/tools-authz is taken out of its chain"))),
        // istiod's own filters are there before any patch.
        (PLUGIN, -10, remove(), Some((off, "TrafficExtension tools/tools-authz is taken out of its chain"))),
        (PLUGIN, 0, replace(other()), Some((off, "another filter takes the place of TrafficExtension tools/tools-authz"))),
        // Its configuration comes by discovery, and istiod merges nothing into such a filter.
        (PLUGIN, 0, merge(other()), None),
        ("extensions.istio.io/trafficextension/tools.elsewhere", 0, remove(), None),
        (
            "extensions.istio.io/wasmplugin/tools.exchange",
            0,
            remove(),
            Some((off, "WasmPlugin tools/exchange is taken out of its chain (before Istio 1.30)")),
        ),
        (HOLDS, 10, remove(), Some((off, "EnvoyFilter tools/approvals is taken out of its chain"))),
        // Which of two of equal rank comes first only the cluster knows.
        (HOLDS, 0, remove(), Some((off, "EnvoyFilter tools/approvals is taken out of its chain"))),
        // It is not there yet.
        (HOLDS, -10, remove(), None),
        (HOLDS, -10, replace(other()), None),
        (
            HOLDS_GUARD,
            10,
            remove(),
            Some((
                open,
                "wardpoint.mcp-authz.guard, which asks for the record of EnvoyFilter tools/approvals, is taken out of its chain",
            )),
        ),
        (HOLDS_GUARD, -10, remove(), None),
        (
            GUARD,
            10,
            replace(any()),
            Some((
                open,
                "tools-authz-guard, which asks for the record of TrafficExtension tools/tools-authz, is replaced by one that does not",
            )),
        ),
        (GUARD, 10, replace(asks(record)), None),
        (GUARD, -10, replace(any()), None),
        // What is merged is merged when all filters are there.
        (
            GUARD,
            -10,
            merge(any()),
            Some((
                open,
                "tools-authz-guard, which asks for the record of TrafficExtension tools/tools-authz, is changed so that it does not ask alone",
            )),
        ),
        (GUARD, 0, merge(asks(record)), None),
        (GUARD, 0, merge(json!({ "typed_config": { "@type": "x/y.RBAC", "shadow_rules_stat_prefix": "x" } })), None),
    ] {
        let wanted: Vec<_> = wanted.into_iter().map(|(check, text)| (check.to_owned(), text.to_owned())).collect();
        assert_eq!(found("tools", priority, filter, &patch), wanted, "{filter} {priority} {patch}");
        assert_eq!(found("other", priority, filter, &patch), [], "another waypoint's: {filter} {patch}");
    }
}
