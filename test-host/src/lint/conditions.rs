//! Where conditions of `mcp-authz` say that a request goes.

use serde_json::Value;

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
    walk(config, "", &mut found);
    found
}

fn walk(value: &Value, path: &str, found: &mut Vec<Compared>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match value {
                    Value::String(text) if name == "when" => found.extend(of(text).map(|(field, name)| {
                        let (path, name) = (path.clone(), name.to_owned());
                        Compared { path, field, name }
                    })),
                    _ => walk(value, &path, found),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
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
