//! Conditions: any text is a condition or a list of problems, and what is not known yet never decides otherwise than what
//! will be known.

use std::borrow::Cow;

use wardpoint_core::policy::cel::{Condition, Fact, Facts, FieldKind, Num, Truth, Vocabulary};

use crate::input::Input;

pub(crate) const WORDS: &[&str] = &[
    "mcp.tool.name",
    "mcp.tool.arguments",
    "mcp.tool.arguments.path",
    "mcp.resultBytes",
    "request.path",
    "request.headers[\"x\"]",
    "request.secure",
    "request.tags",
    "jwt.sub",
    "jwt.a.b",
    "jwt[\"x y\"]",
    " == ",
    " != ",
    " < ",
    " <= ",
    " > ",
    " >= ",
    " in ",
    " && ",
    " || ",
    "!",
    " ? ",
    " : ",
    " + ",
    " - ",
    " * ",
    " / ",
    " % ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "has(",
    "size(",
    ".size()",
    ".startsWith(",
    ".endsWith(",
    ".contains(",
    ".matches(",
    ".lowerAscii()",
    "string(",
    "int(",
    "double(",
    "bool(",
    ".all(x, ",
    ".exists(x, ",
    ".exists_one(x, ",
    ".filter(x, ",
    ".map(x, ",
    "true",
    "false",
    "null",
    "0",
    "1",
    "-1",
    "1u",
    "9223372036854775807",
    "1.5",
    "1e308",
    "\"a\"",
    "'b'",
    "\"\"",
    "r\"\\d+\"",
    "\"^a.*$\"",
    "[1, 2]",
    "{\"a\": 1}",
    "x",
    "\\u0061",
    "//",
];

struct Words;

impl Vocabulary for Words {
    fn field(&self, path: &[&str]) -> Result<FieldKind, String> {
        match path {
            ["mcp" | "jwt" | "request"] | ["mcp", "tool"] => Ok(FieldKind::Group),
            ["mcp", "tool", "name"] | ["request", "path"] => Ok(FieldKind::Text),
            ["mcp", "tool", "arguments"] => Ok(FieldKind::Json),
            ["mcp", "resultBytes"] => Ok(FieldKind::Number),
            ["request", "headers"] => Ok(FieldKind::TextMap),
            ["request", "secure"] => Ok(FieldKind::Bool),
            ["request", "tags"] => Ok(FieldKind::Texts),
            ["jwt", ..] => Ok(FieldKind::Claim),
            _ => Err(format!("`{}` is not known", path.join("."))),
        }
    }
}

const JSON: &[&str] = &[
    "{}",
    r#"{"path":"a","n":1,"a":{"b":[1,2.5,"a",null,true]},"x":[],"y":{"a":"b"}}"#,
    r#"{"path":1e400,"n":18446744073709551616,"a":"","x":[[[1]]]}"#,
    "[1,\"a\",{}]",
    "null",
];

struct Known(Vec<Fact<'static>>);

impl Facts for Known {
    fn get(&self, field: usize) -> Fact<'_> {
        self.0.get(field).cloned().unwrap_or(Fact::Absent)
    }
}

fn fact(kind: FieldKind, input: &mut Input<'_>) -> Fact<'static> {
    let choice = input.below(8);
    match (choice, kind) {
        (0, _) => Fact::Absent,
        (1, _) => Fact::Unreadable,
        (_, FieldKind::Number) => Fact::Number(
            [Num::Int(0), Num::Int(1), Num::Int(-1), Num::Int(i64::MIN), Num::Double(1.5), Num::Double(1e308)][choice - 2],
        ),
        (_, FieldKind::Bool) => Fact::Bool(choice.is_multiple_of(2)),
        (_, FieldKind::Texts) => Fact::Texts(Cow::Owned(vec!["a".to_owned(); choice - 2])),
        (_, FieldKind::Json) => Fact::Json(JSON[choice % JSON.len()].as_bytes()),
        _ => Fact::Text(Cow::Borrowed(["", "a", "b", "A", "/public/a", "é🦀", "1", "a b"][choice])),
    }
}

/// The first byte is the number of choices, then the choices, then the text.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let length = input.below(16);
    let mut choices = Input::new(input.take(length));
    let Ok(text) = core::str::from_utf8(input.rest()) else { return };
    let condition = match Condition::compile(text, &Words) {
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a problem");
            let lines = text.split('\n').count();
            for problem in &problems {
                assert!(
                    !problem.text.is_empty() && problem.line >= 1 && problem.line <= lines && problem.column >= 1,
                    "{problem:?}"
                );
            }
            return;
        }
        Ok(condition) => condition,
    };
    let full = Known(condition.fields().iter().map(|field| fact(field.kind, &mut choices)).collect());
    let truth = condition.eval(&full);
    assert_eq!(truth, condition.eval(&full), "not the same twice");
    assert!(truth != Truth::Unknown, "all is known, and yet it is unknown");
    if let Some(constant) = condition.constant() {
        assert_eq!(truth, if constant { Truth::True } else { Truth::False }, "not constant");
    }
    let mut partial = Known(full.0.clone());
    for hidden in 0..partial.0.len().min(6) {
        partial.0[hidden] = Fact::Unknown;
        let guess = condition.eval(&partial);
        assert!(guess == Truth::Unknown || guess == truth, "{guess:?} while field {hidden} is unknown, then {truth:?}");
    }
}
