//! Whether the records of each chain are printed where those of the others are.

use super::Found;
use super::chain::{Chain, Dump, Plugin};
use crate::lint::finding::Check;
use crate::transcript::filter_state;

pub(super) fn check(dump: &Dump<'_>, chain: &Chain<'_>, plugin: &Plugin<'_>, found: &mut Found<'_>) {
    let places = plugin.at("audit").and_then(|audit| audit.get("to")).and_then(serde_json::Value::as_array);
    let goes = |place: &str| places.is_none_or(|places| places.iter().any(|it| it.as_str() == Some(place)));
    if !goes("accessLog") || prints(chain, plugin) {
        return;
    }
    let same = |other: &&Chain<'_>| other.filters.iter().any(|it| it.plugin.as_ref().is_some_and(|it| it.name == plugin.name));
    let elsewhere = dump.chains.iter().filter(same).any(|other| prints(other, plugin));
    if elsewhere || !goes("log") {
        let fix = format!(
            "access_log: […]   # Istio: a Telemetry about this service, in its namespace; with %FILTER_STATE({}:PLAIN)%",
            filter_state(plugin.name)
        );
        let why = if elsewhere { "other chains print them" } else { "they go nowhere else" };
        let text = format!("no access log of this chain prints the records of {}, and {why}", plugin.name);
        found.add(Check::AuditGap, &chain.label(), &chain.manager.path, text, fix);
    }
}

/// Whether an access log of this chain prints what the plugin leaves in filter state.
fn prints(chain: &Chain<'_>, plugin: &Plugin<'_>) -> bool {
    let name = filter_state(plugin.name);
    let mut printed = false;
    for log in chain.manager.items("access_log") {
        log.each(&mut |spot| {
            let text = spot.value.as_str().unwrap_or_default();
            // The name of another plugin may begin with it.
            let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
            printed |= text.split(&name).skip(1).any(ends);
        });
    }
    printed
}
