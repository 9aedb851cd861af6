//! Which route a request takes: by its destination, and never by what it says beside that (BY-X-02).
//!
//! The host is what the request says. Where the proxy goes by something else (an Istio waypoint by the address that was dialled),
//! only the cluster that it has chosen is the destination.

use super::destination::{Destination, is_host};
use super::policy::Action;
use crate::filter::upstream;
use crate::policy::RuleId;

/// Routes, the most specific first.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes(Vec<Route>);

/// A destination, and what becomes of its requests.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) id: RuleId,
    pub(super) cluster: Option<Cluster>,
    /// Any, if there is none.
    pub(super) host: Option<Host>,
    pub(super) port: Option<u16>,
    /// Without a slash at the end; empty for all.
    pub(super) path: String,
    /// Only calls of one of these; every request, if there are none.
    pub(super) tools: Vec<String>,
    pub(super) action: Action,
}

/// Where the proxy sends a request, by what it calls that itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Cluster {
    /// The whole name.
    Named(String),
    /// A name of Istio, `direction|port|subset|host`, with this host.
    Service(String),
}

/// A host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Host {
    Exact(String),
    /// One label, and this behind it, the dot included.
    Under(String),
}

/// A route depends on the cluster, and the proxy has not said which one it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ClusterUnknown;

impl Routes {
    /// Sorts them; two of which each request could take either are told, by their indices.
    pub(super) fn new(mut routes: Vec<Route>) -> (Self, Vec<(RuleId, RuleId)>) {
        routes.sort_by_key(|route| core::cmp::Reverse(route.rank()));
        let same = |a: &Route, b: &Route| {
            let tools = a.tools.is_empty() && b.tools.is_empty() || a.tools.iter().any(|tool| b.tools.contains(tool));
            a.cluster == b.cluster && a.host == b.host && a.port == b.port && a.path == b.path && tools
        };
        let twins = (0..).zip(&routes).flat_map(|(at, a)| {
            routes.iter().skip(at + 1).filter(|b| same(a, b)).map(|b| (a.id.clone(), b.id.clone())).collect::<Vec<_>>()
        });
        let twins = twins.collect();
        (Self(routes), twins)
    }

    /// Whether any depends on the cluster.
    pub(super) fn want_cluster(&self) -> bool {
        self.0.iter().any(|route| route.cluster.is_some())
    }

    /// The most specific route for a destination and the tool that is called there.
    pub(super) fn find(&self, to: &Destination, tool: Option<&str>) -> Result<Option<&Route>, ClusterUnknown> {
        let of_tool =
            |route: &&Route| route.tools.is_empty() || tool.is_some_and(|tool| route.tools.iter().any(|own| own == tool));
        self.first(to, of_tool)
    }

    /// Whether any depends on the tool that is called.
    pub(super) fn want_tools(&self) -> bool {
        self.0.iter().any(|route| !route.tools.is_empty())
    }

    /// Whether the route of a destination depends on the tool that is called there.
    pub(super) fn want_tool(&self, to: &Destination) -> bool {
        self.first(to, |_| true).is_ok_and(|route| route.is_some_and(|route| !route.tools.is_empty()))
    }

    fn first(&self, to: &Destination, also: impl Fn(&&Route) -> bool) -> Result<Option<&Route>, ClusterUnknown> {
        for route in self.0.iter().filter(|route| route.fits(to)).filter(also) {
            match (&route.cluster, &to.cluster) {
                (Some(_), None) => return Err(ClusterUnknown),
                (Some(wanted), Some(cluster)) if !wanted.is(cluster) => {}
                _ => return Ok(Some(route)),
            }
        }
        Ok(None)
    }
}

impl Route {
    /// One with a cluster goes before one without, by its whole name before by its service; then an exact host before one with `*`
    /// and that before none, a port before none, the longer path, tools before none.
    fn rank(&self) -> (u8, u8, usize, bool, usize, bool) {
        let cluster = match &self.cluster {
            Some(Cluster::Named(_)) => 2,
            Some(Cluster::Service(_)) => 1,
            None => 0,
        };
        let (exact, length) = match &self.host {
            Some(Host::Exact(host)) => (2, host.len()),
            Some(Host::Under(rest)) => (1, rest.len()),
            None => (0, 0),
        };
        (cluster, exact, length, self.port.is_some(), self.path.len(), !self.tools.is_empty())
    }

    /// Whether all but cluster and tool are those of this route.
    fn fits(&self, to: &Destination) -> bool {
        let below = to.path.strip_prefix(self.path.as_str());
        self.host.as_ref().is_none_or(|host| host.is(&to.host))
            && self.port.is_none_or(|port| to.port == Some(port))
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Cluster {
    /// Reads the name of a cluster.
    pub(super) fn named(text: &str) -> Option<Self> {
        (!text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic())).then(|| Self::Named(text.to_owned()))
    }

    /// Reads the host of a service.
    pub(super) fn service(text: &str) -> Option<Self> {
        is_host(text).then(|| Self::Service(text.to_owned()))
    }

    fn is(&self, cluster: &str) -> bool {
        match self {
            Self::Named(name) => name == cluster,
            Self::Service(host) => upstream::service(cluster) == Some(host),
        }
    }
}

impl Host {
    /// Reads a host of the configuration.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (under, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        is_host(name).then(|| if under { Self::Under(format!(".{name}")) } else { Self::Exact(name.to_owned()) })
    }

    fn is(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Under(rest) => host.strip_suffix(rest.as_str()).is_some_and(|label| !label.is_empty() && !label.contains('.')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use crate::policy::Reason;

    fn route(id: &str, host: &str, port: Option<u16>, path: &str) -> Route {
        Route {
            id: id.into(),
            cluster: None,
            host: Some(Host::parse(host).unwrap()),
            port,
            path: path.into(),
            tools: Vec::new(),
            action: Action::Strip,
        }
    }

    fn to(authority: &str, path: &str) -> Result<Destination, Reason> {
        let headers: Headers = [(":scheme", "https"), (":authority", authority), (":path", path)].into_iter().collect();
        Destination::read(&headers, None)
    }

    fn taken(routes: &Routes, authority: &str, path: &str) -> Option<String> {
        routes.find(&to(authority, path).unwrap(), None).unwrap().map(|route| route.id.to_string())
    }

    #[test]
    fn the_most_specific_route_is_taken() {
        let (routes, twins) = Routes::new(vec![
            route("any", "*.example.com", None, ""),
            route("host", "a.example.com", None, ""),
            route("path", "a.example.com", None, "/mcp"),
            route("deep", "a.example.com", None, "/mcp/admin"),
            route("port", "a.example.com", Some(8443), ""),
            route("near", "*.b.example.com", None, ""),
        ]);
        assert_eq!(twins, []);
        for (authority, path, want) in [
            ("a.example.com", "/", Some("host")),
            ("A.Example.COM:443", "/", Some("host")),
            ("a.example.com", "/mcp", Some("path")),
            ("a.example.com", "/mcp/x?y", Some("path")),
            ("a.example.com", "/mcp/", Some("path")),
            ("a.example.com", "/mcpx", Some("host")),
            ("a.example.com", "/%6Dcp/%61dmin/x", Some("deep")),
            ("a.example.com", "/MCP", Some("host")),
            ("a.example.com:8443", "/mcp", Some("port")),
            ("z.example.com", "/mcp", Some("any")),
            ("z.b.example.com", "/", Some("near")),
            ("z.z.example.com", "/", None),
            ("example.com", "/", None),
            ("xexample.com", "/", None),
        ] {
            assert_eq!(taken(&routes, authority, path).as_deref(), want, "{authority} {path}");
        }
    }

    #[test]
    fn a_tool_has_a_route_of_its_own_where_the_destination_has_none_that_is_more_specific() {
        let of = |id: &str, path: &str, tools: &[&str]| Route {
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
            ..route(id, "a.example.com", None, path)
        };
        let all = [of("all", "", &[]), of("read", "", &["read", "list"]), of("write", "", &["write"]), of("deep", "/deep", &[])];
        let (routes, twins) = Routes::new(all.to_vec());
        assert_eq!(twins, []);
        let found =
            |path: &str, tool| routes.find(&to("a.example.com", path).unwrap(), tool).unwrap().map(|route| route.id.to_string());
        for (path, tool, want) in [
            ("/", Some("read"), "read"),
            ("/", Some("list"), "read"),
            ("/x", Some("write"), "write"),
            ("/", Some("Write"), "all"),
            ("/", None, "all"),
            ("/deep", Some("write"), "deep"),
        ] {
            assert_eq!(found(path, tool).as_deref(), Some(want), "{path} {tool:?}");
        }
        let wants = |path: &str| routes.want_tool(&to("a.example.com", path).unwrap());
        assert!(wants("/") && !wants("/deep") && routes.want_tools());
        let (routes, twins) = Routes::new(vec![of("one", "", &["a", "b"]), of("two", "", &["c", "b"])]);
        assert_eq!(twins, [("one".into(), "two".into())]);
        assert!(routes.find(&to("a.example.com", "/").unwrap(), None).unwrap().is_none());
        assert!(routes.want_tools() && !Routes::new(vec![of("all", "", &[])]).0.want_tools());
    }

    /// What the caller says of the host moves nothing from one service to another.
    #[test]
    fn a_route_with_a_cluster_is_for_what_the_proxy_has_chosen() {
        const A: &str = "inbound-vip|8080|http|a.ns.svc.cluster.local";
        let bound = |id: &str, cluster, host: Option<&str>| Route {
            cluster: Some(cluster),
            host: host.map(|host| Host::parse(host).unwrap()),
            ..route(id, "a", None, "")
        };
        let service = || Cluster::service("a.ns.svc.cluster.local").unwrap();
        let (routes, twins) = Routes::new(vec![
            route("believed", "b.example.com", None, ""),
            bound("service", service(), None),
            bound("both", service(), Some("c.example.com")),
            bound("whole", Cluster::named("inbound-vip|9090|http|a.ns.svc.cluster.local").unwrap(), None),
            Route { path: "/mcp".into(), ..bound("path", service(), None) },
            bound("plain", Cluster::named("files").unwrap(), Some("d.example.com")),
        ]);
        assert_eq!(twins, []);
        let headers = |authority: &str, path: &str| -> Headers {
            [(":scheme", "https"), (":authority", authority), (":path", path)].into_iter().collect()
        };
        let taken = |cluster: Option<&str>, authority: &str, path: &str| {
            let to = Destination::read(&headers(authority, path), cluster).unwrap();
            routes.find(&to, None).map(|route| route.map(|route| route.id.to_string()))
        };
        for (cluster, authority, path, want) in [
            (A, "x.example.com", "/", Some("service")),
            (A, "b.example.com", "/", Some("service")),
            (A, "c.example.com", "/mcp", Some("both")),
            (A, "b.example.com", "/mcp", Some("path")),
            (A, "d.example.com", "/", Some("service")),
            ("inbound-vip|9090|http|a.ns.svc.cluster.local", "x.example.com", "/mcp", Some("whole")),
            ("outbound|80|v2|a.ns.svc.cluster.local", "x.example.com", "/", Some("service")),
            ("inbound-vip|8080|http|b.ns.svc.cluster.local", "b.example.com", "/", Some("believed")),
            ("inbound-vip|8080|http|b.ns.svc.cluster.local", "a.ns.svc.cluster.local", "/", None),
            ("inbound-vip|8080|http|xa.ns.svc.cluster.local", "x.example.com", "/", None),
            ("inbound-vip|8080|http|a.ns.svc.cluster.local|x", "x.example.com", "/", None),
            ("a.ns.svc.cluster.local", "x.example.com", "/", None),
            ("files", "d.example.com", "/", Some("plain")),
            ("files", "a.ns.svc.cluster.local", "/", None),
        ] {
            assert_eq!(taken(Some(cluster), authority, path), Ok(want.map(str::to_owned)), "{cluster} {authority} {path}");
        }
        assert_eq!(taken(None, "b.example.com", "/"), Err(ClusterUnknown), "no other route instead");
        assert!(routes.want_cluster());
    }

    #[test]
    fn a_route_that_is_for_other_hosts_needs_no_cluster() {
        let files = Cluster::named("files").unwrap();
        let (routes, _) = Routes::new(vec![
            route("believed", "b.example.com", None, ""),
            Route { cluster: Some(files.clone()), ..route("files", "a.example.com", None, "") },
            Route { cluster: Some(files), ..route("twin", "a.example.com", None, "") },
        ]);
        let found =
            |authority| routes.find(&to(authority, "/").unwrap(), None).map(|route| route.map(|route| route.id.to_string()));
        assert_eq!(found("b.example.com"), Ok(Some("believed".to_owned())));
        assert_eq!(found("a.example.com"), Err(ClusterUnknown));
    }

    #[test]
    fn clusters_are_names() {
        for text in ["", "a b", "ü"] {
            assert_eq!(Cluster::named(text), None, "{text}");
        }
        for text in ["", "*.a", "a|b", "A.example", "a:80"] {
            assert_eq!(Cluster::service(text), None, "{text}");
        }
    }

    #[test]
    fn two_routes_for_the_same_are_told() {
        let (_, twins) = Routes::new(vec![
            route("a", "*.example.com", None, "/mcp"),
            route("b", "x.example.com", None, "/mcp"),
            route("c", "*.example.com", None, "/mcp"),
            Route { cluster: Cluster::named("files"), ..route("d", "*.example.com", None, "/mcp") },
        ]);
        assert_eq!(twins, [("a".into(), "c".into())]);
    }

    #[test]
    fn hosts_are_names() {
        for text in ["", "*", "*.", "**.a", "a.*.b", "A.example", "a:80", "https://a"] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }
}
