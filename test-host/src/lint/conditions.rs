//! What conditions of `mcp-authz` read of a request: what it says, and where it goes.

use serde_json::Value;
use wardpoint_core::policy::cel::{Condition, FieldKind, Vocabulary};

/// A name that a condition holds against where the proxy sends a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Compared {
    /// The path of the condition in the configuration.
    pub(super) path: String,
    pub(super) field: &'static str,
    pub(super) name: String,
}

const FIELDS: [&str; 2] = ["request.service", "request.cluster"];

/// All of a configuration, as they are mostly written: `== "x"`, `!= "x"`, `in ["x", "y"]`. What is written otherwise is not looked at.
pub(super) fn compared(config: &Value) -> Vec<Compared> {
    let mut found = Vec::new();
    each(config, "", &mut |path, when| {
        found.extend(of(when).map(|(field, name)| Compared { path: path.to_owned(), field, name: name.to_owned() }));
    });
    found
}

/// Whether a condition reads `request.<name>`, however it writes that.
pub(super) fn reads_of_request(config: &Value, name: &str) -> bool {
    let mut reads = false;
    each(config, "", &mut |_, when| {
        reads |= match Condition::compile(when, &AnyWords) {
            Ok(condition) => condition.fields().iter().any(|field| field.path == ["request", name]),
            Err(_) => when.contains(name),
        };
    });
    reads
}

/// Tells `tell` of each condition and its path.
fn each(value: &Value, path: &str, tell: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match value {
                    Value::String(text) if name == "when" => tell(&path, text),
                    _ => each(value, &path, tell),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each(item, &format!("{path}[{index}]"), tell);
            }
        }
        _ => {}
    }
}

/// Takes every word: whether a field is there is for the plugin to say.
struct AnyWords;

impl Vocabulary for AnyWords {
    fn field(&self, path: &[&str]) -> Result<FieldKind, String> {
        Ok(match path {
            ["jwt" | "mcp" | "request" | "source"] | ["mcp", "prompt" | "resource" | "tool"] | ["source", "identity"] => {
                FieldKind::Group
            }
            ["request", "headers"] => FieldKind::TextMap,
            ["mcp", .., "arguments"] | ["mcp", "result"] => FieldKind::Json,
            ["mcp", "resultBytes"] => FieldKind::Number,
            ["jwt", ..] => FieldKind::Claim,
            _ => FieldKind::Text,
        })
    }
}

fn of(when: &str) -> impl Iterator<Item = (&'static str, &str)> {
    FIELDS.into_iter().flat_map(move |field| when.split(field).skip(1).flat_map(names).map(move |name| (field, name)))
}

/// The names that stand behind a field.
fn names(rest: &str) -> Vec<&str> {
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix("==").or_else(|| rest.strip_prefix("!=")) {
        return literal(rest).map(|(name, _)| name).into_iter().collect();
    }
    let Some(mut rest) = rest.strip_prefix("in").and_then(|rest| rest.trim_start().strip_prefix('[')) else { return Vec::new() };
    let mut found = Vec::new();
    while let Some((name, behind)) = literal(rest) {
        found.push(name);
        rest = behind.trim_start().strip_prefix(',').unwrap_or_default();
    }
    found
}

/// A text in quotes at the start, and what is behind it. One with escapes is no name.
fn literal(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, rest) = text.get(1..)?.split_once(quote)?;
    (!name.contains('\\')).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_request_is_read_however_it_is_written() {
        for (when, reads) in [
            ("request.host == 'x'", true),
            ("request[\"host\"] == 'x'", true),
            ("request . host.startsWith('x')", true),
            ("mcp.tool.arguments.path.size() > 3 && jwt.groups.exists(g, g == request['host'])", true),
            ("request.path == 'request.host'", false),
            ("request.headers['host'] == 'x' || mcp.result.size > 3", false),
            ("source.identity.namespace == jwt.host && mcp.resultBytes > 5", false),
            // It cannot be read, which is another finding.
            ("request['host'] ==", true),
        ] {
            let config = serde_json::json!({ "rules": [{ "id": "a", "deny": { "when": when } }] });
            assert_eq!(reads_of_request(&config, "host"), reads, "{when}");
        }
    }

    #[test]
    fn names_stand_behind_comparisons() {
        let config = serde_json::json!({
            "rules": [
                {"id": "a", "allow": {"when": "request.service == 'x' && request.cluster!=\"y\" || request.host == 'no'"}},
                {"id": "b", "deny": {"tools": ["request.service == 'no'"], "when": "request.service in ['z', \"w\" , mcp.method]"}},
                {"id": "c", "deny": {"when": "request.service.endsWith('no') || request.service == mcp.method || request.service == 'n\\'o'"}},
            ],
            "tiers": {"clients": {"planner": [{"deny": {"when": "(request.service) == 'no' || !(request.service =='v')"}}]}},
        });
        let found: Vec<_> = compared(&config).into_iter().map(|it| format!("{} {} {}", it.path, it.field, it.name)).collect();
        assert_eq!(
            found,
            [
                "rules[0].allow.when request.service x",
                "rules[0].allow.when request.cluster y",
                "rules[1].deny.when request.service z",
                "rules[1].deny.when request.service w",
                "tiers.clients.planner[0].deny.when request.service v",
            ]
        );
    }
}
