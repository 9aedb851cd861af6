use super::*;
use serde_json::json;

use crate::scenario::message::body;

const CASE: &str = r#"
plugin: mcp-authz
config: {version: 1, rules: [{id: a}], limits: {maxBodyBytes: 10}}
cases:
  - name: a tool outside the list is refused
    cites: [MCP-Z-01]
    peer: spiffe://cluster.local/ns/agents/sa/planner
    claims: {sub: alice}
    config: {limits: null, mode: observe}
    request:
      headers: {":path": /other, authorization: "Bearer canary-canary", accept: null, x-two: [a, b], x-raw: {base64: "/w=="}}
      body: {jsonrpc: "2.0", id: 7, method: tools/call}
    expect:
      client: {status: 403}
      upstream: nothing
      audit: [{decision: deny}]
      noHold: {upstream: unchanged}
"#;

fn read(text: &str) -> Scenario {
    parse(Path::new("s.yaml"), text.to_owned(), Expectations::Required).unwrap()
}

fn problems(text: &str) -> String {
    parse(Path::new("s.yaml"), text.to_owned(), Expectations::Required).unwrap_err().to_string()
}

fn lines(sent: &Sent) -> Vec<String> {
    sent.headers.iter().map(|(n, v)| format!("{}: {}", n.escape_ascii(), v.escape_ascii())).collect()
}

#[test]
fn a_case_is_complete() {
    let scenario = read(CASE);
    let case = &scenario.cases[0];
    assert_eq!(
        lines(&case.exchange.request),
        [
            ":method: POST",
            ":scheme: https",
            ":authority: tools.example",
            ":path: /other",
            "authorization: Bearer canary-canary",
            "x-two: a",
            "x-two: b",
            "x-raw: \\xff",
            "content-type: application/json",
            "content-length: 46",
        ]
    );
    assert_eq!(case.exchange.request.chunks, [br#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#.to_vec()]);
    let answer = case.exchange.upstream.as_ref().unwrap();
    assert_eq!(answer.chunks, [br#"{"jsonrpc":"2.0","id":7,"result":{}}"#.to_vec()]);
    assert_eq!(case.config, json!({"version": 1, "rules": [{"id": "a"}], "mode": "observe"}));
    assert_eq!(case.canaries, ["canary-canary"]);
    assert!(matches!(case.expect.hold.as_ref().unwrap().upstream.kind, expect::UpstreamKind::Nothing));
    assert!(matches!(case.expect.no_hold.as_ref().unwrap().upstream.kind, expect::UpstreamKind::Complete(..)));
    assert_eq!(scenario.text.get(case.span.expect_key.clone().unwrap()), Some("expect"));
}

#[test]
fn every_problem_has_its_line_and_says_what_to_do() {
    let text = r#"plugin: mcp-authz
config: {}
cases:
  - name: x
    neds: [clock]
    needs: [clok]
    request: {header: {}, body: a, chunks: [b]}
    expect: {clinet: {status: 200}, upstream: unchaned}
  - name: x
    time: 3
    upstream: {status: "200", headers: {a: true}}
    expect: {client: {}, upstream: nothing, audit: {}}
"#;
    assert_eq!(
        problems(text),
        "s.yaml:5:5: cases[0]: unknown field `neds`, did you mean `needs`?
s.yaml:6:13: cases[0].needs[0]: unknown word `clok`, did you mean `clock`?
s.yaml:7:15: cases[0].request: unknown field `header`, did you mean `headers`?
s.yaml:7:44: cases[0].request.chunks: a message has `body` or `chunks`, not both
s.yaml:8:13: cases[0].expect: `audit` is missing: a list with one entry a record; `[]` if there is none, or run with --bless
s.yaml:8:13: cases[0].expect: `client` is missing: `{status, headers, body, end}`, `nothing` or `open`, or run with --bless
s.yaml:8:14: cases[0].expect: unknown field `clinet`, did you mean `client`?
s.yaml:9:5: cases[1].name: `x` is there twice
s.yaml:10:11: cases[1].time: expected a duration such as `250ms`, `2s` or `3m`
s.yaml:11:24: cases[1].upstream.status: expected an integer from 0, not a string
s.yaml:11:44: cases[1].upstream.headers.a: expected a string, a number, a list of them, `{base64: …}`, `{bearer: claims}`, or null to leave it out, not a boolean
s.yaml:12:22: cases[1].expect.client: `status` is missing; `client: nothing` if there must be no answer
s.yaml:12:52: cases[1].expect.audit: expected a list, not a mapping"
    );
}

#[test]
fn bodies_have_many_forms() {
    for (form, want) in [
        ("{b: 1, a: [x]}", r#"{"b":1,"a":["x"]}"#),
        ("'{ \"a\" :1}'", r#"{ "a" :1}"#),
        ("{base64: \"AAE=\"}", "\0\u{1}"),
        ("{text: ab, repeat: 3}", "ababab"),
        ("{json: {text: ab}}", r#"{"text":"ab"}"#),
        ("{text: ab, b: 1}", r#"{"text":"ab","b":1}"#),
        ("[1]", "[1]"),
        (
            "{sse: [{event: e, id: 1, data: {a: 1}}, {comment: c}, {data: \"x\\ny\"}]}",
            "event: e\nid: 1\ndata: {\"a\":1}\n\n: c\n\ndata: x\ndata: y\n\n",
        ),
    ] {
        let mut problems = Problems::default();
        let bytes = body(&yaml::parse(form).unwrap(), "", &mut problems);
        assert_eq!(String::from_utf8(bytes).unwrap(), want, "{form}");
        assert!(problems.is_empty(), "{form}");
    }
}

#[test]
fn an_event_stream_has_no_length_and_its_own_type() {
    let scenario = read(&CASE.replace("    expect:", "    upstream: {body: {sse: [{data: x}]}}\n    expect:"));
    assert_eq!(lines(scenario.cases[0].exchange.upstream.as_ref().unwrap()), [":status: 200", "content-type: text/event-stream"]);
}

#[test]
fn merges_as_rfc_7396_section_3_says() {
    for (target, patch, want) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": "foo"}), json!(["bar"]), json!(["bar"])),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ] {
        let mut target = target;
        merge(&mut target, &patch);
        assert_eq!(target, want);
    }
}

#[test]
fn services_answer_in_the_order_of_all_calls_or_each_for_itself() {
    let exchange = |callouts: &str| {
        let text = CASE.replace("    expect:", &format!("    callouts: {callouts}\n    expect:"));
        read(&text).cases.remove(0).exchange
    };
    let mut callouts = exchange("[reset, {status: 201}]").callouts;
    assert!(matches!(callouts.next("a"), Some(CalloutScript::Reset)));
    assert!(matches!(callouts.next("b"), Some(CalloutScript::Answer(sent, _)) if lines(&sent)[0] == ":status: 201"));
    let mut callouts = exchange("{idp: {body: {keys: []}}, sts: [reset], gone: noCluster}").callouts;
    for _ in 0..3 {
        assert!(matches!(callouts.next("idp"), Some(CalloutScript::Answer(sent, _)) if sent.chunks == [b"{\"keys\":[]}"]));
    }
    assert!(matches!((callouts.next("sts"), callouts.next("sts")), (Some(CalloutScript::Reset), None)));
    assert_eq!((callouts.is_always("idp"), callouts.is_always("sts"), callouts.is_missing("gone")), (true, false, Some(true)));
    let text = CASE.replace("    expect:", "    callouts: {status: 500, idp: rset}\n    expect:");
    assert_eq!(
        problems(&text),
        "s.yaml:13:24: cases[0].callouts.status: expected a mapping, not a number
s.yaml:13:34: cases[0].callouts.idp: unknown word `rset`, did you mean `reset`?"
    );
}

#[test]
fn a_second_plugin_is_told_what_it_is_and_what_it_is_not_played_with() {
    let chain = CASE.replace("cases:", "next: {plugin: token-exchange, config: {version: 1, mode: enforce}}\ncases:");
    let scenario = read(&chain.replace("    claims:", "    next: {mode: observe}\n    claims:"));
    assert_eq!(scenario.cases[0].next, Some(("token-exchange".to_owned(), json!({"version": 1, "mode": "observe"}))));
    let faults = problems(&chain.replace("    claims:", "    faults: {proxy_set_buffer_bytes: 2}\n    claims:"));
    assert!(faults.contains("`faults` is for a case with one plugin"), "{faults}");
    let none = problems(&CASE.replace("    claims:", "    next: {mode: observe}\n    claims:"));
    assert!(none.contains("names no plugin behind the first"), "{none}");
    let half = problems(&CASE.replace("cases:", "next: {plugin: token-exchange}\ncases:"));
    assert!(half.contains("a plugin behind the first is `{plugin: name, config: …}`"), "{half}");
}

#[test]
fn what_another_vm_would_serve_is_not_served_before() {
    let before = |exchange: &str| CASE.replace("    claims:", &format!("    before: [{exchange}]\n    claims:"));
    assert_eq!(read(&before("{peer: spiffe://a/b, http2: true, claims: {sub: bob}}")).cases[0].before.len(), 1);
    for (exchange, text) in [
        ("{}", "either it and the case have `peer`, or neither"),
        ("{peer: spiffe://a/b, bufferLimit: 4096}", "`bufferLimit` must be that of the case"),
        ("{peer: spiffe://a/b, request: {body: a, trailers: {x: y}}}", "either it and the case have `trailers`, or neither"),
        ("{peer: spiffe://a/b, upstream: {body: a, trailers: {x: y}}}", "either it and the case have `trailers`, or neither"),
    ] {
        let want = format!("s.yaml:8:14: cases[0].before[0]: {text}: another VM would serve it");
        assert_eq!(problems(&before(exchange)), want, "{exchange}");
    }
}
