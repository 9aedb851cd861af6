//! Event streams: keeping all is the identity, cuts make no difference, and a client reads nothing that was dropped.

use wardpoint_core::sse::{Event, EventFilter, Rewrite, Rewriter};

use crate::input::Input;

pub(crate) const WORDS: &[&str] = &[
    "data: a",
    "data:b",
    "data",
    "data: drop",
    "data: other",
    "data: cut",
    "event: e",
    "id: 1",
    ": c",
    ":",
    "retry: 5",
    "x: y",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    "\r\r",
    "\u{feff}",
    "\u{2028}",
    "\u{c}",
    "\u{85}",
    "\u{1c}",
    "data: {\"a\":1}\n\n",
];

#[derive(Clone, Copy, Eq, PartialEq)]
enum Wish {
    Keep,
    Obey,
}

/// Keeps everything, or does what the data say; remembers what it saw.
struct Seer {
    wish: Wish,
    seen: Vec<(Vec<u8>, Vec<u8>)>,
    ambiguous: bool,
}

impl EventFilter for Seer {
    fn on_event(&mut self, event: Event<'_>) -> Rewrite {
        self.ambiguous |= event.ambiguous;
        let Some(data) = event.data else { return Rewrite::Keep };
        self.seen.push((event.name.unwrap_or_default().to_vec(), data.to_vec()));
        match &*data {
            _ if self.wish == Wish::Keep => Rewrite::Keep,
            b"drop" => Rewrite::Drop,
            b"cut" => Rewrite::Cut(b"data: end\n\n".to_vec()),
            data if data.starts_with(b"other") => Rewrite::Data([b"new ", data].concat()),
            _ => Rewrite::Keep,
        }
    }

    fn on_too_large(&mut self) -> Vec<u8> {
        b"data: too large\n\n".to_vec()
    }
}

struct Run {
    out: Vec<u8>,
    seen: Vec<(Vec<u8>, Vec<u8>)>,
    ambiguous: bool,
    cut: bool,
}

fn rewrite<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, limit: usize, wish: Wish) -> Run {
    let mut rewriter = Rewriter::new(limit, Seer { wish, seen: Vec::new(), ambiguous: false });
    let mut out = Vec::new();
    for chunk in chunks {
        let output = rewriter.push(chunk);
        out.extend_from_slice(output.or(chunk));
    }
    out.extend(rewriter.finish());
    let cut = rewriter.is_cut();
    let seer = rewriter.filter();
    Run { out, seen: core::mem::take(&mut seer.seen), ambiguous: seer.ambiguous, cut }
}

/// The first byte is the limit, the second the number of cuts, then the cuts, then the stream.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limit = 4 + 4 * input.below(256);
    let cuts: Vec<usize> = (0..input.below(8)).map(|_| input.below(256)).collect();
    let stream = input.rest();
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([0, stream.len()]).collect();
    at.sort_unstable();
    let parts = || at.windows(2).map(|pair| stream.get(pair[0]..pair[1]).unwrap_or_default());

    for wish in [Wish::Keep, Wish::Obey] {
        let whole = rewrite([stream], limit, wish);
        for run in [rewrite(parts(), limit, wish), rewrite(stream.chunks(1), limit, wish)] {
            assert_eq!(run.out.escape_ascii().to_string(), whole.out.escape_ascii().to_string(), "the output depends on cuts");
            assert_eq!(run.seen, whole.seen, "what is seen depends on cuts");
        }
        let dispatched = dispatched(&whole.out);
        if wish == Wish::Keep && !whole.cut {
            assert_eq!(whole.out, stream, "keeping all is not the identity");
            let mut seen = whole.seen.into_iter();
            for (name, data) in dispatched {
                assert!(seen.any(|event| event == (name.clone(), data.clone())), "a client reads an event that was not seen");
            }
        } else if wish == Wish::Obey && !whole.ambiguous {
            for (_, data) in dispatched {
                let ours = data != b"drop" && data != b"cut" && !data.starts_with(b"other");
                assert!(ours, "a client reads `{}`", data.escape_ascii());
            }
        }
    }
}

/// What a browser dispatches: WHATWG HTML, "Interpreting an event stream", word for word, over bytes.
pub(crate) fn dispatched(stream: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let stream = stream.strip_prefix("\u{feff}".as_bytes()).unwrap_or(stream);
    let (mut out, mut data, mut name) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines(stream) {
        if line.is_empty() {
            let name = core::mem::take(&mut name);
            let mut data: Vec<u8> = core::mem::take(&mut data);
            if data.pop().is_some() {
                out.push((name, data));
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            b"event" => name = value.to_vec(),
            _ => {}
        }
    }
    out
}

/// Lines that have an end.
fn lines(stream: &[u8]) -> Vec<&[u8]> {
    let (mut found, mut rest) = (Vec::new(), stream);
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let (line, after) = rest.split_at(end);
        found.push(line);
        let size = if after.starts_with(b"\r\n") { 2 } else { 1 };
        rest = after.get(size..).unwrap_or_default();
    }
    found
}
