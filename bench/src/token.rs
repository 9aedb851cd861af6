//! The callers: tokens as an identity provider gives them, signed with keys of this run.

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as Rsa, KeyPairComponents, PublicKeyComponents};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

/// `iss` of the tokens.
pub(crate) const ISSUER: &str = "https://idp.example.com/realms/agents";
/// `aud` of the tokens.
pub(crate) const AUDIENCE: &str = "https://tools.example.com/mcp";
/// `azp` of the tokens: who acts.
pub(crate) const AGENT: &str = "planner";
/// `sub` of the tokens: for whom.
pub(crate) const USER: &str = "248289761001";
/// What of `scope` is asked for.
pub(crate) const SCOPE: &str = "tools:call";

/// How a token is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

/// A key for each algorithm.
pub(crate) struct Keys {
    random: SystemRandom,
    rsa: Rsa,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

/// A signed token and the key set that verifies it.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) key_set: String,
}

impl Algorithm {
    /// All.
    pub(crate) const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// As JOSE has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl Keys {
    /// New ones; but for the RSA key, which takes long to find: that of RFC 7515 appendix A.2.1, 2048 bits.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let p256 = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
            .ok()
            .and_then(|key| EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).ok());
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).ok().and_then(|key| Ed25519KeyPair::from_pkcs8(key.as_ref()).ok());
        let rsa = Rsa::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents { n: bytes(RSA_N)?, e: vec![1, 0, 1] },
            d: bytes(RSA_D)?,
            p: bytes(RSA_P)?,
            q: bytes(RSA_Q)?,
            dP: bytes(RSA_DP)?,
            dQ: bytes(RSA_DQ)?,
            qInv: bytes(RSA_QI)?,
        });
        let rsa = rsa.map_err(|error| anyhow!("the RSA key cannot be used: {error}"))?;
        Ok(Self { random, rsa, p256: p256.context("no P-256 key")?, ed25519: ed25519.context("no Ed25519 key")? })
    }

    /// The public halves as a JWK Set.
    pub(crate) fn set(&self) -> Value {
        // An uncompressed point: 4, then both coordinates (SEC 1 section 2.3.3).
        let point = self.p256.public_key().as_ref();
        let (x, y) = (point.get(1..33).unwrap_or_default(), point.get(33..).unwrap_or_default());
        let key = |algorithm: Algorithm, members: Value| {
            let mut key = json!({ "use": "sig", "alg": algorithm.name(), "kid": algorithm.name() });
            if let (Some(key), Value::Object(members)) = (key.as_object_mut(), members) {
                key.extend(members);
            }
            key
        };
        json!({ "keys": [
            key(Algorithm::Rs256, json!({ "kty": "RSA", "n": RSA_N, "e": "AQAB" })),
            key(Algorithm::Es256, json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })),
            key(Algorithm::EdDsa, json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(self.ed25519.public_key()) })),
        ] })
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, algorithm: Algorithm, claims: &Value) -> anyhow::Result<String> {
        let header = json!({ "alg": algorithm.name(), "typ": "at+jwt", "kid": algorithm.name() });
        let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = match algorithm {
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                let signed = self.rsa.sign(&RSA_PKCS1_SHA256, &self.random, text.as_bytes(), &mut signature);
                signed.map(|()| signature).ok()
            }
            Algorithm::Es256 => self.p256.sign(&self.random, text.as_bytes()).ok().map(|signature| signature.as_ref().to_vec()),
            Algorithm::EdDsa => Some(self.ed25519.sign(text.as_bytes()).as_ref().to_vec()),
        };
        Ok(format!("{text}.{}", encode(signature.context("the token cannot be signed")?)))
    }
}

impl Token {
    /// The one token of all suites that are not about tokens.
    pub(crate) fn new(keys: &Keys, now: u64) -> anyhow::Result<Self> {
        Ok(Self { text: keys.sign(Algorithm::Es256, &claims(now, 0))?, key_set: keys.set().to_string() })
    }
}

/// The claims of a user's token that is good for a day; `number` tells it from others.
pub(crate) fn claims(now: u64, number: usize) -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": USER,
        "azp": AGENT,
        "scope": format!("openid profile {SCOPE}"),
        "iat": now,
        "exp": now + 86_400,
        "jti": format!("f6c3a1a0-6d5c-4d0e-9c55-{number:012x}"),
    })
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| anyhow!("{error}"))
}

const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const RSA_P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const RSA_Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const RSA_DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const RSA_DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const RSA_QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn tokens_are_signed_with_the_keys_of_the_set() {
        let keys = Keys::new().unwrap();
        for algorithm in Algorithm::ALL {
            let token = keys.sign(algorithm, &claims(1, 2)).unwrap();
            let (text, signature) = token.rsplit_once('.').unwrap();
            let (text, signature) = (text.as_bytes(), bytes(signature).unwrap());
            let good = match algorithm {
                Algorithm::Rs256 => {
                    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, keys.rsa.public()).verify(text, &signature)
                }
                Algorithm::Es256 => {
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, keys.p256.public_key()).verify(text, &signature)
                }
                Algorithm::EdDsa => UnparsedPublicKey::new(&ED25519, keys.ed25519.public_key()).verify(text, &signature),
            };
            assert!(good.is_ok(), "{algorithm:?}");
        }
        assert_ne!(keys.sign(Algorithm::EdDsa, &claims(1, 2)).unwrap(), keys.sign(Algorithm::EdDsa, &claims(1, 3)).unwrap());
    }
}
