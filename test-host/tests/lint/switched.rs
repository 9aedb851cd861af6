//! What routes switch off or replace: in a dump, by what is closest to a request's way; in manifests, by what is merged into routes.

use serde_json::{Value, json};

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
        routes.pointer_mut(place).unwrap()["typed_per_filter_config"][*filter] = entry.clone();
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
