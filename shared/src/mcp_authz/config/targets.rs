//! What a rule speaks of.

use super::super::policy::{Targets, UriPattern};
use crate::config::Problems;
use crate::mcp::{Key, Method};
use crate::policy::Pattern;

/// The names in a rule.
pub(super) struct Names<'a> {
    pub(super) tools: &'a Option<Vec<String>>,
    pub(super) prompts: &'a Option<Vec<String>>,
    pub(super) resources: &'a Option<Vec<String>>,
    pub(super) methods: &'a Option<Vec<String>>,
}

/// What the names mean.
pub(super) fn targets(raw: &Names<'_>, denies: bool, problems: &mut Problems) -> Targets {
    let none = [raw.tools, raw.prompts, raw.resources, raw.methods].iter().all(|names| names.is_none());
    if none && !denies {
        problems.add("names no `tools`, `prompts`, `resources` or `methods`, so the rule never matches");
    }
    let mut read = |field: &str, names: &Option<Vec<String>>| {
        names.as_ref().map(|names| problems.field(field, |p| patterns(names, p))).unwrap_or_default()
    };
    Targets {
        tools: read("tools", raw.tools),
        prompts: read("prompts", raw.prompts),
        resources: raw
            .resources
            .as_ref()
            .map(|uris| problems.field("resources", |p| list(uris, |text| UriPattern::parse(text, denies), p)))
            .unwrap_or_default(),
        methods: raw
            .methods
            .as_ref()
            .map(|names| problems.field("methods", |p| list(names, |text| method(text, denies), p)))
            .unwrap_or_default(),
        everything: none && denies,
    }
}

/// Names, each exact or with one `*`.
pub(super) fn patterns(raw: &[String], problems: &mut Problems) -> Vec<Pattern> {
    list(raw, Pattern::parse, problems)
}

fn list<T>(raw: &[String], read: impl Fn(&str) -> Result<T, String>, problems: &mut Problems) -> Vec<T> {
    if raw.is_empty() {
        problems.add("is empty, so the rule never matches. Write names, or `*` for any");
    }
    let mut found = Vec::with_capacity(raw.len());
    for (index, text) in raw.iter().enumerate() {
        match read(text) {
            Ok(item) => found.push(item),
            Err(problem) => problems.item(index, |p| p.add(problem)),
        }
    }
    found
}

/// A method that a rule may name. A grant of one that names something would go round the rules over that thing.
fn method(text: &str, denies: bool) -> Result<Method, String> {
    let method = Method::from_text(text);
    let of_server = matches!(method, Method::ElicitationCreate | Method::RootsList | Method::SamplingCreateMessage);
    match method {
        Method::Unknown => Err(format!("`{text}` is not a method of MCP that is known here; it is refused in any case")),
        _ if of_server => Err(format!("`{text}` is asked by the server. Write `serverRequests`")),
        _ if denies => Ok(method),
        Method::ToolsCall => Err(format!("`{text}` is granted by `tools`")),
        Method::PromptsGet => Err(format!("`{text}` is granted by `prompts`")),
        Method::CompletionComplete => Err(format!("`{text}` is granted by `prompts` and `resources`")),
        _ => match method.key() {
            Key::Nothing => Ok(method),
            Key::Task => Err(format!("`{text}` is granted to whoever may call a tool")),
            Key::Name | Key::Reference | Key::Uri => Err(format!("`{text}` is granted by `resources`")),
        },
    }
}
