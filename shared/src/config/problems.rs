//! Collecting what is wrong, with the path to it.

use core::fmt::Write as _;

use super::error::Problem;

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
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let value = read(self);
        self.path.truncate(length);
        value
    }

    /// Reads an item of a list, with its index on the path.
    pub fn item<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        let _infallible = write!(self.path, "[{index}]");
        let value = read(self);
        self.path.truncate(length);
        value
    }

    /// Adds a problem at the present path.
    pub fn add(&mut self, text: impl Into<String>) {
        self.list.push(Problem { path: self.path.clone(), text: text.into() });
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
