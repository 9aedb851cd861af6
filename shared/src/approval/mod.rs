//! Approval by a user who is away (CIBA, poll mode): what a user is asked once, and what becomes of it.
//!
//! A filter asks ([`Approvals::ask`]) whether its user lets this agent do exactly this, waits for one call at the most, and
//! asks what came of it ([`Approvals::after`]). The caller hears `pending` with a ticket and a time to come back, then
//! `approved` or `denied`; it holds nothing open meanwhile (OA-C-01).
//!
//! - One question for (policy, user, agent, action, arguments) and proxy: its workers share a board. A user has a
//!   few questions at a time at the most (BY-X-14).
//! - The ticket is sealed and bound to all of that, so any replica can go on with it, for nothing but this action (OA-C-02).
//! - The server is asked only when the caller comes back, not more often than it wants, and by one worker at a time. Whoever
//!   asks gets the token: no other replica can have taken it, and nothing is kept that a restart could lose or reuse.
//! - The server gives the token once; it goes to one request. Whatever cannot be told is no approval.

pub(crate) mod board;
pub mod config;
mod machine;
mod ticket;
mod token;

pub use machine::Approvals;

use crate::digest;
use crate::filter::CallId;
use crate::json::push_hex;
use crate::oauth::Issued;
use crate::time::Duration;

/// The server that asks users.
#[derive(Clone, Debug)]
pub struct Server {
    /// The proxy's name of its cluster.
    pub cluster: String,
    /// `:authority` of the calls.
    pub authority: String,
    /// Where users are asked: the backchannel authentication endpoint.
    pub ask: String,
    /// Where it is said what became of it: the token endpoint.
    pub token: String,
    /// How long a call may take.
    pub timeout: Duration,
    /// `iss` of its tokens.
    pub issuer: String,
    /// Scopes that an approval is asked for, beside `openid`.
    pub scopes: Vec<String>,
    /// How strongly the user is to be authenticated.
    pub acr_values: Vec<String>,
    /// How long a user has, where the server is to be told.
    pub expires_in: Option<Duration>,
    /// Longest binding message that it takes.
    pub message: usize,
    /// Its tokens may be opaque: whose they are is then not checked.
    pub opaque: bool,
    /// A token must be for one of these; for whomever, if there are none.
    pub audiences: Vec<String>,
    /// Its tokens go on in the place of those that callers bring. Then they must be access tokens of this client, be good now, and
    /// be anybody's who has them.
    pub outgoing: Option<String>,
}

/// What is to be approved. Any other part of it is another question.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// The configuration: its digest.
    pub policy: &'a str,
    /// `iss` of the user.
    pub issuer: &'a str,
    /// `sub` of the user.
    pub user: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// The method: `tools/call`.
    pub method: &'a str,
    /// What it is called on: the tool. The user is shown it.
    pub name: &'a str,
    /// Digest of the arguments in one form.
    pub arguments: &'a [u8; 32],
}

/// What becomes of a question.
#[derive(Debug)]
pub enum Approval {
    /// The user said yes, for this one request. The token is the one that the approval gave.
    Approved(Issued),
    /// The user said no, or the token is not the user's.
    Denied,
    /// The user did not answer in time, it was used, or the ticket is for something else. Without a ticket it is asked anew.
    Expired,
    /// The user has not answered yet.
    Pending {
        /// What the caller brings when it comes back; none where another worker has just begun to ask.
        ticket: Option<String>,
        /// When it is worth to come back.
        retry_after: Duration,
    },
    /// This user has too many questions already.
    TooMany,
    /// Nobody could be asked. A ticket stays good.
    Unavailable {
        /// When it is worth to come back.
        retry_after: Duration,
    },
    /// Wait for this call, then ask [`Approvals::after`].
    Wait(CallId),
    /// A ticket names a key that is not there, and keys are fetched: wait for this call, then ask again.
    WaitForKeys(CallId),
}

/// Names a question, or a user.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl Action<'_> {
    fn key(&self) -> Key {
        let texts = [self.policy, self.issuer, self.user, self.agent, self.method, self.name];
        Key(digest::of(&[&texts.map(str::as_bytes)[..], &[self.arguments]].concat()))
    }

    /// Names the user.
    fn owner(&self) -> Key {
        Key(digest::of(&[self.issuer.as_bytes(), self.user.as_bytes()]))
    }
}

impl Key {
    /// In hexadecimal digits.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(64);
        push_hex(&mut text, &self.0);
        text
    }
}
