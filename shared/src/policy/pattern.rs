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
        let Some((before, after)) = self.ends() else { return self.text == name };
        name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
    }

    /// Whether it has a `*`.
    pub fn is_open(&self) -> bool {
        self.star.is_some()
    }

    /// Whether it is nothing but `*`.
    pub fn is_any(&self) -> bool {
        self.text == "*"
    }

    /// What stands before and after the `*`, if there is one.
    pub fn ends(&self) -> Option<(&str, &str)> {
        let star = self.star?;
        Some((self.text.get(..star).unwrap_or_default(), self.text.get(star + 1..).unwrap_or_default()))
    }

    /// Whether every name that `other` means is meant by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        match (self.ends(), other.ends()) {
            (_, None) => self.matches(&other.text),
            (None, Some(_)) => false,
            (Some((before, after)), Some((start, end))) => start.starts_with(before) && end.ends_with(after),
        }
    }

    /// Whether some name is meant by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.ends(), other.ends()) {
            (_, None) => self.matches(&other.text),
            (None, Some(_)) => other.matches(&self.text),
            (Some((before, after)), Some((start, end))) => {
                (start.starts_with(before) || before.starts_with(start)) && (end.ends_with(after) || after.ends_with(end))
            }
        }
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
    fn covering_and_overlapping_agree_with_matching() {
        let texts = ["a", "b", "ab", "aba", "aa", "*", "a*", "*a", "a*a", "ab*", "*b", "b*"];
        let names: Vec<String> = (0..4u32)
            .flat_map(|length| {
                (0..2u32.pow(length)).map(move |bits| (0..length).map(|i| if bits >> i & 1 == 0 { 'a' } else { 'b' }).collect())
            })
            .collect();
        for one in texts.map(|text| Pattern::parse(text).unwrap()) {
            for two in texts.map(|text| Pattern::parse(text).unwrap()) {
                let both = names.iter().any(|name| one.matches(name) && two.matches(name));
                let all = names.iter().all(|name| one.matches(name) || !two.matches(name));
                assert_eq!(one.overlaps(&two), both, "{one:?} {two:?}");
                assert_eq!(one.covers(&two), all, "{one:?} {two:?}");
            }
        }
    }

    #[test]
    fn what_is_not_a_pattern_says_why() {
        insta::assert_snapshot!(Pattern::parse("a*b*").unwrap_err(), @"pattern `a*b*` has more than one `*`. One is allowed");
        insta::assert_snapshot!(Pattern::parse("").unwrap_err(), @"is empty. Write a name, or `*` for any");
    }
}
