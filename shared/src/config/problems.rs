//! Collecting what is wrong, with the path to it.

use super::error::Problem;
use crate::json::push_number;

/// The list of what is wrong, and where the reader stands.
#[derive(Debug, Default)]
pub struct Problems {
    path: String,
    list: Vec<Problem>,
}

impl Problems {
    /// Nothing wrong yet.
    pub const fn new() -> Self {
        Self { path: String::new(), list: Vec::new() }
    }

    /// Reads a member, with its name on the path.
    pub fn field<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.enter(name, None);
        let value = read(self);
        self.leave(length);
        value
    }

    /// Reads an item of a list, with its index on the path.
    pub fn item<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.enter("", Some(index));
        let value = read(self);
        self.leave(length);
        value
    }

    /// Adds a problem at the present path.
    pub fn add(&mut self, text: impl Into<String>) {
        self.push(text.into());
    }

    /// Adds a problem unless this is what becomes part of a name that others read: of a metric, of filter state.
    pub fn named(&mut self, name: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            self.add(format!("`{name}` must be 1 to 64 of `A-Z a-z 0-9 - _`"));
        }
    }

    // Out of line: hundreds of places come by here, once in the life of a plugin.

    #[inline(never)]
    fn enter(&mut self, name: &str, index: Option<usize>) -> usize {
        let length = self.path.len();
        match index {
            Some(index) => {
                self.path.push('[');
                push_number(&mut self.path, u64::try_from(index).unwrap_or(u64::MAX));
                self.path.push(']');
            }
            None => {
                self.path.push_str(if length > 0 { "." } else { "" });
                self.path.push_str(name);
            }
        }
        length
    }

    #[inline(never)]
    fn leave(&mut self, length: usize) {
        self.path.truncate(length);
    }

    #[cold]
    #[inline(never)]
    fn push(&mut self, text: String) {
        self.list.push(Problem { path: self.path.clone(), text });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them.
    pub fn into_list(self) -> Vec<Problem> {
        self.list
    }
}
