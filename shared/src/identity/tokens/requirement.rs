//! How and when a user must have logged in (RFC 9470, OA-R-02).

use crate::config::{Problems, record};
use crate::jws::{TokenError, Verified};
use crate::time::{Duration, Timestamp};

record! {
    /// How and when the user must have logged in (RFC 9470).
    pub struct RawRequirement {
        /// `acr` must be one of these; any will do where there are none.
        acr: Vec<String> = "acr", Vec::new();
        /// How long ago `auth_time` may be.
        max_age: Option<Duration> = "maxAge", None;
    }
}

/// What is asked of the login behind a token. The default asks for nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Requirement {
    /// `acr` is one of these; for `acr_values` of a challenge.
    pub contexts: Vec<String>,
    /// `auth_time` is no longer ago; for `max_age` of a challenge.
    pub max_age: Option<Duration>,
}

impl RawRequirement {
    /// What it means; only good if no problem was added.
    pub fn compile(&self, problems: &mut Problems) -> Requirement {
        if self.acr.is_empty() && self.max_age.is_none() {
            problems.add("asks for nothing. Write `acr` or `maxAge`");
        }
        problems.field("acr", |p| {
            // RFC 9470 section 3: a list in one string.
            for (index, name) in self.acr.iter().enumerate().filter(|(_, name)| !name.bytes().all(is_value) || name.is_empty()) {
                p.item(index, |p| p.add(format!("`{name}` is not one value")));
            }
        });
        Requirement { contexts: self.acr.clone(), max_age: self.max_age }
    }
}

impl Requirement {
    /// Whether the login was as it must be. What the token does not say is not so.
    pub fn judge(&self, verified: &Verified, now: Timestamp) -> Result<(), TokenError> {
        let named = |context: &String| self.contexts.contains(context);
        if !self.contexts.is_empty() && !verified.context.as_ref().is_some_and(named) {
            return Err(TokenError::AuthenticationTooWeak);
        }
        match (self.max_age, verified.authenticated) {
            (Some(max), Some(date)) if now.since(date) <= max => Ok(()),
            (Some(_), _) => Err(TokenError::AuthenticationTooOld),
            (None, _) => Ok(()),
        }
    }
}

fn is_value(c: u8) -> bool {
    c.is_ascii_graphic() && !matches!(c, b'"' | b'\\')
}
