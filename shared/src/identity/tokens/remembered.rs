//! Tokens that were judged before, so that a signature is looked at once.
//!
//! A token is found by a keyed hash of its whole text: the text itself is not kept, and whoever does not know the key cannot make
//! two tokens that fall on one place. What was refused stands apart from what was good, so that a flood of forged tokens takes
//! no place from good ones.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use crate::filter::Services;
use crate::keyed::Keyed;

/// Values by token, bounded in number and in bytes.
///
/// Two halves: what is new goes into the young one, and when that is full the old one is dropped. What is used comes back.
pub(super) struct Remembered<V> {
    young: Half<V>,
    old: Half<V>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

/// The place of a token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Place(u128);

/// What makes places of tokens: a random key.
pub(super) struct Places(Option<[u8; 16]>);

type Half<V> = HashMap<Place, (V, usize), BuildHasherDefault<Already>>;

impl Places {
    /// A new key. Without chance there is no key, and nothing is remembered.
    pub(super) fn new(services: &mut dyn Services) -> Self {
        let mut key = [0; 16];
        Self(services.random(&mut key).is_ok().then_some(key))
    }

    /// The place of a token.
    pub(super) fn place(&self, token: &[u8]) -> Option<Place> {
        let mut hash = Keyed::new(self.0.as_ref()?);
        hash.put(Some(token));
        Some(Place(hash.finish()))
    }
}

impl<V: Clone> Remembered<V> {
    /// Room for `most` values that came from `most_bytes` of tokens.
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self { young: Half::default(), old: Half::default(), bytes: 0, most: most / 2, most_bytes: most_bytes / 2 }
    }

    /// What stands there.
    pub(super) fn get(&mut self, place: Place) -> Option<V> {
        if let Some((value, _)) = self.young.get(&place) {
            return Some(value.clone());
        }
        let (value, size) = self.old.remove(&place)?;
        self.put(place, value.clone(), size);
        Some(value)
    }

    /// Puts a value there that came from a token of `size` bytes.
    pub(super) fn put(&mut self, place: Place, value: V, size: usize) {
        if size > self.most_bytes {
            return;
        }
        if self.young.len() >= self.most || self.bytes + size > self.most_bytes {
            self.old = core::mem::take(&mut self.young);
            self.bytes = 0;
        }
        let before = self.young.insert(place, (value, size)).map_or(0, |(_, size)| size);
        self.bytes = self.bytes + size - before;
    }

    /// Forgets what stands there.
    pub(super) fn forget(&mut self, place: Place) {
        if let Some((_, size)) = self.young.remove(&place) {
            self.bytes -= size;
        }
        self.old.remove(&place);
    }
}

/// Hashes what is a hash already.
#[derive(Default)]
pub(super) struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = (number >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        Places(Some([7; 16])).place(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_place_depends_on_the_token_and_the_key() {
        assert_eq!(place("a"), place("a"));
        assert_ne!(place("a"), place("b"));
        assert_ne!(Some(place("a")), Places(Some([8; 16])).place(b"a"));
        assert_eq!(Places(None).place(b"a"), None);
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut remembered = Remembered::new(8, 1_000);
        remembered.put(place("used"), 0, 10);
        for number in 1..100 {
            remembered.put(place(&number.to_string()), number, 10);
            assert_eq!(remembered.get(place("used")), Some(0), "{number}");
            assert!(remembered.young.len() + remembered.old.len() <= 8);
        }
        assert_eq!(remembered.get(place("1")), None);
        assert_eq!(remembered.get(place("99")), Some(99));
        remembered.forget(place("99"));
        assert_eq!(remembered.get(place("99")), None);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut remembered = Remembered::new(1_000, 100);
        for number in 0..100 {
            remembered.put(place(&number.to_string()), number, 20);
            let bytes: usize = remembered.young.values().chain(remembered.old.values()).map(|(_, size)| size).sum();
            assert!(bytes <= 100, "{bytes}");
            assert_eq!(remembered.bytes, remembered.young.len() * 20);
        }
        remembered.put(place("99"), 1, 20);
        assert_eq!(remembered.bytes, remembered.young.len() * 20, "put twice");
        remembered.put(place("large"), 1, 51);
        assert_eq!(remembered.get(place("large")), None);
        remembered.forget(place("99"));
        assert_eq!(remembered.bytes, remembered.young.len() * 20);
    }
}
