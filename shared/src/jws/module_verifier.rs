//! Signatures checked in the module, where the host does not.

use sha2::{Digest as _, Sha256, Sha384};
use wardpoint_crypto::{ecdsa, ed25519};

use super::{Algorithm, HostVerifier, Key, Offer, Verifier, padding};
use crate::filter::{ServiceError, Services};

/// Checks every algorithm in the module: on any host the same answer, and no call of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModuleVerifier;

/// Lets the host check what it offers, and checks the rest in the module.
pub struct AnyVerifier<'a>(HostVerifier<'a>);

impl<'a> AnyVerifier<'a> {
    /// `offer` is what [`Offer::probe`] has found.
    pub fn new(services: &'a mut dyn Services, offer: Offer) -> Self {
        Self(HostVerifier::new(services, offer))
    }
}

impl Verifier for AnyVerifier<'_> {
    /// A host that said in its probe that it can and now cannot is asked for no more than this: its error stands.
    fn verify(&mut self, key: &Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<bool, ServiceError> {
        if self.0.has(algorithm) {
            self.0.verify(key, algorithm, message, signature)
        } else {
            ModuleVerifier.verify(key, algorithm, message, signature)
        }
    }
}

impl Verifier for ModuleVerifier {
    fn verify(&mut self, key: &Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<bool, ServiceError> {
        if !key.fits(algorithm) {
            return Ok(false);
        }
        let answer = match algorithm {
            Algorithm::Ed25519 => both(key.point(), signature).map(|(point, s)| ed25519::verify(point, message, s)),
            Algorithm::Es256 => {
                both(key.point(), signature).map(|(point, s)| ecdsa::verify_p256(point, &Sha256::digest(message).into(), s))
            }
            Algorithm::Es384 => {
                both(key.point(), signature).map(|(point, s)| ecdsa::verify_p384(point, &Sha384::digest(message).into(), s))
            }
            Algorithm::Ps256 => key.open(signature).map(|(encoded, bits)| padding::is_pss(message, &encoded, bits)),
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => {
                key.open(signature).map(|(encoded, _)| padding::pkcs1(algorithm, message, encoded.len()) == Some(encoded))
            }
        };
        Ok(answer.unwrap_or(false))
    }
}

/// A point and a signature, each of the one size that it has.
fn both<'a, P, S>(point: &'a [u8], signature: &'a [u8]) -> Option<(P, S)>
where
    P: TryFrom<&'a [u8]>,
    S: TryFrom<&'a [u8]>,
{
    Some((point.try_into().ok()?, signature.try_into().ok()?))
}
