//! Whether the proxy has the clusters that routes of `token-exchange` bind to.

use super::Found;
use super::chain::{Dump, Plugin};
use super::spot::Spot;
use crate::lint::finding::Check;

pub(super) fn check(dump: &Dump<'_>, plugin: &Plugin<'_>, object: &str, found: &mut Found<'_>) {
    let Some(config) = plugin.config.as_ref().filter(|_| plugin.name == "token-exchange") else { return };
    // In a waypoint it is these that callers' requests go to; what plugins call has a name of Istio's too.
    let inbound = |name: &str| name.starts_with("inbound-vip|");
    let waypoint = dump.clusters.keys().any(|name| inbound(name));
    let services = || dump.clusters.keys().copied().filter(|name| host(name).is_some() && (inbound(name) || !waypoint));
    for (index, route) in Spot::root(config).items("routes").iter().enumerate() {
        let (name, said) = match (route.text("service"), route.text("upstreamCluster")) {
            (Some(service), _) if !services().any(|cluster| host(cluster) == Some(service)) => ("service", service),
            (None, Some(cluster)) if !dump.clusters.contains_key(cluster) => ("upstreamCluster", cluster),
            _ => continue,
        };
        let known: Vec<String> = services().map(|cluster| format!("`{cluster}`")).collect();
        let known = if known.is_empty() { "none of Istio's".to_owned() } else { known.join(", ") };
        let text = format!("routes[{index}].{name}: this proxy sends nothing to `{said}`; its clusters for services: {known}");
        let fix = "routes:\n- service: NAME.NAMESPACE.svc.cluster.local   # the last part of a cluster's name; upstreamCluster: all of it";
        found.add(Check::RouteElsewhere, object, &plugin.place, text, fix);
    }
}

/// The service of a cluster with a name of Istio's, `DIRECTION|PORT|SUBSET|HOST`.
fn host(cluster: &str) -> Option<&str> {
    let mut parts = cluster.split('|');
    let host = parts.nth(3).filter(|host| !host.is_empty())?;
    parts.next().is_none().then_some(host)
}
