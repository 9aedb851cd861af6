//! Patterns of `matches`: read into a program of few kinds of steps, which is run over a text once, whatever the pattern is.
//!
//! The language is that of RE2 as the crate `regex-lite` reads it, which is the oracle of the tests: no back-references, no
//! look-around, no Unicode classes; `\d`, `\s`, `\w`, `\b` and `(?i)` are ASCII. Only whether a pattern occurs is asked, so a group
//! only groups, and greed is no difference.

mod item;
mod program;
mod read;
mod set;
#[cfg(test)]
mod tests;

pub(super) use read::read;

use program::{Run, Step};
use set::Set;

/// A pattern that was read.
#[derive(Clone, Debug)]
pub(super) struct Regex {
    steps: Vec<Step>,
    sets: Vec<Set>,
    /// Bytes of the pattern as it was written.
    length: usize,
}

impl Regex {
    /// Bytes of the pattern.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Whether it occurs in `text`.
    pub(super) fn is_match(&self, text: &str) -> bool {
        Run::new(&self.steps, &self.sets).finds(text)
    }
}
