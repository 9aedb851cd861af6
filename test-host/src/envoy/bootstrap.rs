//! Envoy's configuration: bootstrap, listeners, clusters. JSON, as Envoy reads it.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::identity::{Identity, TOKEN_HEADER};
use super::servers::Protocol;
use crate::engine;
use crate::guard::typed_config;
use crate::transcript::filter_state;

/// Prefix of the statistics of our listeners.
pub(super) const STATS: &str = "wardpoint_play";

/// What stands in the access log between the records of two plugins; JSON has none.
pub(super) const BETWEEN: char = '\t';

/// A cluster without a server, for the authority [`engine::NOWHERE`].
pub(super) const NOWHERE: &str = engine::CLUSTERS[2];

/// What Envoy starts with: an admin interface on a free port, two files that it watches, and of its statistics those that are asked for:
/// it goes through all of them each time.
pub(super) fn bootstrap(folder: &Path) -> Value {
    let source = |file: &str| {
        json!({
            "resource_api_version": "V3",
            "path_config_source": { "path": folder.join(file), "watched_directory": { "path": folder } },
        })
    };
    json!({
        "node": { "id": "wardpoint", "cluster": "wardpoint" },
        "admin": { "address": address(0) },
        "dynamic_resources": { "lds_config": source("lds.json"), "cds_config": source("cds.json") },
        "stats_config": { "stats_matcher": { "inclusion_list": { "patterns": [
            { "prefix": "wasm" },
            { "prefix": "server." },
            { "prefix": "listener_manager." },
            { "prefix": "cluster_manager." },
            { "exact": format!("http.{STATS}.downstream_rq_active") },
        ] } } },
    })
}

/// A file of listeners or clusters.
pub(super) fn resources(kind: &str, version: u64, resources: &[&Value]) -> Value {
    let typed = resources.iter().map(|resource| {
        let mut resource = (*resource).clone();
        if let Some(fields) = resource.as_object_mut() {
            fields.insert("@type".to_owned(), format!("type.googleapis.com/{kind}").into());
        }
        resource
    });
    json!({ "version_info": version.to_string(), "resources": typed.collect::<Vec<_>>() })
}

/// A cluster of one server on loopback.
pub(super) fn cluster(name: &str, server: SocketAddr, protocol: Protocol) -> Value {
    let options = match protocol {
        Protocol::Http1 => json!({ "http_protocol_options": { "enable_trailers": true } }),
        Protocol::Http2 => json!({ "http2_protocol_options": {} }),
    };
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
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

/// The cluster without a server.
pub(super) fn nowhere() -> Value {
    json!({ "name": NOWHERE, "type": "STATIC", "load_assignment": { "cluster_name": NOWHERE } })
}

/// What one listener is for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Its name; also the name of the VM, so that no two listeners share one.
    pub(super) name: &'a str,
    /// The plugin's name.
    pub(super) plugin: &'a str,
    /// The file of its module.
    pub(super) module: &'a Path,
    /// Its configuration.
    pub(super) config: &'a str,
    /// The plugin behind it: name, file of its module, configuration.
    pub(super) next: Option<(&'a str, &'a Path, &'a str)>,
    /// The environment that its VM sees.
    pub(super) environment: &'a [(String, String)],
    /// Key of the claims in `jwt_authn`'s metadata.
    pub(super) provider: &'a str,
    /// Whether headers can be held.
    pub(super) hold_headers: bool,
    /// Limit of the buffers.
    pub(super) buffer_limit: Option<usize>,
    /// Mutual TLS.
    pub(super) tls: bool,
    /// Name of the upstream's cluster.
    pub(super) upstream: &'a str,
    /// The file of the access log.
    pub(super) access_log: &'a Path,
}

/// The listener: TLS, then `set_filter_state`, `jwt_authn`, the plugin with its guard, the router.
pub(super) fn listener(wanted: &Wanted<'_>, identity: &Identity) -> anyhow::Result<Value> {
    let mut filters = Vec::new();
    if wanted.tls {
        filters.push(peer_principal());
    }
    filters.push(jwt_authn(wanted.provider, &identity.jwks()?));
    for (name, module, config) in [(wanted.plugin, wanted.module, wanted.config)].into_iter().chain(wanted.next) {
        filters.push(plugin(&Wanted { plugin: name, module, config, ..*wanted }));
        filters.extend(guard(name, config));
    }
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    }));
    let mut chain = json!({ "filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": STATS,
            "codec_type": "AUTO",
            "http_protocol_options": { "enable_trailers": true },
            // The plugins of a chain share one; without it each makes its own.
            "generate_request_id": wanted.next.is_some(),
            "preserve_external_request_id": true,
            "skip_xff_append": true,
            "server_header_transformation": "PASS_THROUGH",
            "stream_idle_timeout": "0s",
            "access_log": [access_log(wanted)],
            "http_filters": filters,
            "route_config": { "virtual_hosts": [
                virtual_host("all", "*", wanted.upstream, "0s"),
                virtual_host("nowhere", engine::NOWHERE, NOWHERE, "0s"),
                virtual_host("impatient", engine::IMPATIENT, wanted.upstream, &format!("{}s", engine::PATIENCE.as_secs_f32())),
            ] },
        },
    }] });
    if let (true, Some(chain)) = (wanted.tls, chain.as_object_mut()) {
        chain.insert("transport_socket".to_owned(), tls(identity));
    }
    let mut listener = json!({ "name": wanted.name, "address": address(0), "filter_chains": [chain] });
    if let (Some(limit), Some(listener)) = (wanted.buffer_limit, listener.as_object_mut()) {
        listener.insert("per_connection_buffer_limit_bytes".to_owned(), limit.into());
    }
    Ok(listener)
}

/// The audit records that the plugin left for the access log.
fn access_log(wanted: &Wanted<'_>) -> Value {
    let left = |plugin, config| format!("%FILTER_STATE({}:PLAIN)%", filter_state(plugin, &parsed(config)));
    let next = wanted.next.map(|(plugin, _, config)| format!("{BETWEEN}{}", left(plugin, config))).unwrap_or_default();
    let line = format!("{} {}{next}\n", wanted.name, left(wanted.plugin, wanted.config));
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": wanted.access_log,
            "log_format": { "text_format_source": { "inline_string": line } },
        },
    })
}

fn virtual_host(name: &str, domain: &str, cluster: &str, timeout: &str) -> Value {
    json!({
        "name": name,
        "domains": [domain],
        "routes": [{ "match": { "prefix": "" }, "route": { "cluster": cluster, "timeout": timeout } }],
    })
}

fn tls(identity: &Identity) -> Value {
    let server = identity.server();
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": { "inline_string": server.certificate },
                    "private_key": { "inline_string": server.key },
                }],
                "validation_context": { "trusted_ca": { "inline_string": identity.ca_pem() } },
            },
        },
    })
}

/// Leaves the peer's SPIFFE id where a waypoint of Istio leaves it.
fn peer_principal() -> Value {
    json!({
        "name": "envoy.filters.http.set_filter_state",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [{
                "object_key": "io.istio.peer_principal",
                "factory_key": "envoy.string",
                "format_string": { "text_format_source": { "inline_string": "%DOWNSTREAM_PEER_URI_SAN%" } },
                "skip_if_empty": true,
            }],
        },
    })
}

fn jwt_authn(provider: &str, jwks: &str) -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "play": {
                "from_headers": [{ "name": TOKEN_HEADER }],
                "forward": false,
                "payload_in_metadata": provider,
                "local_jwks": { "inline_string": jwks },
                // Plays have times of their own in their claims.
                "clock_skew_seconds": 4_000_000_000_u32,
            } },
            "rules": [{
                "match": { "prefix": "" },
                "requires": { "requires_any": { "requirements": [{ "provider_name": "play" }, { "allow_missing": {} }] } },
            }],
        },
    })
}

fn parsed(config: &str) -> Value {
    serde_json::from_str(config).unwrap_or_default()
}

/// Whether this plugin with this configuration leaves a record or a mark for the access log before the headers of a request go on.
fn is_guarded(plugin: &str, config: &Value) -> bool {
    let left = |to: &Value| to.as_array().is_some_and(|to| to.iter().any(|to| to == "accessLog"));
    match plugin {
        "mcp-authz" | "mcp-authz-approval" | "token-exchange" => config.pointer("/audit/to").is_none_or(left),
        _ => config.get("guarded") == Some(&Value::Bool(true)),
    }
}

/// Lets pass what the plugin before it has judged. A worker whose VM could not be made has no plugin, whatever the
/// `failure_policy` says (calibration/FINDINGS.md).
fn guard(plugin: &str, config: &str) -> Option<Value> {
    let config = parsed(config);
    let typed_config = || typed_config(&filter_state(plugin, &config));
    is_guarded(plugin, &config).then(|| json!({ "name": format!("{plugin}.guard"), "typed_config": typed_config() }))
}

fn plugin(wanted: &Wanted<'_>) -> Value {
    let variables: serde_json::Map<String, Value> =
        wanted.environment.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let mut config = json!({
        "name": wanted.plugin,
        "failure_policy": "FAIL_RELOAD",
        "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": wanted.config },
        "vm_config": {
            "vm_id": wanted.name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": wanted.module } },
            "environment_variables": { "key_values": variables },
        },
    });
    if let (true, Some(config)) = (wanted.hold_headers, config.as_object_mut()) {
        config.insert("allow_on_headers_stop_iteration".to_owned(), true.into());
    }
    json!({
        "name": wanted.plugin,
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": config },
    })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}
