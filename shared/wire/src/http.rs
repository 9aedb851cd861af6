//! HTTP as a proxy shows it to a filter: header pairs as bytes, bodies as chunks.

use core::fmt;

use crate::json::same;

/// A header block. Names and values are bytes, because a peer may send any; repeated names stay visible.
///
/// Names are compared without case; Envoy hands them over in lower case.
#[derive(Clone, Default)]
pub struct Headers {
    text: Vec<u8>,
    lines: Vec<Line>,
    places: Places,
}

/// Where to begin to look for a name among many: nearly always it is there, or nowhere.
#[derive(Clone)]
pub struct Places {
    /// One more than the number of the first name of a place, 0 for none.
    first: [u8; PLACES],
    /// A bit for each place that several names have.
    shared: u64,
}

const PLACES: usize = 64;

/// Where one name and its value stand in the text of a block.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    tag: u16,
    name: Part,
    value: Part,
}

impl Line {
    /// A line of `text`.
    pub fn new(text: &[u8], name: Part, value: Part) -> Self {
        Self { tag: tag(name.of(text)), name, value }
    }
}

/// What tells a name from nearly all others at a glance: its length and its last letter, without case.
pub fn tag(name: &[u8]) -> u16 {
    let last = name.last().copied().unwrap_or_default() | 0x20;
    (name.len() as u16) << 8 | u16::from(last)
}

impl Places {
    /// Of no names.
    pub const fn new() -> Self {
        Self { first: [0; PLACES], shared: 0 }
    }

    /// Notes that the name of this number, which comes behind all that were noted, has this tag.
    #[inline]
    pub fn note(&mut self, number: usize, tag: u16) {
        let place = Self::of(tag);
        match self.first.get_mut(place) {
            // Names beyond what a place can say are looked for from the last one on that it can.
            Some(first @ 0) => *first = u8::try_from(number.wrapping_add(1)).unwrap_or(u8::MAX),
            _ => self.shared |= 1 << place,
        }
    }

    /// The number from which on names of this tag stand, if there are any, and whether there may be more than one.
    #[inline]
    pub fn find(&self, tag: u16) -> Option<(usize, bool)> {
        let place = Self::of(tag);
        let first = usize::from(*self.first.get(place)?).checked_sub(1)?;
        Some((first, self.shared >> place & 1 != 0 || first + 1 == usize::from(u8::MAX)))
    }

    #[inline(always)]
    fn of(tag: u16) -> usize {
        usize::from(tag ^ tag >> 7) % PLACES
    }
}

impl Default for Places {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a name or a value stands in the text of a block.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Part {
    /// The bytes; none where the text has no such part.
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// A header that decides something came more than once (BY-H-07).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RepeatedHeader;

impl Headers {
    /// No headers.
    pub const fn new() -> Self {
        Self { text: Vec::new(), lines: Vec::new(), places: Places::new() }
    }

    /// The names and values that stand in a text, each [`Line`] made with it.
    pub fn over(text: Vec<u8>, lines: Vec<Line>) -> Self {
        let mut places = Places::new();
        for (number, line) in lines.iter().enumerate() {
            places.note(number, line.tag);
        }
        Self { text, lines, places }
    }

    /// Adds a pair behind the others.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let mut put = |bytes: &[u8]| {
            let start = self.text.len();
            self.text.extend_from_slice(bytes);
            Part { start, end: self.text.len() }
        };
        let (name, value) = (put(name.as_ref()), put(value.as_ref()));
        let line = Line::new(&self.text, name, value);
        self.places.note(self.lines.len(), line.tag);
        self.lines.push(line);
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| (line.name.of(&self.text), line.value.of(&self.text)))
    }

    /// The values of one name, in order.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let mut next = Some(0);
        core::iter::from_fn(move || {
            let (value, behind) = self.find(next?, name)?;
            next = behind;
            Some(value)
        })
    }

    /// The value of a name that may come once at the most. Two lines of it are an error, not a choice.
    pub fn one(&self, name: &str) -> Result<Option<&[u8]>, RepeatedHeader> {
        match self.find(0, name) {
            None => Ok(None),
            Some((value, None)) => Ok(Some(value)),
            Some((value, Some(behind))) => {
                if self.find(behind, name).is_some() {
                    Err(RepeatedHeader)
                } else {
                    Ok(Some(value))
                }
            }
        }
    }

    /// Whether a name is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.find(0, name).is_some()
    }

    /// The value of the first line of this name from that number on, and from which number on there may be more. Every request looks
    /// for some thirty names.
    #[inline(never)]
    fn find(&self, from: usize, name: &str) -> Option<(&[u8], Option<usize>)> {
        let (tag, name) = (tag(name.as_bytes()), name.as_bytes());
        let (first, more) = self.places.find(tag)?;
        let mut at = from.max(first);
        while let Some(line) = self.lines.get(at) {
            at = at.wrapping_add(1);
            // Nearly always it is written alike, and comparing without case costs a multiple.
            if line.tag == tag
                && let found = line.name.of(&self.text)
                && (same(found, name) || found.eq_ignore_ascii_case(name))
            {
                return Some((line.value.of(&self.text), more.then_some(at)));
            }
            if !more {
                break;
            }
        }
        None
    }

    /// `:status` as a number, if there is exactly one and it is one.
    pub fn status(&self) -> Option<u16> {
        let value = self.one(":status").ok()??;
        core::str::from_utf8(value).ok()?.parse().ok()
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.push(name, value);
        }
        headers
    }
}

/// Shows names only: a value may be a credential.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned())).finish()
    }
}

/// The media type of a `content-type` value in lower case, and its parameters as they stand.
pub fn media_type(value: &[u8]) -> (Vec<u8>, &[u8]) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (essence, rest) = value.split_at(end);
    (essence.trim_ascii().to_ascii_lowercase(), rest.get(1..).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_header_is_an_error() {
        let headers: Headers = [("x-a", "1"), ("X-A", "2"), ("x-b", "3")].into_iter().collect();
        assert_eq!(headers.one("x-a"), Err(RepeatedHeader));
        assert_eq!(headers.one("x-b"), Ok(Some(&b"3"[..])));
        assert_eq!(headers.one("x-c"), Ok(None));
    }

    #[test]
    fn names_that_look_alike_at_a_glance_are_told_apart() {
        let names: Vec<String> =
            (b'a'..=b'z').flat_map(|c| ["", "x", "x-", "x-y"].map(|start| format!("{start}{}", char::from(c)))).collect();
        for [first, second] in names.iter().flat_map(|first| names.iter().map(move |second| [first, second])) {
            let headers: Headers = [(first, "1"), (second, "2")].into_iter().collect();
            let repeated = first == second;
            assert_eq!(headers.one(first), if repeated { Err(RepeatedHeader) } else { Ok(Some(&b"1"[..])) });
            assert_eq!(headers.all(second).count(), 1 + usize::from(repeated));
            assert!(headers.has(&first.to_uppercase()) && !headers.has(&format!("{first}{second}")));
        }
    }

    #[test]
    fn each_of_many_lines_is_found() {
        let names: Vec<String> =
            (0..600).map(|number| format!("x-{number}-{}", char::from(b'a' + (number % 26) as u8))).collect();
        let pushed: Headers = names.iter().chain(&names[..2]).chain(&names[598..]).map(|name| (name, name)).collect();
        let over = Headers::over(pushed.text.clone(), pushed.lines.clone());
        for headers in [pushed, over] {
            for (number, name) in names.iter().enumerate() {
                let twice = !(2..598).contains(&number);
                assert_eq!(headers.one(name), if twice { Err(RepeatedHeader) } else { Ok(Some(name.as_bytes())) });
                assert_eq!(headers.all(name).count(), 1 + usize::from(twice));
                assert!(!headers.has(&name.replace('-', "_")));
            }
        }
    }

    #[test]
    fn values_are_bytes_and_debug_hides_them() {
        let headers: Headers = [("authorization", &b"Bearer \xff"[..])].into_iter().collect();
        assert_eq!(headers.one("authorization"), Ok(Some(&b"Bearer \xff"[..])));
        assert_eq!(format!("{headers:?}"), r#"["authorization"]"#);
    }

    #[test]
    fn media_types_are_compared_without_case() {
        assert_eq!(media_type(b"Application/JSON; charset=utf-8"), ("application/json".into(), &b"charset=utf-8"[..]));
        assert_eq!(media_type(b" text/event-stream "), ("text/event-stream".into(), &b""[..]));
    }
}
