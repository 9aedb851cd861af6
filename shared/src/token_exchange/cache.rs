//! Tokens that were issued, until they expire: as many as the configuration says, and no more.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use super::failure::Refused;
use super::key::Key;
use crate::jws::Stated;
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// Refusals that are kept at a time.
const REFUSALS: usize = 256;

/// Tokens and refusals by what was asked.
#[derive(Default)]
pub(super) struct Cache {
    places: HashMap<Key, usize, BuildHasherDefault<AsItIs>>,
    entries: Vec<Entry>,
    limit: usize,
    /// Where the search for a place goes on.
    hand: usize,
    refusals: Vec<(Key, Rc<Refused>, Timestamp)>,
}

/// A token that may be used.
#[derive(Debug)]
pub(super) struct Held {
    /// `Bearer` and the token: what the header gets.
    pub(super) header: Secret<String>,
    /// Until when it may be used.
    pub(super) until: Timestamp,
    /// What the token says that it was exchanged for: a request that brings the same need not have it read again.
    pub(super) subject: Rc<Stated>,
}

struct Entry {
    key: Key,
    held: Rc<Held>,
    used: bool,
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The token for `key`, if one is kept that may still be used.
    pub(super) fn get(&mut self, key: &Key, now: Timestamp) -> Option<Rc<Held>> {
        let at = *self.places.get(key)?;
        let entry = self.entries.get_mut(at)?;
        if entry.held.until <= now {
            self.forget(key);
            return None;
        }
        entry.used = true;
        Some(entry.held.clone())
    }

    /// Keeps a token. Where there is no place, one that was not used of late loses its own.
    pub(super) fn put(&mut self, key: Key, held: Rc<Held>, now: Timestamp) {
        if self.limit == 0 || held.until <= now {
            return;
        }
        let entry = Entry { key, held, used: false };
        if let Some(old) = self.places.get(&key).and_then(|at| self.entries.get_mut(*at)) {
            *old = entry;
        } else if self.entries.len() < self.limit {
            self.places.insert(key, self.entries.len());
            self.entries.push(entry);
        } else {
            // Second chance: twice round at the most.
            let at = loop {
                self.hand = (self.hand + 1) % self.entries.len();
                match self.entries.get_mut(self.hand) {
                    Some(entry) if entry.used && entry.held.until > now => entry.used = false,
                    _ => break self.hand,
                }
            };
            if let Some(old) = self.entries.get_mut(at) {
                self.places.remove(&old.key);
                self.places.insert(key, at);
                *old = entry;
            }
        }
    }

    /// Drops the token of `key`.
    pub(super) fn forget(&mut self, key: &Key) {
        let Some(at) = self.places.remove(key) else { return };
        if at < self.entries.len() {
            self.entries.swap_remove(at);
        }
        if let Some(moved) = self.entries.get(at) {
            self.places.insert(moved.key, at);
        }
    }

    /// A refusal that still holds.
    pub(super) fn refusal(&self, key: &Key, now: Timestamp) -> Option<Rc<Refused>> {
        self.refusals.iter().find(|(known, _, until)| known == key && *until > now).map(|(_, refused, _)| refused.clone())
    }

    /// Keeps a refusal for a while.
    pub(super) fn put_refusal(&mut self, key: Key, refused: Rc<Refused>, lasts: Duration, now: Timestamp) {
        self.refusals.retain(|(known, _, until)| *until > now && *known != key);
        if self.refusals.len() < REFUSALS && !lasts.is_zero() {
            self.refusals.push((key, refused, now + lasts));
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        assert_eq!(self.places.len(), self.entries.len());
        self.entries.len()
    }
}

/// Takes the one number that it is given: a part of a hash already.
#[derive(Clone, Copy, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(8) {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::KeyParts;
    use super::*;

    fn key(subject: &str) -> Key {
        let parts = KeyParts {
            policy: "",
            subject: subject.as_bytes(),
            actor: None,
            agent: "",
            server: [""; 4],
            client: "",
            audience: None,
            resource: None,
            scopes: &[],
            requested: "",
            max_life: 0,
        };
        Key::new(&[0; 16], &parts)
    }

    fn held(user: &str, until: u64) -> Rc<Held> {
        Rc::new(Held {
            header: Secret::new(format!("Bearer {user}")),
            until: Timestamp::from_secs(until),
            subject: Rc::default(),
        })
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_token_is_used_until_it_expires_and_no_longer() {
        let mut cache = Cache::new(2);
        cache.put(key("a"), held("a", 10), at(1));
        assert!(cache.get(&key("a"), at(9)).is_some());
        assert!(cache.get(&key("b"), at(9)).is_none());
        assert!(cache.get(&key("a"), at(10)).is_none());
        assert!(cache.get(&key("a"), at(9)).is_none(), "what has expired is gone, whatever the clock says next");
        cache.put(key("a"), held("a", 10), at(10));
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn it_never_keeps_more_than_it_may() {
        let mut cache = Cache::new(100);
        for number in 0..100_000_u64 {
            cache.put(key(&number.to_string()), held("a", 1_000_000), at(number));
            // One that is used all the time stays.
            if number > 0 {
                assert!(cache.get(&key("0"), at(number)).is_some(), "{number}");
            }
        }
        assert_eq!(cache.len(), 100);
        let mut none = Cache::new(0);
        none.put(key("a"), held("a", 10), at(1));
        assert_eq!(none.len(), 0);
    }

    #[test]
    fn a_refusal_lasts_for_a_while() {
        let mut cache = Cache::new(1);
        let refused = Rc::new(Refused::plain(crate::policy::Reason::ExchangeRefused));
        cache.put_refusal(key("a"), refused.clone(), Duration::from_secs(2), at(1));
        assert!(cache.refusal(&key("a"), at(2)).is_some());
        assert!(cache.refusal(&key("b"), at(2)).is_none());
        assert!(cache.refusal(&key("a"), at(3)).is_none());
        for number in 0..10_000 {
            cache.put_refusal(key(&number.to_string()), refused.clone(), Duration::from_secs(2), at(1));
        }
        assert!(cache.refusals.len() <= REFUSALS);
    }
}
