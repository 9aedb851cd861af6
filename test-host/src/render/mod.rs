//! One declaration, all layers (rows 0.4 and 0.38): who may reach which server and which of its tools becomes NetworkPolicies,
//! AuthorizationPolicies and the configuration of `mcp-authz`, so that no path stands in one of them and not in the others.

mod declaration;
mod mesh;
mod network;
mod policy;
mod raw;
mod yaml;

pub use declaration::{Declaration, NAME};

use serde_json::Value;

/// The JSON Schema of a declaration.
pub fn schema() -> String {
    <raw::Raw as wardpoint_core::config::Decode>::schema()
}

/// Every object, from the network up.
pub fn objects(declaration: &Declaration) -> Vec<Value> {
    [network::objects(declaration), mesh::objects(declaration), policy::objects(declaration)].concat()
}

/// The objects as YAML documents.
pub fn yaml(objects: &[Value]) -> String {
    let documents: Vec<String> = objects.iter().map(yaml::document).collect();
    documents.join("---\n")
}
