//! The one strict reader.

use super::members::{Patience, TRY};
use super::names::{Mark, Names};
use super::{Error, ErrorKind, Limits, Span, Str, scan};

/// Reads one JSON text, value by value, in one pass and without recursion of its own.
///
/// Whatever is not asked for is skipped, and checked all the same. After an error nothing more is read and [`finish`]
/// gives the error again, so that it cannot be lost.
///
/// [`finish`]: Reader::finish
pub struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) limits: Limits,
    pub(super) nodes: usize,
    pub(super) open: Vec<Frame>,
    pub(super) names: Names,
    pub(super) began: bool,
    pub(super) failed: Option<Error>,
}

/// A list or map that is open.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    map: bool,
    mark: Mark,
}

/// The kinds of JSON values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `true`, `false`
    Bool,
    /// `[…]`
    List,
    /// `{…}`
    Map,
    /// `null`
    Null,
    /// `1.5`
    Number,
    /// `"…"`
    String,
}

impl<'a> Reader<'a> {
    /// Starts before the first byte of a text.
    pub fn new(text: &'a [u8], limits: Limits) -> Self {
        Self { text, at: 0, limits, nodes: 0, open: Vec::with_capacity(8), names: Names::new(), began: false, failed: None }
    }

    /// Bytes read so far; after [`peek`](Self::peek), where the next value starts.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What the next value is, by its first byte; it is not yet read.
    pub fn peek(&mut self) -> Result<Kind, Error> {
        match self.value_byte()? {
            b'{' => Ok(Kind::Map),
            b'[' => Ok(Kind::List),
            b'"' => Ok(Kind::String),
            b't' | b'f' => Ok(Kind::Bool),
            b'n' => Ok(Kind::Null),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            _ => Err(self.fail(ErrorKind::UnexpectedByte, self.at)),
        }
    }

    /// Reads an object. `member` gets each name and may read the value; a value that it leaves is skipped.
    ///
    /// A name that comes twice is an error at the end of the object: use nothing of it before this returns.
    pub fn object(&mut self, mut member: impl FnMut(Str<'a>, &mut Self) -> Result<(), Error>) -> Result<Span, Error> {
        let start = self.begin(Kind::Map)?;
        let mut more = self.enter(true)?;
        while more {
            let name = self.name()?;
            let nodes = self.nodes;
            let read = member(name, self);
            more = self.behind(read, nodes)?;
        }
        Ok(Span { start, end: self.at })
    }

    /// Reads an array. `item` gets the index of each item and may read it; an item that it leaves is skipped.
    pub fn array(&mut self, mut item: impl FnMut(usize, &mut Self) -> Result<(), Error>) -> Result<Span, Error> {
        let start = self.begin(Kind::List)?;
        let mut more = self.enter(false)?;
        let mut index = 0;
        while more {
            let nodes = self.nodes;
            let read = item(index, self);
            index += 1;
            more = self.behind(read, nodes)?;
        }
        Ok(Span { start, end: self.at })
    }

    /// Reads a string.
    pub fn string(&mut self) -> Result<Str<'a>, Error> {
        self.begin(Kind::String)?;
        self.str()
    }

    /// Reads a number as it stands: numbers are never converted here (BY-J-08).
    pub fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.begin(Kind::Number)?;
        self.take(self.number_end(start))?;
        Ok(core::str::from_utf8(self.text.get(start..self.at).unwrap_or_default()).unwrap_or_default())
    }

    /// Reads `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, Error> {
        let start = self.begin(Kind::Bool)?;
        let value = self.text.get(start) == Some(&b't');
        self.take(scan::literal(self.text, start, if value { b"true" } else { b"false" }))?;
        Ok(value)
    }

    /// Reads `null`.
    pub fn null(&mut self) -> Result<(), Error> {
        self.begin(Kind::Null)?;
        self.take(scan::literal(self.text, self.at, b"null"))
    }

    /// Reads any value and checks all that is in it; where it stood.
    pub fn skip(&mut self) -> Result<Span, Error> {
        self.value_byte()?;
        let start = self.at;
        self.began = true;
        match self.pass(start) {
            Ok(end) => {
                self.at = end;
                Ok(Span { start, end })
            }
            Err(error) => Err(self.fail(error.kind, error.at)),
        }
    }

    /// The loop of [`skip`](Self::skip): nearly all bytes of a large text come by here. Where the value at `at` ends.
    fn pass(&mut self, mut at: usize) -> Result<usize, Error> {
        let text = self.text;
        let base = self.open.len();
        let mut left = self.limits.nodes.saturating_sub(self.nodes);
        let mut in_map = false;
        let mut patience = Patience::default();
        loop {
            let mut byte;
            if in_map && left.is_multiple_of(TRY) {
                let (count, behind) = self.plain_members(at, left, &mut patience);
                (at, left) = (behind, left.wrapping_sub(count));
            }
            (at, byte) = scan::token(text, at);
            if in_map {
                let behind = self.member_name(text, at, byte)?.1;
                (at, byte) = scan::token(text, behind);
            }
            let Some(less) = left.checked_sub(1) else { return Err(Error { kind: ErrorKind::TooManyNodes, at }) };
            left = less;
            if byte == b'"' {
                at = scan::string(text, at.wrapping_add(1))?.end.wrapping_add(1);
            } else if byte.wrapping_sub(b'1') < 9 {
                at = self.integer_end(text, at)?;
            } else {
                at = match byte {
                    b'-' | b'0' => self.number_end(at)?,
                    b't' => scan::literal(text, at, b"true")?,
                    b'f' => scan::literal(text, at, b"false")?,
                    b'n' => scan::literal(text, at, b"null")?,
                    b'{' | b'[' => {
                        if self.open.len() >= self.limits.depth {
                            return Err(Error { kind: ErrorKind::TooDeep, at });
                        }
                        let (inside, first) = scan::token(text, at + 1);
                        at = inside;
                        // `]` and `}` stand two behind `[` and `{`.
                        if first != byte + 2 {
                            in_map = byte == b'{';
                            self.open.push(Frame { map: in_map, mark: self.names.mark() });
                            continue;
                        }
                        at + 1
                    }
                    _ => return Err(scan::unexpected(text, at)),
                };
            }
            loop {
                if self.open.len() == base {
                    self.nodes = self.limits.nodes.saturating_sub(left);
                    return Ok(at);
                }
                (at, byte) = scan::token(text, at);
                at = at.wrapping_add(1);
                if byte == b',' {
                    break;
                }
                if byte != close(in_map) {
                    return Err(scan::unexpected(text, at - 1));
                }
                if let Some(frame) = self.open.pop() {
                    self.close_names(frame)?;
                }
                in_map = self.open.last().is_some_and(|frame| frame.map);
            }
        }
    }

    /// A member name that starts at `at` with `byte`: its inside, and where the text goes on behind its colon.
    #[inline(always)]
    fn member_name(&mut self, text: &[u8], at: usize, byte: u8) -> Result<(scan::Body, usize), Error> {
        if byte != b'"' {
            return Err(scan::unexpected(text, at));
        }
        let start = at.wrapping_add(1);
        let body = scan::string(text, start)?;
        if body.is_escaped(text, start) {
            self.names.push_escaped(text, &self.inside(at, body));
        } else {
            self.names.push(text, start, body.end);
        }
        match scan::token(text, body.end.wrapping_add(1)) {
            (colon, b':') => Ok((body, colon.wrapping_add(1))),
            (other, _) => Err(scan::unexpected(text, other)),
        }
    }

    /// Ends the text: one value was read, and only white space follows.
    pub fn finish(mut self) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.at = scan::blanks(self.text, self.at);
        if !self.began || !self.open.is_empty() {
            return Err(Error { kind: ErrorKind::Truncated, at: self.at });
        }
        if self.at < self.text.len() { Err(Error { kind: ErrorKind::TrailingData, at: self.at }) } else { Ok(()) }
    }

    /// Behind what a closure made of a value: takes the value if it did not; whether another follows.
    fn behind(&mut self, read: Result<(), Error>, nodes: usize) -> Result<bool, Error> {
        match (read, self.failed) {
            (Err(error), _) => return Err(self.fail(error.kind, error.at)),
            (Ok(()), Some(error)) => return Err(error),
            (Ok(()), None) if self.nodes == nodes => drop(self.skip()?),
            (Ok(()), None) => {}
        }
        self.next()
    }

    /// The first byte of the next value.
    pub(super) fn value_byte(&mut self) -> Result<u8, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.at == 0 && self.text.starts_with(b"\xef\xbb\xbf") {
            return Err(self.fail(ErrorKind::ByteOrderMark, 0));
        }
        self.at = scan::blanks(self.text, self.at);
        match self.text.get(self.at) {
            Some(_) if self.open.is_empty() && self.began => Err(self.fail(ErrorKind::TrailingData, self.at)),
            Some(byte) => Ok(*byte),
            None => Err(self.fail(ErrorKind::Truncated, self.at)),
        }
    }

    /// Counts the next value, which must be of this kind; where it starts.
    fn begin(&mut self, kind: Kind) -> Result<usize, Error> {
        if self.peek()? != kind {
            return Err(self.fail(ErrorKind::WrongKind, self.at));
        }
        self.count()?;
        Ok(self.at)
    }

    fn count(&mut self) -> Result<(), Error> {
        if self.nodes >= self.limits.nodes {
            return Err(self.fail(ErrorKind::TooManyNodes, self.at));
        }
        self.nodes += 1;
        self.began = true;
        Ok(())
    }

    /// Goes into a list or map; whether it has anything in it.
    fn enter(&mut self, map: bool) -> Result<bool, Error> {
        if self.open.len() >= self.limits.depth {
            return Err(self.fail(ErrorKind::TooDeep, self.at));
        }
        self.at = scan::blanks(self.text, self.at + 1);
        if self.text.get(self.at) == Some(&close(map)) {
            self.at += 1;
            return Ok(false);
        }
        self.open.push(Frame { map, mark: self.names.mark() });
        Ok(true)
    }

    /// Behind a value in a list or map: whether another follows. If not, the list or map is closed.
    fn next(&mut self) -> Result<bool, Error> {
        self.at = scan::blanks(self.text, self.at);
        let Some(frame) = self.open.last().copied() else { return Ok(false) };
        match self.text.get(self.at) {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if *byte == close(frame.map) => {
                self.at += 1;
                self.open.pop();
                match self.close_names(frame) {
                    Ok(()) => Ok(false),
                    Err(error) => Err(self.fail(error.kind, error.at)),
                }
            }
            Some(_) => Err(self.fail(ErrorKind::UnexpectedByte, self.at)),
            None => Err(self.fail(ErrorKind::Truncated, self.at)),
        }
    }

    #[inline]
    fn close_names(&mut self, frame: Frame) -> Result<(), Error> {
        let closed = if frame.map { self.names.close(self.text, frame.mark) } else { Ok(()) };
        closed.map_err(|at| Error { kind: ErrorKind::DuplicateMember, at })
    }

    /// A member name with its colon.
    fn name(&mut self) -> Result<Str<'a>, Error> {
        let (start, byte) = scan::token(self.text, self.at);
        match self.member_name(self.text, start, byte) {
            Ok((body, behind)) => {
                self.at = behind;
                Ok(self.inside(start, body))
            }
            Err(error) => Err(self.fail(error.kind, error.at)),
        }
    }

    /// The string whose opening quote is next.
    fn str(&mut self) -> Result<Str<'a>, Error> {
        let start = self.at;
        match scan::string(self.text, start + 1) {
            Ok(body) => {
                self.at = body.end + 1;
                Ok(self.inside(start, body))
            }
            Err(error) => Err(self.fail(error.kind, error.at)),
        }
    }

    #[inline]
    fn inside(&self, start: usize, body: scan::Body) -> Str<'a> {
        Str::new(self.text.get(start + 1..body.end).unwrap_or_default(), start, body.is_escaped(self.text, start + 1))
    }

    /// The end of a number that begins like an integer; most are short ones.
    #[inline(always)]
    fn integer_end(&self, text: &[u8], at: usize) -> Result<usize, Error> {
        let end = scan::short_integer(text, at);
        match text.get(end) {
            Some(b',' | b'}' | b']') if end.wrapping_sub(at) <= self.limits.number => Ok(end),
            _ => self.number_end(at),
        }
    }

    #[inline(never)]
    fn number_end(&self, at: usize) -> Result<usize, Error> {
        match scan::number(self.text, at) {
            Ok(end) if end - at > self.limits.number => Err(Error { kind: ErrorKind::LongNumber, at }),
            end => end,
        }
    }

    /// Takes what ends there.
    fn take(&mut self, end: Result<usize, Error>) -> Result<(), Error> {
        match end {
            Ok(end) => {
                self.at = end;
                Ok(())
            }
            Err(error) => Err(self.fail(error.kind, error.at)),
        }
    }

    #[cold]
    fn fail(&mut self, kind: ErrorKind, at: usize) -> Error {
        *self.failed.get_or_insert(Error { kind, at })
    }
}

#[inline]
fn close(map: bool) -> u8 {
    if map { b'}' } else { b']' }
}
