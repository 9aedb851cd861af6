//! The plugin: which agent may call which tool, for whom and with which scopes.

use serde_json::{Value, json};

use super::declaration::Declaration;
use super::raw::{RawAgent, RawServer};
use crate::guard::{envoy_filter, extension_filter};
use crate::transcript::filter_state;

pub(super) fn objects(declaration: &Declaration) -> Vec<Value> {
    let made = |(name, server): (&String, &RawServer)| [extension(declaration, name, server), guard(name, server)];
    declaration.servers.iter().flat_map(made).collect()
}

fn extension(declaration: &Declaration, name: &str, server: &RawServer) -> Value {
    let mut wasm = json!({
        "url": declaration.module.url,
        "imagePullPolicy": "IfNotPresent",
        "failStrategy": "FAIL_RELOAD",
        "pluginName": "mcp-authz",
        "pluginConfig": config(declaration, name),
    });
    if let (Some(wasm), Some(sha256)) = (wasm.as_object_mut(), &declaration.module.sha256) {
        wasm.insert("sha256".to_owned(), json!(sha256));
    }
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "TrafficExtension",
        "metadata": { "name": format!("{name}-tools"), "namespace": server.namespace },
        "spec": {
            "targetRefs": [{ "group": "", "kind": "Service", "name": name }],
            "phase": "AUTHZ",
            "priority": 300,
            "wasm": wasm,
        },
    })
}

/// Behind the plugin, in every chain that has it.
fn guard(name: &str, RawServer { namespace, waypoint, .. }: &RawServer) -> Value {
    let behind = extension_filter(namespace, &format!("{name}-tools"));
    envoy_filter(&format!("{name}-tools-guard"), (namespace, waypoint), &[behind], &filter_state("mcp-authz", &Value::Null))
}

fn config(declaration: &Declaration, server: &str) -> Value {
    let spiffe = |agent: &str| declaration.agents.get(agent).map(|it| declaration.spiffe(it)).unwrap_or_default();
    let mut identity = json!({ "peer": "waypoint" });
    let client = |agent: &RawAgent| Some(json!({ "spiffe": declaration.spiffe(agent), "client": agent.client.as_ref()? }));
    let clients: Vec<Value> = declaration.agents_of(server).filter_map(client).collect();
    if let Some(identity) = identity.as_object_mut() {
        if declaration.mesh.issuer.is_some() {
            // Where Istio leaves the claims that it verified.
            identity.insert("claims".to_owned(), json!({ "provider": "payload" }));
        }
        if !clients.is_empty() {
            identity.insert("agents".to_owned(), json!(clients));
        }
    }
    let rules: Vec<Value> = declaration
        .paths_to(server)
        .map(|path| {
            let user = if path.user { "any" } else { "none" };
            let mut allow = json!({ "agents": [spiffe(&path.agent)], "user": user, "tools": path.tools });
            if let Some(allow) = allow.as_object_mut().filter(|_| !path.scopes.is_empty()) {
                allow.insert("scopes".to_owned(), json!(path.scopes));
            }
            json!({ "id": path.id, "allow": allow })
        })
        .collect();
    json!({
        "version": 1,
        "name": server,
        "hostProfile": { "holdHeaders": false },
        "identity": identity,
        "rules": rules,
    })
}
