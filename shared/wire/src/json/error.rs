//! Why a text was refused.

use core::fmt;

/// Where and why reading stopped. Shows nothing of the text itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Error {
    /// Why.
    pub kind: ErrorKind,
    /// Bytes from the start of the text.
    pub at: usize,
}

/// Why a text was refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text starts with a byte order mark (BY-J-06).
    ByteOrderMark,
    /// A raw control character stands in a string.
    ControlCharacter,
    /// One object has two members of one name after unescaping (BY-J-01).
    DuplicateMember,
    /// An escape that JSON does not have.
    InvalidEscape,
    /// Not a number of RFC 8259 section 6.
    InvalidNumber,
    /// Not UTF-8 (BY-J-05).
    InvalidUtf8,
    /// Half of a surrogate pair as an escape (BY-J-05).
    LoneSurrogate,
    /// A number is longer than allowed (BY-J-08).
    LongNumber,
    /// Nested deeper than allowed (BY-J-07).
    TooDeep,
    /// More values than allowed (BY-J-07).
    TooManyNodes,
    /// Something stands behind the value (BY-J-09).
    TrailingData,
    /// The text ends too early.
    Truncated,
    /// A byte that cannot stand here.
    UnexpectedByte,
    /// The text may be JSON, but this value is not of the kind that was asked for.
    WrongKind,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::ByteOrderMark => "a byte order mark",
            ErrorKind::ControlCharacter => "a raw control character in a string",
            ErrorKind::DuplicateMember => "a member name for the second time",
            ErrorKind::InvalidEscape => "an unknown escape",
            ErrorKind::InvalidNumber => "not a number",
            ErrorKind::InvalidUtf8 => "not UTF-8",
            ErrorKind::LoneSurrogate => "half of a surrogate pair",
            ErrorKind::LongNumber => "a number that is too long",
            ErrorKind::TooDeep => "nested too deeply",
            ErrorKind::TooManyNodes => "too many values",
            ErrorKind::TrailingData => "more after the end of the value",
            ErrorKind::Truncated => "the text ends too early",
            ErrorKind::UnexpectedByte => "a byte that cannot stand here",
            ErrorKind::WrongKind => "a value of another kind than expected",
        };
        write!(f, "byte {}: {what}", self.at)
    }
}

impl core::error::Error for Error {}
