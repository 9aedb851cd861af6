//! Project Wycheproof and the cookbook of RFC 7520 (`WARDPOINT_CORPORA`).
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by it; its input is a folder"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use wardpoint_core::jws::{Algorithm, Family, Jws, TokenError};

use crate::host::Both;
use crate::signers::{bare, set, with};

fn corpus(name: &str) -> Option<String> {
    let corpora = std::env::var("WARDPOINT_CORPORA").ok()?;
    Some(fs::read_to_string(PathBuf::from(corpora).join("jwt").join(name)).unwrap())
}

/// Beside the keys stands one that none of the tokens is meant for: so that it is the token that is refused, not the set.
fn authentic(token: &str, mut keys: Vec<Value>) -> Result<(), TokenError> {
    if keys.iter().all(|key| key["crv"] != "Ed25519") {
        keys.push(with(bare(Family::Ed25519), json!({"kid": "beside"})));
    }
    Jws::read(token.as_bytes())?.authenticate(&set(&keys), &mut Both::default()).map(drop)
}

/// Every invalid case is refused; every valid one is accepted, unless its algorithm is none of ours.
#[test]
fn wycheproof() {
    let (mut good, mut bad, mut other) = (0, 0, 0);
    for name in ["wycheproof-json_web_signature_test.json", "wycheproof-json_web_key_test.json"] {
        let Some(text) = corpus(name) else { return eprintln!("skipped: WARDPOINT_CORPORA is unset") };
        let suite: Value = serde_json::from_str(&text).unwrap();
        for group in suite["testGroups"].as_array().unwrap() {
            // Groups of HMAC have a private key only.
            let key = group.get("public").unwrap_or(&group["private"]);
            let keys = key["keys"].as_array().cloned().unwrap_or_else(|| vec![key.clone()]);
            for case in group["tests"].as_array().unwrap() {
                let Some(token) = case["jws"].as_str() else { continue };
                let answer = authentic(token, keys.clone());
                match (case["result"].as_str().unwrap(), answer) {
                    ("valid", Ok(())) => good += 1,
                    ("valid", Err(TokenError::AlgorithmRefused)) => other += 1,
                    // A character that is not base64url: it allows readers to pass over it, and we do not.
                    ("valid", Err(TokenError::Base64)) if token.contains('?') => other += 1,
                    ("invalid", Err(_)) => bad += 1,
                    (want, answer) => panic!("{name} {} {}: {want}, but {answer:?}: {token}", case["tcId"], case["comment"]),
                }
            }
        }
    }
    eprintln!("wycheproof: {good} good, {bad} refused, {other} that are not for us");
    assert!(good > 10 && bad > 300 && other > 10, "{good} {bad} {other}");
}

/// RFC 7520 section 4: the signatures of our algorithms verify, all others are refused for what they are.
#[test]
fn rfc_7520_cookbook() {
    let Some(text) = corpus("rfc7520-cookbook-jws.jsonl") else { return eprintln!("skipped: WARDPOINT_CORPORA is unset") };
    let (mut good, mut refused) = (0, 0);
    for row in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let vector = &row["vector"];
        let (Some(token), Some(key)) = (vector["output"]["compact"].as_str(), vector["input"]["key"].as_object()) else {
            continue;
        };
        let mut key = key.clone();
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            key.remove(private);
        }
        let alg = vector["input"]["alg"].as_str().unwrap_or_default();
        let answer = authentic(token, vec![Value::Object(key)]);
        match Algorithm::from_name(alg) {
            Some(_) => {
                assert_eq!(answer, Ok(()), "{}", row["path"]);
                good += 1;
            }
            None => {
                assert!(answer.is_err(), "{}", row["path"]);
                refused += 1;
            }
        }
    }
    eprintln!("cookbook: {good} good, {refused} refused");
    assert!(good >= 2 && refused >= 2, "{good} {refused}");
}
