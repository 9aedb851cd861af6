//! A value of JSON, and where it stands.

use serde_json::Value;

/// One value, with the path that leads to it: `configs[2].dynamic_listeners[0].active_state`.
#[derive(Clone, Debug)]
pub(super) struct Spot<'d> {
    pub(super) value: &'d Value,
    pub(super) path: String,
}

impl<'d> Spot<'d> {
    /// The whole of it.
    pub(super) fn root(value: &'d Value) -> Self {
        Self { value, path: String::new() }
    }

    /// The value at a path of members. Envoy writes names as protobuf has them, `istioctl` and Go in camel case.
    pub(super) fn at(&self, path: &str) -> Option<Self> {
        path.split('.').try_fold(self.clone(), |spot, name| spot.get(name))
    }

    /// A member; its name as it is, dots included.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let camel = camel(name);
        let name = if self.value.get(name).is_some() { name } else { &camel };
        let value = self.value.get(name)?;
        let dot = if self.path.is_empty() { "" } else { "." };
        Some(Self { value, path: format!("{}{dot}{name}", self.path) })
    }

    /// The items of the list at `path`; none if there is no list.
    pub(super) fn items(&self, path: &str) -> Vec<Self> {
        let Some(list) = self.at(path) else { return Vec::new() };
        let items = list.value.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().enumerate().map(|(index, value)| Self { value, path: format!("{}[{index}]", list.path) }).collect()
    }

    /// The members of the object at `path`, with their names.
    pub(super) fn members(&self, path: &str) -> Vec<(&'d str, Self)> {
        let Some(object) = self.at(path) else { return Vec::new() };
        let names = object.value.as_object().into_iter().flat_map(|members| members.keys());
        names.filter_map(|name| Some((name.as_str(), object.get(name)?))).collect()
    }

    /// The text at `path`.
    pub(super) fn text(&self, path: &str) -> Option<&'d str> {
        self.at(path)?.value.as_str()
    }

    /// Whether `true` stands at `path`.
    pub(super) fn is_true(&self, path: &str) -> bool {
        self.at(path).is_some_and(|spot| spot.value == &Value::Bool(true))
    }

    /// The number at `path`; 64 bits are a text in protobuf's JSON.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        let value = self.at(path)?.value;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// Whether its `@type` is this message.
    pub(super) fn is(&self, message: &str) -> bool {
        let kind = self.value.get("@type").and_then(Value::as_str).unwrap_or_default();
        kind.rsplit(['/', '.']).next() == Some(message)
    }

    /// Shows every value below, itself first.
    pub(super) fn each(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        self.inner().iter().for_each(|spot| spot.each(visit));
    }

    /// What it is made of, one step down.
    pub(super) fn inner(&self) -> Vec<Self> {
        match self.value {
            Value::Object(members) => members.keys().filter_map(|name| self.get(name)).collect(),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, value)| Self { value, path: format!("{}[{index}]", self.path) }).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// `typed_config` as `typedConfig`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |whole, word| {
        let mut letters = word.chars();
        let upper = letters.next().map(|letter| letter.to_ascii_uppercase());
        whole + &upper.into_iter().chain(letters).collect::<String>()
    })
}
