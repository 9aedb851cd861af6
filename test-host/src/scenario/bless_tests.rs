use std::path::Path;
use std::time::Duration;

use super::*;
use crate::scenario::cut::Cut;
use crate::scenario::{Expectations, parse};
use crate::transcript::ClientSaw;

const TEXT: &str = r#"# é: kept
plugin: p
config: {a: 1}     # kept
cases:
  - name: first
    request: {body: {id: 1}}
    expect:          # kept
      # lost: it stands inside
      client: {status: 200, body: {error: {code: 1, message: {contains: o}}}}
      upstream: nothing
      audit: [{decision: allow}]
    # kept too
  - name: second

    request: {body: {id: 2}}   # kept
  - {name: third, request: {}, expect: {client: open, upstream: nothing, audit: []}} # kept
"#;

fn line(case: usize, profile: Profile, status: u16, body: &str) -> Line {
    let client = ClientSaw { status: Some(status), body: body.into(), end: Ending::Complete, headers: Vec::new() };
    let audit = vec![json!({"decision": "deny", "reason": "no_user", "rule": null, "request": "r", "action": "tools/call"})];
    Line {
        scenario: 0,
        case,
        engine: "native".to_owned(),
        profile,
        plays: 1,
        took: Duration::ZERO,
        outcome: Outcome::Failed(Cut::AsWritten, Failure::Differs(Vec::new(), Vec::new())),
        seen: Some(Transcript { client, audit, ..Transcript::default() }),
    }
}

#[test]
fn only_the_expectations_change() {
    let scenario = parse(Path::new("s.yaml"), TEXT.to_owned(), Expectations::Open).unwrap();
    let body = r#"{"error":{"code":-32003,"message":"no","data":{"reason":"x","decisionId":"d"}}}"#;
    let mut lines = Vec::new();
    for case in 0..3 {
        lines.push(line(case, Profile::Hold, 403, body));
        lines.push(line(case, Profile::NoHold, 403, body));
    }
    lines[3].seen.as_mut().unwrap().upstream = UpstreamSaw::Partial { body: b"\xff".to_vec() };
    let blessed = bless(&scenario, 0, &lines);
    assert_eq!(blessed.refused, []);
    assert_eq!(blessed.written, ["first", "second", "third"]);
    assert_eq!(
        blessed.text,
        r#"# é: kept
plugin: p
config: {a: 1}     # kept
cases:
  - name: first
    request: {body: {id: 1}}
    expect:
      client: {status: 403, body: {error: {code: -32003, message: {contains: o}}}}
      upstream: nothing
      audit: [{decision: deny}]
    # kept too
  - name: second

    request: {body: {id: 2}}   # kept
    expect:
      client: {status: 403, body: {error: {code: -32003, message: "no", data: {reason: x}}}}
      upstream: nothing
      audit: [{decision: deny, reason: no_user, action: tools/call}]
      noHold: {upstream: {partial: {base64: "/w=="}}}
  - {name: third, request: {}, expect: {client: {status: 403, body: {error: {code: -32003, message: "no", data: {reason: x}}}}, upstream: nothing, audit: [{decision: deny, reason: no_user, action: tools/call}]}} # kept
"#
    );
}

#[test]
fn what_is_wrong_is_not_blessed() {
    let scenario = parse(Path::new("s.yaml"), TEXT.to_owned(), Expectations::Open).unwrap();
    let mut lines = vec![line(0, Profile::Hold, 403, ""), line(1, Profile::Hold, 403, ""), line(2, Profile::Hold, 403, "")];
    lines[0].outcome = Outcome::Failed(Cut::AsWritten, Failure::Differs(Vec::new(), vec!["the plugin trapped: x".to_owned()]));
    lines[1].outcome = Outcome::Failed(Cut::Bytes, Failure::Differs(Vec::new(), Vec::new()));
    lines[2].outcome = Outcome::Failed(Cut::AsWritten, Failure::Engines(String::new()));
    let blessed = bless(&scenario, 0, &lines);
    assert_eq!(blessed.text, TEXT);
    assert_eq!(blessed.refused.len(), 3);
    assert_eq!(blessed.refused[1].1, "what is seen depends on the cut (single bytes)");
}
