//! The committed JSON Schemas are those of the code. `BLESS=1 cargo test -p wardpoint-core --test schemas` rewrites them.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::{env, fs, path::Path};

#[test]
fn the_schema_of_mcp_authz_is_not_stale() {
    is_fresh("mcp-authz", &wardpoint_core::mcp_authz::config::schema());
}

#[test]
fn the_schema_of_revocations_is_not_stale() {
    is_fresh("revocations-v1", &wardpoint_core::identity::revocation::schema());
}

fn is_fresh(name: &str, schema: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let fresh = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if env::var_os("BLESS").is_some() {
        fs::write(&file, &fresh).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == fresh, "stale: run `make bless`");
}

#[test]
fn every_plugin_is_known_to_the_audit_schema() {
    let schema: serde_json::Value = serde_json::from_str(wardpoint_core::audit::SCHEMA).unwrap();
    let plugins = schema["properties"]["plugin"]["enum"].as_array().unwrap();
    assert!(plugins.contains(&wardpoint_core::mcp_authz::NAME.into()));
}
