//! The claims of an access token (RFC 7519 section 4.1, RFC 9068 section 2.2), read strictly and then judged.

use std::borrow::Cow;
use std::rc::Rc;

use super::TokenError;
use super::TokenError::{ClaimMalformed, ClaimMissing};
use super::compact::whole;
use super::issuer::Issuer;
use super::names::by_name;
use super::stated::{Actor, Stated};
use super::verified::{StatusRef, Verified};
use crate::identity::{Bearer, MAX_ACTORS, Scopes, is_service_account};
use crate::json::{self, Kind, Reader, Str, has_control};
use crate::time::Timestamp;

/// What the claims say. None of it is judged yet, and nobody may have looked at the signature.
#[derive(Debug, Default)]
pub(super) struct Claims {
    issuer: Option<Rc<str>>,
    /// `iss` is there, of whatever type.
    names_issuer: bool,
    subject: Option<Rc<str>>,
    audience: Option<Vec<String>>,
    expires: Option<Timestamp>,
    begins: Option<Timestamp>,
    issued: Option<Timestamp>,
    id: Option<String>,
    /// `client_id`, `azp`, `cid`, `appid`: which client it is, by the habit of the issuer (OA-J-10).
    client: Option<Rc<str>>,
    scope: Option<Scopes>,
    /// `scp` of Okta (a list) and Entra (a string).
    scp: Option<Scopes>,
    actors: Vec<String>,
    /// `act.iss`, one for each of the actors.
    actor_issuers: Vec<Option<String>>,
    /// Who may act: `sub` and `client_id` of `may_act` (RFC 8693 section 4.4).
    may_act: Option<Vec<String>>,
    /// `oid` of Entra, whose `sub` is another for each client.
    object: Option<String>,
    bound: Option<TokenError>,
    /// Marks of an ID token, a logout token or a proof (OA-J-05).
    foreign: bool,
    /// The token says itself that no user is behind it (rules.md 3.9): `idtyp` of Entra, `gty` of Auth0.
    machine: bool,
    /// `preferred_username`: Keycloak names the user of a machine after its client.
    username: Option<String>,
    context: Option<String>,
    authenticated: Option<Timestamp>,
    status: Option<StatusRef>,
    fault: Option<TokenError>,
}

impl Claims {
    /// Reads the payload. What is not of its type is told by [`Claims::sound`].
    pub(super) fn read(payload: &[u8]) -> Result<Self, TokenError> {
        let mut claims = Self::default();
        let read = |reader: &mut Reader<'_>| reader.object(|name, reader| claims.claim(&name, reader));
        whole(payload, read).map_err(|_| TokenError::ClaimsUnreadable)?;
        Ok(claims)
    }

    /// The claims, if all are of their types; the first that is not is the error.
    pub(super) fn sound(self) -> Result<Self, TokenError> {
        self.fault.map_or(Ok(self), Err)
    }

    /// Who the token says made it. Good for nothing but choosing whose keys to ask, as long as nobody has looked at the signature.
    pub(super) fn issuer(&self) -> Result<&str, TokenError> {
        let missing = if self.names_issuer { ClaimMalformed("iss") } else { ClaimMissing("iss") };
        self.issuer.as_deref().ok_or(missing)
    }

    /// Reads the claim at the end of this way, a string or a list of strings; its absence is an empty list.
    pub(super) fn read_groups(payload: &[u8], path: &[String]) -> Result<Vec<String>, TokenError> {
        let (mut claims, mut groups) = (Self::default(), Vec::new());
        whole(payload, |reader| claims.descend(path, &mut groups, reader)).map_err(|_| TokenError::ClaimsUnreadable)?;
        match claims.fault {
            Some(fault) => Err(fault),
            None => Ok(groups),
        }
    }

    fn descend(&mut self, path: &[String], groups: &mut Vec<String>, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        let Some((first, rest)) = path.split_first() else {
            groups.extend(self.texts("roles", reader)?.unwrap_or_default());
            return Ok(());
        };
        if reader.peek()? != Kind::Map {
            self.fault(ClaimMalformed("roles"));
            return Ok(());
        }
        reader.object(|name, reader| if name.eq_str(first) { self.descend(rest, groups, reader) } else { Ok(()) })?;
        Ok(())
    }

    fn claim(&mut self, name: &Str<'_>, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        by_name! { name;
            "iss" => (self.names_issuer, self.issuer) = (true, self.text("iss", reader)?),
            "sub" => self.subject = self.text("sub", reader)?,
            "aud" => self.audience = self.texts("aud", reader)?,
            "exp" => self.expires = self.date("exp", reader)?,
            "nbf" => self.begins = self.date("nbf", reader)?,
            "iat" => self.issued = self.date("iat", reader)?,
            "jti" => self.id = self.text("jti", reader)?,
            "client_id" => self.client("client_id", reader)?,
            "azp" => self.client("azp", reader)?,
            "cid" => self.client("cid", reader)?,
            "appid" => self.client("appid", reader)?,
            "scope" => self.scope = self.scopes("scope", reader)?,
            "scp" => self.scp = self.scopes("scp", reader)?,
            "acr" => if reader.peek()? == Kind::String { self.context = self.text("acr", reader)? },
            "act" => self.actor(reader)?,
            "auth_time" => if reader.peek()? == Kind::Number { self.authenticated = self.date("auth_time", reader)? },
            "may_act" => self.may_act(reader)?,
            "oid" => self.object = self.text("oid", reader)?,
            "status" => self.status(reader)?,
            "cnf" => self.confirmation(reader)?,
            "at_hash" | "c_hash" | "events" | "htm" | "htu" | "nonce" | "s_hash" => self.foreign = true,
            // Keycloak says in the claims what kind of token it is.
            "typ" => self.foreign |= !self.plain("typ", reader)?.is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer")),
            "idtyp" => self.machine |= self.plain("idtyp", reader)?.as_deref() == Some("app"),
            "gty" => self.machine |= self.plain("gty", reader)?.as_deref() == Some("client-credentials"),
            "preferred_username" => if reader.peek()? == Kind::String { self.username = self.text("preferred_username", reader)? },
        }
        Ok(())
    }

    /// What they say, for one who does not ask whether it is so.
    pub(super) fn into_stated(self, kind: Option<String>) -> Result<Stated, TokenError> {
        let scopes = one_of(self.scope, self.scp)?;
        let actors = self.actors.into_iter().zip(self.actor_issuers);
        Ok(Stated {
            kind,
            issuer: self.issuer,
            subject: self.subject,
            object: self.object,
            audience: self.audience.unwrap_or_default(),
            client: self.client,
            scopes,
            actors: actors.map(|(subject, issuer)| Actor { subject, issuer }).collect(),
            may_act: self.may_act,
            id: self.id,
            issued: self.issued,
            begins: self.begins,
            expires: self.expires,
            bound: self.bound.is_some(),
            foreign: self.foreign,
        })
    }

    /// Whether it is what tokens of this issuer must be now.
    pub(super) fn judge(
        self,
        issuer: &Issuer,
        explicit: bool,
        groups: Vec<String>,
        now: Timestamp,
    ) -> Result<Verified, TokenError> {
        let named = self.issuer.ok_or(ClaimMissing("iss"))?;
        if !issuer.is(&named) {
            return Err(TokenError::IssuerRefused);
        }
        if let Some(bound) = self.bound {
            return Err(bound);
        }
        if self.foreign && !explicit {
            return Err(TokenError::NotAccessToken);
        }
        let audience = self.audience.ok_or(ClaimMissing("aud"))?;
        if !issuer.is_meant(&audience) {
            return Err(TokenError::AudienceRefused);
        }
        let expires = self.expires.ok_or(ClaimMissing("exp"))?;
        issuer.judge_dates(expires, self.begins, self.issued, now)?;
        let scopes = one_of(self.scope, self.scp)?.unwrap_or_default();
        let bearer = Bearer {
            issuer: Some(named),
            subject: Some(self.subject.ok_or(ClaimMissing("sub"))?),
            scopes,
            groups,
            machine: self.machine || is_service_account(self.username.as_deref(), self.client.as_deref()),
            client: self.client,
            actors: self.actors,
            expires: Some(expires),
        };
        Ok(Verified {
            bearer,
            audience,
            id: self.id,
            issued: self.issued,
            expires,
            context: self.context,
            authenticated: self.authenticated,
            may_act: self.may_act,
            status: self.status,
        })
    }

    fn fault(&mut self, fault: TokenError) {
        self.fault.get_or_insert(fault);
    }

    /// A string with something in it and no control characters.
    fn text<'t, T: From<Cow<'t, str>>>(&mut self, claim: &'static str, from: &mut Reader<'t>) -> Result<Option<T>, json::Error> {
        Ok(self.plain(claim, from)?.map(T::from))
    }

    fn plain<'t>(&mut self, claim: &'static str, reader: &mut Reader<'t>) -> Result<Option<Cow<'t, str>>, json::Error> {
        let text = match reader.peek()? {
            Kind::String => Some(reader.string()?.text()),
            _ => None,
        };
        let text = text.filter(|text| !text.is_empty() && !has_control(text));
        if text.is_none() {
            self.fault(ClaimMalformed(claim));
        }
        Ok(text)
    }

    /// A string, or a list of strings (RFC 7519 section 4.1.3, BY-T-12).
    fn texts(&mut self, claim: &'static str, reader: &mut Reader<'_>) -> Result<Option<Vec<String>>, json::Error> {
        if reader.peek()? != Kind::List {
            return Ok(self.text(claim, reader)?.map(|text| vec![text]));
        }
        let mut texts = Vec::new();
        reader.array(|_, reader| {
            texts.extend(self.text(claim, reader)?);
            Ok(())
        })?;
        Ok(Some(texts))
    }

    /// A NumericDate (RFC 7519 section 2), down to a whole second. What is out of range becomes the nearest that is in it.
    fn date(&mut self, claim: &'static str, reader: &mut Reader<'_>) -> Result<Option<Timestamp>, json::Error> {
        let secs = match reader.peek()? {
            Kind::Number => {
                let number = reader.number()?;
                // Most are whole; those that an f64 holds exactly are the same either way.
                whole_number(number)
                    .or_else(|| number.parse().ok().filter(|number: &f64| number.is_finite()).map(|number| number as u64))
            }
            _ => None,
        };
        if secs.is_none() {
            self.fault(ClaimMalformed(claim));
        }
        Ok(secs.map(Timestamp::from_secs))
    }

    /// All names for the client must agree: which one would count is not for us to guess.
    fn client(&mut self, claim: &'static str, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        let client = self.text(claim, reader)?;
        if self.client.is_some() && self.client != client {
            self.fault(TokenError::ClaimsDisagree);
        }
        self.client = client;
        Ok(())
    }

    /// A string of scopes; `scp` may be a list of single ones (BY-T-15).
    fn scopes(&mut self, claim: &'static str, reader: &mut Reader<'_>) -> Result<Option<Scopes>, json::Error> {
        match reader.peek()? {
            Kind::List if claim == "scp" => {
                let scopes = self.texts(claim, reader)?.and_then(|items| Scopes::of_items(&items));
                if scopes.is_none() {
                    self.fault(ClaimMalformed(claim));
                }
                Ok(scopes)
            }
            // Nothing granted is said in many ways.
            Kind::String => {
                let text = reader.string()?.text();
                if has_control(&text) {
                    self.fault(ClaimMalformed(claim));
                }
                Ok(Some(Scopes::read(&text)))
            }
            _ => {
                self.fault(ClaimMalformed(claim));
                Ok(None)
            }
        }
    }

    /// `act` and what is in it, outermost first (RFC 8693 section 4.1).
    fn actor(&mut self, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            self.fault(ClaimMalformed("act"));
            return Ok(());
        }
        if self.actors.len() == MAX_ACTORS {
            self.fault(TokenError::TooManyActors);
            return Ok(());
        }
        // The members come in any order; the place is taken before an inner actor takes the next.
        let place = self.actors.len();
        self.actors.push(String::new());
        self.actor_issuers.push(None);
        let (mut subject, mut issuer) = (None, None);
        reader.object(|name, reader| {
            match &*name.text() {
                "sub" => subject = self.text("act", reader)?,
                "iss" => issuer = self.text("act", reader)?,
                "act" => self.actor(reader)?,
                _ => {}
            }
            Ok(())
        })?;
        match (subject, self.actors.get_mut(place)) {
            (Some(subject), Some(actor)) => *actor = subject,
            _ => self.fault(ClaimMalformed("act")),
        }
        if let Some(place) = self.actor_issuers.get_mut(place) {
            *place = issuer;
        }
        Ok(())
    }

    /// `may_act` (RFC 8693 section 4.4): one party, by its subject, its client, or both.
    fn may_act(&mut self, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            self.fault(ClaimMalformed("may_act"));
            return Ok(());
        }
        let mut names = Vec::new();
        reader.object(|name, reader| {
            if matches!(&*name.text(), "sub" | "client_id") {
                names.extend(self.text("may_act", reader)?);
            }
            Ok(())
        })?;
        self.may_act = Some(names);
        Ok(())
    }

    /// `status`: a map with a member for each way to say it; the other ways are not known here.
    fn status(&mut self, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            self.fault(ClaimMalformed("status"));
            return Ok(());
        }
        reader.object(|name, reader| if name.eq_str("status_list") { self.status_list(reader) } else { Ok(()) })?;
        Ok(())
    }

    fn status_list(&mut self, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        let (mut list, mut index) = (None, None);
        if reader.peek()? == Kind::Map {
            reader.object(|name, reader| {
                match &*name.text() {
                    "uri" => list = self.text("status", reader)?,
                    "idx" if reader.peek()? == Kind::Number => index = reader.number()?.parse().ok(),
                    _ => {}
                }
                Ok(())
            })?;
        }
        match (list, index) {
            (Some(list), Some(index)) => self.status = Some(StatusRef { list, index }),
            _ => self.fault(ClaimMalformed("status")),
        }
        Ok(())
    }

    /// `cnf` (RFC 7800 section 3.1). What binds the token is told apart, and none of it is proven by a bearer token.
    fn confirmation(&mut self, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        if reader.peek()? != Kind::Map {
            self.fault(ClaimMalformed("cnf"));
            return Ok(());
        }
        let (mut bound, mut unknown) = (None, false);
        reader.object(|name, _| {
            match &*name.text() {
                "jkt" | "jwk" | "kid" => bound = Some(TokenError::BoundToKey),
                "x5t#S256" => bound = Some(TokenError::BoundToCertificate),
                _ => unknown = true,
            }
            Ok(())
        })?;
        self.bound = bound.filter(|_| !unknown).or(Some(TokenError::BoundUnknown));
        Ok(())
    }
}

/// A number of few digits and nothing else: `parse` costs four times as much. So few wrap nowhere, and to ask whether they do is a call.
fn whole_number(text: &str) -> Option<u64> {
    let few = text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    few.then(|| text.bytes().fold(0_u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit & 15))))
}

/// `scope` or `scp`; where both are there they must agree.
fn one_of(scope: Option<Scopes>, scp: Option<Scopes>) -> Result<Option<Scopes>, TokenError> {
    match (scope, scp) {
        (Some(scope), Some(scp)) if scope != scp => Err(TokenError::ClaimsDisagree),
        (scope, scp) => Ok(scope.or(scp)),
    }
}
