//! What stands before the router: each variant's filters, with policies equal in effect. This agent may, for any user, call
//! these tools.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::{CLAIMS, PEER, typed};
use crate::token::{AGENT, AUDIENCE, ISSUER, SCOPE};

/// Largest body that any variant takes; above the largest that is sent.
const LIMIT: usize = 1_000_000;

/// The token service: its cluster and its name.
pub(crate) const STS: &str = "sts";
/// Where all requests go.
pub(crate) const HOST: &str = "tools.example.com";
/// What a token for it is called.
pub(crate) const TARGET: &str = "tools";

const JWT: &str = "envoy.filters.http.jwt_authn";

/// `mcp-authz`, with identity, audit record and counters. One rule for each tool; records go to these places.
pub(crate) fn ours(module: &Path, tools: &[Vec<String>], to: &[&str]) -> Vec<Value> {
    let rules: Vec<Value> = tools
        .iter()
        .enumerate()
        .map(|(index, tools)| json!({ "id": format!("rule-{index}"), "allow": { "agents": [AGENT], "user": "any", "tools": tools } }))
        .collect();
    let policy = json!({
        "version": 1,
        "hostProfile": { "holdHeaders": true },
        "identity": { "peer": "none", "claims": { "provider": CLAIMS } },
        "audit": { "to": to },
        "rules": rules,
    });
    // Variants may share a module and its configuration, and so a VM.
    vec![wasm(&format!("mcp-authz-{}-{}", rules.len(), to.join("-")), module, &policy.to_string())]
}

/// `token-exchange` with this identity: what it knows of callers, and how. Requests get the token of the service
/// [`STS`], or where nothing is to be exchanged, go on with their own.
pub(crate) fn exchange(module: &Path, vm: &str, identity: &Value, exchanges: bool) -> Vec<Value> {
    let policy = json!({
        "version": 1,
        "audiences": [AUDIENCE],
        "identity": identity,
        "servers": [{
            "name": STS,
            "profile": "keycloak",
            "issuer": ISSUER,
            "token": { "cluster": STS, "authority": "idp.example.com", "path": "/token", "timeout": "5s" },
            "client": { "of": "gate", "id": AGENT },
            "clients": [{ "id": AGENT, "auth": { "method": "cluster" } }],
        }],
        "routes": [{
            "host": if exchanges { HOST } else { "elsewhere.example.com" },
            "path": "/mcp",
            "server": STS,
            "audience": TARGET,
            "scopes": [SCOPE],
            "maxLifetime": "2d",
        }],
        "unmatched": if exchanges { "deny" } else { "passthrough" },
        "audit": { "to": ["accessLog"] },
    });
    vec![wasm(vm, module, &policy.to_string())]
}

/// Envoy's own: puts the static secret of this name into `authorization`.
pub(crate) fn credential_injector(secret: &str) -> Value {
    let kind = "http.injected_credentials.generic.v3.Generic";
    let generic = json!({ "credential": { "name": secret }, "header": "authorization" });
    let content = json!({ "overwrite": true, "credential": typed("envoy.http.injected_credentials.generic", kind, &generic) });
    typed("envoy.filters.http.credential_injector", "filters.http.credential_injector.v3.CredentialInjector", &content)
}

/// A plugin that does these things for every request, and decides nothing.
pub(crate) fn noop(module: &Path, parts: &str) -> Vec<Value> {
    vec![wasm(&format!("noop {parts}"), module, parts)]
}

fn wasm(vm: &str, module: &Path, config: &str) -> Value {
    let content = json!({ "config": {
        "name": "bench",
        "failure_policy": "FAIL_CLOSED",
        "allow_on_headers_stop_iteration": true,
        "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": config },
        "vm_config": { "vm_id": vm, "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": module } } },
    } });
    typed("envoy.filters.http.wasm", "filters.http.wasm.v3.Wasm", &content)
}

/// Envoy's own `mcp`, which reads the message, and `rbac`, which decides. A policy for each tool.
pub(crate) fn native(tools: &[&str]) -> Vec<Value> {
    let mcp = json!({ "traffic_mode": "REJECT_NO_MCP", "max_request_body_size": LIMIT, "reject_duplicate_keys": true });
    let metadata = |filter: &str, path: &[&str], value: Value| {
        let path: Vec<Value> = path.iter().map(|key| json!({ "key": key })).collect();
        json!({ "filter": filter, "path": path, "value": value })
    };
    let is = |text: &str| json!({ "string_match": { "exact": text } });
    let principal = json!({ "and_ids": { "ids": [
        { "sourced_metadata": { "metadata_matcher": metadata(JWT, &[CLAIMS, "azp"], is(AGENT)) } },
        { "sourced_metadata": { "metadata_matcher": metadata(JWT, &[CLAIMS, "sub"], json!({ "present_match": true })) } },
    ] } });
    let policies = tools.iter().enumerate().map(|(index, tool)| {
        let permission = json!({ "and_rules": { "rules": [
            { "sourced_metadata": { "metadata_matcher": metadata("envoy.filters.http.mcp", &["method"], is("tools/call")) } },
            { "sourced_metadata": { "metadata_matcher": metadata("envoy.filters.http.mcp", &["params", "name"], is(tool)) } },
        ] } });
        (format!("rule-{index}"), json!({ "permissions": [permission], "principals": [principal] }))
    });
    let policies: serde_json::Map<String, Value> = policies.collect();
    let rbac = json!({ "rules": { "action": "ALLOW", "policies": policies } });
    vec![
        typed("envoy.filters.http.mcp", "filters.http.mcp.v3.Mcp", &mcp),
        typed("envoy.filters.http.rbac", "filters.http.rbac.v3.RBAC", &rbac),
    ]
}

/// A gRPC server decides, with the body and the claims.
pub(crate) fn ext_authz() -> Vec<Value> {
    let content = json!({
        "transport_api_version": "V3",
        "grpc_service": { "envoy_grpc": { "cluster_name": PEER }, "timeout": "5s" },
        "with_request_body": { "max_request_bytes": LIMIT, "allow_partial_message": false, "pack_as_bytes": true },
        "metadata_context_namespaces": [JWT],
    });
    vec![typed("envoy.filters.http.ext_authz", "filters.http.ext_authz.v3.ExtAuthz", &content)]
}

/// What a gRPC server sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sees {
    /// The headers of the request, then its whole body.
    Requests,
    /// Its headers alone.
    Headers,
    /// The headers of the answer, then its whole body.
    Answers,
}

/// A gRPC server sees this, and changes nothing.
pub(crate) fn ext_proc(sees: Sees) -> Vec<Value> {
    let mode = match sees {
        Sees::Requests => {
            json!({ "request_header_mode": "SEND", "request_body_mode": "BUFFERED", "response_header_mode": "SKIP" })
        }
        Sees::Headers => json!({ "request_header_mode": "SEND", "response_header_mode": "SKIP" }),
        Sees::Answers => {
            json!({ "request_header_mode": "SKIP", "response_header_mode": "SEND", "response_body_mode": "BUFFERED" })
        }
    };
    let content = json!({
        "grpc_service": { "envoy_grpc": { "cluster_name": PEER }, "timeout": "5s" },
        "message_timeout": "5s",
        "processing_mode": mode,
        "metadata_options": { "forwarding_namespaces": { "untyped": [JWT] } },
    });
    vec![typed("envoy.filters.http.ext_proc", "filters.http.ext_proc.v3.ExternalProcessor", &content)]
}

/// Lua with a pattern instead of a JSON parser: cheap, and a request can get round it.
pub(crate) fn lua(tool: &str) -> Vec<Value> {
    let code = format!(
        r#"function envoy_on_request(handle)
  local claims = handle:streamInfo():dynamicMetadata():get("{JWT}")["{CLAIMS}"]
  local body = handle:body()
  local text = body:getBytes(0, body:length())
  local tool = string.match(text, '"name"%s*:%s*"([^"]*)"')
  if claims["azp"] ~= "{AGENT}" or not claims["sub"] or not string.find(text, '"method"%s*:%s*"tools/call"') or tool ~= "{tool}" then
    handle:respond({{[":status"] = "403"}}, "denied by Lua")
  end
end"#
    );
    vec![typed("envoy.filters.http.lua", "filters.http.lua.v3.Lua", &json!({ "default_source_code": { "inline_string": code } }))]
}

/// Lua that takes the answer's body in hand and does nothing with it.
pub(crate) fn lua_reads_answer() -> Vec<Value> {
    let code =
        "function envoy_on_response(handle)\n  local body = handle:body()\n  local text = body:getBytes(0, body:length())\nend";
    vec![typed("envoy.filters.http.lua", "filters.http.lua.v3.Lua", &json!({ "default_source_code": { "inline_string": code } }))]
}
