//! Whether the proxy has the clusters that routes of `token-exchange` and conditions of `mcp-authz` bind to.

use wardpoint_core::filter::upstream::service as host;

use super::Found;
use super::chain::{Dump, Plugin};
use crate::lint::conditions::{Compared, compared};
use crate::lint::finding::Check;
use crate::lint::spot::Spot;

pub(super) fn check(dump: &Dump<'_>, plugin: &Plugin<'_>, object: &str, found: &mut Found<'_>) {
    let Some(config) = &plugin.config else { return };
    // In a waypoint it is these that callers' requests go to; what plugins call has a name of Istio's too.
    let inbound = |name: &str| name.starts_with("inbound-vip|");
    let waypoint = dump.clusters.keys().any(|name| inbound(name));
    let services = || dump.clusters.keys().copied().filter(|name| host(name).is_some() && (inbound(name) || !waypoint));
    let known = |service: &str| services().any(|cluster| host(cluster) == Some(service));
    let mut add = |path: &str, said: &str, fix| {
        let known: Vec<String> = services().map(|cluster| format!("`{cluster}`")).collect();
        let known = if known.is_empty() { "none of Istio's".to_owned() } else { known.join(", ") };
        let text = format!("{path}: this proxy sends nothing to `{said}`; its clusters for services: {known}");
        found.add(Check::RouteElsewhere, object, &plugin.place, text, fix);
    };
    if plugin.name != "token-exchange" {
        let fix = "when: 'request.service == \"NAME.NAMESPACE.svc.cluster.local\"'   # the last part of a cluster's name; request.cluster: all of it";
        for Compared { path, field, name } in compared(config) {
            let goes = if field == "request.service" { known(&name) } else { dump.clusters.contains_key(name.as_str()) };
            if !goes {
                add(&path, &name, fix);
            }
        }
        return;
    }
    let fix =
        "routes:\n- service: NAME.NAMESPACE.svc.cluster.local   # the last part of a cluster's name; upstreamCluster: all of it";
    for (index, route) in Spot::root(config).items("routes").iter().enumerate() {
        match (route.text("service"), route.text("upstreamCluster")) {
            (Some(service), _) if !known(service) => add(&format!("routes[{index}].service"), service, fix),
            (None, Some(cluster)) if !dump.clusters.contains_key(cluster) => {
                add(&format!("routes[{index}].upstreamCluster"), cluster, fix);
            }
            _ => {}
        }
    }
}
