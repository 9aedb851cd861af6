//! Keys that RFCs have published, and tokens signed with them.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by it")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
};
use serde_json::{Value, json};
use wardpoint_core::jws::{Algorithm, Family, KeySet};

/// RFC 7515 appendix A.2.1.
pub(crate) const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const RSA_P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const RSA_Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const RSA_DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const RSA_DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const RSA_QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";
/// RFC 7515 appendix A.3.1.
pub(crate) const P256: [&str; 2] = ["f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"];
const P256_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
/// RFC 6979 appendix A.2.6.
pub(crate) const P384: [&str; 2] = [
    "7DpOQVtOGaRWhhgCn0J_pdqai8SukuAuBqrlKGswDGTe-PDqkFWGYGSiVFFUgLwT",
    "gBXZty19VyROqO-awMYhiWcIpZNn-d-59UyoSz8cnbEoiyMcOuDU_nNE_SUzJkcg",
];
const P384_D: &str = "a509rS4bjBwFsZh1tmWfTeI8O2Z78pe6mqR3QHhxN9iW1XJOTHCoJfhyyepg0u31";
/// RFC 8037 appendix A.1.
pub(crate) const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED25519_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digit = |c: &u8| u8::try_from(char::from(*c).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
}

/// The public key of a family, with no more than it must have.
pub(crate) fn bare(family: Family) -> Value {
    match family {
        Family::Ed25519 => json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519}),
        Family::P256 => json!({"kty": "EC", "crv": "P-256", "x": P256[0], "y": P256[1]}),
        Family::P384 => json!({"kty": "EC", "crv": "P-384", "x": P384[0], "y": P384[1]}),
        Family::Rsa => json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}),
    }
}

/// The private key of a family that clients sign with.
pub(crate) fn private(family: Family) -> Value {
    with(
        bare(family),
        match family {
            Family::Ed25519 => json!({"d": ED25519_D}),
            Family::P256 => json!({"d": P256_D}),
            Family::P384 => json!({"d": P384_D}),
            Family::Rsa => json!({"d": RSA_D, "p": RSA_P, "q": RSA_Q, "dp": RSA_DP, "dq": RSA_DQ, "qi": RSA_QI}),
        },
    )
}

/// A key with further members, or other values of those that it has.
pub(crate) fn with(mut key: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

/// The set of these keys.
pub(crate) fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({"keys": keys}).to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// The set that most tests use: each family once, its `kid` the name of the family.
pub(crate) fn all_keys() -> KeySet {
    set(&[Family::Ed25519, Family::P256, Family::P384, Family::Rsa].map(|f| with(bare(f), json!({"kid": kid(f)}))))
}

pub(crate) fn kid(family: Family) -> String {
    format!("{family:?}")
}

pub(crate) fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "EdDSA",
        Algorithm::Es256 => "ES256",
        Algorithm::Es384 => "ES384",
        Algorithm::Ps256 => "PS256",
        Algorithm::Rs256 => "RS256",
        Algorithm::Rs384 => "RS384",
        Algorithm::Rs512 => "RS512",
    }
}

/// A header that is as it should be.
pub(crate) fn header(algorithm: Algorithm) -> Value {
    json!({"alg": name(algorithm), "typ": "at+jwt", "kid": kid(algorithm.family())})
}

/// Any header and any payload, rightly signed.
pub(crate) fn sign(algorithm: Algorithm, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = signature(algorithm, signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

/// The signature of a message, in the form that a JWS has it.
pub(crate) fn signature(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let ecdsa = |kind: &'static EcdsaSigningAlgorithm, d: &str, [x, y]: [&str; 2]| {
        let public = [vec![4], bytes(x), bytes(y)].concat();
        let key = EcdsaKeyPair::from_private_key_and_public_key(kind, &bytes(d), &public, &random).unwrap();
        key.sign(&random, message).unwrap().as_ref().to_vec()
    };
    let rsa = |padding: &'static dyn RsaEncoding| {
        let key = rsa();
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(padding, &random, message, &mut signature).unwrap();
        signature
    };
    match algorithm {
        Algorithm::Ed25519 => {
            let key = Ed25519KeyPair::from_seed_and_public_key(&bytes(ED25519_D), &bytes(ED25519)).unwrap();
            key.sign(message).as_ref().to_vec()
        }
        Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, P256_D, P256),
        Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, P384_D, P384),
        Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
        Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
        Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384),
        Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512),
    }
}

fn rsa() -> KeyPair {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: bytes(RSA_N), e: bytes("AQAB") },
        d: bytes(RSA_D),
        p: bytes(RSA_P),
        q: bytes(RSA_Q),
        dP: bytes(RSA_DP),
        dQ: bytes(RSA_DQ),
        qInv: bytes(RSA_QI),
    };
    KeyPair::from_components(&components).unwrap()
}
