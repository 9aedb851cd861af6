//! Ed25519 (RFC 8032 section 5.1).

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Whether `signature` is that of `message` under `key`.
///
/// Of the ways to read the RFC this is the strictest: S is below the order, `key` is in the one form that it has, and neither it
/// nor R is a point of small order, under which one signature would be that of many messages.
pub fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    if !is_canonical(key) {
        return false;
    }
    let Ok(key) = VerifyingKey::from_bytes(key) else { return false };
    key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
}

/// Whether y is below 2^255 - 19 (section 5.1.3 step 1), which the library lets pass.
fn is_canonical(key: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = key;
    *low < 0xed || high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// A private key.
#[derive(Clone)]
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// The key of this seed: any 32 bytes are one (section 5.1.5).
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Its point.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs; the same message always gives the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}
