//! What is said of tokens: by which issuer, at the first time and at the next.

use serde_json::json;
use wardpoint_core::jws::{Algorithm, Family};
use wardpoint_core::time::{Duration, Timestamp};

use crate::signers::{bare, header, sign, with};
use crate::world::{SECS, World, forged, inline, token};

#[test]
fn a_token_is_verified_once_until_it_expires() {
    let mut world = World::new(1, &inline(json!({"skew": "10s"})));
    let token = token(json!({"exp": SECS + 100}));
    assert_eq!(world.ask(0, &token), "alice");
    assert_eq!(world.checks(), 4 + 1, "the probe, and the token");
    for second in [1, 50, 100, 109] {
        world.now = Timestamp::from_secs(SECS + second);
        assert_eq!(world.ask(0, &token), "alice", "second {second}");
    }
    for second in [110, 111, 5_000] {
        world.now = Timestamp::from_secs(SECS + second);
        assert_eq!(world.ask(0, &token), "expired", "second {second}");
    }
    assert_eq!(world.checks(), 0);
}

#[test]
fn a_forged_token_costs_one_signature_and_then_none_for_a_moment() {
    let mut world = World::new(1, &inline(json!({})));
    let _probe = (world.ask(0, "a.b.c"), world.checks());
    for number in 0..20 {
        assert_eq!(world.ask(0, &forged(number)), "bad_signature");
        assert_eq!(world.checks(), 1);
        assert_eq!(world.ask(0, &forged(number)), "bad_signature");
        assert_eq!(world.checks(), 0);
    }
    world.now = world.now + Duration::from_secs(5);
    assert_eq!(world.ask(0, &forged(0)), "bad_signature");
    assert_eq!(world.checks(), 1);
}

#[test]
fn a_flood_of_forged_tokens_takes_no_place_from_good_ones() {
    let mut world = World::new(1, &inline(json!({})));
    assert_eq!(world.ask(0, &token(json!({}))), "alice");
    for number in 0..3_000 {
        assert_eq!(world.ask(0, &forged(number)), "bad_signature");
    }
    let _forged = world.checks();
    assert_eq!(world.ask(0, &token(json!({}))), "alice");
    assert_eq!(world.checks(), 0);
}

#[test]
fn what_is_not_good_yet_may_be_so_soon() {
    let mut world = World::new(1, &inline(json!({"skew": "0s"})));
    let token = token(json!({"nbf": SECS + 3}));
    assert_eq!(world.ask(0, &token), "not_yet_valid");
    world.now = Timestamp::from_secs(SECS + 3);
    assert_eq!(world.ask(0, &token), "alice");
}

#[test]
fn the_keys_of_one_issuer_count_for_no_other() {
    let of = |issuer: &str, family: Family| json!({"issuer": issuer, "audiences": ["https://tool"], "algorithms": ["ES256", "RS256"], "jwks": {"keys": [bare(family)]}});
    let mut world =
        World::new(1, &json!({"peer": "none", "tokens": [of("https://a", Family::P256), of("https://b", Family::Rsa)]}));
    for (issuer, algorithm, said) in [
        ("https://a", Algorithm::Es256, "alice"),
        ("https://b", Algorithm::Rs256, "alice"),
        ("https://a", Algorithm::Rs256, "unknown_key"),
        ("https://b", Algorithm::Es256, "unknown_key"),
        ("https://a/", Algorithm::Es256, "issuer_refused"),
        ("https://A", Algorithm::Es256, "issuer_refused"),
        ("https://c", Algorithm::Es256, "issuer_refused"),
    ] {
        let claims = json!({"iss": issuer, "sub": "alice", "aud": "https://tool", "exp": SECS + 60});
        let mut head = header(algorithm);
        head.as_object_mut().map(|head| head.shift_remove("kid"));
        assert_eq!(world.ask(0, &sign(algorithm, &head.to_string(), &claims.to_string())), said, "{issuer} {algorithm:?}");
    }
    let without = sign(Algorithm::Es256, &header(Algorithm::Es256).to_string(), r#"{"sub":"alice"}"#);
    assert_eq!(world.ask(0, &without), "claim_missing: iss");
}

#[test]
fn the_login_behind_a_token_is_judged_at_each_use() {
    let requires = json!({"requires": {"acr": ["gold", "silver"], "maxAge": "5m"}});
    let mut world = World::new(1, &inline(requires));
    for (claims, said) in [
        (json!({"acr": "gold", "auth_time": SECS - 300}), "alice"),
        (json!({"acr": "silver", "auth_time": SECS}), "alice"),
        (json!({"acr": "bronze", "auth_time": SECS}), "authentication_too_weak"),
        (json!({"auth_time": SECS}), "authentication_too_weak"),
        (json!({"acr": ["gold"], "auth_time": SECS}), "authentication_too_weak"),
        (json!({"acr": "gold"}), "authentication_too_old"),
        (json!({"acr": "gold", "auth_time": "now"}), "authentication_too_old"),
        (json!({"acr": "gold", "auth_time": SECS - 301}), "authentication_too_old"),
    ] {
        assert_eq!(world.ask(0, &token(claims.clone())), said, "{claims}");
    }
    let token = token(json!({"acr": "gold", "auth_time": SECS}));
    for (second, said) in [(0, "alice"), (300, "alice"), (301, "authentication_too_old")] {
        world.now = Timestamp::from_secs(SECS + second);
        assert_eq!(world.ask(0, &token), said, "second {second}");
    }
}

#[test]
fn settings_of_an_issuer_count() {
    let rs = sign(Algorithm::Rs256, &header(Algorithm::Rs256).to_string(), "{\"iss\":\"https://idp\"}");
    let plain = with(header(Algorithm::Es256), json!({"typ": "JWT"})).to_string();
    let claims = json!({"iss": "https://idp", "sub": "alice", "aud": ["https://tool", "b"], "iat": SECS, "exp": SECS + 600});
    let jwt = sign(Algorithm::Es256, &plain, &claims.to_string());
    let mut none = header(Algorithm::Es256);
    none.as_object_mut().map(|head| head.shift_remove("typ"));
    let untyped = sign(Algorithm::Es256, &none.to_string(), &claims.to_string());
    for (settings, token, said) in [
        (json!({"algorithms": ["ES256"]}), &rs, "algorithm_refused"),
        (json!({}), &jwt, "type_refused"),
        (json!({"types": ["JWT"]}), &jwt, "alice"),
        (json!({"types": ["JWT"]}), &untyped, "type_refused"),
        (json!({"types": ["JWT"], "untyped": true}), &untyped, "alice"),
        (json!({"types": ["JWT"], "onlyUs": true}), &jwt, "audience_refused"),
        (json!({"types": ["JWT"], "audiences": ["c"]}), &jwt, "audience_refused"),
        (json!({"types": ["JWT"], "audiences": ["c", "b"]}), &jwt, "alice"),
        (json!({"types": ["JWT"], "longestLife": "10m"}), &jwt, "alice"),
        (json!({"types": ["JWT"], "longestLife": "9m"}), &jwt, "lives_too_long"),
    ] {
        assert_eq!(World::new(1, &inline(settings.clone())).ask(0, token), said, "{settings}");
    }
}
