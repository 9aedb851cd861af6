//! The caller: one token for all requests, signed with a key of this run.

use std::fs::File;
use std::io::Read as _;

use anyhow::Context as _;
use jwt_compact::alg::{Es256, SigningKey as _};
use jwt_compact::{Algorithm, AlgorithmExt as _, Claims, Header};
use serde_json::json;

type Signer = <Es256 as Algorithm>::SigningKey;

/// `iss` of the token.
pub(crate) const ISSUER: &str = "https://idp.example.com/realms/agents";
/// `azp` of the token: who acts.
pub(crate) const AGENT: &str = "planner";
/// `sub` of the token: for whom.
pub(crate) const USER: &str = "248289761001";

/// A signed token and the key set that verifies it.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) key_set: String,
}

impl Token {
    /// A token as an identity provider gives it, good for a day.
    pub(crate) fn new(now: u64) -> anyhow::Result<Self> {
        let signer = loop {
            let mut seed = [0; 32];
            File::open("/dev/urandom")?.read_exact(&mut seed)?;
            // All but a few in 2^32 are a key.
            if let Ok(signer) = <Signer as jwt_compact::alg::SigningKey<Es256>>::from_slice(&seed) {
                break signer;
            }
        };
        let claims = json!({
            "iss": ISSUER,
            "aud": "https://tools.example.com/mcp",
            "sub": USER,
            "azp": AGENT,
            "scope": "openid profile tools:call",
            "iat": now,
            "exp": now + 86_400,
            "jti": "f6c3a1a0-6d5c-4d0e-9c55-0d8e8f5d6b1e",
        });
        let header = Header::empty().with_key_id("bench").with_token_type("at+jwt");
        let text = Es256.token(&header, &Claims::new(claims), &signer).context("the token cannot be signed")?;
        let mut key = serde_json::to_value(jwt_compact::jwk::JsonWebKey::from(&signer.to_verifying_key()))?;
        if let Some(fields) = key.as_object_mut() {
            fields.extend([("alg".to_owned(), "ES256".into()), ("kid".to_owned(), "bench".into())]);
        }
        Ok(Self { text, key_set: json!({ "keys": [key] }).to_string() })
    }
}
