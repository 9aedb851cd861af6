//! Values that go out and come back, and that nobody between can read, change, or use for something else.
//!
//! Any replica that has the key opens what another has sealed: nothing is kept. What is sealed says what it is for, whose it is
//! and until when; at any other place, for anyone else, and after that it does not open. Keys are rotated by putting the new one
//! first: the first one seals, all open.

use core::fmt;

use wardpoint_crypto::aead;

use crate::base64::{decode_url, encode_url};
use crate::secret::Secret;
use crate::time::Timestamp;

/// Most bytes that are sealed: a token (OA-J-13) and what goes with it.
pub const MAX_PAYLOAD: usize = 20 * 1024;
/// Bytes of a nonce. They must be random; so many never come twice.
pub const NONCE: usize = 24;
/// Keys of a ring.
const MAX_KEYS: usize = 8;
/// Longest name of a key.
const MAX_KEY_ID: usize = 32;
/// Every sealed text begins with it: another way to seal would have another.
const VERSION: &str = "1";

/// Seals and opens with the keys of a ring.
pub struct Sealer {
    /// The first one seals.
    keys: Vec<(String, Secret<[u8; 32]>)>,
}

/// What a sealed value is for, and whose it is. Two that differ in either do not open one another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bound<'a> {
    /// Its use, a word of this program.
    pub purpose: &'a str,
    /// Who may bring it back: a SPIFFE id.
    pub to: &'a str,
}

/// What was sealed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// The value.
    pub payload: Secret<Vec<u8>>,
    /// When it ends, in whole seconds.
    pub expires: Timestamp,
}

/// It does not open. Why is the operator's business alone, and never that of whoever brought it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotOpened {
    /// It is over.
    Expired,
    /// It is not what was sealed here, for this, for them.
    Other,
    /// It names a key that is not in the ring: one that is gone, or has not come yet.
    UnknownKey,
}

/// Why keys make no ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RingError {
    /// Not from one to eight.
    Count,
    /// A name that is used twice, or is not of 1 to 32 letters, digits, `-` and `_`.
    KeyId,
    /// Not 32 bytes in base64url or hexadecimal digits, or 32 times the same byte.
    Key,
}

impl Sealer {
    /// Takes keys with their names, the one that seals first. Each is 32 random bytes: 43 characters of base64url without padding,
    /// or 64 hexadecimal digits.
    pub fn new(keys: &[(&str, Secret<String>)]) -> Result<Self, RingError> {
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(RingError::Count);
        }
        let mut ring: Vec<(String, Secret<[u8; 32]>)> = Vec::new();
        for (id, key) in keys {
            let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
            if id.is_empty() || id.len() > MAX_KEY_ID || !id.bytes().all(fits) || ring.iter().any(|(known, _)| known == id) {
                return Err(RingError::KeyId);
            }
            ring.push(((*id).to_owned(), Secret::new(read_key(key.reveal()).ok_or(RingError::Key)?)));
        }
        Ok(Self { keys: ring })
    }

    /// Seals a value until `expires`. The text is of base64url characters and dots. `nonce` must be random. `None` for a value that
    /// is longer than [`MAX_PAYLOAD`].
    pub fn seal(&self, bound: Bound<'_>, expires: Timestamp, payload: &[u8], nonce: [u8; NONCE]) -> Option<String> {
        if payload.len() > MAX_PAYLOAD {
            return None;
        }
        let (id, key) = self.keys.first()?;
        let text = [&expires.as_secs().to_be_bytes(), payload].concat();
        let sealed = aead::seal(key.reveal(), &nonce, &about(id, bound), text)?;
        Some([VERSION, id, &encode_url(&[&nonce, &*sealed].concat())].join("."))
    }

    /// Opens what was sealed for the same and is not over.
    pub fn open(&self, bound: Bound<'_>, text: &str, now: Timestamp) -> Result<Opened, NotOpened> {
        let (id, sealed) = parts(text).ok_or(NotOpened::Other)?;
        let (_, key) = self.keys.iter().find(|(known, _)| known == id).ok_or(NotOpened::UnknownKey)?;
        let opened = opened((id, key), bound, sealed).ok_or(NotOpened::Other)?;
        if now < opened.expires { Ok(opened) } else { Err(NotOpened::Expired) }
    }

    /// Whether a text names a key that is not in the ring; what is no sealed text names none.
    pub fn lacks_key_of(&self, text: &str) -> bool {
        parts(text).is_some_and(|(id, _)| self.keys.iter().all(|(known, _)| known != id))
    }
}

/// The name of the key, and what is sealed with it.
fn parts(text: &str) -> Option<(&str, &str)> {
    // 4 characters for 3 bytes, and what stands before them.
    if text.len() > (MAX_PAYLOAD + 8 + NONCE + aead::TAG).div_ceil(3) * 4 + MAX_KEY_ID + 4 {
        return None;
    }
    text.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')
}

fn opened((id, key): (&str, &Secret<[u8; 32]>), bound: Bound<'_>, sealed: &str) -> Option<Opened> {
    let sealed = decode_url(sealed.as_bytes())?;
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let text = aead::open(key.reveal(), nonce, &about(id, bound), sealed.to_vec())?;
    let (expires, payload) = text.split_first_chunk::<8>()?;
    let expires = Timestamp::from_secs(u64::from_be_bytes(*expires));
    Some(Opened { payload: Secret::new(payload.to_vec()), expires })
}

/// Everything that is not in the sealed text and must be the same again, each part with its length before it.
fn about(id: &str, bound: Bound<'_>) -> Vec<u8> {
    let mut about = Vec::new();
    for part in [VERSION, id, bound.purpose, bound.to] {
        // The same on every machine: a native `usize` has eight bytes, that of a module four.
        about.extend_from_slice(&(part.len() as u64).to_be_bytes());
        about.extend_from_slice(part.as_bytes());
    }
    about
}

fn read_key(text: &str) -> Option<[u8; 32]> {
    let text = text.trim_ascii().as_bytes();
    let bytes = match text.len() {
        43 => decode_url(text)?,
        64 => text.chunks(2).map(byte).collect::<Option<_>>()?,
        _ => return None,
    };
    let key: [u8; 32] = bytes.try_into().ok()?;
    // What somebody fills in to try something out.
    let [first, rest @ ..] = &key;
    rest.iter().any(|byte| byte != first).then_some(key)
}

fn byte(digits: &[u8]) -> Option<u8> {
    let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match digits {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

/// Shows the names of the keys.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "from one to eight keys are needed",
            Self::KeyId => "the name of a key is 1 to 32 letters, digits, `-` and `_`, and no other key's",
            Self::Key => "a key is 32 random bytes in base64url without padding or in hexadecimal digits",
        })
    }
}

#[cfg(test)]
mod tests;
