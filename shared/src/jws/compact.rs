//! The compact serialization and its header (RFC 7515 sections 3.1 and 4.1), read strictly.

use core::fmt;
use std::borrow::Cow;

use super::claims::Claims;
use super::{Algorithm, Key, KeySet, TokenError, Verifier};
use crate::base64::decode_url;
use crate::filter::ServiceError;
use crate::json::{self, Kind, Limits, Reader};

/// Longest token in bytes (OA-J-13).
pub const MAX_TOKEN: usize = 16 * 1024;
/// Longest header in bytes, encoded (OA-J-13).
const MAX_HEADER: usize = 4 * 1024;
/// Longest `kid` in bytes (BY-T-03).
pub(super) const MAX_KEY_ID: usize = 256;
/// Header and claims are small and flat; what a `jwk` in a header needs is far less.
pub(super) const LIMITS: Limits = Limits { depth: 16, number: 64, nodes: 2_000 };

/// A token that has the form of a JWS. Nobody has looked at its signature yet.
pub struct Jws<'a> {
    /// How it says it is signed.
    pub algorithm: Algorithm,
    /// Which key it says it is signed with. Opaque: it is only ever compared.
    pub key_id: Option<String>,
    /// `typ` in lower case, without `application/`.
    pub kind: Option<String>,
    pub(super) payload: Vec<u8>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads a token. Everything in it may be forged.
    pub fn read(text: &'a [u8]) -> Result<Self, TokenError> {
        Self::read_long(text, MAX_TOKEN)
    }

    /// Reads a token that may be as long as this: a list that came from its issuer, never what a request brings.
    pub fn read_long(text: &'a [u8], longest: usize) -> Result<Self, TokenError> {
        if text.len() > longest {
            return Err(TokenError::TooLong);
        }
        let cut = |text: &'a [u8]| {
            let dot = memchr::memchr(b'.', text)?;
            Some((text.get(..dot)?, text.get(dot + 1..)?))
        };
        let (header, behind) = cut(text).ok_or(TokenError::Parts)?;
        let (payload, signature) = cut(behind).ok_or(TokenError::Parts)?;
        if cut(signature).is_some() {
            // Five parts are what RFC 7516 section 3.1 has.
            let dots = signature.iter().filter(|byte| **byte == b'.').count();
            return Err(if dots == 2 { TokenError::Encrypted } else { TokenError::Parts });
        }
        if header.len() > MAX_HEADER {
            return Err(TokenError::TooLong);
        }
        let signed = text.get(..header.len() + 1 + payload.len()).ok_or(TokenError::Parts)?;
        let bytes = |part| decode_url(part).ok_or(TokenError::Base64);
        let (header, payload, signature) = (bytes(header)?, bytes(payload)?, bytes(signature)?);
        let header = Header::read(&header)?;
        Ok(Self { algorithm: header.algorithm, key_id: header.key_id, kind: header.kind, payload, signed, signature })
    }

    /// What it says. Nothing of that is to be believed before [`Issuer::authenticate`](super::Issuer::authenticate).
    pub fn claimed(&self) -> Result<Claimed, TokenError> {
        Claims::read(&self.payload).map(Claimed)
    }

    /// The payload, if the signature is right under a key of `keys` that is meant for it; and that key.
    pub fn authenticate<'k>(&self, keys: &'k KeySet, verifier: &mut dyn Verifier) -> Result<(&[u8], &'k Key), TokenError> {
        for key in keys.choose(self.key_id.as_deref(), self.algorithm)? {
            if !key.can_have_made(&self.signature) {
                continue;
            }
            match verifier.verify(key, self.algorithm, self.signed, &self.signature) {
                Ok(true) => return Ok((&self.payload, key)),
                Ok(false) => {}
                Err(ServiceError::Unsupported) => return Err(TokenError::Unsupported),
                Err(ServiceError::CasMismatch | ServiceError::Failed) => return Err(TokenError::HostFailed),
            }
        }
        Err(TokenError::BadSignature)
    }
}

/// What a token says, read once, for [`Issuer::judge`](super::Issuer::judge).
pub struct Claimed(pub(super) Claims);

impl Claimed {
    /// Who it says made it: whose keys to ask, and nothing more (OA-J-06).
    pub fn issuer(&self) -> Result<&str, TokenError> {
        self.0.issuer()
    }
}

/// Shows nothing of what the token says.
impl fmt::Debug for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claimed")
    }
}

/// Shows nothing of what the token says.
impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jws({:?})", self.algorithm)
    }
}

struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
    kind: Option<String>,
}

impl Header {
    fn read<'a>(text: &'a [u8]) -> Result<Self, TokenError> {
        let (mut algorithm, mut key_id, mut kind, mut fault) = (None, None, None, None);
        let read = |reader: &mut Reader<'a>| {
            reader.object(|name, reader| {
                let found = match &*name.bytes() {
                    b"alg" => return string(reader, &mut algorithm, &mut fault),
                    b"kid" => return string(reader, &mut key_id, &mut fault),
                    b"typ" => return string(reader, &mut kind, &mut fault),
                    b"b64" => TokenError::Unencoded,
                    b"crit" => TokenError::Critical,
                    b"cty" => TokenError::Nested,
                    b"enc" | b"epk" | b"p2c" | b"p2s" => TokenError::Encrypted,
                    b"jku" | b"jwk" | b"x5c" | b"x5u" => TokenError::KeyInHeader,
                    b"zip" => TokenError::Compressed,
                    // RFC 7515 section 4: what is not understood is ignored, unless `crit` says otherwise.
                    _ => return Ok(()),
                };
                fault.get_or_insert(found);
                Ok(())
            })
        };
        whole(text, read).map_err(|_| TokenError::HeaderUnreadable)?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        if key_id.as_ref().is_some_and(|id: &Cow<'_, str>| id.is_empty() || id.len() > MAX_KEY_ID) {
            return Err(TokenError::KeyIdRefused);
        }
        let algorithm = algorithm.as_deref().and_then(Algorithm::from_name).ok_or(TokenError::AlgorithmRefused)?;
        Ok(Self { algorithm, key_id: key_id.map(Cow::into_owned), kind: kind.map(|kind| media_type(&kind)) })
    }
}

/// Reads a text that must be one object.
pub(super) fn whole<'a, T>(
    text: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, json::Error>,
) -> Result<(), json::Error> {
    let mut reader = Reader::new(text, LIMITS);
    read(&mut reader)?;
    reader.finish()
}

/// `typ` in one form: media types have no case, and `application/` may be left out (RFC 7515 section 4.1.9).
pub(super) fn media_type(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    match text.strip_prefix("application/") {
        Some(rest) if !rest.contains('/') => rest.to_owned(),
        _ => text,
    }
}

fn string<'a>(
    reader: &mut Reader<'a>,
    into: &mut Option<Cow<'a, str>>,
    fault: &mut Option<TokenError>,
) -> Result<(), json::Error> {
    if reader.peek()? == Kind::String {
        *into = Some(reader.string()?.text());
    } else {
        fault.get_or_insert(TokenError::HeaderUnreadable);
    }
    Ok(())
}
