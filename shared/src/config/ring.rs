//! Keys that seal: their names and where their secrets are.

use super::{Problems, RawVariable, Variable, record};
use crate::seal::Sealer;
use crate::secret::Secret;

record! {
    /// A key that seals.
    pub struct RawSealingKey {
        /// Its name, in every text that it seals.
        id: String = "id";
        /// The key: 32 random bytes in base64url without padding, or in hexadecimal digits (`openssl rand -hex 32`).
        secret: RawVariable = "secret";
    }
}

/// Keys that seal; the first one seals, each one opens.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Where the configuration has them, from where [`Ring::equip`] is called.
    path: &'static str,
    keys: Vec<(String, Variable)>,
}

impl Ring {
    /// What the list at `path` means; only good if no problem was added. The path of `problems` is that of the list.
    pub fn compile(raw: &[RawSealingKey], path: &'static str, problems: &mut Problems) -> Self {
        if raw.is_empty() {
            problems.add("is empty: no other replica could open what a caller brings. Name a key");
        }
        let each = raw.iter().enumerate().map(|(index, key)| {
            problems.item(index, |problems| {
                if key.id.is_empty() || raw.iter().take(index).any(|other| other.id == key.id) {
                    problems.field("id", |p| p.add(format!("`{}` is empty or there twice", key.id)));
                }
                (key.id.clone(), problems.field("secret", |p| key.secret.compile(path, p)))
            })
        });
        Self { path, keys: each.collect() }
    }

    /// Takes the secrets of the proxy's environment; `None` if a problem was added.
    pub fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) -> Option<Sealer> {
        self.keys.iter_mut().for_each(|(_, key)| key.equip(secret, problems));
        let named = |(id, key): &(String, Variable)| Some((id.clone(), Secret::new((*key.value()?.reveal()).to_owned())));
        let keys: Vec<(String, Secret<String>)> = self.keys.iter().map(named).collect::<Option<_>>()?;
        let keys: Vec<(&str, Secret<String>)> = keys.iter().map(|(id, key)| (id.as_str(), key.clone())).collect();
        Sealer::new(&keys).map_err(|error| problems.field(self.path, |p| p.add(error.to_string()))).ok()
    }
}
