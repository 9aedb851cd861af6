//! Whether a token that is put in for one destination goes to another one too: the router copies requests as they leave the filters.

use std::collections::BTreeSet;

use super::Found;
use super::chain::{Chain, Dump, Filter, Plugin};
use crate::lint::finding::Check;
use crate::lint::mirrors::{MEMBER, goes_without_token};
use crate::lint::spot::Spot;

/// What in a route says where to in place of a cluster's name.
const CHOSEN: [&str; 3] = ["cluster_header", "cluster_specifier_plugin", "inline_cluster_specifier_plugin"];

pub(super) fn check(dump: &Dump<'_>, chain: &Chain<'_>, filter: &Filter<'_>, plugin: &Plugin<'_>, found: &mut Found<'_>) {
    if !plugin.exchanges() {
        return;
    }
    for mirror in mirrors(dump, chain).iter().filter(|mirror| !goes_without_token(mirror)) {
        let to = mirror.text("cluster").or_else(|| mirror.text("cluster_header")).unwrap_or_default();
        let fix = format!(
            "{MEMBER}: []   # Istio: no RequestMirror, mirror or mirrors in routes; or a copy without the token:\n\
             - cluster: {to}\n  request_headers_mutations: [{{remove: authorization}}]"
        );
        let text = format!("copies of what it has put tokens into go to `{to}`");
        found.add(Check::TokenMirrored, &chain.says(filter), &mirror.path, text, fix);
    }
}

/// The copies that are made of what goes through a chain: by its routes, or by the clusters that they lead to.
fn mirrors<'d>(dump: &Dump<'d>, chain: &Chain<'d>) -> Vec<Spot<'d>> {
    let mut found = Vec::new();
    let mut clusters = BTreeSet::new();
    let mut any = false;
    for routes in dump.routes_of(chain) {
        routes.each(&mut |spot| {
            found.extend(spot.items(MEMBER));
            clusters.extend(spot.text("route.cluster"));
            clusters.extend(spot.items("weighted_clusters.clusters").iter().filter_map(|it| it.text("name")));
            any |= CHOSEN.iter().any(|name| spot.get(name).is_some());
        });
    }
    for (_, cluster) in dump.clusters.iter().filter(|(name, _)| any || clusters.contains(*name)) {
        for (_, options) in cluster.members("typed_extension_protocol_options") {
            found.extend(options.items(MEMBER));
        }
    }
    found
}
