//! Host services that answer at once, lent to the core with each event.

/// What a host can answer at once. Every answer may be an error, and every engine can make it one.
pub trait Services {
    /// Fills `into` with random bytes.
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError>;

    /// Reads a value that all VMs of this proxy share.
    fn shared_get(&mut self, key: &str) -> Result<Option<Shared>, ServiceError>;

    /// Writes a shared value; with `cas` only if nobody has written since that was read.
    fn shared_set(&mut self, key: &str, value: &[u8], cas: Option<Cas>) -> Result<(), ServiceError>;

    /// Whether `signature` is that of `message` under `key`.
    fn verify_signature(&mut self, signature: &Signature<'_>, message: &[u8]) -> Result<bool, ServiceError>;
}

/// A shared value and its version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shared {
    /// The bytes.
    pub value: Vec<u8>,
    /// The version, for [`Services::shared_set`].
    pub cas: Cas,
}

/// The version of a shared value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cas(pub u32);

impl Cas {
    /// The version of a value that is not there: a write with it makes the value, and comes late where somebody has made it.
    ///
    /// Envoy compares versions only where there is a value (`shared_data.cc`), and counts them up from one.
    pub const ABSENT: Self = Self(u32::MAX);
}

/// A signature to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// Digest over the message.
    pub digest: Digest,
    /// SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7).
    pub key: &'a [u8],
    /// RSASSA-PKCS1-v1_5, or ECDSA in DER.
    pub bytes: &'a [u8],
}

/// A digest that signatures use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Why a service has no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceError {
    /// Somebody else has written the shared value since.
    CasMismatch,
    /// The host gave a status that the service does not know.
    Failed,
    /// This host has no such service.
    Unsupported,
}

impl Digest {
    /// Its name in Envoy's `verify_signature`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}
