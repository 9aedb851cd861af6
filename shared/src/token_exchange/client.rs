//! The clients of a token service, and how they show who they are.

use std::rc::Rc;

use super::failure::Refused;
use crate::config::{Problems, Variable};
use crate::filter::Services;
use crate::jws::{Assertion, Signer};
use crate::oauth::{AssertionType, ClientAuth};
use crate::policy::Reason;
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// An OAuth client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: Rc<str>,
    pub(super) auth: Auth,
}

/// How a client shows who it is.
#[derive(Clone, Debug)]
pub(super) enum Auth {
    Basic(Variable),
    Post(Variable),
    PrivateKey(KeyOf),
    /// The proxy's cluster does it.
    Cluster,
}

/// A private key, and what is signed with it.
#[derive(Clone, Debug)]
pub(super) struct KeyOf {
    pub(super) secret: Variable,
    pub(super) id: Option<String>,
    /// The one `aud` of assertions.
    pub(super) audience: Rc<str>,
    /// Made of the secret.
    pub(super) signer: Option<Rc<Signer>>,
}

impl Client {
    /// Takes its secret from the proxy's environment.
    pub(super) fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        match &mut self.auth {
            Auth::Basic(variable) | Auth::Post(variable) => variable.equip(secret, problems),
            Auth::PrivateKey(key) => key.equip(secret, problems),
            Auth::Cluster => {}
        }
    }

    /// What it signs for this call, where that is how it shows who it is (RFC 7523 section 3): good for a minute.
    pub(super) fn assertion(&self, now: Timestamp, services: &mut dyn Services) -> Result<Option<Secret<String>>, Refused> {
        let Auth::PrivateKey(key) = &self.auth else { return Ok(None) };
        let signer = key.signer.as_ref().ok_or_else(|| Refused::plain(Reason::ExchangeMisconfigured))?;
        let what = Assertion { client: &self.id, audience: &key.audience, life: Duration::from_secs(60) };
        signer.assert(&what, now, services).map(Some).map_err(|_| Refused::plain(Reason::HostFailed))
    }

    /// How it shows who it is; `None`: its secret is not there.
    pub(super) fn auth<'a>(&'a self, assertion: Option<&'a Secret<String>>) -> Option<ClientAuth<'a>> {
        Some(match &self.auth {
            Auth::Basic(secret) => ClientAuth::Basic { id: &self.id, secret: secret.value()? },
            Auth::Post(secret) => ClientAuth::Post { id: &self.id, secret: secret.value()? },
            Auth::PrivateKey(_) => ClientAuth::Assertion {
                id: Some(&self.id),
                kind: AssertionType::JwtBearer,
                text: Secret::new(assertion?.reveal().as_str()),
            },
            Auth::Cluster => ClientAuth::Cluster { id: Some(&self.id) },
        })
    }
}

impl KeyOf {
    fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        self.secret.equip(secret, problems);
        let Some(value) = self.secret.value() else { return };
        match Signer::read(&Secret::new(value.reveal().as_bytes().to_vec()), self.id.as_deref()) {
            Ok(signer) => self.signer = Some(Rc::new(signer)),
            Err(error) => problems.field(self.secret.path(), |p| p.add(error.to_string())),
        }
    }
}
