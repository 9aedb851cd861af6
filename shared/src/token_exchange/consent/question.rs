//! What a user is asked: how it is told from other questions, and what goes out sealed.

use super::short;
use crate::approval::Key;
use crate::digest;
use crate::filter::{ServiceError, Services};
use crate::seal::{Bound, NONCE, Sealer};
use crate::time::Timestamp;

/// What a ticket is sealed for.
const FOR_TICKETS: &str = "consent ticket";
/// What the page carries is sealed for.
const FOR_PAGES: &str = "consent page";

/// What an agent wants and its user has not consented to.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Wish<'a> {
    /// `iss` of the user.
    pub(in super::super) issuer: &'a str,
    /// `sub` of the user.
    pub(in super::super) user: &'a str,
    /// The agent.
    pub(in super::super) agent: &'a str,
    /// Issuer identifier of the token service.
    pub(in super::super) service: &'a str,
    /// The client that the user is to consent to.
    pub(in super::super) client: &'a str,
    /// What it is to have.
    pub(in super::super) scopes: &'a [String],
    /// Where users consent.
    pub(in super::super) page: &'a str,
}

/// One question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Question {
    /// Tells it from others about the same; random.
    pub(super) mark: [u8; 32],
    /// Until when the user may answer, in whole seconds.
    pub(super) until: Timestamp,
}

/// What the page gives back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct State {
    pub(super) owner: Key,
    pub(super) key: Key,
    pub(super) mark: [u8; 32],
}

impl Wish<'_> {
    /// Names the question.
    pub(super) fn key(&self) -> Key {
        let texts = [self.issuer, self.user, self.agent, self.service, self.client].map(str::as_bytes);
        let scopes: Vec<&[u8]> = self.scopes.iter().map(String::as_bytes).collect();
        Key(digest::of(&[&texts[..], &scopes].concat()))
    }

    /// Names the user.
    pub(super) fn owner(&self) -> Key {
        Key(digest::of(&[self.issuer.as_bytes(), self.user.as_bytes()]))
    }
}

impl Question {
    pub(super) fn new(until: Timestamp, services: &mut dyn Services) -> Result<Self, ServiceError> {
        let mut mark = [0; 32];
        services.random(&mut mark)?;
        Ok(Self { mark, until: Timestamp::from_secs(until.as_secs()) })
    }

    /// Its name in records.
    pub(super) fn id(&self) -> String {
        short(&self.mark)
    }

    pub(super) fn seal(&self, key: &Key, sealer: &Sealer, services: &mut dyn Services) -> Result<String, ServiceError> {
        seal(Bound { purpose: FOR_TICKETS, to: &key.text() }, self.until, &self.mark, sealer, services)
    }

    pub(super) fn open(text: &str, key: &Key, sealer: &Sealer, now: Timestamp) -> Option<Self> {
        let opened = sealer.open(Bound { purpose: FOR_TICKETS, to: &key.text() }, text, now).ok()?;
        Some(Self { mark: opened.payload.reveal().as_slice().try_into().ok()?, until: opened.expires })
    }
}

impl State {
    pub(super) fn seal(&self, until: Timestamp, sealer: &Sealer, services: &mut dyn Services) -> Result<String, ServiceError> {
        let payload = [self.owner.0, self.key.0, self.mark].concat();
        seal(Bound { purpose: FOR_PAGES, to: "" }, until, &payload, sealer, services)
    }

    pub(super) fn open(text: &str, sealer: &Sealer, now: Timestamp) -> Option<Self> {
        let opened = sealer.open(Bound { purpose: FOR_PAGES, to: "" }, text, now).ok()?;
        let (owner, rest) = opened.payload.reveal().split_first_chunk()?;
        let (key, mark) = rest.split_first_chunk()?;
        Some(Self { owner: Key(*owner), key: Key(*key), mark: mark.try_into().ok()? })
    }
}

fn seal(
    bound: Bound<'_>,
    until: Timestamp,
    payload: &[u8],
    sealer: &Sealer,
    services: &mut dyn Services,
) -> Result<String, ServiceError> {
    let mut nonce = [0; NONCE];
    services.random(&mut nonce)?;
    sealer.seal(bound, until, payload, nonce).ok_or(ServiceError::Failed)
}
