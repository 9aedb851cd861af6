//! A tree of a whole text: for configuration, never for traffic.

use sha2::{Digest as _, Sha256};

use super::{Error, Kind, Limits, Reader, push_hex, push_string};
use crate::order::sorted;

/// A value with all that is in it. Members keep their order; no name comes twice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Node {
    /// `true`, `false`
    Bool(bool),
    /// `[…]`
    List(Vec<Node>),
    /// `{…}`
    Map(Vec<(String, Node)>),
    /// `null`
    Null,
    /// A number as it stands in the text.
    Number(String),
    /// `"…"`, unescaped
    String(String),
}

/// Reads a whole text into a tree, as strictly as [`Reader`].
pub fn parse_tree(text: &[u8], limits: Limits) -> Result<Node, Error> {
    let mut reader = Reader::new(text, limits);
    let node = read(&mut reader)?;
    reader.finish()?;
    Ok(node)
}

/// Recursion ends at `limits.depth`: the reader refuses to go deeper.
fn read(reader: &mut Reader<'_>) -> Result<Node, Error> {
    Ok(match reader.peek()? {
        Kind::Null => reader.null().map(|()| Node::Null)?,
        Kind::Bool => Node::Bool(reader.bool()?),
        Kind::Number => Node::Number(reader.number()?.to_owned()),
        Kind::String => Node::String(reader.string()?.text().into_owned()),
        Kind::List => {
            let mut items = Vec::new();
            reader.array(|_, reader| {
                items.push(read(reader)?);
                Ok(())
            })?;
            Node::List(items)
        }
        Kind::Map => {
            let mut members = Vec::new();
            reader.object(|name, reader| {
                members.push((name.text().into_owned(), read(reader)?));
                Ok(())
            })?;
            Node::Map(members)
        }
    })
}

impl Node {
    /// One text for all texts that mean the same: members sorted by name, no white space, one way to escape.
    ///
    /// It follows RFC 8785 but for numbers, which stay as they are written (`1.0` is not `1`).
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.push_canonical(&mut out);
        out
    }

    /// `sha256:` and the digest of its canonical form.
    pub fn digest(&self) -> String {
        let mut text = String::from("sha256:");
        push_hex(&mut text, &Sha256::digest(self.canonical()));
        text
    }

    fn push_canonical(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(raw) => out.push_str(raw),
            Self::String(text) => push_string(out, text),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.push_canonical(out);
                }
                out.push(']');
            }
            Self::Map(members) => {
                let name = |index: usize| members.get(index).map(|(name, _)| name.as_str()).unwrap_or_default();
                let order = sorted(members.len(), &|a, b| name(a).encode_utf16().cmp(name(b).encode_utf16()));
                out.push('{');
                for (index, (name, value)) in order.iter().filter_map(|index| members.get(*index)).enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    push_string(out, name);
                    out.push(':');
                    value.push_canonical(out);
                }
                out.push('}');
            }
        }
    }
}
