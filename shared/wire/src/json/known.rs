//! Values that were read before: what is long and hardly ever changes need not be read again to be known.

use super::{Error, Limits, Reader, Span, Str};

/// A list or map that was read whole, to be known again by its bytes.
#[derive(Clone)]
pub struct Known {
    text: Box<[u8]>,
    nodes: usize,
    depth: usize,
    limits: Limits,
}

/// Where a string stands in a [`Known`] value, from its first byte on.
#[derive(Clone, Copy)]
pub struct Place {
    span: Span,
    escaped: bool,
}

impl<'a> Reader<'a> {
    /// The whole text.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Values counted so far.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Keeps the value that was just read from `span`, before which there were so many `nodes`; not a word or a number,
    /// since those may go on where they seem to end.
    pub fn keep(&self, span: Span, nodes: usize) -> Option<Known> {
        let text = span.of(self.text);
        let whole = span.end == self.at && self.failed.is_none() && matches!(text.first(), Some(b'{' | b'['));
        whole.then(|| Known { text: text.into(), nodes: self.nodes - nodes, depth: self.open.len(), limits: self.limits })
    }

    /// Takes the next value if it begins with all the bytes of `known`: a list or map ends where its bracket is closed, so
    /// it is the same. `None`: it is another one, and still to be read.
    pub fn take_known(&mut self, known: &Known) -> Result<Option<Span>, Error> {
        self.value_byte()?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let fits = self.limits == known.limits
            && self.open.len() <= known.depth
            && known.nodes <= self.limits.nodes.saturating_sub(self.nodes);
        if !fits || !begins_with(rest, &known.text) {
            return Ok(None);
        }
        let start = self.at;
        self.at += known.text.len();
        self.nodes += known.nodes;
        self.began = true;
        Ok(Some(Span { start, end: self.at }))
    }
}

impl<'a> Str<'a> {
    /// Where it stands in a value that starts at `start`.
    pub fn place(&self, start: usize) -> Place {
        let span = self.span();
        Place { span: span.minus(start), escaped: self.is_escaped() }
    }
}

impl Place {
    /// The string, in a text in which the same value starts at `start`.
    pub fn of(self, text: &[u8], start: usize) -> Str<'_> {
        let span = self.span.plus(start);
        Str::new(text.get(span.start + 1..span.end.saturating_sub(1)).unwrap_or_default(), span.start, self.escaped)
    }
}

/// Whether two texts are the same, in steps of eight bytes: the comparison that comes with Rust goes byte by byte in WebAssembly.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let word = |text: &[u8; 8]| u64::from_le_bytes(*text);
    let half = |text: &[u8; 4]| u32::from_le_bytes(*text);
    if a.len() != b.len() {
        return false;
    }
    // The last chunk has some bytes again that were looked at.
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(end), Some(other)) => {
            let (mut a, mut b) = (a, b);
            while let (Some((one, behind)), Some((two, rest))) = (a.split_first_chunk::<8>(), b.split_first_chunk::<8>()) {
                if word(one) != word(two) {
                    return false;
                }
                (a, b) = (behind, rest);
            }
            word(end) == word(other)
        }
        _ => match (a.first_chunk::<4>(), b.first_chunk::<4>(), a.last_chunk::<4>(), b.last_chunk::<4>()) {
            (Some(a), Some(b), Some(end), Some(other)) => half(a) == half(b) && half(end) == half(other),
            _ => a.iter().eq(b),
        },
    }
}

/// `starts_with` in steps of 64 bytes; that of the standard library goes byte by byte in WebAssembly. Not inlined: it would be
/// as small and as slow as what calls it.
#[inline(never)]
fn begins_with(text: &[u8], start: &[u8]) -> bool {
    let Some(text) = text.get(..start.len()) else { return false };
    let ((blocks, rest), (others, other_rest)) = (text.as_chunks::<64>(), start.as_chunks::<64>());
    let differ = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
    let alike = |(a, b): (&[u8; 64], &[u8; 64])| {
        let (words, others) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
        words.iter().zip(others).map(differ).fold(0, core::ops::BitOr::bitor) == 0
    };
    same(rest, other_rest) && blocks.iter().zip(others).all(alike)
}

#[cfg(test)]
mod tests {
    use super::super::{ErrorKind, Kind};
    use super::*;

    const VALUE: &str = r#"{"a":[1,{"b":"c\n"}],"d":null}"#;

    fn known(limits: Limits) -> Known {
        let text = format!(r#"{{"x":1,"r":{VALUE}}}"#);
        let mut known = None;
        let mut reader = Reader::new(text.as_bytes(), limits);
        let read = reader.object(|name, reader| {
            if name.eq_str("r") {
                let nodes = reader.nodes();
                let span = reader.skip()?;
                known = reader.keep(span, nodes);
            }
            Ok(())
        });
        read.unwrap();
        known.unwrap()
    }

    /// How many bytes were known; the text must be good.
    fn taken(text: &str, limits: Limits, known: &Known) -> Result<usize, ErrorKind> {
        let mut bytes = 0;
        let mut reader = Reader::new(text.as_bytes(), limits);
        let read = reader.object(|name, reader| {
            if name.eq_str("r") {
                bytes = reader.take_known(known)?.map_or(0, |span| span.end - span.start);
            }
            Ok(())
        });
        read.and_then(|_| reader.finish()).map(|()| bytes).map_err(|error| error.kind)
    }

    #[test]
    fn the_same_is_the_same() {
        let text: Vec<u8> = (0..40).collect();
        for length in 0..text.len() {
            let (a, mut b) = (&text[..length], text[..length].to_vec());
            assert!(same(a, &b) && !same(a, &text[..=length]));
            for at in 0..length {
                b[at] ^= 0x80;
                assert!(!same(a, &b), "{at} of {length}");
                b[at] ^= 0x80;
            }
        }
    }

    #[test]
    fn the_same_value_is_known_wherever_it_stands() {
        let (limits, all) = (Limits::default(), VALUE.len());
        let known = known(limits);
        assert_eq!(taken(&format!(r#"{{"r": {VALUE} }}"#), limits, &known), Ok(all));
        assert_eq!(taken(&format!(r#"{{"other":[1,2],"r":{VALUE},"behind":"x"}}"#), limits, &known), Ok(all));
        for other in [VALUE.replace('c', "C"), VALUE.replace("null", "true"), "{}".into(), "[]".into(), "1".into()] {
            assert_eq!(taken(&format!(r#"{{"r":{other}}}"#), limits, &known), Ok(0), "{other}");
        }
    }

    #[test]
    fn what_stands_behind_it_is_read_as_ever() {
        let (limits, known) = (Limits::default(), known(Limits::default()));
        assert_eq!(taken(&format!(r#"{{"r":{VALUE}x}}"#), limits, &known), Err(ErrorKind::UnexpectedByte));
        assert_eq!(taken(&format!(r#"{{"r":{VALUE},"r":1}}"#), limits, &known), Err(ErrorKind::DuplicateMember));
        assert_eq!(taken(&format!(r#"{{"r":{}"#, VALUE.trim_end_matches('}')), limits, &known), Err(ErrorKind::Truncated));
    }

    #[test]
    fn limits_hold_for_it() {
        let limits = Limits { nodes: 8, ..Limits::default() };
        let known = known(limits);
        assert_eq!(known.nodes, 6);
        assert_eq!(taken(&format!(r#"{{"x":1,"r":{VALUE}}}"#), limits, &known), Ok(VALUE.len()), "8 in all");
        assert_eq!(taken(&format!(r#"{{"x":[1],"r":{VALUE}}}"#), limits, &known), Err(ErrorKind::TooManyNodes));
        assert_eq!(taken(&format!(r#"{{"r":{VALUE}}}"#), Limits::default(), &known), Ok(0), "read under others");
        // Deeper than it was it may be too deep.
        let deeper = format!("[{VALUE}]");
        let mut reader = Reader::new(deeper.as_bytes(), limits);
        let flat = Known { depth: 0, ..known };
        reader.array(|_, reader| reader.take_known(&flat).map(|taken| assert_eq!(taken, None))).unwrap();
    }

    #[test]
    fn only_what_ends_with_a_bracket_is_kept() {
        let mut reader = Reader::new(b"[12,\"a\"]", Limits::default());
        let array = reader.array(|_, reader| {
            let span = if reader.peek()? == Kind::Number { reader.skip()? } else { reader.string()?.span() };
            assert!(reader.keep(span, 0).is_none());
            Ok(())
        });
        assert!(reader.keep(array.unwrap(), 0).is_some());
    }

    #[test]
    fn the_comparison_sees_every_byte() {
        let text: Vec<u8> = (0..200).collect();
        for length in 0..=200 {
            let start = &text[..length];
            assert!(begins_with(&text, start));
            for index in 0..length {
                let mut other = start.to_vec();
                other[index] ^= 1;
                assert!(!begins_with(&text, &other), "{length} {index}");
            }
        }
        assert!(!begins_with(&text[..10], &text[..11]));
    }
}
