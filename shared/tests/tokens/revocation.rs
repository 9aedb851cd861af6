//! The kill switch: within its time nothing of a suspended user, agent or client passes, remembered or not.

use serde_json::{Value, json};
use wardpoint_core::filter::CalloutError;
use wardpoint_core::identity::revocation::schema;
use wardpoint_core::time::{Duration, Timestamp};

use crate::signers::with;
use crate::world::{SECS, World, inline, token};

const SECOND: Duration = Duration::from_secs(1);

fn config(settings: Value) -> Value {
    let list = json!({"cluster": "status", "authority": "status.example", "path": "/revoked"});
    let revocation = with(json!({"list": list, "poll": "10s", "within": "30s"}), settings);
    with(inline(json!({})), json!({"revocation": revocation}))
}

fn list(issued: u64, revoked: Value) -> String {
    json!({"version": 1, "issued": issued, "revoked": revoked}).to_string()
}

/// Two VMs that have this list.
fn warm(revoked: Value) -> World {
    let mut world = World::new(2, &config(json!({})));
    world.pass(Duration::ZERO);
    let _nobody_waits = world.answer(Ok((200, &list(SECS, revoked))));
    world.pass(Duration::ZERO);
    world
}

fn agent(name: &str) -> Value {
    json!({"azp": "chat-ui", "act": {"sub": name, "act": {"sub": "first"}}})
}

#[test]
fn who_is_on_the_list_is_refused_and_nobody_else() {
    let rows = [
        (json!({"user": "alice"}), true),
        (json!({"user": "bob"}), false),
        (json!({"user": "alice", "issuer": "https://idp"}), true),
        (json!({"user": "alice", "issuer": "https://other"}), false),
        (json!({"issuer": "https://idp"}), true),
        (json!({"issuer": "https://other"}), false),
        (json!({"agent": "planner"}), true),
        (json!({"agent": "first"}), true),
        (json!({"agent": "writer"}), false),
        (json!({"client": "chat-ui"}), true),
        (json!({"client": "planner"}), false),
        (json!({"token": "t-1"}), true),
        (json!({"token": "t-2"}), false),
        (json!({"user": "alice", "agent": "planner"}), true),
        (json!({"user": "alice", "agent": "writer"}), false),
        (json!({"user": "bob", "agent": "planner"}), false),
        (json!({"user": "alice", "client": "other"}), false),
        (json!({"issuedBefore": SECS - 59}), true),
        (json!({"issuedBefore": SECS - 60}), false),
        (json!({"user": "alice", "issuedBefore": SECS - 59}), true),
        (json!({"user": "alice", "issuedBefore": SECS - 61}), false),
        (json!({"user": "alice", "until": SECS}), false),
        (json!({"user": "alice", "until": SECS + 1}), true),
    ];
    let token = token(with(agent("planner"), json!({"jti": "t-1"})));
    for (revoked, refused) in rows {
        let mut world = warm(json!([{"user": "mallory"}, revoked, {"client": "zeta"}, {"user": "zoe"}]));
        for vm in 0..2 {
            assert_eq!(world.ask(vm, &token), if refused { "revoked" } else { "alice" }, "{revoked}");
        }
    }
}

#[test]
fn a_token_without_a_date_is_older_than_any() {
    let claims = json!({"iss": "https://idp", "sub": "alice", "aud": "https://tool", "exp": SECS + 60});
    let head = crate::signers::header(wardpoint_core::jws::Algorithm::Rs256).to_string();
    let token = crate::signers::sign(wardpoint_core::jws::Algorithm::Rs256, &head, &claims.to_string());
    assert_eq!(warm(json!([{"issuedBefore": 1}])).ask(0, &token), "revoked");
    assert_eq!(warm(json!([])).ask(0, &token), "alice");
}

#[test]
fn a_suspension_ends_what_is_remembered_within_a_poll() {
    let (mut world, token) = (warm(json!([])), token(agent("planner")));
    assert_eq!((world.ask(0, &token), world.ask(1, &token)), ("alice".into(), "alice".into()));
    let waited = world.until_call();
    assert!(waited <= SECOND * 10, "{waited:?}");
    assert_eq!(world.calls.len(), 1, "one of two");
    assert_eq!(world.ask(0, &token), "alice");
    let _nobody_waits = world.answer(Ok((200, &list(SECS + 10, json!([{"agent": "planner"}])))));
    assert_eq!(world.ask(0, &token), "revoked");
    world.tick(1);
    assert_eq!(world.ask(1, &token), "revoked");
    world.until_call();
    let _nobody_waits = world.answer(Ok((200, &list(SECS + 20, json!([])))));
    world.tick(0);
    assert_eq!(world.ask(0, &token), "alice", "and back");
}

#[test]
fn without_a_recent_list_nothing_passes() {
    let token = token(agent("planner"));
    for answer in [
        Err(CalloutError::NoReply),
        Err(CalloutError::TimedOut),
        Ok((500, list(SECS + 10, json!([])))),
        Ok((304, String::new())),
        Ok((200, String::new())),
        Ok((200, "{}".into())),
        Ok((200, r#"{"version":2,"issued":1795251610,"revoked":[]}"#.into())),
        Ok((200, r#"{"version":1,"issued":"now","revoked":[]}"#.into())),
        Ok((200, r#"{"version":1,"issued":1795251610}"#.into())),
        Ok((200, r#"{"version":1,"issued":1795251610,"revoked":[],"more":1}"#.into())),
        Ok((200, list(SECS + 10, json!([{}])))),
        Ok((200, list(SECS + 10, json!([{"user": ""}])))),
        Ok((200, list(SECS + 10, json!([{"until": 1}])))),
        Ok((200, list(SECS + 10, json!([{"users": "alice"}])))),
        Ok((200, list(SECS + 10, json!(["alice"])))),
        Ok((200, list(SECS - 1, json!([])))),
        Ok((200, format!("{}{}", list(SECS + 10, json!([])), " ".repeat(1 << 20)))),
        Ok((200, list(SECS + 10, json!(vec![json!({"user": "u"}); 10_001])))),
    ] {
        let answer = answer.as_ref().map(|(status, body)| (*status, body.as_str())).map_err(|error| *error);
        let shown = answer.map(|(status, body)| (status, body.get(..80)));
        let mut world = warm(json!([]));
        for second in 1..60 {
            world.pass(SECOND);
            while !world.calls.is_empty() {
                let _nobody_waits = world.answer(answer);
            }
            let said = if second < 30 { "alice" } else { "revocation_unknown" };
            assert_eq!(world.ask(0, &token), said, "second {second}: {shown:?}");
        }
        world.until_call();
        let _nobody_waits = world.answer(Ok((200, &list(SECS + 60, json!([])))));
        assert_eq!(world.ask(0, &token), "alice", "{shown:?}");
    }
}

#[test]
fn the_last_list_may_be_kept_by_choice() {
    let (mut world, alice, bob) =
        (World::new(1, &config(json!({"stale": "keep"}))), token(json!({})), token(json!({"sub": "bob"})));
    assert_eq!(world.ask(0, &alice), "waits");
    assert_eq!(world.answer(Ok((500, ""))), ["alice"], "there never was one");
    world.until_call();
    let _nobody_waits = world.answer(Ok((200, &list(SECS, json!([{"user": "alice"}])))));
    for _ in 0..100 {
        assert_eq!((world.ask(0, &alice), world.ask(0, &bob)), ("revoked".into(), "bob".into()));
        world.pass(SECOND);
        while !world.calls.is_empty() {
            let _nobody_waits = world.answer(Ok((500, "")));
        }
    }
}

#[test]
fn a_request_before_the_first_list_waits_for_it() {
    let (mut world, token) = (World::new(1, &config(json!({}))), token(json!({})));
    assert_eq!((world.ask(0, &token), world.ask(0, &token)), ("waits".into(), "waits".into()));
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.answer(Ok((200, &list(SECS, json!([{"user": "alice"}]))))), ["revoked", "revoked"]);
    let mut down = World::new(1, &config(json!({})));
    assert_eq!(down.ask(0, &token), "waits");
    assert_eq!(down.answer(Err(CalloutError::NoReply)), ["revocation_unknown"]);
    assert_eq!((down.ask(0, &token), down.calls.len()), ("revocation_unknown".into(), 0));
}

#[test]
fn a_list_that_says_when_it_ends_is_not_used_after() {
    let mut world = World::new(1, &config(json!({})));
    let token = token(json!({}));
    assert_eq!(world.ask(0, &token), "waits");
    let text = with(json!({"version": 1, "issued": SECS, "revoked": []}), json!({"expires": SECS + 5})).to_string();
    assert_eq!(world.answer(Ok((200, &text))), ["alice"]);
    world.now = Timestamp::from_secs(SECS + 5);
    assert_eq!(world.ask(0, &token), "revocation_unknown");
}

#[test]
fn the_schema_takes_what_is_taken() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    assert_eq!(schema["required"], json!(["version", "issued", "revoked"]));
    assert_eq!(schema["properties"]["revoked"]["items"]["additionalProperties"], json!(false));
}
