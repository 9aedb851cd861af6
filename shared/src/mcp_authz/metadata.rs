//! Protected-resource metadata (RFC 9728, MCP-Z-07): where a client learns who issues tokens for this server.

use crate::filter::Head;
use crate::json::push_string;
use crate::policy::Answer;

/// The document, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Metadata {
    /// With the resource's path put behind the well-known one; for challenges.
    url: String,
    /// That path, and the well-known path alone, where clients look second.
    paths: [String; 2],
    document: String,
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl Metadata {
    /// For a resource identifier `https://host[:port][/path]`.
    pub(super) fn new(resource: &str, servers: &[String], scopes: &[String]) -> Self {
        let authority = resource.find("://").map_or(0, |at| at + 3);
        let path = resource.get(authority..).and_then(|rest| rest.find('/')).map_or(resource.len(), |at| authority + at);
        let (origin, path) = resource.split_at_checked(path).unwrap_or((resource, ""));
        let own = format!("{WELL_KNOWN}{}", path.strip_suffix('/').unwrap_or(path));
        Self { url: format!("{origin}{own}"), paths: [own, WELL_KNOWN.to_owned()], document: document(resource, servers, scopes) }
    }

    /// Where the document stands.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The answer to a request for the document. Anybody may have it, so the request must be for just that: exact path, no
    /// query, no body (BY-P-02).
    pub(super) fn serve(&self, head: Head<'_>) -> Option<(&'static str, Answer)> {
        let path = head.headers.one(":path").ok().flatten()?;
        if !head.end_of_stream || !self.paths.iter().any(|own| own.as_bytes() == path) {
            return None;
        }
        let method = match head.headers.one(":method").ok().flatten()? {
            b"GET" => "GET",
            b"HEAD" => "HEAD",
            _ => return None,
        };
        let mut headers = vec![
            ("cache-control", "public, max-age=300".to_owned()),
            // It is public: also for a client in a browser.
            ("access-control-allow-origin", "*".to_owned()),
        ];
        let mut body = Vec::new();
        // Envoy takes the type away where there is no body.
        if method == "GET" {
            headers.push(("content-type", "application/json".to_owned()));
            body.extend_from_slice(self.document.as_bytes());
        }
        Some((method, Answer { status: 200, headers, body }))
    }
}

fn document(resource: &str, servers: &[String], scopes: &[String]) -> String {
    let mut out = String::from(r#"{"resource":"#);
    push_string(&mut out, resource);
    push_list(&mut out, r#","authorization_servers":["#, servers);
    if !scopes.is_empty() {
        push_list(&mut out, r#","scopes_supported":["#, scopes);
    }
    out.push_str(r#","bearer_methods_supported":["header"]}"#);
    out
}

fn push_list(out: &mut String, name: &str, items: &[String]) {
    out.push_str(name);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        push_string(out, item);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_resource_goes_behind_the_well_known_one() {
        for (resource, url, path) in [
            (
                "https://a.example/mcp",
                "https://a.example/.well-known/oauth-protected-resource/mcp",
                "/.well-known/oauth-protected-resource/mcp",
            ),
            (
                "https://a.example:8443/x/mcp/",
                "https://a.example:8443/.well-known/oauth-protected-resource/x/mcp",
                "/.well-known/oauth-protected-resource/x/mcp",
            ),
            ("https://a.example/", "https://a.example/.well-known/oauth-protected-resource", WELL_KNOWN),
            ("https://a.example", "https://a.example/.well-known/oauth-protected-resource", WELL_KNOWN),
        ] {
            let metadata = Metadata::new(resource, &["https://idp.example".into()], &[]);
            assert_eq!((metadata.url(), metadata.paths.each_ref().map(String::as_str)), (url, [path, WELL_KNOWN]), "{resource}");
        }
    }

    #[test]
    fn the_document_is_that_of_rfc_9728() {
        let text = document("https://a.example/mcp", &["https://i/\"".into(), "https://j".into()], &["a".into(), "b:c".into()]);
        insta::assert_snapshot!(text, @r#"{"resource":"https://a.example/mcp","authorization_servers":["https://i/\"","https://j"],"scopes_supported":["a","b:c"],"bearer_methods_supported":["header"]}"#);
    }
}
