//! Resource URIs: patterns, and what a template could become (MCP-A-05).

use crate::json::has_control;
use crate::policy::Pattern;

/// A URI with at most one `*`. The scheme is compared without case, the rest byte by byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UriPattern {
    /// With its scheme in lower case.
    pattern: Pattern,
    /// Of a deny rule.
    denies: bool,
}

/// How much of a set of URIs a pattern has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fit {
    /// None.
    No,
    /// Some, or it cannot be told.
    Some,
    /// All.
    All,
}

impl UriPattern {
    /// Reads a pattern; the error says what to do.
    pub fn parse(text: &str, denies: bool) -> Result<Self, String> {
        let pattern = Pattern::parse(&with_lower_scheme(text))?;
        // Exact names are compared as they are; a `*` behind what servers read in several ways would match anything.
        if pattern.is_open() && is_ambiguous(text) {
            return Err(format!(
                "`{text}` has `..`, a backslash, an encoded `.`, `/` or `\\`, a user name or a control character, so with `*` it never matches"
            ));
        }
        Ok(Self { pattern, denies })
    }

    /// As it is compared.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether `uri` is meant. With `*`, a URI that servers resolve in several ways is never allowed, and always denied
    /// where its scheme is the pattern's.
    pub fn matches(&self, uri: &str) -> bool {
        if self.pattern.is_open() && is_ambiguous(uri) {
            return self.denies && self.same_scheme(uri);
        }
        match has_upper_scheme(uri) {
            true => self.pattern.matches(&with_lower_scheme(uri)),
            false => self.pattern.matches(uri),
        }
    }

    /// How many URIs of an RFC 6570 template are meant. What an expression becomes is not known; it may be anything.
    pub fn fits(&self, template: &str) -> Fit {
        let literals = template.find('{').zip(template.rfind('}')).filter(|(open, close)| open < close);
        let Some((open, close)) = literals else {
            return match (template.bytes().any(|byte| matches!(byte, b'{' | b'}')), self.matches(template)) {
                (true, _) if self.denies => Fit::Some,
                (true, _) | (false, false) => Fit::No,
                (false, true) => Fit::All,
            };
        };
        let before = with_lower_scheme(template.get(..open).unwrap_or_default());
        let after = template.get(close + 1..).unwrap_or_default();
        if self.pattern.is_open() && (is_ambiguous(&before) || is_ambiguous(after)) {
            return if self.denies { Fit::Some } else { Fit::No };
        }
        let Some((start, end)) = self.pattern.ends() else {
            let exact = self.pattern.as_str();
            let can = exact.len() >= before.len() + after.len() && exact.starts_with(&before) && exact.ends_with(after);
            return if can { Fit::Some } else { Fit::No };
        };
        if before.starts_with(start) && after.ends_with(end) {
            Fit::All
        } else if (before.starts_with(start) || start.starts_with(&before)) && (after.ends_with(end) || end.ends_with(after)) {
            Fit::Some
        } else {
            Fit::No
        }
    }

    fn same_scheme(&self, uri: &str) -> bool {
        let start = self.pattern.ends().map_or(self.pattern.as_str(), |(start, _)| start);
        match scheme(start) {
            Some(own) => scheme(uri).is_some_and(|theirs| own.eq_ignore_ascii_case(theirs)),
            None => true,
        }
    }
}

/// RFC 3986 section 3.1.
fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
    Some(scheme).filter(|scheme| scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(plain))
}

fn has_upper_scheme(uri: &str) -> bool {
    scheme(uri).is_some_and(|scheme| scheme.bytes().any(|c| c.is_ascii_uppercase()))
}

pub(super) fn with_lower_scheme(uri: &str) -> String {
    match scheme(uri) {
        Some(scheme) => format!("{}{}", scheme.to_ascii_lowercase(), uri.get(scheme.len()..).unwrap_or_default()),
        None => uri.to_owned(),
    }
}

/// Whether two servers could resolve it to two resources: `..`, a backslash, an encoded dot, slash, backslash or control
/// character (also encoded twice), a user name in the authority, a control character.
fn is_ambiguous(uri: &str) -> bool {
    let authority = uri.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    uri.contains("..")
        || uri.contains('\\')
        || has_control(uri)
        || authority.is_some_and(|authority| authority.contains('@'))
        || uri.split('%').skip(1).any(|rest| {
            let mut rest = rest.as_bytes();
            while let Some(inner) = rest.strip_prefix(b"25") {
                rest = inner;
            }
            let digit = |c: Option<&u8>| c.and_then(|c| char::from(*c).to_digit(16));
            match (digit(rest.first()), digit(rest.get(1))) {
                (Some(high), Some(low)) => matches!(high << 4 | low, 0..0x20 | 0x2e | 0x2f | 0x5c | 0x7f),
                _ => false,
            }
        })
}
