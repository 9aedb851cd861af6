//! What routes switch off or replace: in a dump, by what is closest to a request's way; in manifests, by what is merged into routes.

use serde_json::{Value, json};

use crate::GOOD;
use crate::dump::{DUMP, findings};

const FILTER: &str = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute";
const RECORD: &str = "wasm.wardpoint_token_exchange";

/// Where the routes of the chain `tools` stand in the dump.
const ROUTES: &str = "/configs/4/dynamic_route_configs/0/route_config";
const HOST: &str = "/virtual_hosts/0";
const ROUTE: &str = "/virtual_hosts/0/routes/0";
const CLUSTER: &str = "/virtual_hosts/0/routes/0/route/weighted_clusters/clusters/0";

fn off() -> Value {
    json!({ "@type": FILTER, "disabled": true })
}

fn on() -> Value {
    json!({ "@type": FILTER, "config": {} })
}

/// An `rbac` for a route, with these principals.
fn own(principals: Value) -> Value {
    json!({ "@type": RBAC, "rbac": { "rules": { "action": "ALLOW", "policies": { "a": { "permissions": [{ "any": true }], "principals": principals } } } } })
}

fn asking(record: &str) -> Value {
    own(json!([{ "filter_state": { "key": record, "string_match": { "prefix": "[" } } }]))
}

/// What is found in the dump, when its routes say this: place, filter, what is said of it.
fn found(said: &[(&str, &str, Value)]) -> Vec<(String, String, String)> {
    let mut dump: Value = serde_json::from_str(DUMP).unwrap();
    let routes = dump.pointer_mut(ROUTES).unwrap();
    if said.iter().any(|(place, ..)| *place == CLUSTER) {
        let route = routes.pointer_mut(ROUTE).unwrap();
        route["route"] =
            json!({ "weighted_clusters": { "clusters": [{ "name": "tools", "weight": 1 }, { "name": "tools", "weight": 1 }] } });
    }
    for (place, filter, entry) in said {
        let at = routes.pointer_mut(place).unwrap().as_object_mut().unwrap();
        let all = at.entry("typed_per_filter_config").or_insert_with(|| json!({})).as_object_mut().unwrap();
        all.insert((*filter).to_owned(), entry.clone());
    }
    told(&dump)
}

fn told(dump: &Value) -> Vec<(String, String, String)> {
    let (_, out, err) = findings(&dump.to_string(), &["--format", "json", "--config-dump", "dump.json"]);
    let found: Vec<Value> = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    found.iter().map(|it| (text(it, "check"), text(it, "path"), text(it, "text"))).collect()
}

#[test]
fn what_is_closest_to_a_requests_way_says_whether_a_filter_is_asked() {
    const PLUGIN: &str = "exchange";
    const GUARD: &str = "token_exchange.guard";
    const REPLACED: &str = "is another one, which does not ask";
    for (said, wanted) in [
        (vec![(ROUTE, PLUGIN, off())], vec![("filter-disabled", ROUTE, "where token_exchange.guard refuses what has no record")]),
        (vec![("", PLUGIN, off())], vec![("filter-disabled", "", "where token_exchange.guard")]),
        (vec![(HOST, PLUGIN, off())], vec![("filter-disabled", HOST, "where token_exchange.guard")]),
        (vec![(CLUSTER, PLUGIN, off())], vec![("filter-disabled", CLUSTER, "where token_exchange.guard")]),
        (vec![(HOST, PLUGIN, off()), (ROUTE, GUARD, off())], vec![("filter-disabled", HOST, "nobody judges")]),
        (vec![("", PLUGIN, off()), (HOST, PLUGIN, on())], vec![]),
        (vec![(HOST, GUARD, off()), (ROUTE, GUARD, on())], vec![]),
        // Of two clusters one says otherwise.
        (vec![(ROUTE, GUARD, off()), (CLUSTER, GUARD, on())], vec![("worker-unguarded", ROUTE, "is disabled on this route")]),
        (vec![(HOST, PLUGIN, on()), (ROUTE, PLUGIN, off())], vec![("filter-disabled", ROUTE, "where")]),
        (vec![("", GUARD, off())], vec![("worker-unguarded", "", "is disabled on this route")]),
        (
            vec![(ROUTE, GUARD, json!({ "@type": FILTER, "disabled": true, "config": asking(RECORD) }))],
            vec![("worker-unguarded", ROUTE, "is disabled")],
        ),
        (vec![(ROUTE, GUARD, json!({ "@type": RBAC }))], vec![("worker-unguarded", ROUTE, REPLACED)]),
        (
            vec![(ROUTE, GUARD, json!({ "@type": FILTER, "config": { "@type": RBAC } }))],
            vec![("worker-unguarded", ROUTE, REPLACED)],
        ),
        (vec![(HOST, GUARD, own(json!([{ "any": true }])))], vec![("worker-unguarded", HOST, REPLACED)]),
        (vec![(HOST, GUARD, asking("wasm.other"))], vec![("worker-unguarded", HOST, REPLACED)]),
        (vec![(HOST, GUARD, asking(RECORD))], vec![]),
        (vec![(HOST, GUARD, json!({ "@type": FILTER, "config": asking(RECORD) }))], vec![]),
        // A filter of another chain.
        (vec![(HOST, "elsewhere", off())], vec![]),
    ] {
        let found = found(&said);
        let is = |(it, (check, place, text)): (&(String, String, String), &(&str, &str, &str))| {
            let filter = said.iter().find(|(at, ..)| at == place).unwrap().1;
            let path = format!("{ROUTES}{place}/typed_per_filter_config/{filter}");
            let path = path.trim_start_matches('/').split('/').fold(String::new(), |path, part| match part.parse::<usize>() {
                Ok(index) => format!("{path}[{index}]"),
                Err(_) if path.is_empty() => part.to_owned(),
                Err(_) => format!("{path}.{part}"),
            });
            it.0 == *check && it.1 == path && it.2.contains(text)
        };
        assert!(found.len() == wanted.len() && found.iter().zip(&wanted).all(is), "{said:?}: {found:#?}");
    }
}

/// A guard whose configuration came by discovery is one, and can be switched off.
#[test]
fn a_guard_of_a_dump_may_have_come_by_discovery() {
    let mut dump: Value = serde_json::from_str(DUMP).unwrap();
    let text = dump.to_string();
    let (before, rest) = text.split_once(r#"{"name":"token_exchange.guard","typed_config":"#).unwrap();
    let (config, behind) = rest.split_once(r#"},{"name":"envoy.filters.http.router""#).unwrap();
    dump = serde_json::from_str(&format!(
        r#"{before}{{"name":"token_exchange.guard","config_discovery":{{}}}},{{"name":"envoy.filters.http.router"{behind}"#
    ))
    .unwrap();
    assert_eq!(told(&dump).len(), 2, "it is to come, and guards nothing meanwhile");
    let config: Value = serde_json::from_str(config).unwrap();
    let filters = dump.pointer_mut("/configs/1/ecds_filters").unwrap().as_array_mut().unwrap();
    filters.push(json!({ "ecds_filter": { "name": "token_exchange.guard", "typed_config": config } }));
    assert_eq!(told(&dump), []);
    dump.pointer_mut(ROUTES).unwrap()["typed_per_filter_config"] = json!({ "token_exchange.guard": off() });
    assert_eq!(told(&dump).len(), 1);
}

/// Who answers by itself sends nothing to anybody.
#[test]
fn a_route_that_leads_nowhere_needs_no_plugin() {
    let mut dump: Value = serde_json::from_str(DUMP).unwrap();
    let routes = dump.pointer_mut(&format!("{ROUTES}{HOST}/routes")).unwrap().as_array_mut().unwrap();
    for action in [json!({ "direct_response": { "status": 200 } }), json!({ "redirect": { "https_redirect": true } })] {
        let mut route = json!({ "match": { "path": "/healthz" }, "typed_per_filter_config": { "exchange": off(), "tools.mcp-authz": off() } });
        route.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
        routes.insert(0, route);
    }
    assert_eq!(told(&dump), []);
    dump.pointer_mut(&format!("{ROUTES}{HOST}/routes/0")).unwrap()["route"] = json!({ "cluster": "tools" });
    assert_eq!(told(&dump).len(), 2);
}

/// The routes of a chain are not those of another one.
#[test]
fn routes_that_no_chain_with_the_plugin_takes_are_not_looked_at() {
    let mut dump: Value = serde_json::from_str(DUMP).unwrap();
    let all = dump.pointer_mut("/configs/4/dynamic_route_configs").unwrap().as_array_mut().unwrap();
    let mut other = all.first().unwrap().clone();
    other["route_config"]["name"] = json!("other");
    other["route_config"]["typed_per_filter_config"] = json!({ "exchange": off(), "token_exchange.guard": off() });
    all.push(other);
    assert_eq!(told(&dump), []);
}

/// Which patches reach the routes of a waypoint, and what they say.
#[test]
fn what_is_merged_into_routes_of_a_waypoint_is_looked_at() {
    let plugin = "extensions.istio.io/trafficextension/tools.tools-authz";
    let filter = |namespace: &str, apply: &str, route: &str, operation: &str, value: Value| {
        let patch = json!({ "operation": operation, "value": value });
        let text = json!({
            "kind": "EnvoyFilter",
            "metadata": { "name": "routes", "namespace": namespace },
            "spec": {
                "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint" }],
                "configPatches": [{ "applyTo": apply, "match": serde_json::from_str::<Value>(route).unwrap(), "patch": patch }],
            },
        });
        let found = crate::findings(&format!("{GOOD}---\n{text}\n"));
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        found.iter().map(|it| (text(it, "check"), text(it, "path"))).collect::<Vec<_>>()
    };
    let says = |name: &str, entry: Value| json!({ "typed_per_filter_config": { name: entry } });
    let path = |inner: &str, name: &str| format!("spec.configPatches[0].patch.value.{inner}typed_per_filter_config.{name}");
    let hosts = |inner: Value| json!({ "virtual_hosts": [{ "routes": [inner] }] });
    let inner = "virtual_hosts[0].routes[0].";
    let (all, none) = (r#"{"context":"SIDECAR_INBOUND"}"#, "{}");
    let (off_here, unguarded) = (("filter-disabled", ""), ("worker-unguarded", ""));
    let direct = r#"{"routeConfiguration":{"vhost":{"route":{"action":"DIRECT_RESPONSE"}}}}"#;
    let answers = json!({ "direct_response": { "status": 200 }, "typed_per_filter_config": { plugin: off() } });
    let guard = "tools-authz-guard";
    let record = "wasm.wardpoint_mcp_authz";
    for (apply, route, operation, value, wanted) in [
        ("HTTP_ROUTE", all, "MERGE", says(plugin, off()), Some((off_here, plugin))),
        ("VIRTUAL_HOST", none, "MERGE", says(plugin, off()), Some((off_here, plugin))),
        ("ROUTE_CONFIGURATION", r#"{"context":"ANY"}"#, "MERGE", says(plugin, off()), Some((off_here, plugin))),
        ("ROUTE_CONFIGURATION", none, "MERGE", hosts(says(plugin, off())), Some((("filter-disabled", inner), plugin))),
        ("HTTP_ROUTE", none, "INSERT_FIRST", says(plugin, off()), Some((off_here, plugin))),
        ("HTTP_ROUTE", none, "INSERT_FIRST", answers, None),
        ("HTTP_ROUTE", direct, "MERGE", says(plugin, off()), None),
        ("HTTP_ROUTE", r#"{"context":"SIDECAR_OUTBOUND"}"#, "MERGE", says(plugin, off()), None),
        ("HTTP_ROUTE", all, "REMOVE", says(plugin, off()), None),
        ("CLUSTER", all, "MERGE", says(plugin, off()), None),
        ("HTTP_ROUTE", all, "MERGE", says(plugin, on()), None),
        ("HTTP_ROUTE", all, "MERGE", says("elsewhere", off()), None),
        ("HTTP_ROUTE", all, "MERGE", says(guard, off()), Some((unguarded, guard))),
        ("HTTP_ROUTE", all, "MERGE", says(guard, json!({ "@type": RBAC })), Some((unguarded, guard))),
        (
            "HTTP_ROUTE",
            all,
            "MERGE",
            says(guard, json!({ "@type": FILTER, "config": asking("wasm.other") })),
            Some((unguarded, guard)),
        ),
        ("HTTP_ROUTE", all, "MERGE", says(guard, asking(record)), None),
        ("HTTP_ROUTE", all, "MERGE", says(guard, on()), None),
    ] {
        let found = filter("tools", apply, route, operation, value.clone());
        let wanted: Vec<_> = wanted.into_iter().map(|((check, inner), name)| (check.to_owned(), path(inner, name))).collect();
        assert_eq!(found, wanted, "{apply} {route} {operation} {value}");
        // Another waypoint's.
        assert_eq!(filter("other", apply, route, operation, value), []);
    }
}

/// Of two that ask one is enough; of two guards that one patch switches off none is left.
#[test]
fn one_guard_that_is_left_is_enough() {
    let (name, patch) = ("name: tools-authz-guard\n", "  - applyTo: HTTP_FILTER\n");
    let second = |names: &[&str]| {
        let (above, below) = GOOD.split_once(name).unwrap();
        let (before, from) = above.rsplit_once(patch).unwrap();
        let (to, behind) = below.split_once(patch).unwrap();
        let own = |name: &str| format!("{patch}{from}{name}{to}");
        let both = format!("{before}{}{}{patch}{behind}", own("name: second-guard\n"), own(name));
        let off: String = names.iter().map(|name| format!("          {name}: {}\n", off())).collect();
        let member = "        typed_per_filter_config:\n";
        crate::findings(&both.replace(member, &format!("{member}{off}")))
    };
    assert_eq!(second(&["tools-authz-guard"]), Vec::<Value>::new());
    assert_eq!(second(&["second-guard"]), Vec::<Value>::new());
    let found = second(&["tools-authz-guard", "second-guard"]);
    assert!(found.len() == 1 && found.iter().all(|it| it["check"] == "worker-unguarded"), "{found:#?}");
}
