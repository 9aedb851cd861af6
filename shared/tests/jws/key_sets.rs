//! Key sets, and which key is meant (OA-J-02, OA-J-03, OA-J-06, BY-T-02, BY-T-03, BY-T-10, BY-T-14, BY-T-18).
#![expect(clippy::string_slice, reason = "the texts are ASCII")]

use serde_json::{Value, json};
use wardpoint_core::jws::{Algorithm, Family, Jws, KeyError, KeySet, KeySetError, MAX_KEY_SET, TokenError};

use crate::host::Both;
use crate::signers::{P256, RSA_N, bare, bytes, encode, set, sign, with};

fn read(text: &str) -> Result<KeySet, KeySetError> {
    KeySet::read(text.as_bytes())
}

/// What becomes of one key beside a good one.
fn fate(key: Value) -> Option<KeyError> {
    let found = set(&[bare(Family::Ed25519), key]);
    assert_eq!(found.keys().len() + found.skipped().len(), 2);
    found.skipped().first().copied()
}

/// The family of the key that a token is accepted with.
fn used(keys: &KeySet, algorithm: Algorithm, kid: Option<&str>) -> Result<Family, TokenError> {
    let head = match kid {
        Some(kid) => json!({"alg": crate::signers::name(algorithm), "kid": kid}),
        None => json!({"alg": crate::signers::name(algorithm)}),
    };
    let token = sign(algorithm, &head.to_string(), "{}");
    Jws::read(token.as_bytes())?.authenticate(keys, &mut Both::default()).map(|(_, key)| key.family())
}

/// RFC 7517 section 5: what is not understood is skipped, here counted too.
#[test]
fn keys_that_are_not_used() {
    let p256 = || bare(Family::P256);
    let rsa = || bare(Family::Rsa);
    let ed = || bare(Family::Ed25519);
    let [x, y] = P256.map(bytes);
    for (key, why) in [
        (json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}), KeyError::Symmetric),
        (json!({"kty": "oct"}), KeyError::Symmetric),
        (with(rsa(), json!({"k": "c2VjcmV0"})), KeyError::Private),
        (with(rsa(), json!({"d": "AQAB"})), KeyError::Private),
        (with(p256(), json!({"d": "AQAB"})), KeyError::Private),
        (json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}), KeyError::Kind),
        (json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}), KeyError::Kind),
        (json!({"kty": "OKP", "crv": "X25519", "x": "AA"}), KeyError::Kind),
        (json!({"kty": "OKP", "crv": "P-256", "x": "AA"}), KeyError::Kind),
        (json!({"kty": "rsa", "n": RSA_N, "e": "AQAB"}), KeyError::Kind),
        (json!({"kty": "EC", "x": "AA", "y": "AA"}), KeyError::Kind),
        (json!({"kid": "a"}), KeyError::Incomplete),
        (json!({"kty": 1}), KeyError::Incomplete),
        (json!([]), KeyError::Incomplete),
        (json!(null), KeyError::Incomplete),
        (json!({"kty": "RSA", "e": "AQAB"}), KeyError::Incomplete),
        (with(rsa(), json!({"kid": 7})), KeyError::Incomplete),
        (with(rsa(), json!({"kid": ""})), KeyError::Incomplete),
        (with(rsa(), json!({"kid": "k".repeat(257)})), KeyError::Incomplete),
        (with(rsa(), json!({"use": "enc"})), KeyError::Purpose),
        (with(rsa(), json!({"use": "SIG"})), KeyError::Purpose),
        (with(rsa(), json!({"use": ["sig"]})), KeyError::Incomplete),
        (with(rsa(), json!({"key_ops": ["sign"]})), KeyError::Purpose),
        (with(rsa(), json!({"key_ops": []})), KeyError::Purpose),
        (with(rsa(), json!({"key_ops": "verify"})), KeyError::Incomplete),
        (with(rsa(), json!({"use": "enc", "key_ops": ["verify"]})), KeyError::Purpose),
        (with(rsa(), json!({"alg": "HS256"})), KeyError::Algorithm),
        (with(rsa(), json!({"alg": "RSA-OAEP"})), KeyError::Algorithm),
        (with(rsa(), json!({"alg": "ES256"})), KeyError::Algorithm),
        (with(p256(), json!({"alg": "ES384"})), KeyError::Algorithm),
        (with(ed(), json!({"alg": "none"})), KeyError::Algorithm),
        (with(p256(), json!({"x": encode(&x[1..])})), KeyError::Number),
        (with(p256(), json!({"y": encode([&[0][..], &y].concat())})), KeyError::Number),
        (with(p256(), json!({"crv": "P-384"})), KeyError::Number),
        (with(p256(), json!({"x": format!("{}=", P256[0])})), KeyError::Number),
        (with(ed(), json!({"x": encode([7; 31])})), KeyError::Number),
        (with(rsa(), json!({"e": ""})), KeyError::Number),
        (with(rsa(), json!({"e": "AAEAAQ"})), KeyError::Number),
        (with(rsa(), json!({"e": "AQAC"})), KeyError::Weak),
        (with(rsa(), json!({"e": "AQ"})), KeyError::Weak),
        (with(rsa(), json!({"e": encode([1, 0, 0, 0, 1])})), KeyError::Weak),
        (with(rsa(), json!({"n": encode([&[0][..], &bytes(RSA_N)].concat())})), KeyError::Number),
        (with(rsa(), json!({"n": encode(&bytes(RSA_N)[1..])})), KeyError::Weak),
        (with(rsa(), json!({"n": encode([&[1][..], &[0; 1023], &[1]].concat())})), KeyError::Weak),
        (with(rsa(), json!({"n": encode([&bytes(RSA_N)[..255], &[2]].concat())})), KeyError::Weak),
    ] {
        assert_eq!(fate(key.clone()), Some(why), "{key}");
    }
    for key in [
        with(rsa(), json!({"use": "sig", "key_ops": ["verify"], "alg": "RS512", "x5c": ["MII"], "x5t": "a", "ext": true})),
        with(rsa(), json!({"key_ops": ["sign", "verify"]})),
        with(rsa(), json!({"e": "Aw"})),
        with(rsa(), json!({"e": encode([0xff; 4])})),
        // 8192 bits, odd.
        with(rsa(), json!({"n": encode([&[0xff; 1023][..], &[0x0f]].concat())})),
        with(ed(), json!({"alg": "EdDSA"})),
        with(ed(), json!({"alg": "Ed25519"})),
        with(p256(), json!({"alg": "ES256", "kid": "k".repeat(256)})),
    ] {
        assert_eq!(fate(key.clone()), None, "{key}");
    }
}

/// CVE-2017-15361: this modulus is 65537 to the seventh modulo each of the small primes; the next odd number is not.
#[test]
fn keys_of_a_broken_generator() {
    const BROKEN: &str = "w240C5z_s3qYnKVE5rt4Cix4kB0_szc4doURowYXr6AdS_USLzRFVMU73i67jNK349FgCtYxw4Wl18ziPHeFRZrbwbTJAP_kjVdbXaXGOAQBJfZdsP4-JElLduqYZFfZhghP7Qi5eK9NfRlqdEaoa1gAnmNrYR2xYhG2Wpqt_ynF5S2cUIxQI0c0TYwHrZHL1gaK_HX_YpLwYqCco4HInnHne5qa6eMLDb229RCiZO-d54FQHXtrkq6J6wWcWrdD22dYbpj60n2guZaLwDmh7zTJObm45SOovvidR4YIxez2yjWHV1jqXMwddDVTqqrDzuhiPSS7aBseCJ_Lf4797w";
    assert_eq!(fate(with(bare(Family::Rsa), json!({"n": BROKEN}))), Some(KeyError::Weak));
    let mut next = bytes(BROKEN);
    *next.last_mut().unwrap() += 2;
    assert_eq!(fate(with(bare(Family::Rsa), json!({"n": encode(next)}))), None);
}

#[test]
fn sets_that_are_not_taken() {
    for text in ["{}", "[]", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"Keys":[]}"#, "[{\"kty\":\"RSA\"}]"] {
        assert_eq!(read(text), Err(KeySetError::NoKeys), "{text}");
    }
    for text in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AA"},7,null,"a",[]]}"#] {
        assert_eq!(read(text), Err(KeySetError::NoneUsable), "{text}");
    }
    let key = bare(Family::Ed25519).to_string();
    for text in [
        format!(r#"{{"keys":[{key}],"keys":[{key}]}}"#),
        format!(r#"{{"keys":[{}]}}"#, key.replacen('{', r#"{"kty":"OKP","#, 1)),
        format!(r#"{{"keys":[{key}]}}}}"#),
        format!(r#"{{"keys":[{key},]}}"#),
        format!("\u{feff}{{\"keys\":[{key}]}}"),
        "<html></html>".to_owned(),
        String::new(),
        format!(r#"{{"keys":[{key},{}{}]}}"#, "[".repeat(20), "]".repeat(20)),
    ] {
        assert!(matches!(read(&text), Err(KeySetError::Json(_))), "{text}");
    }
    let many = |count: usize| json!({"keys": vec![bare(Family::Ed25519); count]}).to_string();
    assert_eq!(read(&many(100)).unwrap().keys().len(), 100);
    assert_eq!(read(&many(101)), Err(KeySetError::TooLarge));
    let long = json!({"keys": [bare(Family::Ed25519)], "x": "a".repeat(MAX_KEY_SET)}).to_string();
    assert_eq!(read(&long), Err(KeySetError::TooLarge));
    assert_eq!(format!("{}", KeySetError::NoKeys), "the key set has no list `keys`");
}

/// Whatever a text is cut to, it is no set; whatever byte of it changes, nothing breaks.
#[test]
fn every_cut_of_a_set_is_an_error() {
    let text = json!({"keys": [bare(Family::P256), bare(Family::Ed25519)]}).to_string();
    for end in 0..text.len() {
        assert!(read(&text[..end]).is_err(), "{end}");
    }
    for at in 0..text.len() {
        for byte in [0, b'"', b'}', b'A', 0xff] {
            let mut other = text.clone().into_bytes();
            other[at] = byte;
            drop(KeySet::read(&other));
        }
    }
}

/// The precedence that `KeySet::choose` states.
#[test]
fn kid_alg_and_kty_agree() {
    let named = |family: Family, kid: &str| with(bare(family), json!({"kid": kid}));
    let keys = set(&[named(Family::Rsa, "a"), named(Family::P256, "b"), named(Family::P384, "a"), bare(Family::Ed25519)]);
    for (algorithm, kid, want) in [
        (Algorithm::Rs256, Some("a"), Ok(Family::Rsa)),
        (Algorithm::Ps256, Some("a"), Ok(Family::Rsa)),
        (Algorithm::Es384, Some("a"), Ok(Family::P384)),
        (Algorithm::Es256, Some("b"), Ok(Family::P256)),
        (Algorithm::Es256, Some("a"), Err(TokenError::KeyMismatch)),
        (Algorithm::Rs256, Some("b"), Err(TokenError::KeyMismatch)),
        (Algorithm::Es256, Some("c"), Err(TokenError::UnknownKey)),
        // A key without a `kid` is not of any name.
        (Algorithm::Ed25519, Some("d"), Err(TokenError::UnknownKey)),
        (Algorithm::Ed25519, None, Ok(Family::Ed25519)),
        (Algorithm::Rs256, None, Ok(Family::Rsa)),
    ] {
        assert_eq!(used(&keys, algorithm, kid), want, "{algorithm:?} {kid:?}");
    }
    // One key, one algorithm, where it says so.
    let only = set(&[with(named(Family::Rsa, "a"), json!({"alg": "RS512"}))]);
    assert_eq!(used(&only, Algorithm::Rs512, Some("a")), Ok(Family::Rsa));
    assert_eq!(used(&only, Algorithm::Rs256, Some("a")), Err(TokenError::KeyMismatch));
    assert_eq!(used(&only, Algorithm::Rs256, None), Err(TokenError::UnknownKey));
    assert_eq!(used(&only, Algorithm::Es256, None), Err(TokenError::UnknownKey));
}

/// BY-T-03: the same name twice is tried twice, and no more; without a name there must be one.
#[test]
fn keys_of_one_name() {
    let other = with(bare(Family::Rsa), json!({"kid": "a", "n": encode([&bytes(RSA_N)[..255], &[1]].concat())}));
    let right = with(bare(Family::Rsa), json!({"kid": "a"}));
    for keys in [[other.clone(), right.clone()], [right.clone(), other.clone()]] {
        assert_eq!(used(&set(&keys), Algorithm::Rs256, Some("a")), Ok(Family::Rsa));
        assert_eq!(used(&set(&keys), Algorithm::Rs256, None), Err(TokenError::AmbiguousKey));
    }
    assert_eq!(used(&set(&[other.clone(), other.clone()]), Algorithm::Rs256, Some("a")), Err(TokenError::BadSignature));
    assert_eq!(used(&set(&[other.clone(), other, right]), Algorithm::Rs256, Some("a")), Err(TokenError::AmbiguousKey));
}

/// BY-T-03: a `kid` is only ever compared.
#[test]
fn a_kid_is_opaque() {
    let keys = set(&[with(bare(Family::Rsa), json!({"kid": "../../keys/a' OR 1=1"}))]);
    assert_eq!(used(&keys, Algorithm::Rs256, Some("../../keys/a' OR 1=1")), Ok(Family::Rsa));
    for kid in ["../../../dev/null", "' OR ''='", "a", "*", "../../keys/a' OR 1=1 "] {
        assert_eq!(used(&keys, Algorithm::Rs256, Some(kid)), Err(TokenError::UnknownKey));
    }
    for kid in [String::new(), "k".repeat(257)] {
        assert_eq!(used(&keys, Algorithm::Rs256, Some(&kid)), Err(TokenError::KeyIdRefused));
    }
}

/// BY-T-10: sizes and zeros are refused before anybody is asked; a point that is not on the curve by who is asked.
#[test]
fn signatures_that_no_key_can_make() {
    let tried = |family: Family, algorithm: Algorithm, signature: &[u8]| {
        let token = format!("{}.e30.{}", encode(json!({"alg": crate::signers::name(algorithm)}).to_string()), encode(signature));
        let mut asked = Both::default();
        let answer = Jws::read(token.as_bytes()).and_then(|jws| jws.authenticate(&set(&[bare(family)]), &mut asked).map(drop));
        assert_eq!(answer, Err(TokenError::BadSignature));
        asked.calls
    };
    for (family, algorithm, size) in [
        (Family::Ed25519, Algorithm::Ed25519, 64),
        (Family::P256, Algorithm::Es256, 64),
        (Family::P384, Algorithm::Es384, 96),
        (Family::Rsa, Algorithm::Rs256, 256),
        (Family::Rsa, Algorithm::Ps256, 256),
    ] {
        for size in [0, 1, size - 1, size + 1, 2 * size] {
            assert_eq!(tried(family, algorithm, &vec![1; size]), 0);
        }
        assert_eq!(tried(family, algorithm, &vec![1; size]), 1);
        assert_eq!(tried(family, algorithm, &vec![0xff; size]), 1);
        let ecdsa = usize::from(matches!(family, Family::P256 | Family::P384));
        for signature in
            [vec![0; size], [vec![0; size / 2], vec![1; size / 2]].concat(), [vec![1; size / 2], vec![0; size / 2]].concat()]
        {
            assert_eq!(tried(family, algorithm, &signature), 1 - ecdsa);
        }
    }
    // DER where the raw form belongs.
    assert_eq!(tried(Family::P256, Algorithm::Es256, b"\x30\x06\x02\x01\x01\x02\x01\x01"), 0);
    let off = with(bare(Family::P256), json!({"y": P256[0]}));
    assert_eq!(used(&set(&[off]), Algorithm::Es256, None), Err(TokenError::BadSignature));
}
