//! From a JSON tree to typed values, and from the same declaration to JSON Schema.

use super::problems::Problems;
use crate::json::{Node, push_string};

/// A type that configuration can hold.
pub trait Decode: Sized {
    /// `None` only if a problem was added.
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self>;

    /// Its JSON Schema, as JSON text.
    fn schema() -> String;

    /// This value as JSON text, to be shown as a default. `None`: there is nothing to show.
    fn shown(&self) -> Option<String> {
        None
    }
}

/// A value that is read later, by those who want it. What does not is not in their module.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecoded<T>(Node, core::marker::PhantomData<T>);

impl<T: Decode> Undecoded<T> {
    /// Reads it.
    pub fn read(&self, problems: &mut Problems) -> Option<T> {
        T::decode(&self.0, problems)
    }
}

impl<T: Decode> Decode for Undecoded<T> {
    fn decode(node: &Node, _: &mut Problems) -> Option<Self> {
        Some(Self(node.clone(), core::marker::PhantomData))
    }

    fn schema() -> String {
        T::schema()
    }
}

/// The members of a map that a record has.
pub struct Fields<'a> {
    members: &'a [(String, Node)],
}

impl<'a> Fields<'a> {
    /// Takes a map whose members are all among `known`.
    pub fn open(node: &'a Node, known: &[&str], problems: &mut Problems) -> Option<Self> {
        let Node::Map(members) = node else {
            problems.add(format!("expected a map, found {}", kind(node)));
            return None;
        };
        for (name, _) in members {
            if !known.contains(&name.as_str()) {
                problems.field(name, |problems| problems.add(unknown(name, known)));
            }
        }
        Some(Self { members })
    }

    /// The member `name`. Where it is absent: `default`, or a problem if there is none.
    pub fn take<T: Decode>(&self, name: &str, default: Option<fn() -> T>, problems: &mut Problems) -> Option<T> {
        match self.member(name, default.is_none(), problems) {
            Some(node) => problems.field(name, |problems| T::decode(node, problems)),
            None => default.map(|default| default()),
        }
    }

    #[inline(never)]
    fn member(&self, name: &str, required: bool, problems: &mut Problems) -> Option<&'a Node> {
        let node = self.members.iter().find(|(n, _)| n == name).map(|(_, node)| node);
        if node.is_none() && required {
            problems.field(name, |problems| problems.add("is required"));
        }
        node
    }
}

/// Declares a record: its struct, how it is read, and its JSON Schema, in one place.
///
/// `field: Type = "memberName";` is required, `field: Type = "memberName", default;` is not.
#[macro_export]
macro_rules! record {
    ($(#[doc = $doc:literal])+ pub struct $name:ident { $($(#[doc = $fdoc:literal])+ $field:ident: $ty:ty = $key:literal $(, $default:expr)?;)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $($(#[doc = $fdoc])+ pub $field: $ty,)+ }

        impl $crate::config::Decode for $name {
            fn decode(node: &$crate::json::Node, problems: &mut $crate::config::Problems) -> Option<Self> {
                let fields = $crate::config::Fields::open(node, &[$($key),+], problems)?;
                $(let $field = fields.take::<$ty>($key, $crate::config::record!(@default $($default)?), problems);)+
                // In one match, so that there is one place where the fields of a record that cannot be are dropped.
                match ($($field,)+) {
                    ($(Some($field),)+) => Some(Self { $($field,)+ }),
                    _ => None,
                }
            }

            fn schema() -> String {
                $crate::config::object_schema(&[$((
                    $key,
                    concat!($($fdoc),+),
                    $crate::config::record!(@schema $ty $(, $default)?),
                    $crate::config::record!(@required $($default)?),
                )),+])
            }

            fn shown(&self) -> Option<String> {
                let members = [$(($key, $crate::config::Decode::shown(&self.$field))),+];
                Some($crate::config::shown_map(members.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)))))
            }
        }
    };
    (@schema $ty:ty) => { <$ty as $crate::config::Decode>::schema() };
    (@schema $ty:ty, $default:expr) => {{
        let default: $ty = $default;
        $crate::config::with_default(<$ty as $crate::config::Decode>::schema(), &default)
    }};
    (@default) => { None };
    (@default $default:expr) => { Some(|| $default) };
    (@required) => { true };
    (@required $default:expr) => { false };
}

/// Declares a closed set of words.
#[macro_export]
macro_rules! choice {
    ($(#[doc = $doc:literal])+ pub enum $name:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name { $($(#[doc = $vdoc])+ $variant),+ }

        impl $crate::config::Decode for $name {
            fn decode(node: &$crate::json::Node, problems: &mut $crate::config::Problems) -> Option<Self> {
                match $crate::config::word(node, &[$($word),+], problems)? {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn schema() -> String {
                $crate::config::choice_schema(&[$(($word, concat!($($vdoc),+))),+])
            }

            fn shown(&self) -> Option<String> {
                match self { $(Self::$variant => Some(concat!("\"", $word, "\"").to_owned()),)+ }
            }
        }
    };
}

/// One word of a closed set.
pub fn word<'a>(node: &Node, known: &[&'a str], problems: &mut Problems) -> Option<&'a str> {
    let Node::String(text) = node else {
        problems.add(format!("expected one of {}, found {}", list(known), kind(node)));
        return None;
    };
    let found = known.iter().find(|word| *word == text).copied();
    if found.is_none() {
        problems.add(format!("`{text}` is not one of {}", list(known)));
    }
    found
}

// === impl Decode for the plain types ===

impl Decode for bool {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node {
            Node::Bool(value) => Some(*value),
            other => expected("true or false", other, problems),
        }
    }

    fn schema() -> String {
        r#"{"type":"boolean"}"#.to_owned()
    }

    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Decode for u32 {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node {
            Node::Number(text) => text.parse().ok().or_else(|| {
                problems.add(format!("`{text}` is not a whole number from 0 to {}", Self::MAX));
                None
            }),
            other => expected("a whole number", other, problems),
        }
    }

    fn schema() -> String {
        format!(r#"{{"type":"integer","minimum":0,"maximum":{}}}"#, Self::MAX)
    }

    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Decode for String {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node {
            Node::String(text) => Some(text.clone()),
            other => expected("a string", other, problems),
        }
    }

    fn schema() -> String {
        r#"{"type":"string"}"#.to_owned()
    }

    fn shown(&self) -> Option<String> {
        let mut out = Self::new();
        push_string(&mut out, self);
        Some(out)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::decode(node, problems).map(Some)
    }

    fn schema() -> String {
        T::schema()
    }

    fn shown(&self) -> Option<String> {
        self.as_ref().and_then(T::shown)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Node::List(items) = node else { return expected("a list", node, problems) };
        // All items are read, so that all their problems show.
        let mut read = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            read.extend(problems.item(index, |problems| T::decode(item, problems)));
        }
        (read.len() == items.len()).then_some(read)
    }

    fn schema() -> String {
        format!(r#"{{"type":"array","items":{}}}"#, T::schema())
    }

    fn shown(&self) -> Option<String> {
        let items: Option<Vec<String>> = self.iter().map(T::shown).collect();
        items.map(|items| format!("[{}]", items.join(",")))
    }
}

/// A map with free names.
impl<T: Decode> Decode for Vec<(String, T)> {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Node::Map(members) = node else { return expected("a map", node, problems) };
        let mut read = Self::with_capacity(members.len());
        for (name, node) in members {
            read.extend(problems.field(name, |problems| T::decode(node, problems)).map(|value| (name.clone(), value)));
        }
        (read.len() == members.len()).then_some(read)
    }

    fn schema() -> String {
        format!(r#"{{"type":"object","additionalProperties":{}}}"#, T::schema())
    }

    fn shown(&self) -> Option<String> {
        let members: Option<Vec<(&str, String)>> =
            self.iter().map(|(name, value)| Some((name.as_str(), value.shown()?))).collect();
        members.map(|members| shown_map(members.iter().map(|(name, value)| (*name, value.as_str()))))
    }
}

// === schema text ===

/// The schema of a record: `(name, description, schema, required)` each.
pub fn object_schema(fields: &[(&str, &str, String, bool)]) -> String {
    let mut out = String::from(r#"{"type":"object","additionalProperties":false"#);
    let required: Vec<&str> = fields.iter().filter(|field| field.3).map(|field| field.0).collect();
    if !required.is_empty() {
        out.push_str(r#","required":["#);
        for (index, name) in required.iter().enumerate() {
            out.push_str(if index > 0 { "," } else { "" });
            push_string(&mut out, name);
        }
        out.push(']');
    }
    out.push_str(r#","properties":{"#);
    for (index, (name, description, schema, _)) in fields.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        push_string(&mut out, name);
        out.push_str(r#":{"description":"#);
        push_string(&mut out, description.trim());
        out.push(',');
        out.push_str(schema.strip_prefix('{').unwrap_or(schema));
    }
    out.push_str("}}");
    out
}

/// `schema` with the value that an absent member has.
pub fn with_default<T: Decode>(schema: String, default: &T) -> String {
    match (schema.strip_suffix('}'), default.shown()) {
        (Some(open), Some(default)) => format!(r#"{open},"default":{default}}}"#),
        _ => schema,
    }
}

/// A map of texts that are JSON.
pub fn shown_map<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (name, value) in members {
        out.push_str(if out.len() > 1 { "," } else { "" });
        push_string(&mut out, name);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

/// The schema of a closed set of `(word, description)`.
pub fn choice_schema(words: &[(&str, &str)]) -> String {
    let mut out = String::from(r#"{"oneOf":["#);
    for (index, (word, description)) in words.iter().enumerate() {
        out.push_str(if index > 0 { r#",{"const":"# } else { r#"{"const":"# });
        push_string(&mut out, word);
        out.push_str(r#","description":"#);
        push_string(&mut out, description.trim());
        out.push('}');
    }
    out.push_str("]}");
    out
}

// === texts ===

fn expected<T>(what: &str, found: &Node, problems: &mut Problems) -> Option<T> {
    problems.add(format!("expected {what}, found {}", kind(found)));
    None
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::Bool(_) => "a boolean",
        Node::List(_) => "a list",
        Node::Map(_) => "a map",
        Node::Null => "null",
        Node::Number(_) => "a number",
        Node::String(_) => "a string",
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn unknown(name: &str, known: &[&str]) -> String {
    match known.iter().min_by_key(|candidate| distance(name, candidate)) {
        Some(near) if distance(name, near) <= 1 + name.len() / 4 => format!("unknown field. Did you mean `{near}`?"),
        _ => format!("unknown field. Known here: {}", list(known)),
    }
}

/// Edit distance without case of ASCII letters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (j, cb) in b.iter().enumerate() {
            let up = row.get(j + 1).copied().unwrap_or(usize::MAX - 1);
            left = (diagonal + usize::from(ca != *cb)).min(left + 1).min(up + 1);
            diagonal = up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
