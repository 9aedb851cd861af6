//! Tokens and where they go: which copies of requests have one that was put in for somebody else, and who says where a request goes.

use serde_json::Value;

use crate::dump::{DUMP, findings as dumped};
use crate::{GOOD, findings};

const MIRROR: &str =
    "rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copies, port: 8080}}}], backendRefs";

/// A VirtualService that copies, with these hosts.
fn copied(hosts: &str) -> String {
    let own = "hosts: [elsewhere]\n  http: [{";
    assert_eq!(GOOD.matches(own).count(), 1);
    GOOD.replace(own, &format!("{hosts}\n  http: [{{mirrors: [{{destination: {{host: copies}}}}], "))
}

/// The checks that find something in a dump.
fn checks(dump: &str) -> Vec<String> {
    let (_, out, _) = dumped(dump, &["--format", "json", "--config-dump", "dump.json"]);
    let found: Vec<Value> = serde_json::from_str(&out).unwrap();
    found.iter().map(|it| it["check"].as_str().unwrap().to_owned()).collect()
}

/// Attached to a waypoint, the plugin puts tokens in for the services that its routes are bound to, or, by host, for any.
#[test]
fn a_route_that_is_bound_to_a_service_puts_tokens_in_for_that() {
    let narrow = "targetRefs: [{group: \"\", kind: Service, name: mcp-server}]\n  phase";
    let wide = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]\n  phase";
    assert_eq!(GOOD.matches(narrow).count(), 1);
    let mirrored = copied("hosts: [elsewhere]").replace(narrow, wide);
    let count = |text: &str| findings(text).iter().filter(|it| it["check"] == "token-mirrored").count();
    assert_eq!(count(&mirrored), 1);
    for (bound, copies) in [
        ("service: mcp-server.tools.svc.cluster.local", 0),
        ("upstreamCluster: \"inbound-vip|8080|http|mcp-server.tools.svc.cluster.local\"", 0),
        ("service: elsewhere.other.svc.cluster.local", 1),
        ("upstreamCluster: \"inbound-vip|8080|http|elsewhere.other.svc.cluster.local\"", 1),
        ("upstreamCluster: other", 1),
    ] {
        assert_eq!(
            count(&mirrored.replace("- {host: mcp-server.tools, server", &format!("- {{{bound}, server"))),
            copies,
            "{bound}"
        );
    }
}

#[test]
fn what_no_token_is_put_into_may_be_copied() {
    let mirrored = GOOD.replace("rules: [{backendRefs", MIRROR);
    assert_eq!(findings(&mirrored).len(), 1);
    let route = "- {host: mcp-server.tools, server: keycloak, audience: tools, scopes: [\"files:read\"]}";
    let parent = "parentRefs: [{kind: Service, group: \"\", name: mcp-server}]";
    for (from, to) in [
        (route, "- {host: mcp-server.tools, action: strip}"),
        (parent, "parentRefs: [{group: \"\", kind: Service, name: elsewhere, namespace: other}]"),
        (parent, "parentRefs: [{group: \"\", kind: Service, name: mcp-server, namespace: other}]"),
        (parent, "parentRefs: [{name: ingress}]"),
    ] {
        assert_eq!(mirrored.matches(from).count(), 1, "{from}");
        let found = findings(&mirrored.replace(from, to));
        assert!(found.iter().all(|it| it["check"] != "token-mirrored"), "{to}: {found:#?}");
    }
    // What is behind the waypoint and not the plugin's.
    assert_eq!(findings(&copied("hosts: [elsewhere]")), Vec::<Value>::new());
    // A VirtualService for a gateway, for another namespace's service of that name, for a name that only begins so.
    for to in [
        "hosts: [mcp-server.tools]\n  gateways: [other/ingress]",
        "hosts: [mcp-server]",
        "hosts: [mcp]",
        "hosts: [mcp-server.too]",
        "hosts: [\"*.other.svc.cluster.local\"]",
    ] {
        assert_eq!(findings(&copied(to)), Vec::<Value>::new(), "{to}");
    }
    let patch = "      value:\n        typed_per_filter_config:";
    let without = "      value:\n        route: {request_mirror_policies: [{cluster: copies, request_headers_mutations: [{remove: Authorization}]}]}\n        typed_per_filter_config:";
    assert_eq!(findings(&GOOD.replace(patch, without)), Vec::<Value>::new());
}

#[test]
fn a_finding_says_whose_tokens_go_where() {
    let found = findings(&copied("hosts: [mcp-server.tools]"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["text"], "copies of what WasmPlugin tools/exchange has put tokens into go to `copies`");
    assert_eq!(
        (&found[0]["object"], &found[0]["path"]),
        (&"VirtualService other/elsewhere".into(), &"spec.http[0].mirrors[0]".into())
    );
    assert!(found[0]["fix"].as_str().unwrap().starts_with("mirrors: []"), "{found:#?}");
}

#[test]
fn a_dump_shows_which_copies_have_a_token() {
    let dump = DUMP.parse::<Value>().unwrap().to_string();
    let policies = |own: &str| format!("\"request_mirror_policies\":[{{\"cluster\":\"copies\"{own}}}],\"virtual_hosts\":[");
    let all = dump.replace("\"virtual_hosts\":[", &policies(""));
    let found = |dump: &str| checks(dump).iter().filter(|check| *check == "token-mirrored").count();
    // Of three chains one has the plugin, and its routes are those that it asks for.
    assert_eq!(found(&all), 1);
    assert_eq!(found(&all.replace("\"route_config_name\":\"tools\"", "\"route_config_name\":\"more\"")), 0);
    assert_eq!(
        found(&dump.replace("\"virtual_hosts\":[", &policies(",\"request_headers_mutations\":[{\"remove\":\"authorization\"}]"))),
        0
    );
    assert_eq!(
        found(&dump.replace("\"virtual_hosts\":[", &policies(",\"request_headers_mutations\":[{\"remove\":\"x-other\"}]"))),
        1
    );
    let route = r#"\"server\":\"keycloak\",\"audience\":\"tools\",\"scopes\":[\"files:read\"]"#;
    assert_eq!(all.matches(route).count(), 1);
    assert_eq!(found(&all.replace(route, r#"\"action\":\"strip\""#)), 0);
    // A cluster that makes copies of what it gets: only where a route leads to it.
    let cluster = "v3.Cluster\",\"name\":\"outbound|443||idp.example.com\"";
    let copies = "v3.Cluster\",\"typed_extension_protocol_options\":{\"x\":{\"request_mirror_policies\":[{\"cluster\":\"copies\"}]}},\"name\":\"outbound|443||idp.example.com\"";
    let aside = dump.replace(cluster, copies);
    assert_eq!(found(&aside), 0);
    assert_eq!(found(&aside.replace("\"route\":{\"cluster\":\"tools\"", "\"route\":{\"cluster_header\":\"x-to\"")), 1);
    let weighted = "\"route\":{\"weighted_clusters\":{\"clusters\":[{\"name\":\"outbound|443||idp.example.com\",\"weight\":1}]}";
    assert_eq!(found(&aside.replace("\"route\":{\"cluster\":\"tools\"", weighted)), 1);
}

/// Where a header says where a request goes, tokens may go by that only.
#[test]
fn a_dump_shows_who_says_where_a_token_goes() {
    let dump = DUMP.parse::<Value>().unwrap().to_string();
    let (to, none) = (vec!["destination-chosen".to_owned()], Vec::<String>::new());
    // Both chains take such routes; one has the plugin.
    let header = dump.replace("\"route\":{\"cluster\":\"tools\"", "\"route\":{\"cluster_header\":\"x-to\"");
    assert_eq!(checks(&header), to);
    let route = r#"\"host\":\"tools.example.com\""#;
    assert_eq!(checks(&header.replace(route, r#"\"host\":\"tools.example.com\",\"upstreamCluster\":\"tools\""#)), none);
    assert_eq!(checks(&header.replace(route, r#"\"service\":\"idp.example.com\""#)), none);
    let weighted = "\"route\":{\"weighted_clusters\":{\"clusters\":[{\"cluster_header\":\"x-to\",\"weight\":1}]}";
    assert_eq!(checks(&dump.replace("\"route\":{\"cluster\":\"tools\"", weighted)), to);
    // An address in a header: a bound route says the cluster, not who is behind it.
    let cluster = "v3.Cluster\",\"name\":\"tools\"";
    let address =
        |own: &str| dump.replace(cluster, &format!("v3.Cluster\",\"original_dst_lb_config\":{{{own}}},\"name\":\"tools\""));
    let open = address("\"use_http_header\":true");
    assert_eq!(checks(&open.replace(route, r#"\"upstreamCluster\":\"tools\""#)), to);
    assert_eq!(checks(&address("\"use_http_header\":false")), none);
    assert_eq!(checks(&address("\"http_header_name\":\"x-to\"")), none);
    // A filter that puts its own value there, or takes the caller's away.
    let router = "{\"name\":\"envoy.filters.http.router\"";
    assert_eq!(open.matches(router).count(), 3);
    let with = |text: &str, mutation: &str| {
        let filter = format!(
            "{{\"name\":\"own\",\"typed_config\":{{\"@type\":\"x/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation\",\
             \"mutations\":{{\"request_mutations\":[{mutation}]}}}}}},{router}"
        );
        text.replace(router, &filter)
    };
    let own = |name: &str, action: &str| {
        format!("{{\"append\":{{\"header\":{{\"key\":\"{name}\",\"value\":\"127.0.0.1:1\"}},\"append_action\":\"{action}\"}}}}")
    };
    let name = "X-Envoy-Original-Dst-Host";
    assert_eq!(checks(&with(&open, &own(name, "OVERWRITE_IF_EXISTS_OR_ADD"))), none);
    assert_eq!(checks(&with(&open, &format!("{{\"remove\":\"{name}\"}}"))), none);
    assert_eq!(checks(&with(&open, &own(name, "ADD_IF_ABSENT"))), to);
    assert_eq!(checks(&with(&open, &own("x-other", "OVERWRITE_IF_EXISTS_OR_ADD"))), to);
    let named = address("\"use_http_header\":true,\"http_header_name\":\"x-to\"");
    assert_eq!(checks(&with(&named, &own("x-to", "OVERWRITE_IF_EXISTS_OR_ADD"))), none);
    assert_eq!(checks(&with(&named, &own(name, "OVERWRITE_IF_EXISTS_OR_ADD"))), to);
    // The route is taken before a filter can say otherwise.
    assert_eq!(checks(&with(&header, &own("x-to", "OVERWRITE_IF_EXISTS_OR_ADD"))), to);
}
