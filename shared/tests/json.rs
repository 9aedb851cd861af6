//! The one strict reader (BY-J-01…09): tables, serde_json as the oracle, the JSON test suite.

use proptest::prelude::*;
use serde_json::Value;
use wardpoint_core::json::ErrorKind::{self, *};
use wardpoint_core::json::{Kind, Limits, Node, Reader, Span, Splices, check, parse_tree, push_string};

fn kind(text: &[u8]) -> Result<(), ErrorKind> {
    check(text, Limits::default()).map_err(|error| error.kind)
}

#[test]
fn what_is_json() {
    for text in [
        "null",
        " true\n",
        "false",
        "0",
        "-0",
        "-1.5e+10",
        "1E400",
        "\"\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[1,2 , 3]",
        r#"{"a":{"b":[{}]}}"#,
        r#""\"\\\/\b\f\n\r\t\u0041\ud83e\udd80""#,
        "\"ü🦀\u{7f}\u{2028}\"",
        "\"\\u0000\"",
        r#"{"":1,"a":1,"A":2}"#,
        r#"{"__proto__":1}"#,
        r#"[{"a":1},{"a":2}]"#,
        r#"{"a":{"a":{"a":1}}}"#,
        "\t\r\n [\n]\r",
    ] {
        assert_eq!(kind(text.as_bytes()), Ok(()), "{text}");
        assert!(serde_json::from_str::<Value>(text).is_ok() || text == "1E400", "{text}");
    }
}

#[test]
fn what_is_not() {
    for (text, expected, at) in [
        (&b""[..], Truncated, 0),
        (b" ", Truncated, 1),
        (b"[", Truncated, 1),
        (b"[1", Truncated, 2),
        (b"[1,", Truncated, 3),
        (b"{", Truncated, 1),
        (b"{\"a\"", Truncated, 4),
        (b"{\"a\":", Truncated, 5),
        (b"{\"a\":1", Truncated, 6),
        (b"{\"a\":1,", Truncated, 7),
        (b"\"a", Truncated, 2),
        (b"\"\\", Truncated, 2),
        (b"[1,]", UnexpectedByte, 3),
        (b"{\"a\":1,}", UnexpectedByte, 7),
        (b"[,1]", UnexpectedByte, 1),
        (b"{,}", UnexpectedByte, 1),
        (b"{1:2}", UnexpectedByte, 1),
        (b"{\"a\" 1}", UnexpectedByte, 5),
        (b"[1 2]", UnexpectedByte, 3),
        (b"[1}", UnexpectedByte, 2),
        (b"{\"a\":1]", UnexpectedByte, 6),
        (b"tru", UnexpectedByte, 0),
        (b"True", UnexpectedByte, 0),
        (b"NaN", UnexpectedByte, 0),
        (b"-Infinity", InvalidNumber, 1),
        (b"+1", UnexpectedByte, 0),
        (b".5", UnexpectedByte, 0),
        (b"1.", InvalidNumber, 2),
        (b"1.e5", InvalidNumber, 2),
        (b"1e", InvalidNumber, 2),
        (b"1e+", InvalidNumber, 3),
        (b"-", InvalidNumber, 1),
        (b"01", TrailingData, 1),
        (b"-01", TrailingData, 2),
        (b"0x1", TrailingData, 1),
        (b"'a'", UnexpectedByte, 0),
        (b"[] []", TrailingData, 3),
        (b"1\n2", TrailingData, 2),
        (b"null,", TrailingData, 4),
        (b"1//", TrailingData, 1),
        (b"/**/1", UnexpectedByte, 0),
        (b"\x0c1", UnexpectedByte, 0),
        (b"1\0", TrailingData, 1),
        (b"\xc2\xa01", UnexpectedByte, 0),
        (b"\"\n\"", ControlCharacter, 1),
        (b"\"abcdefgh\x1f\"", ControlCharacter, 9),
        (b"\"\0\"", ControlCharacter, 1),
        (b"\"\\x\"", InvalidEscape, 1),
        (b"\"\\u12g4\"", InvalidEscape, 1),
        (b"\"\\u123\"", InvalidEscape, 1),
        (b"\"\\u+123\"", InvalidEscape, 1),
        (b"\"\\U0041\"", InvalidEscape, 1),
        (b"\"\\ud800\"", LoneSurrogate, 1),
        (b"\"a\\udc00\"", LoneSurrogate, 2),
        (b"\"\\ud800\\ud800\"", LoneSurrogate, 1),
        (b"\"\\ud800x\"", LoneSurrogate, 1),
        (b"\"\\ud800\\n\"", LoneSurrogate, 1),
        (b"\"\\udc00\\ud800\"", LoneSurrogate, 1),
        (b"\"\xff\"", InvalidUtf8, 1),
        (b"\"\xc0\xaf\"", InvalidUtf8, 1),
        (b"\"a\xed\xa0\x80\"", InvalidUtf8, 2),
        (b"\"\xf5\x80\x80\x80\"", InvalidUtf8, 1),
        (b"\"\xe2\x82\"", InvalidUtf8, 1),
        (b"{\"\xff\":1}", InvalidUtf8, 2),
        (b"\xef\xbb\xbf1", ByteOrderMark, 0),
        (b"\xfe\xff\0\x31", UnexpectedByte, 0),
        (b"1\0", TrailingData, 1),
        (b"[\0]", UnexpectedByte, 1),
        (br#"{"a":1,"a":2}"#, DuplicateMember, 7),
        (br#"{"a":1,"b":2,"\u0061":2}"#, DuplicateMember, 13),
        (br#"{"\u0061":1,"a":2}"#, DuplicateMember, 12),
        (br#"[[{"x":{"":1,"":1}}]]"#, DuplicateMember, 13),
        (br#"{"longer-than-eight-1":1,"longer-than-eight-2":1,"longer-than-eight-1":1}"#, DuplicateMember, 49),
        (br#"{"a\/":1,"a/":2}"#, DuplicateMember, 9),
        ("{\"\\ud83e\\udd80\":1,\"\\u0001\":2,\"🦀\":3}".as_bytes(), DuplicateMember, 29),
    ] {
        let error = check(text, Limits::default()).unwrap_err();
        assert_eq!((error.kind, error.at), (expected, at), "{}", text.escape_ascii());
        if expected != DuplicateMember {
            assert!(serde_json::from_slice::<Value>(text).is_err(), "{}", text.escape_ascii());
        }
    }
}

/// Each place of a string in and around the blocks that are scanned at once.
#[test]
fn every_byte_at_every_offset_of_a_string() {
    for length in 0..90 {
        for at in 0..=length {
            for (bad, expected) in [
                (&b"\x1f"[..], ControlCharacter),
                (b"\0", ControlCharacter),
                (b"\xff", InvalidUtf8),
                (b"\x80", InvalidUtf8),
                (b"\\q", InvalidEscape),
            ] {
                let mut text = vec![b'"'];
                text.extend(vec![b'x'; at]);
                text.extend(bad);
                text.extend(vec![b'y'; length - at]);
                text.push(b'"');
                assert_eq!(check(&text, Limits::default()).map_err(|error| (error.kind, error.at)), Err((expected, at + 1)));
            }
            let text = format!("[\"{}é\\n\u{7f} {}\",1]", "~".repeat(at), "!".repeat(length - at));
            assert_eq!(kind(text.as_bytes()), Ok(()));
            let early = format!("\"{}\"{}\"", "a".repeat(at), "b".repeat(length - at));
            assert_eq!(kind(early.as_bytes()), Err(TrailingData));
        }
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = Limits { depth: 3, number: 5, nodes: 6 };
    let kind = |text: &str| check(text.as_bytes(), limits).map_err(|error| error.kind);
    assert_eq!((kind("[[[]]]"), kind("[[[[]]]]")), (Ok(()), Err(TooDeep)));
    assert_eq!((kind(r#"{"a":[{}]}"#), kind(r#"{"a":[{"b":{}}]}"#)), (Ok(()), Err(TooDeep)));
    assert_eq!((kind("-1.25"), kind("-1.250")), (Ok(()), Err(LongNumber)));
    assert_eq!((kind("[12345,0]"), kind("[123456,0]"), kind(r#"{"a":123456}"#)), (Ok(()), Err(LongNumber), Err(LongNumber)));
    assert_eq!((kind("[1,2,3,4,5]"), kind("[1,2,3,4,5,6]")), (Ok(()), Err(TooManyNodes)));
    assert_eq!((kind(r#"{"a":1,"b":[2,3],"c":4}"#), kind(r#"{"a":1,"b":[2,3],"c":[4]}"#)), (Ok(()), Err(TooManyNodes)));
    assert_eq!(check("[".repeat(1_000_000).as_bytes(), Limits::default()).unwrap_err().kind, TooDeep);
    assert_eq!(check("1".repeat(65).as_bytes(), Limits::default()).unwrap_err().kind, LongNumber);
}

/// Repeated names are found among few and many members, and many members do not cost their square (BY-J-07).
#[test]
fn many_members() {
    let object =
        |names: &[String]| format!("{{{}}}", names.iter().map(|name| format!("\"{name}\":0")).collect::<Vec<_>>().join(","));
    for count in [1, 2, 7, 8, 9, 10, 100] {
        let names: Vec<_> = (0..count).map(|index| format!("some-longer-prefix-{index}")).collect();
        assert_eq!(kind(object(&names).as_bytes()), Ok(()));
        for first in 0..count {
            let mut twice = names.clone();
            twice.push(format!("\\u0073ome-longer-prefix-{first}"));
            assert_eq!(kind(object(&twice).as_bytes()), Err(DuplicateMember));
        }
    }
    let names: Vec<_> = (0..150_000).map(|index| format!("common-{index}")).collect();
    let text = object(&names);
    // Comparing each with each would take 10^10 comparisons.
    assert_eq!(kind(text.as_bytes()), Ok(()));
}

#[test]
fn a_reader_gives_what_is_asked_for_and_skips_the_rest() {
    let text = br#" {"skip":[1,{"x":"y"}],"n\u0061me":"a\tb","n":-1.50,"t":true,"f":false,"z":null,"l":[1,"2",[3]]} "#;
    let mut reader = Reader::new(text, Limits::default());
    let mut seen = Vec::new();
    let span = reader
        .object(|name, reader| {
            seen.push(match reader.peek()? {
                Kind::String => {
                    let value = reader.string()?;
                    assert_eq!(value.span().of(text), br#""a\tb""#);
                    assert!(name.eq_str("name") && !name.eq_str("nam") && value.eq_str("a\tb"));
                    format!("{}={}", name.text(), value.text())
                }
                Kind::Number => format!("{}={}", name.text(), reader.number()?),
                Kind::Bool => format!("{}={}", name.text(), reader.bool()?),
                Kind::Null => reader.null().map(|()| "null".to_owned())?,
                Kind::List if name.eq_str("l") => {
                    let mut count = 0;
                    let span = reader.array(|index, _| {
                        assert_eq!(index, count);
                        count += 1;
                        Ok(())
                    })?;
                    format!("{count} in {}", String::from_utf8_lossy(span.of(text)))
                }
                _ => "skipped".to_owned(),
            });
            Ok(())
        })
        .unwrap();
    reader.finish().unwrap();
    assert_eq!(seen, ["skipped", "name=a\tb", "n=-1.50", "t=true", "f=false", "null", "3 in [1,\"2\",[3]]"]);
    assert_eq!(span, Span { start: 1, end: text.len() - 1 });
}

/// An error cannot be lost, and a second value cannot be read.
#[test]
fn an_error_stays() {
    let mut reader = Reader::new(b"[1,2", Limits::default());
    assert_eq!(reader.string().unwrap_err().kind, WrongKind);
    assert_eq!(reader.skip().unwrap_err().kind, WrongKind);
    assert_eq!(reader.finish().unwrap_err().kind, WrongKind);

    let mut reader = Reader::new(b"[[1,x],2]", Limits::default());
    let swallowed = reader.array(|_, reader| {
        let _ = reader.skip();
        Ok(())
    });
    assert_eq!(swallowed.unwrap_err().kind, UnexpectedByte);

    let mut reader = Reader::new(b"1 1", Limits::default());
    assert!(reader.skip().is_ok());
    assert_eq!(reader.skip().unwrap_err().kind, TrailingData);
    assert_eq!(Reader::new(b"1", Limits::default()).finish().unwrap_err().kind, Truncated);

    let mut reader = Reader::new(b"[1,2]", Limits::default());
    let greedy = reader.array(|_, reader| reader.skip().and_then(|_| reader.skip()).map(drop));
    assert_eq!(greedy.unwrap_err().kind, UnexpectedByte);
}

#[test]
fn splices_leave_the_rest() {
    let text = b"0123456789";
    let span = |start, end| Span { start, end };
    let mut splices = Splices::new();
    splices.replace(span(8, 9), *b"eight");
    splices.remove(span(0, 1));
    splices.replace(span(3, 3), *b"+");
    assert_eq!(splices.apply(text).unwrap(), b"12+34567eight9");
    for (a, b) in [((0, 3), (2, 4)), ((0, 3), (0, 3)), ((9, 11), (0, 1)), ((3, 2), (0, 1)), ((11, 11), (0, 1))] {
        let mut splices = Splices::new();
        splices.remove(span(a.0, a.1));
        splices.remove(span(b.0, b.1));
        assert!(splices.apply(text).is_err(), "{a:?} {b:?}");
    }
    assert_eq!(Splices::new().apply(text).unwrap(), text);
}

#[test]
fn the_canonical_text_is_one_for_all_that_mean_the_same() {
    let canonical = |text: &str| parse_tree(text.as_bytes(), Limits::default()).unwrap().canonical();
    let one = canonical(r#" { "b" : [ 1.0 , null ,true,false ], "\u0061" : "\u00fc\/\u000a\u0001", "" : { } } "#);
    assert_eq!(one, "{\"\":{},\"a\":\"ü/\\n\\u0001\",\"b\":[1.0,null,true,false]}");
    assert_eq!(canonical(&one), one);
    // RFC 8785 section 3.2.3: sorted by UTF-16 units, not by bytes.
    assert_eq!(canonical("{\"\u{fb33}\":1,\"\u{1f600}\":2,\"\u{20ac}\":3}"), "{\"\u{20ac}\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    assert_ne!(canonical("[1,2]"), canonical("[2,1]"));
}

fn same(node: &Node, value: &Value) -> bool {
    match (node, value) {
        (Node::Null, Value::Null) => true,
        (Node::Bool(a), Value::Bool(b)) => a == b,
        (Node::Number(a), Value::Number(b)) => serde_json::from_str::<Value>(a).is_ok_and(|a| a.as_f64() == b.as_f64()),
        (Node::String(a), Value::String(b)) => a == b,
        (Node::List(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Node::Map(a), Value::Object(b)) => a.len() == b.len() && a.iter().zip(b).all(|((n, a), (m, b))| n == m && same(a, b)),
        _ => false,
    }
}

/// Both accept, and read the same; or both refuse; or the difference is one that is documented.
fn agree(text: &[u8]) -> Result<(), TestCaseError> {
    let shown = text.escape_ascii().to_string();
    match (parse_tree(text, Limits::default()), serde_json::from_slice::<Value>(text)) {
        (Ok(node), Ok(value)) => prop_assert!(same(&node, &value), "{} is read as {:?}", shown, node),
        (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) => {
            prop_assert!(matches!(error.kind, DuplicateMember | TooDeep | LongNumber | TooManyNodes), "{}: {}", shown, error);
        }
        // serde_json converts numbers; here they stay text.
        (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("number out of range"), "{}: {}", shown, error),
    }
    prop_assert_eq!(check(text, Limits::default()), parse_tree(text, Limits::default()).map(drop));
    Ok(())
}

fn values() -> impl Strategy<Value = Value> {
    let text = prop_oneof![any::<String>(), "[ -~]{0,40}", Just("\u{0}\"\\/\u{7f}\u{2028}🦀".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 12, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..12).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes each character of a string as one of the escapes that it may have.
fn escape_some(text: &str, choice: &mut impl Iterator<Item = u8>) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if choice.next().unwrap_or(0).is_multiple_of(3) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out += &format!("\\u{unit:04X}"));
        } else {
            let mut quoted = String::new();
            push_string(&mut quoted, c.encode_utf8(&mut [0; 4]));
            out += quoted.get(1..quoted.len() - 1).unwrap_or_default();
        }
    }
    out + "\""
}

proptest! {
    #[test]
    fn any_bytes(text in prop::collection::vec(any::<u8>(), 0..60)) {
        agree(&text)?;
    }

    #[test]
    fn soup(text in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "\"a\":", "\"\\u0061\":", "1", "-", "0", ".5", "e1", "1E400", "true", "null", "fals", " ", "\n",
        "\\", "\\u", "\\ud83e\\udd80", "\\ud83e", "\\n", "ü", "\u{1}", "\u{feff}", "[1,2]", "{\"x\":1}",
    ]), 0..16)) {
        agree(text.concat().as_bytes())?;
    }

    #[test]
    fn valid_and_nearly_valid(value in values(), pretty in any::<bool>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let node = parse_tree(&text, Limits::default()).unwrap();
        prop_assert!(same(&node, &serde_json::from_slice(&text).unwrap()));
        let canonical = node.canonical();
        prop_assert_eq!(&serde_json::from_str::<Value>(&canonical).unwrap(), &serde_json::from_slice::<Value>(&text).unwrap());
        let at = at.index(text.len());
        agree(&text[..at])?;
        text[at] = byte;
        agree(&text)?;
        text.insert(at, byte);
        agree(&text)?;
        text.drain(at..at + 2);
        agree(&text)?;
    }

    /// BY-J-04: however a string is escaped, it reads the same.
    #[test]
    fn escapes_read_back(text in any::<String>(), choice in prop::collection::vec(any::<u8>(), 50)) {
        let escaped = escape_some(&text, &mut choice.iter().copied().cycle());
        let mut reader = Reader::new(escaped.as_bytes(), Limits::default());
        let read = reader.string().unwrap();
        prop_assert!(read.eq_str(&text), "{}", escaped);
        prop_assert_eq!(read.text(), serde_json::from_str::<String>(&escaped).unwrap());
        prop_assert_eq!(read.span(), Span { start: 0, end: escaped.len() });
    }

    /// Replacing spans by their own text is the identity.
    #[test]
    fn splices_of_the_same_are_the_identity(text in prop::collection::vec(any::<u8>(), 0..60), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10)) {
        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        at.sort_unstable();
        at.dedup();
        let mut splices = Splices::new();
        for pair in at.windows(2) {
            splices.replace(Span { start: pair[0], end: pair[1] }, &text[pair[0]..pair[1]]);
        }
        prop_assert_eq!(splices.apply(&text).unwrap(), text);
    }
}

/// nst/JSONTestSuite (`WARDPOINT_CORPORA`).
#[test]
#[expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a test of files that others keep")]
fn the_test_suite_of_others() {
    use base64::Engine;
    let Ok(corpora) = std::env::var("WARDPOINT_CORPORA") else { return eprintln!("skipped: WARDPOINT_CORPORA is unset") };
    let rows = std::fs::read_to_string(format!("{corpora}/json/jsontestsuite.jsonl")).unwrap();
    let mut count = 0;
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let name = row["name"].as_str().unwrap();
        let text = match row["b64"].as_str() {
            Some(text) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
            None => {
                let made = &row["generator"];
                let body = made["repeat"].as_str().unwrap().repeat(usize::try_from(made["count"].as_u64().unwrap()).unwrap());
                (body + made["tail"].as_str().unwrap_or_default()).into_bytes()
            }
        };
        let result = check(&text, Limits::default());
        let stricter = result.is_err_and(|error| matches!(error.kind, DuplicateMember | LoneSurrogate | LongNumber | TooDeep));
        match row["expect"].as_str().unwrap() {
            "accept" => assert!(result.is_ok() || stricter, "{name}: {result:?}"),
            "reject" => assert!(result.is_err(), "{name}"),
            _ => {}
        }
        if name.starts_with("y_") && stricter {
            assert!(name.contains("duplicated") || name == "y_number_double_close_to_zero.json", "{name}: {result:?}");
        }
        count += 1;
    }
    assert_eq!(count, 340);
}
