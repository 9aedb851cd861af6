//! The OAuth client by which the proxy asks an identity provider something for itself.

use crate::config::{Problems, RawVariable, Variable, choice, record};
use crate::oauth::ClientAuth;
use crate::secret::Secret;

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
        secret: Option<RawVariable> = "secret", None;
    }
}

/// What it means.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// How it shows who it is.
    pub method: RawMethod,
    /// Its secret, where the method has one.
    pub secret: Option<Variable>,
}

impl RawClient {
    /// What it means; only good if no problem was added. `path` is where it stands, for problems with the value of its secret.
    pub fn compile(&self, path: &str, problems: &mut Problems) -> Client {
        if self.id.is_empty() || self.id.bytes().any(|c| !(b' '..=b'~').contains(&c)) {
            problems.field("id", |p| p.add("is not a client identifier (RFC 6749 appendix A.1)"));
        }
        match (self.method, &self.secret) {
            (RawMethod::Cluster, Some(_)) => {
                problems.field("secret", |p| p.add("the cluster authenticates this client. Take it away"));
            }
            (RawMethod::Basic | RawMethod::Post, None) => problems.field("secret", |p| p.add("is required. Write `{env: NAME}`")),
            (RawMethod::Cluster, None) | (RawMethod::Basic | RawMethod::Post, Some(_)) => {}
        }
        let secret = self.secret.as_ref().map(|secret| problems.field("secret", |p| secret.compile(format!("{path}.secret"), p)));
        Client { id: self.id.clone(), method: self.method, secret }
    }
}

impl Client {
    /// Takes its secret from the proxy's environment.
    pub fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        if let Some(variable) = &mut self.secret {
            variable.equip(secret, problems);
        }
    }

    /// How it shows who it is; `None`: its secret is not there.
    pub fn auth(&self) -> Option<ClientAuth<'_>> {
        let secret = || self.secret.as_ref()?.value();
        Some(match self.method {
            RawMethod::Basic => ClientAuth::Basic { id: &self.id, secret: secret()? },
            RawMethod::Post => ClientAuth::Post { id: &self.id, secret: secret()? },
            RawMethod::Cluster => ClientAuth::Cluster { id: Some(&self.id) },
        })
    }
}
