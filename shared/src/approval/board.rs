//! What all workers of this proxy know of the questions that are out, in a fixed number of places of shared data.
//!
//! Other modules of the proxy may read it: a question is there as its sealed ticket only.

use super::Key;
use super::ticket::number;
use crate::filter::{Cas, ServiceError, Services};
use crate::time::Timestamp;

/// Places of one user. Users who fall together share them.
const PLACES: u64 = 4;
/// Users that are told apart.
const OWNERS: u64 = 1024;
/// How often a write is tried that other workers come in between of.
pub(super) const TRIES: usize = 3;
/// Length of what stands before the ticket.
const HEAD: usize = 1 + 32 + 32 + 8 + 8;

/// What is known of a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) state: State,
    /// Which of several questions about the same it is; zeros while the server has not taken it.
    pub(crate) mark: [u8; 32],
    /// Until when this is so. Then the place is free.
    pub(crate) until: Timestamp,
    /// When the server may be asked about it next.
    pub(crate) next: Timestamp,
    /// The sealed question; empty unless it is out.
    pub(crate) ticket: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// The user said no.
    Denied,
    /// The user could not be asked a moment ago; under the key of the owner: is not to be asked anything.
    Failed,
    /// The user has been asked.
    Out,
    /// The user is just being asked.
    Starting,
    /// The answer was given, to one request.
    Used,
}

/// A place of the board and how it was found.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    name: String,
    cas: Cas,
}

/// What stands on the board about a question.
#[derive(Debug)]
pub(crate) enum Found {
    /// This.
    Entry(Entry, Place),
    /// Nothing; it may be written here.
    Free(Place),
    /// Nothing, and the user's places are taken.
    Full,
}

/// Looks for a question on the board of this name.
pub(crate) fn find(
    services: &mut dyn Services,
    board: &str,
    owner: &Key,
    key: &Key,
    now: Timestamp,
) -> Result<Found, ServiceError> {
    let bucket = number(&owner.0).map_or(0, |(number, _)| number % OWNERS);
    let mut free = None;
    for index in 0..PLACES {
        let name = format!("wardpoint.{board}.{bucket}.{index}");
        let (entry, place) = read(services, name)?;
        match entry.filter(|entry| entry.until > now) {
            Some(entry) if entry.key == *key => return Ok(Found::Entry(entry, place)),
            Some(_) => {}
            None => free = free.or(Some(place)),
        }
    }
    Ok(free.map_or(Found::Full, Found::Free))
}

/// Writes, if nobody has written there since; whether it was.
pub(crate) fn write(services: &mut dyn Services, place: &Place, entry: &Entry) -> Result<bool, ServiceError> {
    match services.shared_set(&place.name, &entry.to_bytes(), Some(place.cas)) {
        Ok(()) => Ok(true),
        Err(ServiceError::CasMismatch) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes a place; whether this worker has it now. Without a place there is nothing to take.
pub(super) fn claim(services: &mut dyn Services, place: Option<&Place>, entry: &Entry) -> Result<bool, ServiceError> {
    place.map_or(Ok(true), |place| write(services, place, entry))
}

/// Writes what came of a question, by its key and mark, into its place, unless the board is about another one by now. If it cannot
/// be written, the ticket still has it.
pub(super) fn put(
    services: &mut dyn Services,
    board: &str,
    owner: &Key,
    now: Timestamp,
    (key, mark): (&Key, [u8; 32]),
    entry: &Entry,
) {
    for _ in 0..TRIES {
        let place = match find(services, board, owner, key, now) {
            Ok(Found::Entry(old, place)) if old.mark == mark => place,
            // The call was longer than what stood there was good for, as when the machine is halted.
            Ok(Found::Free(place)) => place,
            _ => return,
        };
        if !matches!(write(services, &place, entry), Ok(false)) {
            return;
        }
    }
}

fn read(services: &mut dyn Services, name: String) -> Result<(Option<Entry>, Place), ServiceError> {
    let mut shared = services.shared_get(&name)?;
    if shared.is_none() {
        // A value that is not there has no version to be held against. Any version makes it if it is still not there, and
        // fails if another worker was quicker.
        match services.shared_set(&name, &[], Some(Cas(u32::MAX))) {
            Ok(()) | Err(ServiceError::CasMismatch) => shared = services.shared_get(&name)?,
            Err(error) => return Err(error),
        }
    }
    let shared = shared.ok_or(ServiceError::Failed)?;
    Ok((Entry::from_bytes(&shared.value), Place { name, cas: shared.cas }))
}

impl Entry {
    fn to_bytes(&self) -> Vec<u8> {
        let state = match self.state {
            State::Denied => 1,
            State::Out => 2,
            State::Starting => 3,
            State::Used => 4,
            State::Failed => 5,
        };
        let mut bytes = Vec::with_capacity(HEAD + self.ticket.len());
        bytes.push(state);
        bytes.extend(self.key.0);
        bytes.extend(self.mark);
        bytes.extend(self.until.as_nanos().to_be_bytes());
        bytes.extend(self.next.as_nanos().to_be_bytes());
        bytes.extend(self.ticket.as_bytes());
        bytes
    }

    /// What is not an entry is a free place.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (state, rest) = bytes.split_first()?;
        let state = match state {
            1 => State::Denied,
            2 => State::Out,
            3 => State::Starting,
            4 => State::Used,
            5 => State::Failed,
            _ => return None,
        };
        let (key, rest) = rest.split_first_chunk()?;
        let (mark, rest) = rest.split_first_chunk()?;
        let (until, rest) = number(rest)?;
        let (next, rest) = number(rest)?;
        let ticket = core::str::from_utf8(rest).ok()?.to_owned();
        let time = Timestamp::from_nanos;
        Some(Self { key: Key(*key), state, mark: *mark, until: time(until), next: time(next), ticket })
    }
}
