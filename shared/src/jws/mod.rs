//! Tokens that no proxy verified: from text to who asks (RFC 7515, RFC 7517, RFC 7519, RFC 8725, RFC 9068).
//!
//! [`Issuer::verify`] reads a token, finds the key that is meant in a [`KeySet`], lets a [`Verifier`] check the signature
//! and judges the claims. What it returns goes to [`identity`](crate::identity), which knows what a bearer may be.
//!
//! - A text that two readers could read in two ways is an error: in base64url, in the header, in the claims, in the key set.
//! - Keys come from the key set only; one that can also sign is never in it (OA-J-03, BY-T-02).
//! - The host checks the signatures that [`Offer::probe`] saw it check; [`AnyVerifier`] checks all others in the module, with the
//!   same answer.
//! - [`Signer`] makes the tokens with which a client proves itself.
//! - A [`TokenError`] names what is wrong and shows nothing of the token.

mod algorithm;
mod claims;
mod compact;
mod der;
mod error;
mod issuer;
mod key;
mod key_set;
mod module_verifier;
mod names;
mod padding;
mod private_key;
mod rsa;
mod signer;
mod stated;
mod verified;
mod verifier;

pub use algorithm::{Algorithm, Family};
pub use compact::{Claimed, Jws, MAX_TOKEN};
pub use error::TokenError;
pub use issuer::{Issuer, MAX_SKEW, Signed};
pub use key::{Key, KeyError};
pub use key_set::{KeySet, KeySetError, MAX_KEY_SET};
pub use module_verifier::{AnyVerifier, ModuleVerifier};
pub use private_key::SignerError;
pub use signer::{Assertion, MAX_ASSERTION_LIFE, Signer};
pub use stated::{Actor, Stated};
pub use verified::{StatusRef, Verified};
pub use verifier::{HostVerifier, Offer, Verifier};
