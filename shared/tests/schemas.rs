//! The committed JSON Schemas are those of the code. `BLESS=1 cargo test -p wardpoint-core --test schemas` rewrites them.

use std::{env, fs, path::Path};

#[test]
fn the_schema_of_mcp_authz_is_not_stale() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/mcp-authz.schema.json");
    let schema: serde_json::Value = serde_json::from_str(&wardpoint_core::mcp_authz::config::schema()).unwrap();
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
    assert!(plugins.contains(&<wardpoint_core::mcp_authz::McpAuthzApproval as wardpoint_core::filter::Plugin>::NAME.into()));
}
