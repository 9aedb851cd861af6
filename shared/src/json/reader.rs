//! The one strict reader.

use super::names::{Mark, Names};
use super::{Error, ErrorKind, Limits, Span, Str, scan};

/// Reads one JSON text, value by value, in one pass and without recursion of its own.
///
/// Whatever is not asked for is skipped, and checked all the same. After an error nothing more is read and [`finish`]
/// gives the error again, so that it cannot be lost.
///
/// [`finish`]: Reader::finish
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    limits: Limits,
    nodes: usize,
    open: Vec<Frame>,
    names: Names,
    began: bool,
    failed: Option<Error>,
}

/// A list or map that is open.
#[derive(Clone, Copy)]
struct Frame {
    close: u8,
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
        let mut more = self.enter(b'}')?;
        while more {
            let name = self.name()?;
            self.inner(|reader| member(name, reader))?;
            more = self.next()?;
        }
        Ok(Span { start, end: self.at })
    }

    /// Reads an array. `item` gets the index of each item and may read it; an item that it leaves is skipped.
    pub fn array(&mut self, mut item: impl FnMut(usize, &mut Self) -> Result<(), Error>) -> Result<Span, Error> {
        let start = self.begin(Kind::List)?;
        let mut more = self.enter(b']')?;
        let mut index = 0;
        while more {
            self.inner(|reader| item(index, reader))?;
            index += 1;
            more = self.next()?;
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
        self.scan_number()?;
        Ok(core::str::from_utf8(self.text.get(start..self.at).unwrap_or_default()).unwrap_or_default())
    }

    /// Reads `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, Error> {
        let start = self.begin(Kind::Bool)?;
        let value = self.text.get(start) == Some(&b't');
        self.literal(if value { b"true" } else { b"false" })?;
        Ok(value)
    }

    /// Reads `null`.
    pub fn null(&mut self) -> Result<(), Error> {
        self.begin(Kind::Null)?;
        self.literal(b"null")
    }

    /// Reads any value and checks all that is in it; where it stood.
    pub fn skip(&mut self) -> Result<Span, Error> {
        let base = self.open.len();
        self.value_byte()?;
        let start = self.at;
        loop {
            self.blanks();
            self.count()?;
            let mut more = match self.text.get(self.at) {
                Some(b'"') => self.str().map(|_| false)?,
                Some(b'{') => self.enter(b'}')?,
                Some(b'[') => self.enter(b']')?,
                Some(b'-' | b'0'..=b'9') => self.scan_number().map(|()| false)?,
                Some(b't') => self.literal(b"true").map(|()| false)?,
                Some(b'f') => self.literal(b"false").map(|()| false)?,
                Some(b'n') => self.literal(b"null").map(|()| false)?,
                Some(_) => return Err(self.fail(ErrorKind::UnexpectedByte, self.at)),
                None => return Err(self.fail(ErrorKind::Truncated, self.at)),
            };
            while !more {
                if self.open.len() == base {
                    return Ok(Span { start, end: self.at });
                }
                more = self.next()?;
            }
            if self.open.last().is_some_and(|frame| frame.close == b'}') {
                self.name()?;
            }
        }
    }

    /// Ends the text: one value was read, and only white space follows.
    pub fn finish(mut self) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.blanks();
        if !self.began || !self.open.is_empty() {
            return Err(Error { kind: ErrorKind::Truncated, at: self.at });
        }
        if self.at < self.text.len() { Err(Error { kind: ErrorKind::TrailingData, at: self.at }) } else { Ok(()) }
    }

    /// Lets `read` take the next value, and takes it if `read` did not.
    fn inner(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let nodes = self.nodes;
        match read(self) {
            Ok(()) if self.nodes == nodes => self.skip().map(drop),
            Ok(()) => self.failed.map_or(Ok(()), Err),
            Err(error) => {
                self.failed.get_or_insert(error);
                Err(error)
            }
        }
    }

    /// The first byte of the next value.
    fn value_byte(&mut self) -> Result<u8, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.at == 0 && self.text.starts_with(b"\xef\xbb\xbf") {
            return Err(self.fail(ErrorKind::ByteOrderMark, 0));
        }
        self.blanks();
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
    #[inline]
    fn enter(&mut self, close: u8) -> Result<bool, Error> {
        if self.open.len() >= self.limits.depth {
            return Err(self.fail(ErrorKind::TooDeep, self.at));
        }
        self.open.push(Frame { close, mark: self.names.mark() });
        self.at += 1;
        self.blanks();
        if self.text.get(self.at) == Some(&close) { self.leave().map(|()| false) } else { Ok(true) }
    }

    /// Behind a value in a list or map: whether another follows. If not, the list or map is closed.
    #[inline]
    fn next(&mut self) -> Result<bool, Error> {
        self.blanks();
        let close = self.open.last().map_or(0, |frame| frame.close);
        match self.text.get(self.at) {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if *byte == close => self.leave().map(|()| false),
            Some(_) => Err(self.fail(ErrorKind::UnexpectedByte, self.at)),
            None => Err(self.fail(ErrorKind::Truncated, self.at)),
        }
    }

    #[inline]
    fn leave(&mut self) -> Result<(), Error> {
        self.at += 1;
        if let Some(frame) = self.open.pop()
            && frame.close == b'}'
            && let Err(at) = self.names.close(self.text, frame.mark)
        {
            return Err(self.fail(ErrorKind::DuplicateMember, at));
        }
        Ok(())
    }

    /// A member name with its colon.
    #[inline]
    fn name(&mut self) -> Result<Str<'a>, Error> {
        self.blanks();
        match self.text.get(self.at) {
            Some(b'"') => {}
            Some(_) => return Err(self.fail(ErrorKind::UnexpectedByte, self.at)),
            None => return Err(self.fail(ErrorKind::Truncated, self.at)),
        }
        let name = self.str()?;
        self.names.push(self.text, &name);
        self.blanks();
        match self.text.get(self.at) {
            Some(b':') => self.at += 1,
            Some(_) => return Err(self.fail(ErrorKind::UnexpectedByte, self.at)),
            None => return Err(self.fail(ErrorKind::Truncated, self.at)),
        }
        Ok(name)
    }

    /// The string whose opening quote is next.
    #[inline]
    fn str(&mut self) -> Result<Str<'a>, Error> {
        let start = self.at;
        match scan::string(self.text, start + 1) {
            Ok(body) => {
                self.at = body.end + 1;
                Ok(Str::new(self.text.get(start + 1..body.end).unwrap_or_default(), start, body.escaped))
            }
            Err(error) => Err(self.fail(error.kind, error.at)),
        }
    }

    fn scan_number(&mut self) -> Result<(), Error> {
        match scan::number(self.text, self.at) {
            Ok(end) if end - self.at > self.limits.number => Err(self.fail(ErrorKind::LongNumber, self.at)),
            Ok(end) => {
                self.at = end;
                Ok(())
            }
            Err(error) => Err(self.fail(error.kind, error.at)),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Error> {
        if self.text.get(self.at..self.at + word.len()) != Some(word) {
            return Err(self.fail(ErrorKind::UnexpectedByte, self.at));
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    #[cold]
    fn fail(&mut self, kind: ErrorKind, at: usize) -> Error {
        *self.failed.get_or_insert(Error { kind, at })
    }
}
