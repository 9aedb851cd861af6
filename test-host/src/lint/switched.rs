//! What routes say of filters of their chain: one can be passed by there, or be another one. And whether EnvoyFilters have routes say so of
//! plugins and of what stands behind them.

use super::extension::Extension;
use super::finding::{Check, Finding};
use super::guards::{Guard, Place, filters, guards, places};
use super::manifest::{Manifest, World};
use super::rbac::asks_for;
use super::spot::Spot;
use crate::scenario::yaml::Node;

/// What a route configuration, a virtual host, a route or a weighted cluster has for filters, by their names.
pub(super) const MEMBER: &str = "typed_per_filter_config";

/// What is said of one filter.
#[derive(Clone, Debug)]
pub(super) enum Said<'d> {
    /// It is passed by.
    Off,
    /// It is asked, as its chain has it.
    On,
    /// It is asked with this configuration.
    Other(Spot<'d>),
}

impl<'d> Said<'d> {
    /// Reads one entry.
    pub(super) fn read(entry: &Spot<'d>) -> Self {
        if entry.is_true("disabled") {
            return Self::Off;
        }
        if !entry.is("FilterConfig") {
            return Self::Other(entry.clone());
        }
        entry.get("config").filter(|config| config.get("@type").is_some()).map_or(Self::On, Self::Other)
    }
}

/// What routes should say instead.
pub(super) fn without(name: &str) -> String {
    format!("{MEMBER}: {{}}   # without `{name}`")
}

pub(super) fn check(world: &World, extension: &Extension<'_>, found: &mut Vec<Finding>) {
    let record = extension.filter_state();
    for place in places(extension).iter().filter(|place| place.is_off) {
        let path = format!("spec.configPatches[{}].patch.value.disabled", place.index);
        let text = "it is disabled wherever a route does not switch it on";
        found.push(Finding::new(Check::FilterDisabled, extension.manifest, &path, text, "disabled: false"));
    }
    for gateway in extension.gateways(world) {
        let guards = guards(world, gateway);
        for place in places(extension) {
            let asks = |guard: &&Guard<'_>| guard.records.contains(&record) && guard.is_behind(world, extension, &place);
            let behind: Vec<&str> = guards.iter().filter(asks).map(|guard| guard.name).collect();
            for manifest in filters(world, gateway) {
                each_route(manifest, &mut |said| look(manifest, extension, &place, (&behind, &record), said, found));
            }
        }
    }
}

/// What one place of routes leaves of a plugin, and of the filters behind it that ask for its record.
fn look(
    manifest: &Manifest,
    extension: &Extension<'_>,
    place: &Place<'_>,
    (behind, record): (&[&str], &str),
    said: &Spot<'_>,
    found: &mut Vec<Finding>,
) {
    if let Some(entry) = said.get(&place.filter).filter(|entry| matches!(Said::read(entry), Said::Off)) {
        let text = format!("{} is disabled on these routes", extension.manifest);
        let fix = without(&place.filter);
        found.push(Finding::new(Check::FilterDisabled, manifest, &entry.path, text, fix));
        return;
    }
    let mut gone = behind.iter().filter_map(|name| {
        let entry = said.get(name)?;
        let asks = match Said::read(&entry) {
            Said::On => true,
            Said::Off => false,
            Said::Other(config) => asks_for(&config).contains(record),
        };
        (!asks).then_some((name, entry))
    });
    // One that is left is enough.
    let first = gone.next();
    if let Some((name, entry)) = first.filter(|_| gone.count() + 1 == behind.len()) {
        let text =
            format!("{name}, which asks for the record of {}, is disabled or another one on these routes", extension.manifest);
        let fix = without(name);
        found.push(Finding::new(Check::WorkerUnguarded, manifest, &entry.path, text, fix));
    }
}

/// Shows what an EnvoyFilter has routes of a waypoint say of filters. What answers by itself has nothing to guard.
fn each_route(manifest: &Manifest, visit: &mut dyn FnMut(&Spot<'_>)) {
    for (index, patch) in manifest.list("spec.configPatches").iter().enumerate() {
        let text = |path: &str| patch.locate_node(path).and_then(Node::as_str);
        let routes = matches!(text("applyTo"), Some("ROUTE_CONFIGURATION" | "VIRTUAL_HOST" | "HTTP_ROUTE"));
        let here = text("match.context").is_none_or(|context| matches!(context, "SIDECAR_INBOUND" | "ANY"));
        let leads = !matches!(text("match.routeConfiguration.vhost.route.action"), Some("REDIRECT" | "DIRECT_RESPONSE"));
        let puts = text("patch.operation") != Some("REMOVE");
        let Some(value) = patch.locate_node("patch.value").filter(|_| routes && here && leads && puts) else { continue };
        let json = value.to_json();
        let whole = Spot { value: &json, path: format!("spec.configPatches[{index}].patch.value") };
        whole.each(&mut |spot| {
            let answers = spot.get("direct_response").is_some() || spot.get("redirect").is_some();
            if let Some(said) = spot.get(MEMBER).filter(|_| !answers) {
                visit(&said);
            }
        });
    }
}
