//! Bytes as a source of choices: what a fuzzer changes is what happens.

/// Reads choices from the front of an input. When it is used up, every choice is the first.
#[derive(Clone, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Over all of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte; `None` at the end.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte().unwrap_or(0)) % end.max(1)
    }

    /// Yes, for half of all bytes.
    pub fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    /// So many bytes, or what is left.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }
}
