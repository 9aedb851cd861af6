//! Whether plugins are asked, and what stands behind them, on every route: what is closest to a request's way says so.

use std::collections::BTreeMap;

use super::Found;
use super::chain::{Chain, Dump, Filter};
use super::guard::asked;
use crate::lint::finding::Check;
use crate::lint::rbac::{Names, asks_for};
use crate::lint::spot::Spot;
use crate::lint::switched::{MEMBER, Said, without};

/// What holds for the requests of one way to an upstream, by names of filters.
type Own<'d> = BTreeMap<&'d str, Spot<'d>>;

pub(super) fn check(dump: &Dump<'_>, chain: &Chain<'_>, found: &mut Found<'_>) {
    let plugins = || chain.filters.iter().filter(|filter| filter.plugin.is_some());
    for filter in plugins().filter(|filter| !filter.is_on()) {
        let (path, text) = (format!("{}.disabled", filter.spot.path), "it is disabled wherever a route does not switch it on");
        found.add(Check::FilterDisabled, &chain.says(filter), &path, text, "disabled: false");
    }
    if plugins().next().is_some() {
        for routes in dump.routes_of(chain) {
            ways(&routes, &Own::new(), &mut |own| look(chain, own, found));
        }
    }
}

/// Shows what is said of filters on each way that leads to an upstream; what answers by itself has nothing to guard.
fn ways<'d>(spot: &Spot<'d>, above: &Own<'d>, visit: &mut dyn FnMut(&Own<'d>)) {
    let with = |spot: &Spot<'d>, above: &Own<'d>| {
        above.iter().map(|(name, it)| (*name, it.clone())).chain(spot.members(MEMBER)).collect()
    };
    let own: Own<'d> = with(spot, above);
    if let Some(route) = spot.get("route").filter(|route| route.value.is_object()) {
        let weighted = route.items("weighted_clusters.clusters");
        weighted.iter().for_each(|cluster| visit(&with(cluster, &own)));
        if weighted.is_empty() {
            visit(&own);
        }
        return;
    }
    let per_filter = spot.get(MEMBER).map(|it| it.path);
    spot.inner().iter().filter(|it| per_filter.as_ref() != Some(&it.path)).for_each(|it| ways(it, &own, visit));
}

/// What of a chain is left on one way.
fn look<'d>(chain: &Chain<'d>, own: &Own<'d>, found: &mut Found<'_>) {
    let entry = |filter: &Filter<'d>| own.get(filter.name);
    for (index, filter) in chain.filters.iter().enumerate() {
        let Some(plugin) = &filter.plugin else { continue };
        let (object, record) = (chain.says(filter), plugin.filter_state());
        let behind = || chain.filters.iter().skip(index + 1);
        let guard = behind().find(|guard| left(guard, entry(guard)).contains(record.as_str()));
        if let Some(entry) = entry(filter).filter(|entry| matches!(Said::read(entry), Said::Off)) {
            let text = match guard {
                None => "it is disabled on this route, and nobody judges what goes there".to_owned(),
                Some(guard) => format!("it is disabled on this route, where {} refuses what has no record", guard.name),
            };
            let fix = without(filter.name);
            found.add(Check::FilterDisabled, &object, &entry.path, text, fix);
            continue;
        }
        // Where none stands elsewhere either, that is said of the chain.
        let elsewhere = behind().filter(|guard| guard.is_on() && asked(guard).contains(record.as_str()));
        let Some((gone, entry)) = elsewhere.filter_map(|guard| Some((guard, entry(guard)?))).next().filter(|_| guard.is_none())
        else {
            continue;
        };
        let text = match Said::read(entry) {
            Said::Other(_) => format!("on this route {} behind it is another one, which does not ask for its record", gone.name),
            _ => format!("{} behind it, which asks for its record, is disabled on this route", gone.name),
        };
        let fix = without(gone.name);
        found.add(Check::WorkerUnguarded, &object, &entry.path, text, fix);
    }
}

/// What a filter asks for where this is said of it.
fn left<'d>(filter: &Filter<'d>, entry: Option<&Spot<'d>>) -> Names<'d> {
    match entry.map(Said::read) {
        None if !filter.is_on() => Names::new(),
        None | Some(Said::On) => asked(filter),
        Some(Said::Off) => Names::new(),
        Some(Said::Other(config)) => asks_for(&config),
    }
}
