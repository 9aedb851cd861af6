//! The keys of an issuer (RFC 7517 section 5), and which of them is meant.

use core::fmt;

use super::{Algorithm, Key, KeyError, TokenError};
use crate::json::{self, Limits, Node, parse_tree};

/// Longest key set in bytes.
pub const MAX_KEY_SET: usize = 256 * 1024;
/// Most keys in a set.
const MAX_KEYS: usize = 100;
/// Most keys of one `kid` that are tried for a token: what a forged token costs.
const MAX_TRIES: usize = 2;
const LIMITS: Limits = Limits { depth: 16, number: 64, nodes: 20_000 };

/// The usable keys of one issuer, never of two (BY-T-14).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<KeyError>,
}

/// Why a key set is not taken at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeySetError {
    /// Not one strict JSON text (BY-J-01…09).
    Json(json::Error),
    /// There is no list `keys`.
    NoKeys,
    /// None of its keys can be used.
    NoneUsable,
    /// More bytes or more keys than allowed.
    TooLarge,
}

impl KeySet {
    /// Reads a JWK Set. A key that cannot be used is skipped and counted, as section 5 wants it: a set has keys for other
    /// purposes too. A set without a usable key is an error, so that it cannot take the place of a good one.
    pub fn read(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > MAX_KEY_SET {
            return Err(KeySetError::TooLarge);
        }
        let Node::Map(members) = parse_tree(text, LIMITS).map_err(KeySetError::Json)? else { return Err(KeySetError::NoKeys) };
        let found = members.iter().find(|(name, _)| name == "keys").map(|(_, value)| value);
        let Some(Node::List(found)) = found else { return Err(KeySetError::NoKeys) };
        if found.len() > MAX_KEYS {
            return Err(KeySetError::TooLarge);
        }
        let mut set = Self { keys: Vec::new(), skipped: Vec::new() };
        for jwk in found {
            match Key::read(jwk) {
                Ok(key) => set.keys.push(key),
                Err(error) => set.skipped.push(error),
            }
        }
        if set.keys.is_empty() { Err(KeySetError::NoneUsable) } else { Ok(set) }
    }

    /// The keys that can be used, in their order.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Why each of the others cannot.
    pub fn skipped(&self) -> &[KeyError] {
        &self.skipped
    }

    /// The keys to try for a token, never none. Precedence, top down:
    ///
    /// 1. With a `kid`: those of that name. None is [`TokenError::UnknownKey`].
    /// 2. Of those the ones that fit `alg`. None is [`TokenError::KeyMismatch`]: another fetch would not help.
    /// 3. Without a `kid`: the one key of the set that fits. None is [`TokenError::UnknownKey`], two are
    ///    [`TokenError::AmbiguousKey`].
    ///
    /// Two keys of one `kid` and one algorithm are both tried (BY-T-03): RFC 7517 section 4.5 only says that kids SHOULD
    /// differ, both are the issuer's, and to refuse would let one slip of the issuer shut all its users out. More are not.
    pub(super) fn choose(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Vec<&Key>, TokenError> {
        let named: Vec<&Key> = self.keys.iter().filter(|key| id.is_none() || key.id() == id).collect();
        let fit: Vec<&Key> = named.iter().copied().filter(|key| key.fits(algorithm)).collect();
        match (id, fit.len()) {
            (None, 1) | (Some(_), 1..=MAX_TRIES) => Ok(fit),
            (Some(_), 0) if !named.is_empty() => Err(TokenError::KeyMismatch),
            (_, 0) => Err(TokenError::UnknownKey),
            _ => Err(TokenError::AmbiguousKey),
        }
    }
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the key set is not JSON that can be read in one way only: {error}"),
            Self::NoKeys => f.write_str("the key set has no list `keys`"),
            Self::NoneUsable => f.write_str("the key set has no key that can verify a signature"),
            Self::TooLarge => f.write_str("the key set is too large"),
        }
    }
}
