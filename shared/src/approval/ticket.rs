//! What a caller carries until the user has answered.

use super::{Key, digest};
use crate::filter::Services;
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// Seals what only this policy, at any replica, may open.
pub trait Envelope {
    /// Seals a payload for this purpose; it opens until it expires.
    fn seal(&self, bound_to: &[u8; 32], expires: Timestamp, payload: &[u8], services: &mut dyn Services) -> Option<String>;

    /// What was sealed for the same purpose, if it has not expired.
    fn open(&self, text: &str, bound_to: &[u8; 32], now: Timestamp) -> Option<Vec<u8>>;
}

/// A question that the server has taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Question {
    /// Its id.
    pub(super) id: Secret<String>,
    /// Until when the user may answer.
    pub(super) expires: Timestamp,
    /// How long to wait between two polls.
    pub(super) interval: Duration,
    /// When it may be asked about next.
    pub(super) next: Timestamp,
}

impl Question {
    pub(super) fn seal(&self, key: &Key, envelope: &dyn Envelope, services: &mut dyn Services) -> Option<String> {
        let mut payload = Vec::with_capacity(24 + self.id.reveal().len());
        for number in [self.expires.as_nanos(), self.next.as_nanos(), self.interval.as_secs()] {
            payload.extend(number.to_be_bytes());
        }
        payload.extend(self.id.reveal().as_bytes());
        envelope.seal(&key.0, self.expires, &payload, services)
    }

    pub(super) fn open(text: &str, key: &Key, envelope: &dyn Envelope, now: Timestamp) -> Option<Self> {
        let payload = envelope.open(text, &key.0, now)?;
        let (expires, rest) = number(&payload)?;
        let (next, rest) = number(rest)?;
        let (interval, rest) = number(rest)?;
        let found = Self {
            id: Secret::new(String::from_utf8(rest.to_vec()).ok()?),
            expires: Timestamp::from_nanos(expires),
            interval: Duration::from_secs(interval),
            next: Timestamp::from_nanos(next),
        };
        (found.expires > now).then_some(found)
    }

    /// Tells it from others about the same thing.
    pub(super) fn mark(&self) -> [u8; 32] {
        digest(&[self.id.reveal().as_bytes()])
    }
}

/// The number at the start.
pub(super) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}
