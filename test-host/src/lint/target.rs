//! Whether a plugin is in any chain.

use super::extension::{Extension, Form, Target};
use super::finding::{Check, Finding};
use super::manifest::{World, items};
use crate::scenario::yaml::Node;

/// It is in every HTTP chain of a waypoint, behind rbac.
pub(super) const ALWAYS: &str = "envoy.filters.http.grpc_stats";

const GATEWAY: &str = "spec:\n  targetRefs:\n  - {group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}";

/// Whether it is in the chains that its targets name.
pub(super) fn check(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) -> bool {
    let (manifest, before) = (extension.manifest, found.len());
    if manifest.at("spec.selector").is_some() || manifest.at("spec.workloadSelector").is_some() {
        let path = if manifest.at("spec.selector").is_some() { "spec.selector" } else { "spec.workloadSelector" };
        found.push(Finding::new(Check::Selector, manifest, path, "a selector attaches nothing to a waypoint", GATEWAY));
        return false;
    }
    let targets = extension.targets();
    if targets.is_empty() {
        found.push(Finding::new(Check::TargetMissing, manifest, "spec", "there is no target", GATEWAY));
    }
    for (index, target) in targets.iter().enumerate() {
        let path =
            if manifest.at("spec.targetRef").is_some() { "spec.targetRef".into() } else { format!("spec.targetRefs[{index}]") };
        if let Some((check, text, fix)) = problem(world, extension, target) {
            found.push(Finding::new(check, manifest, &path, text, fix));
        }
    }
    matches(extension, found);
    if extension.form == Form::EnvoyFilter {
        anchors(extension, found);
    }
    found.len() == before
}

fn problem(world: &World, extension: &Extension<'_>, target: &Target<'_>) -> Option<(Check, String, String)> {
    let namespace = extension.manifest.namespace.as_str();
    let Target { kind, name } = *target;
    let missing = |text: String, fix: &str| Some((Check::TargetMissing, text, fix.to_owned()));
    match kind {
        "Gateway" if world.find("Gateway", namespace, name).is_none() => {
            missing(format!("there is no Gateway `{name}` in the namespace `{namespace}`"), &waypoint(namespace, name))
        }
        "GatewayClass" if namespace != world.root() => missing(
            format!("a GatewayClass is a target in the namespace `{}` only, and this is `{namespace}`", world.root()),
            &format!("metadata:\n  namespace: {}", world.root()),
        ),
        "Service" | "ServiceEntry" => {
            let kind = if kind == "Service" { "Service" } else { "ServiceEntry" };
            let Some(object) = world.find(kind, namespace, name) else {
                return missing(format!("there is no {kind} `{name}` in the namespace `{namespace}`"), GATEWAY);
            };
            let waypoint = world.waypoint_of(object);
            let stands = waypoint.is_some_and(|(namespace, name)| world.find("Gateway", namespace, name).is_some());
            (!stands).then(|| {
                (
                    Check::NoWaypoint,
                    match waypoint {
                        None => format!("no waypoint stands before the {kind} `{name}`"),
                        Some((space, gateway)) => format!("the waypoint `{space}/{gateway}` of the {kind} `{name}` is not there"),
                    },
                    format!("kind: {kind}\nmetadata:\n  name: {name}\n  labels: {{istio.io/use-waypoint: waypoint}}"),
                )
            })
        }
        "Gateway" | "GatewayClass" => None,
        other => missing(format!("a waypoint has no target of the kind `{other}`"), GATEWAY),
    }
}

fn waypoint(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec:\n  gatewayClassName: istio-waypoint\n  listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]"
    )
}

fn matches(extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let manifest = extension.manifest;
    if extension.form != Form::Istio {
        return;
    }
    for (index, item) in manifest.list("spec.match").iter().enumerate() {
        if item.get("ports").is_some() {
            let path = format!("spec.match[{index}].ports");
            let fix = "spec:\n  match: []   # and a target that has only these ports";
            found.push(Finding::new(Check::MatchPorts, manifest, &path, "ports in a match attach nothing to a waypoint", fix));
        }
        if item.get("mode").and_then(Node::as_str) == Some("CLIENT") {
            let path = format!("spec.match[{index}].mode");
            let fix = format!("spec:\n  match:\n  - {{mode: SERVER}}   # item {index}");
            found.push(Finding::new(Check::MatchClient, manifest, &path, "a waypoint has no chain of mode CLIENT", fix));
        }
    }
}

/// Where an EnvoyFilter puts filters.
fn anchors(extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let manifest = extension.manifest;
    for (index, patch) in items(manifest.at("spec.configPatches")).iter().enumerate() {
        let text = |path: &str| patch.locate_node(path).and_then(Node::as_str).unwrap_or_default();
        if text("applyTo") != "HTTP_FILTER" || !text("patch.operation").starts_with("INSERT") && text("patch.operation") != "ADD"
        {
            continue;
        }
        let anchor = text("match.listener.filterChain.filter.subFilter.name");
        let good = anchor == ALWAYS && text("patch.operation") == "INSERT_BEFORE";
        if !good {
            let path = format!("spec.configPatches[{index}].match");
            let where_ = if anchor.is_empty() { "no filter".to_owned() } else { format!("`{anchor}`") };
            let fix = "match:\n  listener: {name: main_internal, filterChain: {filter: {name: envoy.filters.network.http_connection_manager, \
                       subFilter: {name: envoy.filters.http.grpc_stats}}}}\npatch: {operation: INSERT_BEFORE}";
            let text = format!("the filter is put beside {where_}; before grpc_stats it is behind rbac in every chain");
            found.push(Finding::new(Check::FilterAnchor, manifest, &path, text, fix));
        }
    }
}
