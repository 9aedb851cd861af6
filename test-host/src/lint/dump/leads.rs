//! Where the routes of a chain lead to, as far as a dump shows it.

use std::collections::BTreeSet;

use super::chain::{Chain, Dump};
use crate::lint::mirrors::MEMBER;
use crate::lint::spot::Spot;

/// What the routes of a chain say of upstreams.
pub(super) struct Leads<'d> {
    /// Clusters by name.
    named: BTreeSet<&'d str>,
    /// Headers that name a cluster.
    pub(super) headers: Vec<Spot<'d>>,
    /// Something else than a name says which cluster.
    chosen: bool,
    /// Who gets copies, by the routes themselves.
    pub(super) mirrors: Vec<Spot<'d>>,
}

impl<'d> Leads<'d> {
    pub(super) fn of(dump: &Dump<'d>, chain: &Chain<'d>) -> Self {
        let mut all = Self { named: BTreeSet::new(), headers: Vec::new(), chosen: false, mirrors: Vec::new() };
        for routes in dump.routes_of(chain) {
            all.read(&routes);
        }
        all
    }

    fn read(&mut self, routes: &Spot<'d>) {
        routes.each(&mut |spot| {
            self.mirrors.extend(spot.items(MEMBER));
            self.named.extend(spot.text("route.cluster"));
            let weighted = spot.items("route.weighted_clusters.clusters");
            self.named.extend(weighted.iter().filter_map(|it| it.text("name")));
            let route = spot.get("route");
            let headers = weighted.iter().chain(&route).filter_map(|it| it.get("cluster_header"));
            self.headers.extend(headers.filter(|it| it.value.as_str().is_some_and(|name| !name.is_empty())));
            let plugins = ["route.cluster_specifier_plugin", "route.inline_cluster_specifier_plugin"];
            self.chosen |= plugins.iter().any(|path| spot.at(path).is_some());
        });
    }

    /// The clusters that requests can go to: any, where not only names say to which.
    pub(super) fn clusters(&self, dump: &Dump<'d>) -> Vec<Spot<'d>> {
        let any = self.chosen || !self.headers.is_empty();
        dump.clusters.iter().filter(|(name, _)| any || self.named.contains(*name)).map(|(_, cluster)| cluster.clone()).collect()
    }
}
