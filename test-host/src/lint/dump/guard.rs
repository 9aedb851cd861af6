//! Whether something behind a plugin asks for what it leaves: on a worker without its VM Envoy has no such filter.

use super::Found;
use super::chain::{Chain, Filter, Plugin};
use crate::guard::typed_config;
use crate::lint::finding::Check;

pub(super) fn check(chain: &Chain<'_>, index: usize, filter: &Filter<'_>, plugin: &Plugin<'_>, found: &mut Found<'_>) {
    let record = plugin.filter_state();
    if is_guarded(chain, index, &record) {
        return;
    }
    let fix = format!(
        "- name: envoy.filters.http.rbac   # behind it; `accessLog` must be in its `audit.to`\n  typed_config: {}",
        typed_config(&record)
    );
    found.add(Check::WorkerUnguarded, &chain.says(filter), &filter.spot.path, "nothing behind it asks for its record", fix);
}

/// Whether only what has the plugin's record passes a filter behind it.
fn is_guarded(chain: &Chain<'_>, index: usize, record: &str) -> bool {
    let behind = chain.filters.iter().skip(index + 1).filter_map(|filter| filter.config.as_ref());
    let rules = behind.filter(|config| config.is("RBAC")).filter_map(|config| config.get("rules"));
    rules.filter(|rules| rules.text("action").is_none_or(|action| action == "ALLOW")).any(|rules| {
        let mut named = false;
        rules.each(&mut |spot| named |= spot.value.as_str() == Some(record));
        named
    })
}
