//! Which route a request takes: by its destination, and never by what it says beside that (BY-X-02).

use super::policy::Action;
use crate::http::Headers;
use crate::path;
use crate::policy::{Reason, RuleId};

/// Routes, the most specific first.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes(Vec<Route>);

/// A destination, and what becomes of its requests.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) id: RuleId,
    pub(super) host: Host,
    pub(super) port: Option<u16>,
    /// Without a slash at the end; empty for all.
    pub(super) path: String,
    /// Only calls of one of these; every request, if there are none.
    pub(super) tools: Vec<String>,
    pub(super) action: Action,
}

/// A host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Host {
    Exact(String),
    /// One label, and this behind it, the dot included.
    Under(String),
}

/// Where a request goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Destination {
    host: String,
    port: Option<u16>,
    /// Decoded once.
    path: String,
}

impl Routes {
    /// Sorts them; two of which each request could take either are told, by their indices.
    pub(super) fn new(mut routes: Vec<Route>) -> (Self, Vec<(RuleId, RuleId)>) {
        routes.sort_by_key(|route| core::cmp::Reverse(route.rank()));
        let same = |a: &Route, b: &Route| {
            let tools = a.tools.is_empty() && b.tools.is_empty() || a.tools.iter().any(|tool| b.tools.contains(tool));
            a.host == b.host && a.port == b.port && a.path == b.path && tools
        };
        let twins = (0..).zip(&routes).flat_map(|(at, a)| {
            routes.iter().skip(at + 1).filter(|b| same(a, b)).map(|b| (a.id.clone(), b.id.clone())).collect::<Vec<_>>()
        });
        let twins = twins.collect();
        (Self(routes), twins)
    }

    /// The most specific route for a destination and the tool that is called there.
    pub(super) fn find(&self, to: &Destination, tool: Option<&str>) -> Option<&Route> {
        let of_tool =
            |route: &Route| route.tools.is_empty() || tool.is_some_and(|tool| route.tools.iter().any(|own| own == tool));
        self.0.iter().find(|route| route.fits(to) && of_tool(route))
    }

    /// Whether the route of a destination depends on the tool that is called there.
    pub(super) fn want_tool(&self, to: &Destination) -> bool {
        self.0.iter().find(|route| route.fits(to)).is_some_and(|route| !route.tools.is_empty())
    }
}

impl Route {
    /// An exact host goes before one with `*`, then a port before none, then the longer path, then tools before none.
    fn rank(&self) -> (bool, usize, bool, usize, bool) {
        let (exact, length) = match &self.host {
            Host::Exact(host) => (true, host.len()),
            Host::Under(rest) => (false, rest.len()),
        };
        (exact, length, self.port.is_some(), self.path.len(), !self.tools.is_empty())
    }

    fn fits(&self, to: &Destination) -> bool {
        let below = to.path.strip_prefix(self.path.as_str());
        self.host.is(&to.host)
            && self.port.is_none_or(|port| to.port == Some(port))
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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

impl Destination {
    /// Reads where a request goes. What two readers could read in two ways is refused.
    pub(super) fn read(headers: &Headers) -> Result<Self, Reason> {
        let authority = headers.one(":authority").map_err(|_| Reason::RepeatedHeader)?.unwrap_or_default();
        let text = core::str::from_utf8(authority).map_err(|_| Reason::InvalidHost)?.to_ascii_lowercase();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (text.as_str(), None),
        };
        if !is_host(host) {
            return Err(Reason::InvalidHost);
        }
        let port = match (port, headers.one(":scheme").ok().flatten()) {
            (Some(port), _) if port.bytes().all(|c| c.is_ascii_digit()) => Some(port.parse().map_err(|_| Reason::InvalidHost)?),
            (Some(_), _) => return Err(Reason::InvalidHost),
            (None, Some(b"https")) => Some(443),
            (None, Some(b"http")) => Some(80),
            (None, _) => None,
        };
        let path = headers.one(":path").ok().flatten().and_then(path::split);
        let (path, query) = path.ok_or(Reason::InvalidPath)?;
        if query.is_some_and(has_token) {
            return Err(Reason::TokenInQuery);
        }
        // A segment that is written with `%` is the same to a server, so it is here.
        let path = path::decode(path).ok_or(Reason::InvalidPath)?;
        Ok(Self { host: host.to_owned(), port, path })
    }
}

/// A name of labels, or an address; no user, no port, no dot at the end.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.contains(':') && address.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b':' | b'.'));
    }
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_');
    !text.is_empty() && text.len() <= 253 && text.split('.').all(|label| !label.is_empty() && label.bytes().all(plain))
}

/// Whether a query has a token, where logs and referrers show it (MCP-Z-04, RFC 6750 section 5.3).
fn has_token(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        path::decode(name).is_none_or(|name| name.eq_ignore_ascii_case("access_token"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(id: &str, host: &str, port: Option<u16>, path: &str) -> Route {
        Route {
            id: id.into(),
            host: Host::parse(host).unwrap(),
            port,
            path: path.into(),
            tools: Vec::new(),
            action: Action::Strip,
        }
    }

    fn to(authority: &str, path: &str) -> Result<Destination, Reason> {
        let headers: Headers = [(":scheme", "https"), (":authority", authority), (":path", path)].into_iter().collect();
        Destination::read(&headers)
    }

    fn taken(routes: &Routes, authority: &str, path: &str) -> Option<String> {
        routes.find(&to(authority, path).unwrap(), None).map(|route| route.id.to_string())
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
        let found = |path: &str, tool| routes.find(&to("a.example.com", path).unwrap(), tool).map(|route| route.id.to_string());
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
        assert!(wants("/") && !wants("/deep"));
        let (routes, twins) = Routes::new(vec![of("one", "", &["a", "b"]), of("two", "", &["c", "b"])]);
        assert_eq!(twins, [("one".into(), "two".into())]);
        assert!(routes.find(&to("a.example.com", "/").unwrap(), None).is_none());
    }

    #[test]
    fn two_routes_for_the_same_are_told() {
        let (_, twins) = Routes::new(vec![
            route("a", "*.example.com", None, "/mcp"),
            route("b", "x.example.com", None, "/mcp"),
            route("c", "*.example.com", None, "/mcp"),
        ]);
        assert_eq!(twins, [("a".into(), "c".into())]);
    }

    #[test]
    fn a_destination_is_read_in_one_way_only() {
        for authority in [
            "",
            "a.example.com.",
            "a..example.com",
            "user@a.example.com",
            "a.example.com:",
            "a.example.com:x",
            "a.example.com:99999",
            "a b",
        ] {
            assert_eq!(to(authority, "/"), Err(Reason::InvalidHost), "{authority}");
        }
        assert_eq!(to("a.example.com", "/x/../mcp"), Err(Reason::InvalidPath));
        assert_eq!(to("a.example.com", "/mcp?a=b&access_token=x"), Err(Reason::TokenInQuery));
        assert_eq!(to("a.example.com", "/mcp?acc%65ss_token=x"), Err(Reason::TokenInQuery));
        assert!(to("[::1]:80", "/").is_ok());
        let twice: Headers = [(":authority", "a"), (":authority", "b"), (":path", "/")].into_iter().collect();
        assert_eq!(Destination::read(&twice), Err(Reason::RepeatedHeader));
    }

    #[test]
    fn hosts_are_names() {
        for text in ["", "*", "*.", "**.a", "a.*.b", "A.example", "a:80", "https://a"] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }
}
