//! JSON against what was expected: objects as subsets, arrays of exact length.

use serde_json::{Map, Value};

use super::compare::{Mismatch, Mismatches, show};
use super::expect::{TextMatch, matcher};
use super::fields::Problems;
use super::yaml::{Data, Node};

/// Compares `seen` with `expected`; `path` names it in messages.
pub(super) fn subset(expected: &Node, seen: &Value, path: &str, out: &mut Mismatches) {
    if let Some(expected_text) = special(expected) {
        let holds = match (&expected_text, seen) {
            (Special::Absent, _) => false,
            (Special::Text(text), Value::String(seen)) => text.is_match(seen.as_bytes()),
            (Special::Text(_), _) => false,
        };
        if !holds {
            out.push(Mismatch::new(expected.place, path, expected.to_json().to_string(), show(seen)));
        }
        return;
    }
    match (&expected.data, seen) {
        (Data::Map(entries), Value::Object(members)) => {
            for entry in entries {
                let at = format!("{path}.{}", entry.key);
                let absent = matches!(special(&entry.value), Some(Special::Absent));
                match members.get(&entry.key) {
                    Some(seen) => subset(&entry.value, seen, &at, out),
                    None if absent => {}
                    None => out.push(Mismatch::new(entry.place, &at, show(&entry.value.to_json()), "absent".to_owned())),
                }
            }
        }
        (Data::List(items), Value::Array(values)) if items.len() == values.len() => {
            for (index, (item, seen)) in items.iter().zip(values).enumerate() {
                subset(item, seen, &format!("{path}[{index}]"), out);
            }
        }
        (Data::List(_), Value::Array(_)) => {
            out.push(Mismatch::new(expected.place, path, show(&expected.to_json()), show(&project(expected, seen))));
        }
        _ => {
            let want = expected.to_json();
            let equal = match (&want, seen) {
                (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64())),
                _ => want == *seen,
            };
            if !equal {
                out.push(Mismatch::new(expected.place, path, show(&want), show(seen)));
            }
        }
    }
}

/// `seen`, less what `expected` says nothing about.
pub(super) fn project(expected: &Node, seen: &Value) -> Value {
    match (&expected.data, seen) {
        (Data::Map(_), _) if special(expected).is_some() => seen.clone(),
        (Data::Map(entries), Value::Object(members)) => Value::Object(
            entries
                .iter()
                .filter_map(|entry| Some((entry.key.clone(), project(&entry.value, members.get(&entry.key)?))))
                .collect::<Map<_, _>>(),
        ),
        (Data::List(items), Value::Array(values)) => Value::Array(
            values
                .iter()
                .enumerate()
                .map(|(index, seen)| match items.get(index).or(items.last()) {
                    Some(item) => project(item, seen),
                    None => seen.clone(),
                })
                .collect(),
        ),
        _ => seen.clone(),
    }
}

/// Whether `expected` is a matcher and not a mapping.
pub(super) fn special_text(expected: &Node) -> bool {
    special(expected).is_some()
}

enum Special {
    Absent,
    Text(TextMatch),
}

/// `{absent: true}`, `{contains: text}`, `{matches: regex}`.
fn special(node: &Node) -> Option<Special> {
    let Data::Map(entries) = &node.data else { return None };
    let [entry] = entries.as_slice() else { return None };
    match entry.key.as_str() {
        "absent" if entry.value.data == Data::Bool(true) => Some(Special::Absent),
        "contains" | "matches" => matcher(node, "", &mut Problems::default()).map(Special::Text),
        _ => None,
    }
}
