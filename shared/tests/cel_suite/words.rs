//! The words and facts that the tests of conditions share: those that `mcp-authz` has.

use std::borrow::Cow;
use std::collections::HashMap;

use wardpoint_core::policy::cel::{Condition, Fact, Facts, FieldKind, FieldRef, Vocabulary};

/// A vocabulary like that of `mcp-authz`.
pub(crate) struct Words;

impl Vocabulary for Words {
    fn field(&self, path: &[&str]) -> Result<FieldKind, String> {
        match path {
            ["mcp" | "jwt" | "request"] | ["mcp", "tool"] => Ok(FieldKind::Group),
            ["mcp", "tool", "name"] | ["request", "path"] => Ok(FieldKind::Text),
            ["mcp", "tool", "arguments"] => Ok(FieldKind::Json),
            ["mcp", "resultBytes"] => Ok(FieldKind::Number),
            ["request", "headers"] => Ok(FieldKind::TextMap),
            ["request", "secure"] => Ok(FieldKind::Bool),
            ["request", "tags"] => Ok(FieldKind::Texts),
            ["jwt", ..] => Ok(FieldKind::Claim),
            _ => Err(format!("`{}` is not known", path.join("."))),
        }
    }
}

/// Facts by the path that a condition writes; what is not there is absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(pub(crate) HashMap<String, Fact<'static>>);

impl Known {
    pub(crate) fn with(mut self, path: &str, fact: Fact<'static>) -> Self {
        self.0.insert(path.to_owned(), fact);
        self
    }

    /// By index, for one condition.
    pub(crate) fn of<'k>(&'k self, condition: &'k Condition) -> Indexed<'k> {
        Indexed(condition.fields().iter().map(|field| self.0.get(&key(field))).collect())
    }
}

pub(crate) fn key(field: &FieldRef) -> String {
    field.path.join(".")
}

/// Facts in the order of a condition's fields.
pub(crate) struct Indexed<'k>(pub(crate) Vec<Option<&'k Fact<'static>>>);

impl Facts for Indexed<'_> {
    fn get(&self, field: usize) -> Fact<'_> {
        self.0.get(field).copied().flatten().cloned().unwrap_or(Fact::Absent)
    }
}

pub(crate) fn text(text: &'static str) -> Fact<'static> {
    Fact::Text(Cow::Borrowed(text))
}

pub(crate) fn texts(items: &[&str]) -> Fact<'static> {
    Fact::Texts(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>().into())
}

pub(crate) fn json(text: &'static str) -> Fact<'static> {
    Fact::Json(text.as_bytes())
}
