//! Whether the clusters that a plugin calls are there (envoy-istio.md 2.2).

use super::extension::{Config, Extension, gateways};
use super::finding::{Check, Finding};
use super::manifest::{Manifest, World, each, items};
use crate::scenario::yaml::{Data, Node};

const REFERENCED: &str = "envoyfilter.istio.io/referenced-services";

pub(super) fn check(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let Some(config) = &extension.config else { return };
    for (path, cluster) in clusters(config) {
        let mut add = |check, text: String, fix: String| {
            found.push(Finding::new(check, extension.manifest, &config.path(&path), text, fix));
        };
        let Some((port, host)) = outbound(&cluster) else {
            let fix = format!("{path}: \"outbound|443||idp.example.com\"   # outbound|PORT||HOST");
            add(Check::CalloutCluster, format!("a waypoint has no cluster `{cluster}`"), fix);
            continue;
        };
        if !serves(world, &extension.manifest.namespace, host, port) {
            let text = format!("no ServiceEntry or Service has the host `{host}` with the port {port}");
            add(Check::CalloutCluster, text, entry(&extension.manifest.namespace, host, port));
        }
        for (namespace, gateway) in extension.gateways(world) {
            if !refers(world, namespace, gateway, host) {
                let text = format!("nothing makes the waypoint `{namespace}/{gateway}` know the host `{host}`");
                add(Check::CalloutCluster, text, reference(namespace, gateway, host));
            }
        }
        if port == 443 && !begins_tls(world, host) {
            let fix = format!(
                "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: idp, namespace: {}}}\n\
                 spec: {{host: {host}, trafficPolicy: {{tls: {{mode: SIMPLE}}}}}}",
                extension.manifest.namespace
            );
            add(Check::CalloutTls, format!("no DestinationRule begins TLS with `{host}`"), fix);
        }
    }
}

/// Whether a plugin calls this host.
pub(super) fn calls(extension: &Extension<'_>, host: &str) -> bool {
    let called = extension.config.as_ref().map(clusters).unwrap_or_default();
    called.iter().any(|(_, cluster)| outbound(cluster).is_some_and(|(_, it)| it == host))
}

/// Every text at a member `cluster`, with its path.
fn clusters(config: &Config) -> Vec<(String, String)> {
    let mut found = Vec::new();
    each(&config.node, "", &mut |node, path| {
        let is_cluster = path.rsplit('.').next() == Some("cluster");
        found.extend(node.as_str().filter(|_| is_cluster).map(|cluster| (path.to_owned(), cluster.to_owned())));
    });
    found
}

/// Port and host of `outbound|PORT|SUBSET|HOST`.
fn outbound(cluster: &str) -> Option<(u64, &str)> {
    let mut parts = cluster.strip_prefix("outbound|")?.splitn(3, '|');
    let (port, _subset, host) = (parts.next()?, parts.next()?, parts.next()?);
    Some((port.parse().ok()?, host)).filter(|(_, host)| !host.is_empty())
}

fn serves(world: &World, namespace: &str, host: &str, port: u64) -> bool {
    let has_port = |manifest: &Manifest| {
        let number = |item: &Node| item.get("number").or_else(|| item.get("port")).map(|node| node.data.clone());
        items(manifest.at("spec.ports"))
            .iter()
            .any(|item| matches!(number(item), Some(Data::Number(n)) if n.as_u64() == Some(port)))
    };
    let entry = |entry: &Manifest| {
        let hosts = items(entry.at("spec.hosts"));
        hosts.iter().any(|item| item.as_str() == Some(host)) && visible(entry, namespace) && has_port(entry)
    };
    let service = |service: &Manifest| names(service).any(|name| name == host) && has_port(service);
    world.of("ServiceEntry").any(entry) || world.of("Service").any(service)
}

/// Whether an entry is exported to a namespace.
fn visible(entry: &Manifest, namespace: &str) -> bool {
    let to = items(entry.at("spec.exportTo"));
    to.is_empty()
        || to.iter().filter_map(Node::as_str).any(|to| match to {
            "*" => true,
            "." => entry.namespace == namespace,
            other => other == namespace,
        })
}

fn names(service: &Manifest) -> impl Iterator<Item = String> {
    let Manifest { name, namespace, .. } = service;
    [format!("{name}.{namespace}.svc.cluster.local"), format!("{name}.{namespace}.svc"), format!("{name}.{namespace}")]
        .into_iter()
}

/// Whether an EnvoyFilter makes istiod give this waypoint a cluster for the host.
fn refers(world: &World, namespace: &str, gateway: &str, host: &str) -> bool {
    let near = |filter: &&Manifest| filter.namespace == namespace || filter.namespace == world.root();
    let mut filters = world.of("EnvoyFilter").filter(near);
    filters.any(|filter| names_host(filter, host) && gateways(world, filter).contains(&(namespace, gateway)))
}

/// Whether an EnvoyFilter makes istiod give some waypoint a cluster for the host.
pub(super) fn is_referred(world: &World, host: &str) -> bool {
    world.of("EnvoyFilter").any(|filter| names_host(filter, host))
}

fn names_host(filter: &Manifest, host: &str) -> bool {
    let hosts = filter.meta("annotations", REFERENCED).unwrap_or_default();
    hosts.split(',').any(|it| it.trim().rsplit('/').next() == Some(host))
}

fn begins_tls(world: &World, host: &str) -> bool {
    world.of("DestinationRule").any(|rule| {
        let mode = rule.text("spec.trafficPolicy.tls.mode");
        rule.text("spec.host") == Some(host) && matches!(mode, Some("SIMPLE" | "MUTUAL" | "ISTIO_MUTUAL"))
    })
}

fn entry(namespace: &str, host: &str, port: u64) -> String {
    let protocol = if port == 443 { "HTTPS" } else { "HTTP" };
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: idp, namespace: {namespace}}}\nspec: {{hosts: [{host}], \
         location: MESH_EXTERNAL, resolution: DNS, ports: [{{number: {port}, name: idp, protocol: {protocol}}}]}}"
    )
}

fn reference(namespace: &str, gateway: &str, host: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata:\n  name: callouts\n  namespace: {namespace}\n  \
         annotations: {{{REFERENCED}: {host}}}\nspec:\n  \
         targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: {gateway}}}]"
    )
}
