//! What a token grants: `scope` or `scp`.

use std::rc::Rc;

use super::{Value, ValueError};

/// A set of scopes, never a substring (OA-J-11, BY-T-15): one text in which a space stands between two of them. Each request has one and
/// hands it on, so it is one allocation that all share.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scopes(Option<Rc<str>>);

impl Scopes {
    /// Those of a `scope` claim: separated by one space each (RFC 6749 section 3.3); more spaces than one say nothing.
    pub fn read(text: &str) -> Self {
        let mut before = b' ';
        let mut spaced = text.bytes().any(|byte| core::mem::replace(&mut before, byte) == b' ' && byte == b' ');
        spaced |= before == b' ';
        if !spaced {
            return Self(Some(text.into()));
        }
        let parts: Vec<&str> = text.split(' ').filter(|part| !part.is_empty()).collect();
        Self((!parts.is_empty()).then(|| parts.join(" ").into()))
    }

    /// Single ones; `None` where an item is two.
    pub fn of_items(items: &[String]) -> Option<Self> {
        let single = !items.iter().any(|item| item.contains(' '));
        single.then(|| Self::read(&items.join(" ")))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.0.as_deref().unwrap_or_default();
        core::iter::from_fn(move || {
            // `split` is made for long texts.
            let end = rest.bytes().position(|byte| byte == b' ').unwrap_or(rest.len());
            let scope = rest.get(..end)?;
            rest = rest.get(end + 1..).unwrap_or_default();
            Some(scope).filter(|scope| !scope.is_empty())
        })
    }

    /// Whether it is one of them.
    pub fn contains(&self, wanted: &str) -> bool {
        self.iter().any(|scope| scope == wanted)
    }
}

/// `scope` or `scp`: one string, or a list in which no item is two. Okta lists `scp`; Istio makes a list of every `scope`
/// (`normalize_payload_in_metadata`).
pub(super) fn granted(value: Value<'_>) -> Result<Option<Scopes>, ValueError> {
    if value.is_absent() {
        return Ok(None);
    }
    if let Ok(text) = value.clone().into_text() {
        return Ok(text.map(Scopes::read));
    }
    Scopes::of_items(&value.into_texts()?).map(Some).ok_or(ValueError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_say_nothing_but_where_a_scope_ends() {
        for (text, want) in [
            ("", &[][..]),
            (" ", &[]),
            ("a", &["a"]),
            ("a b", &["a", "b"]),
            ("files:read  b", &["files:read", "b"]),
            (" a b", &["a", "b"]),
            ("a b ", &["a", "b"]),
            ("  ", &[]),
        ] {
            let scopes = Scopes::read(text);
            assert_eq!(scopes.iter().collect::<Vec<_>>(), want, "{text:?}");
            assert_eq!(Scopes::read(&want.join(" ")), scopes, "{text:?}: one form");
        }
        assert_eq!(Scopes::read(" "), Scopes::default());
    }

    #[test]
    fn a_scope_is_a_whole_one() {
        let scopes = Scopes::read("files:read files");
        assert!(["files:read", "files"].iter().all(|scope| scopes.contains(scope)));
        assert!(!["", "file", "files:rea", "read", "files:read files", " "].iter().any(|scope| scopes.contains(scope)));
    }

    #[test]
    fn an_item_of_a_list_is_one_scope() {
        let of = |items: &[&str]| Scopes::of_items(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["a", "b"]), Some(Scopes::read("a b")));
        assert_eq!(of(&[]), Some(Scopes::default()));
        assert_eq!(of(&["a b"]), None);
        assert_eq!(of(&["a", " "]), None);
    }
}
