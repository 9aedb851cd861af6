//! Whether the plugin can know who calls.

use super::extension::{Extension, gateways, targets};
use super::finding::{Check, Finding};
use super::manifest::{Manifest, World, each, items};
use crate::scenario::yaml::{Data, Node};

/// Claims that the plugin reads must have been put there.
pub(super) fn check(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let Some(config) = extension.config.as_ref().filter(|config| config.at("identity.claims").is_some()) else { return };
    let manifest = extension.manifest;
    let (own, ours) = (targets(manifest), extension.gateways(world));
    let about_all = |request: &Manifest| {
        let everywhere = request.namespace == world.root() && targets(request).iter().any(|target| target.kind == "GatewayClass");
        everywhere || request.namespace == manifest.namespace && targets(request).iter().any(|target| own.contains(target))
    };
    let reached: Vec<_> = world.of("RequestAuthentication").flat_map(|request| gateways(world, request)).collect();
    let each_gateway = !ours.is_empty() && ours.iter().all(|gateway| reached.contains(gateway));
    if !each_gateway && !world.of("RequestAuthentication").any(about_all) {
        let target = own.first();
        let (kind, name) = target.map_or(("Gateway", "waypoint"), |target| (target.kind, target.name));
        let fix = format!(
            "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: users, namespace: {}}}\nspec:\n  \
             targetRefs: [{{kind: {kind}, name: {name}}}]\n  jwtRules: [{{issuer: \"https://idp.example.com\", forwardOriginalToken: true}}]",
            manifest.namespace
        );
        let text = "it reads claims, and no RequestAuthentication is about its target";
        found.push(Finding::new(Check::RequestAuthentication, manifest, &config.path("identity.claims"), text, fix));
    }
}

/// Tokens must stay where a plugin of ours is behind them; browsers must not come with credentials from everywhere.
pub(super) fn check_requests(world: &World, extensions: &[Extension<'_>], found: &mut Vec<Finding>) {
    for request in world.of("RequestAuthentication") {
        let about = gateways(world, request);
        let ours = extensions.iter().any(|extension| {
            let same = extension.manifest.namespace == request.namespace
                && extension.targets().iter().any(|target| targets(request).contains(target));
            same || extension.gateways(world).iter().any(|gateway| about.contains(gateway))
        });
        for (index, rule) in items(request.at("spec.jwtRules")).iter().enumerate().filter(|_| ours) {
            if rule.get("forwardOriginalToken").map(|node| &node.data) != Some(&Data::Bool(true)) {
                let path = format!("spec.jwtRules[{index}].forwardOriginalToken");
                let fix = format!("jwtRules:\n- forwardOriginalToken: true   # item {index}");
                found.push(Finding::new(Check::ForwardOriginalToken, request, &path, "the token is not forwarded", fix));
            }
        }
    }
    for filter in world.of("EnvoyFilter") {
        each(&filter.node, "", &mut |node, path| {
            let credentials = node.get("allow_credentials").map(|node| &node.data);
            let origins = items(node.get("allow_origin_string_match"));
            let wild = origins.iter().any(|origin| takes_all(|path| origin.locate_node(path).and_then(Node::as_str)));
            if wild && matches!(credentials, Some(Data::Bool(true))) {
                let fix = "allow_origin_string_match:\n- {exact: \"https://console.example.com\"}";
                let path = format!("{path}.allow_origin_string_match");
                found.push(Finding::new(Check::CorsWildcard, filter, &path, "every origin may come with credentials", fix));
            }
        });
    }
}

/// Whether a string match of Envoy takes all origins; `text` is what stands at a path in it.
pub(super) fn takes_all<'m>(text: impl Fn(&str) -> Option<&'m str>) -> bool {
    text("exact") == Some("*") || text("prefix") == Some("") || matches!(text("safe_regex.regex"), Some(".*" | ".+" | "^.*$"))
}
