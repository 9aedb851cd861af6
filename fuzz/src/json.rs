//! JSON: the texts that are accepted are exactly the strict ones, and what is read is what another parser reads.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use wardpoint_core::json::{self, ErrorKind, Kind, Limits, Node, Reader, Span, Splices};

pub(crate) const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0061",
    "\\ud83e\\udd80",
    "\\ud83e",
    "\\n",
    "\\/",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.5e+10",
    "1E400",
    "-",
    "\"a\":",
    "\"\\u0061\":",
    "\u{feff}",
    "\u{2028}",
    "🦀",
    " ",
    "\n",
    "\u{1}",
    "{\"a\":1,\"a\":2}",
    "[[[[[[[[",
    "11111111111111111111111111111111111111111111111111111111111111111",
];

/// serde_json with a check for repeated names and the same depth: the oracle.
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| A::Error::custom("too deep"))?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self { depth })? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| A::Error::custom("too deep"))?;
        let (mut map, mut names) = (Vec::new(), HashSet::new());
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("twice"));
            }
            map.push((name, members.next_value_seed(Self { depth })?));
        }
        Ok(Node::Map(map))
    }
}

fn oracle(text: &[u8]) -> Result<Node, serde_json::Error> {
    let mut from = serde_json::Deserializer::from_slice(text);
    let node = Strict { depth: Limits::default().depth }.deserialize(&mut from)?;
    from.end()?;
    Ok(node)
}

fn same(ours: &Node, theirs: &Node) -> bool {
    match (ours, theirs) {
        (Node::Null, Node::Null) => true,
        (Node::Bool(a), Node::Bool(b)) => a == b,
        (Node::String(a), Node::String(b)) => a == b,
        // The oracle rounds in its own way, so it has to read ours too.
        (Node::Number(a), Node::Number(b)) => serde_json::from_str::<f64>(a).ok() == b.parse::<f64>().ok(),
        (Node::List(a), Node::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Node::Map(a), Node::Map(b)) => a.len() == b.len() && a.iter().zip(b).all(|((n, a), (m, b))| n == m && same(a, b)),
        _ => false,
    }
}

fn has_long_number(text: &[u8]) -> bool {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    text.split(|byte| !is_part(byte)).any(|run| run.len() > Limits::default().number)
}

/// Both accept and read the same, or both refuse.
pub(crate) fn run(text: &[u8]) {
    let limits = Limits::default();
    let ours = json::parse_tree(text, limits);
    assert_eq!(json::check(text, limits), ours.as_ref().map(drop).map_err(|error| *error), "check and parse_tree differ");
    match (&ours, oracle(text)) {
        (Ok(node), Ok(theirs)) => assert!(same(node, &theirs), "read as {node:?}, not {theirs:?}"),
        (Err(error), Ok(_)) => {
            let stricter = error.kind == ErrorKind::LongNumber && has_long_number(text);
            assert!(stricter || error.kind == ErrorKind::TooManyNodes, "refused: {error}");
        }
        // Numbers are not converted here, they stay text.
        (Ok(_), Err(error)) => assert!(error.to_string().contains("out of range"), "accepted, but {error}"),
        (Err(error), Err(_)) => assert!(error.at <= text.len(), "{error:?}"),
    }
    if let Ok(node) = &ours {
        let canonical = node.canonical();
        let again = json::parse_tree(canonical.as_bytes(), limits);
        assert!(again.as_ref().is_ok_and(|again| again.canonical() == canonical), "canonical is not stable: {again:?}");
        splices(text);
    }
    reads_agree(text, ours.is_ok());
}

/// What is read member by member is what is skipped, whatever is asked for; an error is never lost.
fn reads_agree(text: &[u8], valid: bool) {
    let mut reader = Reader::new(text, Limits::default());
    let ended = read_some(&mut reader, text).is_ok();
    let finished = reader.finish().is_ok();
    assert_eq!(ended && finished, valid, "read: {ended}, finished: {finished}, valid: {valid}");
    assert!(ended || !finished, "an error was lost");
}

/// Reads odd members, leaves even ones to be skipped.
fn read_some<'a>(reader: &mut Reader<'a>, text: &'a [u8]) -> Result<(), json::Error> {
    match reader.peek()? {
        Kind::Map => {
            let mut index = 0;
            let span = reader.object(|name, reader| {
                index += 1;
                assert!(name.eq_str(&name.text()), "a name is not equal to its text");
                if index % 2 == 1 { read_some(reader, text) } else { Ok(()) }
            })?;
            is_value(span, text);
        }
        Kind::List => {
            let span = reader.array(|index, reader| if index % 2 == 0 { read_some(reader, text) } else { Ok(()) })?;
            is_value(span, text);
        }
        Kind::String => {
            let string = reader.string()?;
            let theirs: Option<String> = serde_json::from_slice(string.span().of(text)).ok();
            assert_eq!(theirs.as_deref(), Some(&*string.text()), "a string is read differently");
            assert!(string.eq_str(&string.text()), "a string is not equal to its text");
        }
        Kind::Number => drop(reader.number()?),
        Kind::Bool => drop(reader.bool()?),
        Kind::Null => reader.null()?,
    }
    Ok(())
}

/// The span of a value is a text of its own.
fn is_value(span: Span, text: &[u8]) {
    assert_eq!(json::check(span.of(text), Limits::default()), Ok(()), "a span is no value");
}

/// Cutting nothing is the identity; each value can be replaced by itself.
fn splices(text: &[u8]) {
    let mut reader = Reader::new(text, Limits::default());
    let mut splices = Splices::new();
    let mut replace = |_, reader: &mut Reader<'_>| {
        let span = reader.skip()?;
        splices.replace(span, span.of(text));
        Ok(())
    };
    let done = match reader.peek() {
        Ok(Kind::List) => reader.array(replace).map(drop),
        Ok(Kind::Map) => reader.object(|_, reader| replace(0, reader)).map(drop),
        _ => Ok(()),
    };
    assert!(done.is_ok() && splices.apply(text).is_ok_and(|out| out == text), "splices of the same are not the identity");
}
