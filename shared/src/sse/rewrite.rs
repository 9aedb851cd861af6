//! Events through a filter, and back into chunks.

use std::borrow::Cow;

use super::{Event, EventTooLarge, Framer, Piece};

/// Decides about each event of one stream.
pub trait EventFilter {
    /// The next event. Called for comments and blank lines too; those have no data.
    fn on_event(&mut self, event: Event<'_>) -> Rewrite;

    /// An event is too long to be read. What to send last, in place of it and all that follows.
    fn on_too_large(&mut self) -> Vec<u8>;
}

/// What becomes of an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rewrite {
    /// These bytes go on in place of it, and nothing more of the stream (BY-E-09).
    Cut(Vec<u8>),
    /// It goes on with this data; its name, id and comments stay.
    Data(Vec<u8>),
    /// It does not go on.
    Drop,
    /// It goes on byte for byte.
    Keep,
}

/// What to send on in place of a chunk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output<'a> {
    /// These bytes; perhaps none.
    Bytes(Cow<'a, [u8]>),
    /// The chunk as it is.
    Unchanged,
}

impl Output<'_> {
    /// The bytes to send, given the chunk that they replace.
    pub fn or<'b>(&'b self, chunk: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Unchanged => chunk,
        }
    }
}

/// Passes a stream through a filter.
#[derive(Debug)]
pub struct Rewriter<E> {
    framer: Framer,
    state: State<E>,
}

#[derive(Debug)]
struct State<E> {
    filter: E,
    cut: bool,
    /// Something went on already, so that what follows is not the start of the stream for a client.
    began: bool,
    /// The event before did not go on, so neither does the LF of its last line end.
    drop_line_feed: bool,
}

impl<E: EventFilter> Rewriter<E> {
    /// Events may have up to `limit` bytes.
    pub const fn new(limit: usize, filter: E) -> Self {
        Self { framer: Framer::new(limit), state: State { filter, cut: false, began: false, drop_line_feed: false } }
    }

    /// Takes a chunk. The start of an event whose end has not come is held back.
    pub fn push<'a>(&mut self, chunk: &'a [u8]) -> Output<'a> {
        if self.state.cut {
            return Output::Bytes(Cow::Borrowed(b""));
        }
        let mut sink = Sink { chunk, same: (self.framer.held() == 0).then_some(0), out: Vec::new() };
        let state = &mut self.state;
        if let Err(EventTooLarge) = self.framer.push(chunk, |piece| state.piece(piece, &mut sink))
            && !state.cut
        {
            let last = state.filter.on_too_large();
            state.cut = true;
            sink.other(&last);
        }
        sink.done()
    }

    /// Ends the stream: what to send at its end (BY-E-05).
    pub fn finish(&mut self) -> Vec<u8> {
        let mut sink = Sink { chunk: b"", same: None, out: Vec::new() };
        if let Some(tail) = self.framer.finish() {
            self.state.piece(Piece::Event(&tail), &mut sink);
        }
        sink.out
    }

    /// Whether nothing more of this stream goes on.
    pub fn is_cut(&self) -> bool {
        self.state.cut
    }

    /// The filter.
    pub fn filter(&mut self) -> &mut E {
        &mut self.state.filter
    }
}

impl<E: EventFilter> State<E> {
    fn piece(&mut self, piece: Piece<'_>, sink: &mut Sink<'_>) {
        if self.cut {
            return sink.other(b"");
        }
        let raw = match piece {
            Piece::LineFeed if self.drop_line_feed => return sink.other(b""),
            Piece::LineFeed => return sink.keep(b"\n"),
            Piece::Event(raw) => raw,
        };
        let event = Event::new(raw, !self.began);
        let rewrite = self.filter.on_event(event.clone());
        self.drop_line_feed = rewrite == Rewrite::Drop;
        self.began |= rewrite != Rewrite::Drop;
        match rewrite {
            Rewrite::Keep => sink.keep(raw),
            Rewrite::Data(data) => sink.other(&event.with_data(&data)),
            Rewrite::Drop => sink.other(b""),
            Rewrite::Cut(last) => {
                self.cut = true;
                sink.other(&last);
            }
        }
    }
}

/// Collects output; copies nothing as long as it is the start of the chunk.
struct Sink<'a> {
    chunk: &'a [u8],
    /// So many bytes of the chunk are the output so far; `None`: `out` is.
    same: Option<usize>,
    out: Vec<u8>,
}

impl<'a> Sink<'a> {
    fn keep(&mut self, bytes: &[u8]) {
        match &mut self.same {
            Some(same) => *same += bytes.len(),
            None => self.out.extend_from_slice(bytes),
        }
    }

    fn other(&mut self, bytes: &[u8]) {
        if let Some(same) = self.same.take() {
            self.out.extend_from_slice(self.chunk.get(..same).unwrap_or_default());
        }
        self.out.extend_from_slice(bytes);
    }

    fn done(self) -> Output<'a> {
        match self.same {
            Some(same) if same == self.chunk.len() => Output::Unchanged,
            Some(same) => Output::Bytes(Cow::Borrowed(self.chunk.get(..same).unwrap_or_default())),
            None => Output::Bytes(Cow::Owned(self.out)),
        }
    }
}
