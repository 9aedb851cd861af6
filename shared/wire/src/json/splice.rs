//! Edits of a text that leave everything else byte for byte.

use super::Span;
use crate::order::sorted;

/// Replacements of parts of one text.
#[derive(Clone, Debug, Default)]
pub struct Splices {
    edits: Vec<(Span, Vec<u8>)>,
}

/// Two edits touch the same bytes, or one lies outside of the text; a bug of the caller, and nothing is edited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overlap;

impl Splices {
    /// No edits.
    pub const fn new() -> Self {
        Self { edits: Vec::new() }
    }

    /// Puts `bytes` in place of a part.
    pub fn replace(&mut self, span: Span, bytes: impl Into<Vec<u8>>) {
        self.edits.push((span, bytes.into()));
    }

    /// Takes a part out.
    pub fn remove(&mut self, span: Span) {
        self.replace(span, Vec::new());
    }

    /// Takes items out of an array, each with one comma. `items` are the spans of **all** items in order.
    pub fn remove_items(&mut self, items: &[Span], keep: impl Fn(usize) -> bool) {
        let (Some(first), Some(last)) = (items.first(), items.last()) else { return };
        let Some(kept) = (0..items.len()).find(|index| keep(*index)) else {
            return self.remove(Span { start: first.start, end: last.end });
        };
        if kept > 0
            && let Some(item) = items.get(kept)
        {
            self.remove(Span { start: first.start, end: item.start });
        }
        for (index, pair) in items.windows(2).enumerate().skip(kept) {
            if let [before, item] = pair
                && !keep(index + 1)
            {
                self.remove(Span { start: before.end, end: item.end });
            }
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The edited text.
    pub fn apply(self, text: &[u8]) -> Result<Vec<u8>, Overlap> {
        let span = |index: usize| self.edits.get(index).map(|(span, _)| *span);
        let order = sorted(self.edits.len(), &|a, b| span(a).cmp(&span(b)));
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        for (span, bytes) in order.iter().filter_map(|index| self.edits.get(*index)) {
            out.extend_from_slice(text.get(at..span.start).ok_or(Overlap)?);
            out.extend_from_slice(bytes);
            if span.end < span.start {
                return Err(Overlap);
            }
            at = span.end;
        }
        out.extend_from_slice(text.get(at..).ok_or(Overlap)?);
        Ok(out)
    }
}
