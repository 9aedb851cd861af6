//! Whether a token that is put in for one destination goes to another one too: the router copies requests as they leave the filters.

use super::Found;
use super::chain::{Chain, Filter};
use super::leads::Leads;
use crate::lint::finding::Check;
use crate::lint::mirrors::{MEMBER, goes_without_token};

pub(super) fn check(leads: &Leads<'_>, chain: &Chain<'_>, filter: &Filter<'_>, found: &mut Found<'_>) {
    // By the routes, or by the clusters that they lead to.
    let options = leads.clusters.iter().flat_map(|cluster| cluster.members("typed_extension_protocol_options"));
    let mirrors = leads.mirrors.iter().cloned().chain(options.flat_map(|(_, options)| options.items(MEMBER)));
    for mirror in mirrors.filter(|mirror| !goes_without_token(mirror)) {
        let to = mirror.text("cluster").filter(|to| !to.is_empty()).or_else(|| mirror.text("cluster_header")).unwrap_or_default();
        let fix = format!(
            "{MEMBER}: []   # Istio: no RequestMirror, mirror or mirrors in routes; or a copy without the token:\n\
             - cluster: {to}\n  request_headers_mutations: [{{remove: authorization}}]"
        );
        let text = format!("copies of what it has put tokens into go to `{to}`");
        found.add(Check::TokenMirrored, &chain.says(filter), &mirror.path, text, fix);
    }
}
