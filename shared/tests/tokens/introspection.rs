//! The issuer is asked whether a token still holds (RFC 7662, OA-R-05).

use serde_json::{Value, json};
use wardpoint_core::filter::CalloutError;
use wardpoint_core::time::Duration;

use crate::signers::with;
use crate::world::{SECS, World, forged, inline, token};

fn config(settings: Value) -> Value {
    let endpoint = json!({"cluster": "idp", "authority": "idp.example", "path": "/introspect"});
    let client = json!({"id": "gate", "method": "client_secret_basic", "secret": {"env": "GATE_SECRET"}});
    let introspection = json!({"endpoint": endpoint, "client": client, "cache": "10s"});
    inline(json!({"introspection": with(introspection, settings)}))
}

#[test]
fn what_the_issuer_says_counts_for_its_time() {
    let (mut world, token) = (World::new(1, &config(json!({}))), token(json!({})));
    assert_eq!((world.ask(0, &token), world.ask(0, &token)), ("waits".into(), "waits".into()));
    assert_eq!(world.calls.len(), 1, "one question for both");
    let call = world.calls[0].2.clone();
    let header = |name: &str| call.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice());
    assert_eq!((header(":method"), header(":path")), (Some(&b"POST"[..]), Some(&b"/introspect"[..])));
    assert_eq!(header("authorization"), Some(&b"Basic Z2F0ZTpodXNo"[..]));
    assert_eq!(String::from_utf8(call.body).unwrap(), format!("token={token}&token_type_hint=access_token"));
    assert_eq!(world.answer(Ok((200, r#"{"active":true,"sub":"alice"}"#))), ["alice", "alice"]);
    world.pass(Duration::from_millis(9_999));
    assert_eq!((world.ask(0, &token), world.calls.len()), ("alice".into(), 0));
    world.pass(Duration::from_millis(1));
    assert_eq!(world.ask(0, &token), "waits");
    assert_eq!(world.answer(Ok((200, r#"{"active":false}"#))), ["revoked"]);
    assert_eq!((world.ask(0, &token), world.calls.len()), ("revoked".into(), 0));
}

#[test]
fn an_answer_that_does_not_say_so_is_none() {
    for answer in [
        Err(CalloutError::NoReply),
        Err(CalloutError::TimedOut),
        Err(CalloutError::NotDispatched),
        Ok((500, r#"{"active":true}"#)),
        Ok((401, r#"{"error":"invalid_client"}"#)),
        Ok((200, "")),
        Ok((200, "{}")),
        Ok((200, r#"{"active":"true"}"#)),
        Ok((200, r#"{"active":true,"active":true}"#)),
        Ok((200, r#"{"active":true,"sub":"bob"}"#)),
        Ok((200, r#"{"active":true,"exp":1}"#)),
    ] {
        let (mut world, token) = (World::new(1, &config(json!({}))), token(json!({})));
        assert_eq!(world.ask(0, &token), "waits");
        assert_eq!(world.answer(answer), ["revocation_unknown"], "{answer:?}");
        assert_eq!((world.ask(0, &token), world.calls.len()), ("revocation_unknown".into(), 0), "{answer:?}");
        world.pass(Duration::from_secs(1));
        assert_eq!(world.ask(0, &token), "waits", "and asks again");
        let same = json!({"active": true, "sub": "alice", "exp": SECS + 7_200, "scope": "a"}).to_string();
        assert_eq!(world.answer(Ok((200, &same))), ["alice"]);
    }
}

#[test]
fn only_what_is_good_is_asked_about_and_not_too_much_at_once() {
    let mut world = World::new(1, &config(json!({})));
    assert_eq!(world.ask(0, &forged(1)), "bad_signature");
    assert_eq!(world.ask(0, &token(json!({"exp": SECS - 100}))), "expired");
    assert_eq!(world.calls.len(), 0);
    for number in 0..256 {
        assert_eq!(world.ask(0, &token(json!({"jti": number.to_string()}))), "waits");
    }
    assert_eq!(world.ask(0, &token(json!({"jti": "more"}))), "too_many_waiting");
    world.pass(Duration::from_secs(3));
    assert_eq!(world.ask(0, &token(json!({"jti": "more"}))), "waits", "what is never answered is given up");
}

#[test]
fn without_chance_nobody_is_asked_and_nothing_passes() {
    let mut world = World::new(1, &config(json!({})));
    world.proxy.no_random = true;
    assert_eq!((world.ask(0, &token(json!({}))), world.calls.len()), ("revocation_unknown".into(), 0));
}
