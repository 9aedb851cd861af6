//! Signature algorithms that are accepted (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section 2.2).

use crate::config::{Decode, Problems, choice_schema, word};
use crate::filter::Digest;
use crate::json::Node;

/// How a token is signed. What is not here cannot be allowed: no `none`, no HMAC (BY-T-01, BY-T-02).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Algorithm {
    /// `Ed25519`, also known by its older name `EdDSA` (OA-J-14).
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

/// What kind of key an algorithm needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// `OKP` on Ed25519 (RFC 8037 section 2).
    Ed25519,
    /// `EC` on P-256 (RFC 7518 section 6.2).
    P256,
    /// `EC` on P-384.
    P384,
    /// `RSA` (RFC 7518 section 6.3).
    Rsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Ed25519, Self::Es256, Self::Es384, Self::Ps256, Self::Rs256, Self::Rs384, Self::Rs512];

    /// The algorithm of this name; names are compared byte by byte (OA-J-02).
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "Ed25519" | "EdDSA" => Self::Ed25519,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "PS256" => Self::Ps256,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            _ => return None,
        })
    }

    /// Its name; of two the one that says which curve is meant (RFC 9864 section 2.2).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// The kind of key that it needs.
    pub const fn family(self) -> Family {
        match self {
            Self::Ed25519 => Family::Ed25519,
            Self::Es256 => Family::P256,
            Self::Es384 => Family::P384,
            Self::Ps256 | Self::Rs256 | Self::Rs384 | Self::Rs512 => Family::Rsa,
        }
    }

    /// What [`Services::verify_signature`](crate::filter::Services::verify_signature) must be told; `None` for what it
    /// cannot say: it knows neither PSS nor Ed25519.
    pub(super) const fn host_digest(self) -> Option<Digest> {
        match self {
            Self::Es256 | Self::Rs256 => Some(Digest::Sha256),
            Self::Es384 | Self::Rs384 => Some(Digest::Sha384),
            Self::Rs512 => Some(Digest::Sha512),
            Self::Ed25519 | Self::Ps256 => None,
        }
    }
}

impl Decode for Algorithm {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let names = Self::ALL.map(Self::name);
        word(node, &[&names[..], &["EdDSA"]].concat(), problems).and_then(Self::from_name)
    }

    fn schema() -> String {
        choice_schema(&[
            ("Ed25519", "Ed25519 (RFC 9864)."),
            ("EdDSA", "The older name of Ed25519."),
            ("ES256", "ECDSA on P-256 with SHA-256."),
            ("ES384", "ECDSA on P-384 with SHA-384."),
            ("PS256", "RSASSA-PSS with SHA-256."),
            ("RS256", "RSASSA-PKCS1-v1_5 with SHA-256."),
            ("RS384", "RSASSA-PKCS1-v1_5 with SHA-384."),
            ("RS512", "RSASSA-PKCS1-v1_5 with SHA-512."),
        ])
    }

    fn shown(&self) -> Option<String> {
        Some(format!("\"{}\"", self.name()))
    }
}
