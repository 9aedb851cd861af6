//! Whether what is outside can be reached without the waypoint.

use super::callouts;
use super::extension::Extension;
use super::finding::{Check, Finding};
use super::manifest::{Manifest, World, items};
use crate::scenario::yaml::{Data, Node};

pub(super) fn check(world: &World, extensions: &[Extension<'_>], found: &mut Vec<Finding>) {
    let outside: Vec<&Manifest> =
        world.of("ServiceEntry").filter(|entry| entry.text("spec.location") == Some("MESH_EXTERNAL")).collect();
    let guarded: Vec<&Manifest> = outside.iter().copied().filter(|entry| is_guarded(world, extensions, entry)).collect();
    for entry in &outside {
        let own = entry.meta("labels", "istio.io/use-waypoint");
        let hosts: Vec<&str> = items(entry.at("spec.hosts")).iter().filter_map(Node::as_str).collect();
        // A token service is the plugins' to call, not the agents'.
        let calls = |host: &&str| extensions.iter().any(|extension| callouts::calls(extension, host));
        let called = hosts.iter().any(|host| calls(host) || callouts::is_referred(world, host));
        if world.waypoint_of(entry).is_none() && !called && own != Some("none") && !extensions.is_empty() {
            let fix = "metadata:\n  labels: {istio.io/use-waypoint: waypoint}";
            let text = "it is outside of the mesh, and no waypoint stands before it";
            found.push(Finding::new(Check::EgressAround, entry, "metadata.labels", text, fix));
        }
    }
    for entry in guarded.iter().filter(|entry| world.waypoint_of(entry).is_some()) {
        for (index, port) in items(entry.at("spec.ports")).iter().enumerate() {
            let protocol = port.get("protocol").and_then(Node::as_str).unwrap_or_default();
            if matches!(protocol, "HTTPS" | "TLS") {
                let path = format!("spec.ports[{index}].protocol");
                let fix = "ports: [{number: 80, name: http, protocol: HTTP, targetPort: 443}]   # and a DestinationRule with tls SIMPLE";
                found.push(Finding::new(Check::EgressOpaque, entry, &path, format!("the protocol is {protocol}"), fix));
            }
        }
    }
    if let Some(entry) = guarded.first().filter(|_| !world.of("NetworkPolicy").any(denies_egress)) {
        let fix = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: default-deny-egress, namespace: AGENTS}\n\
                   spec: {podSelector: {}, policyTypes: [Egress]}   # and one that allows DNS and the mesh";
        let text = "no NetworkPolicy denies egress by default";
        found.push(Finding::new(Check::EgressOpen, entry, "metadata.name", text, fix));
    }
}

/// Whether an extension of ours is about it, by itself or by its waypoint.
fn is_guarded(world: &World, extensions: &[Extension<'_>], entry: &Manifest) -> bool {
    let waypoint = world.waypoint_of(entry);
    extensions.iter().any(|extension| {
        let direct = extension.manifest.namespace == entry.namespace
            && extension.targets().iter().any(|target| target.kind == "ServiceEntry" && target.name == entry.name);
        direct || waypoint.is_some_and(|waypoint| extension.gateways(world).contains(&waypoint))
    })
}

/// Whether a policy forbids all egress of a namespace's pods but what others allow.
fn denies_egress(policy: &Manifest) -> bool {
    let all = policy.at("spec.podSelector").is_some_and(|node| matches!(&node.data, Data::Map(it) if it.is_empty()));
    all && items(policy.at("spec.policyTypes")).iter().any(|it| it.as_str() == Some("Egress"))
}
