//! The OAuth client by which the proxy asks an identity provider something for itself.

use crate::config::{Problems, Variable, choice};
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

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// How it shows who it is.
    pub method: RawMethod,
    /// Its secret, where the method has one.
    pub secret: Option<Variable>,
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
