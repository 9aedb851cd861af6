//! Claims that conditions read, and where claims stand.

use super::value::{Value, ValueError};
use crate::config::{Decode, Problems};
use crate::filter::PropertyError;
use crate::json::Node;

/// One claim as the host gave it. What type it is of only its use tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim(Result<Option<Box<[u8]>>, PropertyError>);

/// The way to a claim: its name, or the names of the objects that it is in and its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimPath(pub Vec<String>);

impl Claim {
    /// What the host gave.
    pub fn new(given: Result<Option<&[u8]>, PropertyError>) -> Self {
        Self(given.map(|bytes| bytes.map(Into::into)))
    }

    /// Its value.
    pub fn value(&self) -> Result<Value<'_>, ValueError> {
        match &self.0 {
            Ok(bytes) => Value::read(Ok(bytes.as_deref())),
            Err(error) => Value::read(Err(*error)),
        }
    }
}

impl Decode for ClaimPath {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let path = match node {
            Node::List(_) => Vec::<String>::decode(node, problems)?,
            _ => vec![String::decode(node, problems)?],
        };
        if path.is_empty() || path.iter().any(|name| name.is_empty() || name.contains('\0')) {
            problems.add("names no claim. Write its name, or a list of names that lead to it: `[realm_access, roles]`");
        }
        Some(Self(path))
    }

    fn schema() -> String {
        format!(r#"{{"oneOf":[{},{}]}}"#, String::schema(), Vec::<String>::schema())
    }
}
