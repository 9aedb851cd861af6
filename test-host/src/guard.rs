//! What stands behind a plugin: on a worker whose VM could not be made Envoy has no such filter, and everything would pass.

use serde_json::{Value, json};

/// The configuration of an `rbac` that lets pass only what has this filter state, which a plugin leaves for the access log.
pub(crate) fn typed_config(filter_state: &str) -> Value {
    let left = json!({ "key": filter_state, "string_match": { "prefix": "[" } });
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": { "action": "ALLOW", "policies": { "seen": {
            "permissions": [{ "any": true }],
            "principals": [{ "filter_state": left }],
        } } },
    })
}

/// A patch that puts the guard `name` beside a filter of a waypoint's chains, in each that has it.
pub(crate) fn patch(name: &str, operation: &str, beside: &str, filter_state: &str) -> Value {
    let manager = json!({ "name": "envoy.filters.network.http_connection_manager", "subFilter": { "name": beside } });
    json!({
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "SIDECAR_INBOUND",
            "listener": { "name": "main_internal", "filterChain": { "filter": manager } },
        },
        "patch": { "operation": operation, "value": { "name": name, "typed_config": typed_config(filter_state) } },
    })
}

/// An object `name` for a waypoint of the namespace: the guard behind each of these filters.
pub(crate) fn envoy_filter(name: &str, (namespace, waypoint): (&str, &str), behind: &[String], filter_state: &str) -> Value {
    let patches: Vec<Value> = behind.iter().map(|filter| patch(name, "INSERT_AFTER", filter, filter_state)).collect();
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": waypoint }],
            "configPatches": patches,
        },
    })
}

/// What istiod calls the filter of a TrafficExtension.
pub(crate) fn extension_filter(namespace: &str, name: &str) -> String {
    format!("extensions.istio.io/trafficextension/{namespace}.{name}")
}
