//! No member name twice in one object, at any depth (BY-J-01).

use core::cmp::Ordering;

use super::text::Str;

/// The names of all objects that are open, innermost last.
#[derive(Default)]
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
    pub(super) fn mark(&self) -> Mark {
        Mark { entries: self.entries.len(), unescaped: self.unescaped.len() }
    }

    pub(super) fn push(&mut self, name: &Str<'_>) {
        let at = name.span().start;
        if name.is_escaped() {
            let text = name.text();
            let start = self.unescaped.len();
            self.unescaped.extend_from_slice(text.as_bytes());
            let end = self.unescaped.len();
            self.entries.push(Entry { prefix: prefix(text.as_bytes()), start, end, escaped: true, at });
        } else {
            let (start, end) = (at + 1, at + 1 + name.raw().len());
            self.entries.push(Entry { prefix: prefix(name.raw()), start, end, escaped: false, at });
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
            pairs(own).find(|(a, b)| order(a, b) == Ordering::Equal)
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

fn pairs(entries: &[Entry]) -> impl Iterator<Item = (&Entry, &Entry)> {
    entries.iter().enumerate().flat_map(|(i, b)| entries.iter().take(i).map(move |a| (a, b)))
}

fn prefix(name: &[u8]) -> u64 {
    match name.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => name.iter().rev().fold(0, |prefix, byte| prefix << 8 | u64::from(*byte)),
    }
}
