//! The mesh: which identity may reach which server, whatever a plugin says or whether it is there.

use serde_json::{Value, json};

use super::declaration::Declaration;
use super::network::{labels, labels_of};
use super::raw::RawServer;

pub(super) fn objects(declaration: &Declaration) -> Vec<Value> {
    let waypoints = declaration.waypoints();
    let gates = waypoints.keys().flat_map(|(namespace, name)| waypoint(declaration, namespace, name));
    gates.chain(declaration.servers.iter().flat_map(|(name, server)| behind(declaration, name, server))).collect()
}

/// A waypoint, who issues tokens there, and that nobody reaches anything unless it is said below.
fn waypoint(declaration: &Declaration, namespace: &str, name: &str) -> Vec<Value> {
    let target = json!([{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name }]);
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": { "name": name, "namespace": namespace, "labels": { "istio.io/waypoint-for": "service" } },
        "spec": {
            "gatewayClassName": "istio-waypoint",
            "listeners": [{ "name": "mesh", "port": 15008, "protocol": "HBONE" }],
        },
    });
    let nothing = authorization(namespace, &format!("{name}-nothing-else"), json!({ "targetRefs": target, "action": "ALLOW" }));
    let users = declaration.mesh.issuer.as_ref().map(|issuer| {
        let mut rule = json!({ "issuer": issuer, "forwardOriginalToken": true });
        if let Some(rule) = rule.as_object_mut().filter(|_| !declaration.mesh.audiences.is_empty()) {
            rule.insert("audiences".to_owned(), json!(declaration.mesh.audiences));
        }
        json!({
            "apiVersion": "security.istio.io/v1",
            "kind": "RequestAuthentication",
            "metadata": { "name": format!("{name}-users"), "namespace": namespace },
            "spec": { "targetRefs": target, "jwtRules": [rule] },
        })
    });
    [gateway, nothing].into_iter().chain(users).collect()
}

/// A server: its Service, who may reach it, and that there is no other way to its pods than the waypoint.
fn behind(declaration: &Declaration, name: &str, server: &RawServer) -> Vec<Value> {
    let RawServer { namespace, waypoint, port, .. } = server;
    let target = json!([{ "group": "", "kind": "Service", "name": name }]);
    let agents = declaration.agents_of(name);
    let agents: Vec<String> = agents.map(|it| declaration.principal(&it.namespace, &it.service_account)).collect();
    let gate = declaration.principal(namespace, waypoint);
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": name, "namespace": namespace, "labels": { "istio.io/use-waypoint": waypoint } },
        "spec": {
            "selector": labels_of(&server.labels),
            "ports": [{ "name": "http", "port": port, "appProtocol": "http" }],
        },
    });
    let strict = json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": { "name": format!("{name}-strict"), "namespace": namespace },
        "spec": { "selector": labels(&server.labels), "mtls": { "mode": "STRICT" } },
    });
    let callers = json!({ "targetRefs": target, "action": "ALLOW", "rules": from(json!({ "principals": agents })) });
    let through =
        json!({ "selector": labels(&server.labels), "action": "ALLOW", "rules": from(json!({ "principals": [gate] })) });
    let token = json!({ "targetRefs": target, "action": "DENY", "rules": from(json!({ "notRequestPrincipals": ["*"] })) });
    let mut objects = vec![
        service,
        strict,
        authorization(namespace, &format!("{name}-callers"), callers),
        authorization(namespace, &format!("{name}-through-{waypoint}"), through),
    ];
    // If every path is for users, a call without a token ends here also if the plugin is gone.
    if declaration.paths_to(name).all(|path| path.user) {
        objects.push(authorization(namespace, &format!("{name}-token-required"), token));
    }
    objects
}

fn authorization(namespace: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": { "name": name, "namespace": namespace },
        "spec": spec,
    })
}

fn from(source: Value) -> Value {
    json!([{ "from": [{ "source": source }] }])
}
