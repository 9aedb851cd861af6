//! Whether EnvoyFilters take plugins, or what stands behind them, out of their chains again. istiod puts plugins of its own in before it
//! applies any patch, and applies patches in their order; what is merged comes last.

use std::cmp::Ordering;

use super::extension::Extension;
use super::finding::{Check, Finding};
use super::guards::{Guard, Place, Put, filters, guards, order, patches, places};
use super::manifest::{Manifest, World};
use super::rbac::asks_for;
use super::spot::Spot;
use crate::scenario::yaml::Node;

/// A patch of a filter that is in a chain already.
struct Change<'w> {
    manifest: &'w Manifest,
    put: Put<'w>,
    value: Option<&'w Node>,
}

pub(super) fn check(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let record = extension.filter_state();
    for gateway in extension.gateways(world) {
        let changes: Vec<Change<'_>> = filters(world, gateway).flat_map(changes).collect();
        let guards = guards(world, gateway);
        for place in places(extension) {
            if let Some(change) = changes.iter().find(|it| it.takes(world, extension, &place)) {
                let text = match change.put.operation {
                    "REPLACE" => format!("another filter takes the place of {}{}", extension.manifest, place.when()),
                    _ => format!("{} is taken out of its chain{}", extension.manifest, place.when()),
                };
                found.push(change.finding(Check::FilterDisabled, text));
                continue;
            }
            let asks = |guard: &&Guard<'_>| guard.records.contains(&record) && guard.is_behind(world, extension, &place);
            let gone = |guard: &Guard<'_>| changes.iter().find(|it| !it.leaves(world, guard, &record));
            let behind: Vec<Option<&Change<'_>>> = guards.iter().filter(asks).map(gone).collect();
            // One that is left is enough.
            if let (Some(Some(change)), true) = (behind.first(), behind.iter().all(Option::is_some)) {
                let name = change.put.beside;
                let what = match change.put.operation {
                    "REMOVE" => "taken out of its chain",
                    "REPLACE" => "replaced by one that does not",
                    _ => "changed so that it does not ask alone",
                };
                let text = format!("{name}, which asks for the record of {}, is {what}{}", extension.manifest, place.when());
                found.push(change.finding(Check::WorkerUnguarded, text));
            }
        }
    }
}

fn changes(manifest: &Manifest) -> impl Iterator<Item = Change<'_>> {
    let all = patches(manifest).map(move |(put, value)| Change { manifest, put, value });
    all.filter(|it| matches!(it.put.operation, "REMOVE" | "REPLACE" | "MERGE"))
}

impl Change<'_> {
    /// Whether it takes a plugin out of where it stands.
    fn takes(&self, world: &World, extension: &Extension<'_>, place: &Place<'_>) -> bool {
        let finds = place.operation.is_empty() || self.is_later(world, (extension.manifest, place.index));
        self.put.operation != "MERGE" && self.put.beside == place.filter && finds
    }

    /// Whether a guard still asks for a record where this is done to it.
    fn leaves(&self, world: &World, guard: &Guard<'_>, record: &str) -> bool {
        if self.put.beside != guard.name {
            return true;
        }
        let config = self.value.and_then(|value| value.get("typed_config")).map(Node::to_json);
        let config = config.as_ref().map(Spot::root);
        let asks = config.as_ref().is_some_and(|config| asks_for(config).contains(record));
        match self.put.operation {
            // To rules that are there others are added: each must ask.
            "MERGE" => asks || config.is_none_or(|config| config.get("rules").is_none() && config.get("matcher").is_none()),
            "REPLACE" => asks || !self.is_later(world, guard.patch()),
            _ => !self.is_later(world, guard.patch()),
        }
    }

    /// Whether it may be applied behind this patch.
    fn is_later(&self, world: &World, patch: (&Manifest, usize)) -> bool {
        order(world, (self.manifest, self.put.index), patch).is_none_or(Ordering::is_gt)
    }

    fn finding(&self, check: Check, text: String) -> Finding {
        let path = format!("spec.configPatches[{}].patch.operation", self.put.index);
        let fix = format!("configPatches: []   # without this patch of `{}`", self.put.beside);
        Finding::new(check, self.manifest, &path, text, fix)
    }
}
