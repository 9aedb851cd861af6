//! Token introspection (RFC 7662): the server says whether a token is still good, and what it is.

use super::answer::{is_text, object, texts};
use super::failure::{Failure, Unreadable};
use super::{ClientAuth, Form, Post, Usage};
use crate::http::Headers;
use crate::json::{self, Kind, Reader};
use crate::time::Timestamp;

/// What the server says of a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Introspected {
    /// It is good, and this is what it is. All of it is still to be judged (OA-R-05).
    Active(Box<Described>),
    /// It is not good: expired, revoked, unknown, or not for us.
    Inactive,
}

/// What a token is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Described {
    /// `iss`.
    pub issuer: Option<String>,
    /// `sub`.
    pub subject: Option<String>,
    /// `aud`.
    pub audience: Vec<String>,
    /// `client_id`.
    pub client: Option<String>,
    /// `scope`.
    pub scopes: Option<Vec<String>>,
    /// `exp`.
    pub expires: Option<Timestamp>,
    /// `nbf`.
    pub begins: Option<Timestamp>,
    /// `iat`.
    pub issued: Option<Timestamp>,
    /// `jti`.
    pub id: Option<String>,
    /// `token_type`.
    pub usage: Option<Usage>,
    /// `cnf` is there: it is good with a proof only.
    pub bound: bool,
}

/// Asks about an access token (section 2.1).
pub fn introspect(token: &str, client: &ClientAuth<'_>) -> Post {
    let mut form = Form::new();
    form.push("token", token);
    form.push("token_type_hint", "access_token");
    client.sign(form)
}

impl Introspected {
    /// Reads an answer, whatever its status (sections 2.2, 2.3). Without a plain `active` it is no answer.
    pub fn read(status: u16, headers: &Headers, body: &[u8]) -> Result<Self, Failure> {
        if status != 200 {
            return Err(Failure::read(status, headers, body));
        }
        Self::read_body(headers, body).map_err(Failure::Unreadable)
    }

    fn read_body(headers: &Headers, body: &[u8]) -> Result<Self, Unreadable> {
        let (mut active, mut found, mut wrong) = (None, Described::default(), None);
        object(headers, body, |name, reader| {
            if name == "active" {
                active = Some(reader.bool()?);
                return Ok(());
            }
            wrong = wrong.or(found.member(name, reader)?);
            Ok(())
        })?;
        match (active, wrong) {
            (None, _) => Err(Unreadable::Member("active")),
            (Some(false), _) => Ok(Self::Inactive),
            (Some(true), Some(name)) => Err(Unreadable::Member(name)),
            (Some(true), None) => Ok(Self::Active(Box::new(found))),
        }
    }
}

impl Described {
    /// Takes a member; its name, if it is not what section 2.2 says.
    fn member(&mut self, name: &str, reader: &mut Reader<'_>) -> Result<Option<&'static str>, json::Error> {
        let good = match name {
            "iss" => text(reader, &mut self.issuer)?,
            "sub" => text(reader, &mut self.subject)?,
            "client_id" => text(reader, &mut self.client)?,
            "jti" => text(reader, &mut self.id)?,
            "exp" => date(reader, &mut self.expires)?,
            "nbf" => date(reader, &mut self.begins)?,
            "iat" => date(reader, &mut self.issued)?,
            "aud" => audience(reader, &mut self.audience)?,
            "scope" => {
                self.scopes = texts(&reader.string()?.text());
                self.scopes.is_some()
            }
            "token_type" => {
                self.usage = Usage::read(&reader.string()?.text());
                self.usage.is_some()
            }
            "cnf" => {
                self.bound = true;
                true
            }
            _ => true,
        };
        let names = ["iss", "sub", "client_id", "jti", "exp", "nbf", "iat", "aud", "scope", "token_type"];
        Ok(if good { None } else { names.into_iter().find(|known| *known == name) })
    }
}

/// A string with something in it and no control characters.
fn text(reader: &mut Reader<'_>, into: &mut Option<String>) -> Result<bool, json::Error> {
    *into = Some(reader.string()?.text().into_owned()).filter(|text| is_text(text));
    Ok(into.is_some())
}

/// Whole seconds since the epoch, as section 2.2 has them.
fn date(reader: &mut Reader<'_>, into: &mut Option<Timestamp>) -> Result<bool, json::Error> {
    *into = reader.number()?.parse().ok().map(Timestamp::from_secs);
    Ok(into.is_some())
}

/// A string or a list of strings.
fn audience(reader: &mut Reader<'_>, into: &mut Vec<String>) -> Result<bool, json::Error> {
    let (mut one, mut good) = (None, true);
    if reader.peek()? != Kind::List {
        good = text(reader, &mut one)?;
        into.extend(one);
        return Ok(good);
    }
    reader.array(|_, reader| {
        good &= text(reader, &mut one)?;
        into.extend(one.take());
        Ok(())
    })?;
    Ok(good)
}
