//! Tables of a configuration, from its JSON Schema.

use serde_json::Value;

use super::page::{plain, row};

/// One map of the configuration: where it stands and what it has.
struct Section<'a> {
    path: String,
    schema: &'a Value,
}

/// A table for each map. A map that stands in several places has one, where it is least deep.
pub(super) fn tables(schema: &Value) -> String {
    let mut sections = Vec::new();
    collect("", schema, &mut sections);
    sections.sort_by_key(|section| depth(&section.path));
    let mut out = String::new();
    let mut done: Vec<&Value> = Vec::new();
    for section in &sections {
        // What is said of the whole stands where it is a field.
        let members = &section.schema["properties"];
        if done.contains(&members) {
            continue;
        }
        done.push(members);
        let title = if section.path.is_empty() { "Top level" } else { &section.path };
        out.push_str(&format!("\n### {}\n\n| field | type | default | meaning |\n|---|---|---|---|\n", quoted(title)));
        let required: Vec<&str> = section.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in section.schema["properties"].as_object().into_iter().flatten() {
            let path = join(&section.path, name);
            let doc = field["description"].as_str().unwrap_or_else(|| panic!("{path} lacks a doc comment"));
            let default = match (required.contains(&name.as_str()), field.get("default")) {
                (true, _) => "required".to_owned(),
                (false, None) => "absent".to_owned(),
                (false, Some(Value::Object(members))) if members.is_empty() => "`{}`".to_owned(),
                (false, Some(default)) => format!("`{default}`"),
            };
            let (step, inner) = inside(&path, field);
            let more = if inner.get("properties").is_some() {
                let home = sections.iter().find(|other| other.schema["properties"] == inner["properties"]);
                format!(" See {}.", link(home.map_or(&step, |home| &home.path)))
            } else {
                words(field)
            };
            row(&mut out, &[&format!("`{name}`"), &kind(field), &default, &format!("{}{more}", plain(doc))]);
        }
    }
    out
}

fn collect<'a>(path: &str, schema: &'a Value, into: &mut Vec<Section<'a>>) {
    let (path, schema) = inside(path, schema);
    let Some(members) = schema["properties"].as_object() else { return };
    into.push(Section { path: path.clone(), schema });
    for (name, field) in members {
        collect(&join(&path, name), field, into);
    }
}

/// Through lists and maps with free names, to what stands in them.
fn inside<'a>(path: &str, schema: &'a Value) -> (String, &'a Value) {
    if let Some(items) = schema.get("items") {
        return inside(&format!("{path}[]"), items);
    }
    match schema.get("additionalProperties") {
        Some(items @ Value::Object(_)) => inside(&format!("{path}.<name>"), items),
        _ => (path.to_owned(), schema),
    }
}

/// The type, for people.
pub(super) fn kind(schema: &Value) -> String {
    let listed = |values: &Vec<Value>| values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    if let Some(values) = schema["enum"].as_array() {
        return listed(values);
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let kinds: Vec<String> = choices.iter().map(kind).collect();
        return kinds.join(" or ");
    }
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).map(word).collect::<Vec<_>>().join(" or "),
        Value::String(text) if text == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(text) if text == "object" && schema["additionalProperties"].is_object() => {
            format!("map of {}", kind(&schema["additionalProperties"]))
        }
        Value::String(text) => word(text).to_owned(),
        _ => "any".to_owned(),
    }
}

fn word(kind: &str) -> &str {
    match kind {
        "object" => "map",
        "integer" => "whole number",
        other => other,
    }
}

/// What each word of a closed set means.
fn words(field: &Value) -> String {
    let choices = field["oneOf"].as_array().into_iter().flatten();
    let each = choices
        .filter_map(|choice| Some(format!(" `{}`: {}", choice["const"].as_str()?, plain(choice["description"].as_str()?))));
    each.collect()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn depth(path: &str) -> usize {
    if path.is_empty() { 0 } else { path.split('.').count() }
}

fn quoted(title: &str) -> String {
    if title == "Top level" { title.to_owned() } else { format!("`{title}`") }
}

/// A link to the table of a map, as Markdown renderers name headings.
fn link(path: &str) -> String {
    let anchor: String = path.to_lowercase().chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
    format!("[`{path}`](#{anchor})")
}
