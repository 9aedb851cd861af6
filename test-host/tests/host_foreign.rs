//! `verify_signature`: the model and a real Envoy give the same answer.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by it")]

mod plays;

use std::path::PathBuf;

use plays::{pairs, post};
use wardpoint_core::jws::KeySet;
use wardpoint_test_host::engine::{Engine, Play};
use wardpoint_test_host::envoy::Envoy;
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::wasm::Wasm;

/// RFC 7515 appendices A.2 and A.3, RFC 8037 appendix A.
const RSA: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const P256_SIGNATURE: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const ED25519_SIGNATURE: &str = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

struct Case {
    name: &'static str,
    key: Vec<u8>,
    signature: Vec<u8>,
    message: Vec<u8>,
    /// `None`: no verdict.
    good: Option<bool>,
}

fn cases() -> Vec<Case> {
    let rs256 = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}").into_bytes();
    let es256 = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}").into_bytes();
    let eddsa = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_vec();
    let rsa = (spki(RSA), bytes(RSA_SIGNATURE), rs256);
    let raw = bytes(P256_SIGNATURE);
    let p256 = (spki(P256), der(&raw), es256);
    let ed25519 = (spki(ED25519), bytes(ED25519_SIGNATURE), eddsa);
    type Parts = (Vec<u8>, Vec<u8>, Vec<u8>);
    let changed = |(key, signature, message): &Parts, which: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut parts = [key.clone(), signature.clone(), message.clone()];
        change(&mut parts[which]);
        let [key, signature, message] = parts;
        (key, signature, message)
    };
    let flip = |part: &mut Vec<u8>| *part.last_mut().unwrap() ^= 1;
    let zero = |part: &mut Vec<u8>| part.iter_mut().rev().take(64).for_each(|byte| *byte = 0);
    [
        ("RS256", rsa.clone(), Some(true)),
        ("ES256", p256.clone(), Some(true)),
        ("Ed25519, which it cannot check", ed25519, Some(false)),
        ("another message, RS256", changed(&rsa, 2, &flip), Some(false)),
        ("another message, ES256", changed(&p256, 2, &flip), Some(false)),
        ("another signature, RS256", changed(&rsa, 1, &flip), Some(false)),
        ("another signature, ES256", changed(&p256, 1, &flip), Some(false)),
        ("a signature that is too short, RS256", changed(&rsa, 1, &|part| part.truncate(255)), Some(false)),
        ("a byte behind the signature, ES256", changed(&p256, 1, &|part| part.push(0)), Some(false)),
        ("r and s without DER", changed(&p256, 1, &|part| part.clone_from(&raw)), Some(false)),
        ("no signature", changed(&rsa, 1, &Vec::clear), Some(false)),
        ("no key", changed(&rsa, 0, &Vec::clear), None),
        ("no message", changed(&rsa, 2, &Vec::clear), Some(false)),
        ("half a key", changed(&rsa, 0, &|part| part.truncate(100)), Some(false)),
        ("a point that is not on the curve", changed(&p256, 0, &flip), Some(false)),
        ("the point 0, 0", changed(&p256, 0, &zero), Some(false)),
        ("a key of the other kind", (p256.0.clone(), rsa.1.clone(), rsa.2.clone()), Some(false)),
        ("no key at all", (b"\x30\x03\x02\x01\x01".to_vec(), rsa.1, rsa.2), Some(false)),
    ]
    .map(|(name, (key, signature, message), good)| Case { name, key, signature, message, good })
    .into()
}

fn play(case: &Case) -> Play {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let script = format!("requestHeaders=verify:{}|{}|{}", hex(&case.key), hex(&case.signature), hex(&case.message));
    let mut play = Play { plugin: "probe".into(), config: br#"{"holdHeaders": false}"#.to_vec(), ..post(&["ab"]) };
    play.request.headers.extend(pairs(&[("x-probe", &script)]));
    play
}

fn answer(engine: &mut dyn Engine, play: &Play) -> String {
    let seen = engine.run(play).unwrap();
    let found = seen.log.iter().find_map(|line| line.split_once("probe.trace verify "));
    found.map(|(_, answer)| answer.to_owned()).unwrap_or_else(|| panic!("{seen:#?}"))
}

fn said(good: Option<bool>) -> String {
    good.map_or("Err(Failed)".into(), |good| format!("Ok({good})"))
}

fn wasm() -> Wasm {
    Wasm::new(Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/plugins"))), Manners::default())
}

#[test]
fn the_model_says_what_is_right() {
    let mut wasm = wasm();
    for case in cases() {
        assert_eq!(answer(&mut wasm, &play(&case)), said(case.good), "{}", case.name);
    }
}

#[test]
fn envoy_says_the_same() {
    if std::env::var_os("ENVOY_BIN").is_none() {
        eprintln!("skipped: ENVOY_BIN is unset");
        return;
    }
    let mut envoy = Envoy::new().unwrap();
    let differ =
        |case: &Case| Some((case.name, answer(&mut envoy, &play(case)))).filter(|(_, answer)| *answer != said(case.good));
    assert_eq!(cases().iter().filter_map(differ).collect::<Vec<_>>(), []);
}

/// A host without the function, and one that is out of order.
#[test]
fn a_fault_is_no_verdict() {
    for (status, said) in [(1, "Err(Unsupported)"), (12, "Err(Unsupported)"), (2, "Err(Failed)"), (10, "Err(Failed)")] {
        let faults = vec![("proxy_call_foreign_function".to_owned(), status)];
        let play = Play { faults, ..play(&cases()[0]) };
        assert_eq!(answer(&mut wasm(), &play), said, "{status}");
    }
}

fn spki(jwk: &str) -> Vec<u8> {
    KeySet::read(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap().keys()[0].spki().to_vec()
}

fn bytes(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Both numbers of 32 bytes (RFC 3279 section 2.2.3).
fn der(raw: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let sign: &[u8] = if number[0] >= 0x80 { &[0] } else { &[] };
        [&[2, u8::try_from(number.len() + sign.len()).unwrap()], sign, number].concat()
    };
    let both = [integer(&raw[..32]), integer(&raw[32..])].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
}
