//! A host that checks signatures as Envoy does (its library is the mother of this one), and a second way to the same answer.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by it")]

use ring::signature as ring;
use wardpoint_core::filter::{Cas, Digest, ServiceError, Services, Shared, Signature};
use wardpoint_core::jws::{Algorithm, Family, HostVerifier, Key, ModuleVerifier, Offer, Verifier};

/// All that a host may offer.
pub(crate) const ALL: Offer = Offer { rsa: true, ecdsa: true };

/// What `verify_signature` answers.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) calls: usize,
    pub(crate) fault: Option<ServiceError>,
    /// What it says instead of the truth.
    pub(crate) lie: Option<bool>,
    /// The only kind of keys that it knows.
    pub(crate) only: Option<Family>,
}

impl Services for Host {
    fn random(&mut self, _: &mut [u8]) -> Result<(), ServiceError> {
        Err(ServiceError::Unsupported)
    }

    fn shared_get(&mut self, _: &str) -> Result<Option<Shared>, ServiceError> {
        Err(ServiceError::Unsupported)
    }

    fn shared_set(&mut self, _: &str, _: &[u8], _: Option<Cas>) -> Result<(), ServiceError> {
        Err(ServiceError::Unsupported)
    }

    fn verify_signature(&mut self, signature: &Signature<'_>, message: &[u8]) -> Result<bool, ServiceError> {
        self.calls += 1;
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (kind, key) = open(signature.key);
        if self.only.is_some_and(|only| only != kind) {
            return Ok(false);
        }
        if let Some(lie) = self.lie {
            return Ok(lie);
        }
        let algorithm: &dyn ring::VerificationAlgorithm = match (kind, signature.digest) {
            (Family::P256, Digest::Sha256) => &ring::ECDSA_P256_SHA256_ASN1,
            (Family::P384, Digest::Sha384) => &ring::ECDSA_P384_SHA384_ASN1,
            (Family::Rsa, Digest::Sha256) => &ring::RSA_PKCS1_2048_8192_SHA256,
            (Family::Rsa, Digest::Sha384) => &ring::RSA_PKCS1_2048_8192_SHA384,
            (Family::Rsa, Digest::Sha512) => &ring::RSA_PKCS1_2048_8192_SHA512,
            other => panic!("the host was asked for {other:?}"),
        };
        Ok(ring::UnparsedPublicKey::new(algorithm, key).verify(message, signature.bytes).is_ok())
    }
}

/// Asks the host where it knows the algorithm, the module, and another library besides; all must say the same.
#[derive(Default)]
pub(crate) struct Both {
    pub(crate) calls: usize,
}

impl Verifier for Both {
    fn verify(&mut self, key: &Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<bool, ServiceError> {
        self.calls += 1;
        let raw: &dyn ring::VerificationAlgorithm = match algorithm {
            Algorithm::Ed25519 => &ring::ED25519,
            Algorithm::Es256 => &ring::ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &ring::ECDSA_P384_SHA384_FIXED,
            Algorithm::Ps256 => &ring::RSA_PSS_2048_8192_SHA256,
            Algorithm::Rs256 => &ring::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &ring::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &ring::RSA_PKCS1_2048_8192_SHA512,
        };
        let own = ring::UnparsedPublicKey::new(raw, open(key.spki()).1).verify(message, signature).is_ok();
        let mut host = Host::default();
        match HostVerifier::new(&mut host, ALL).verify(key, algorithm, message, signature) {
            Ok(answer) => assert_eq!(answer, own, "{algorithm:?}: host and own verification differ"),
            Err(error) => {
                assert_eq!(error, ServiceError::Unsupported);
                assert_eq!(host.calls, 0, "the host is not asked for what it cannot say");
                assert!(matches!(algorithm, Algorithm::Ed25519 | Algorithm::Ps256), "{algorithm:?}");
            }
        }
        let module = ModuleVerifier.verify(key, algorithm, message, signature);
        assert_eq!(module, Ok(own), "{algorithm:?}: the module's verification differs");
        Ok(own)
    }
}

/// Takes a SubjectPublicKeyInfo apart, strictly: the kind of key, and the bits.
pub(crate) fn open(spki: &[u8]) -> (Family, &[u8]) {
    let (whole, rest) = element(spki, 0x30);
    assert!(rest.is_empty(), "bytes behind the key");
    let (algorithm, rest) = element(whole, 0x30);
    let (bits, rest) = element(rest, 0x03);
    assert!(rest.is_empty() && bits[0] == 0);
    let (id, parameters) = element(algorithm, 0x06);
    let family = match (id, parameters) {
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", b"\x05\x00") => Family::Rsa,
        (b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07") => Family::P256,
        (b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x06\x05\x2b\x81\x04\x00\x22") => Family::P384,
        (b"\x2b\x65\x70", b"") => Family::Ed25519,
        other => panic!("not a key: {other:x?}"),
    };
    (family, &bits[1..])
}

fn element(text: &[u8], tag: u8) -> (&[u8], &[u8]) {
    assert_eq!(text[0], tag);
    let long = usize::from(text[1].saturating_sub(0x80));
    let size = match text[1] {
        short @ ..0x80 => usize::from(short),
        _ => text[2..2 + long].iter().fold(0, |size, byte| size << 8 | usize::from(*byte)),
    };
    assert!(long == 0 || (size >= 0x80 && text[2] != 0), "not the shortest form");
    text.get(2 + long..).unwrap().split_at(size)
}
