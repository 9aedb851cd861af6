//! What the VMs of one proxy tell each other about a document, through shared data.
//!
//! Two values: a small one that is read at each tick, and the text itself, which is read when the small one says that there is
//! a newer one. Any other module of the process may write there too (Istio gives all of them one space), so nothing that is read
//! is believed to be well-formed.

use crate::time::{Duration, Timestamp};

/// What the VMs agree on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Agreed {
    /// Counts those that were fetched; zero: none.
    pub(super) generation: u64,
    /// When the last good one came.
    pub(super) fetched: Timestamp,
    /// When somebody last began to fetch.
    pub(super) tried: Timestamp,
    /// When the next fetch is due.
    pub(super) due: Timestamp,
    /// Until then whoever fetches has time to do so.
    pub(super) busy_until: Timestamp,
    /// Fetches that failed since the last good one.
    pub(super) failures: u64,
}

impl Agreed {
    const SIZE: usize = 48;

    /// As bytes for the small value.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let Self { generation, fetched, tried, due, busy_until, failures } = self;
        let dates = [fetched, tried, due, busy_until].map(Timestamp::as_nanos);
        [&[generation][..], &dates, &[failures]].concat().into_iter().flat_map(u64::to_le_bytes).collect()
    }

    /// From the bytes of the small value.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::SIZE {
            return None;
        }
        let mut numbers = bytes.as_chunks().0.iter().copied().map(u64::from_le_bytes);
        // Nobody has fetched so often; and the next one must be greater.
        let generation = numbers.next().filter(|count| *count < u64::MAX / 2)?;
        let mut date = || numbers.next().map(Timestamp::from_nanos);
        let (fetched, tried, due, busy_until) = (date()?, date()?, date()?, date()?);
        Some(Self { generation, fetched, tried, due, busy_until, failures: numbers.next()? })
    }

    /// Whether somebody is fetching. Nobody takes longer than `limit`: a date beyond that is a clock that went back.
    pub(super) fn is_busy(self, now: Timestamp, limit: Duration) -> bool {
        now < self.busy_until && self.busy_until <= now + limit
    }
}

/// The large value: the generation, then the text as it was fetched.
pub(super) fn published(generation: u64, text: &[u8]) -> Vec<u8> {
    [&generation.to_le_bytes(), text].concat()
}

/// The generation and the text of the large value.
pub(super) fn unpublished(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (generation, text) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*generation), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let date = Timestamp::from_nanos;
        let agreed =
            Agreed { generation: 1, fetched: date(2), tried: date(3), due: date(4), busy_until: date(u64::MAX), failures: 6 };
        let bytes = agreed.to_bytes();
        assert_eq!((bytes.len(), Agreed::read(&bytes)), (Agreed::SIZE, Some(agreed)));
        assert_eq!((Agreed::read(&bytes[1..]), Agreed::read(&[])), (None, None));
        assert_eq!(Agreed::read(&Agreed { generation: u64::MAX, ..agreed }.to_bytes()), None);
        assert_eq!(unpublished(&published(7, b"{}")), Some((7, &b"{}"[..])));
        assert_eq!(unpublished(b"1234567"), None);
    }

    #[test]
    fn a_turn_ends_even_if_the_clock_goes_back() {
        let (now, limit) = (Timestamp::from_secs(100), Duration::from_secs(3));
        let until = |secs| Agreed { busy_until: Timestamp::from_secs(secs), ..Agreed::default() };
        assert!(until(101).is_busy(now, limit) && until(103).is_busy(now, limit));
        assert!(!until(100).is_busy(now, limit) && !until(104).is_busy(now, limit));
    }
}
