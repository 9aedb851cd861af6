//! One event as the standard reads it (WHATWG HTML, "Interpreting an event stream").

use std::borrow::Cow;

/// One event: its fields, and its bytes.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// All bytes, with comments and line ends.
    pub raw: &'a [u8],
    /// The same without the mark that clients skip.
    body: &'a [u8],
    /// The `data` fields, joined with LF (BY-E-03). `None`: comments or other fields only.
    pub data: Option<Cow<'a, [u8]>>,
    /// The last `event` field. Events of any name carry data (BY-E-06).
    pub name: Option<&'a [u8]>,
    /// The last `id` field without NUL (BY-E-07).
    pub id: Option<&'a [u8]>,
    /// Clients differ about its data: some split lines also at U+2028, form feed and the like (Python's `splitlines`) and
    /// see `data` fields that are none; some skip byte order marks where others do not. Where events are filtered, this
    /// one must not go on.
    pub ambiguous: bool,
}

const BOM: &[u8] = "\u{feff}".as_bytes();

impl<'a> Event<'a> {
    /// Reads the bytes of one event. `first`: clients see it at the start of the stream, where they skip one byte order
    /// mark; anywhere else a mark is part of a field name (BY-E-02).
    pub fn new(raw: &'a [u8], first: bool) -> Self {
        let body = raw.strip_prefix(BOM).filter(|_| first).unwrap_or(raw);
        let mut event = Self { raw, body, data: None, name: None, id: None, ambiguous: is_ambiguous(body) };
        let mut fields = 0;
        for line in Lines(body) {
            match field(line.text) {
                (b"data", value) => {
                    fields += 1;
                    match &mut event.data {
                        None => event.data = Some(Cow::Borrowed(value)),
                        Some(data) => {
                            let data = data.to_mut();
                            data.push(b'\n');
                            data.extend_from_slice(value);
                        }
                    }
                }
                (b"event", value) => event.name = Some(value),
                (b"id", value) if !value.contains(&0) => event.id = Some(value),
                _ => {}
            }
        }
        // A client that does not skip the mark misses the first of several lines.
        event.ambiguous |= fields > 1 && body.len() < raw.len() && body.starts_with(b"data");
        event
    }

    /// The same event with other data: all other lines stay byte for byte.
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len() + data.len() + 8);
        out.extend_from_slice(self.raw.strip_suffix(self.body).unwrap_or_default());
        let mut done = self.data.is_none();
        if done {
            push_data(&mut out, data, b"\n");
        }
        for line in Lines(self.body) {
            if field(line.text).0 != b"data" {
                out.extend_from_slice(line.text);
                out.extend_from_slice(line.end);
            } else if !done {
                push_data(&mut out, data, line.end);
                done = true;
            }
        }
        out
    }
}

/// One `data` line for each line of `data`.
fn push_data(out: &mut Vec<u8>, data: &[u8], end: &[u8]) {
    let (end, mut first) = (if end.is_empty() { b"\n" } else { end }, true);
    // A last line that ends is followed by an empty one.
    let open = matches!(data.last(), None | Some(b'\n' | b'\r')).then_some(&b""[..]);
    for text in Lines(data).map(|line| line.text).chain(open) {
        if !core::mem::take(&mut first) {
            out.extend_from_slice(end);
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(text);
    }
    out.extend_from_slice(end);
}

/// Name and value of a line. A comment has an empty name.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = memchr::memchr(b':', line) else { return (line, b"") };
    let (name, value) = line.split_at(colon);
    let value = value.get(1..).unwrap_or_default();
    (name, value.strip_prefix(b" ").unwrap_or(value))
}

/// Lines that end with CR, LF or CRLF; the last one may have no end.
struct Lines<'a>(&'a [u8]);

struct Line<'a> {
    text: &'a [u8],
    end: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let length = memchr::memchr2(b'\r', b'\n', self.0).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(length);
        let (end, rest) = rest.split_at(if rest.starts_with(b"\r\n") { 2 } else { rest.len().min(1) });
        self.0 = rest;
        Some(Line { text, end })
    }
}

/// Whether `data` follows something that only some clients skip, or take for the end of a line.
fn is_ambiguous(body: &[u8]) -> bool {
    memchr::memchr_iter(b'd', body).any(|at| {
        let (before, from) = body.split_at(at);
        from.starts_with(b"data")
            && matches!(
                before,
                [.., 0x0b | 0x0c | 0x1c..=0x1e] | [.., 0xc2, 0x85] | [.., 0xe2, 0x80, 0xa8 | 0xa9] | [.., 0xef, 0xbb, 0xbf]
            )
    })
}
