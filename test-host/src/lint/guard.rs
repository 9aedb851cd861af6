//! Whether an EnvoyFilter puts behind each plugin what asks for its record, for on a worker without its VM Envoy has no such filter; and
//! whether what is asked for is left.

use super::extension::{Extension, Form};
use super::finding::{Check, Finding};
use super::guards::{Guard, Place, guards, places};
use super::manifest::World;
use super::rbac::{LEAVE, is_record_of, unless};
use crate::guard::{envoy_filter, patch, typed_config};
use crate::render::yaml;

pub(super) fn check(world: &World, extensions: &[Extension<'_>], extension: &Extension<'_>, found: &mut Vec<Finding>) {
    // What it leaves its policy says.
    let Some(config) = &extension.config else { return };
    let record = extension.filter_state();
    for gateway in extension.gateways(world) {
        let at = |other: &&Extension<'_>| other.config.is_some() && other.gateways(world).contains(&gateway);
        let is_left =
            |record: &str| extensions.iter().filter(at).any(|other| other.leaves_records() && other.filter_state() == record);
        let guards = guards(world, gateway);
        let (mut open, mut unclear) = (Vec::new(), Vec::new());
        for place in places(extension) {
            let behind = || guards.iter().filter(|guard| guard.is_behind(world, extension, &place));
            if let Some(guard) = behind().find(|guard| guard.records.contains(&record)) {
                if !is_left(&record) {
                    let text = format!("{} asks for {record}, which is left for the access log only", guard.manifest);
                    found.push(Finding::new(Check::GuardRefusesAll, extension.manifest, &config.path("audit.to"), text, LEAVE));
                }
                continue;
            }
            let lost = |guard: &&Guard<'_>, it: &&String| {
                guard.is_for(extension, &place) && is_record_of(it, extension.plugin) && !is_left(it)
            };
            let wrong = behind().find_map(|guard| Some((guard, guard.records.iter().find(|it| lost(&guard, it))?)));
            let Some((guard, other)) = wrong else {
                unclear.extend(behind().filter(|guard| guard.is_unclear).map(|guard| guard.name));
                open.push(place);
                continue;
            };
            let text = format!("it asks for {other}, and {} leaves {record}", extension.manifest);
            let fix = format!("typed_config: {}", typed_config(&record));
            found.push(Finding::new(Check::GuardRefusesAll, guard.said.0, &guard.said.1, text, fix));
        }
        unguarded(extension, gateway, &open, (&record, &unclear), found);
    }
}

/// Tells of the places behind which nothing asks.
fn unguarded(
    extension: &Extension<'_>,
    gateway: (&str, &str),
    open: &[Place<'_>],
    (record, unclear): (&str, &[&str]),
    found: &mut Vec<Finding>,
) {
    if open.is_empty() {
        return;
    }
    let (manifest, (namespace, name)) = (extension.manifest, gateway);
    let said = |place: &Place<'_>| match place.versions {
        "" => place.filter.clone(),
        versions => format!("{} (its name {versions})", place.filter),
    };
    let names: Vec<String> = open.iter().map(said).collect();
    let guard = format!("{}-guard", manifest.name);
    let mut fix = match extension.form {
        Form::Istio => {
            // Under each name, for it takes the place of an object of this name that has one of them.
            let all: Vec<String> = places(extension).into_iter().map(|place| place.filter).collect();
            yaml(&[envoy_filter(&guard, gateway, &all, record)])
        }
        Form::EnvoyFilter => {
            let patches = open.iter().map(|place| patch(&guard, place.operation, place.beside, record));
            let behind = serde_json::json!({ "spec": { "configPatches": patches.collect::<Vec<_>>() } });
            format!("{}# behind the patch that brings the plugin", yaml(&[behind]))
        }
    };
    if !extension.leaves_records() {
        fix = format!("{LEAVE}   # in the policy, and\n{fix}");
    }
    let text = format!(
        "at the waypoint `{namespace}/{name}` nothing behind {} asks for its record{}",
        names.join(" and "),
        unless(unclear)
    );
    found.push(Finding::new(Check::WorkerUnguarded, manifest, &extension.base, text, fix));
}
