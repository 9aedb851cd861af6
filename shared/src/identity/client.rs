//! The OAuth client by which the proxy asks an identity provider something for itself.

use super::Reach;
use super::secret::{FetchedSecret, RawSecret, Ready, SecretOf};
use crate::config::{Problems, choice, record};
use crate::oauth::ClientAuth;
use crate::secret::Secret;
use crate::time::Timestamp;

choice! {
    /// How the client shows who it is.
    pub enum RawMethod {
        /// `client_secret_basic` (RFC 6749 section 2.3.1).
        Basic = "client_secret_basic",
        /// `client_secret_post`.
        Post = "client_secret_post",
        /// Only its `client_id`; the proxy's cluster does the rest.
        Cluster = "cluster",
    }
}

record! {
    /// The OAuth client by which the proxy asks.
    pub struct RawClient {
        /// Its `client_id`.
        id: String = "id";
        /// How it shows who it is.
        method: RawMethod = "method";
        /// Its secret, for `client_secret_basic` and `client_secret_post`.
        secret: Option<RawSecret> = "secret", None;
    }
}

/// What it means.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    method: RawMethod,
    /// Where the method has one.
    secret: Option<SecretOf>,
}

impl RawClient {
    /// What it means; only good if no problem was added. `path` is where it stands, for problems with the value of its secret; `of` is
    /// whom it asks, for the log.
    pub fn compile(&self, path: &str, of: &str, problems: &mut Problems) -> Client {
        if self.id.is_empty() || self.id.bytes().any(|c| !(b' '..=b'~').contains(&c)) {
            problems.field("id", |p| p.add("is not a client identifier (RFC 6749 appendix A.1)"));
        }
        let secret = problems.field("secret", |problems| match (self.method, &self.secret) {
            (RawMethod::Cluster, None) => None,
            (RawMethod::Cluster, Some(_)) => {
                problems.add("the cluster authenticates this client. Take it away");
                None
            }
            (RawMethod::Basic | RawMethod::Post, secret) => {
                let whose = format!("client `{}` of {of}", self.id);
                SecretOf::client_secret(secret.as_ref(), [path, ".secret"].concat(), whose, problems)
            }
        });
        Client { id: self.id.clone(), method: self.method, secret }
    }
}

impl Client {
    /// Takes its secret from the proxy's environment.
    pub fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        if let Some(own) = &mut self.secret {
            own.equip(secret, problems);
        }
    }

    /// What of it is fetched.
    pub fn fetched(&self) -> Option<&FetchedSecret> {
        self.secret.as_ref()?.fetched()
    }

    /// Whether it can show who it is now; where it cannot, its secret is fetched.
    pub(crate) fn want(&self, now: Timestamp, reach: &mut dyn Reach) -> Ready {
        self.secret.as_ref().map_or(Ready::Yes, |secret| secret.want(now, reach))
    }

    /// Makes something of how it shows who it is; `None`: its secret is not there.
    pub fn show<T>(&self, now: Timestamp, make: impl FnOnce(&ClientAuth<'_>) -> T) -> Option<T> {
        let text = self.secret.as_ref().and_then(|secret| secret.text(now));
        let (id, secret) = (self.id.as_str(), || Some(Secret::new(text.as_ref()?.reveal().as_str())));
        Some(make(&match self.method {
            RawMethod::Basic => ClientAuth::Basic { id, secret: secret()? },
            RawMethod::Post => ClientAuth::Post { id, secret: secret()? },
            RawMethod::Cluster => ClientAuth::Cluster { id: Some(id) },
        }))
    }
}
