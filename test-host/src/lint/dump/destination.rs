//! Whether callers say where a request goes into which a token is put.

use serde_json::Value;

use super::Found;
use super::chain::{Chain, Filter, Plugin};
use super::leads::Leads;
use crate::lint::finding::Check;

/// What Envoy reads an address from where no other name is given.
const ADDRESS: &str = "x-envoy-original-dst-host";

pub(super) fn check(leads: &Leads<'_>, chain: &Chain<'_>, filter: &Filter<'_>, plugin: &Plugin<'_>, found: &mut Found<'_>) {
    // A route that is bound to a cluster or a service asks where the request really goes.
    let bound = |route: &Value| ["service", "upstreamCluster"].iter().any(|name| route.get(name).is_some());
    let free = plugin.exchanging().iter().any(|route| !bound(route));
    for header in leads.headers.iter().filter(|_| free) {
        // The route is taken before any filter runs: what one of them makes of the header comes too late.
        let name = header.value.as_str().unwrap_or_default();
        let text = format!("the header {name} of a request names its cluster, and {} puts tokens in by `host`", plugin.name);
        let fix = "routes:\n- upstreamCluster: NAME   # of token-exchange: where the proxy sends the request, beside or instead of `host`";
        found.add(Check::DestinationChosen, &chain.says(filter), &header.path, text, fix);
    }
    for cluster in &leads.clusters {
        let Some(config) = cluster.get("original_dst_lb_config").filter(|config| config.is_true("use_http_header")) else {
            continue;
        };
        let name = config.text("http_header_name").filter(|name| !name.is_empty()).unwrap_or(ADDRESS);
        if !is_set(chain, name) {
            let text = format!(
                "the header {name} of a request is the address that it is sent to, with the token that {} puts in",
                plugin.name
            );
            let fix = "original_dst_lb_config: {use_http_header: false}";
            found.add(Check::DestinationChosen, &chain.says(filter), &format!("{}.use_http_header", config.path), text, fix);
        }
    }
}

/// Whether a filter of the chain puts its own value in the place of the caller's, or takes that away.
fn is_set(chain: &Chain<'_>, header: &str) -> bool {
    let configs = chain.filters.iter().filter_map(|filter| filter.config.as_ref()).filter(|config| config.is("HeaderMutation"));
    let mut all = configs.flat_map(|config| config.items("mutations.request_mutations"));
    all.any(|mutation| {
        let is = |path: &str| mutation.text(path).is_some_and(|name| name.eq_ignore_ascii_case(header));
        let over = mutation.text("append.append_action") == Some("OVERWRITE_IF_EXISTS_OR_ADD");
        is("remove") || over && is("append.header.key")
    })
}
