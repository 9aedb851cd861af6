//! Foreign functions: what a stock Envoy has besides the ABI (`envoy-istio` 4.1).

use ring::signature::{self as known, UnparsedPublicKey, VerificationAlgorithm};

use super::{Host, Status};

/// A SubjectPublicKeyInfo begins with one of these, after its own tag and length (RFC 5280 section 4.1.2.7).
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";

impl Host {
    /// `proxy_call_foreign_function`, for a module: the answer as the function encodes it.
    pub fn foreign(&self, name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status> {
        self.check("proxy_call_foreign_function")?;
        match name {
            b"clear_route_cache" => Ok(Vec::new()),
            b"verify_signature" => {
                let [hash, key, signature, text] = fields(arguments).ok_or(Status::BAD_ARGUMENT)?;
                // A result of `false` comes with a text for people, which nobody may depend on.
                let good = self.verify_signature(hash, key, signature, text)?;
                Ok(if good { b"\x08\x01".to_vec() } else { b"\x12\x06failed".to_vec() })
            }
            _ => Err(Status::NOT_FOUND),
        }
    }

    /// The foreign function `verify_signature`. What cannot be a signature or a key is a bad signature, not an error, but for an
    /// empty key: so does Envoy (`tests/host_foreign.rs` asks both). Keys are in DER; PEM, which Envoy knows too, is not modelled. With Ed25519
    /// keys it says `false` to all: there is no digest that it could be told.
    pub fn verify_signature(&self, hash: &[u8], key: &[u8], signature: &[u8], text: &[u8]) -> Result<bool, Status> {
        self.check("proxy_call_foreign_function")?;
        if key.is_empty() {
            return Err(Status::BAD_ARGUMENT);
        }
        let Some((algorithm, bits)) = public_key(key) else { return Ok(false) };
        let algorithm: &dyn VerificationAlgorithm = match (algorithm, hash) {
            (RSA, b"sha256") => &known::RSA_PKCS1_2048_8192_SHA256,
            (RSA, b"sha384") => &known::RSA_PKCS1_2048_8192_SHA384,
            (RSA, b"sha512") => &known::RSA_PKCS1_2048_8192_SHA512,
            (P256, b"sha256") => &known::ECDSA_P256_SHA256_ASN1,
            (P256, b"sha384") => &known::ECDSA_P256_SHA384_ASN1,
            (P384, b"sha256") => &known::ECDSA_P384_SHA256_ASN1,
            (P384, b"sha384") => &known::ECDSA_P384_SHA384_ASN1,
            // Digests that no algorithm of a token has with these keys.
            _ => return Err(Status::UNIMPLEMENTED),
        };
        Ok(UnparsedPublicKey::new(algorithm, bits).verify(text, signature).is_ok())
    }
}

/// `VerifySignatureArguments`: four fields of bytes, numbered from 1; what is not there is empty, of two the last counts.
fn fields(message: &[u8]) -> Option<[&[u8]; 4]> {
    let mut fields: [&[u8]; 4] = [&[]; 4];
    let mut rest = message;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        if tag & 7 != 2 {
            return None;
        }
        let size = usize::try_from(varint(&mut rest)?).ok()?;
        let (bytes, after) = rest.split_at_checked(size)?;
        rest = after;
        if let Some(field) = usize::try_from(tag >> 3).ok()?.checked_sub(1).and_then(|index| fields.get_mut(index)) {
            *field = bytes;
        }
    }
    Some(fields)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The AlgorithmIdentifier of a SubjectPublicKeyInfo, one of those above, and the bits of the key.
fn public_key(spki: &[u8]) -> Option<(&'static [u8], &[u8])> {
    let (content, rest) = element(spki, 0x30)?;
    let algorithm = [RSA, P256, P384].into_iter().find(|algorithm| content.starts_with(algorithm))?;
    let (bits, after) = element(content.get(algorithm.len()..)?, 0x03)?;
    let (unused, key) = bits.split_first()?;
    (rest.is_empty() && after.is_empty() && *unused == 0).then_some((algorithm, key))
}

fn element(text: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, text) = text.split_first()?;
    let (&length, text) = text.split_first()?;
    let more = usize::from(length).saturating_sub(0x80);
    let (long, text) = text.split_at_checked(more)?;
    let size = if length < 0x80 { usize::from(length) } else { long.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)) };
    if first == tag && more <= 2 { text.split_at_checked(size) } else { None }
}
