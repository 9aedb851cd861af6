//! What clients see of a server beside items: its metadata, what it asks of them, how many tools it has and whether they are
//! still the same.

use core::cell::Cell;

use super::metadata::Metadata;
use crate::config::{Problems, choice, record};
use crate::mcp::Method;

record! {
    /// The protected-resource metadata of this server (RFC 9728): served to anybody, and named in challenges.
    pub struct RawMetadata {
        /// The resource identifier: the `https` URL of this server as clients know it, and the audience of its tokens.
        resource: String = "resource";
        /// The issuers whose tokens are accepted.
        authorization_servers: Vec<String> = "authorizationServers";
        /// The scopes that a client may ask for; if absent, all scopes of the rules but `offline_access`.
        scopes_supported: Option<Vec<String>> = "scopesSupported", None;
    }
}

choice! {
    /// What a server may ask of a client.
    pub enum RawServerRequest {
        /// Text of the client's model: `sampling/createMessage`.
        Sampling = "sampling",
        /// Input of the user: `elicitation/create`.
        Elicitation = "elicitation",
        /// The client's folders: `roots/list`.
        Roots = "roots",
    }
}

record! {
    /// What the server may ask of the client, wherever it asks. If absent, its requests pass unread.
    pub struct RawServerRequests {
        /// What it may ask; all else is refused. With none, the answers of clients are refused too: responses, and requests with
        /// `inputResponses`.
        allow: Vec<RawServerRequest> = "allow";
        /// Hosts to which an elicitation may send the user, with `https` only; any host, if absent.
        elicitation_hosts: Option<Vec<String>> = "elicitationHosts", None;
    }
}

choice! {
    /// What becomes of a list with too many tools.
    pub enum RawOnExceed {
        /// It is only recorded.
        Warn = "warn",
        /// It is replaced by an error.
        Refuse = "refuse",
    }
}

record! {
    /// Hygiene of the tools that a client is shown.
    pub struct RawTools {
        /// Most tools in one list, after those were taken out that the caller may not call. Of a list that comes in pages each page
        /// is counted for itself, so all together may have more.
        max: Option<u32> = "max", None;
        /// What becomes of a list with more.
        on_exceed: RawOnExceed = "onExceed", RawOnExceed::Refuse;
        /// Tools that must stay what they are: `sha256:` and the hex digest of the canonical JSON (RFC 8785) of the item of
        /// the list. One with another digest is not listed, and from then on not called, until a list has it as it was. Each
        /// worker of a proxy knows what it saw of lists itself, since it has this configuration: before, a call passes.
        pins: Vec<(String, String)> = "pins", Vec::new();
    }
}

/// What the server may ask of the client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ServerRequests {
    pub(super) methods: Vec<Method>,
    pub(super) elicitation_hosts: Option<Vec<String>>,
}

/// How tools are listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Hygiene {
    pub(super) max: Option<usize>,
    pub(super) refuses: bool,
    pins: Vec<Pin>,
}

/// What a tool must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pin {
    tool: String,
    pub(super) digest: String,
    /// Whether it was another one in the last list that showed it.
    pub(super) changed: Cell<bool>,
}

impl Hygiene {
    pub(super) fn pin(&self, tool: &str) -> Option<&Pin> {
        self.pins.iter().find(|pin| pin.tool == tool)
    }
}

/// `scopes`: those of the rules.
pub(super) fn metadata(raw: &RawMetadata, outbound: bool, scopes: Vec<String>, problems: &mut Problems) -> Metadata {
    if outbound {
        problems.add("on the way out the metadata is that of the upstream. Take it away, or write `identity.direction: inbound`");
    }
    problems.field("resource", |p| https(&raw.resource, true, p));
    problems.field("authorizationServers", |p| {
        if raw.authorization_servers.is_empty() {
            p.add("is empty, so no client can get a token. Name the issuer");
        }
        for (index, server) in raw.authorization_servers.iter().enumerate() {
            p.item(index, |p| https(server, false, p));
        }
    });
    let scopes = raw.scopes_supported.clone().unwrap_or(scopes);
    let scopes: Vec<String> = scopes.into_iter().filter(|scope| scope != "offline_access").collect();
    Metadata::new(&raw.resource, &raw.authorization_servers, &scopes)
}

/// A URL that stands for something: no user name, no fragment, no query, nothing that could be written in two ways.
fn https(url: &str, lower: bool, problems: &mut Problems) {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let plain = |c: u8| c.is_ascii_graphic() && !matches!(c, b'@' | b'#' | b'?' | b'\\' | b'"' | b'%');
    if host.is_empty() || !rest.bytes().all(plain) || (lower && host.bytes().any(|c| c.is_ascii_uppercase())) {
        let host = if lower { "its host in lower case, " } else { "" };
        problems.add(format!(
            "`{url}` is not the identifier of a server. Write `https://host/path`, {host}without query or fragment"
        ));
    }
}

pub(super) fn server_requests(raw: RawServerRequests, problems: &mut Problems) -> ServerRequests {
    problems.field("elicitationHosts", |p| {
        for (index, host) in raw.elicitation_hosts.iter().flatten().enumerate() {
            let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b':');
            if host.is_empty() || !host.bytes().all(plain) {
                p.item(index, |p| p.add(format!("`{host}` is not a host. Write `host` or `host:port`, a name in Punycode")));
            }
        }
        if raw.elicitation_hosts.is_some() && !raw.allow.contains(&RawServerRequest::Elicitation) {
            p.add("`allow` does not name `elicitation`, so no host is ever asked for");
        }
    });
    let method = |asked: &RawServerRequest| match asked {
        RawServerRequest::Elicitation => Method::ElicitationCreate,
        RawServerRequest::Roots => Method::RootsList,
        RawServerRequest::Sampling => Method::SamplingCreateMessage,
    };
    ServerRequests { methods: raw.allow.iter().map(method).collect(), elicitation_hosts: raw.elicitation_hosts }
}

pub(super) fn hygiene(raw: RawTools, problems: &mut Problems) -> Hygiene {
    if raw.max == Some(0) {
        problems.field("max", |p| p.add("is 0: no list would have a tool. Take the rules over tools away instead"));
    }
    problems.field("pins", |p| {
        for (tool, digest) in &raw.pins {
            let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
            if !digest.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hex)) {
                p.field(tool, |p| p.add(format!("`{digest}` is not `sha256:` and 64 hex digits in lower case")));
            }
        }
    });
    Hygiene {
        max: raw.max.map(|max| usize::try_from(max).unwrap_or(usize::MAX)),
        refuses: raw.on_exceed == RawOnExceed::Refuse,
        pins: raw.pins.into_iter().map(|(tool, digest)| Pin { tool, digest, changed: Cell::new(false) }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::mcp_authz::Policy;

    fn problems(more: &str) -> String {
        let text = format!(
            r#"{{"version":1,"identity":{{"peer":"mtls"}},{more},"rules":[{{"id":"a","allow":{{"agents":["*"],"user":"none","tools":["*"]}}}}]}}"#
        );
        Policy::configure(text.as_bytes()).map_or_else(|errors| errors.to_string(), |_| "none".into())
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        insta::assert_snapshot!(problems(
            r#""resourceMetadata":{"resource":"https://A.example/mcp?x","authorizationServers":[]},
               "serverRequests":{"allow":["roots"],"elicitationHosts":["https://a.example","b.example"]},
               "tools":{"max":0,"pins":{"read_file":"sha256:00"}}"#
        ), @"
        mcp-authz: 6 problems in the configuration
          resourceMetadata.resource: `https://A.example/mcp?x` is not the identifier of a server. Write `https://host/path`, its host in lower case, without query or fragment
          resourceMetadata.authorizationServers: is empty, so no client can get a token. Name the issuer
          serverRequests.elicitationHosts[0]: `https://a.example` is not a host. Write `host` or `host:port`, a name in Punycode
          serverRequests.elicitationHosts: `allow` does not name `elicitation`, so no host is ever asked for
          tools.max: is 0: no list would have a tool. Take the rules over tools away instead
          tools.pins.read_file: `sha256:00` is not `sha256:` and 64 hex digits in lower case
        ");
        insta::assert_snapshot!(problems(
            r#""resourceMetadata":{"resource":"http://a.example","authorizationServers":["idp.example","https://idp.example/Realm"]}"#
        ), @"
        mcp-authz: 2 problems in the configuration
          resourceMetadata.resource: `http://a.example` is not the identifier of a server. Write `https://host/path`, its host in lower case, without query or fragment
          resourceMetadata.authorizationServers[0]: `idp.example` is not the identifier of a server. Write `https://host/path`, without query or fragment
        ");
        assert_eq!(problems(r#""tools":{"max":1},"serverRequests":{"allow":[]}"#), "none");
    }

    #[test]
    fn on_the_way_out_the_metadata_is_not_ours() {
        let text = r#"{"version":1,"identity":{"peer":"mtls","direction":"outbound"},
            "resourceMetadata":{"resource":"https://a.example","authorizationServers":["https://idp.example"]},
            "rules":[{"id":"a","allow":{"agents":["*"],"user":"none","tools":["*"]}}]}"#;
        insta::assert_snapshot!(Policy::configure(text.as_bytes()).unwrap_err().to_string(), @"
        mcp-authz: 1 problem in the configuration
          resourceMetadata: on the way out the metadata is that of the upstream. Take it away, or write `identity.direction: inbound`
        ");
    }
}
