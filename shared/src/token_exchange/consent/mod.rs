//! Consent by a user who is present: what has to be agreed to is asked by the identity provider's own page, never through the agent.
//!
//! A token service refuses because its user has not consented. Then the user is told where the page is: in the audit record, and by a
//! call to whatever reaches users. The agent hears `pending`, with a ticket and a time to come back, or `blocked`; and when the user has
//! agreed the same call goes through. The page sends the user back to a door of this gate, which says so to all workers of the proxy.
//!
//! - The user is told once for one (user, agent, client, scopes) and proxy; a ticket says so to the other replicas.
//! - What comes back proves nothing but that the page is left: the token service alone decides. A no is remembered for a while.
//! - The code that comes back is worth nothing: the challenge that it is bound to has no verifier (RFC 7636).

mod door;
mod question;

pub(super) use door::Door;
pub(super) use question::Wish;

use core::cell::RefCell;
use std::rc::Rc;

use question::{Question, State};

use super::policy::Endpoint;
use crate::approval::board::{self, Entry, Found, State as Known};
use crate::base64::encode_url;
use crate::filter::{CallId, Callout, CalloutError, Effects, HttpCall, Reply, RootEffects, ServiceError, Services};
use crate::identity::secret::SealingKeys;
use crate::json::{push_hex, push_number, push_string};
use crate::oauth::Form;
use crate::seal::Sealer;
use crate::time::{Duration, Timestamp};

#[cfg(test)]
mod tests;

/// The header in which a caller brings its ticket back. It goes no further.
pub(super) const TICKET: &str = "wardpoint-consent";
/// Where questions stand in shared data.
const BOARD: &str = "consent";
/// How often a write is tried that other workers come in between of.
const TRIES: usize = 3;
/// How long it may take until a token service says yes after the user has: the refusals that are kept end before.
const SETTLES: Duration = Duration::from_secs(15);
/// Calls to tell users that may be out at a time.
const MAX_CALLS: usize = 64;

/// How users are asked.
#[derive(Clone, Debug)]
pub(super) struct Consent {
    pub(super) door: Door,
    /// How long a user has.
    pub(super) within: Duration,
    /// When an agent is to come back.
    pub(super) retry_after: Duration,
    /// How long a no is remembered.
    pub(super) refusal: Duration,
    /// Whatever tells users where the page is.
    pub(super) tell: Option<Endpoint>,
    pub(super) keys: SealingKeys,
    /// Calls to tell users that are out.
    pub(super) calls: Rc<RefCell<Vec<CallId>>>,
}

/// What an agent hears.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Nothing can be done here, and why, for the record.
    Blocked(&'static str),
    /// The user has been told.
    Pending {
        /// What the agent brings when it comes back.
        ticket: String,
        /// What the user is told just now.
        asked: Option<Asked>,
    },
}

/// Where a user consents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Asked {
    /// Names the question in records; opens nothing.
    pub(super) id: String,
    /// The page.
    pub(super) url: String,
    /// Until when.
    pub(super) until: Timestamp,
}

impl Consent {
    /// How it stands with a consent that a token service wants. Who has not been told is told.
    pub(super) fn stand(&self, wish: &Wish<'_>, ticket: Option<&str>, fx: &mut Effects<'_>) -> Standing {
        let now = fx.now();
        let standing = self.look(wish, ticket, now, fx.services()).unwrap_or(Standing::Blocked("host_failed"));
        if let (Standing::Pending { asked: Some(asked), .. }, Some(tell)) = (&standing, &self.tell) {
            let mut calls = self.calls.borrow_mut();
            if calls.len() < MAX_CALLS {
                calls.push(fx.call_out_shared(Callout::Http(told(tell, wish, asked))));
            }
        }
        standing
    }

    fn look(
        &self,
        wish: &Wish<'_>,
        ticket: Option<&str>,
        now: Timestamp,
        services: &mut dyn Services,
    ) -> Result<Standing, ServiceError> {
        let sealer = &*self.keys.sealer(now).ok_or(ServiceError::Failed)?;
        let (owner, key) = (wish.owner(), wish.key());
        let brought = ticket.map(|text| Question::open(text, &key, sealer, now));
        if brought == Some(None) {
            return Ok(Standing::Blocked("ticket"));
        }
        let brought = brought.flatten();
        for _ in 0..TRIES {
            let place = match board::find(services, BOARD, &owner, &key, now)? {
                Found::Entry(Entry { state: Known::Denied, .. }, _) => return Ok(Standing::Blocked("denied")),
                Found::Entry(entry, _) => return Ok(Standing::Pending { ticket: entry.ticket, asked: None }),
                Found::Full => match (brought, ticket) {
                    (Some(_), Some(ticket)) => return Ok(Standing::Pending { ticket: ticket.to_owned(), asked: None }),
                    _ => return Ok(Standing::Blocked("too_many")),
                },
                Found::Free(place) => place,
            };
            // Another replica has told the user.
            let (question, new) = match brought {
                Some(question) => (question, false),
                None => (Question::new(now + self.within, services)?, true),
            };
            let ticket = question.seal(&key, sealer, services)?;
            let entry =
                Entry { key, state: Known::Out, mark: question.mark, until: question.until, next: now, ticket: ticket.clone() };
            if board::write(services, &place, &entry)? {
                let asked = if new { Some(self.asked(wish, &question, sealer, services)?) } else { None };
                return Ok(Standing::Pending { ticket, asked });
            }
        }
        Err(ServiceError::Failed)
    }

    /// The page with this question on it (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
    fn asked(
        &self,
        wish: &Wish<'_>,
        question: &Question,
        sealer: &Sealer,
        services: &mut dyn Services,
    ) -> Result<Asked, ServiceError> {
        let mut challenge = [0; 32];
        services.random(&mut challenge)?;
        let state = State { owner: wish.owner(), key: wish.key(), mark: question.mark };
        let mut form = Form::new();
        form.push("response_type", "code");
        form.push("client_id", wish.client);
        form.push("redirect_uri", &self.door.url);
        form.push("scope", &["openid"].into_iter().chain(wish.scopes.iter().map(String::as_str)).collect::<Vec<_>>().join(" "));
        form.push("state", &state.seal(question.until, sealer, services)?);
        form.push("code_challenge", &encode_url(&challenge));
        form.push("code_challenge_method", "S256");
        let separator = if wish.page.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}{}", wish.page, form.as_str());
        Ok(Asked { id: question.id(), url, until: question.until })
    }

    /// The answer to a call of the root; whether it was one of these.
    pub(super) fn on_reply(&self, call: CallId, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) -> bool {
        let mut calls = self.calls.borrow_mut();
        let Some(at) = calls.iter().position(|known| *known == call) else { return false };
        calls.swap_remove(at);
        if !matches!(reply, Ok(reply) if (200..300).contains(&reply.status)) {
            fx.count("consent.untold");
            fx.warn("consent: the user could not be told where the page is; the audit record has it");
        }
        true
    }
}

/// The member `consent` of a record.
pub(super) fn recorded(asked: &Asked) -> String {
    let mut out = String::from(r#"{"id":"#);
    push_string(&mut out, &asked.id);
    out.push_str(r#","url":"#);
    push_string(&mut out, &asked.url);
    out.push_str(r#","until":""#);
    asked.until.push_rfc3339(&mut out);
    out.push_str(r#""}"#);
    out
}

/// The call that tells a user.
fn told(to: &Endpoint, wish: &Wish<'_>, asked: &Asked) -> HttpCall {
    let mut body = String::from(r#"{"version":"#);
    push_number(&mut body, 1);
    let texts = [
        ("id", asked.id.as_str()),
        ("issuer", wish.issuer),
        ("user", wish.user),
        ("agent", wish.agent),
        ("client", wish.client),
        ("url", &asked.url),
    ];
    for (name, text) in texts {
        body.push(',');
        push_string(&mut body, name);
        body.push(':');
        push_string(&mut body, text);
    }
    body.push_str(r#","until":""#);
    asked.until.push_rfc3339(&mut body);
    body.push_str(r#"","scopes":["#);
    for (index, scope) in wish.scopes.iter().enumerate() {
        body.push_str(if index == 0 { "" } else { "," });
        push_string(&mut body, scope);
    }
    body.push_str("]}");
    let headers =
        [(":method", "POST"), (":authority", &*to.authority), (":path", &*to.path), ("content-type", "application/json")];
    HttpCall {
        cluster: to.cluster.clone(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.into())).into(),
        body: body.into_bytes(),
        timeout: to.timeout,
    }
}

/// The short name of a mark.
fn short(mark: &[u8; 32]) -> String {
    let mut text = String::with_capacity(16);
    push_hex(&mut text, mark.first_chunk::<8>().map_or(&[], |start| &start[..]));
    text
}
