//! Lists of statuses that tokens name (OA-R-06).

use serde_json::{Value, json};
use wardpoint_core::filter::CalloutError;
use wardpoint_core::jws::Algorithm;
use wardpoint_core::time::Duration;

use crate::signers::{encode, header, sign, with};
use crate::world::{SECS, World, inline, token};

const URI: &str = "https://idp/statuses";

fn config() -> Value {
    let list = json!({"cluster": "idp", "authority": "idp.example", "path": "/statuses"});
    inline(json!({"statusLists": [{"uri": URI, "list": list, "poll": "10s", "within": "30s"}]}))
}

/// A list of one bit for each of sixteen tokens.
fn claims(revoked: &[u8; 2]) -> Value {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(revoked, 9);
    json!({"sub": URI, "iat": SECS, "status_list": {"bits": 1, "lst": encode(packed)}})
}

fn list(revoked: &[u8; 2], more: Value) -> String {
    let kind = with(header(Algorithm::Rs256), json!({"typ": "statuslist+jwt"}));
    sign(Algorithm::Rs256, &kind.to_string(), &with(claims(revoked), more).to_string())
}

fn named(index: Value) -> String {
    token(json!({"status": {"status_list": {"uri": URI, "idx": index}}}))
}

#[test]
fn the_list_decides() {
    let mut world = World::new(2, &config());
    assert_eq!(world.ask(0, &token(json!({}))), "alice", "a token that names no list needs none");
    assert_eq!(world.ask(0, &named(json!(3))), "waits");
    assert_eq!(world.answer(Ok((200, &list(&[0b10, 0x80], json!({}))))), ["alice"]);
    world.pass(Duration::ZERO);
    let elsewhere = token(json!({"status": {"status_list": {"uri": "https://idp/others", "idx": 0}}}));
    for (token, said) in [
        (named(json!(0)), "alice"),
        (named(json!(1)), "revoked"),
        (named(json!(15)), "revoked"),
        (named(json!(16)), "revocation_unknown"),
        (named(json!(4_294_967_295_u32)), "revocation_unknown"),
        (named(json!(4_294_967_296_u64)), "claim_malformed: status"),
        (named(json!(-1)), "claim_malformed: status"),
        (named(json!("1")), "claim_malformed: status"),
        (token(json!({"status": "good"})), "claim_malformed: status"),
        (token(json!({"status": {"status_list": {"idx": 0}}})), "claim_malformed: status"),
        (token(json!({"status": {"other": 1}})), "alice"),
        (elsewhere, "revocation_unknown"),
    ] {
        assert_eq!((world.ask(0, &token), world.ask(1, &token)), (said.into(), said.into()));
    }
}

#[test]
fn a_revocation_ends_what_is_remembered() {
    let (mut world, token) = (World::new(1, &config()), named(json!(0)));
    assert_eq!(world.ask(0, &token), "waits");
    assert_eq!(world.answer(Ok((200, &list(&[0, 0], json!({}))))), ["alice"]);
    let _probe_token_and_list = world.checks();
    assert_eq!((world.ask(0, &token), world.checks()), ("alice".into(), 0));
    world.until_call();
    let _nobody_waits = world.answer(Ok((200, &list(&[1, 0], json!({})))));
    assert_eq!((world.ask(0, &token), world.ask(0, &token)), ("revoked".into(), "revoked".into()));
    assert_eq!(world.checks(), 1, "the list, once");
}

#[test]
fn a_list_that_is_not_that_of_the_issuer_is_none() {
    let good = list(&[0, 0], json!({}));
    let kind = |kind: &str| with(header(Algorithm::Rs256), json!({"typ": kind})).to_string();
    let of_kind = |name: &str| sign(Algorithm::Rs256, &kind(name), &claims(&[0, 0]).to_string());
    let stranger = with(header(Algorithm::Rs256), json!({"typ": "statuslist+jwt", "kid": "P256"}));
    for (text, said) in [
        (good.clone(), "alice"),
        (format!("{good}\n"), "alice"),
        (list(&[0, 0], json!({"iss": "https://idp", "exp": SECS + 60, "ttl": 60})), "alice"),
        (list(&[0, 0], json!({"iss": "https://other"})), "revocation_unknown"),
        (list(&[0, 0], json!({"sub": "https://idp/others"})), "revocation_unknown"),
        (list(&[0, 0], json!({"exp": SECS})), "revocation_unknown"),
        (list(&[0, 0], json!({"iat": SECS + 61})), "revocation_unknown"),
        (of_kind("JWT"), "revocation_unknown"),
        (of_kind("at+jwt"), "revocation_unknown"),
        (sign(Algorithm::Rs256, &stranger.to_string(), &claims(&[0, 0]).to_string()), "revocation_unknown"),
        (format!("{}{}", &good[..good.len() - 4], "AAAA"), "revocation_unknown"),
        (String::new(), "revocation_unknown"),
    ] {
        let mut world = World::new(1, &config());
        assert_eq!(world.ask(0, &named(json!(0))), "waits");
        assert_eq!(world.answer(Ok((200, &text))), [said], "{}", text.get(..40).unwrap_or_default());
    }
}

#[test]
fn without_a_recent_list_who_names_it_is_refused() {
    let (mut world, plain, token) = (World::new(1, &config()), token(json!({})), named(json!(0)));
    assert_eq!(world.ask(0, &token), "waits");
    assert_eq!(world.answer(Err(CalloutError::NoReply)), ["revocation_unknown"]);
    world.until_call();
    let _nobody_waits = world.answer(Ok((200, &list(&[0, 0], json!({"ttl": 20})))));
    for second in 1..40 {
        world.pass(Duration::from_secs(1));
        while !world.calls.is_empty() {
            let _who_waits = world.answer(Ok((500, "")));
        }
        assert_eq!(world.ask(0, &token), if second <= 20 { "alice" } else { "revocation_unknown" }, "second {second}");
        assert_eq!(world.ask(0, &plain), "alice");
        while !world.calls.is_empty() {
            let _who_waits = world.answer(Ok((500, "")));
        }
    }
}
