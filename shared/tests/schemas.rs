//! The committed JSON Schemas are those of the code. `BLESS=1 cargo test -p wardpoint-core --test schemas` rewrites them.

use std::{env, fs, path::Path};

use wardpoint_core::filter::Plugin as _;
use wardpoint_core::identity::revocation;
use wardpoint_core::mcp_authz::McpAuthzApproval;
use wardpoint_core::{mcp_authz, token_exchange};

#[test]
fn the_schemas_are_not_stale() {
    let schemas = [
        (mcp_authz::NAME, mcp_authz::config::schema()),
        (token_exchange::NAME, token_exchange::config::schema()),
        ("revocations-v1", revocation::schema()),
    ];
    for (name, schema) in schemas {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
        let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        let fresh = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if env::var_os("BLESS").is_some() {
            fs::write(&file, &fresh).unwrap();
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == fresh, "{name}: stale, run `make bless`");
    }
}

#[test]
fn every_plugin_is_known_to_the_audit_schema() {
    let schema: serde_json::Value = serde_json::from_str(wardpoint_core::audit::SCHEMA).unwrap();
    let plugins = schema["properties"]["plugin"]["enum"].as_array().unwrap();
    assert!([mcp_authz::NAME, McpAuthzApproval::NAME, token_exchange::NAME].iter().all(|name| plugins.contains(&(*name).into())));
}
