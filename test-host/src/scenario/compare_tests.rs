use std::path::Path;

use serde_json::json;

use super::*;
use crate::scenario::invariants::broken;
use crate::scenario::{Case, Expectations, Profile, parse};
use crate::transcript::Places;

fn case(fields: &str, expect: &str) -> Case {
    let text = format!("plugin: p\nconfig: {{}}\ncases:\n- name: n\n  {fields}\n  expect: {{{expect}}}\n");
    parse(Path::new("s.yaml"), text, Expectations::Required).unwrap().cases.remove(0)
}

fn differences(expect: &str, seen: &Transcript) -> Vec<String> {
    let case = case("request: {body: {a: 1}}", expect);
    let found = compare(case.expected(Profile::Hold).unwrap(), &case, seen);
    found.into_iter().map(|m| format!("{} {}: {} / {}", m.place, m.path, m.expected, m.seen)).collect()
}

fn seen(status: u16, body: &str) -> Transcript {
    let client = ClientSaw {
        status: Some(status),
        headers: vec![("content-type".into(), "application/json".into()), ("x".into(), "1".into()), ("x".into(), "2".into())],
        body: body.into(),
        end: Ending::Complete,
    };
    Transcript { client, ..Transcript::default() }
}

#[test]
fn json_bodies_are_subsets() {
    let seen = seen(403, r#"{"id": 1, "error": {"code": -32003, "message": "no", "list": [1, {"a": 1, "b": 2}]}}"#);
    let with = |body: &str| differences(&format!("client: {{status: 403, body: {body}}}, upstream: nothing, audit: []"), &seen);
    let none: [&str; 0] = [];
    assert_eq!(with("{error: {code: -32003, list: [1, {a: 1}]}}"), none);
    assert_eq!(with("{error: {message: {matches: ^n}, nothing: {absent: true}}}"), none);
    assert_eq!(with("{error: {code: 5}}"), ["6:55 client.body.error.code: 5 / -32003"]);
    assert_eq!(with("{error: {message: {absent: true}}}").len(), 1);
    assert_eq!(with("{error: {more: 5}}"), ["6:49 client.body.error.more: 5 / absent"]);
    assert_eq!(with("{error: {list: [1]}}").len(), 1, "arrays have their exact length");
    assert_eq!(with("\"{}\"").len(), 1, "a string is exact");
    assert_eq!(with("{contains: '-32003'}"), none);
}

#[test]
fn headers_status_and_end_are_compared() {
    let seen = seen(200, "");
    let none: [&str; 0] = [];
    assert_eq!(
        differences("client: {status: 200, headers: {X: ['1', '2'], y: null}}, upstream: nothing, audit: []", &seen),
        none
    );
    assert_eq!(
        differences(
            "client: {status: 401, end: reset, headers: {x: '1', content-type: null}}, upstream: nothing, audit: [{}]",
            &seen
        ),
        [
            "6:20 client.status: 401 / 200",
            "6:20 client.end: reset / complete",
            "6:56 client.headers.x: 1 / 1\n2",
            "6:64 client.headers.content-type: absent / application/json",
            "6:112 audit: [\n  {}\n] / []",
        ]
    );
}

#[test]
fn what_is_not_stated_must_be_unchanged() {
    let mut seen = seen(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    let upstream = |body: &str| UpstreamSaw::Complete { headers: vec![], body: body.into() };
    let expect = "client: {status: 200}, upstream: unchanged, audit: []";
    seen.upstream = upstream(r#"{"a":1}"#);
    assert_eq!(differences(expect, &seen), Vec::<String>::new());
    seen.upstream = upstream(r#"{"a": 1}"#);
    assert_eq!(differences(expect, &seen).len(), 1);
    seen.upstream = UpstreamSaw::Nothing;
    assert_eq!(differences(expect, &seen), ["6:45 upstream: a complete request / nothing"]);
    seen.upstream = upstream(r#"{"a":1}"#);
    seen.client.body.push(b' ');
    assert_eq!(differences(expect, &seen).len(), 1);
    seen.client.body.pop();
    seen.callouts.push(Called::default());
    assert_eq!(differences(expect, &seen).len(), 1, "calls that nobody expects are a difference");
}

#[test]
fn events_are_compared_one_by_one() {
    let seen = seen(200, "event: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n: c\r\n\r\ndata: x\r\rid");
    let with =
        |sse: &str| differences(&format!("client: {{status: 200, body: {{sse: {sse}}}}}, upstream: nothing, audit: []"), &seen);
    assert_eq!(with("[{event: message, data: {a: 1}}, {data: x}, {id: ''}]"), Vec::<String>::new());
    assert_eq!(with("[{data: {a: 1}}, {data: y}, {id: ''}]").len(), 2);
    assert_eq!(with("[{data: {a: 1}}]").len(), 1);
}

#[test]
fn invariants_hold_for_every_exchange() {
    let case = case(
        "request: {headers: {authorization: Bearer secret-secret}}",
        "client: {status: 200}, upstream: unchanged, audit: []",
    );
    let none = Vec::<String>::new();
    let good = seen(200, "");
    assert_eq!(broken(&case, false, &good), none);
    let trap = Transcript { trapped: Some("unreachable".into()), ..good.clone() };
    assert_eq!(broken(&case, false, &trap), ["the plugin trapped: unreachable"]);
    let hang = Transcript::default();
    assert_eq!(broken(&case, false, &hang).len(), 1);
    assert_eq!(broken(&case, true, &hang), none);
    let unaudited = Transcript { upstream: UpstreamSaw::Complete { headers: vec![], body: vec![] }, ..good.clone() };
    assert_eq!(broken(&case, false, &unaudited), ["a request reached the upstream without an audit record"]);
    let leak = Transcript { log: vec!["token secret-secret".into()], ..good.clone() };
    assert_eq!(broken(&case, false, &leak), ["a secret of the case is in 1 log lines and 0 audit records"]);
    let mut record = json!({"v": 1, "plugin": "probe", "policy": {"name": "", "digest": format!("sha256:{}", "0".repeat(64))},
        "trace": null, "request": "r", "subject": null, "agent": null, "actors": [], "action": null, "resource": null,
        "decision": "allow", "reason": null, "rule": null, "tier": null, "mode": "enforce", "late": false});
    let good = Transcript { places: Places { log: 1, access_log: 1 }, ..good };
    assert_eq!(broken(&case, false, &Transcript { audit: vec![record.clone()], ..good.clone() }), none);
    let half = Transcript { places: Places { log: 1, access_log: 0 }, audit: vec![record.clone()], ..good.clone() };
    assert_eq!(broken(&case, false, &half).len(), 1, "one went to one place only");
    record["action"] = json!("x secret-secret");
    record["more"] = json!(1);
    assert_eq!(broken(&case, false, &Transcript { audit: vec![record], ..good }).len(), 2);
}
