//! Colour, where somebody looks.

use std::fmt::Display;

/// Whether texts are coloured.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Coloured if `terminal` and `NO_COLOR` is not set (no-color.org: any value but the empty one).
    pub fn new(terminal: bool, no_color: Option<&std::ffi::OsStr>) -> Self {
        Self { colour: terminal && no_color.is_none_or(std::ffi::OsStr::is_empty) }
    }

    /// Something good.
    pub fn good(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    /// Something bad.
    pub fn bad(self, text: impl Display) -> String {
        self.paint("31", text)
    }

    /// Something that was left out.
    pub fn left_out(self, text: impl Display) -> String {
        self.paint("33", text)
    }

    /// Something of less interest.
    pub fn faint(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    /// A heading.
    pub fn strong(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_is_honoured() {
        assert_eq!(Style::new(true, None).bad("x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Style::new(true, Some("".as_ref())).bad("x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Style::new(true, Some("1".as_ref())).bad("x"), "x");
        assert_eq!(Style::new(false, None).bad("x"), "x");
    }
}
