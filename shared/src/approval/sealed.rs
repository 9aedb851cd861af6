//! Tickets that only this policy's replicas open: XChaCha20-Poly1305 under the first of a few keys.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

use super::{Envelope, digest};
use crate::base64;
use crate::filter::Services;
use crate::time::Timestamp;

/// Length of a nonce; random ones of this length never meet.
const NONCE: usize = 24;
/// Least length of a secret.
pub(super) const LEAST: usize = 32;

/// Keys with their names. The first seals, each opens: to rotate, put the new one behind, then first, then drop the old one.
pub(super) struct Sealed(Vec<(String, XChaCha20Poly1305)>);

impl Sealed {
    /// Secrets with the names of their keys.
    pub(super) fn new<'a>(keys: impl Iterator<Item = (&'a str, Vec<u8>)>) -> Self {
        let cipher = |id: &str, secret: Vec<u8>| {
            let key = digest(&[b"wardpoint approval ticket 1", id.as_bytes(), &secret]);
            XChaCha20Poly1305::new(&Key::from(key))
        };
        Self(keys.map(|(id, secret)| (id.to_owned(), cipher(id, secret))).collect())
    }
}

impl Envelope for Sealed {
    fn seal(&self, bound_to: &[u8; 32], expires: Timestamp, payload: &[u8], services: &mut dyn Services) -> Option<String> {
        let (id, cipher) = self.0.first()?;
        let mut nonce = [0; NONCE];
        services.random(&mut nonce).ok()?;
        let msg = [&expires.as_nanos().to_be_bytes(), payload].concat();
        let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: &msg, aad: bound_to }).ok()?;
        Some(format!("{id}.{}", base64::encode_url(&[&nonce[..], &sealed].concat())))
    }

    fn open(&self, text: &str, bound_to: &[u8; 32], now: Timestamp) -> Option<Vec<u8>> {
        let (id, rest) = text.rsplit_once('.')?;
        let (_, cipher) = self.0.iter().find(|(known, _)| known == id)?;
        let bytes = base64::decode_url(rest.as_bytes())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let opened = cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: bound_to }).ok()?;
        let (expires, payload) = opened.split_first_chunk()?;
        (Timestamp::from_nanos(u64::from_be_bytes(*expires)) > now).then(|| payload.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Cas, ServiceError, Shared, Signature};

    /// Counts, so that no two nonces are the same.
    struct Counter(u8);

    impl Services for Counter {
        fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
            self.0 = self.0.checked_add(1).ok_or(ServiceError::Failed)?;
            into.fill(self.0);
            Ok(())
        }
        fn shared_get(&mut self, _: &str) -> Result<Option<Shared>, ServiceError> {
            Err(ServiceError::Unsupported)
        }
        fn shared_set(&mut self, _: &str, _: &[u8], _: Option<Cas>) -> Result<(), ServiceError> {
            Err(ServiceError::Unsupported)
        }
        fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
            Err(ServiceError::Unsupported)
        }
    }

    const BOUND: [u8; 32] = [3; 32];
    const NOW: Timestamp = Timestamp::from_secs(100);

    fn keys(names: &[(&'static str, u8)]) -> Sealed {
        Sealed::new(names.iter().map(|(id, byte)| (*id, vec![*byte; LEAST])))
    }

    #[test]
    fn what_is_sealed_opens_for_the_same_purpose_until_it_expires() {
        let (sealed, mut random) = (keys(&[("a", 1)]), Counter(0));
        let one = sealed.seal(&BOUND, Timestamp::from_secs(101), b"canary", &mut random).unwrap();
        let two = sealed.seal(&BOUND, Timestamp::from_secs(101), b"canary", &mut random).unwrap();
        assert_ne!(one, two);
        assert_eq!(sealed.open(&one, &BOUND, NOW).as_deref(), Some(&b"canary"[..]));
        assert_eq!(sealed.open(&one, &BOUND, Timestamp::from_secs(101)), None);
        assert_eq!(sealed.open(&one, &[4; 32], NOW), None);
        assert!(sealed.seal(&BOUND, NOW, b"", &mut Counter(u8::MAX)).is_none(), "no randomness, no ticket");
    }

    #[test]
    fn no_text_with_another_character_opens() {
        let sealed = keys(&[("a", 1)]);
        let text = sealed.seal(&BOUND, Timestamp::from_secs(101), b"canary", &mut Counter(0)).unwrap();
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(sealed.open(&String::from_utf8(other).unwrap(), &BOUND, NOW), None, "{at}");
            assert_eq!(sealed.open(text.get(..at).unwrap(), &BOUND, NOW), None);
        }
        assert!(sealed.open(&text, &BOUND, NOW).is_some());
    }

    #[test]
    fn keys_rotate() {
        let (old, both, new) = (keys(&[("a", 1)]), keys(&[("b", 2), ("a", 1)]), keys(&[("b", 2)]));
        let text = old.seal(&BOUND, Timestamp::from_secs(101), b"x", &mut Counter(0)).unwrap();
        assert!(both.open(&text, &BOUND, NOW).is_some() && new.open(&text, &BOUND, NOW).is_none());
        let text = both.seal(&BOUND, Timestamp::from_secs(101), b"x", &mut Counter(0)).unwrap();
        assert!(new.open(&text, &BOUND, NOW).is_some() && old.open(&text, &BOUND, NOW).is_none());
        // A key of the same name is not the same key, and the name is a part of it.
        assert!(keys(&[("b", 3)]).open(&text, &BOUND, NOW).is_none());
        assert!(keys(&[("c", 2)]).open(&text.replacen("b.", "c.", 1), &BOUND, NOW).is_none());
    }
}
