//! ECDSA on the curves of NIST (FIPS 186-5 section 6). Signatures are r and then s, both of the size of the field.

use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};

/// Whether `signature` is that of a message with this SHA-256 digest under the point `key` (`x` and then `y`) of P-256.
///
/// `false` also for a point that is not on the curve, and for r or s that are not from 1 to the order less 1.
pub fn verify_p256(key: &[u8; 64], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let Ok(key) = p256::ecdsa::VerifyingKey::from_sec1_bytes(&uncompressed::<65>(key)) else { return false };
    let Ok(signature) = p256::ecdsa::Signature::from_slice(signature) else { return false };
    key.verify_prehash(digest, &signature).is_ok()
}

/// The same with SHA-384 on P-384.
pub fn verify_p384(key: &[u8; 96], digest: &[u8; 48], signature: &[u8; 96]) -> bool {
    let Ok(key) = p384::ecdsa::VerifyingKey::from_sec1_bytes(&uncompressed::<97>(key)) else { return false };
    let Ok(signature) = p384::ecdsa::Signature::from_slice(signature) else { return false };
    key.verify_prehash(digest, &signature).is_ok()
}

/// A private key on P-256.
#[derive(Clone)]
pub struct P256(p256::ecdsa::SigningKey);

impl P256 {
    /// The key of this number; `None` unless it is from 1 to the order less 1.
    pub fn new(number: &[u8; 32]) -> Option<Self> {
        p256::ecdsa::SigningKey::from_slice(number).ok().map(Self)
    }

    /// Its point, `x` and then `y`.
    pub fn public(&self) -> Option<[u8; 64]> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().get(1..)?.try_into().ok()
    }

    /// Signs a message with this SHA-256 digest. The same digest always gives the same signature (RFC 6979): no random number is
    /// needed, and none can be bad.
    pub fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        let signature: p256::ecdsa::Signature = self.0.sign_prehash(digest).ok()?;
        signature.to_bytes().as_slice().try_into().ok()
    }
}

/// A point as SEC 1 section 2.3.3 writes it.
fn uncompressed<const N: usize>(point: &[u8]) -> [u8; N] {
    let mut text = [4; N];
    text.iter_mut().skip(1).zip(point).for_each(|(to, from)| *to = *from);
    text
}
