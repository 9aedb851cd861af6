//! What stands behind plugins in manifests: what is printed where nothing does, and where it may stand.

use serde_json::Value;

use crate::{GOOD, findings};

const OBJECT: &str = "# What is behind the other two";
const INSIDE: &str = "  - applyTo: HTTP_FILTER\n    match: {context: SIDECAR_INBOUND, listener: {name: main_internal, filterChain: {filter: \
                      {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.grpc_stats}}}}}\n";
const PLUGIN: &str = "  - applyTo: HTTP_FILTER\n    match:\n";

/// A text in three parts: before `from`, from there to the next `to`, and the rest.
fn cut<'t>(text: &'t str, from: &str, to: &str) -> (&'t str, &'t str, &'t str) {
    let (before, rest) = text.split_at(text.find(from).unwrap());
    let (own, behind) = rest.split_at(rest.find(to).unwrap());
    (before, own, behind)
}

fn fixes(text: &str) -> Vec<String> {
    let found = findings(text);
    assert!(found.iter().all(|it| it["check"] == "worker-unguarded" && it["severity"] == "warning"), "{found:#?}");
    found.iter().map(|it| it["fix"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_printed_is_the_guard_that_was_missing() {
    let (before, _, behind) = cut(GOOD, OBJECT, "---\n");
    let open = format!("{before}{behind}");
    let printed = fixes(&open);
    assert_eq!(printed.len(), 2, "{printed:#?}");
    let whole = printed.iter().fold(open, |text, fix| format!("{text}---\n{fix}"));
    assert_eq!(findings(&whole), Vec::<Value>::new());

    let (before, _, behind) = cut(GOOD, INSIDE, "---\n");
    let [fix] = &fixes(&format!("{before}{behind}"))[..] else { panic!() };
    let patch = fix.strip_prefix("spec:\n  configPatches:\n").unwrap();
    assert_eq!(findings(&format!("{before}{patch}\n{behind}")), Vec::<Value>::new(), "{fix}");
}

#[test]
fn a_guard_may_stand_wherever_it_is_behind_its_plugin_in_every_chain() {
    let anchor = "subFilter: {name: extensions.istio.io/trafficextension/tools.tools-authz}";
    let moved = |filter: &str, operation: &str| {
        let text = GOOD.replace(anchor, &format!("subFilter: {{name: {filter}}}"));
        let own = "operation: INSERT_AFTER\n      value:\n        name: tools-authz-guard";
        assert_eq!(text.matches(own).count(), 1);
        text.replace(own, &own.replace("INSERT_AFTER", operation))
    };
    for (filter, operation, open) in [
        ("envoy.filters.http.grpc_stats", "INSERT_BEFORE", 0),
        ("envoy.filters.http.grpc_stats", "INSERT_AFTER", 0),
        ("envoy.filters.http.router", "INSERT_BEFORE", 0),
        // It is not in every chain.
        ("envoy.filters.http.rbac", "INSERT_AFTER", 1),
        ("envoy.filters.http.jwt_authn", "INSERT_AFTER", 1),
        ("envoy.filters.http.grpc_stats", "REMOVE", 1),
        ("envoy.filters.http.router", "REPLACE", 1),
    ] {
        assert_eq!(fixes(&moved(filter, operation)).len(), open, "{operation} {filter}");
    }
}

/// Of what is put before one filter the last stands nearest to it.
#[test]
fn a_guard_that_is_put_there_before_its_plugin_stands_before_it() {
    let (start, plugin, rest) = cut(GOOD, PLUGIN, INSIDE);
    let (_, guard, end) = cut(rest, INSIDE, "---\n");
    assert_eq!(fixes(&format!("{start}{guard}{plugin}{end}")).len(), 1);
    let apart = |spec: &str| {
        format!(
            "{start}{plugin}{end}---\nkind: EnvoyFilter\nmetadata: {{name: apart, namespace: tools}}\nspec:\n{spec}  \
             targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}}]\n  configPatches:\n{guard}"
        )
    };
    for (spec, open) in [("  priority: 1\n", 0), ("", 1), ("  priority: -1\n", 1)] {
        assert_eq!(fixes(&apart(spec)).len(), open, "{spec}");
    }
}

/// What the mesh attaches to a class is in each of its waypoints.
#[test]
fn each_waypoint_of_a_plugin_needs_the_guard() {
    let next = "---\nkind: Gateway\nmetadata: {name: next, namespace: tools}\nspec: {gatewayClassName: istio-waypoint}\n";
    let own = "metadata: {name: tools-authz, namespace: tools}\nspec:\n  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]";
    assert_eq!(GOOD.matches(own).count(), 1);
    let mesh = "metadata: {name: tools-authz, namespace: istio-system}\nspec:\n  targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}]";
    let text = GOOD.replace(own, mesh).replace("trafficextension/tools.tools-authz", "trafficextension/istio-system.tools-authz");
    let found = findings(&format!("{text}{next}"));
    let open: Vec<_> = found.iter().filter(|it| it["check"] == "worker-unguarded").collect();
    assert_eq!(open.len(), 1, "{found:#?}");
    assert!(open[0]["text"].as_str().unwrap().contains("`tools/next`"), "{open:#?}");
    assert!(open[0]["fix"].as_str().unwrap().contains("name: next"), "{open:#?}");
    let guarded = format!("{text}{next}---\n{}", open[0]["fix"].as_str().unwrap());
    assert!(findings(&guarded).iter().all(|it| it["check"] != "worker-unguarded"));
}

/// A plugin that leaves nothing for a guard: it would refuse everything, so both are said.
#[test]
fn a_policy_without_a_record_is_told_to_leave_one_first() {
    let silent =
        GOOD.replace("    pluginConfig:\n      version: 1\n", "    pluginConfig:\n      version: 1\n      audit: {to: [log]}\n");
    let found = findings(&silent);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["check"], &found[0]["object"]),
        (&Value::from("guard-refuses-all"), &Value::from("TrafficExtension tools/tools-authz"))
    );
    assert_eq!(found[0]["path"], "spec.wasm.pluginConfig.audit.to");
    assert_eq!(found[0]["fix"], "audit: {to: [log, accessLog]}");
    let [fix] = &fixes(&silent.replace("key: wasm.wardpoint_mcp_authz,", "key: wasm.other,"))[..] else { panic!() };
    assert!(fix.starts_with("audit: {to: [log, accessLog]}   # in the policy, and\napiVersion: "), "{fix}");
}

/// The configuration of a guard may come by itself, as that of a plugin.
#[test]
fn a_guard_that_is_to_come_is_what_is_given_for_its_name() {
    let typed = "        typed_config:\n";
    let (before, guard, behind) = cut(GOOD, "        name: tools-authz-guard\n", "  - applyTo");
    let (name, config) = guard.split_once(typed).unwrap();
    let discovery = "        config_discovery: {config_source: {ads: {}}, type_urls: [type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC]}\n";
    let given = |operation: &str, name: &str| {
        format!(
            "  - applyTo: EXTENSION_CONFIG\n    patch:\n      operation: {operation}\n      value:\n        name: {name}\n{typed}{config}"
        )
    };
    let apart = |waypoint: &str, patch: &str| {
        format!(
            "{before}{name}{discovery}{behind}---\nkind: EnvoyFilter\nmetadata: {{name: apart, namespace: tools}}\nspec:\n  \
             targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: {waypoint}}}]\n  configPatches:\n{patch}"
        )
    };
    let own = given("ADD", "tools-authz-guard");
    for (text, open) in [
        (format!("{before}{name}{discovery}{own}{behind}"), 0),
        (apart("waypoint", &own), 0),
        (apart("other", &own), 1),
        (apart("waypoint", &given("ADD", "other")), 1),
        (apart("waypoint", &given("MERGE", "tools-authz-guard")), 1),
        (format!("{before}{name}{own}{behind}"), 1),
    ] {
        assert_eq!(fixes(&text).len(), open, "{text}");
    }
    let wrong = own.replace("key: wasm.wardpoint_mcp_authz,", "key: wasm.wardpoint_mcp_authz.mesh,");
    let found = findings(&apart("waypoint", &wrong));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["check"], &found[0]["object"], &found[0]["path"]),
        (
            &Value::from("guard-refuses-all"),
            &Value::from("EnvoyFilter tools/apart"),
            &Value::from("spec.configPatches[0].patch.value")
        )
    );
}

/// istiod has one name for the filter of a WasmPlugin, and another one since 1.30: what is behind one of them is not behind the other.
#[test]
fn a_wasm_plugin_that_is_guarded_under_one_name_is_told_which_one_is_missing() {
    let (since, before) = ("trafficextension/tools.exchange~istio-translated-wasmplugin", "wasmplugin/tools.exchange");
    for (gone, versions) in [(since, "since"), (before, "before")] {
        let own = format!("extensions.istio.io/{gone}}}");
        assert_eq!(GOOD.matches(&own).count(), 1);
        let open = GOOD.replace(&own, "extensions.istio.io/other}");
        let found = findings(&open);
        let text = format!("nothing behind extensions.istio.io/{gone} (its name {versions} Istio 1.30) asks for its record");
        assert!(found.len() == 1 && found.iter().all(|it| it["text"].as_str().unwrap().ends_with(&text)), "{found:#?}");
        let [fix] = &fixes(&open)[..] else { panic!() };
        assert!(fix.contains(since) && fix.contains(before), "{fix}");
        assert_eq!(findings(&format!("{open}---\n{fix}")), Vec::<Value>::new());
    }
}

const TREE: &str = r#"matcher: {matcher_list: {matchers: [{predicate: {single_predicate: {input: {name: x, typed_config: {"@type": x/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput, key: wasm.wardpoint_mcp_authz}}, value_match: {prefix: "["}}}, on_match: {action: {name: x, typed_config: {"@type": x/envoy.config.rbac.v3.Action, name: x, action: ALLOW}}}}]}}"#;

/// A guard may have a match tree; of one that is not understood it is not said that it is none.
#[test]
fn a_guard_may_have_a_matcher() {
    let (before, rules, behind) = cut(
        GOOD,
        "rules: {action: ALLOW, policies: {seen: {permissions: [{any: true}], principals: [{filter_state: {key: wasm.wardpoint_mcp_authz,",
        "\n",
    );
    assert_eq!(GOOD.matches(rules).count(), 1);
    let with = |tree: &str| format!("{before}{tree}{behind}");
    assert_eq!(fixes(&with(TREE)).len(), 0);
    let found = findings(&with(&TREE.replace("mcp_authz}", "mcp_authz.mesh}")));
    assert!(found.len() == 1 && found.iter().all(|it| it["check"] == "guard-refuses-all"), "{found:#?}");
    for (tree, noted) in [(TREE.replace("FilterStateInput", "Other"), true), ("rules: {action: DENY}".to_owned(), false)] {
        let found = findings(&with(&tree));
        let note = ", unless a matcher does that is not understood here: tools-authz-guard";
        let says = |it: &Value| it["check"] == "worker-unguarded" && it["text"].as_str().unwrap().ends_with(note) == noted;
        assert!(found.len() == 1 && found.iter().all(says), "{tree}: {found:#?}");
    }
}

/// The same in a dump.
#[test]
fn a_guard_of_a_dump_may_have_a_matcher() {
    let mut dump: Value = serde_json::from_str(crate::dump::DUMP).unwrap();
    let chain = "/configs/2/dynamic_listeners/0/active_state/listener/filter_chains/1/filters/0/typed_config/http_filters/2";
    let guard = dump.pointer_mut(chain).unwrap();
    assert_eq!(guard["name"], "mcp_authz.guard");
    let tree = |input: &str| {
        let then = serde_json::json!({ "action": { "typed_config": { "action": "ALLOW" } } });
        let typed = serde_json::json!({ "@type": format!("x/y.{input}"), "key": "wasm.wardpoint_mcp_authz" });
        serde_json::json!({ "matcher_tree": { "input": { "typed_config": typed }, "prefix_match_map": { "map": { "[": then } } } })
    };
    for (input, texts) in [
        ("FilterStateInput", &[][..]),
        ("Other", &["nothing behind it asks for its record, unless a matcher does that is not understood here: mcp_authz.guard"]),
    ] {
        let config = serde_json::json!({ "@type": "x/y.RBAC", "matcher": tree(input) });
        dump.pointer_mut(chain).unwrap().as_object_mut().unwrap().insert("typed_config".to_owned(), config);
        let (_, out, _) = crate::dump::findings(&dump.to_string(), &["--format", "json", "--config-dump", "dump.json"]);
        let found: Vec<Value> = serde_json::from_str(&out).unwrap();
        let said: Vec<_> = found.iter().map(|it| it["text"].as_str().unwrap()).collect();
        assert_eq!(said, texts, "{found:#?}");
    }
}
