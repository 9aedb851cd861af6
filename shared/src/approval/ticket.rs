//! What a caller carries until the user has answered.

use super::Key;
use crate::digest;
use crate::filter::Services;
use crate::seal::{Bound, NONCE, Sealer};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// What a ticket is sealed for.
const PURPOSE: &str = "approval";

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
    pub(super) fn seal(&self, key: &Key, sealer: &Sealer, services: &mut dyn Services) -> Option<String> {
        let mut nonce = [0; NONCE];
        services.random(&mut nonce).ok()?;
        let mut payload = Vec::with_capacity(24 + self.id.reveal().len());
        for number in [self.expires.as_nanos(), self.next.as_nanos(), self.interval.as_secs()] {
            payload.extend(number.to_be_bytes());
        }
        payload.extend(self.id.reveal().as_bytes());
        sealer.seal(Bound { purpose: PURPOSE, to: &key.text() }, self.expires, &payload, nonce)
    }

    pub(super) fn open(text: &str, key: &Key, sealer: &Sealer, now: Timestamp) -> Option<Self> {
        let opened = sealer.open(Bound { purpose: PURPOSE, to: &key.text() }, text, now).ok()?;
        let (expires, rest) = number(opened.payload.reveal())?;
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
        digest::of(&[self.id.reveal().as_bytes()])
    }
}

/// The number at the start.
pub(super) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}
