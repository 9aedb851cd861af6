//! No member name twice in one object, at any depth (BY-J-01).

use core::cmp::Ordering;

use super::text::Str;
use crate::order::sorted;

/// The names of all objects that are open, innermost last.
pub(super) struct Names {
    entries: Vec<Entry>,
    unescaped: Vec<u8>,
    /// Where names were found by their hash: their number plus one, or 0.
    table: Vec<u32>,
}

/// How much was there when an object was opened.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    entries: usize,
    unescaped: usize,
}

/// A name.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// Of the first and the last bytes: nearly always enough to tell names apart.
    hash: u64,
    /// In the text, or behind its end in `unescaped`.
    start: usize,
    end: usize,
    /// Where the name stands in the text.
    at: usize,
}

impl Entry {
    const NONE: Self = Self { hash: 0, start: 0, end: 0, at: 0 };

    /// The name of so many bytes without escapes that begins a `member`, which stands at `at`.
    #[inline(always)]
    pub(super) fn first_of(member: &[u8], at: usize, length: usize) -> Self {
        let start = at.wrapping_add(1);
        Self { hash: hash(member, 1, length.wrapping_add(1)), start, end: start.wrapping_add(length), at }
    }
}

/// For how many names there is [room](Names::room).
pub(super) const ROOM: usize = 32;

/// Up to here all pairs are compared.
const FEW: usize = 8;

impl Names {
    /// Room for the names of a usual request.
    pub(super) fn new() -> Self {
        Self { entries: Vec::with_capacity(10), unescaped: Vec::new(), table: Vec::new() }
    }

    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark { entries: self.entries.len(), unescaped: self.unescaped.len() }
    }

    /// Takes the name whose inside is `start..end` and has no escapes.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], start: usize, end: usize) {
        self.entries.push(Entry { hash: hash(text, start, end), start, end, at: start - 1 });
    }

    /// Room for the next names, so that none of them may need more; [`keep`](Self::keep) must follow.
    pub(super) fn room(&mut self) -> &mut [Entry] {
        let before = self.entries.len();
        self.entries.extend_from_slice(&[Entry::NONE; ROOM]);
        self.entries.get_mut(before..).unwrap_or_default()
    }

    /// Keeps the first names for which there was room, and takes back the rest of it.
    pub(super) fn keep(&mut self, count: usize) {
        self.entries.truncate((self.entries.len() + count).saturating_sub(ROOM));
    }

    #[cold]
    pub(super) fn push_escaped(&mut self, text: &[u8], name: &Str<'_>) {
        let start = self.unescaped.len();
        self.unescaped.extend_from_slice(name.text().as_bytes());
        let end = self.unescaped.len();
        let hash = hash(&self.unescaped, start, end);
        self.entries.push(Entry { hash, start: text.len() + start, end: text.len() + end, at: name.span().start });
    }

    /// Forgets the names since `mark`; where one stands that was there before, if any.
    #[inline]
    pub(super) fn close(&mut self, text: &[u8], mark: Mark) -> Result<(), usize> {
        if self.entries.len() > mark.entries + 1 {
            self.compare(text, mark)?;
        }
        self.entries.truncate(mark.entries);
        self.unescaped.truncate(mark.unescaped);
        Ok(())
    }

    #[inline(never)]
    fn compare(&mut self, text: &[u8], mark: Mark) -> Result<(), usize> {
        let own = self.entries.get(mark.entries..).unwrap_or_default();
        let names = List { text, unescaped: &self.unescaped, own };
        let twice = if own.len() <= FEW { names.of_all_pairs() } else { names.by_hash(&mut self.table) };
        twice.map_or(Ok(()), Err)
    }
}

/// The names of one object.
struct List<'a> {
    text: &'a [u8],
    unescaped: &'a [u8],
    own: &'a [Entry],
}

impl<'a> List<'a> {
    fn of_all_pairs(&self) -> Option<usize> {
        let mut behind = self.own;
        while let Some((a, rest)) = behind.split_first() {
            for b in rest {
                if a.hash == b.hash && self.bytes(a) == self.bytes(b) {
                    return Some(b.at);
                }
            }
            behind = rest;
        }
        None
    }

    /// Whether all hashes differ, and so all names. It calls nothing, so that all of it stays in registers; what it cannot tell is told
    /// by the other steps.
    #[inline(never)]
    fn are_of_different_hashes(&self, table: &mut [u32]) -> bool {
        let mask = table.len().wrapping_sub(1);
        let mut steps = 8 * self.own.len();
        let mut number = 0_u32;
        for entry in self.own {
            number = number.wrapping_add(1);
            let mut at = entry.hash as usize & mask;
            loop {
                let Some(slot) = table.get_mut(at) else { return false };
                let Some(other) = self.own.get((*slot).wrapping_sub(1) as usize) else {
                    *slot = number;
                    break;
                };
                if other.hash == entry.hash || steps == 0 {
                    return false;
                }
                steps = steps.wrapping_sub(1);
                at = at.wrapping_add(1) & mask;
            }
        }
        true
    }

    /// A peer may choose names of one hash: after too many steps they are sorted, so that it costs no square.
    #[inline(never)]
    fn by_hash(&self, table: &mut Vec<u32>) -> Option<usize> {
        // Never more than half of it is used.
        let size = (2 * self.own.len()).next_power_of_two();
        if self.are_of_different_hashes(emptied(table, size)) {
            return None;
        }
        let table = emptied(table, size);
        let mut steps = 8 * self.own.len();
        let mut number = 0_u32;
        for entry in self.own {
            number = number.wrapping_add(1);
            let mut at = entry.hash as usize & (size - 1);
            while let Some(slot) = table.get_mut(at) {
                if *slot == 0 {
                    *slot = number;
                    break;
                }
                if self.is_twin(entry, *slot) {
                    return Some(entry.at);
                }
                at = at.wrapping_add(1) & (size - 1);
                steps = steps.wrapping_sub(1);
                if steps == 0 {
                    return self.by_order();
                }
            }
        }
        None
    }

    #[inline(never)]
    fn is_twin(&self, entry: &Entry, number: u32) -> bool {
        let other = self.own.get(number.wrapping_sub(1) as usize);
        other.is_some_and(|other| other.hash == entry.hash && self.bytes(other) == self.bytes(entry))
    }

    #[cold]
    fn by_order(&self) -> Option<usize> {
        let name = |index: usize| self.own.get(index).map(|entry| (entry, self.bytes(entry)));
        let compare = |a: usize, b: usize| name(a).map(|(_, name)| name).cmp(&name(b).map(|(_, name)| name));
        let order = sorted(self.own.len(), &compare);
        let mut pairs = order.iter().zip(order.iter().skip(1));
        let (_, twice) = pairs.find(|(a, b)| compare(**a, **b) == Ordering::Equal)?;
        name(*twice).map(|(entry, _)| entry.at)
    }

    fn bytes(&self, entry: &Entry) -> &'a [u8] {
        let bytes = match entry.start.checked_sub(self.text.len()) {
            Some(start) => self.unescaped.get(start..entry.end - self.text.len()),
            None => self.text.get(entry.start..entry.end),
        };
        bytes.unwrap_or_default()
    }
}

fn emptied(table: &mut Vec<u32>, size: usize) -> &mut [u32] {
    table.clear();
    table.resize(size, 0);
    table
}

/// Of the first eight bytes, the last eight and the length.
#[inline]
fn hash(text: &[u8], start: usize, end: usize) -> u64 {
    let length = end.wrapping_sub(start);
    let mixed = match (word(text, start), length) {
        (Some(first), 0..8) => first & ((1 << (8 * length)) - 1),
        (Some(first), _) => first ^ word(text, end.wrapping_sub(8)).unwrap_or_default().rotate_left(23).wrapping_mul(MIX),
        (None, _) => close_to_the_end(text, start, end),
    };
    let hash = (mixed ^ (length as u64) << 56).wrapping_mul(MIX);
    // The high bits are the mixed ones; the low ones are used.
    hash ^ hash >> 32
}

#[inline]
fn word(text: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*text.get(at..)?.first_chunk::<8>()?))
}

#[cold]
#[inline(never)]
fn close_to_the_end(text: &[u8], start: usize, end: usize) -> u64 {
    text.get(start..end).unwrap_or_default().iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[String]) -> Result<(), usize> {
        let text: String = texts.iter().map(|text| format!("\"{text}")).collect();
        let mut names = Names::new();
        let mut at = 0;
        for name in texts {
            names.push(text.as_bytes(), at + 1, at + 1 + name.len());
            at += 1 + name.len();
        }
        names.close(text.as_bytes(), Mark::default())
    }

    #[test]
    fn many_names_of_one_hash_are_told_apart_without_their_square() {
        let mut texts: Vec<String> = (0..20_000).map(|index| format!("same-start{index:05}same--end")).collect();
        let hash = |text: &String| hash(text.as_bytes(), 0, text.len());
        assert!(texts.iter().all(|text| hash(text) == hash(&texts[0])), "else this tests nothing");
        assert_eq!(names(&texts), Ok(()));
        texts.push(texts[7].clone());
        assert_eq!(names(&texts), Err(20_000 * 25), "the second one is told");
    }

    #[test]
    fn short_names_have_hashes_of_their_own() {
        let texts: Vec<String> = (0..5_000).map(|index| format!("k{index}")).collect();
        let hashes: std::collections::HashSet<u64> = texts.iter().map(|text| hash(text.as_bytes(), 0, text.len())).collect();
        assert_eq!(hashes.len(), texts.len());
        assert_eq!(names(&texts), Ok(()));
    }
}
