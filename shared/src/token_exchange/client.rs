//! The clients of a token service, and how they show who they are.

use std::rc::Rc;

use super::failure::Refused;
use crate::config::Problems;
use crate::filter::{Effects, Services};
use crate::identity::secret::{FetchedSecret, Missing, Ready, SecretOf};
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
    Basic(SecretOf),
    Post(SecretOf),
    PrivateKey(KeyOf),
    /// An SVID, which is fetched.
    Svid(FetchedSecret),
    /// The proxy's cluster does it.
    Cluster,
}

/// A private key, and what is signed with it.
#[derive(Clone, Debug)]
pub(super) struct KeyOf {
    pub(super) secret: SecretOf,
    pub(super) id: Option<String>,
    /// The one `aud` of assertions.
    pub(super) audience: Rc<str>,
    /// Made of a secret of the environment.
    pub(super) signer: Option<Rc<Signer>>,
}

impl Client {
    /// Takes its secret from the proxy's environment.
    pub(super) fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        match &mut self.auth {
            Auth::Basic(text) | Auth::Post(text) => text.equip(secret, problems),
            Auth::PrivateKey(key) => key.equip(secret, problems),
            Auth::Svid(_) | Auth::Cluster => {}
        }
    }

    /// What of it is fetched.
    pub(super) fn fetched(&self) -> Option<&FetchedSecret> {
        match &self.auth {
            Auth::Basic(secret) | Auth::Post(secret) | Auth::PrivateKey(KeyOf { secret, .. }) => secret.fetched(),
            Auth::Svid(svid) => Some(svid),
            Auth::Cluster => None,
        }
    }

    /// Whether it can show who it is now.
    pub(super) fn ready(&self, fx: &mut Effects<'_>) -> Ready {
        self.fetched().map_or(Ready::Yes, |fetched| fetched.want(fx.now(), fx))
    }

    /// What it shows in this call: its secret, its SVID, or what it signs (RFC 7523 section 3), good for a minute.
    pub(super) fn proof(&self, now: Timestamp, services: &mut dyn Services) -> Result<Option<Secret<String>>, Refused> {
        let text = match &self.auth {
            Auth::Basic(secret) | Auth::Post(secret) => secret.text(now),
            Auth::PrivateKey(key) => match key.signer(now) {
                Some(signer) => {
                    let what = Assertion { client: &self.id, audience: &key.audience, life: Duration::from_secs(60) };
                    Some(signer.assert(&what, now, services).map_err(|_| Refused::plain(Reason::HostFailed))?)
                }
                None => None,
            },
            Auth::Svid(svid) => svid.text(now),
            Auth::Cluster => return Ok(None),
        };
        match (text, self.fetched()) {
            (Some(text), _) => Ok(Some(text)),
            (None, Some(fetched)) => Err(Refused::secret(fetched.missing())),
            (None, None) => Err(Refused::plain(Reason::ExchangeMisconfigured)),
        }
    }

    /// How it shows who it is; `None`: what it shows is not there.
    pub(super) fn auth<'a>(&'a self, proof: Option<&'a Secret<String>>) -> Option<ClientAuth<'a>> {
        let (id, text) = (&*self.id, || Some(Secret::new(proof?.reveal().as_str())));
        Some(match &self.auth {
            Auth::Basic(_) => ClientAuth::Basic { id, secret: text()? },
            Auth::Post(_) => ClientAuth::Post { id, secret: text()? },
            Auth::PrivateKey(_) => ClientAuth::Assertion { id: Some(id), kind: AssertionType::JwtBearer, text: text()? },
            Auth::Svid(_) => ClientAuth::Assertion { id: Some(id), kind: AssertionType::JwtSpiffe, text: text()? },
            Auth::Cluster => ClientAuth::Cluster { id: Some(id) },
        })
    }
}

impl KeyOf {
    fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        let SecretOf::Env(variable) = &mut self.secret else { return };
        variable.equip(secret, problems);
        let Some(value) = variable.value() else { return };
        match Signer::read(&Secret::new(value.reveal().as_bytes().to_vec()), self.id.as_deref()) {
            Ok(signer) => self.signer = Some(Rc::new(signer)),
            Err(error) => problems.field(variable.path(), |p| p.add(error.to_string())),
        }
    }

    fn signer(&self, now: Timestamp) -> Option<Rc<Signer>> {
        match &self.secret {
            SecretOf::Env(_) => self.signer.clone(),
            SecretOf::Fetched(fetched) => fetched.signer(now),
        }
    }
}

impl Refused {
    /// The client cannot show who it is: our fault, whichever it is, and never the caller's (OA-TE-07).
    pub(super) fn secret(missing: Missing) -> Self {
        let reason = if missing.other { Reason::ExchangeMisconfigured } else { Reason::ExchangeUnavailable };
        Self { detail: Some(missing.code), alarm: true, ..Self::plain(reason) }
    }
}
