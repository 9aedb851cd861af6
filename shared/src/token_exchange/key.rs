//! What a token is kept under.

use std::hash::{Hash, Hasher};

use crate::keyed::Keyed;

/// Names all that an issued token depends on (OA-TE-06, BY-X-03). It is a hash, so that what is kept shows no token; and a keyed
/// one, so that nobody can make two requests that fall on one key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key(u128);

/// What keys are made with; random.
pub(super) type Salt = [u8; 16];

/// All that an issued token depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyParts<'a> {
    /// The configuration: its digest.
    pub(super) policy: &'a str,
    pub(super) subject: &'a [u8],
    /// The agent's own token, where it is sent.
    pub(super) actor: Option<&'a str>,
    /// The agent that calls: a token says who it is.
    pub(super) agent: &'a str,
    /// The token service: its name, cluster, authority and path.
    pub(super) server: [&'a str; 4],
    pub(super) client: &'a str,
    pub(super) audience: Option<&'a str>,
    pub(super) resource: Option<&'a str>,
    /// What is asked for, in ascending order.
    pub(super) scopes: &'a [String],
    /// What kind of token is asked for.
    pub(super) requested: &'a str,
    /// Longest life in seconds: two routes may differ in nothing else.
    pub(super) max_life: u64,
}

impl Key {
    /// The key of `parts`; with the same `salt` the same parts have the same key, and no others do.
    pub(super) fn new(salt: &Salt, parts: &KeyParts<'_>) -> Self {
        let mut hash = Keyed::new(salt);
        hash.put(Some(parts.subject));
        let mut put = |part: Option<&str>| hash.put(part.map(str::as_bytes));
        put(Some(parts.policy));
        put(parts.actor);
        put(Some(parts.agent));
        parts.server.iter().for_each(|part| put(Some(part)));
        put(Some(parts.client));
        put(parts.audience);
        put(parts.resource);
        put(Some(parts.requested));
        parts.scopes.iter().for_each(|scope| put(Some(scope)));
        hash.put(Some(&parts.max_life.to_le_bytes()));
        Self(hash.finish())
    }
}

/// A part of it is enough for a table: it is a hash already.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64((self.0 >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn any_other_part_is_another_key() {
        let (one, two) = (["a".to_owned(), "b".to_owned()], ["a".to_owned()]);
        let base = KeyParts {
            policy: "p",
            subject: b"s",
            actor: None,
            agent: "g",
            server: ["n", "c", "a", "/t"],
            client: "c",
            audience: Some("x"),
            resource: None,
            scopes: &one,
            requested: "t",
            max_life: 300,
        };
        let all = [
            base,
            KeyParts { policy: "p2", ..base },
            KeyParts { subject: b"s2", ..base },
            KeyParts { actor: Some(""), ..base },
            KeyParts { actor: Some("a"), ..base },
            KeyParts { agent: "g2", ..base },
            KeyParts { server: ["n2", "c", "a", "/t"], ..base },
            KeyParts { server: ["n", "c2", "a", "/t"], ..base },
            KeyParts { server: ["n", "c", "a2", "/t"], ..base },
            KeyParts { server: ["n", "c", "a", "/t2"], ..base },
            KeyParts { server: ["nc", "", "a", "/t"], ..base },
            KeyParts { client: "c2", ..base },
            KeyParts { audience: Some("y"), ..base },
            KeyParts { audience: None, resource: Some("x"), ..base },
            KeyParts { resource: Some("r"), ..base },
            KeyParts { scopes: &two, ..base },
            KeyParts { requested: "t2", ..base },
            KeyParts { max_life: 60, ..base },
        ];
        let keys: HashSet<Key> = all.iter().map(|parts| Key::new(&[0; 16], parts)).collect();
        assert_eq!(keys.len(), all.len());
        assert_eq!(Key::new(&[0; 16], &base), Key::new(&[0; 16], &base));
        assert_ne!(Key::new(&[0; 16], &base), Key::new(&[1; 16], &base));
    }
}
