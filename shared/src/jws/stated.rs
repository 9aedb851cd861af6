//! What a token says of itself, for tokens that came straight from their issuer or were verified by another.

use std::rc::Rc;

use super::claims::Claims;
use super::{Jws, TokenError};
use crate::identity::Scopes;
use crate::time::Timestamp;

/// What a token says. Nobody has looked at its signature: believe it only of a token that the issuer itself has just given
/// (OpenID Connect core section 3.1.3.7), or that was verified before.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stated {
    /// `typ` of the header in lower case, without `application/`.
    pub kind: Option<String>,
    /// `iss`.
    pub issuer: Option<Rc<str>>,
    /// `sub`.
    pub subject: Option<Rc<str>>,
    /// `oid` of Entra, whose `sub` is another for each client.
    pub object: Option<String>,
    /// `aud`.
    pub audience: Vec<String>,
    /// The OAuth client that it was issued to: `client_id`, `azp`, `cid` or `appid` (OA-J-10).
    pub client: Option<Rc<str>>,
    /// What it grants; `None`: it does not say.
    pub scopes: Option<Scopes>,
    /// Who acts, outermost first (RFC 8693 section 4.1).
    pub actors: Vec<Actor>,
    /// The names of the one party that may act (RFC 8693 section 4.4).
    pub may_act: Option<Vec<String>>,
    /// `jti`, for revocation.
    pub id: Option<String>,
    /// `iat`, for revocation.
    pub issued: Option<Timestamp>,
    /// `nbf`.
    pub begins: Option<Timestamp>,
    /// `exp`.
    pub expires: Option<Timestamp>,
    /// `cnf` is there: it is good with a proof only (OA-J-12).
    pub bound: bool,
    /// Its claims are those of another kind of token: an ID token, a logout token, a proof (OA-J-05).
    pub foreign: bool,
}

/// One who acts for the subject of a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Actor {
    /// `sub`.
    pub subject: String,
    /// `iss`; without it the issuer of the token is meant.
    pub issuer: Option<String>,
}

impl Stated {
    /// Reads a signed token, as strictly as one that is verified. [`TokenError::Parts`] and [`TokenError::Encrypted`] say
    /// that it is not one at all.
    pub fn read(token: &[u8]) -> Result<Self, TokenError> {
        let token = Jws::read(token)?;
        Claims::read(&token.payload)?.sound()?.into_stated(token.kind)
    }
}
