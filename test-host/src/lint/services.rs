//! Whether a waypoint serves those that name it.

use super::extension::Extension;
use super::finding::{Check, Finding};
use super::manifest::{Manifest, World, items};
use crate::scenario::yaml::Node;

pub(super) fn check(world: &World, extensions: &[Extension<'_>], found: &mut Vec<Finding>) {
    for object in world.of("Service").chain(world.of("ServiceEntry")) {
        let Some(waypoint @ (namespace, name)) = world.waypoint_of(object).filter(|(space, _)| *space != object.namespace) else {
            continue;
        };
        let guards = extensions.iter().any(|extension| extension.gateways(world).contains(&waypoint));
        let gateway = world.find("Gateway", namespace, name).filter(|gateway| guards && !serves_others(gateway));
        if gateway.is_some() {
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

/// Whether a listener takes services of other namespaces; which ones, their labels in the cluster say.
fn serves_others(gateway: &Manifest) -> bool {
    let from = |listener: &Node| listener.locate_node("allowedRoutes.namespaces.from").and_then(Node::as_str).map(str::to_owned);
    items(gateway.at("spec.listeners")).iter().any(|listener| matches!(from(listener).as_deref(), Some("All" | "Selector")))
}
