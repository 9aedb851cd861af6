//! Keyed hashes, under which things are kept that a request brings: SipHash-1-3 of 128 bits. What is kept shows nothing of the text, and who
//! does not know the key cannot make two texts that fall on one place. Each request pays for it: SHA-256 costs ten times as much.

use core::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// The hash of parts that are put in one after another. The key must be random.
#[derive(Debug)]
pub struct Keyed(SipHasher13);

impl Keyed {
    /// Of nothing yet.
    pub fn new(key: &[u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(key))
    }

    /// Puts a part in; its length stands before it, so that no two lists of parts are one text. `None` is no part that there could be.
    #[inline(never)]
    pub fn put(&mut self, part: Option<&[u8]>) {
        self.0.write_u64(part.map_or(u64::MAX, |part| part.len() as u64));
        self.0.write(part.unwrap_or_default());
    }

    /// The hash.
    #[inline(never)]
    pub fn finish(&self) -> u128 {
        self.0.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[Option<&[u8]>]) -> u128 {
        let mut keyed = Keyed::new(&[7; 16]);
        parts.iter().for_each(|part| keyed.put(*part));
        keyed.finish()
    }

    #[test]
    fn another_list_is_another_hash() {
        let lists: &[&[Option<&[u8]>]] = &[
            &[],
            &[None],
            &[Some(b"")],
            &[Some(b"ab")],
            &[Some(b"a"), Some(b"b")],
            &[Some(b"ab"), Some(b"")],
            &[Some(b"ab"), None],
        ];
        for (at, list) in lists.iter().enumerate() {
            assert!(lists.iter().take(at).all(|other| of(other) != of(list)), "{list:?}");
        }
        let mut other = Keyed::new(&[8; 16]);
        other.put(Some(b"ab"));
        assert_ne!(other.finish(), of(&[Some(b"ab")]));
    }
}
