//! The network: who can open a connection to whom. Between pods of the mesh everything goes to port 15008 (HBONE), and what agents may
//! open one to is waypoints; which server behind a waypoint is meant, the network cannot see.

use serde_json::{Value, json};

use super::declaration::Declaration;
use super::raw::RawAgent;

/// Where every pod of the mesh and every waypoint is reached.
const HBONE: u32 = 15008;
/// Where a waypoint is asked for its metrics and whether it lives.
const OPEN: [u32; 2] = [15020, 15021];

pub(super) fn objects(declaration: &Declaration) -> Vec<Value> {
    let mut namespaces: Vec<&str> = declaration.agents.values().map(|agent| agent.namespace.as_str()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let denied = namespaces
        .into_iter()
        .map(|namespace| policy(namespace, "default-deny-egress", json!({}), json!({ "policyTypes": ["Egress"] })));
    let outs = declaration.agents.iter().map(|(name, agent)| way_out(declaration, name, agent));
    let waypoints = declaration.waypoints();
    let ins = waypoints.iter().map(|((namespace, waypoint), servers)| {
        let mut from: Vec<Value> = Vec::new();
        for agent in servers.iter().flat_map(|server| declaration.agents_of(server)) {
            let peer = pods(&agent.namespace, &labels(&agent.labels));
            if !from.contains(&peer) {
                from.push(peer);
            }
        }
        let open: Vec<Value> = OPEN.iter().map(|port| json!({ "protocol": "TCP", "port": port })).collect();
        let ingress = json!([{ "from": from, "ports": hbone() }, { "ports": open }]);
        policy(
            namespace,
            &format!("{waypoint}-from-agents"),
            at_waypoint(waypoint),
            json!({ "policyTypes": ["Ingress"], "ingress": ingress }),
        )
    });
    let servers = declaration.servers.iter().map(|(name, server)| {
        let from = pods(&server.namespace, &at_waypoint(&server.waypoint));
        let ingress = json!([{ "from": [from], "ports": hbone() }]);
        let rest = json!({ "policyTypes": ["Ingress"], "ingress": ingress });
        policy(&server.namespace, &format!("{name}-from-{}", server.waypoint), labels(&server.labels), rest)
    });
    denied.chain(outs).chain(ins).chain(servers).collect()
}

/// From an agent to the waypoints of its servers, and to who resolves names.
fn way_out(declaration: &Declaration, name: &str, agent: &RawAgent) -> Value {
    let mut to: Vec<Value> = Vec::new();
    for path in declaration.paths.iter().filter(|path| path.agent == name) {
        let Some(server) = declaration.servers.get(&path.server) else { continue };
        let waypoint = pods(&server.namespace, &at_waypoint(&server.waypoint));
        if !to.contains(&waypoint) {
            to.push(waypoint);
        }
    }
    let dns = json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": declaration.mesh.dns } } });
    let ports = json!([{ "protocol": "UDP", "port": 53 }, { "protocol": "TCP", "port": 53 }]);
    let egress = json!([{ "to": to, "ports": hbone() }, { "to": [dns], "ports": ports }]);
    let rest = json!({ "policyTypes": ["Egress"], "egress": egress });
    policy(&agent.namespace, &format!("{name}-to-waypoints"), labels(&agent.labels), rest)
}

fn policy(namespace: &str, name: &str, selector: Value, mut rest: Value) -> Value {
    let mut spec = json!({ "podSelector": selector });
    if let (Some(spec), Some(rest)) = (spec.as_object_mut(), rest.as_object_mut()) {
        spec.append(rest);
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": name, "namespace": namespace },
        "spec": spec,
    })
}

/// Pods of another namespace: both must fit.
fn pods(namespace: &str, selector: &Value) -> Value {
    let namespace = json!({ "matchLabels": { "kubernetes.io/metadata.name": namespace } });
    json!({ "namespaceSelector": namespace, "podSelector": selector })
}

/// The label that Istio gives the pods of a Gateway.
fn at_waypoint(name: &str) -> Value {
    json!({ "matchLabels": { "gateway.networking.k8s.io/gateway-name": name } })
}

/// A selector by labels.
pub(super) fn labels(labels: &[(String, String)]) -> Value {
    json!({ "matchLabels": labels_of(labels) })
}

pub(super) fn labels_of(labels: &[(String, String)]) -> Value {
    labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

fn hbone() -> Value {
    json!([{ "protocol": "TCP", "port": HBONE }])
}
