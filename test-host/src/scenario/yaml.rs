//! YAML with places: what configuration and scenario files are read into.
//!
//! The schema is the core schema of YAML 1.2, less what two readers could take differently: duplicate keys, keys that are
//! not strings, merge keys, tags, `yes`/`no`/`on`/`off` and numbers with leading zeros are refused. Aliases are resolved.
//! JSON is YAML too.

use std::fmt;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

use super::scalar::resolve;

/// Most nodes of one text, aliases resolved; more is an attack or a mistake.
const MAX_NODES: usize = 200_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 100;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub data: Data,
    /// Where it begins.
    pub place: Place,
    /// The bytes of the text that it takes.
    pub bytes: Range<usize>,
}

/// A value; what JSON can say and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// An integer of 64 bits, or a finite float.
    Number(Number),
    /// A text.
    String(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the written order.
    Map(Vec<Entry>),
}

/// A member of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Where the key begins.
    pub place: Place,
    /// The bytes of the key.
    pub bytes: Range<usize>,
    /// Its value.
    pub value: Node,
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column in characters.
    pub column: usize,
}

/// Why a text could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {text}")]
pub struct YamlError {
    /// Where.
    pub place: Place,
    /// What is wrong and what to do.
    pub text: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Reads a text that holds exactly one document.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    let mut builder = Builder::new(text);
    read(text, |event, span| builder.event(event, span))?;
    builder.root.ok_or_else(|| YamlError { place: Place { line: 1, column: 1 }, text: "the text is empty".to_owned() })
}

/// Reads all documents of a text, those left out that have nothing in them. Anchors are those of their document.
pub fn parse_all(text: &str) -> Result<Vec<Node>, YamlError> {
    let (mut builder, mut documents) = (Builder::new(text), Vec::new());
    read(text, |event, span| {
        let ends = matches!(event, Event::DocumentEnd);
        builder.event(event, span)?;
        if ends {
            builder.anchors.clear();
            documents.extend(builder.root.take().filter(|node| node.data != Data::Null));
        }
        Ok(())
    })?;
    Ok(documents)
}

fn read(text: &str, mut take: impl FnMut(Event<'_>, Span) -> Result<(), YamlError>) -> Result<(), YamlError> {
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| YamlError {
            place: Place { line: error.marker().line(), column: error.marker().col() + 1 },
            text: error.info().to_owned(),
        })?;
        take(event, span)?;
    }
    Ok(())
}

// === impl Node ===

impl Node {
    /// The same value as JSON.
    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(value) => Value::Number(value.clone()),
            Data::String(value) => Value::String(value.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect::<Map<_, _>>())
            }
        }
    }

    /// The member `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::String(_) => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The place of `path` (`rules[2].tools[0]`), or of the last part of it that is there. A member's place is its key.
    pub fn locate(&self, path: &str) -> Place {
        self.walk(path).1
    }

    /// The node at `path`.
    pub fn locate_node(&self, path: &str) -> Option<&Self> {
        let (node, _, rest) = self.walk(path);
        rest.is_empty().then_some(node)
    }

    /// As far as `path` goes: the node, its place, and what is left of the path.
    fn walk<'n, 'p>(&'n self, path: &'p str) -> (&'n Self, Place, &'p str) {
        let (mut node, mut place, mut rest) = (self, self.place, path);
        loop {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            match &node.data {
                Data::Map(entries) => {
                    let found = entries
                        .iter()
                        .filter_map(|entry| Some((entry, rest.strip_prefix(entry.key.as_str())?)))
                        .filter(|(_, tail)| tail.is_empty() || tail.starts_with(['.', '[']))
                        .max_by_key(|(entry, _)| entry.key.len());
                    let Some((entry, tail)) = found else { return (node, place, rest) };
                    (node, place, rest) = (&entry.value, entry.place, tail);
                }
                Data::List(items) => {
                    let found = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
                    let item = found.and_then(|(index, tail)| Some((items.get(index.parse::<usize>().ok()?)?, tail)));
                    let Some((item, tail)) = item else { return (node, place, rest) };
                    (node, place, rest) = (item, item.place, tail);
                }
                _ => return (node, place, rest),
            }
        }
    }

    fn count(&self) -> usize {
        1 + match &self.data {
            Data::List(items) => items.iter().map(Self::count).sum::<usize>(),
            Data::Map(entries) => entries.iter().map(|entry| entry.value.count()).sum(),
            _ => 0,
        }
    }
}

// === the builder ===

struct Builder<'t> {
    text: &'t str,
    /// Byte offset of each character; empty for ASCII.
    offsets: Vec<usize>,
    open: Vec<Open>,
    anchors: Vec<(usize, Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

struct Open {
    anchor: usize,
    place: Place,
    start: usize,
    of: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<Key>),
}

struct Key {
    text: String,
    place: Place,
    bytes: Range<usize>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        let offsets =
            if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(i, _)| i).chain([text.len()]).collect() };
        Self { text, offsets, open: Vec::new(), anchors: Vec::new(), nodes: 0, root: None }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let place = Place { line: span.start.line(), column: span.start.col() + 1 };
        let bytes = self.byte(span.start.index())..self.byte(span.end.index());
        let refuse = |text: String| Err(YamlError { place, text });
        match event {
            Event::Scalar(_, _, _, Some(tag)) | Event::SequenceStart(_, Some(tag)) | Event::MappingStart(_, Some(tag)) => {
                refuse(format!("the tag `{tag}` is not supported; quote the value if a string is meant"))
            }
            Event::Scalar(text, style, anchor, None) => {
                if self.expects_key() {
                    return self.key(&text, style, place, bytes);
                }
                let data = if style == ScalarStyle::Plain {
                    resolve(&text).map_err(|text| YamlError { place, text })?
                } else {
                    Data::String(text.into_owned())
                };
                let node = Node { data, place, bytes };
                self.add(node, anchor, 1)
            }
            Event::SequenceStart(anchor, None) => self.push(anchor, place, bytes.start, OpenKind::List(Vec::new())),
            Event::MappingStart(anchor, None) => self.push(anchor, place, bytes.start, OpenKind::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.close(bytes.end),
            Event::Alias(id) => {
                if self.expects_key() {
                    return refuse("a key must be written out, not an alias".to_owned());
                }
                let Some((node, count)) = self.anchors.iter().rev().find(|a| a.0 == id).map(|a| (a.1.clone(), a.2)) else {
                    return refuse("the alias stands inside its own anchor".to_owned());
                };
                self.add(Node { bytes, ..node }, 0, count)
            }
            Event::DocumentStart(_) if self.root.is_some() => refuse("a second document; one file holds one document".to_owned()),
            Event::DocumentStart(_) | Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => Ok(()),
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { of: OpenKind::Map(_, None), .. }))
    }

    fn key(&mut self, text: &str, style: ScalarStyle, place: Place, bytes: Range<usize>) -> Result<(), YamlError> {
        let refuse = |text: String| Err(YamlError { place, text });
        if style == ScalarStyle::Plain {
            if text == "<<" {
                return refuse("merge keys (`<<`) are not part of YAML 1.2; write the members out".to_owned());
            }
            match resolve(text) {
                Ok(Data::String(_)) => {}
                Ok(_) => return refuse(format!("the key `{text}` is not a string; quote it")),
                Err(text) => return refuse(text),
            }
        }
        let Some(Open { of: OpenKind::Map(entries, key), .. }) = self.open.last_mut() else { return Ok(()) };
        if let Some(first) = entries.iter().find(|entry| entry.key == text) {
            return refuse(format!("the key `{text}` is there twice, first in line {}", first.place.line));
        }
        *key = Some(Key { text: text.to_owned(), place, bytes });
        Ok(())
    }

    fn push(&mut self, anchor: usize, place: Place, start: usize, of: OpenKind) -> Result<(), YamlError> {
        if self.expects_key() {
            return Err(YamlError { place, text: "a key must be a string".to_owned() });
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError { place, text: format!("nested deeper than {MAX_DEPTH}") });
        }
        self.open.push(Open { anchor, place, start, of });
        Ok(())
    }

    fn close(&mut self, end: usize) -> Result<(), YamlError> {
        let Some(Open { anchor, place, start, of }) = self.open.pop() else { return Ok(()) };
        let flow = self.text.as_bytes().get(start).is_some_and(|byte| matches!(byte, b'{' | b'['));
        let (data, last) = match of {
            OpenKind::List(items) => {
                let last = items.last().map(|item| item.bytes.end);
                (Data::List(items), last)
            }
            OpenKind::Map(entries, _) => {
                let last = entries.last().map(|entry| entry.value.bytes.end.max(entry.bytes.end));
                (Data::Map(entries), last)
            }
        };
        let end = if flow { end } else { last.unwrap_or(end) };
        let node = Node { data, place, bytes: start..end };
        let count = if anchor > 0 { node.count() } else { 0 };
        self.add(node, anchor, count.max(1))
    }

    fn add(&mut self, node: Node, anchor: usize, count: usize) -> Result<(), YamlError> {
        self.nodes += count;
        if self.nodes > MAX_NODES {
            return Err(YamlError { place: node.place, text: format!("more than {MAX_NODES} values, aliases resolved") });
        }
        if anchor > 0 {
            self.anchors.push((anchor, node.clone(), node.count()));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { of: OpenKind::List(items), .. }) => items.push(node),
            Some(Open { of: OpenKind::Map(entries, key), .. }) => {
                if let Some(Key { text, place, bytes }) = key.take() {
                    entries.push(Entry { key: text, place, bytes, value: node });
                }
            }
        }
        Ok(())
    }

    fn byte(&self, character: usize) -> usize {
        if self.offsets.is_empty() {
            character.min(self.text.len())
        } else {
            self.offsets.get(character).copied().unwrap_or(self.text.len())
        }
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
