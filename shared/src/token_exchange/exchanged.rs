//! What the audit record says of a token.

use std::rc::Rc;

use super::consent::{Asked, recorded};
use crate::json::{push_ascii_bounded, push_string};

/// Longest text, in characters.
const TEXT: usize = 256;

/// Where a token came from, or should have.
#[derive(Clone, Debug)]
pub(super) struct Exchanged {
    /// The token service, by its name in the configuration.
    pub(super) server: Rc<str>,
    /// The OAuth client that asked.
    pub(super) client: Rc<str>,
    /// It was not asked for now: a token, or a refusal, that was kept.
    pub(super) cached: bool,
}

impl Exchanged {
    /// The member `exchange`; `detail` is what exactly was wrong with the token.
    pub(super) fn to_json(&self, detail: Option<&'static str>) -> Box<str> {
        self.with_consent(detail, None)
    }

    /// The same, with where the user consents.
    pub(super) fn with_consent(&self, detail: Option<&'static str>, asked: Option<&Asked>) -> Box<str> {
        to_json(Some((&self.server, &self.client)), self.cached, detail, asked)
    }
}

/// The member `exchange` where it was not yet known by whom a token would be exchanged: what was wrong with the caller's.
pub(super) fn unasked(detail: Option<&'static str>) -> Option<Box<str>> {
    detail.map(|detail| to_json(None, false, Some(detail), None))
}

fn to_json(by: Option<(&str, &str)>, cached: bool, detail: Option<&'static str>, asked: Option<&Asked>) -> Box<str> {
    let mut out = String::from(r#"{"server":"#);
    match by {
        Some((server, client)) => {
            push_ascii_bounded(&mut out, server, TEXT);
            out.push_str(r#","client":"#);
            push_ascii_bounded(&mut out, client, TEXT);
        }
        None => out.push_str(r#"null,"client":null"#),
    }
    out.push_str(if cached { r#","cached":true,"detail":"# } else { r#","cached":false,"detail":"# });
    match detail {
        Some(detail) => push_string(&mut out, detail),
        None => out.push_str("null"),
    }
    if let Some(asked) = asked {
        out.push_str(r#","consent":"#);
        out.push_str(&recorded(asked));
    }
    out.push('}');
    out.into()
}
