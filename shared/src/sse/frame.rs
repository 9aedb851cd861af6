//! Chunks into events.

/// Collects the bytes of events, however the chunks are cut (BY-E-01, BY-E-08).
#[derive(Debug)]
pub struct Framer {
    /// The start of an event whose end has not come.
    tail: Vec<u8>,
    limit: usize,
    /// No byte of the current line has come.
    line_empty: bool,
    /// The last byte was CR: an LF now belongs to it.
    after_cr: bool,
}

/// A part of the stream. All parts together are the stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// An event with the blank line that ends it; of a final CRLF, only the CR.
    Event(&'a [u8]),
    /// The LF of the CRLF that ended the event before. It may come in a later chunk, for which no event waits.
    LineFeed,
}

/// An event is longer than allowed. The stream cannot be read on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventTooLarge;

impl Framer {
    /// Events may have up to `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { tail: Vec::new(), limit, line_empty: true, after_cr: false }
    }

    /// Takes a chunk and gives what is whole now.
    pub fn push(&mut self, chunk: &[u8], mut piece: impl FnMut(Piece<'_>)) -> Result<(), EventTooLarge> {
        let (mut from, mut at) = (0, 0);
        while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
            if core::mem::take(&mut self.after_cr) && rest.first() == Some(&b'\n') {
                if self.tail.is_empty() && from == at {
                    piece(Piece::LineFeed);
                    from += 1;
                }
                at += 1;
                continue;
            }
            let Some(length) = memchr::memchr2(b'\r', b'\n', rest) else {
                self.line_empty = false;
                break;
            };
            let ends = length == 0 && self.line_empty;
            self.after_cr = rest.get(length) == Some(&b'\r');
            self.line_empty = true;
            at += length + 1;
            if ends {
                self.event(chunk.get(from..at).unwrap_or_default(), &mut piece)?;
                from = at;
            }
        }
        self.tail.extend_from_slice(chunk.get(from..).unwrap_or_default());
        if self.tail.len() > self.limit { Err(EventTooLarge) } else { Ok(()) }
    }

    /// Ends the stream. What has no blank line yet is an event for lenient clients, so it is one here (BY-E-05).
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        Some(core::mem::take(&mut self.tail)).filter(|tail| !tail.is_empty())
    }

    /// Bytes that wait for the end of their event.
    pub fn held(&self) -> usize {
        self.tail.len()
    }

    fn event(&mut self, end: &[u8], piece: &mut impl FnMut(Piece<'_>)) -> Result<(), EventTooLarge> {
        if self.tail.len() + end.len() > self.limit {
            return Err(EventTooLarge);
        }
        if self.tail.is_empty() {
            piece(Piece::Event(end));
        } else {
            self.tail.extend_from_slice(end);
            piece(Piece::Event(&self.tail));
            self.tail.clear();
        }
        Ok(())
    }
}
