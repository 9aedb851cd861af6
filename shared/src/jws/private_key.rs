//! Private keys of clients, from the text in which a secret holds one.

use wardpoint_crypto::rsa::Numbers;
use wardpoint_crypto::{ecdsa, ed25519, rsa};

use super::{Algorithm, der, padding};
use crate::base64::{decode, decode_url};
use crate::json::{Limits, Node, parse_tree};

/// Longest text of a key in bytes.
const MAX_KEY: usize = 16 * 1024;
const LIMITS: Limits = Limits { depth: 8, number: 64, nodes: 200 };

/// A private key, and the one algorithm that it is used with.
pub(super) enum PrivateKey {
    Ed25519(ed25519::PrivateKey),
    P256(ecdsa::P256),
    Rsa(Box<rsa::PrivateKey>),
}

/// Why a text is no key to sign with. Shows nothing of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SignerError {
    /// It asks for another algorithm than `RS256`, `ES256`, `EdDSA` or `Ed25519`.
    Algorithm,
    /// It is encrypted: nobody is here to give the password.
    Encrypted,
    /// It is a public key only.
    NotPrivate,
    /// Its numbers do not fit one another, or it is of a kind or size that is not used here.
    Unfit,
    /// It is neither a JWK nor a key in PEM (RFC 5958, RFC 5915, RFC 8017 appendix A.1.2).
    Unreadable,
}

impl PrivateKey {
    /// Reads a JWK (RFC 7517) or a PEM text (RFC 7468); of a JWK also `kid` and `alg`.
    pub(super) fn read(text: &[u8]) -> Result<(Self, Option<String>, Option<String>), SignerError> {
        if text.len() > MAX_KEY {
            return Err(SignerError::Unreadable);
        }
        if text.trim_ascii_start().starts_with(b"{") { read_jwk(text) } else { Ok((read_pem(text)?, None, None)) }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::P256(_) => Algorithm::Es256,
            Self::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// The signature in the form that a JWS has it; `None` only for a key that is broken.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Ed25519(key) => Some(key.sign(message).into()),
            Self::P256(key) => key.sign(message).map(Into::into),
            Self::Rsa(key) => key.power(&padding::pkcs1(Algorithm::Rs256, message, key.size())?),
        }
    }
}

/// RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2. The public half must be there and be that of the private one.
fn read_jwk(text: &[u8]) -> Result<(PrivateKey, Option<String>, Option<String>), SignerError> {
    let Ok(Node::Map(members)) = parse_tree(text, LIMITS) else { return Err(SignerError::Unreadable) };
    let find = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let string = |name: &str| match find(name) {
        None => Ok(None),
        Some(Node::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(SignerError::Unreadable),
    };
    let bytes = |name: &str| string(name)?.and_then(|text| decode_url(text.as_bytes())).ok_or(SignerError::Unreadable);
    if find("d").is_none() {
        return Err(SignerError::NotPrivate);
    }
    let key = match (string("kty")?, string("crv")?) {
        (Some("OKP"), Some("Ed25519")) => ed25519(&bytes("d")?, Some(&bytes("x")?))?,
        (Some("EC"), Some("P-256")) => p256(&bytes("d")?, Some(&[bytes("x")?, bytes("y")?].concat()))?,
        (Some("RSA"), _) => {
            let names = ["n", "e", "p", "q", "dp", "dq", "qi"];
            let numbers = names.map(bytes).into_iter().collect::<Result<Vec<_>, _>>()?;
            rsa(&numbers.iter().map(Vec::as_slice).collect::<Vec<_>>())?
        }
        _ => return Err(SignerError::Unfit),
    };
    Ok((key, string("kid")?.map(str::to_owned), string("alg")?.map(str::to_owned)))
}

/// The first key of a PEM text. Other blocks (`EC PARAMETERS`) are passed over.
fn read_pem(text: &[u8]) -> Result<PrivateKey, SignerError> {
    let text = core::str::from_utf8(text).map_err(|_| SignerError::Unreadable)?;
    let mut rest = text;
    loop {
        let (_, begin) = rest.split_once("-----BEGIN ").ok_or(SignerError::Unreadable)?;
        let (label, begin) = begin.split_once("-----").ok_or(SignerError::Unreadable)?;
        let (body, after) = begin.split_once(&format!("-----END {label}-----")).ok_or(SignerError::Unreadable)?;
        rest = after;
        let read = match label {
            "PRIVATE KEY" => read_pkcs8,
            "EC PRIVATE KEY" => |der: &[u8]| read_sec1(der, false),
            "RSA PRIVATE KEY" => read_pkcs1,
            "ENCRYPTED PRIVATE KEY" => return Err(SignerError::Encrypted),
            "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" => return Err(SignerError::NotPrivate),
            _ => continue,
        };
        if body.contains("ENCRYPTED") {
            return Err(SignerError::Encrypted);
        }
        let body: Vec<u8> = body.bytes().filter(|c| !c.is_ascii_whitespace()).collect();
        return read(&decode(&body).ok_or(SignerError::Unreadable)?);
    }
}

/// PrivateKeyInfo (RFC 5958 section 2); attributes and a public key behind the key are passed over.
fn read_pkcs8(der: &[u8]) -> Result<PrivateKey, SignerError> {
    let mut info = der::Reader::new(der).sequence_to_end().ok_or(SignerError::Unreadable)?;
    let (Some([0 | 1]), Some(algorithm), Some(key)) = (info.integer(), info.raw(der::SEQUENCE), info.take(der::OCTET_STRING))
    else {
        return Err(SignerError::Unreadable);
    };
    match algorithm {
        der::RSA => read_pkcs1(key),
        der::P256 => read_sec1(key, true),
        der::ED25519 => {
            let seed = der::Reader::new(key).take(der::OCTET_STRING).ok_or(SignerError::Unreadable)?;
            ed25519(seed, None)
        }
        _ => Err(SignerError::Unfit),
    }
}

/// ECPrivateKey (RFC 5915 section 3). Where nothing around it names the curve, it must do so itself.
fn read_sec1(der: &[u8], named: bool) -> Result<PrivateKey, SignerError> {
    let mut key = der::Reader::new(der).sequence_to_end().ok_or(SignerError::Unreadable)?;
    let (Some([1]), Some(number)) = (key.integer(), key.take(der::OCTET_STRING)) else { return Err(SignerError::Unreadable) };
    match (key.take(der::PARAMETERS), named) {
        (Some(der::P256_NAME), _) | (None, true) => {}
        _ => return Err(SignerError::Unfit),
    }
    let public = key.take(der::PUBLIC).and_then(|bits| der::Reader::new(bits).take(der::BIT_STRING));
    p256(number, public.and_then(|point| point.strip_prefix(&[0, 4])))
}

/// RSAPrivateKey (RFC 8017 appendix A.1.2) with two primes.
fn read_pkcs1(der: &[u8]) -> Result<PrivateKey, SignerError> {
    let mut key = der::Reader::new(der).sequence_to_end().ok_or(SignerError::Unreadable)?;
    let mut numbers = Vec::new();
    for _ in 0..9 {
        numbers.push(key.integer().ok_or(SignerError::Unreadable)?);
    }
    match numbers.as_slice() {
        [[0], n, e, _, p, q, dp, dq, qi] => rsa(&[n, e, p, q, dp, dq, qi]),
        _ => Err(SignerError::Unfit),
    }
}

fn ed25519(seed: &[u8], public: Option<&[u8]>) -> Result<PrivateKey, SignerError> {
    let key = ed25519::PrivateKey::new(seed.try_into().map_err(|_| SignerError::Unfit)?);
    if public.is_some_and(|public| public != key.public()) { Err(SignerError::Unfit) } else { Ok(PrivateKey::Ed25519(key)) }
}

fn p256(number: &[u8], public: Option<&[u8]>) -> Result<PrivateKey, SignerError> {
    let key = number.try_into().ok().and_then(ecdsa::P256::new).ok_or(SignerError::Unfit)?;
    let other = public.is_some_and(|public| key.public().is_none_or(|own| own != public));
    if other { Err(SignerError::Unfit) } else { Ok(PrivateKey::P256(key)) }
}

/// `n`, `e`, `p`, `q`, `dp`, `dq`, `qi`. The public half must be fit for a verifier, as those of others must be.
fn rsa(numbers: &[&[u8]]) -> Result<PrivateKey, SignerError> {
    let &[n, e, p, q, dp, dq, qi] = numbers else { return Err(SignerError::Unfit) };
    super::rsa::check(n, e).map_err(|_| SignerError::Unfit)?;
    let e = e.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    let key = rsa::PrivateKey::new(&Numbers { n, e, p, q, dp, dq, qi }).ok_or(SignerError::Unfit)?;
    Ok(PrivateKey::Rsa(Box::new(key)))
}
