//! Where a request goes, read in one way or not at all.

use crate::http::Headers;
use crate::path;
use crate::policy::Reason;

/// Where a request goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Destination {
    /// What the proxy calls it; `None`: it has not said.
    pub(super) cluster: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// Decoded once.
    pub(super) path: String,
}

impl Destination {
    /// Reads where a request goes; `cluster` is what the proxy says. What two readers could read in two ways is refused.
    pub(super) fn read(headers: &Headers, cluster: Option<&str>) -> Result<Self, Reason> {
        let authority = headers.one(":authority").map_err(|_| Reason::RepeatedHeader)?.unwrap_or_default();
        let text = core::str::from_utf8(authority).map_err(|_| Reason::InvalidHost)?;
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (text, None),
        };
        let host = host.to_ascii_lowercase();
        if !is_host(&host) {
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
        Ok(Self { cluster: cluster.map(str::to_owned), host, port, path })
    }
}

/// A name of labels, or an address; no user, no port, no dot at the end.
pub(super) fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.contains(':') && address.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b':' | b'.'));
    }
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_');
    // No label is empty.
    let mut before = b'.';
    let labels = text.bytes().all(|c| {
        let last = core::mem::replace(&mut before, c);
        plain(c) || c == b'.' && last != b'.'
    });
    labels && before != b'.' && text.len() <= 253
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

    fn to(authority: &str, path: &str) -> Result<Destination, Reason> {
        let headers: Headers = [(":scheme", "https"), (":authority", authority), (":path", path)].into_iter().collect();
        Destination::read(&headers, None)
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
        assert_eq!(Destination::read(&twice, None), Err(Reason::RepeatedHeader));
    }
}
