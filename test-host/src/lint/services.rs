//! Whether a waypoint serves those that name it, and whether a policy can tell them apart.

use super::conditions::reads_of_request;
use super::extension::Extension;
use super::finding::{Check, Finding};
use super::manifest::{Manifest, World, items};
use crate::scenario::yaml::Node;

pub(super) fn check(world: &World, extensions: &[Extension<'_>], found: &mut Vec<Finding>) {
    let guarded: Vec<_> = extensions.iter().flat_map(|extension| extension.gateways(world)).collect();
    for object in world.of("Service").chain(world.of("ServiceEntry")) {
        let Some(waypoint @ (namespace, name)) = world.waypoint_of(object).filter(|(space, _)| *space != object.namespace) else {
            continue;
        };
        let closed = world.find("Gateway", namespace, name).is_some_and(|gateway| !serves_others(gateway));
        if closed && guarded.contains(&waypoint) {
            let text = format!("the waypoint `{namespace}/{name}` serves its own namespace only");
            let fix = format!(
                "kind: Gateway\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  listeners:\n  \
                 - allowedRoutes: {{namespaces: {{from: Selector, selector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}}}}}",
                object.namespace
            );
            found.push(Finding::new(Check::WaypointNamespace, object, "metadata.labels", text, fix));
        }
    }
}

/// Behind a waypoint a request goes where it was sent, whatever its `Host` says: a policy that goes by `Host` before several
/// services believes the caller, and a token for one goes to another.
pub(super) fn believed(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let Some(config) = &extension.config else { return };
    let exchange = extension.plugin == "token-exchange";
    let (path, by_host) = if exchange {
        ("routes", items(config.at("routes")).iter().any(is_by_host))
    } else {
        ("rules", reads_of_request(&config.node.to_json(), "host"))
    };
    let wide = extension.targets().iter().any(|target| matches!(target.kind, "Gateway" | "GatewayClass"));
    if !(by_host && wide) {
        return;
    }
    let each = "spec:\n  targetRefs:\n  - {group: \"\", kind: Service, name: NAME}   # one for each service, with what is for it";
    let bound =
        "routes:\n- service: NAME.NAMESPACE.svc.cluster.local   # where the waypoint sends it; beside or instead of `host`";
    let asked = "when: 'request.service == \"NAME.NAMESPACE.svc.cluster.local\"'   # where the waypoint sends it; instead of `request.host`";
    let fix = format!("{}\n# or\n{each}", if exchange { bound } else { asked });
    for gateway @ (namespace, name) in extension.gateways(world) {
        let objects = world.of("Service").chain(world.of("ServiceEntry"));
        let count = objects.filter(|object| world.waypoint_of(object) == Some(gateway)).count();
        if count > 1 {
            let text = format!("it goes by `Host`, and the waypoint `{namespace}/{name}` stands before {count} services");
            found.push(Finding::new(Check::HostBelieved, extension.manifest, &config.path(path), text, fix.clone()));
        }
    }
}

/// Whether a route lets a token go by what the caller says of the destination alone.
fn is_by_host(route: &Node) -> bool {
    let strips = route.get("action").and_then(Node::as_str) == Some("strip");
    !strips && route.get("service").is_none() && route.get("upstreamCluster").is_none()
}

/// Whether a listener takes services of other namespaces; which ones, their labels in the cluster say.
fn serves_others(gateway: &Manifest) -> bool {
    let opens = |listener: &Node| {
        let from = listener.locate_node("allowedRoutes.namespaces.from").and_then(Node::as_str);
        matches!(from, Some("All" | "Selector"))
    };
    items(gateway.at("spec.listeners")).iter().any(opens)
}
