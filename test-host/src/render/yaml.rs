//! JSON values as YAML of the block style.

use serde_json::Value;

/// One document, with its newline.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                indent(out, depth);
                out.push_str(&scalar(&Value::from(name.as_str())));
                out.push(':');
                below(out, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(out, depth);
                out.push('-');
                if has_more(item) {
                    // The first line of what is in it stands beside the dash.
                    let mut inner = String::new();
                    block(&mut inner, item, depth + 1);
                    out.push(' ');
                    out.push_str(inner.trim_start());
                } else {
                    below(out, item, depth);
                }
            }
        }
        other => {
            indent(out, depth);
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

/// What follows a name or a dash.
fn below(out: &mut String, value: &Value, depth: usize) {
    if has_more(value) {
        out.push('\n');
        // A list stands as deep as its name, as kubectl writes it.
        block(out, value, if value.is_array() { depth } else { depth + 1 });
    } else {
        out.push(' ');
        out.push_str(&scalar(value));
        out.push('\n');
    }
}

/// Whether it takes lines of its own.
fn has_more(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// A JSON text is a YAML text; words that no reader takes for something else stand as they are.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let ends = text.bytes().last().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let clean = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    begins && ends && clean && !words.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scenario::yaml::parse;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "plain": "a-b/c.d", "quoted": ["*", "yes", "1", "", "a: b", "- x", "#", "NULL", "~", "1e3", "x\ny", "é"],
            "numbers": [0, 15008, 1.5], "empty": { "map": {}, "list": [] }, "deep": [[1, [2]], { "a": [{ "b": null }], "c": true }],
            "dots.and/slash": { "x y": false },
        });
        let text = document(&value);
        assert_eq!(parse(&text).unwrap().to_json(), value, "{text}");
    }

    #[test]
    fn it_is_written_as_people_write_it() {
        let value = json!({ "spec": { "rules": [{ "from": [{ "source": { "principals": ["a/b"] } }], "count": 1 }, "x"] } });
        let want = "spec:\n  rules:\n  - from:\n    - source:\n        principals:\n        - a/b\n    count: 1\n  - x\n";
        assert_eq!(document(&value), want);
    }
}
