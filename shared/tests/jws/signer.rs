//! Client assertions: what they say, that every verifier takes them, and which private keys make them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by it")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wardpoint_core::filter::{Cas, ServiceError, Services, Shared, Signature};
use wardpoint_core::jws::{Algorithm, Assertion, Family, Jws, Signer, SignerError};
use wardpoint_core::secret::Secret;
use wardpoint_core::time::{Duration, Timestamp};

use crate::host::Both;
use crate::signers::{all_keys, bytes, encode, private, signature, with};

const NOW: Timestamp = Timestamp::from_secs(1_795_251_600);

/// The keys of RFC 7515 appendices A.2 and A.3 and of RFC 8037 appendix A, as OpenSSL writes them.
const RSA_PEM: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO
jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL
aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn
juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5
ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf
toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg
VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW
PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G
O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj
kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6
XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB
4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K
pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr
0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE
lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6
kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP
rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw
kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp
5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2
9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/
evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG
yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj
OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2
tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3
ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56
03k2+ZQwVK0JKSHuLFkuQ3U=
-----END PRIVATE KEY-----
";
const P256_SEC1: &str = "\
-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49
AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b
focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END EC PRIVATE KEY-----
";
const P256_PEM: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
-----END PRIVATE KEY-----
";
const ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----\r\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\r\n-----END PRIVATE KEY-----\r\n";

/// Each byte of each call is another.
#[derive(Default)]
struct Dice {
    last: u8,
    fault: bool,
}

impl Services for Dice {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        if self.fault {
            return Err(ServiceError::Failed);
        }
        for byte in into {
            self.last = self.last.wrapping_add(1);
            *byte = self.last;
        }
        Ok(())
    }

    fn shared_get(&mut self, _: &str) -> Result<Option<Shared>, ServiceError> {
        Err(ServiceError::Unsupported)
    }

    fn shared_set(&mut self, _: &str, _: &[u8], _: Option<Cas>) -> Result<(), ServiceError> {
        Err(ServiceError::Unsupported)
    }

    fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
        Err(ServiceError::Unsupported)
    }
}

fn read(text: impl Into<Vec<u8>>, key_id: Option<&str>) -> Result<Signer, SignerError> {
    Signer::read(&Secret::new(text.into()), key_id)
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64::engine::general_purpose::STANDARD.encode(der))
}

fn der(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

/// PKCS#1 is what stands in the PKCS#8 of an RSA key.
fn pkcs1() -> Vec<u8> {
    der(RSA_PEM)[26..].to_vec()
}

fn forms() -> Vec<(Family, String)> {
    let mut forms: Vec<_> =
        [Family::Ed25519, Family::P256, Family::Rsa].map(|family| (family, private(family).to_string())).into();
    forms.extend(
        [(Family::Rsa, RSA_PEM), (Family::P256, P256_SEC1), (Family::P256, P256_PEM), (Family::Ed25519, ED25519_PEM)]
            .map(|(f, t)| (f, t.to_owned())),
    );
    forms.push((Family::Rsa, pem("RSA PRIVATE KEY", &pkcs1())));
    forms
}

/// Header and claims of a token.
fn said(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| serde_json::from_slice(&bytes(part)).unwrap_or_default());
    [parts.next().unwrap(), parts.next().unwrap()]
}

const WHAT: Assertion<'_> = Assertion { client: "gate", audience: "https://idp", life: Duration::from_secs(60) };

#[test]
fn an_assertion_says_what_it_must() {
    let signer = read(private(Family::P256).to_string(), Some("k\"1")).unwrap();
    let mut dice = Dice::default();
    let token = signer.assert(&WHAT, NOW, &mut dice).unwrap();
    let [header, claims] = said(token.reveal());
    assert_eq!(header, json!({"alg": "ES256", "typ": "JWT", "kid": "k\"1"}));
    assert_eq!(
        claims,
        json!({"iss": "gate", "sub": "gate", "aud": "https://idp", "iat": 1_795_251_600, "exp": 1_795_251_660, "jti": "0102030405060708090a0b0c0d0e0f10"})
    );
    let next = signer.assert(&WHAT, NOW, &mut dice).unwrap();
    assert_ne!(said(next.reveal())[1]["jti"], claims["jti"], "jti is never used twice");
    let long = Assertion { life: Duration::from_secs(86_400), client: "a\\\"\n", ..WHAT };
    let [_, claims] = said(signer.assert(&long, NOW, &mut dice).unwrap().reveal());
    assert_eq!((&claims["exp"], &claims["sub"]), (&json!(1_795_251_900), &json!("a\\\"\n")));
    let mut broken = Dice { fault: true, ..Dice::default() };
    assert_eq!(signer.assert(&WHAT, NOW, &mut broken), Err(ServiceError::Failed), "no jti, no assertion");
}

/// Whatever form the key had, three verifiers take what it signs, and nobody takes it for anything else.
#[test]
fn what_is_signed_verifies() {
    for (family, text) in forms() {
        let key_id = format!("{family:?}");
        let signer = read(text, Some(&key_id)).unwrap();
        let token = signer.assert(&WHAT, NOW, &mut Dice::default()).unwrap();
        let jws = Jws::read(token.reveal().as_bytes()).unwrap();
        assert_eq!(jws.algorithm, signer.algorithm());
        let keys = all_keys();
        let (_, key) = jws.authenticate(&keys, &mut Both::default()).unwrap();
        assert_eq!(key.family(), family);
        // Both are deterministic: the very signature that another library makes.
        if family != Family::P256 {
            let (signed, made) = token.reveal().rsplit_once('.').unwrap();
            assert_eq!(made, encode(signature(signer.algorithm(), signed.as_bytes())));
        }
        assert_eq!(signer.sign("{}").unwrap(), signer.sign("{}").unwrap());
    }
}

#[test]
fn the_name_of_the_key_and_of_the_algorithm() {
    let alg = |signer: &Signer| said(signer.sign("{}").unwrap().reveal())[0].clone();
    let key = with(private(Family::Ed25519), json!({"kid": "own", "alg": "Ed25519"}));
    assert_eq!(alg(&read(key.to_string(), None).unwrap()), json!({"alg": "Ed25519", "typ": "JWT", "kid": "own"}));
    assert_eq!(alg(&read(key.to_string(), Some("given")).unwrap())["kid"], "given");
    assert_eq!(alg(&read(ED25519_PEM, None).unwrap()), json!({"alg": "EdDSA", "typ": "JWT"}));
    for (family, name) in [(Family::Rsa, "PS256"), (Family::Rsa, "RS512"), (Family::P256, "RS256"), (Family::Ed25519, "none")] {
        let key = with(private(family), json!({"alg": name}));
        assert_eq!(read(key.to_string(), None).err(), Some(SignerError::Algorithm), "{name}");
    }
}

#[test]
fn what_is_no_private_key() {
    let public = |family| {
        let mut key = private(family);
        key.as_object_mut().unwrap().remove("d");
        key.to_string()
    };
    let changed = |family, members| with(private(family), members).to_string();
    let p384 = json!({"kty": "EC", "crv": "P-384", "d": encode([1; 48]), "x": encode([1; 48]), "y": encode([1; 48])}).to_string();
    let other = crate::signers::encode([3; 32]);
    let order = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";
    let mut off = bytes(private(Family::Rsa)["dp"].as_str().unwrap());
    off[100] ^= 1;
    let mut multi = pkcs1();
    multi[6] = 1;
    for (text, error) in [
        (String::new(), SignerError::Unreadable),
        ("{".into(), SignerError::Unreadable),
        ("secret".into(), SignerError::Unreadable),
        (" ".repeat(20_000), SignerError::Unreadable),
        (public(Family::Rsa), SignerError::NotPrivate),
        (public(Family::P256), SignerError::NotPrivate),
        (pem("PUBLIC KEY", b"x"), SignerError::NotPrivate),
        (pem("CERTIFICATE", b"x"), SignerError::NotPrivate),
        (pem("ENCRYPTED PRIVATE KEY", b"x"), SignerError::Encrypted),
        (P256_SEC1.replace("MHcCAQEE", "Proc-Type: 4,ENCRYPTED\nMHcCAQEE"), SignerError::Encrypted),
        (pem("OPENSSH PRIVATE KEY", b"x"), SignerError::Unreadable),
        (pem("PRIVATE KEY", &[&der(P256_PEM)[..], &[0]].concat()), SignerError::Unreadable),
        (pem("RSA PRIVATE KEY", &multi), SignerError::Unfit),
        (p384, SignerError::Unfit),
        (json!({"kty": "oct", "k": "AAAA", "d": "AAAA"}).to_string(), SignerError::Unfit),
        (changed(Family::P256, json!({"y": other})), SignerError::Unfit),
        (changed(Family::P256, json!({"d": other})), SignerError::Unfit),
        (changed(Family::P256, json!({"d": encode([0; 32])})), SignerError::Unfit),
        (changed(Family::P256, json!({"d": order})), SignerError::Unfit),
        (changed(Family::P256, json!({"d": 7})), SignerError::Unreadable),
        (changed(Family::P256, json!({"d": "+/=="})), SignerError::Unreadable),
        (changed(Family::Ed25519, json!({"x": other})), SignerError::Unfit),
        (changed(Family::Ed25519, json!({"d": encode([1; 31])})), SignerError::Unfit),
        (changed(Family::Rsa, json!({"dp": encode(&off)})), SignerError::Unfit),
        (changed(Family::Rsa, json!({"dq": encode(&off)})), SignerError::Unfit),
        (changed(Family::Rsa, json!({"qi": encode(&off)})), SignerError::Unfit),
        (changed(Family::Rsa, json!({"p": private(Family::Rsa)["q"]})), SignerError::Unfit),
        (changed(Family::Rsa, json!({"e": "Aw"})), SignerError::Unfit),
        (changed(Family::Rsa, json!({"n": encode([0xff; 128])})), SignerError::Unfit),
    ] {
        assert_eq!(read(text.clone(), None).err(), Some(error), "{text}");
    }
    let mut whole = private(Family::Rsa);
    whole.as_object_mut().unwrap().remove("qi");
    assert_eq!(read(whole.to_string(), None).err(), Some(SignerError::Unreadable));
}

/// A key that was cut off is an error and no panic.
#[test]
fn every_cut_is_an_error() {
    for (label, der) in [("PRIVATE KEY", der(P256_PEM)), ("PRIVATE KEY", der(ED25519_PEM)), ("RSA PRIVATE KEY", pkcs1())] {
        for size in 0..der.len() {
            assert!(read(pem(label, &der[..size]), None).is_err(), "{label} {size}");
        }
    }
    for text in [P256_SEC1, P256_PEM] {
        for size in 0..text.len() - 1 {
            assert!(read(text.split_at(size).0, None).is_err(), "{size}");
        }
    }
}

#[test]
fn nothing_of_a_key_shows() {
    for (family, text) in forms() {
        let signer = read(text, Some("id")).unwrap();
        let d = private(family)["d"].as_str().unwrap().to_owned();
        let shown = format!("{signer:?}");
        assert!(!shown.contains(&d) && shown.len() < 40, "{shown}");
    }
}

/// Keys that OpenSSL makes, in the forms in which it writes them; and it takes the signatures.
#[test]
fn openssl_takes_them() {
    let Some(version) = openssl(&["version"], b"") else { return };
    assert!(version.starts_with(b"OpenSSL"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("signer");
    std::fs::create_dir_all(&folder).unwrap();
    for (arguments, algorithm) in [
        (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..], Algorithm::Rs256),
        (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], Algorithm::Rs256),
        (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"], Algorithm::Rs256),
        (&["genrsa", "-traditional", "2048"], Algorithm::Rs256),
        (&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], Algorithm::Es256),
        (&["ecparam", "-name", "prime256v1", "-genkey"], Algorithm::Es256),
        (&["genpkey", "-algorithm", "ED25519"], Algorithm::Ed25519),
    ] {
        let text = openssl(arguments, b"").unwrap();
        let signer = read(text.clone(), None).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert_eq!(signer.algorithm(), algorithm);
        let token = signer.sign("{}").unwrap();
        let (message, signature) = token.reveal().rsplit_once('.').unwrap();
        let raw = bytes(signature);
        let made = if algorithm == Algorithm::Es256 { ecdsa_der(&raw) } else { raw };
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (key, made) = (file("key", &openssl(&["pkey", "-pubout"], &text).unwrap()), file("signature", &made));
        let verified = if algorithm == Algorithm::Ed25519 {
            let message = file("message", message.as_bytes());
            openssl(&["pkeyutl", "-verify", "-pubin", "-inkey", &key, "-rawin", "-in", &message, "-sigfile", &made], b"")
        } else {
            openssl(&["dgst", "-sha256", "-verify", &key, "-signature", &made], message.as_bytes())
        };
        assert!(verified.is_some(), "{arguments:?}");
    }
    assert!(Path::new(&folder).exists());
}

/// What it writes; `None` if it fails or is not there.
fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    output.status.success().then_some(output.stdout)
}

fn ecdsa_der(raw: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let sign: &[u8] = if number[zeros] >= 0x80 { &[0] } else { &[] };
        [&[2, u8::try_from(number.len() - zeros + sign.len()).unwrap()], sign, &number[zeros..]].concat()
    };
    let both = [integer(&raw[..32]), integer(&raw[32..])].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
}
