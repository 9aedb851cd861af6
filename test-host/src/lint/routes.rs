//! Whether a waypoint sends requests where routes of `token-exchange` and conditions of `mcp-authz` say that it does.

use std::collections::BTreeSet;

use super::conditions::{Compared, compared};
use super::extension::{Config, Extension, hosts};
use super::finding::{Check, Finding};
use super::manifest::{Manifest, World, items};
use crate::scenario::yaml::Node;

/// A destination that somebody wrote.
struct Said {
    path: String,
    name: String,
    /// The host of the service that the name is of.
    host: Option<String>,
    /// What to write around a service.
    around: [String; 2],
}

/// A route or a condition binds to the name of a service as Istio writes it: a name that is spelt otherwise, or is of a service that is
/// reached without this waypoint, is that of no request. Its requests take another route or none; what was to be denied goes on.
pub(super) fn check(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let Some(config) = &extension.config else { return };
    let reached: BTreeSet<String> = extension.behind(world).into_iter().flat_map(hosts).collect();
    // What stands before nothing here may stand before services that are elsewhere.
    let Some(one) = reached.first() else { return };
    let said = if extension.plugin == "token-exchange" { by_routes(config) } else { by_conditions(config) };
    for Said { path, name, host, around: [before, behind] } in said {
        let host = host.as_deref();
        if host.is_some_and(|host| reached.contains(host)) {
            continue;
        }
        let (text, fix) = match host.and_then(|host| Some((host, named(world, host)?))) {
            Some((host, object)) if hosts(object).iter().any(|own| own == host) => around(world, extension, object),
            Some((host, object)) => {
                let full = hosts(object).concat();
                (format!("Istio's name of `{host}` is `{full}`"), format!("{before}{full}{behind}"))
            }
            None => (
                format!(
                    "no request comes to `{name}` through this {}: of what is given here it stands before {}",
                    extension.manifest.kind,
                    list(&reached)
                ),
                format!("{before}{one}{behind}, or the one that is meant"),
            ),
        };
        found.push(Finding::new(Check::RouteElsewhere, extension.manifest, &config.path(&path), text, fix));
    }
}

fn by_routes(config: &Config) -> Vec<Said> {
    let routes = items(config.at("routes")).iter().enumerate();
    let said = routes.filter_map(|(index, route)| {
        let text = |name: &'static str| route.get(name).and_then(Node::as_str).map(|text| (name, text));
        let (field, name) = text("service").or_else(|| text("upstreamCluster"))?;
        let host = if field == "service" { Some(name) } else { inbound(name) };
        let around = ["routes:\n- service: ".to_owned(), format!("   # item {index}")];
        Some(Said { path: format!("routes[{index}].{field}"), name: name.to_owned(), host: host.map(str::to_owned), around })
    });
    said.collect()
}

fn by_conditions(config: &Config) -> Vec<Said> {
    let said = compared(&config.node.to_json()).into_iter().map(|Compared { path, field, name }| {
        let host = if field == "request.service" { Some(name.as_str()) } else { inbound(&name) };
        let around = ["when: 'request.service == \"".to_owned(), format!("\"'   # in the place of {name}")];
        Said { path, host: host.map(str::to_owned), name, around }
    });
    said.collect()
}

/// The host of `inbound-vip|PORT|PROTOCOL|HOST`: what istiod calls the clusters of a waypoint.
pub(super) fn inbound(cluster: &str) -> Option<&str> {
    cluster.strip_prefix("inbound-vip|")?.splitn(3, '|').nth(2)
}

/// The object that has a host; a Service also by a short name, as its callers may write it.
fn named<'w>(world: &'w World, host: &str) -> Option<&'w Manifest> {
    let is_short = |full: &String| full.strip_prefix(host).is_some_and(|rest| rest.starts_with('.'));
    let mut objects = world.of("Service").chain(world.of("ServiceEntry"));
    let exact = objects.find(|object| hosts(object).iter().any(|full| full == host));
    exact.or_else(|| world.of("Service").find(|object| hosts(object).iter().any(is_short)))
}

/// It is there, and its requests do not come by.
fn around(world: &World, extension: &Extension<'_>, object: &Manifest) -> (String, String) {
    let Manifest { kind, namespace, name, .. } = object;
    let wide = extension.targets().iter().any(|target| matches!(target.kind, "Gateway" | "GatewayClass"));
    match extension.gateways(world).first().filter(|_| wide) {
        Some((space, waypoint)) => (
            format!("the {kind} `{namespace}/{name}` is not behind the waypoint `{space}/{waypoint}`"),
            format!(
                "kind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  \
                 labels: {{istio.io/use-waypoint: {waypoint}, istio.io/use-waypoint-namespace: {space}}}"
            ),
        ),
        None => (
            format!("the {kind} `{namespace}/{name}` is none of its targets"),
            format!("targetRefs:\n- {{kind: {kind}, name: {name}}}   # in the namespace {namespace}, with a route of its own"),
        ),
    }
}

fn list(hosts: &BTreeSet<String>) -> String {
    let names: Vec<String> = hosts.iter().map(|host| format!("`{host}`")).collect();
    names.join(", ")
}
