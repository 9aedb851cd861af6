//! Keys that seal, wherever they come from.

use std::rc::Rc;

use super::{FetchedSecret, RawSecretFetch, Ready};
use crate::config::{Problems, RawSealingKey, Ring};
use crate::filter::CallId;
use crate::identity::Reach;
use crate::json::{Limits, Node, parse_tree};
use crate::seal::Sealer;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Keys that seal; the first one seals, each one opens.
#[derive(Clone, Debug)]
pub enum SealingKeys {
    /// Of the proxy's environment, until the plugin is equipped.
    Env(Ring),
    /// Fetched: they may be others later.
    Fetched(FetchedSecret),
    /// These.
    Fixed(Rc<Sealer>),
}

impl SealingKeys {
    /// What `keys` or `from` mean, of which one is there; only good if no problem was added. `path` is that of the list, which ends in
    /// its name; where they are fetched stands beside it, at that name and `From`. The path of `problems` is that of what has both.
    pub fn compile(keys: &[RawSealingKey], from: Option<&RawSecretFetch>, path: &'static str, problems: &mut Problems) -> Self {
        let list = path.rsplit_once('.').map_or(path, |(_, list)| list);
        let Some(from) = from else { return Self::Env(problems.field(list, |p| Ring::compile(keys, path, p))) };
        problems.field(&[list, "From"].concat(), |problems| {
            if !keys.is_empty() {
                problems.add(format!("keys come from two places. Leave out this, or `{list}`"));
            }
            Self::Fetched(FetchedSecret::sealing(from, format!("`{path}`"), problems))
        })
    }

    /// Takes them from the proxy's environment, if they are there.
    pub fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        if let Self::Env(ring) = self
            && let Some(sealer) = ring.equip(secret, problems)
        {
            *self = sealer.into();
        }
    }

    /// What is fetched, if they are.
    pub fn fetched(&self) -> Option<&FetchedSecret> {
        match self {
            Self::Env(_) | Self::Fixed(_) => None,
            Self::Fetched(fetched) => Some(fetched),
        }
    }

    /// What seals with them, where there are any now.
    pub fn sealer(&self, now: Timestamp) -> Option<Rc<Sealer>> {
        match self {
            Self::Env(_) => None,
            Self::Fixed(sealer) => Some(sealer.clone()),
            Self::Fetched(fetched) => fetched.sealer(now),
        }
    }

    /// Whether there are any; where there are none, they are fetched.
    pub(crate) fn want(&self, now: Timestamp, reach: &mut dyn Reach) -> Ready {
        self.fetched().map_or(Ready::Yes, |fetched| fetched.want(now, reach))
    }

    /// Somebody brings what is sealed. If it names a key that is not among these, another replica may have newer ones: they are fetched
    /// once more, unless that was tried a moment ago (BY-T-18). `Some`: wait for this call, then open it with what there is.
    pub(crate) fn want_for(&self, sealed: &str, now: Timestamp, reach: &mut dyn Reach) -> Option<CallId> {
        let fetched = self.fetched()?;
        if !fetched.sealer(now)?.lacks_key_of(sealed) {
            return None;
        }
        match fetched.want_another(now, reach) {
            Ready::Wait(call) => Some(call),
            Ready::No(_) | Ready::Yes => None,
        }
    }
}

impl From<Sealer> for SealingKeys {
    fn from(sealer: Sealer) -> Self {
        Self::Fixed(Rc::new(sealer))
    }
}

/// Reads a JWK Set of symmetric keys (RFC 7517 section 5, RFC 7518 section 6.4), the one that seals first. A set with anything else
/// in it was made for something else, and is none.
pub(super) fn read(text: &str) -> Option<Sealer> {
    let set = parse_tree(text.as_bytes(), Limits::default()).ok()?;
    let Some(Node::List(keys)) = member(&set, "keys") else { return None };
    let keys: Vec<(&str, Secret<String>)> = keys.iter().map(key).collect::<Option<_>>()?;
    Sealer::new(&keys).ok()
}

/// One key. What else it says of itself must not say that it is for something else.
fn key(jwk: &Node) -> Option<(&str, Secret<String>)> {
    let (id, key) = (text(jwk, "kid")?, text(jwk, "k")?);
    let ours =
        text(jwk, "kty") == Some("oct") && matches!(member(jwk, "use").map(|_| text(jwk, "use")), None | Some(Some("enc")));
    // 32 bytes in base64url. Digits would be another key here.
    (ours && key.len() == 43).then(|| (id, Secret::new(key.to_owned())))
}

fn member<'a>(of: &'a Node, name: &str) -> Option<&'a Node> {
    let Node::Map(members) = of else { return None };
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn text<'a>(of: &'a Node, name: &str) -> Option<&'a str> {
    match member(of, name) {
        Some(Node::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn set(keys: &str) -> Option<String> {
        read(&format!(r#"{{"keys":[{keys}]}}"#)).map(|sealer| format!("{sealer:?}"))
    }

    fn jwk(id: &str, more: &str) -> String {
        format!(r#"{{"kty":"oct","kid":"{id}","k":"{K}"{more}}}"#)
    }

    #[test]
    fn a_set_of_symmetric_keys() {
        assert_eq!(set(&jwk("a", "")).as_deref(), Some(r#"["a"]"#));
        let two = [jwk("b", r#","use":"enc","alg":"dir""#), jwk("a", "")].join(",");
        assert_eq!(set(&two).as_deref(), Some(r#"["b", "a"]"#), "in their order");
    }

    #[test]
    fn what_is_no_such_set() {
        for keys in [
            String::new(),
            jwk("a b", ""),
            [jwk("a", ""), jwk("a", "")].join(","),
            jwk("a", r#","use":"sig""#),
            jwk("a", r#","use":7"#),
            jwk("a", "").replace("oct", "RSA"),
            jwk("a", "").replace(r#""kid":"a","#, ""),
            jwk("a", "").replace(K, &"B".repeat(42)),
            jwk("a", "").replace(K, &"A".repeat(43)),
            jwk("a", "").replace(K, &"0f".repeat(32)),
            jwk("a", r#","kid":"b""#),
            [jwk("a", ""), r#"{"kty":"EC","crv":"P-256","kid":"c"}"#.to_owned()].join(","),
            "7".to_owned(),
        ] {
            assert_eq!(set(&keys), None, "{keys}");
        }
        for text in ["", "{}", "[]", r#"{"keys":{}}"#, K, "<html>"] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
