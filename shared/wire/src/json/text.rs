//! A string as it stands in the text.

use std::borrow::Cow;

use super::{Span, scan};

/// A string that was checked: its raw inside, unescaped when asked for.
#[derive(Clone, Copy, Debug)]
pub struct Str<'a> {
    raw: &'a [u8],
    start: usize,
    escaped: bool,
}

impl<'a> Str<'a> {
    pub(super) fn new(raw: &'a [u8], start: usize, escaped: bool) -> Self {
        Self { raw, start, escaped }
    }

    /// What it says.
    pub fn text(&self) -> Cow<'a, str> {
        let raw = core::str::from_utf8(self.raw).unwrap_or_default();
        if self.escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) }
    }

    /// What it says, as bytes.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if self.escaped { Cow::Owned(self.text().into_owned().into_bytes()) } else { Cow::Borrowed(self.raw) }
    }

    /// Whether it says just this, however it is escaped (BY-J-04).
    pub fn eq_str(&self, text: &str) -> bool {
        if self.escaped { self.text() == text } else { self.raw == text.as_bytes() }
    }

    /// The inside as it stands in the text, escapes and all.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether it has escapes.
    pub fn is_escaped(&self) -> bool {
        self.escaped
    }

    /// Where it stands, with its quotes.
    pub fn span(&self) -> Span {
        Span { start: self.start, end: self.start + self.raw.len() + 2 }
    }
}

/// Undoes the escapes of a string that was checked.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let (c, length) = match escape.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => code_point(escape.as_bytes()),
            Some(other) => (char::from(*other), 1),
            None => break,
        };
        out.push(c);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The character of `uXXXX` or `uXXXX\uXXXX`, and its length.
fn code_point(escape: &[u8]) -> (char, usize) {
    let high = scan::unit(escape, 1).unwrap_or(0xfffd);
    match (high, scan::unit(escape, 7)) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            (char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).unwrap_or('\u{fffd}'), 11)
        }
        _ => (char::from_u32(high).unwrap_or('\u{fffd}'), 5),
    }
}
