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
