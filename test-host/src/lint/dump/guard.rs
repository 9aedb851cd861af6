//! Whether something behind a plugin asks for what it leaves, for on a worker without its VM Envoy has no such filter; and whether what
//! is asked for is left.

use serde_json::Value;

use super::Found;
use super::chain::{Chain, Filter, Plugin};
use crate::guard::typed_config;
use crate::lint::finding::Check;
use crate::lint::rbac::{LEAVE, Names, asks_for, is_record_of, is_unclear, unless};

pub(super) fn check(chain: &Chain<'_>, found: &mut Found<'_>) {
    let mut told = Vec::new();
    for (at, guard) in chain.filters.iter().enumerate() {
        for record in asked(guard) {
            told.extend(refuses_all(chain, at, guard, record, found));
        }
    }
    for (index, filter) in chain.filters.iter().enumerate() {
        let Some(plugin) = filter.plugin.as_ref().filter(|_| !told.contains(&index)) else { continue };
        let record = plugin.filter_state();
        let behind = || chain.filters.iter().skip(index + 1).filter(|behind| asked(behind).contains(record.as_str()));
        if behind().any(Filter::is_on) {
            continue;
        }
        let object = chain.says(filter);
        if let Some(off) = behind().next() {
            let text =
                format!("{} behind it asks for its record and is disabled wherever a route does not switch it on", off.name);
            found.add(Check::WorkerUnguarded, &object, &format!("{}.disabled", off.spot.path), text, "disabled: false");
            continue;
        }
        let fix = format!(
            "- name: envoy.filters.http.rbac   # behind it; `accessLog` must be in its `audit.to`\n  typed_config: {}",
            typed_config(&record)
        );
        let unclear = chain.filters.iter().skip(index + 1).filter(|behind| behind.config.as_ref().is_some_and(is_unclear));
        let unclear: Vec<&str> = unclear.map(|behind| behind.name).collect();
        let text = format!("nothing behind it asks for its record{}", unless(&unclear));
        found.add(Check::WorkerUnguarded, &object, &filter.spot.path, text, fix);
    }
}

/// The records without which nothing passes a filter.
pub(super) fn asked<'d>(filter: &Filter<'d>) -> Names<'d> {
    filter.config.as_ref().map(asks_for).unwrap_or_default()
}

/// Tells of a guard, the filter number `at`, that asks for what nobody before it leaves; gives the number of the plugin that it is for.
fn refuses_all(chain: &Chain<'_>, at: usize, guard: &Filter<'_>, record: &str, found: &mut Found<'_>) -> Option<usize> {
    let numbered = || chain.filters.iter().enumerate().filter_map(|(index, it)| Some((index, it, it.plugin.as_ref()?)));
    let before = || numbered().filter(|(index, ..)| *index < at);
    let leaves = |plugin: &Plugin<'_>| plugin.leaves_records() && plugin.filter_state() == record;
    // What is to come may leave it; what is missing is another finding.
    let unknown = |it: &Filter<'_>| it.missing.is_some() || it.plugin.as_ref().is_some_and(|plugin| plugin.config.is_none());
    if before().any(|(.., plugin)| leaves(plugin)) || chain.filters.iter().take(at).any(unknown) {
        return None;
    }
    let mut tell =
        |object: &str, path: &str, text: String, fix: String| found.add(Check::GuardRefusesAll, object, path, text, fix);
    if let Some((index, filter, plugin)) = before().rfind(|(.., plugin)| plugin.filter_state() == record) {
        let to = plugin.at("audit.to").unwrap_or(&Value::Null);
        let text = format!(
            "audit.to: {to}: the filter {} behind it asks for {record}, which is left for the access log only",
            guard.name
        );
        tell(&chain.says(filter), &plugin.place, text, LEAVE.to_owned());
        return Some(index);
    }
    let object = chain.says(guard);
    if let Some((index, filter, plugin)) = before().rfind(|(.., plugin)| is_record_of(record, plugin.name)) {
        let left = plugin.filter_state();
        let text = format!("it asks for {record}, and the filter {} before it leaves {left}", filter.name);
        tell(&object, &guard.spot.path, text, format!("typed_config: {}", typed_config(&left)));
        return Some(index);
    }
    let behind = numbered().find(|(.., plugin)| leaves(plugin));
    let (text, fix) = match &behind {
        Some((_, filter, _)) => (
            format!("it asks for {record}, and the filter {}, which leaves that, stands behind it", filter.name),
            format!("- name: {}\n- name: {}   # the guard behind it", filter.name, guard.name),
        ),
        None => (
            format!("it asks for {record}, and no filter before it leaves that"),
            format!("# the plugin before it, or this chain without it:\n- name: {}", guard.name),
        ),
    };
    tell(&object, &guard.spot.path, text, fix);
    behind.map(|(index, ..)| index)
}
