//! What is wrong with a text, and where.

use core::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

/// All that is wrong with one text.
pub(super) struct Problems<'t> {
    text: &'t str,
    /// In the order of the text.
    list: Vec<(usize, String)>,
}

/// So many are told at the most.
const MOST: usize = 20;

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// Adds one; `at` is in bytes.
    #[cold]
    pub(super) fn add(&mut self, at: usize, text: impl Into<String>) {
        if self.list.len() < MOST {
            let place = self.list.iter().position(|(other, _)| *other > at).unwrap_or(self.list.len());
            self.list.insert(place, (at, text.into()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn into_list(self) -> Vec<Problem> {
        let text = self.text;
        self.list
            .into_iter()
            .map(|(at, problem)| {
                let before = text.get(..at).unwrap_or(text);
                let line = before.rsplit('\n').next().unwrap_or_default();
                Problem { line: before.matches('\n').count() + 1, column: line.chars().count() + 1, text: problem }
            })
            .collect()
    }
}
