//! What the match tree of an `rbac` lets through. Of what is not understood here anything may come.

use super::rbac::{Names, in_each, record};
use super::spot::Spot;

/// Records that each request has which this tree lets through; none if it lets no request through. A value of filter state that is not
/// there matches nothing, and what nothing matches is refused.
pub(super) fn passes<'d>(tree: &Spot<'d>) -> Option<Names<'d>> {
    let listed = tree.items("matcher_list.matchers").into_iter();
    let listed = listed.map(|it| behind(it.get("predicate").map(|it| asks(&it)).unwrap_or_default(), it.get("on_match")));
    let key = tree.at("matcher_tree.input").and_then(|input| state(&input));
    let maps = ["matcher_tree.exact_match_map.map", "matcher_tree.prefix_match_map.map"];
    let mapped = maps.into_iter().flat_map(|path| tree.members(path));
    let mapped = mapped.map(|(_, then)| behind(key.into_iter().collect(), Some(then)));
    let custom = tree.at("matcher_tree.custom_match").map(|_| Some(Names::new()));
    let rest = tree.get("on_no_match").map(|then| behind(Names::new(), Some(then)));
    let ways: Vec<Names<'d>> = listed.chain(mapped).chain(custom).chain(rest).flatten().collect();
    (!ways.is_empty()).then(|| in_each(ways.into_iter()))
}

/// What all have that come here with these records and are let through.
fn behind<'d>(mut asked: Names<'d>, then: Option<Spot<'d>>) -> Option<Names<'d>> {
    let Some(then) = then.filter(|then| !then.is_true("keep_matching")) else { return Some(asked) };
    let next = then.get("matcher").map(|tree| passes(&tree));
    let refused = then.text("action.typed_config.action") == Some("DENY");
    asked.append(&mut next.unwrap_or_else(|| (!refused).then(Names::new))?);
    Some(asked)
}

/// What a request must have for this to be so.
fn asks<'d>(predicate: &Spot<'d>) -> Names<'d> {
    let each = |path: &str| predicate.items(path).iter().map(asks).collect::<Vec<_>>();
    let one = predicate.get("single_predicate");
    let value = one.as_ref().filter(|one| one.get("value_match").is_some());
    let key = value.and_then(|one| one.get("input")).and_then(|input| state(&input));
    let custom = one.and_then(|one| one.at("custom_match.typed_config")).filter(|it| it.is("CelMatcher"));
    let cel = custom.and_then(|it| it.get("expr_match")).and_then(|it| {
        let forms = ["cel_expr_parsed.expr", "cel_expr_checked.expr", "parsed_expr.expr", "checked_expr.expr"];
        forms.into_iter().find_map(|form| it.at(form))
    });
    let any = in_each(each("or_matcher.predicate").into_iter());
    let all = each("and_matcher.predicate").into_iter().flatten();
    key.into_iter().chain(cel.map(|it| in_expression(&it)).unwrap_or_default()).chain(any).chain(all).collect()
}

/// The same of an expression: `"wasm.…" in filter_state`, alone or with `&&`.
fn in_expression<'d>(expression: &Spot<'d>) -> Names<'d> {
    let args = expression.items("call_expr.args");
    match (expression.text("call_expr.function"), args.as_slice()) {
        (Some("_&&_"), all) => all.iter().flat_map(in_expression).collect(),
        (Some("@in"), [key, of]) if of.text("ident_expr.name") == Some("filter_state") => {
            key.text("const_expr.string_value").and_then(record).into_iter().collect()
        }
        _ => Names::new(),
    }
}

/// The record that is looked at.
fn state<'d>(input: &Spot<'d>) -> Option<&'d str> {
    let config = input.get("typed_config").filter(|config| config.is("FilterStateInput"))?;
    config.text("key").and_then(record)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AUTHZ: &str = "wasm.wardpoint_mcp_authz.mesh";
    const EXCHANGE: &str = "wasm.wardpoint_token_exchange";

    fn then(action: &str) -> Value {
        json!({ "action": { "name": "x", "typed_config": { "@type": "x/envoy.config.rbac.v3.Action", "name": "x", "action": action } } })
    }

    fn input(key: &str) -> Value {
        json!({ "name": "x", "typed_config": { "@type": "x/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput", "key": key } })
    }

    fn has(key: &str) -> Value {
        json!({ "single_predicate": { "input": input(key), "value_match": { "prefix": "[" } } })
    }

    fn cel(expression: Value) -> Value {
        let matcher =
            json!({ "@type": "x/xds.type.matcher.v3.CelMatcher", "expr_match": { "cel_expr_parsed": { "expr": expression } } });
        json!({ "single_predicate": { "input": {}, "custom_match": { "typed_config": matcher } } })
    }

    fn is_in(key: &str) -> Value {
        let args = json!([{ "const_expr": { "string_value": key } }, { "ident_expr": { "name": "filter_state" } }]);
        json!({ "call_expr": { "function": "@in", "args": args } })
    }

    fn list(all: &[(Value, Value)]) -> Value {
        let matchers: Vec<Value> =
            all.iter().map(|(predicate, then)| json!({ "predicate": predicate, "on_match": then })).collect();
        json!({ "matcher_list": { "matchers": matchers } })
    }

    fn or(mut tree: Value, then: Value) -> Value {
        tree.as_object_mut().map(|members| members.insert("on_no_match".to_owned(), then));
        tree
    }

    #[test]
    fn what_a_tree_lets_through_has_what_every_way_asks_for() {
        let allow = || then("ALLOW");
        let other = json!({ "single_predicate": { "input": { "typed_config": { "@type": "x/y.HttpRequestHeaderMatchInput" } }, "value_match": { "exact": "x" } } });
        let mut both = is_in(AUTHZ);
        both = json!({ "call_expr": { "function": "_&&_", "args": [both, is_in(EXCHANGE)] } });
        let either = json!({ "call_expr": { "function": "_||_", "args": [is_in(AUTHZ), is_in(AUTHZ)] } });
        let by =
            |map: &str| json!({ "matcher_tree": { "input": input(AUTHZ), map: { "map": { "[": allow(), "x": then("DENY") } } } });
        let mut going_on = allow();
        going_on["keep_matching"] = Value::Bool(true);
        let inner = json!({ "matcher": list(&[(other.clone(), allow())]) });
        for (tree, wanted) in [
            (list(&[(has(AUTHZ), allow())]), Some(&[AUTHZ][..])),
            (or(list(&[(has(AUTHZ), allow())]), then("DENY")), Some(&[AUTHZ])),
            (list(&[(has(AUTHZ), json!({ "action": { "typed_config": {} } }))]), Some(&[AUTHZ])),
            (list(&[(other.clone(), then("DENY")), (has(AUTHZ), allow())]), Some(&[AUTHZ])),
            (list(&[(has(AUTHZ), inner)]), Some(&[AUTHZ])),
            (list(&[(json!({ "and_matcher": { "predicate": [has(AUTHZ), other] } }), allow())]), Some(&[AUTHZ])),
            (list(&[(json!({ "or_matcher": { "predicate": [has(AUTHZ), has(AUTHZ)] } }), allow())]), Some(&[AUTHZ])),
            (by("prefix_match_map"), Some(&[AUTHZ])),
            (by("exact_match_map"), Some(&[AUTHZ])),
            (list(&[(cel(is_in(AUTHZ)), allow())]), Some(&[AUTHZ])),
            (list(&[(cel(both), allow())]), Some(&[AUTHZ, EXCHANGE])),
            // What lets something else through, and what is not understood.
            (or(list(&[(has(AUTHZ), allow())]), allow()), Some(&[])),
            (or(list(&[(has(AUTHZ), allow())]), then("LOG")), Some(&[])),
            (list(&[(has(AUTHZ), allow()), (has(EXCHANGE), allow())]), Some(&[])),
            (list(&[(has("wasm.other"), allow())]), Some(&[])),
            (list(&[(json!({ "or_matcher": { "predicate": [has(AUTHZ), has(EXCHANGE)] } }), allow())]), Some(&[])),
            (list(&[(json!({ "not_matcher": has(AUTHZ) }), allow())]), Some(&[])),
            (list(&[(cel(either), allow())]), Some(&[])),
            (list(&[(cel(json!({ "call_expr": { "function": "!_", "args": [is_in(AUTHZ)] } })), allow())]), Some(&[])),
            (list(&[(json!({ "single_predicate": { "input": input(AUTHZ), "custom_match": {} } }), allow())]), Some(&[])),
            (or(list(&[(has(AUTHZ), allow())]), going_on), Some(&[])),
            (json!({ "matcher_tree": { "input": input(AUTHZ), "custom_match": {} } }), Some(&[])),
            // What lets nothing through.
            (json!({}), None),
            (or(json!({}), then("DENY")), None),
            (list(&[(has(AUTHZ), then("DENY"))]), None),
            (list(&[(has(AUTHZ), json!({ "matcher": {} }))]), None),
        ] {
            let wanted = wanted.map(|names| names.iter().copied().collect::<Names<'_>>());
            assert_eq!(passes(&Spot::root(&tree)), wanted, "{tree}");
        }
    }
}
