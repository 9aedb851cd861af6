//! Envoy's configuration: one listener for each variant, all alike but for the filters before the router.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::token::{ISSUER, Token};

/// Key of the claims in `jwt_authn`'s metadata.
pub(crate) const CLAIMS: &str = "payload";
/// The cluster of the gRPC peer.
pub(crate) const PEER: &str = "peer";

/// What is around the listeners of a run.
pub(crate) struct Around {
    pub(crate) upstream: SocketAddr,
    pub(crate) peer: SocketAddr,
    /// Further clusters: what plugins call.
    pub(crate) services: Vec<(&'static str, SocketAddr)>,
    /// Static secrets, for who injects them.
    pub(crate) secrets: Vec<Value>,
}

/// One listener.
pub(crate) struct Listener<'a> {
    pub(crate) name: &'a str,
    /// `jwt_authn` stands before its filters.
    pub(crate) verifies: bool,
    /// What stands before the router, and behind `jwt_authn`.
    pub(crate) filters: &'a [Value],
    /// The filter state whose audit records are written to a file.
    pub(crate) audits: Option<&'a str>,
}

/// An extension by name and type.
pub(crate) fn typed(name: &str, kind: &str, content: &Value) -> Value {
    let mut config = json!({ "@type": format!("type.googleapis.com/envoy.extensions.{kind}") });
    if let (Some(config), Some(content)) = (config.as_object_mut(), content.as_object()) {
        config.extend(content.clone());
    }
    json!({ "name": name, "typed_config": config })
}

/// The whole configuration.
pub(crate) fn bootstrap(folder: &Path, token: &Token, around: &Around, listeners: &[Listener<'_>]) -> Value {
    let listeners: Vec<Value> = listeners.iter().map(|wanted| listener(wanted, folder, token)).collect();
    let services = around.services.iter().map(|(name, server)| cluster(name, *server, false));
    let known = [cluster("upstream", around.upstream, false), cluster(PEER, around.peer, true)];
    json!({
        "node": { "id": "bench", "cluster": "bench" },
        "admin": { "address": address(0) },
        "static_resources": {
            "listeners": listeners,
            "clusters": known.into_iter().chain(services).collect::<Vec<_>>(),
            "secrets": around.secrets,
        },
    })
}

fn listener(wanted: &Listener<'_>, folder: &Path, token: &Token) -> Value {
    // Every token is verified once, then found in the cache: what is compared comes behind it, and a signature of 36 µs in
    // every request would only add noise.
    let verifier = wanted.verifies.then(|| jwt_authn(&token.key_set, true));
    let mut all: Vec<Value> = verifier.into_iter().chain(wanted.filters.iter().cloned()).collect();
    all.push(typed("envoy.filters.http.router", "filters.http.router.v3.Router", &json!({})));
    let manager = json!({
        "stat_prefix": "bench",
        "access_log": logs(folder, wanted.audits),
        "http_filters": all,
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "upstream", "timeout": "0s" } }],
        }] },
    });
    let kind = "filters.network.http_connection_manager.v3.HttpConnectionManager";
    json!({
        "name": wanted.name,
        "address": address(0),
        "filter_chains": [{ "filters": [typed("envoy.filters.network.http_connection_manager", kind, &manager)] }],
    })
}

/// Verifies tokens with these keys and leaves their claims in its metadata; it may remember those that it has verified.
pub(crate) fn jwt_authn(key_set: &str, remembers: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "local_jwks": { "inline_string": key_set },
        "forward": true,
        "payload_in_metadata": CLAIMS,
    });
    if let (true, Some(provider)) = (remembers, provider.as_object_mut()) {
        provider.insert("jwt_cache_config".to_owned(), json!({ "jwt_cache_size": 100 }));
    }
    let content = json!({
        "providers": { "idp": provider },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "idp" } }],
    });
    typed("envoy.filters.http.jwt_authn", "filters.http.jwt_authn.v3.JwtAuthentication", &content)
}

/// What an operator logs of a request to a tool server, the same for all; audit records are lines of a file of their own.
fn logs(folder: &Path, audits: Option<&str>) -> Vec<Value> {
    let claim = |name: &str| format!("%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:{CLAIMS}:{name})%");
    let fields = json!({
        "time": "%START_TIME%",
        "id": "%REQ(X-REQUEST-ID)%",
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(:PATH)%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "received": "%BYTES_RECEIVED%",
        "sent": "%BYTES_SENT%",
        "duration": "%DURATION%",
        "upstream": "%UPSTREAM_HOST%",
        "user": claim("sub"),
        "agent": claim("azp"),
    });
    let file = |name: &str, format: Value| {
        let content = json!({ "path": folder.join(name), "log_format": format });
        typed("envoy.access_loggers.file", "access_loggers.file.v3.FileAccessLog", &content)
    };
    let record = |state: &str| {
        let line = format!("%FILTER_STATE({state}:PLAIN)%\n");
        file("audit", json!({ "text_format_source": { "inline_string": line } }))
    };
    let all = file("access", json!({ "json_format": fields }));
    std::iter::once(all).chain(audits.map(record)).collect()
}

fn cluster(name: &str, server: SocketAddr, http2: bool) -> Value {
    let options = if http2 { json!({ "http2_protocol_options": {} }) } else { json!({ "http_protocol_options": {} }) };
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(server.port()) } }] }],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": options,
            },
        },
    })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}
