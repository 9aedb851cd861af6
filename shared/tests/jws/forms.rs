//! Form and header (OA-J-01…05, OA-J-13, OA-J-14, BY-T-01…09, BY-T-11, BY-T-19).
#![expect(clippy::string_slice, reason = "the texts are ASCII")]

use serde_json::{Value, json};
use wardpoint_core::jws::TokenError::*;
use wardpoint_core::jws::{Algorithm, Family, Issuer, MAX_TOKEN, TokenError};
use wardpoint_core::policy::Reason;

use crate::claims::{NOW, good, issuer, verify};
use crate::host::Both;
use crate::signers::{all_keys, bare, encode, header, kid, set, sign, with};

/// What a token with this header, rightly signed, is taken for.
fn of_header(header: &str) -> Result<(), TokenError> {
    verify(&issuer(), &sign(Algorithm::Rs256, header, &good().to_string())).map(drop)
}

fn of_members(members: Value) -> Result<(), TokenError> {
    of_header(&with(header(Algorithm::Rs256), members).to_string())
}

/// OA-J-02, OA-J-14: each algorithm by each of its names, where it is allowed, and nowhere else.
#[test]
fn each_algorithm_where_it_is_allowed() {
    for algorithm in Algorithm::ALL {
        let token = sign(algorithm, &header(algorithm).to_string(), &good().to_string());
        for allowed in Algorithm::ALL {
            let answer = verify(&issuer().with_algorithms(&[allowed]), &token).map(drop);
            assert_eq!(answer, if allowed == algorithm { Ok(()) } else { Err(AlgorithmRefused) }, "{algorithm:?}");
        }
    }
    let named = with(header(Algorithm::Ed25519), json!({"alg": "Ed25519"}));
    assert!(verify(&issuer(), &sign(Algorithm::Ed25519, &named.to_string(), &good().to_string())).is_ok());
    let usual = Issuer::new("https://idp", &["https://tool"]).unwrap();
    for (algorithm, allowed) in Algorithm::ALL.map(|a| (a, matches!(a, Algorithm::Rs256 | Algorithm::Es256 | Algorithm::Ed25519)))
    {
        let token = sign(algorithm, &header(algorithm).to_string(), &good().to_string());
        assert_eq!(verify(&usual, &token).is_ok(), allowed, "{algorithm:?}");
    }
}

/// BY-T-01, BY-T-02: no signature, another case, and the public key as a secret. None of it reaches a verifier.
#[test]
fn no_other_algorithm_by_any_name() {
    for alg in
        ["none", "nOnE", "NONE", "", "rs256", "RS256 ", "HS256", "HS384", "HS512", "ES256K", "ES512", "PS512", "Ed448", "RSA1_5"]
    {
        let head = with(header(Algorithm::Rs256), json!({"alg": alg})).to_string();
        let mut asked = Both::default();
        for signature in ["", "AAAA"] {
            let token = format!("{}.{}.{signature}", encode(&head), encode(good().to_string()));
            let answer = issuer().verify(token.as_bytes(), &all_keys(), NOW, &mut asked);
            assert_eq!(answer, Err(AlgorithmRefused), "{alg}");
        }
        assert_eq!(asked.calls, 0);
    }
    assert_eq!(of_header(r#"{"typ":"at+jwt"}"#), Err(AlgorithmRefused));
    for alg in [json!(null), json!(1), json!(["RS256"]), json!({})] {
        assert_eq!(of_members(json!({"alg": alg})), Err(HeaderUnreadable));
    }
    let empty = sign(Algorithm::Rs256, &header(Algorithm::Rs256).to_string(), &good().to_string());
    let (signed, _) = empty.rsplit_once('.').unwrap();
    assert_eq!(verify(&issuer(), &format!("{signed}.")), Err(BadSignature));
}

/// OA-J-01, OA-J-13, BY-T-07, BY-T-19: three parts and no other number of them; five are a JWE.
#[test]
fn three_parts() {
    let good = sign(Algorithm::Rs256, &header(Algorithm::Rs256).to_string(), &good().to_string());
    assert!(verify(&issuer(), &good).is_ok());
    for (text, error) in [
        (String::new(), Parts),
        (good.replace('.', ""), Parts),
        (good.rsplit_once('.').unwrap().0.to_owned(), Parts),
        (format!("{good}."), Parts),
        (format!("{good}.a.b"), Encrypted),
        (format!("{good}.a.b.c"), Parts),
        (format!("{good}, {good}"), Encrypted),
        (r#"{"payload":"","protected":"","signature":""}"#.to_owned(), Parts),
    ] {
        assert_eq!(verify(&issuer(), &text), Err(error), "{text}");
    }
    for member in ["enc", "epk", "p2c", "p2s"] {
        assert_eq!(of_members(json!({member: 1})), Err(Encrypted), "{member}");
    }
}

/// OA-J-01, BY-T-08: one text for any bytes, so no padding, no other alphabet, no white space, no stray bits.
#[test]
fn strict_base64url_in_every_part() {
    let good = sign(Algorithm::Rs256, &header(Algorithm::Rs256).to_string(), &good().to_string());
    let parts: Vec<&str> = good.split('.').collect();
    for at in 0..3 {
        let part = parts[at];
        let mut cases: Vec<String> =
            ["=", "==", " ", "\n", "\t", "\0", "+", "/", "%3D", "é"].map(|more| format!("{part}{more}")).into();
        cases.extend([" ", "\r\n", "="].map(|more| format!("{more}{part}")));
        cases.push(format!("{} {}", &part[..4], &part[4..]));
        for case in cases {
            let mut other = parts.clone();
            other[at] = &case;
            assert_eq!(verify(&issuer(), &other.join(".")), Err(Base64), "part {at}: {case:?}");
        }
    }
    // The last letter of 256 bytes has four bits that mean nothing.
    assert_eq!(parts[2].len() % 4, 2);
    let (body, last) = parts[2].split_at(parts[2].len() - 1);
    assert!("AQgw".contains(last));
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().filter(|c| !last.contains(*c)) {
        let other = format!("{}.{}.{body}{letter}", parts[0], parts[1]);
        let error = if "AQgw".contains(letter) { BadSignature } else { Base64 };
        assert_eq!(verify(&issuer(), &other), Err(error), "{letter}");
    }
}

/// OA-J-13.
#[test]
fn sizes_are_bounded() {
    assert_eq!(verify(&issuer(), &"a".repeat(MAX_TOKEN + 1)), Err(TooLong));
    assert_eq!(verify(&issuer(), &".".repeat(MAX_TOKEN)), Err(Parts));
    assert_eq!(of_members(json!({"x": "a".repeat(4 * 1024)})), Err(TooLong));
    assert_eq!(of_members(json!({"x": "a".repeat(2 * 1024)})), Ok(()));
    let deep = format!(r#"{{"alg":"RS256","x":{}{}}}"#, "[".repeat(17), "]".repeat(17));
    assert_eq!(of_header(&deep), Err(HeaderUnreadable));
}

/// BY-T-09, BY-J-01: one strict JSON object.
#[test]
fn a_header_that_can_be_read_in_two_ways_is_refused() {
    for head in [
        r#"{"alg":"none","alg":"RS256","kid":"Rsa","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","kid":"Rsa","typ":"at+jwt","\u0061lg":"none"}"#,
        r#"{"alg":"RS256","kid":"Rsa","typ":"at+jwt","x":1,"x":2}"#,
        "\u{feff}{\"alg\":\"RS256\",\"kid\":\"Rsa\",\"typ\":\"at+jwt\"}",
        r#"{"alg":"RS256","kid":"Rsa","typ":"at+jwt",}"#,
        r#"{"alg":"RS256","kid":"Rsa","typ":"at+jwt"} {}"#,
        r#"[{"alg":"RS256"}]"#,
        r#""RS256""#,
        "",
    ] {
        assert_eq!(of_header(head), Err(HeaderUnreadable), "{head}");
    }
    assert_eq!(of_header("\t{ \"alg\" : \"RS256\",\r\n\"kid\":\"\\u0052sa\", \"typ\":\"at+jwt\" }\n"), Ok(()));
}

/// OA-J-03, OA-J-04, BY-T-04, BY-T-05, BY-T-06, BY-T-07, BY-T-19: each has its own error, and no key of a header is used.
#[test]
fn members_that_are_refused() {
    for (members, error) in [
        (json!({"crit": []}), Critical),
        (json!({"crit": ["exp"], "exp": 1}), Critical),
        (json!({"crit": ["alg"]}), Critical),
        (json!({"crit": null}), Critical),
        (json!({"b64": false}), Unencoded),
        (json!({"b64": true}), Unencoded),
        (json!({"zip": "DEF"}), Compressed),
        (json!({"cty": "JWT"}), Nested),
        (json!({"jwk": bare(Family::Rsa)}), KeyInHeader),
        (json!({"jku": "https://evil.example/jwks"}), KeyInHeader),
        (json!({"x5u": "https://evil.example/cert"}), KeyInHeader),
        (json!({"x5c": ["MIIB"]}), KeyInHeader),
        (json!({"kid": 7}), HeaderUnreadable),
        (json!({"typ": ["at+jwt"]}), HeaderUnreadable),
    ] {
        assert_eq!(of_members(members.clone()), Err(error), "{members}");
    }
    // RFC 7515 section 4: what is not known is ignored, and names have case.
    assert_eq!(of_members(json!({"x5t": "AA", "x5t#S256": "AA", "nonce": "n", "Alg": "none", "CRIT": ["x"]})), Ok(()));
}

/// OA-J-05, BY-T-11.
#[test]
fn typ_as_configured() {
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert_eq!(of_members(json!({"typ": typ})), Ok(()), "{typ}");
    }
    let foreign = ["JWT", "", "at+jwt ", "application/application/at+jwt", "application/at+jwt/x", "text/at+jwt", "logout+jwt"];
    let kinds = ["oauth-id-jag+jwt", "txntoken+jwt", "dpop+jwt", "token-introspection+jwt", "secevent+jwt", "wit+jwt", "wpt+jwt"];
    let jwt = issuer().with_kinds(&["JWT"], false);
    for typ in foreign.iter().chain(&kinds) {
        assert_eq!(of_members(json!({"typ": typ})), Err(TypeRefused), "{typ}");
        let token = sign(Algorithm::Rs256, &with(header(Algorithm::Rs256), json!({"typ": typ})).to_string(), &good().to_string());
        assert_eq!(verify(&jwt, &token).is_ok(), *typ == "JWT", "{typ}");
    }
    let untyped = json!({"alg": "RS256", "kid": kid(Family::Rsa)}).to_string();
    assert_eq!(of_header(&untyped), Err(TypeRefused));
    let token = sign(Algorithm::Rs256, &untyped, &good().to_string());
    assert_eq!(verify(&jwt, &token), Err(TypeRefused));
    assert!(verify(&issuer().with_kinds(&["JWT"], true), &token).is_ok());
}

/// What the caller of the gate is told.
#[test]
fn a_bad_token_is_401_and_what_is_not_its_fault_is_not() {
    for error in TokenError::ALL.iter().chain(&[ClaimMissing("exp"), ClaimMalformed("exp")]) {
        let (reason, status) = match error {
            AuthenticationTooOld | AuthenticationTooWeak => (Reason::StepUpRequired, 401),
            BoundToCertificate | BoundToKey | BoundUnknown => (Reason::SenderConstrained, 401),
            HostFailed | Unsupported => (Reason::HostFailed, 500),
            KeysUnavailable | TooManyWaiting => (Reason::CalloutFailed, 503),
            Revoked => (Reason::Revoked, 401),
            RevocationUnknown => (Reason::RevocationUnknown, 503),
            _ => (Reason::InvalidToken, 401),
        };
        assert_eq!((error.reason(), error.reason().status()), (reason, status), "{error}");
    }
    assert_eq!(ClaimMissing("exp").to_string(), "claim_missing: exp");
}

/// A name that only the issuer knows must not show, whatever becomes of the token.
#[test]
fn nothing_of_a_token_shows() {
    let token = sign(Algorithm::Rs256, &header(Algorithm::Rs256).to_string(), &good().to_string());
    let read = wardpoint_core::jws::Jws::read(token.as_bytes()).unwrap();
    assert_eq!(format!("{read:?}"), "Jws(Rs256)");
    assert!(set(&[bare(Family::Rsa)]).skipped().is_empty());
}
