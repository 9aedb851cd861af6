//! Reading a mapping member by member: whatever is not asked for is an unknown field, and every problem is reported.

use std::fmt;
use std::path::{Path, PathBuf};

use super::yaml::{Data, Entry, Node, Place};

/// Everything that is wrong with a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoadError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, in the order of the text.
    pub problems: Vec<Problem>,
}

/// One problem.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    /// Where in the text; `None`: the file as a whole.
    pub place: Option<Place>,
    /// Such as `cases[2].expect.client`; empty for the whole text.
    pub path: String,
    /// What is wrong and what to do.
    pub text: String,
}

/// A growing list of problems, with readers of plain values.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

/// The members of one mapping.
pub(super) struct Fields<'a> {
    entries: &'a [Entry],
    known: Vec<&'static str>,
    path: String,
}

// === impl LoadError ===

impl LoadError {
    /// The file could not be read at all.
    pub fn whole(file: &Path, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), problems: vec![Problem { place: None, path: String::new(), text: text.into() }] }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.file.display())?;
            if let Some(place) = problem.place {
                write!(f, "{place}:")?;
            }
            if !problem.path.is_empty() {
                write!(f, " {}:", problem.path)?;
            }
            write!(f, " {}", problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

// === impl Problems ===

impl Problems {
    pub(super) fn add(&mut self, node: &Node, path: &str, text: impl Into<String>) {
        self.at(node.place, path, text);
    }

    pub(super) fn at(&mut self, place: Place, path: &str, text: impl Into<String>) {
        self.0.push(Problem { place: Some(place), path: path.to_owned(), text: text.into() });
    }

    /// In the order of the text, each once.
    pub(super) fn into_list(mut self) -> Vec<Problem> {
        self.0.sort();
        self.0.dedup();
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn expected(&mut self, node: &Node, path: &str, what: &str) {
        self.add(node, path, format!("expected {what}, not {}", node.kind()));
    }

    pub(super) fn string(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = node.as_str().map(str::to_owned);
        if text.is_none() {
            self.expected(node, path, "a string");
        }
        text
    }

    pub(super) fn boolean(&mut self, node: &Node, path: &str) -> Option<bool> {
        if let Data::Bool(value) = node.data {
            return Some(value);
        }
        self.expected(node, path, "`true` or `false`");
        None
    }

    pub(super) fn integer(&mut self, node: &Node, path: &str) -> Option<u64> {
        let value = if let Data::Number(number) = &node.data { number.as_u64() } else { None };
        if value.is_none() {
            self.expected(node, path, "an integer from 0");
        }
        value
    }

    pub(super) fn list<'a>(&mut self, node: &'a Node, path: &str) -> &'a [Node] {
        if let Data::List(items) = &node.data {
            return items;
        }
        self.expected(node, path, "a list");
        &[]
    }

    pub(super) fn strings(&mut self, node: &Node, path: &str) -> Vec<String> {
        let items = self.list(node, path);
        items.iter().enumerate().filter_map(|(i, item)| self.string(item, &format!("{path}[{i}]"))).collect()
    }

    /// One of a closed set of words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node, path: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.string(node, path)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.add(node, path, format!("unknown word `{text}`{}", instead(&text, &names)));
        None
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// `None`, and a problem, if `node` is not a mapping.
    pub(super) fn of(node: &'a Node, path: &str, problems: &mut Problems) -> Option<Self> {
        if let Data::Map(entries) = &node.data {
            return Some(Self { entries, known: Vec::new(), path: path.to_owned() });
        }
        problems.expected(node, path, "a mapping");
        None
    }

    /// The member `name` and its path. Asking makes the name known.
    pub(super) fn take(&mut self, name: &'static str) -> Option<(&'a Node, String)> {
        self.known.push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        let dot = if self.path.is_empty() { "" } else { "." };
        Some((&entry.value, format!("{}{dot}{name}", self.path)))
    }

    /// Reports the members that nobody asked for.
    pub(super) fn finish(self, problems: &mut Problems) {
        for entry in self.entries {
            if !self.known.contains(&entry.key.as_str()) {
                let text = format!("unknown field `{}`{}", entry.key, instead(&entry.key, &self.known));
                problems.at(entry.place, &self.path, text);
            }
        }
    }
}

/// `, did you mean …?`, or the whole set.
pub(crate) fn instead(word: &str, known: &[&str]) -> String {
    let lower = word.to_lowercase();
    let folded = known.iter().find(|name| name.to_lowercase() == lower).copied();
    match folded.or_else(|| similar::get_close_matches(word, known, 1, 0.6).first().copied()) {
        Some(name) => format!(", did you mean `{name}`?"),
        None => format!("; known are {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}
