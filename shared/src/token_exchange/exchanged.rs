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
        let mut out = String::from(r#"{"server":"#);
        push_ascii_bounded(&mut out, &self.server, TEXT);
        out.push_str(r#","client":"#);
        push_ascii_bounded(&mut out, &self.client, TEXT);
        out.push_str(if self.cached { r#","cached":true,"detail":"# } else { r#","cached":false,"detail":"# });
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
}
