//! The configuration of issuers: every problem at once.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use serde_json::{Value, json};
use wardpoint_core::config::{Decode as _, Problems, parse};
use wardpoint_core::identity::tokens::{RawIssuer, RawOwnIdentity, Tokens};

fn problems(config: &Value) -> String {
    let mut problems = Problems::new();
    let (node, _) = parse(config.to_string().as_bytes(), &mut problems).unwrap();
    let issuers = Vec::<RawIssuer>::decode(&node, &mut problems);
    let _tokens = Tokens::new(&issuers.unwrap_or_default(), &mut problems);
    problems.into_list().iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn every_problem_comes_at_once() {
    let fetch = json!({"cluster": "", "authority": "a b", "path": "jwks", "timeout": "6s", "refresh": "9s", "keep": "1s", "coolDown": "0s"});
    let first = json!({"issuer": "", "audiences": [], "algorithms": [], "types": [], "skew": "61s", "jwks": fetch});
    let second = json!({"issuer": "https://idp", "audiences": ["", "a"], "types": ["JWT", "application/DPoP+jwt"], "jwks": {"keys": []}, "requires": {}});
    let third = json!({"issuer": "https://idp", "audiences": ["a"], "jwks": {"keys": [{"kty": "oct"}]}, "requires": {"acr": ["a b", ""]}});
    insta::assert_snapshot!(problems(&json!([first, second, third])), @r"
    [0].issuer: names no issuer. Write `iss` of its tokens
    [0].audiences: is empty: no token would be meant for us. Write the `aud` that names this gate
    [0].algorithms: is empty: every token would be refused
    [0].types: is empty: every token would be refused. Write the `typ` of its access tokens, or `untyped: true`
    [0].skew: is more than `60s`
    [0].jwks.cluster: is empty, or has blanks or characters that are not ASCII
    [0].jwks.authority: is empty, or has blanks or characters that are not ASCII
    [0].jwks.path: `jwks` is no path. Write it from the first `/` on
    [0].jwks.timeout: is not between `1ms` and `5s`
    [0].jwks.refresh: is less than `10s`
    [0].jwks.keep: is less than `refresh`: there would be no keys between two fetches
    [0].jwks.coolDown: is less than `1s`
    [1].audiences[0]: names nobody
    [1].types[1]: `application/DPoP+jwt` is the type of another kind of token, never of an access token
    [1].jwks: the key set has no key that can verify a signature
    [1].requires: asks for nothing. Write `acr` or `maxAge`
    [2].jwks: the key set has no key that can verify a signature
    [2].requires.acr[0]: `a b` is not one value
    [2].requires.acr[1]: `` is not one value
    ");
}

#[test]
fn a_type_or_name_that_is_not_known_is_a_problem() {
    let issuer = json!({"issuer": "https://idp", "audiences": "a", "algorithms": ["HS256"], "jwks": {"url": "https://idp"}, "audience": "a"});
    insta::assert_snapshot!(problems(&json!([issuer])), @r"
    [0].audience: unknown field. Did you mean `audiences`?
    [0].audiences: expected a list, found a string
    [0].algorithms[0]: `HS256` is not one of `Ed25519`, `ES256`, `ES384`, `PS256`, `RS256`, `RS384`, `RS512`, `EdDSA`
    [0].jwks.url: unknown field. Known here: `cluster`, `authority`, `path`, `timeout`, `refresh`, `keep`, `coolDown`
    [0].jwks.cluster: is required
    [0].jwks.authority: is required
    [0].jwks.path: is required
    ");
}

#[test]
fn claims_have_one_source() {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let token = json!({"issuer": "https://idp", "audiences": ["a"], "jwks": {"keys": [key]}});
    for (claims, problem) in [(json!({"provider": "payload"}), true), (Value::Null, false)] {
        let mut identity = json!({"peer": "mtls", "tokens": [token]});
        if problem {
            identity["claims"] = claims;
        }
        let mut problems = Problems::new();
        let (node, _) = parse(identity.to_string().as_bytes(), &mut problems).unwrap();
        let Some(raw) = RawOwnIdentity::decode(&node, &mut problems) else { panic!("{problems:?}") };
        let (common, issuers, _) = raw.split(&mut problems);
        assert_eq!((common.claims.is_some(), issuers.len()), (problem, 1));
        let _tokens = Tokens::new(&issuers, &mut problems);
        assert_eq!(problems.is_empty(), !problem);
    }
}

#[test]
fn the_schema_is_json_and_names_the_defaults() {
    let schema: Value = serde_json::from_str(&RawOwnIdentity::schema()).unwrap();
    let issuer = &schema["properties"]["tokens"]["items"]["properties"];
    assert_eq!(issuer["algorithms"]["default"], json!(["RS256", "ES256", "Ed25519"]));
    assert_eq!(issuer["skew"]["default"], "1m");
    assert_eq!(issuer["jwks"]["oneOf"][0]["properties"]["coolDown"]["default"], "30s");
}
