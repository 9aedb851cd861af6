//! Where the routes of a chain lead to, as far as a dump shows it.

use std::collections::BTreeSet;

use super::chain::{Chain, Dump};
use crate::lint::mirrors::MEMBER;
use crate::lint::spot::Spot;

/// What the routes of a chain say of upstreams.
pub(super) struct Leads<'d> {
    /// Headers that name a cluster.
    pub(super) headers: Vec<Spot<'d>>,
    /// Who gets copies, by the routes themselves.
    pub(super) mirrors: Vec<Spot<'d>>,
    /// The clusters that requests can go to: any, where not only names say to which.
    pub(super) clusters: Vec<Spot<'d>>,
}

impl<'d> Leads<'d> {
    pub(super) fn of(dump: &Dump<'d>, chain: &Chain<'d>) -> Self {
        let mut all = Self { headers: Vec::new(), mirrors: Vec::new(), clusters: Vec::new() };
        let (mut named, mut chosen) = (BTreeSet::new(), false);
        for routes in dump.routes_of(chain) {
            routes.each(&mut |spot| {
                all.mirrors.extend(spot.items(MEMBER));
                named.extend(spot.text("route.cluster"));
                let weighted = spot.items("route.weighted_clusters.clusters");
                named.extend(weighted.iter().filter_map(|it| it.text("name")));
                let route = spot.get("route");
                let headers = weighted.iter().chain(&route).filter_map(|it| it.get("cluster_header"));
                all.headers.extend(headers.filter(|it| it.value.as_str().is_some_and(|name| !name.is_empty())));
                let plugins = ["route.cluster_specifier_plugin", "route.inline_cluster_specifier_plugin"];
                chosen |= plugins.iter().any(|path| spot.at(path).is_some());
            });
        }
        let any = chosen || !all.headers.is_empty();
        let clusters = dump.clusters.iter().filter(|(name, _)| any || named.contains(*name));
        all.clusters.extend(clusters.map(|(_, cluster)| cluster.clone()));
        all
    }
}
