//! One public key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).

use super::compact::MAX_KEY_ID;
use super::rsa::{self, Public};
use super::{Algorithm, Family, der};
use crate::base64::decode_url;
use crate::json::Node;

/// A public key for signatures of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    id: Option<Box<str>>,
    family: Family,
    /// The one algorithm that it is for, where it says so (OA-J-02).
    algorithm: Option<Algorithm>,
    spki: Box<[u8]>,
    signature_len: usize,
    rsa: Option<Public>,
}

/// Why a key of a set is not used. The others of the set are (RFC 7517 section 5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// `alg` is none that is accepted, or none of this kind of key.
    Algorithm,
    /// A member that must be there is missing or not of its type.
    Incomplete,
    /// `kty` or `crv` is none that is accepted.
    Kind,
    /// `use` or `key_ops` say that it is not for verifying signatures (RFC 7517 sections 4.2 and 4.3).
    Purpose,
    /// It holds private parts: whoever reads the set can sign with it.
    Private,
    /// It is symmetric: whoever can verify can sign (BY-T-02).
    Symmetric,
    /// A number is not in the one form that it has (RFC 7518 section 2, Base64urlUInt; sections 6.2.1.2 and 6.2.1.3).
    Number,
    /// An RSA key of fewer than 2048 or more than 8192 bits, with a bad exponent, or of a broken generator (BY-T-10).
    Weak,
}

impl Key {
    /// Reads one JWK.
    pub(super) fn read(jwk: &Node) -> Result<Self, KeyError> {
        let Node::Map(members) = jwk else { return Err(KeyError::Incomplete) };
        let jwk = Jwk(members);
        let kind = jwk.text("kty")?.ok_or(KeyError::Incomplete)?;
        if kind == "oct" {
            return Err(KeyError::Symmetric);
        }
        if ["d", "dp", "dq", "k", "oth", "p", "q", "qi"].iter().any(|name| jwk.member(name).is_some()) {
            return Err(KeyError::Private);
        }
        jwk.is_for_verifying()?;
        let mut public = None;
        let (family, spki, signature_len) = match (kind, jwk.text("crv")?) {
            ("RSA", _) => {
                let (modulus, exponent) = (jwk.bytes("n")?, jwk.bytes("e")?);
                rsa::check(&modulus, &exponent)?;
                public = Some(Public::new(&modulus, &exponent));
                (Family::Rsa, der::rsa_key(&modulus, &exponent), modulus.len())
            }
            ("EC", Some("P-256")) => (Family::P256, der::p256_key(&jwk.point(32)?), 64),
            ("EC", Some("P-384")) => (Family::P384, der::p384_key(&jwk.point(48)?), 96),
            ("OKP", Some("Ed25519")) => {
                let point = Some(jwk.bytes("x")?).filter(|x| x.len() == 32).ok_or(KeyError::Number)?;
                (Family::Ed25519, der::ed25519_key(&point), 64)
            }
            _ => return Err(KeyError::Kind),
        };
        let algorithm = match jwk.text("alg")? {
            None => None,
            Some(name) => Some(Algorithm::from_name(name).filter(|a| a.family() == family).ok_or(KeyError::Algorithm)?),
        };
        let id = jwk.text("kid")?;
        if id.is_some_and(|id| id.is_empty() || id.len() > MAX_KEY_ID) {
            return Err(KeyError::Incomplete);
        }
        Ok(Self { id: id.map(Into::into), family, algorithm, spki: spki.into(), signature_len, rsa: public })
    }

    /// Its `kid`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What kind of key it is.
    pub fn family(&self) -> Family {
        self.family
    }

    /// SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7, RFC 3279 section 2.3, RFC 5480 section 2, RFC 8410 section 4).
    ///
    /// Of a point only its size was looked at: what verifies must refuse one that is not on the curve.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The point, where the key is one: Ed25519's, or x and then y.
    pub(super) fn point(&self) -> &[u8] {
        let size = match self.family {
            Family::Ed25519 => 32,
            Family::P256 => 64,
            Family::P384 => 96,
            Family::Rsa => 0,
        };
        self.spki.get(self.spki.len() - size..).unwrap_or_default()
    }

    /// What an RSA signature is of, and the bits of the modulus (RFC 8017 section 5.2.2); `None` for other keys, and for a
    /// signature that is no number below the modulus.
    pub(super) fn open(&self, signature: &[u8]) -> Option<(Vec<u8>, usize)> {
        let rsa = self.rsa.as_ref()?;
        Some((rsa.open(signature)?, rsa.bits()))
    }

    /// Whether signatures of this algorithm are checked with it.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.family == algorithm.family() && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether a signature has the one size that those of this key have (RFC 8017 section 8.2.2 step 1, RFC 7518 section
    /// 3.4) and, for ECDSA, no number that is zero (BY-T-10).
    pub(super) fn can_have_made(&self, signature: &[u8]) -> bool {
        let ecdsa = matches!(self.family, Family::P256 | Family::P384);
        let (r, s) = signature.split_at(signature.len() / 2);
        let zero = |number: &[u8]| number.iter().all(|byte| *byte == 0);
        signature.len() == self.signature_len && !(ecdsa && (zero(r) || zero(s)))
    }
}

/// The members of a JWK.
struct Jwk<'a>(&'a [(String, Node)]);

impl<'a> Jwk<'a> {
    fn member(&self, name: &str) -> Option<&'a Node> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, KeyError> {
        match self.member(name) {
            None => Ok(None),
            Some(Node::String(text)) => Ok(Some(text)),
            Some(_) => Err(KeyError::Incomplete),
        }
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        decode_url(self.text(name)?.ok_or(KeyError::Incomplete)?.as_bytes()).ok_or(KeyError::Number)
    }

    /// `x` and `y`, both of the size of the field (RFC 7518 sections 6.2.1.2 and 6.2.1.3).
    fn point(&self, size: usize) -> Result<Vec<u8>, KeyError> {
        let (x, y) = (self.bytes("x")?, self.bytes("y")?);
        if x.len() == size && y.len() == size { Ok([x, y].concat()) } else { Err(KeyError::Number) }
    }

    fn is_for_verifying(&self) -> Result<(), KeyError> {
        if self.text("use")?.is_some_and(|purpose| purpose != "sig") {
            return Err(KeyError::Purpose);
        }
        match self.member("key_ops") {
            None => Ok(()),
            Some(Node::List(items)) if items.iter().any(|item| matches!(item, Node::String(text) if text == "verify")) => Ok(()),
            Some(Node::List(_)) => Err(KeyError::Purpose),
            Some(_) => Err(KeyError::Incomplete),
        }
    }
}
