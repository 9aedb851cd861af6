//! No member name twice in one object, at any depth (BY-J-01).

use core::cmp::Ordering;

use super::text::Str;

/// The names of all objects that are open, innermost last.
pub(super) struct Names {
    entries: Vec<Entry>,
    unescaped: Vec<u8>,
}

/// How much was there when an object was opened.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    entries: usize,
    unescaped: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    /// The first eight bytes: nearly always enough to tell names apart.
    prefix: u64,
    /// Of the text, or of `unescaped`.
    start: usize,
    end: usize,
    escaped: bool,
    /// Where the name stands in the text.
    at: usize,
}

/// Up to here all pairs are compared; above, names are sorted, so that many members do not cost their square.
const FEW: usize = 8;

impl Names {
    /// Room for the names of a usual request.
    pub(super) fn new() -> Self {
        Self { entries: Vec::with_capacity(32), unescaped: Vec::new() }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { entries: self.entries.len(), unescaped: self.unescaped.len() }
    }

    #[inline]
    pub(super) fn push(&mut self, text: &[u8], name: &Str<'_>) {
        let at = name.span().start;
        if name.is_escaped() {
            let name = name.text();
            let start = self.unescaped.len();
            self.unescaped.extend_from_slice(name.as_bytes());
            let end = self.unescaped.len();
            self.entries.push(Entry { prefix: prefix(name.as_bytes(), 0, name.len()), start, end, escaped: true, at });
        } else {
            let (start, end) = (at + 1, at + 1 + name.raw().len());
            self.entries.push(Entry { prefix: prefix(text, start, name.raw().len()), start, end, escaped: false, at });
        }
    }

    /// Forgets the names since `mark`; where one stands that was there before, if any.
    pub(super) fn close(&mut self, text: &[u8], mark: Mark) -> Result<(), usize> {
        let Self { entries, unescaped } = self;
        let bytes = |entry: &Entry| {
            let source = if entry.escaped { unescaped.as_slice() } else { text };
            source.get(entry.start..entry.end).unwrap_or_default()
        };
        let order = |a: &Entry, b: &Entry| a.prefix.cmp(&b.prefix).then_with(|| bytes(a).cmp(bytes(b)));
        let own = entries.get_mut(mark.entries..).unwrap_or_default();
        let twice = if own.len() <= FEW {
            pair(own, bytes)
        } else {
            own.sort_unstable_by(order);
            own.windows(2).filter_map(|pair| pair.first().zip(pair.last())).find(|(a, b)| order(a, b) == Ordering::Equal)
        };
        if let Some((a, b)) = twice {
            return Err(a.at.max(b.at));
        }
        entries.truncate(mark.entries);
        unescaped.truncate(mark.unescaped);
        Ok(())
    }
}

/// Of all pairs, one that is equal.
fn pair<'a>(entries: &'a [Entry], bytes: impl Fn(&Entry) -> &'a [u8]) -> Option<(&'a Entry, &'a Entry)> {
    for (index, b) in entries.iter().enumerate() {
        for a in entries.iter().take(index) {
            if a.prefix == b.prefix && bytes(a) == bytes(b) {
                return Some((a, b));
            }
        }
    }
    None
}

/// The first eight bytes of a name of `length` bytes, zeros behind shorter ones.
#[inline]
fn prefix(text: &[u8], start: usize, length: usize) -> u64 {
    let rest = text.get(start..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(chunk) if length >= 8 => u64::from_le_bytes(*chunk),
        Some(chunk) => u64::from_le_bytes(*chunk) & ((1 << (8 * length)) - 1),
        None => rest.iter().take(length).rev().fold(0, |prefix, byte| prefix << 8 | u64::from(*byte)),
    }
}
