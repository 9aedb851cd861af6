//! Whether plugins stand in the way of requests at all.

use std::collections::BTreeSet;

use super::Found;
use super::chain::{Chain, Dump, Filter, Missing};
use crate::lint::finding::Check;
use crate::lint::identity::takes_all;
use crate::lint::rbac::{asks_for, lets_nothing_through};
use crate::lint::spot::Spot;

pub(super) fn check(dump: &Dump<'_>, found: &mut Found<'_>) {
    for (spot, why) in &dump.refused {
        let fix = "# what the proxy said is in its log and in istiod's: correct what it names, then look at a new dump";
        let name = spot.text("name").or_else(|| spot.text("ecds_filter.name")).unwrap_or("without a name");
        found.add(Check::NotInForce, name, &spot.path, why.as_str(), fix);
    }
    let any = dump.chains.iter().any(Chain::is_guarded);
    if !any {
        let fix =
            "# Istio: wardpoint lint over the manifests says why; Envoy:\nhttp_filters:\n- name: mcp-authz\n  typed_config: {…}";
        found.add(Check::NotInChain, "listeners", "configs", "none of the HTTP chains has a plugin of Wardpoint", fix);
    }
    let guarded: BTreeSet<&str> = dump.chains.iter().filter(|chain| chain.is_guarded()).map(|chain| chain.listener).collect();
    for chain in &dump.chains {
        if guarded.contains(chain.listener) && !chain.is_guarded() && serves(chain) && !refuses(chain) {
            let fix =
                "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]   # every chain of the waypoint";
            let text = "other chains of this listener have a plugin, and this one has none";
            found.add(Check::ChainUnguarded, &chain.label(), &chain.spot.path, text, fix);
        }
        for filter in &chain.filters {
            filled(chain, filter, found);
        }
    }
    browsers(dump, found);
}

/// Whether requests of this chain go to somebody. A chain that only answers itself has nothing to guard.
fn serves(chain: &Chain<'_>) -> bool {
    let mut goes = chain.manager.get("rds").is_some();
    if let Some(routes) = chain.manager.get("route_config") {
        routes.each(&mut |spot| goes |= spot.get("cluster").is_some() || spot.get("weighted_clusters").is_some());
    }
    goes
}

/// Whether nothing gets through it: rules that allow, and none of them, as a policy of Istio with `ALLOW` and no rules looks, or a match
/// tree that never does; or a guard without its plugin, which is another finding.
fn refuses(chain: &Chain<'_>) -> bool {
    chain.filters.iter().filter_map(|filter| filter.config.as_ref()).filter(|config| config.is("RBAC")).any(|config| {
        let allows = config.get("rules").is_some() && config.text("rules.action").is_none_or(|action| action == "ALLOW");
        let none = config.members("rules.policies").is_empty() && config.get("matcher").is_none();
        allows && none || lets_nothing_through(config) || !asks_for(config).is_empty()
    })
}

/// Whether what was to come has come.
fn filled(chain: &Chain<'_>, filter: &Filter<'_>, found: &mut Found<'_>) {
    let text = match filter.missing {
        None => return,
        Some(Missing::Waits) => "its configuration is to come by extension discovery and is not there",
        Some(Missing::Refuses) => "in its place stands a filter that refuses every request",
        Some(Missing::Passes) => "in its place stands a filter that lets every request through",
    };
    let fix = "url: oci://REGISTRY/NAME:VERSION   # one that the waypoint can pull: its agent's log says why it did not\n\
               sha256: \"<what wardpoint push printed>\"";
    found.add(Check::ModuleMissing, &chain.says(filter), &filter.spot.path, text, fix);
}

/// Whether browsers may come with credentials from everywhere.
fn browsers(dump: &Dump<'_>, found: &mut Found<'_>) {
    let mut look = |spot: &Spot<'_>| {
        if spot.is_true("allow_credentials")
            && spot.items("allow_origin_string_match").iter().any(|origin| takes_all(|path| origin.text(path)))
        {
            let path = format!("{}.allow_origin_string_match", spot.path);
            let fix = "allow_origin_string_match:\n- {exact: \"https://console.example.com\"}";
            found.add(Check::CorsWildcard, "routes", &path, "every origin may come with credentials", fix);
        }
    };
    for routes in dump.chains.iter().filter_map(|chain| chain.manager.get("route_config")).chain(dump.routes.iter().cloned()) {
        routes.each(&mut look);
    }
}
