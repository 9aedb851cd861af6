//! What a token is kept under.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

/// Names all that an issued token depends on (OA-TE-06, BY-X-03). It is a hash, so that what is kept shows no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key([u8; 32]);

/// All that an issued token depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyParts<'a> {
    /// The configuration: its digest.
    pub(super) policy: &'a str,
    pub(super) subject: &'a str,
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
    pub(super) fn new(salt: &[u8; 32], parts: &KeyParts<'_>) -> Self {
        let mut hash = Sha256::new();
        hash.update(salt);
        let mut put = |part: Option<&str>| {
            // Its length before each, so that no two lists are one text.
            hash.update([u8::from(part.is_some())]);
            let part = part.unwrap_or_default();
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        };
        put(Some(parts.policy));
        put(Some(parts.subject));
        put(parts.actor);
        put(Some(parts.agent));
        parts.server.iter().for_each(|part| put(Some(part)));
        put(Some(parts.client));
        put(parts.audience);
        put(parts.resource);
        put(Some(parts.requested));
        parts.scopes.iter().for_each(|scope| put(Some(scope)));
        hash.update(parts.max_life.to_be_bytes());
        Self(hash.finalize().into())
    }
}

/// A part of it is enough for a table: it is a hash already.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
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
            subject: "s",
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
            KeyParts { subject: "s2", ..base },
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
        let keys: HashSet<Key> = all.iter().map(|parts| Key::new(&[0; 32], parts)).collect();
        assert_eq!(keys.len(), all.len());
        assert_eq!(Key::new(&[0; 32], &base), Key::new(&[0; 32], &base));
        assert_ne!(Key::new(&[0; 32], &base), Key::new(&[1; 32], &base));
    }
}
