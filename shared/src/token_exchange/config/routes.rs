//! Destinations.

use std::rc::Rc;

use super::super::policy::{Action, Target};
use super::super::routes::{Cluster, Host, Route, Routes};
use super::raw::{Raw, RawAction, RawProfile, RawRoute, RawServer};
use super::{at, references};
use crate::config::Problems;
use crate::path;
use crate::time::Duration;

/// A life of a token that is worth a warning.
const LONG: Duration = Duration::from_secs(24 * 3600);

type Warnings = Vec<(String, &'static str)>;

pub(super) fn routes(raw: &Raw, warnings: &mut Warnings, problems: &mut Problems) -> Routes {
    if raw.routes.is_empty() {
        problems.add("is empty: no destination would get a token. Name one");
    }
    let mut found: Vec<Route> = Vec::new();
    for (index, route) in raw.routes.iter().enumerate() {
        if route.action == RawAction::Passthrough {
            warnings.push((at("routes", index, "action"), "tokens go to this destination as they come"));
        }
        if route.max_life > LONG {
            warnings.push((at("routes", index, "maxLifetime"), "a token that leaks is good for more than a day"));
        }
        problems.item(index, |problems| {
            let compiled = compile(raw, route, problems);
            if found.iter().any(|other| other.id == compiled.id) {
                problems.field("id", |p| p.add(format!("`{}` is there twice", compiled.id)));
            }
            found.push(compiled);
        });
    }
    let (routes, twins) = Routes::new(found);
    for (one, other) in twins {
        problems.add(format!("`{one}` and `{other}` are for the same destination. Take one away"));
    }
    routes
}

fn compile(raw: &Raw, route: &RawRoute, problems: &mut Problems) -> Route {
    let cluster = cluster(route, problems);
    let host = route.host.as_ref().and_then(|host| {
        let parsed = Host::parse(host);
        if parsed.is_none() {
            let text = "is not a host. Write it in lower case and without port, with `*.` before it for any one label";
            problems.field("host", |p| p.add(format!("`{host}` {text}")));
        }
        parsed
    });
    if route.host.is_none() && route.port.is_some() {
        let text =
            "is that of `host`, and there is none. Take it away, or write `upstreamCluster`, whose name has its port in Istio";
        problems.field("port", |p| p.add(text));
    }
    let port = route.port.map(|port| {
        u16::try_from(port).ok().filter(|port| *port > 0).unwrap_or_else(|| {
            problems.field("port", |p| p.add(format!("`{port}` is not a port")));
            0
        })
    });
    let path = path::split(route.path.as_bytes()).filter(|(_, query)| query.is_none()).and_then(|(path, _)| path::decode(path));
    if path.is_none() {
        problems.field("path", |p| p.add(format!("`{}` is not a path. Write `/path`", route.path)));
    }
    let path = path.unwrap_or_default().trim_end_matches('/').to_owned();
    let id = route.id.clone().unwrap_or_else(|| {
        let port = port.map(|port| port.to_string()).unwrap_or_default();
        let tools = route.tools.iter().map(String::as_str);
        let places = [&route.service, &route.upstream_cluster, &route.host].into_iter().flatten().map(String::as_str);
        named(&places.chain([port.as_str(), &path]).chain(tools).collect::<Vec<_>>())
    });
    if id.is_empty() {
        problems.field("id", |p| p.add("is empty"));
    }
    problems.field("tools", |problems| {
        if !route.tools.is_empty() && !raw.host_profile.hold_headers {
            let text =
                "needs `hostProfile: {holdHeaders: true}`: else the headers have gone before the body says which tool it is";
            problems.add(text);
        }
        for (index, tool) in route.tools.iter().enumerate() {
            if tool.is_empty() || tool.contains('*') || route.tools.iter().take(index).any(|other| other == tool) {
                problems.item(index, |p| p.add(format!("`{tool}` is not the exact name of one more tool")));
            }
        }
    });
    let action = match route.action {
        RawAction::Exchange => Action::Exchange(Rc::new(target(raw, route, problems))),
        RawAction::Reference => references::reference(raw, route, problems),
        RawAction::Strip => Action::Strip,
        RawAction::Passthrough => Action::Passthrough,
    };
    if route.action != RawAction::Reference && route.agent.is_some() {
        problems.field("agent", |p| p.add("nothing is made for an agent here. Take it away, or write `action: reference`"));
    }
    if route.action != RawAction::Exchange {
        let named = [("server", &route.server), ("audience", &route.audience), ("resource", &route.resource)];
        for (name, _) in named.into_iter().filter(|(_, value)| value.is_some()) {
            problems.field(name, |p| p.add("no token is asked for here. Take it away, or write `action: exchange`"));
        }
    }
    Route { id: id.as_str().into(), cluster, host, port, path, tools: route.tools.clone(), action }
}

/// Where the proxy must send the request; at least the host must be said else.
fn cluster(route: &RawRoute, problems: &mut Problems) -> Option<Cluster> {
    match (&route.service, &route.upstream_cluster) {
        (Some(service), None) => {
            let cluster = Cluster::service(service);
            if cluster.is_none() {
                let text = "is not the host name of a service, such as `files.tools.svc.cluster.local`";
                problems.field("service", |p| p.add(format!("`{service}` {text}")));
            }
            cluster
        }
        (None, Some(name)) => {
            let cluster = Cluster::named(name);
            if cluster.is_none() {
                problems.field("upstreamCluster", |p| p.add(format!("`{name}` is not the name of a cluster")));
            }
            cluster
        }
        (Some(_), Some(_)) => {
            problems.field("service", |p| p.add("is part of the name of the cluster. Write one of both"));
            None
        }
        (None, None) => {
            if route.host.is_none() {
                problems.add("is for no destination. Write `service`, `upstreamCluster` or `host`");
            }
            None
        }
    }
}

/// A name of a route that says where it goes, and has nothing that a counter's name cannot have.
fn named(parts: &[&str]) -> String {
    let words = parts.iter().flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric())).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn target(raw: &Raw, route: &RawRoute, problems: &mut Problems) -> Target {
    let server = route.server.as_ref().and_then(|name| raw.servers.iter().position(|server| server.name == *name));
    match (&route.server, server) {
        (None, _) => problems.field("server", |p| p.add("is required. Name one of `servers`")),
        (Some(name), None) => problems.field("server", |p| p.add(format!("`{name}` is not among `servers`"))),
        (Some(_), Some(_)) => {}
    }
    if let Some(server) = server.and_then(|at| raw.servers.get(at)) {
        addressed(server, route, problems);
    }
    problems.field("scopes", |problems| {
        if route.scopes.is_empty() {
            problems.add("is empty. Name all scopes that the token is to have: what is not asked for is not accepted");
        }
        for (index, scope) in route.scopes.iter().enumerate() {
            // RFC 6749 section 3.3
            let plain = |c: u8| c.is_ascii_graphic() && c != b'"' && c != b'\\';
            if scope.is_empty() || !scope.bytes().all(plain) {
                problems.item(index, |p| p.add(format!("`{scope}` is not one scope")));
            }
        }
    });
    if route.max_life < Duration::from_secs(1) {
        problems.field("maxLifetime", |p| p.add("a token has to live for 1s at the least"));
    }
    let mut scopes = route.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    Target {
        server: server.unwrap_or_default(),
        audience: route.audience.as_deref().map(Into::into),
        resource: route.resource.as_deref().map(Into::into),
        scopes,
        max_life: route.max_life,
    }
}

/// Whether the target is said as this server wants it (OA-TE-02, rules.md 3.8).
fn addressed(server: &RawServer, route: &RawRoute, problems: &mut Problems) {
    let (audience, resource) = match server.profile {
        RawProfile::Rfc8693 => (None, None),
        RawProfile::Thunderid => (Some(false), Some(true)),
        RawProfile::IdJag => (Some(true), None),
        RawProfile::Auth0 | RawProfile::EntraObo | RawProfile::Keycloak | RawProfile::Okta => (Some(true), Some(false)),
    };
    for (name, wanted, given) in [("audience", audience, &route.audience), ("resource", resource, &route.resource)] {
        match (wanted, given) {
            (Some(true), None) => problems.field(name, |p| p.add(format!("is required by the profile of `{}`", server.name))),
            (Some(false), Some(_)) => {
                problems.field(name, |p| p.add(format!("the profile of `{}` does not honour it. Take it away", server.name)));
            }
            _ => {}
        }
        if given.as_ref().is_some_and(String::is_empty) {
            problems.field(name, |p| p.add("is empty"));
        }
    }
    if route.audience.is_none() && route.resource.is_none() && server.profile == RawProfile::Rfc8693 {
        problems.add("names no target. Write `audience` or `resource`");
    }
    if let Some(resource) = &route.resource
        && !is_absolute(resource)
    {
        problems
            .field("resource", |p| p.add(format!("`{resource}` is not an absolute URI without fragment (RFC 8707 section 2)")));
    }
}

fn is_absolute(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
    scheme.bytes().next().is_some_and(|c| c.is_ascii_alphabetic())
        && scheme.bytes().all(plain)
        && !rest.is_empty()
        && rest.bytes().all(|c| c.is_ascii_graphic() && c != b'#')
}
