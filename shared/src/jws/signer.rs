//! Tokens that are made here: how a client proves itself with its private key (RFC 7523 sections 2.2 and 3).

use core::fmt;

use super::Algorithm;
use super::private_key::{PrivateKey, SignerError};
use crate::base64::encode_url;
use crate::filter::{ServiceError, Services};
use crate::json::{push_hex, push_number, push_string};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// Longest life of a client assertion.
pub const MAX_ASSERTION_LIFE: Duration = Duration::from_secs(300);

/// Signs with one private key, which never leaves it.
pub struct Signer {
    key: Secret<PrivateKey>,
    /// `alg`.
    name: &'static str,
    key_id: Option<String>,
}

/// What a client assertion says.
#[derive(Clone, Copy, Debug)]
pub struct Assertion<'a> {
    /// The client: `iss` and `sub`.
    pub client: &'a str,
    /// The only `aud`: the issuer identifier of the server (draft-ietf-oauth-rfc7523bis section 4), not one of its endpoints.
    pub audience: &'a str,
    /// How long it is good; more than [`MAX_ASSERTION_LIFE`] is taken for that.
    pub life: Duration,
}

impl Signer {
    /// Reads a private key: a JWK, or PEM with PKCS#8, SEC 1 or PKCS#1. `key_id` is what the server knows it as; it comes before the
    /// `kid` of a JWK. RSA keys sign with `RS256`, keys on P-256 with `ES256`, those on Ed25519 with `EdDSA`, or with `Ed25519` if the
    /// JWK's `alg` says so.
    pub fn read(text: &Secret<Vec<u8>>, key_id: Option<&str>) -> Result<Self, SignerError> {
        let (key, own_id, alg) = PrivateKey::read(text.reveal())?;
        let name = match (key.algorithm(), alg.as_deref()) {
            (Algorithm::Ed25519, None | Some("EdDSA")) => "EdDSA",
            (Algorithm::Ed25519, Some("Ed25519")) => "Ed25519",
            (Algorithm::Es256, None | Some("ES256")) => "ES256",
            (Algorithm::Rs256, None | Some("RS256")) => "RS256",
            _ => return Err(SignerError::Algorithm),
        };
        Ok(Self { key: Secret::new(key), name, key_id: key_id.map(str::to_owned).or(own_id) })
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.key.reveal().algorithm()
    }

    /// A token with these claims, which must be one JSON object.
    ///
    /// # Errors
    /// [`ServiceError::Failed`] only if the key computes what its public half does not confirm.
    pub fn sign(&self, claims: &str) -> Result<Secret<String>, ServiceError> {
        let mut header = format!(r#"{{"alg":"{}","typ":"JWT""#, self.name);
        if let Some(id) = &self.key_id {
            header.push_str(r#","kid":"#);
            push_string(&mut header, id);
        }
        header.push('}');
        let mut token = [encode_url(header.as_bytes()), encode_url(claims.as_bytes())].join(".");
        let signature = self.key.reveal().sign(token.as_bytes()).ok_or(ServiceError::Failed)?;
        token.push('.');
        token.push_str(&encode_url(&signature));
        Ok(Secret::new(token))
    }

    /// A client assertion, good from now on, with a `jti` that no other has.
    ///
    /// # Errors
    /// What the host's random bytes fail with, or as [`Signer::sign`].
    pub fn assert(
        &self,
        what: &Assertion<'_>,
        now: Timestamp,
        services: &mut dyn Services,
    ) -> Result<Secret<String>, ServiceError> {
        let mut random = [0; 16];
        services.random(&mut random)?;
        let mut claims = String::from(r#"{"iss":"#);
        push_string(&mut claims, what.client);
        claims.push_str(r#","sub":"#);
        push_string(&mut claims, what.client);
        claims.push_str(r#","aud":"#);
        push_string(&mut claims, what.audience);
        claims.push_str(r#","iat":"#);
        push_number(&mut claims, now.as_secs());
        claims.push_str(r#","exp":"#);
        push_number(&mut claims, (now + what.life.min(MAX_ASSERTION_LIFE)).as_secs());
        claims.push_str(r#","jti":""#);
        push_hex(&mut claims, &random);
        claims.push_str("\"}");
        self.sign(&claims)
    }
}

/// Shows nothing of the key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, {:?})", self.name, self.key_id)
    }
}

impl fmt::Display for SignerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "the private key is for an algorithm that is none of RS256, ES256, EdDSA and Ed25519",
            Self::Encrypted => "the private key is encrypted",
            Self::NotPrivate => "the key is a public one",
            Self::Unfit => {
                "the private key is neither RSA of 2048 to 4096 bits nor on P-256 or Ed25519, or its numbers do not fit"
            }
            Self::Unreadable => "the private key is neither a JWK nor PKCS#8, SEC 1 or PKCS#1 in PEM",
        })
    }
}
