//! What a server wants from the client, and the parameters that say so.

use super::Method;
use crate::json::{self, Kind, Reader, Str};

/// Something that the server wants from the client.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// What it asks for; `Unknown` where that cannot be told.
    pub method: Method,
    /// Where the user is to go (MCP-S-04).
    pub url: WantedUrl<'a>,
}

/// The URL of an elicitation.
#[derive(Clone, Copy, Debug)]
pub enum WantedUrl<'a> {
    /// It has none: a form.
    None,
    /// It has this one.
    Text(Str<'a>),
    /// It has a mode that is not known, or no URL where there must be one.
    Unreadable,
}

/// `params` of an elicitation or of a notification.
#[derive(Default)]
pub(super) struct Elicitation<'a> {
    pub(super) mode: Option<Mode>,
    url: Option<Option<Str<'a>>>,
    pub(super) uri: Option<Str<'a>>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Mode {
    Form,
    Other,
    Url,
}

impl<'a> Elicitation<'a> {
    /// Takes the value of a member, if it is one of an elicitation.
    pub(super) fn read(&mut self, name: &Str<'a>, reader: &mut Reader<'a>) -> Result<bool, json::Error> {
        let text = |reader: &mut Reader<'a>| match reader.peek()? {
            Kind::String => reader.string().map(Some),
            _ => Ok(None),
        };
        match () {
            () if name.eq_str("url") => self.url = Some(text(reader)?),
            () if name.eq_str("uri") => self.uri = text(reader)?,
            () if name.eq_str("mode") => {
                self.mode = Some(match text(reader)? {
                    Some(mode) if mode.eq_str("form") => Mode::Form,
                    Some(mode) if mode.eq_str("url") => Mode::Url,
                    _ => Mode::Other,
                });
            }
            () => return Ok(false),
        }
        Ok(true)
    }

    /// A URL counts in any mode: some client may open it.
    pub(super) fn url(&self) -> WantedUrl<'a> {
        match (self.mode, self.url) {
            (None | Some(Mode::Form), None) => WantedUrl::None,
            (None | Some(Mode::Form | Mode::Url), Some(Some(url))) => WantedUrl::Text(url),
            _ => WantedUrl::Unreadable,
        }
    }
}
