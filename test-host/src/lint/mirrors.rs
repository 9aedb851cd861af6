//! Whether a token that is put in for one service goes to another one too: the router copies requests as they leave the filters.

use super::extension::{Extension, gateways, hosts, targets};
use super::finding::{Check, Finding};
use super::manifest::{Manifest, World, each, items};
use super::routes::inbound;
use super::spot::Spot;
use crate::scenario::yaml::Node;

/// What has the copies of a route, of all of them, or of a cluster in Envoy.
pub(super) const MEMBER: &str = "request_mirror_policies";

/// A copy is made in a route, at this path.
struct Mirror<'w> {
    manifest: &'w Manifest,
    path: String,
    to: Option<&'w str>,
    fix: &'static str,
}

pub(super) fn check(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let routes = extension.exchanging();
    if routes.is_empty() {
        return;
    }
    let mut behind = extension.behind(world);
    behind.retain(|object| routes.iter().any(|route| may_be_for(route, object)));
    let mirrors = gateway_api(world, extension, &behind).into_iter().chain(virtual_services(world, &behind));
    for Mirror { manifest, path, to, fix } in mirrors.chain(patches(world, extension)) {
        let text = format!("copies of what {} has put tokens into go to `{}`", extension.manifest, to.unwrap_or_default());
        found.push(Finding::new(Check::TokenMirrored, manifest, &path, text, fix));
    }
}

/// Whether a route that puts tokens in can be one for an object: it says for which service, or lets the caller's `Host` say.
fn may_be_for(route: &Node, object: &Manifest) -> bool {
    let text = |name: &str| route.get(name).and_then(Node::as_str);
    let host = text("service").or_else(|| text("upstreamCluster").and_then(inbound));
    host.is_none_or(|host| hosts(object).iter().any(|own| own == host))
}

/// Whether a copy is made without what is put in.
pub(super) fn goes_without_token(mirror: &Spot<'_>) -> bool {
    let removed = mirror.items("request_headers_mutations");
    removed.iter().filter_map(|it| it.text("remove")).any(|name| name.eq_ignore_ascii_case("authorization"))
}

/// Routes of the Gateway API: about a service that the plugin stands before, or about its waypoint.
fn gateway_api<'w>(world: &'w World, extension: &Extension<'_>, behind: &[&Manifest]) -> Vec<Mirror<'w>> {
    let waypoints = extension.gateways(world);
    let is_about = |route: &Manifest| {
        route.list("spec.parentRefs").iter().any(|parent| {
            let text = |name: &str| parent.get(name).and_then(Node::as_str);
            let (kind, space) = (text("kind").unwrap_or("Gateway"), text("namespace").unwrap_or(&route.namespace));
            let Some(name) = text("name") else { return false };
            let same = |it: &&Manifest| it.kind == kind && it.namespace == space && it.name == name;
            behind.iter().any(same) || kind == "Gateway" && waypoints.contains(&(space, name))
        })
    };
    let mut found = Vec::new();
    for route in world.of("HTTPRoute").chain(world.of("GRPCRoute")).filter(|route| is_about(route)) {
        each(&route.node, "", &mut |node, path| {
            if node.get("type").and_then(Node::as_str) == Some("RequestMirror") {
                let to = node.locate_node("requestMirror.backendRef.name").and_then(Node::as_str);
                let fix = "filters: []   # no RequestMirror here; copies can be made behind the destination's own gate, where its token ends";
                found.push(Mirror { manifest: route, path: path.to_owned(), to, fix });
            }
        });
    }
    found
}

/// Routes of Istio's own, about a host of a service.
fn virtual_services<'w>(world: &'w World, behind: &[&Manifest]) -> Vec<Mirror<'w>> {
    let mut found = Vec::new();
    for service in world.of("VirtualService") {
        let in_mesh = service.at("spec.gateways").is_none_or(|it| items(Some(it)).iter().any(|it| it.as_str() == Some("mesh")));
        let named = items(service.at("spec.hosts")).iter().filter_map(Node::as_str);
        if !in_mesh || !named.clone().any(|host| behind.iter().any(|object| is_host(host, service, object))) {
            continue;
        }
        for (index, route) in service.list("spec.http").iter().enumerate() {
            let one = route.get("mirror").map(|it| (format!("spec.http[{index}].mirror"), it));
            let many = items(route.get("mirrors")).iter().enumerate();
            let many = many.map(|(at, it)| (format!("spec.http[{index}].mirrors[{at}]"), it.get("destination").unwrap_or(it)));
            found.extend(one.into_iter().chain(many).map(|(path, it)| {
                let to = it.get("host").and_then(Node::as_str);
                let fix =
                    "mirrors: []   # and no mirror; copies can be made behind the destination's own gate, where its token ends";
                Mirror { manifest: service, path, to, fix }
            }));
        }
    }
    found
}

/// Whether a host, as a VirtualService names it, is that of an object; a name without dots is one of its own namespace.
fn is_host(host: &str, service: &Manifest, object: &Manifest) -> bool {
    let is = |full: &String| match host.strip_prefix('*') {
        Some(end) => full.ends_with(end),
        None if host.contains('.') || object.kind != "Service" => {
            full == host || object.kind == "Service" && full.strip_prefix(host).is_some_and(|rest| rest.starts_with('.'))
        }
        None => object.name == host && object.namespace == service.namespace,
    };
    hosts(object).iter().any(is)
}

/// What EnvoyFilters put into routes and clusters of the plugin's waypoints.
fn patches<'w>(world: &'w World, extension: &Extension<'_>) -> Vec<Mirror<'w>> {
    let waypoints = extension.gateways(world);
    let about = |it: &&Manifest| !targets(it).is_empty() && gateways(world, it).iter().any(|it| waypoints.contains(it));
    let mut found = Vec::new();
    for filter in world.of("EnvoyFilter").filter(about) {
        each(&filter.node, "", &mut |node, path| {
            for (index, mirror) in items(node.get(MEMBER)).iter().enumerate() {
                if !goes_without_token(&Spot::root(&mirror.to_json())) {
                    let to = mirror.get("cluster").and_then(Node::as_str);
                    let fix = "request_mirror_policies: []   # or copies without the token: request_headers_mutations: [{remove: authorization}]";
                    found.push(Mirror { manifest: filter, path: format!("{path}.{MEMBER}[{index}]"), to, fix });
                }
            }
        });
    }
    found
}
