//! Whether the clusters that a plugin calls are there.

use serde_json::Value;

use super::Found;
use super::chain::{Dump, Plugin};
use super::spot::Spot;
use crate::lint::finding::Check;

pub(super) fn check(dump: &Dump<'_>, plugin: &Plugin<'_>, object: &str, found: &mut Found<'_>) {
    let mut called = Vec::new();
    if let Some(config) = &plugin.config {
        clusters(config, "", &mut called);
    }
    for (path, name) in called {
        let Some(cluster) = dump.clusters.get(name) else {
            let host = name.rsplit('|').next().unwrap_or(name);
            let fix = format!(
                "metadata:\n  annotations: {{envoyfilter.istio.io/referenced-services: {host}}}   # of an EnvoyFilter; Envoy: a cluster `{name}`"
            );
            found.add(Check::CalloutCluster, object, &plugin.place, format!("{path}: there is no cluster `{name}`"), fix);
            continue;
        };
        let tls = cluster.get("transport_socket").is_some() || cluster.get("transport_socket_matches").is_some();
        if is_443(name, cluster) && !tls {
            let fix = "trafficPolicy: {tls: {mode: SIMPLE}}   # of a DestinationRule; Envoy: a transport_socket";
            let text = format!("{}: {path}: `{name}` is on port 443 and has no TLS", plugin.name);
            found.add(Check::CalloutTls, object, &cluster.path, text, fix);
        }
    }
}

/// Every text at a member `cluster`, with its path.
fn clusters<'c>(value: &'c Value, path: &str, found: &mut Vec<(String, &'c str)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{name}");
                if let Some(cluster) = value.as_str().filter(|_| name == "cluster") {
                    found.push((path, cluster));
                } else {
                    clusters(value, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                clusters(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// Whether it is where TLS is spoken.
fn is_443(name: &str, cluster: &Spot<'_>) -> bool {
    let mut found = name.starts_with("outbound|443|");
    if let Some(assignment) = cluster.get("load_assignment") {
        assignment.each(&mut |spot| found |= spot.number("socket_address.port_value") == Some(443));
    }
    found
}
