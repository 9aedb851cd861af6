//! Whether the records of each plugin are printed, where those of the others are.

use super::Found;
use super::chain::{Chain, Dump, Filter, Plugin};
use crate::lint::finding::Check;

pub(super) fn check(
    dump: &Dump<'_>,
    chain: &Chain<'_>,
    index: usize,
    filter: &Filter<'_>,
    plugin: &Plugin<'_>,
    found: &mut Found<'_>,
) {
    if !plugin.leaves_records() {
        return;
    }
    let name = plugin.filter_state();
    let shares = |it: &&Filter<'_>| it.plugin.as_ref().is_some_and(|it| it.filter_state() == name);
    let mut before = chain.filters.iter().take(index);
    if let Some(other) = before.rfind(shares) {
        let text = format!("its records take the place of those of the filter {}", other.name);
        found.add(
            Check::AuditShared,
            &chain.says(filter),
            &plugin.place,
            text,
            "audit: {as: NAME}   # in one of the two policies",
        );
    }
    if prints(chain, &name) {
        return;
    }
    let same = |other: &&Chain<'_>| other.filters.iter().any(|it| it.plugin.as_ref().is_some_and(|it| it.name == plugin.name));
    let elsewhere = dump.chains.iter().filter(same).any(|other| prints(other, &name));
    if elsewhere || !plugin.records_to("log") {
        let fix = format!(
            "access_log: […]   # Istio: a Telemetry about this service, in its namespace; with %FILTER_STATE({name}:PLAIN)%"
        );
        let why = if elsewhere { "other chains print them" } else { "they go nowhere else" };
        let text = format!("no access log of this chain prints the records of {}, and {why}", plugin.name);
        found.add(Check::AuditGap, &chain.label(), &chain.manager.path, text, fix);
    }
}

/// Whether an access log of this chain prints what the plugin leaves in filter state.
fn prints(chain: &Chain<'_>, name: &str) -> bool {
    let mut printed = false;
    for log in chain.manager.items("access_log") {
        log.each(&mut |spot| {
            let text = spot.value.as_str().unwrap_or_default();
            // The name of another may begin with it.
            let ends =
                |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || matches!(next, '.' | '_' | '-'));
            printed |= text.split(name).skip(1).any(ends);
        });
    }
    printed
}
