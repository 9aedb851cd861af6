//! Whether the access log that prints records prints those of every service.

use std::collections::BTreeSet;

use super::extension::{Extension, Target, targets};
use super::finding::{Check, Finding};
use super::manifest::{Manifest, World, items};
use crate::scenario::yaml::{Data, Node};

/// Names of providers.
type Names<'w> = BTreeSet<&'w str>;

/// What prints for one waypoint prints for all that is behind it, unless somebody says otherwise for one service: then its decisions are
/// missing. That nothing is printed for anybody is somebody's choice: the proxy's log has the records too.
pub(super) fn check(world: &World, extensions: &[Extension<'_>], found: &mut Vec<Finding>) {
    let mut judged: Vec<&Manifest> = Vec::new();
    for extension in extensions.iter().filter(|extension| extension.leaves_records()) {
        judged.extend(extension.behind(world));
    }
    judged.sort_by_key(|object| (&object.file, object.node.place));
    judged.dedup_by(|a, b| std::ptr::eq(*a, *b));
    for object in &judged {
        let Some(gateway) = world.waypoint_of(object) else { continue };
        let printed = providers(world, gateway, Some(object));
        let own = providers(world, gateway, None);
        let others = judged.iter().filter(|other| world.waypoint_of(other) == Some(gateway) && printed.is_empty());
        let wanted = if own.is_empty() { others.flat_map(|other| providers(world, gateway, Some(other))).collect() } else { own };
        let Some(missing) = wanted.difference(&printed).next() else { continue };
        let (namespace, name) = gateway;
        let group = if object.kind == "Service" { "\"\"" } else { "networking.istio.io" };
        let text = format!("`{missing}` prints records of the waypoint `{namespace}/{name}`, and none of this {}", object.kind);
        let fix = format!(
            "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: {}-audit, namespace: {}}}\nspec:\n  \
             targetRefs: [{{group: {group}, kind: {}, name: {}}}]\n  accessLogging:\n  - providers: [{{name: {missing}}}]",
            object.name, object.namespace, object.kind, object.name
        );
        found.push(Finding::new(Check::AuditGap, object, "metadata.name", text, fix));
    }
}

/// What surely prints what goes to an object behind a waypoint, or, without an object, to none. As istiod does it (istio/xds/audit_test.go):
/// what is about whole namespaces is asked from the mesh's to the service's, then what has targets in one namespace only, the service's; what
/// names providers comes in the place of what was named before.
fn providers<'w>(world: &'w World, (namespace, name): (&str, &str), object: Option<&Manifest>) -> Names<'w> {
    let last = object.map_or(namespace, |object| object.namespace.as_str());
    let mut spaces = vec![world.root(), namespace, last];
    spaces.dedup();
    let mut names = Names::new();
    for space in spaces {
        let mut wide = world.of("Telemetry").filter(|it| it.namespace == space && targets(it).is_empty());
        if let Some(wide) = wide.find(|it| it.at("spec.selector.matchLabels").is_none()) {
            lay(&mut names, wide);
        }
    }
    let is_about = |telemetry: &Manifest, target: &Target<'_>| match target.kind {
        "Gateway" => telemetry.namespace == namespace && target.name == name,
        "GatewayClass" => telemetry.namespace == world.root(),
        kind => object.is_some_and(|object| object.kind == kind && object.name == target.name),
    };
    let near = world.of("Telemetry").filter(|it| it.namespace == last && targets(it).iter().any(|target| is_about(it, target)));
    let each = near.map(|telemetry| {
        let mut own = names.clone();
        lay(&mut own, telemetry);
        own
    });
    // Of several the youngest wins; which that is only the cluster knows.
    each.reduce(|a, b| a.intersection(&b).copied().collect()).unwrap_or(names)
}

/// Puts what a Telemetry says over what was said before.
fn lay<'w>(names: &mut Names<'w>, telemetry: &'w Manifest) {
    let served = |item: &&Node| item.locate_node("match.mode").and_then(Node::as_str) != Some("CLIENT");
    let mut named = Names::new();
    let mut off = Names::new();
    for item in telemetry.list("spec.accessLogging").iter().filter(served) {
        let disabled = item.get("disabled").is_some_and(|node| node.data == Data::Bool(true));
        let own = items(item.get("providers")).iter().filter_map(|provider| provider.get("name")?.as_str());
        let own: Names<'w> = own.collect();
        if disabled && own.is_empty() {
            off.extend(names.iter().copied());
        } else if disabled {
            off.extend(own.iter().copied());
        }
        named.extend(own);
    }
    if !named.is_empty() {
        *names = named;
    }
    names.retain(|name| !off.contains(name));
}
