//! What is wrong with a configuration.

use core::fmt;

/// All problems of one configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigErrors {
    plugin: &'static str,
    problems: Vec<Problem>,
}

/// One problem: where, and what to do about it. Lower case, no full stop, user input in backticks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Such as `rules[2].tools[0]`; empty for the whole text.
    pub path: String,
    /// What is wrong and what to do.
    pub text: String,
}

impl ConfigErrors {
    /// The problems of `plugin`'s configuration; there is at least one.
    pub fn new(plugin: &'static str, problems: Vec<Problem>) -> Self {
        Self { plugin, problems }
    }

    /// All of them, in the order of the text.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{}: {count} {noun} in the configuration", self.plugin)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a configuration has must not write lines of its own into a log.
        let plain = |c: char| if c.is_control() { c.escape_default().collect::<String>() } else { c.to_string() };
        let separator = if self.path.is_empty() { "" } else { ": " };
        [&self.path, separator, &self.text].iter().try_for_each(|part| {
            if part.contains(char::is_control) {
                part.chars().try_for_each(|c| f.write_str(&plain(c)))
            } else {
                f.write_str(part)
            }
        })
    }
}

impl core::error::Error for ConfigErrors {}
