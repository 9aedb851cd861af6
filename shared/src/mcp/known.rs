//! Lists that came before: a server hardly ever changes its tools, and every client asks for them.

use core::cell::RefCell;
use core::fmt;

use super::List;
use super::answer::Item;
use crate::json::{self, Known, Place, Reader, Span};

/// Lists that a worker keeps at the most.
const MOST: usize = 4;
/// Shorter ones are read as quickly.
const LEAST_BYTES: usize = 2 << 10;
/// Longer ones are not kept.
const MOST_BYTES: usize = 256 << 10;

/// The last lists, and what was read of them. The same bytes are not read again; who may see what of them is decided for
/// every caller.
#[derive(Clone, Default)]
pub struct KnownLists(RefCell<Vec<Entry>>);

#[derive(Clone)]
struct Entry {
    of: List,
    value: Known,
    /// Where each item and its key stand, from the first byte of the list on.
    items: Vec<(Span, Place)>,
}

impl KnownLists {
    /// The items of the next value of `reader`, if it is a list that is known; then it was taken.
    pub(super) fn recall<'a>(&self, of: List, reader: &mut Reader<'a>) -> Result<Option<Vec<Item<'a>>>, json::Error> {
        for entry in self.0.borrow().iter().filter(|entry| entry.of == of) {
            if let Some(Span { start, .. }) = reader.take_known(&entry.value)? {
                let text = reader.text();
                let item = |(span, key): &(Span, Place)| Item { span: span.plus(start), key: key.of(text, start) };
                return Ok(Some(entry.items.iter().map(item).collect()));
            }
        }
        Ok(None)
    }

    /// Keeps a list that was just read from `span`, before which there were so many `nodes`.
    pub(super) fn keep(&self, of: List, span: Span, nodes: usize, items: &[Item<'_>], reader: &Reader<'_>) {
        if !(LEAST_BYTES..=MOST_BYTES).contains(&(span.end - span.start)) {
            return;
        }
        let Some(value) = reader.keep(span, nodes) else { return };
        let items = items.iter().map(|item| (item.span.minus(span.start), item.key.place(span.start))).collect();
        let mut entries = self.0.borrow_mut();
        if entries.len() >= MOST {
            entries.remove(0);
        }
        entries.push(Entry { of, value, items });
    }
}

/// Shows nothing of the lists.
impl fmt::Debug for KnownLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownLists({})", self.0.borrow().len())
    }
}
