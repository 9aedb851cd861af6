//! The compiled plugins on a host that fails: no call's status makes them trap, and what was to be refused never passes.
//! And what of a body they are shown, which the host tells in two ways.
#![expect(clippy::unwrap_used, reason = "the machinery of a test: it fails by panicking")]

mod raw_vm;

use std::collections::BTreeMap;

use raw_vm::{Host, Plugin, Vm};

/// All statuses of the ABI (0: the host says "done" and did nothing), and one that it does not have.
const STATUSES: std::ops::RangeInclusive<u32> = 0..=13;
const UNKNOWN: u32 = 4242;

const AGENT: &str = "spiffe://cluster.local/ns/agents/sa/planner";
/// `HOLD` is `true` or `false`.
const POLICY: &str = r#"{"version":1,"hostProfile":{"holdHeaders":HOLD},"identity":{"direction":"inbound","peer":"waypoint"},
    "rules":[{"id":"reads","allow":{"agents":["spiffe://cluster.local/ns/agents/sa/planner"],"user":"none","tools":["read_file"]}}]}"#;

/// A secret stands in the environment.
const EXCHANGE: &str = r#"{"version":1,"identity":{"direction":"outbound","peer":"waypoint","claims":{"provider":"payload"}},"audiences":["gate"],
    "servers":[{"name":"idp","profile":"keycloak","issuer":"https://idp.example.com",
        "token":{"cluster":"idp","authority":"idp.example.com","path":"/token"},"client":{"of":"gate","id":"planner"},
        "clients":[{"id":"planner","auth":{"method":"client_secret_basic","secret":{"env":"PLANNER_SECRET"}}}]}],
    "routes":[{"host":"tools","server":"idp","audience":"tools","scopes":["files:read"]}]}"#;

/// What became of a request.
#[derive(Debug, Eq, PartialEq)]
enum End {
    /// The upstream got all of it.
    Passed,
    /// The client got this status.
    Answered(i32),
    /// It was reset.
    Closed,
    /// The proxy still holds it.
    Held,
}

fn call_of(tool: &str) -> Host {
    held_call_of(tool, false)
}

/// The same on a host that delivers bodies while headers are held, and a policy that makes use of it.
fn held_call_of(tool: &str, holds_headers: bool) -> Host {
    let headers = [(":method", "POST"), (":path", "/mcp"), (":authority", "tools"), ("content-type", "application/json")];
    Host {
        configuration: POLICY.replace("HOLD", if holds_headers { "true" } else { "false" }).into(),
        holds_headers,
        request: headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect(),
        response: vec![(b":status".to_vec(), b"200".to_vec())],
        body: format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#).into_bytes(),
        properties: BTreeMap::from([(b"filter_state\0io.istio.peer_principal".to_vec(), AGENT.into())]),
        ..Host::default()
    }
}

fn scripted(script: &str) -> Host {
    let mut host = call_of("read_file");
    host.configuration = br#"{"holdHeaders": false}"#.to_vec();
    host.request.push((b"x-probe".to_vec(), script.into()));
    host
}

/// A request with all its callbacks; `faults` begin after the configuration.
fn exchange(plugin: &Plugin, mut host: Host, faults: BTreeMap<String, u32>) -> (End, Vm) {
    host.faults = BTreeMap::new();
    let size = i32::try_from(host.configuration.len()).unwrap();
    let mut vm = plugin.start(host);
    assert_eq!(vm.call("proxy_on_configure", &[1, size]), 1, "{:?}", vm.host().log);
    vm.host().faults = faults;
    let end = play(&mut vm);
    (end, vm)
}

fn play(vm: &mut Vm) -> End {
    let size = i32::try_from(vm.host().body.len()).unwrap();
    vm.call("proxy_on_context_create", &[2, 1]);
    let mut held = vm.call("proxy_on_request_headers", &[2, 4, 0]) != 0;
    vm.call("proxy_on_http_call_response", &[1, 1, 1, 0, 0]);
    vm.call("proxy_on_grpc_receive", &[1, 1, 0]);
    if !held || vm.host().resumed || vm.host().holds_headers {
        vm.host().resumed = false;
        held = vm.call("proxy_on_request_body", &[2, size, 1]) != 0;
        vm.call("proxy_on_http_call_response", &[1, 2, 1, 0, 0]);
        vm.call("proxy_on_tick", &[1]);
    }
    let host = vm.host();
    let end = match (host.answered, host.closed) {
        (Some(status), _) => End::Answered(status),
        (None, true) => End::Closed,
        (None, false) if held && !host.resumed => End::Held,
        (None, false) => End::Passed,
    };
    if end == End::Passed {
        vm.call("proxy_on_response_headers", &[2, 1, 0]);
        vm.call("proxy_on_response_body", &[2, 0, 1]);
    }
    vm.call("proxy_on_log", &[2]);
    vm.call("proxy_on_delete", &[2]);
    end
}

/// Every call with every status, one at a time, then all calls at once.
fn every_fault(plugin: &Plugin) -> Vec<(String, u32)> {
    let statuses = || STATUSES.chain([UNKNOWN]);
    let mut calls = plugin.calls();
    calls.push("*".into());
    calls.iter().flat_map(|call| statuses().map(move |status| (call.clone(), status))).collect()
}

#[test]
fn without_faults_the_policy_decides() {
    let plugin = Plugin::load("mcp-authz");
    for holds_headers in [false, true] {
        assert_eq!(exchange(&plugin, held_call_of("read_file", holds_headers), BTreeMap::new()).0, End::Passed);
    }
    let (end, mut vm) = exchange(&plugin, call_of("delete_repo"), BTreeMap::new());
    assert_eq!(end, End::Answered(403));
    let audits = vm.host().log.iter().filter(|line| line.starts_with("wardpoint.audit ")).count();
    assert_eq!(audits, 1, "one record a decision: {:?}", vm.host().log);
}

#[test]
fn no_fault_lets_a_refused_call_through() {
    let plugin = Plugin::load("mcp-authz");
    for (call, status) in every_fault(&plugin) {
        for holds_headers in [false, true] {
            let host = held_call_of("delete_repo", holds_headers);
            let (end, mut vm) = exchange(&plugin, host, BTreeMap::from([(call.clone(), status)]));
            assert_ne!(end, End::Passed, "{call} gave {status}, hold {holds_headers}: {:?}", vm.host().called);
        }
    }
}

#[test]
fn what_a_decision_needs_must_work_for_a_call_to_pass() {
    let needed =
        ["proxy_get_buffer_bytes", "proxy_get_current_time_nanoseconds", "proxy_get_header_map_pairs", "proxy_get_property"];
    let spare = ["proxy_log", "proxy_set_property", "proxy_define_metric", "proxy_increment_metric"];
    let plugin = Plugin::load("mcp-authz");
    for (call, status) in every_fault(&plugin) {
        let (end, _) = exchange(&plugin, call_of("read_file"), BTreeMap::from([(call.clone(), status)]));
        // A clock that says "done" and gives nothing is the year 1970: what is decided here does not depend on time.
        if needed.contains(&call.as_str()) && (call.as_str(), status) != ("proxy_get_current_time_nanoseconds", 0) {
            assert_ne!(end, End::Passed, "{call} gave {status}");
        }
        if spare.contains(&call.as_str()) {
            assert_eq!(end, End::Passed, "{call} gave {status}");
        }
    }
}

#[test]
fn no_fault_lets_anything_through_that_the_probe_refuses() {
    let plugin = Plugin::load("probe");
    for script in [
        "requestHeaders=setHeader:x-a=b;requestHeaders=removeHeader:x-b;requestHeaders=deny",
        "requestHeaders=callOut:oracle;callout=deny",
        "requestHeaders=callOutShared:oracle;callout=deny",
        "requestHeaders=callOutGrpc:oracle;callout=deny",
        "requestBody=callOut:oracle;callout=replaceBody:x;callout=deny",
        "requestHeaders=sharedSet:k=v;requestHeaders=sharedGet:k;requestHeaders=random;requestEnd=deny",
        "requestEnd=allow;requestEnd=reset",
    ] {
        assert_ne!(exchange(&plugin, scripted(script), BTreeMap::new()).0, End::Passed, "{script}");
        for (call, status) in every_fault(&plugin) {
            let (end, mut vm) = exchange(&plugin, scripted(script), BTreeMap::from([(call.clone(), status)]));
            assert_ne!(end, End::Passed, "{script}: {call} gave {status}: {:?}", vm.host().called);
        }
    }
}

#[test]
fn an_edit_that_fails_keeps_the_request() {
    let plugin = Plugin::load("probe");
    for (call, script) in [
        ("proxy_replace_header_map_value", "requestHeaders=setHeader:authorization=issued"),
        ("proxy_remove_header_map_value", "requestHeaders=removeHeader:authorization"),
        ("proxy_set_buffer_bytes", "requestBody=hold;requestEnd=replaceBody:clean"),
    ] {
        assert_eq!(exchange(&plugin, scripted(script), BTreeMap::new()).0, End::Passed, "{script}");
        for status in STATUSES.skip(1).chain([UNKNOWN]) {
            // What is not there need not be removed.
            let gone = call == "proxy_remove_header_map_value" && status == 1;
            let (end, _) = exchange(&plugin, scripted(script), BTreeMap::from([(call.to_owned(), status)]));
            assert_eq!(end, if gone { End::Passed } else { End::Answered(500) }, "{script}: {call} gave {status}");
        }
    }
}

#[test]
fn a_body_that_cannot_be_read_does_not_pass() {
    let plugin = Plugin::load("probe");
    let script = "requestBody=hold;requestEnd=allow";
    assert_eq!(exchange(&plugin, scripted(script), BTreeMap::new()).0, End::Passed);
    for status in STATUSES.chain([UNKNOWN]) {
        let (end, _) = exchange(&plugin, scripted(script), BTreeMap::from([("proxy_get_buffer_bytes".to_owned(), status)]));
        assert_eq!(end, End::Answered(500), "status {status}");
    }
}

/// What the proxy holds at each body callback, and the sizes that the filter was shown. The sizes are those that the probe
/// logs under Envoy for a body that comes as `a`, `bcd`, end.
#[test]
fn only_new_bytes_are_shown() {
    let plugin = Plugin::load("probe");
    for (script, callbacks, shown) in [
        // Nothing is held: each callback has its own bytes.
        ("requestBody=continue", [("a", 0), ("bcd", 0), ("", 1)], [1, 3, 0]),
        // Held: the buffer grows.
        ("requestBody=hold", [("a", 0), ("abcd", 0), ("abcd", 1)], [1, 3, 0]),
        // Held and replaced: what grows is our text.
        ("requestBody=hold;requestBody=replaceBody:xyz", [("a", 0), ("xyzbcd", 0), ("xyz", 1)], [1, 3, 0]),
        // Held for a reply that then lets it go.
        ("requestBody=callOut:oracle;callout=continue", [("a", 0), ("bcd", 0), ("", 1)], [1, 3, 0]),
    ] {
        let host = scripted(script);
        let size = i32::try_from(host.configuration.len()).unwrap();
        let mut vm = plugin.start(host);
        vm.host().response = vec![(b":status".to_vec(), b"200".to_vec())];
        assert_eq!(vm.call("proxy_on_configure", &[1, size]), 1);
        vm.call("proxy_on_context_create", &[2, 1]);
        assert_eq!(vm.call("proxy_on_request_headers", &[2, 4, 0]), 0, "{script}");
        for (token, (holds, end)) in (1..).zip(callbacks) {
            vm.host().body = holds.into();
            vm.call("proxy_on_request_body", &[2, i32::try_from(holds.len()).unwrap(), end]);
            vm.call("proxy_on_http_call_response", &[1, token, 1, 0, 0]);
        }
        let lines = vm.host().log.iter().filter_map(|line| line.strip_prefix("probe.trace requestBody size="));
        let sizes: Vec<i32> = lines.filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
        assert_eq!(sizes, shown, "{script}");
        assert_eq!(vm.host().answered, None, "{script}");
    }
}

#[test]
fn a_buffer_that_shrinks_while_it_is_held_is_refused() {
    let plugin = Plugin::load("probe");
    let host = scripted("requestBody=hold");
    let size = i32::try_from(host.configuration.len()).unwrap();
    let mut vm = plugin.start(host);
    vm.call("proxy_on_configure", &[1, size]);
    vm.call("proxy_on_context_create", &[2, 1]);
    vm.call("proxy_on_request_headers", &[2, 4, 0]);
    assert_eq!(vm.call("proxy_on_request_body", &[2, 70, 0]), 1);
    assert_eq!(vm.call("proxy_on_request_body", &[2, 3, 1]), 1);
    assert_eq!(vm.host().answered, Some(500));
}

#[test]
fn a_proxy_that_fails_while_a_plugin_is_configured_gets_one_that_lets_nothing_pass() {
    let plugin = Plugin::load("mcp-authz");
    for (call, status) in every_fault(&plugin) {
        let mut host = call_of("read_file");
        host.faults = BTreeMap::from([(call.clone(), status)]);
        let mut vm = plugin.start(host);
        let size = i32::try_from(vm.host().configuration.len()).unwrap();
        let started = vm.call("proxy_on_configure", &[1, size]) == 1;
        // Status 0 and no bytes: an empty configuration, which is an error in it.
        let empty = ["*", "proxy_get_buffer_bytes"].contains(&call.as_str()) && status == 0;
        assert_eq!(started, !empty, "{call} gave {status}");
        vm.host().faults.clear();
        let failed =
            ["*", "proxy_get_buffer_bytes", "proxy_set_tick_period_milliseconds"].contains(&call.as_str()) && status != 0;
        if failed || empty {
            assert_ne!(play(&mut vm), End::Passed, "{call} gave {status}, and requests pass");
        }
    }
}

#[test]
fn a_proxy_that_cannot_say_what_is_set_gets_a_plugin_that_lets_nothing_pass() {
    let plugin = Plugin::load("token-exchange");
    for (fault, starts) in [(None, false), (Some("environ_sizes_get"), true)] {
        let mut host = call_of("read_file");
        host.configuration = EXCHANGE.into();
        host.faults = fault.map(|call| (call.to_owned(), 8)).into_iter().collect();
        let mut vm = plugin.start(host);
        let size = i32::try_from(vm.host().configuration.len()).unwrap();
        assert_eq!(vm.call("proxy_on_configure", &[1, size]) == 1, starts, "{:?}", vm.host().log);
        let log = vm.host().log.join("\n");
        assert!(log.contains("PLANNER_SECRET") && log.contains("Every request is refused") == starts, "{log}");
        vm.host().faults.clear();
        assert_eq!(play(&mut vm), End::Answered(500));
    }
}

#[test]
fn header_bytes_of_any_kind_are_only_bytes() {
    let plugin = Plugin::load("mcp-authz");
    let bytes: Vec<u8> = (0x80..=0xff).collect();
    for index in 0..call_of("").request.len() {
        let mut host = call_of("delete_repo");
        host.request[index].1 = bytes.clone();
        assert_ne!(exchange(&plugin, host, BTreeMap::new()).0, End::Passed, "value {index}");
        let mut host = call_of("delete_repo");
        host.request[index].0 = bytes.clone();
        assert_ne!(exchange(&plugin, host, BTreeMap::new()).0, End::Passed, "name {index}");
    }
    let mut host = call_of("read_file");
    host.request.push((b"x-\xff".to_vec(), bytes));
    assert_eq!(exchange(&plugin, host, BTreeMap::new()).0, End::Passed, "a header that decides nothing");
}

#[test]
fn callbacks_out_of_order_are_survived() {
    let callbacks: [(&str, &[i32]); 14] = [
        ("proxy_on_request_headers", &[4, 0]),
        ("proxy_on_request_body", &[70, 0]),
        ("proxy_on_request_body", &[70, 1]),
        ("proxy_on_request_body", &[3, 0]),
        ("proxy_on_request_trailers", &[1]),
        ("proxy_on_response_headers", &[1, 0]),
        ("proxy_on_response_body", &[70, 0]),
        ("proxy_on_response_trailers", &[1]),
        ("proxy_on_http_call_response", &[99, 3, 10, 0]),
        ("proxy_on_grpc_receive", &[99, 10]),
        ("proxy_on_grpc_close", &[99, 14]),
        ("proxy_on_tick", &[]),
        ("proxy_on_log", &[]),
        ("proxy_on_delete", &[]),
    ];
    for name in ["mcp-authz", "probe"] {
        let plugin = Plugin::load(name);
        let configured = || {
            let host = if name == "probe" { scripted("requestHeaders=deny") } else { call_of("delete_repo") };
            let size = i32::try_from(host.configuration.len()).unwrap();
            let mut vm = plugin.start(host);
            assert_eq!(vm.call("proxy_on_configure", &[1, size]), 1);
            vm.call("proxy_on_context_create", &[2, 1]);
            vm
        };
        // Every pair of callbacks in both orders, on an exchange, on the root, and on a context that never was.
        for first in callbacks {
            for second in callbacks {
                for context in [2, 1, 77] {
                    let mut vm = configured();
                    for (callback, rest) in [first, second, first] {
                        let arguments: Vec<i32> = [context].iter().chain(rest).copied().collect();
                        let answer = vm.call(callback, &arguments);
                        let of_request = callback.starts_with("proxy_on_request");
                        // Nothing of a request that was not allowed goes on; the headers do where they cannot be held.
                        let headers = callback == "proxy_on_request_headers" && context == 2 && name == "mcp-authz";
                        let host = vm.host();
                        assert!(
                            !of_request || headers || answer == 1 || host.answered.is_some() || host.closed,
                            "{name}: {callback} on {context} after {first:?} {second:?} went on"
                        );
                    }
                }
            }
        }
    }
}
