//! JSON without building it: one strict reader, spans out, splices in.
//!
//! Every decision reads a text through [`Reader`] and nothing else, because two parsers that disagree are a bypass. What
//! the reader accepts, every reasonable parser reads in the same way; whatever is ambiguous is an error (rules.md 6.1).

mod error;
mod known;
mod members;
mod names;
mod plain;
mod reader;
mod scan;
mod splice;
mod text;
mod verbatim;
mod write;

pub use error::{Error, ErrorKind};
pub use known::{Known, Place, same};
pub use reader::{Kind, Reader};
pub use splice::{Overlap, Splices};
pub use text::Str;
pub use write::{has_control, push_ascii_bounded, push_hex, push_number, push_string};

/// What a text may cost (BY-J-07, BY-J-08).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Deepest nesting of lists and maps. The reader does not recurse; what reads on behind us may.
    pub depth: usize,
    /// Longest number, in bytes.
    pub number: usize,
    /// Most values in one text, at all depths together.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, number: 64, nodes: 200_000 }
    }
}

/// A part of a text, in bytes from its start.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The same part of a text that has so many bytes more before it.
    pub fn plus(self, bytes: usize) -> Self {
        Self { start: self.start + bytes, end: self.end + bytes }
    }

    /// The same part of a text that has so many bytes less before it.
    pub fn minus(self, bytes: usize) -> Self {
        Self { start: self.start.saturating_sub(bytes), end: self.end.saturating_sub(bytes) }
    }

    /// The part itself; empty where the span is not one of this text.
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// Checks a whole text: grammar, UTF-8, limits, no member twice.
pub fn check(text: &[u8], limits: Limits) -> Result<(), Error> {
    let mut reader = Reader::new(text, limits);
    reader.skip()?;
    reader.finish()
}
