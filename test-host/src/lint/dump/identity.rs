//! Whether plugins can know who calls, and are asked in the right order.

use super::Found;
use super::chain::{Chain, Filter, Plugin};
use crate::lint::delivery::priority;
use crate::lint::finding::Check;
use crate::lint::spot::Spot;

/// About one plugin, the filter number `index` of its chain.
pub(super) fn check(chain: &Chain<'_>, index: usize, filter: &Filter<'_>, plugin: &Plugin<'_>, found: &mut Found<'_>) {
    let object = chain.says(filter);
    if plugin.at("identity.claims").is_some() {
        let reads = |it: &Filter<'_>| it.config.as_ref().is_some_and(|config| config.is("JwtAuthentication"));
        match chain.filters.iter().position(reads) {
            None => {
                let fix = "kind: RequestAuthentication   # Envoy: envoy.filters.http.jwt_authn before the plugin\nspec:\n  \
                           jwtRules: [{issuer: \"https://idp.example.com\", forwardOriginalToken: true}]";
                let text = "it reads claims, and no jwt_authn is in its chain";
                found.add(Check::RequestAuthentication, &object, &filter.spot.path, text, fix);
            }
            Some(at) if at > index => {
                let text = format!("it is filter {index} and jwt_authn filter {at} of the chain");
                found.add(Check::PhaseSeesNoClaims, &object, &filter.spot.path, text, "phase: AUTHZ   # Envoy: behind jwt_authn");
            }
            Some(_) => {}
        }
    }
    for later in chain.filters.iter().skip(index + 1).filter_map(|it| it.plugin.as_ref()) {
        if priority(plugin.name) < priority(later.name) {
            let text = format!("it is asked before {}", later.name);
            let fix = "priority: 100   # and 300 for mcp-authz; Envoy: behind it";
            found.add(Check::FilterOrder, &object, &filter.spot.path, text, fix);
        }
    }
    if plugin.at("identity.peer").and_then(serde_json::Value::as_str) == Some("mtls") {
        peer(chain, &object, filter, found);
    }
}

/// Tokens must stay where a plugin of ours is behind jwt_authn.
pub(super) fn check_chain(chain: &Chain<'_>, found: &mut Found<'_>) {
    for filter in chain.filters.iter().filter(|_| chain.is_guarded()) {
        let Some(config) = filter.config.as_ref().filter(|config| config.is("JwtAuthentication")) else { continue };
        for (name, provider) in config.members("providers").into_iter().filter(|(_, provider)| !provider.is_true("forward")) {
            let text = format!("the provider {name} does not forward the token");
            let fix = "forwardOriginalToken: true   # of the RequestAuthentication; Envoy: forward: true";
            found.add(Check::ForwardOriginalToken, &chain.says(filter), &provider.path, text, fix);
        }
    }
}

/// Whether the connection says who the peer is.
fn peer(chain: &Chain<'_>, object: &str, filter: &Filter<'_>, found: &mut Found<'_>) {
    let tls = chain.spot.at("transport_socket.typed_config").filter(|tls| tls.is("DownstreamTlsContext"));
    let Some(tls) = tls.filter(verifies) else {
        let fix = "require_client_certificate: true\ncommon_tls_context:\n  validation_context: {trusted_ca: {filename: /etc/envoy/agents.pem}}";
        let text = "identity.peer is mtls, and this chain verifies no client certificate";
        found.add(Check::PeerUnverified, object, &filter.spot.path, text, fix);
        return;
    };
    for name in ["disable_stateless_session_resumption", "disable_stateful_session_resumption"] {
        if !tls.is_true(name) {
            let text = format!("identity.peer is mtls, and {name} is not true");
            found.add(Check::TlsResumption, &chain.label(), &tls.path, text, format!("{name}: true"));
        }
    }
}

/// Whether a certificate that is shown is held against an authority.
fn verifies(tls: &Spot<'_>) -> bool {
    let contexts = ["validation_context", "validation_context_sds_secret_config", "combined_validation_context"];
    let Some(common) = tls.get("common_tls_context") else { return false };
    let mut untrusted = false;
    common.each(&mut |spot| untrusted |= spot.text("trust_chain_verification") == Some("ACCEPT_UNTRUSTED"));
    !untrusted && contexts.iter().any(|name| common.get(name).is_some())
}
