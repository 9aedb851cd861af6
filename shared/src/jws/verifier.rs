//! Who checks signatures.

use super::{Algorithm, Family, Key, der};
use crate::filter::{ServiceError, Services, Signature};

/// Checks signatures. All that implement it must give the same answer wherever they have one.
///
/// The size of the signature is that of the key, and neither number of an ECDSA signature is zero; what else there is to
/// check is left to it: that a point is on its curve, that r, s and S are in range (BY-T-10).
pub trait Verifier {
    /// Whether `signature`, in the form that a JWS has it, is that of `message` under `key`.
    ///
    /// # Errors
    /// [`ServiceError::Unsupported`] where it does not know the algorithm; never `false` for that.
    fn verify(&mut self, key: &Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<bool, ServiceError>;
}

/// Lets the host check: RSASSA-PKCS1-v1_5 and ECDSA, sixteen to forty times faster than code in the module.
pub struct HostVerifier<'a>(pub &'a mut dyn Services);

impl Verifier for HostVerifier<'_> {
    fn verify(&mut self, key: &Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<bool, ServiceError> {
        let digest = algorithm.host_digest().ok_or(ServiceError::Unsupported)?;
        let encoded = match key.family() {
            Family::P256 | Family::P384 => Some(der::ecdsa_signature(signature)),
            Family::Ed25519 | Family::Rsa => None,
        };
        let bytes = encoded.as_deref().unwrap_or(signature);
        self.0.verify_signature(&Signature { digest, key: key.spki(), bytes }, message)
    }
}
