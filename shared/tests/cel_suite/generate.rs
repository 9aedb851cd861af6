//! Conditions and facts by chance, from a seed.
#![expect(clippy::indexing_slicing, reason = "a test fails by it")]

use std::collections::HashMap;

use wardpoint_core::policy::cel::{Fact, Num};

use crate::words::{Known, json, text, texts};

/// A sequence that looks like chance (xorshift64*).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % count
    }

    pub(crate) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

/// All that a field may be in a test; the first words of [`ARGUMENTS`] are those of JSON.
pub(crate) fn choices() -> Vec<(&'static str, Vec<Fact<'static>>)> {
    vec![
        ("mcp.tool.name", vec![text("read"), text("list_files"), text("")]),
        ("mcp.tool.arguments", ARGUMENTS.iter().map(|text| json(text)).collect()),
        ("mcp.resultBytes", vec![Fact::Number(Num::Int(0)), Fact::Number(Num::Int(4096))]),
        ("request.headers.x-team", vec![text("blue"), text("read"), Fact::Absent]),
        ("request.secure", vec![Fact::Bool(true), Fact::Bool(false)]),
        ("request.tags", vec![texts(&[]), texts(&["a"]), texts(&["a", "read", "b"])]),
        ("jwt.sub", vec![text("alice"), text("read"), Fact::Absent]),
        ("jwt.groups", vec![texts(&["a", "b"]), texts(&["admin"]), Fact::Absent]),
        ("jwt.level", vec![Fact::Number(Num::Double(1.0)), Fact::Number(Num::Double(-2.5)), Fact::Absent]),
        ("jwt.ok", vec![Fact::Bool(true), Fact::Bool(false), Fact::Absent]),
    ]
}

const ARGUMENTS: &[&str] = &[
    r#"{"a":1,"b":"read","c":[1,2,3],"d":{"a":"x","b":null},"e":true,"f":1.5,"g":null}"#,
    r#"{"a":-7,"b":"\u0062lue é","c":["a","b"],"d":{},"e":false,"f":1e3,"g":[[1],{"a":1}]}"#,
    r#"{"a":9223372036854775807,"b":"","c":[],"d":{"a":{"a":1}},"f":-0.0,"g":"x"}"#,
    r#"{"a":18446744073709551615,"b":5,"c":"abc","d":[{"a":"a"},{"a":"b"}],"e":"true","f":9007199254740993}"#,
    "{}",
];

/// A value for each field.
pub(crate) fn facts(chance: &mut Chance) -> Known {
    Known(choices().into_iter().map(|(path, choices)| (path.to_owned(), chance.of(&choices))).collect::<HashMap<_, _>>())
}

/// A condition, at most `depth` deep. `variables` are those of the macros around it.
pub(crate) fn condition(chance: &mut Chance, depth: usize, variables: &[&str]) -> String {
    if depth == 0 {
        let leaf = chance.below(7);
        return match leaf {
            0 => "request.secure".into(),
            1 => "jwt.ok".into(),
            2 => "mcp.tool.arguments.e".into(),
            3 => format!(
                "has({})",
                chance.of(&["mcp.tool.arguments.d.a", "mcp.tool.arguments.g", "jwt.sub", "mcp.tool.arguments.zz"])
            ),
            4 => chance.of(&["true", "false"]).into(),
            5 => format!("jwt.sub == {}", words(chance)),
            _ => format!("mcp.tool.name == {}", words(chance)),
        };
    }
    let deeper = depth - 1;
    match chance.below(15) {
        0 | 1 => format!("({} && {})", condition(chance, deeper, variables), condition(chance, deeper, variables)),
        2 | 3 => format!("({} || {})", condition(chance, deeper, variables), condition(chance, deeper, variables)),
        4 => format!("!({})", condition(chance, deeper, variables)),
        5 => {
            let (a, b, c) = (
                condition(chance, deeper, variables),
                condition(chance, deeper, variables),
                condition(chance, deeper, variables),
            );
            format!("({a} ? {b} : {c})")
        }
        6 => format!("({} {} {})", string(chance, deeper, variables), relation(chance), string(chance, deeper, variables)),
        7 => format!("({} {} {})", number(chance, deeper, variables), relation(chance), number(chance, deeper, variables)),
        8 => format!("({} {} {})", any(chance, deeper, variables), chance.of(&["==", "!="]), any(chance, deeper, variables)),
        9 => format!("({} in {})", string(chance, deeper, variables), list(chance, deeper, variables)),
        10 => format!(
            "({} in {})",
            number(chance, deeper, variables),
            chance.of(&["[1, 2, 3]", "mcp.tool.arguments.c", "[1.0, 7u]", "[]"])
        ),
        11 => {
            let test = chance.of(&["contains", "startsWith", "endsWith"]);
            format!("{}.{test}({})", string(chance, deeper, variables), string(chance, deeper, variables))
        }
        12 => {
            format!("{}.matches({})", string(chance, deeper, variables), chance.of(&["'^[a-z]+$'", "'re'", "'e.*d'", "'(a|b)$'"]))
        }
        _ => {
            let name = ["v", "w", "x"][variables.len().min(2)];
            let inner = [variables, &[name]].concat();
            let each = chance.of(&["exists", "all", "exists_one"]);
            format!("{}.{each}({name}, {})", list(chance, deeper, variables), about(chance, deeper, name, &inner))
        }
    }
}

/// A condition that speaks of a variable.
fn about(chance: &mut Chance, depth: usize, name: &str, variables: &[&str]) -> String {
    let asked = match chance.below(4) {
        0 => format!("{name} == {}", words(chance)),
        1 => format!("{name} != {}", any(chance, depth.min(1), variables)),
        2 => format!("{name} in {}", list(chance, depth.min(1), variables)),
        _ => format!("{name} > {}", string(chance, depth.min(1), variables)),
    };
    match chance.below(3) {
        0 if depth > 0 => format!("{asked} || {}", condition(chance, depth - 1, variables)),
        1 if depth > 0 => format!("{asked} && {}", condition(chance, depth - 1, variables)),
        _ => asked,
    }
}

fn relation(chance: &mut Chance) -> &'static str {
    chance.of(&["==", "!=", "<", "<=", ">", ">="])
}

fn words(chance: &mut Chance) -> &'static str {
    chance.of(&["'read'", "'a'", "\"blue \\u00e9\"", "''", "'alice'", "r'x'", "'list_files'"])
}

fn string(chance: &mut Chance, depth: usize, variables: &[&str]) -> String {
    if depth > 0 && chance.below(4) == 0 {
        return match chance.below(4) {
            0 => format!("({} + {})", string(chance, depth - 1, variables), string(chance, depth - 1, variables)),
            1 => format!("string({})", string(chance, depth - 1, variables)),
            2 => format!(
                "({} ? {} : {})",
                condition(chance, depth - 1, variables),
                words(chance),
                string(chance, depth - 1, variables)
            ),
            _ => format!("{}[{}]", list(chance, depth - 1, variables), chance.of(&["0", "1", "mcp.tool.arguments.a", "-1"])),
        };
    }
    match chance.below(9) {
        0 => "mcp.tool.name".into(),
        1 => "request.headers['x-team']".into(),
        2 => "string(jwt.sub)".into(),
        3 | 4 => format!("mcp.tool.arguments.{}", chance.of(&["b", "b", "d.a", "zz", "a", "d['a']"])),
        5 if !variables.is_empty() => chance.of(variables).into(),
        _ => words(chance).into(),
    }
}

fn number(chance: &mut Chance, depth: usize, variables: &[&str]) -> String {
    if depth > 0 && chance.below(3) == 0 {
        return match chance.below(5) {
            0 => format!("size({})", string(chance, depth - 1, variables)),
            1 => format!("size({})", list(chance, depth - 1, variables)),
            2 => format!("-({})", number(chance, depth - 1, variables)),
            _ => {
                let operator = chance.of(&["+", "-", "*", "/", "%"]);
                format!("({} {operator} {})", number(chance, depth - 1, variables), number(chance, depth - 1, variables))
            }
        };
    }
    match chance.below(8) {
        0 => "mcp.resultBytes".into(),
        1 => "double(jwt.level)".into(),
        2 | 3 => format!("mcp.tool.arguments.{}", chance.of(&["a", "f", "c[0]", "d.a", "zz", "b"])),
        4 => chance.of(&["1.5", "-2.5", "1e3", "0.0", "9007199254740992.0"]).into(),
        5 => chance.of(&["1u", "7u", "18446744073709551615u"]).into(),
        _ => chance.of(&["0", "1", "-7", "2", "0x10", "9223372036854775807", "-9223372036854775808", "9007199254740993"]).into(),
    }
}

fn list(chance: &mut Chance, depth: usize, variables: &[&str]) -> String {
    if depth > 0 && chance.below(3) == 0 {
        return match chance.below(3) {
            0 => format!("({} + {})", list(chance, depth - 1, variables), list(chance, depth - 1, variables)),
            1 => {
                let inner = [variables, &["m"]].concat();
                format!("{}.filter(m, {})", list(chance, depth - 1, variables), about(chance, depth - 1, "m", &inner))
            }
            _ => {
                let inner = [variables, &["m"]].concat();
                format!("{}.map(m, {})", list(chance, depth - 1, variables), any(chance, depth - 1, &inner))
            }
        };
    }
    match chance.below(7) {
        0 => "request.tags".into(),
        1 => "mcp.tool.arguments.c".into(),
        2 => "mcp.tool.arguments.d".into(),
        3 => "['a', 'b', 'read']".into(),
        4 => format!("[{}, {}]", string(chance, 0, variables), string(chance, 0, variables)),
        5 => "mcp.tool.arguments.zz".into(),
        _ => "[]".into(),
    }
}

fn any(chance: &mut Chance, depth: usize, variables: &[&str]) -> String {
    match chance.below(8) {
        0 => string(chance, depth, variables),
        1 => number(chance, depth, variables),
        2 => list(chance, depth, variables),
        3 => "null".into(),
        4 => format!("{{'a': {}}}", number(chance, 0, variables)),
        5 if !variables.is_empty() => chance.of(variables).into(),
        _ => format!("mcp.tool.arguments.{}", chance.of(&["a", "b", "c", "d", "e", "f", "g", "g[1]", "zz"])),
    }
}
