//! Whether the clusters that a plugin calls are there.

use super::Found;
use super::chain::{Dump, Plugin};
use crate::lint::finding::Check;
use crate::lint::spot::Spot;

pub(super) fn check(dump: &Dump<'_>, plugin: &Plugin<'_>, object: &str, found: &mut Found<'_>) {
    let mut called = Vec::new();
    if let Some(config) = &plugin.config {
        // Every text at a member `cluster`.
        Spot::root(config).each(&mut |spot| {
            let name = spot.value.as_str().filter(|_| spot.path.rsplit('.').next() == Some("cluster"));
            called.extend(name.map(|name| (spot.path.clone(), name)));
        });
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

/// Whether it is where TLS is spoken.
fn is_443(name: &str, cluster: &Spot<'_>) -> bool {
    let mut found = name.starts_with("outbound|443|");
    if let Some(assignment) = cluster.get("load_assignment") {
        assignment.each(&mut |spot| found |= spot.number("socket_address.port_value") == Some(443));
    }
    found
}
