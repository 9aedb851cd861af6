//! A secret, wherever it comes from.

use super::{FetchedSecret, RawSecret, Ready, SecretFrom};
use crate::config::{Problems, Variable};
use crate::identity::Reach;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Where a secret is.
#[derive(Clone, Debug)]
pub enum SecretOf {
    /// In the proxy's environment.
    Env(Variable),
    /// Where it is fetched.
    Fetched(FetchedSecret),
}

impl SecretOf {
    /// A client secret; `None` if a problem was added. `path` is that of problems with what the environment has, and `whose` is what
    /// the log calls it.
    pub fn client_secret(
        raw: Option<&RawSecret>,
        path: impl Into<String>,
        whose: String,
        problems: &mut Problems,
    ) -> Option<Self> {
        Some(match RawSecret::from(raw, problems)? {
            SecretFrom::Env(variable) => Self::Env(variable.compile(path, problems)),
            SecretFrom::Fetch(from) => Self::Fetched(problems.field("fetch", |p| FetchedSecret::secret(from, whose, p))),
        })
    }

    /// Takes it from the proxy's environment, if it is there.
    pub fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        if let Self::Env(variable) = self {
            variable.equip(secret, problems);
        }
    }

    /// What is fetched, if it is.
    pub fn fetched(&self) -> Option<&FetchedSecret> {
        match self {
            Self::Env(_) => None,
            Self::Fetched(fetched) => Some(fetched),
        }
    }

    /// The text, where there is one now.
    pub fn text(&self, now: Timestamp) -> Option<Secret<String>> {
        match self {
            Self::Env(variable) => variable.value().map(|value| Secret::new((*value.reveal()).to_owned())),
            Self::Fetched(fetched) => fetched.text(now),
        }
    }

    /// Whether there is one; where there is not, it is fetched.
    pub(crate) fn want(&self, now: Timestamp, reach: &mut dyn Reach) -> Ready {
        self.fetched().map_or(Ready::Yes, |fetched| fetched.want(now, reach))
    }
}
