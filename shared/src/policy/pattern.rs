//! Names that a rule speaks of: exact, or with one `*`.

/// A name with at most one `*`, which stands for any text, also none. Bytes are compared as they are: no case folding, no
/// trimming, no Unicode normalization (MCP-A-02).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    text: String,
    star: Option<usize>,
}

impl Pattern {
    /// Reads a pattern; the error says what to do.
    pub fn parse(text: &str) -> Result<Self, String> {
        let star = text.find('*');
        if text.is_empty() {
            return Err("is empty. Write a name, or `*` for any".to_owned());
        }
        if text.bytes().filter(|c| *c == b'*').count() > 1 {
            return Err(format!("pattern `{text}` has more than one `*`. One is allowed"));
        }
        Ok(Self { text: text.to_owned(), star })
    }

    /// Whether `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        let Some(star) = self.star else { return self.text == name };
        let (before, after) = (self.text.get(..star).unwrap_or_default(), self.text.get(star + 1..).unwrap_or_default());
        name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_stands_for_any_text() {
        for (pattern, name, want) in [
            ("read_file", "read_file", true),
            ("read_file", "Read_file", false),
            ("read_file", "read_file ", false),
            ("search_*", "search_", true),
            ("search_*", "search_web", true),
            ("search_*", "research_web", false),
            ("*_all", "delete_all", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("files:*:read", "files:x:read", true),
        ] {
            assert_eq!(Pattern::parse(pattern).map(|p| p.matches(name)), Ok(want), "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_not_a_pattern_says_why() {
        insta::assert_snapshot!(Pattern::parse("a*b*").unwrap_err(), @"pattern `a*b*` has more than one `*`. One is allowed");
        insta::assert_snapshot!(Pattern::parse("").unwrap_err(), @"is empty. Write a name, or `*` for any");
    }
}
