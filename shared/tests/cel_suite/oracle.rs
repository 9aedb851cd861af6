//! The same truth as another evaluator: that of the `cel` crate.
#![expect(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test fails by it, and says what it compared")]

use std::collections::HashMap;
use std::sync::Arc;

use crate::generate::{Chance, condition, facts};
use crate::words::{Known, Words};
use cel::{Context, Env, Value};
use wardpoint_core::policy::cel::{Condition, Fact, Num, Truth};

/// Conditions that are held against the oracle, each over three sets of facts.
const COUNT: usize = 12_000;

fn value(node: &serde_json::Value) -> Value {
    match node {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::UInt(value),
            (None, None) => Value::Float(number.as_f64().unwrap()),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(value).collect())),
        serde_json::Value::Object(members) => {
            Value::from(members.iter().map(|(name, member)| (name.clone(), value(member))).collect::<HashMap<_, _>>())
        }
    }
}

fn fact(fact: &Fact<'_>) -> Option<Value> {
    Some(match fact {
        Fact::Absent | Fact::Unknown | Fact::Unreadable => return None,
        Fact::Text(text) => Value::from(&**text),
        Fact::Number(Num::Int(value)) => Value::Int(*value),
        Fact::Number(Num::Uint(value)) => Value::UInt(*value),
        Fact::Number(Num::Double(value)) => Value::Float(*value),
        Fact::Bool(value) => Value::Bool(*value),
        Fact::Texts(items) => Value::List(Arc::new(items.iter().map(|item| Value::from(item.as_str())).collect())),
        Fact::Json(text) => value(&serde_json::from_slice(text).unwrap()),
    })
}

/// Facts as variables: paths become maps in maps.
fn variables(known: &Known) -> HashMap<String, Value> {
    fn put(into: &mut HashMap<String, Value>, path: &[&str], leaf: Option<Value>) {
        let (first, rest) = path.split_first().unwrap();
        if rest.is_empty() {
            into.extend(leaf.map(|leaf| ((*first).to_owned(), leaf)));
            return;
        }
        let mut inner: HashMap<String, Value> = match into.remove(*first) {
            Some(Value::Map(map)) => map.map.iter().map(|(k, v)| (k.to_string(), v.clone())).collect(),
            _ => HashMap::new(),
        };
        put(&mut inner, rest, leaf);
        into.insert((*first).to_owned(), Value::from(inner));
    }
    let mut all = HashMap::new();
    for (path, leaf) in &known.0 {
        put(&mut all, &path.split('.').collect::<Vec<_>>(), fact(leaf));
    }
    all
}

#[test]
fn conditions_are_as_true_as_the_oracle_says() {
    let env = Arc::new(Env::stdlib());
    let mut chance = Chance(0x5eed);
    let (mut compared, mut refused, mut seen, mut excused) = (0, 0, [0; 3], HashMap::new());
    let mut wrong = Vec::new();
    while compared < COUNT {
        let source = condition(&mut chance, 3, &[]);
        let Ok(ours) = Condition::compile(&source, &Words) else {
            refused += 1;
            continue;
        };
        let Ok(theirs) = env.compile(&source) else { panic!("the oracle refuses {source}") };
        compared += 1;
        for _ in 0..3 {
            let known = facts(&mut chance);
            let mut context = Context::with_env(env.clone());
            for (name, value) in variables(&known) {
                context.add_variable_from_value(name, value);
            }
            let want = match theirs.execute(&context) {
                Ok(Value::Bool(true)) => Truth::True,
                Ok(Value::Bool(false)) => Truth::False,
                _ => Truth::Error,
            };
            let got = ours.eval(&known.of(&ours));
            seen[got as usize % 4 % 3] += 1;
            if got != want {
                match exception(&source, got, want) {
                    Some(why) => *excused.entry(why).or_insert(0) += 1,
                    None => wrong.push(format!(
                        "{source}\n  ours {got:?}, theirs {want:?}, {}",
                        known
                            .0
                            .get("mcp.tool.arguments")
                            .map(|f| match f {
                                Fact::Json(t) => String::from_utf8_lossy(t).into_owned(),
                                _ => String::new(),
                            })
                            .unwrap_or_default()
                    )),
                }
            }
        }
    }
    println!("{compared} compared, {refused} refused, {seen:?}, excused {excused:?}");
    wrong.sort_by_key(String::len);
    assert!(wrong.is_empty(), "{} differ, such as\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}

/// Where the oracle is known to be another, and why.
fn exception(source: &str, got: Truth, want: Truth) -> Option<&'static str> {
    if source.contains("9007199254740992.0") && got != Truth::Error && want != Truth::Error {
        return Some("it makes an integer a double to compare it with one: 2^53 + 1 is 2^53 to it");
    }
    if source.contains("mcp.tool.arguments.d") && source.contains(" + ") && got == Truth::Error {
        return Some("it adds a map to a list, which CEL has no `+` for");
    }
    None
}
