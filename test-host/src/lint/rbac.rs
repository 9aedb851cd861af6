//! What an `rbac` filter asks for: a guard lets pass only what has the record of a plugin.

use std::collections::BTreeSet;

use serde_json::Value;

use super::matcher::passes;
use super::spot::Spot;
use crate::transcript::filter_state;

/// Names of filter state.
pub(super) type Names<'d> = BTreeSet<&'d str>;

/// What a policy must say whose records a guard asks for.
pub(super) const LEAVE: &str = "audit: {to: [log, accessLog]}";

/// The records of our plugins without which nothing passes this filter. What one of several policies, or one of several principals,
/// lets through without a record is let through. A route's own has the same inside; an empty one lets everything pass.
pub(super) fn asks_for<'d>(config: &Spot<'d>) -> Names<'d> {
    if let Some(tree) = tree(config) {
        return passes(&tree).unwrap_or_default();
    }
    let rules = own(config).and_then(|own| own.get("rules"));
    let Some(rules) = rules.filter(|rules| rules.text("action").is_none_or(|action| action == "ALLOW")) else {
        return Names::new();
    };
    in_each(rules.members("policies").into_iter().map(|(_, policy)| in_each(policy.items("principals").iter().map(needed))))
}

/// Whether its match tree lets nothing through.
pub(super) fn lets_nothing_through(config: &Spot<'_>) -> bool {
    tree(config).is_some_and(|tree| passes(&tree).is_none())
}

/// Whether it has a match tree that may ask for a record in a way that is not understood here.
pub(super) fn is_unclear(config: &Spot<'_>) -> bool {
    tree(config).is_some_and(|tree| passes(&tree).is_some_and(|names| names.is_empty()))
}

/// What is said where nothing is known to ask for a record, and these may.
pub(super) fn unless(unclear: &[&str]) -> String {
    if unclear.is_empty() {
        return String::new();
    }
    format!(", unless a matcher does that is not understood here: {}", unclear.join(", "))
}

/// The rules of a filter, or those that a route has for it.
fn own<'d>(config: &Spot<'d>) -> Option<Spot<'d>> {
    if config.is("RBACPerRoute") { config.get("rbac") } else { Some(config.clone()).filter(|it| it.is("RBAC")) }
}

/// Where there is one nothing else is looked at.
fn tree<'d>(config: &Spot<'d>) -> Option<Spot<'d>> {
    own(config)?.get("matcher")
}

/// Whether a plugin leaves this record, under its own name or one that its policy gives it.
pub(super) fn is_record_of(record: &str, plugin: &str) -> bool {
    let plain = filter_state(plugin, &Value::Null);
    record.strip_prefix(&plain).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What a request must have to be this principal.
fn needed<'d>(principal: &Spot<'d>) -> Names<'d> {
    let own = principal.text("filter_state.key").and_then(record);
    let all = principal.items("and_ids.ids").into_iter().flat_map(|it| needed(&it));
    let one = in_each(principal.items("or_ids.ids").iter().map(needed));
    own.into_iter().chain(all).chain(one).collect()
}

/// A name of filter state, if it is that of a record of ours.
pub(super) fn record(key: &str) -> Option<&str> {
    // Of an empty name nothing is left but what all have in common.
    key.starts_with(&filter_state("", &Value::Null)).then_some(key)
}

pub(super) fn in_each<'d>(sets: impl Iterator<Item = Names<'d>>) -> Names<'d> {
    sets.reduce(|a, b| a.intersection(&b).copied().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::guard::typed_config;

    #[test]
    fn a_guard_asks_for_what_nothing_passes_without() {
        let (authz, exchange) = ("wasm.wardpoint_mcp_authz.mesh", "wasm.wardpoint_token_exchange");
        let state = |key: &str| json!({ "filter_state": { "key": key, "string_match": { "prefix": "[" } } });
        let rbac =
            |action: &str, policies: Value| json!({ "@type": "x/y.RBAC", "rules": { "action": action, "policies": policies } });
        let of = |principals: Value| json!({ "principals": principals });
        let any = json!({ "any": true });
        for (config, asks) in [
            (typed_config(authz), &[authz][..]),
            (
                rbac("ALLOW", json!({ "a": of(json!([{ "and_ids": { "ids": [state(authz), any, state(exchange)] } }])) })),
                &[authz, exchange],
            ),
            (
                rbac("ALLOW", json!({ "a": of(json!([{ "andIds": { "ids": [{ "filterState": { "key": authz } }] } }])) })),
                &[authz],
            ),
            (rbac("ALLOW", json!({ "a": of(json!([state(authz)])), "b": of(json!([state(authz)])) })), &[authz]),
            (rbac("ALLOW", json!({ "a": of(json!([{ "or_ids": { "ids": [state(authz), state(authz)] } }])) })), &[authz]),
            (rbac("ALLOW", json!({ "a": of(json!([{ "or_ids": { "ids": [state(authz), any] } }])) })), &[]),
            (rbac("ALLOW", json!({ "a": of(json!([state(authz)])), "b": of(json!([any])) })), &[]),
            (rbac("ALLOW", json!({ "a": of(json!([state(authz), state(exchange)])) })), &[]),
            (rbac("ALLOW", json!({ "a": of(json!([{ "not_id": state(authz) }])) })), &[]),
            (rbac("ALLOW", json!({ "a": of(json!([state("wasm.other")])) })), &[]),
            (rbac("ALLOW", json!({})), &[]),
            // Where there is a match tree rules are not looked at.
            (json!({ "@type": "x/y.RBAC", "matcher": {}, "rules": typed_config(authz)["rules"] }), &[]),
            (rbac("DENY", json!({ "a": of(json!([state(authz)])) })), &[]),
            (rbac("LOG", json!({ "a": of(json!([state(authz)])) })), &[]),
            (json!({ "@type": "x/y.RBACPerRoute", "rbac": { "rules": typed_config(authz)["rules"] } }), &[authz]),
            (json!({ "@type": "x/y.RBACPerRoute" }), &[]),
            (json!({ "@type": "x/y.RBACPerRoute", "rules": typed_config(authz)["rules"] }), &[]),
            (json!({ "@type": "x/y.Other", "rules": typed_config(authz)["rules"] }), &[]),
        ] {
            assert_eq!(asks_for(&Spot::root(&config)), asks.iter().copied().collect::<Names<'_>>(), "{config}");
        }
    }
}
