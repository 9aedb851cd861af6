//! Where the page sends users back to: a browser without any credential, so nothing that it says is believed but what is sealed.

use super::question::State;
use super::{BOARD, Consent, SETTLES, TRIES, short};
use crate::approval::board::{self, Entry, Found, State as Known};
use crate::audit::{About, Resource};
use crate::filter::{Effects, Head, ServiceError, Services, Step};
use crate::path;
use crate::policy::Answer;
use crate::time::Timestamp;

/// Longest query that is read: a sealed text, a code, and what else servers add.
const MAX_QUERY: usize = 8 * 1024;

/// A URL of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) struct Door {
    /// As the identity provider knows it: `redirect_uri`.
    pub(in super::super) url: String,
    /// `:authority` of its requests, in lower case.
    pub(in super::super) authority: String,
    /// Their path.
    pub(in super::super) path: String,
}

/// What a user comes back with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Back {
    Agreed,
    /// Whether it is sealed by us is not known yet.
    Early,
    Refused,
    /// It is not sealed by us, or over.
    Stale,
}

impl Door {
    /// The query of a request that is for this door.
    fn query<'a>(&self, head: Head<'a>) -> Option<&'a str> {
        let one = |name| head.headers.one(name).ok().flatten();
        let authority = one(":authority").is_some_and(|authority| authority.eq_ignore_ascii_case(self.authority.as_bytes()));
        if !authority || one(":method") != Some(b"GET") || !head.end_of_stream {
            return None;
        }
        let (path, query) = path::split(one(":path")?)?;
        (path == self.path).then(|| query.unwrap_or_default())
    }
}

impl Consent {
    /// Answers a user who comes back from the page. `None`: the request is something else.
    pub(in super::super) fn answer(&self, head: Head<'_>, fx: &mut Effects<'_>) -> Option<Step> {
        let query = self.door.query(head)?;
        let now = fx.now();
        // What opens it is fetched where it is not there; a browser does not wait for it, and loses nothing.
        let _ready = self.keys.want(now, fx);
        let (back, mark) = self.back(query, now, fx.services());
        let (action, status, text) = match back {
            Back::Agreed => ("consent.agreed", 200, "Thank you. You can close this page; the agent goes on by itself."),
            Back::Early => ("consent.early", 503, "This page cannot be shown now. Please load it again in a moment."),
            Back::Refused => ("consent.refused", 200, "You have refused. You can close this page; the agent will not go on."),
            Back::Stale => ("consent.stale", 400, "This page is out of date. Please ask the agent again."),
        };
        let resource = mark.map(|mark| Resource { kind: "consent", name: short(&mark) });
        let about = About { action: Some(action.to_owned()), resource, ..About::default() };
        fx.skip_response();
        Some(fx.answer("builtin:consent", about, page(status, text)))
    }

    pub(super) fn back(&self, query: &str, now: Timestamp, services: &mut dyn Services) -> (Back, Option<[u8; 32]>) {
        let Some(sealer) = self.keys.sealer(now) else { return (Back::Early, None) };
        let state = parameter(query, "state").and_then(|text| State::open(text, &sealer, now));
        let Some(state) = state else { return (Back::Stale, None) };
        let back = match (parameter(query, "code"), parameter(query, "error")) {
            (Some(_), None) => Back::Agreed,
            (None, Some("access_denied" | "consent_required" | "interaction_required")) => Back::Refused,
            _ => return (Back::Stale, Some(state.mark)),
        };
        match self.put(&state, back, now, services) {
            Ok(true) => (back, Some(state.mark)),
            // Another question has taken its place, or nothing can be kept: what is kept stays.
            Ok(false) | Err(_) => (Back::Stale, Some(state.mark)),
        }
    }

    /// Writes down what the user said; whether it is still about this question.
    fn put(&self, state: &State, back: Back, now: Timestamp, services: &mut dyn Services) -> Result<bool, ServiceError> {
        for _ in 0..TRIES {
            let (old, place) = match board::find(services, BOARD, &state.owner, &state.key, now)? {
                Found::Entry(entry, _) if entry.mark != state.mark => return Ok(false),
                Found::Entry(entry, place) => (Some(entry), place),
                Found::Free(place) => (None, place),
                Found::Full => return Ok(false),
            };
            let entry = match (back, old) {
                (Back::Agreed, None) => return Ok(true),
                // Whoever comes back meanwhile hears that it is pending, and the user is not told again.
                (Back::Agreed, Some(old)) => Entry { state: Known::Used, until: now + SETTLES, ..old },
                (_, old) => Entry {
                    key: state.key,
                    state: Known::Denied,
                    mark: state.mark,
                    until: now + self.refusal,
                    next: now,
                    ticket: old.map(|old| old.ticket).unwrap_or_default(),
                },
            };
            if board::write(services, &place, &entry)? {
                return Ok(true);
            }
        }
        Err(ServiceError::Failed)
    }
}

/// The one parameter of this name. What is sealed, codes' being there, and error codes need no decoding.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let query = Some(query).filter(|query| query.len() <= MAX_QUERY)?;
    let mut found = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(known, _)| *known == name);
    let (_, value) = found.next()?;
    (found.next().is_none() && !value.is_empty()).then_some(value)
}

/// A page that loads nothing, shows nothing of the request, and tells nobody where it came from.
fn page(status: u16, text: &str) -> Answer {
    let body = format!("<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Consent</title><p>{text}</p></html>\n");
    let mut headers = vec![
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
    ];
    if status == 503 {
        headers.push(("retry-after", "5"));
    }
    let headers = headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    Answer { status, headers, body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_there_once_or_not_at_all() {
        for (query, found) in [
            ("state=a.b-_&code=c", Some("a.b-_")),
            ("code=c&state=a", Some("a")),
            ("state=a&state=b", None),
            ("state=", None),
            ("state", None),
            ("xstate=a", None),
            ("", None),
        ] {
            assert_eq!(parameter(query, "state"), found, "{query}");
        }
        assert_eq!(parameter(&format!("state=a&x={}", "y".repeat(MAX_QUERY)), "state"), None);
    }
}
