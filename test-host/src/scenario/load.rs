//! From a file to a [`Scenario`].

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::before;
use super::exchange::exchange;
use super::expect;
use super::fields::{Fields, LoadError, Problems};
use super::model::{Case, Exchange, Expect, Handed, Profile, Scenario, Span};
use super::next;
use super::yaml::{self, Data, Node};
use crate::engine::{CalloutScript, Need, Sent};

const NEEDS: [(&str, Need); 7] = [
    ("clock", Need::Clock),
    ("exactCut", Need::ExactCut),
    ("hostFault", Need::HostFault),
    ("kill", Need::Kill),
    ("properties", Need::Properties),
    ("vms", Need::Vms),
    ("wireBytes", Need::WireBytes),
];

/// Shortest token that is looked for in log and audit; shorter ones would be found by chance.
const MIN_CANARY: usize = 8;

/// How strict a load is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expectations {
    /// Every case says what must be seen.
    Required,
    /// They may be missing or broken: they are about to be written.
    Open,
}

/// What stands beside scenarios in a folder, and what begins with `policy`.
const BESIDE: [&str; 4] = ["access.yaml", "envoy.yaml", "manifests.yaml", "request.yaml"];

/// Reads the scenario files that `paths` name; folders are searched for `*.yaml`, but what stands beside scenarios is left out. All problems of all files at once.
pub fn load_all(paths: &[PathBuf], expectations: Expectations) -> Result<Vec<Scenario>, Vec<LoadError>> {
    let (mut files, mut scenarios, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        if let Err(error) = collect(path, &mut files) {
            errors.push(LoadError::whole(path, format!("cannot be read: {error}")));
        }
    }
    for file in files {
        match load(&file, expectations) {
            Ok(scenario) => scenarios.push(scenario),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(scenarios) } else { Err(errors) }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    for entry in entries {
        // Examples have their configuration beside their scenario, and what a proxy needs around it.
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let is_other = name.starts_with("policy") || BESIDE.contains(&name.as_ref());
        let is_scenario = entry.extension().is_some_and(|extension| extension == "yaml") && !is_other;
        if entry.is_dir() || is_scenario {
            collect(&entry, files)?;
        }
    }
    Ok(())
}

/// Reads one file.
pub fn load(file: &Path, expectations: Expectations) -> Result<Scenario, LoadError> {
    let text = fs::read_to_string(file).map_err(|error| LoadError::whole(file, format!("cannot be read: {error}")))?;
    parse(file, text, expectations)
}

/// Reads a text as if it stood in `file`.
pub fn parse(file: &Path, text: String, expectations: Expectations) -> Result<Scenario, LoadError> {
    let root = read_yaml(file, &text)?;
    let mut problems = Problems::default();
    let scenario = scenario(file, &root, expectations, &mut problems);
    match scenario {
        Some((plugin, cases)) if problems.is_empty() => Ok(Scenario { file: file.to_owned(), text, plugin, cases }),
        _ => Err(LoadError { file: file.to_owned(), problems: problems.into_list() }),
    }
}

/// A YAML or JSON text, its error as that of the file.
pub fn read_yaml(file: &Path, text: &str) -> Result<Node, LoadError> {
    yaml::parse(text).map_err(|error| LoadError {
        file: file.to_owned(),
        problems: vec![super::fields::Problem { place: Some(error.place), path: String::new(), text: error.text }],
    })
}

/// The exchange alone, for `explain`: the same fields as those of a case, no configuration and no expectation.
pub fn parse_exchange(file: &Path, text: &str) -> Result<Exchange, LoadError> {
    let root = read_yaml(file, text)?;
    let mut problems = Problems::default();
    let exchange = Fields::of(&root, "", &mut problems).map(|mut fields| {
        let exchange = exchange(&mut fields, &mut problems);
        fields.finish(&mut problems);
        exchange
    });
    match exchange {
        Some(exchange) if problems.is_empty() => Ok(exchange),
        _ => Err(LoadError { file: file.to_owned(), problems: problems.into_list() }),
    }
}

fn scenario(file: &Path, root: &Node, expectations: Expectations, problems: &mut Problems) -> Option<(String, Vec<Case>)> {
    let mut fields = Fields::of(root, "", problems)?;
    let plugin = fields.take("plugin").and_then(|(node, path)| problems.string(node, &path));
    let config = fields.take("config").and_then(|(node, path)| file_config(file, node, &path, problems));
    let next = fields.take("next").and_then(|(node, path)| next::of_file(file, node, &path, problems));
    let environment = fields.take("environment").map(|(node, path)| environment(node, &path, problems)).unwrap_or_default();
    let cases = fields.take("cases");
    fields.finish(problems);
    if plugin.is_none() && root.get("plugin").is_none() {
        problems.add(root, "", "`plugin` is missing: the name of the plugin that the cases are about");
    }
    if config.is_none() && root.get("config").is_none() {
        problems.add(root, "", "`config` is missing: a path relative to this file, or the configuration itself");
    }
    let Some((list, path)) = cases else {
        problems.add(root, "", "`cases` is missing: a list of exchanges");
        return None;
    };
    let items = problems.list(list, &path);
    if items.is_empty() && matches!(list.data, Data::List(_)) {
        problems.add(list, &path, "no cases");
    }
    let file = Whole { file, config: config.unwrap_or(Value::Null), next, environment };
    let cases = items.iter().enumerate();
    let cases: Vec<Case> =
        cases.filter_map(|(i, node)| case(node, &format!("{path}[{i}]"), &file, expectations, problems)).collect();
    for (index, case) in cases.iter().enumerate() {
        if cases.iter().take(index).any(|other| other.name == case.name) {
            problems.at(case.place, &format!("{path}[{index}].name"), format!("`{}` is there twice", case.name));
        }
    }
    Some((plugin?, cases))
}

pub(super) fn file_config(file: &Path, node: &Node, path: &str, problems: &mut Problems) -> Option<Value> {
    let Data::String(name) = &node.data else {
        if !matches!(node.data, Data::Map(_)) {
            problems.expected(node, path, "a path or a mapping");
            return None;
        }
        return Some(node.to_json());
    };
    let target = file.parent().unwrap_or(Path::new("")).join(name);
    let read = fs::read_to_string(&target).map_err(|error| error.to_string());
    match read.and_then(|text| yaml::parse(&text).map_err(|error| error.to_string())) {
        Ok(config) => Some(config.to_json()),
        Err(error) => {
            problems.add(node, path, format!("`{}` cannot be read: {error}", target.display()));
            None
        }
    }
}

/// What a file says for all of its cases.
struct Whole<'a> {
    file: &'a Path,
    config: Value,
    next: Option<(String, Value)>,
    environment: Vec<(String, String)>,
}

/// Names and values; the values are secrets.
fn environment(node: &Node, path: &str, problems: &mut Problems) -> Vec<(String, String)> {
    let Data::Map(entries) = &node.data else {
        problems.expected(node, path, "a mapping from names to texts");
        return Vec::new();
    };
    let read = |entry: &yaml::Entry| Some((entry.key.clone(), problems.string(&entry.value, &format!("{path}.{}", entry.key))?));
    entries.iter().filter_map(read).collect()
}

fn case(node: &Node, path: &str, file: &Whole<'_>, expectations: Expectations, problems: &mut Problems) -> Option<Case> {
    let mut fields = Fields::of(node, path, problems)?;
    let name = fields.take("name").and_then(|(node, path)| problems.string(node, &path));
    if node.get("name").is_none() {
        problems.add(node, path, "`name` is missing: a sentence that says what must happen");
    }
    let cites = fields.take("cites").map(|(node, path)| problems.strings(node, &path)).unwrap_or_default();
    let needs = words(&mut fields, "needs", &NEEDS, problems).unwrap_or_default();
    let profile_names = [("hold", Profile::Hold), ("no-hold", Profile::NoHold)];
    let profiles = words(&mut fields, "profiles", &profile_names, problems).unwrap_or_else(|| Profile::ALL.to_vec());
    let own_config = fields.take("config");
    let environment = match fields.take("environment") {
        Some((node, path)) => environment(node, &path, problems),
        None => file.environment.clone(),
    };
    let canaries = fields.take("canaries").map(|(node, path)| problems.strings(node, &path)).unwrap_or_default();
    let handed = fields.take("handed");
    let before = fields.take("before").map(|(node, path)| before::read(node, &path, problems)).unwrap_or_default();
    let own_next = fields.take("next");
    let exchange = exchange(&mut fields, problems);
    let expect_field = fields.take("expect");
    fields.finish(problems);
    before::one_listener(&exchange, &before, path, problems);

    let mut expect = Expect::default();
    match expect_field {
        Some((node, path)) => {
            // With Open, an expectation that cannot be read is as good as none: it will be written anew.
            let mut dropped = Problems::default();
            let sink = if expectations == Expectations::Open { &mut dropped } else { &mut *problems };
            for profile in &profiles {
                let key = if *profile == Profile::Hold { "hold" } else { "noHold" };
                let over = node.get(key).map(|over| (over, format!("{path}.{key}")));
                let expected = expect::expected(node, &path, over, sink);
                match profile {
                    Profile::Hold => expect.hold = expected,
                    Profile::NoHold => expect.no_hold = expected,
                }
            }
        }
        None if expectations == Expectations::Required => {
            problems.add(node, path, "`expect` is missing; run with --bless to write down what is seen");
        }
        None => {}
    }

    let own_host_profile = own_config.as_ref().is_some_and(|(node, _)| node.get("hostProfile").is_some());
    let merged = own(own_config, file, problems);
    let next = next::of_case(own_next, file.next.as_ref(), problems);
    let whole = Whole { file: file.file, config: merged.clone(), next: None, environment: environment.clone() };
    let handed = handed.and_then(|(node, path)| self::handed(node, &path, &whole, problems));
    if next.is_some() {
        let none = [
            ("before", before.is_empty()),
            ("handed", handed.is_none()),
            ("faults", exchange.faults.is_empty()),
            ("trailers", !exchange.has_trailers()),
        ];
        for (name, _) in none.into_iter().filter(|(_, none)| !none) {
            problems.add(node, path, format!("`{name}` is for a case with one plugin, without `next`"));
        }
    }
    let key = match &node.data {
        Data::Map(entries) => entries.iter().find(|entry| entry.key == "expect").map(|entry| entry.bytes.clone()),
        _ => None,
    };
    Some(Case {
        name: name?,
        place: node.place,
        cites,
        needs,
        profiles,
        config: merged,
        own_host_profile,
        next,
        canaries: canaries
            .into_iter()
            .chain(environment.iter().map(|(_, value)| value.clone()).filter(|value| value.len() >= MIN_CANARY))
            .chain(handed.iter().flat_map(|handed| handed.environment.iter().map(|(_, value)| value.clone())))
            .chain(before.iter().map(|before| &before.exchange).chain([&exchange]).flat_map(secrets))
            .chain(handed.iter().flat_map(|handed| secrets(&handed.exchange)))
            .collect(),
        handed,
        environment,
        before,
        exchange,
        expect,
        span: Span { expect_key: key, expect: expect_field_bytes(node), case: node.bytes.clone(), column: node.place.column },
    })
}

/// The configuration of `whole` with an own one merged over it; or, if that is a path, in its place.
fn own(config: Option<(&Node, String)>, whole: &Whole<'_>, problems: &mut Problems) -> Value {
    let Some((node, path)) = config else { return whole.config.clone() };
    let read = file_config(whole.file, node, &path, problems).unwrap_or_default();
    match node.data {
        Data::Map(_) => {
            let mut merged = whole.config.clone();
            merge(&mut merged, &read);
            merged
        }
        _ => read,
    }
}

fn handed(node: &Node, path: &str, case: &Whole<'_>, problems: &mut Problems) -> Option<Handed> {
    let mut fields = Fields::of(node, path, problems)?;
    let config = own(fields.take("config"), case, problems);
    let environment = match fields.take("environment") {
        Some((node, path)) => environment(node, &path, problems),
        None => case.environment.clone(),
    };
    let exchange = exchange(&mut fields, problems);
    fields.finish(problems);
    Some(Handed { config, environment, exchange })
}

fn expect_field_bytes(case: &Node) -> Option<std::ops::Range<usize>> {
    case.get("expect").map(|expect| expect.bytes.clone())
}

fn words<T: Copy>(
    fields: &mut Fields<'_>,
    name: &'static str,
    words: &[(&'static str, T)],
    problems: &mut Problems,
) -> Option<Vec<T>> {
    let (node, path) = fields.take(name)?;
    let items = problems.list(node, &path).iter().enumerate();
    Some(items.filter_map(|(i, item)| problems.word(item, &format!("{path}[{i}]"), words)).collect())
}

/// The credentials of a request: what stands behind the scheme in `authorization`, and cookies.
/// The credentials that a request brings, and those that called services answer.
fn secrets(exchange: &Exchange) -> Vec<String> {
    let mut found = tokens(&exchange.request);
    for script in exchange.callouts.all() {
        let CalloutScript::Answer(sent, _) = script else { continue };
        let Ok(answer) = serde_json::from_slice::<Value>(&sent.chunks.concat()) else { continue };
        let named = ["access_token", "refresh_token", "id_token"].map(|name| answer.get(name).and_then(Value::as_str));
        found.extend(named.into_iter().flatten().filter(|token| token.len() >= MIN_CANARY).map(str::to_owned));
    }
    found
}

fn tokens(request: &Sent) -> Vec<String> {
    let mut tokens = Vec::new();
    for (name, value) in &request.headers {
        let Ok(value) = std::str::from_utf8(value) else { continue };
        let token = match name.to_ascii_lowercase().as_slice() {
            b"authorization" | b"proxy-authorization" => value.split_once(' ').map_or(value, |(_, token)| token).trim(),
            b"cookie" => value.trim(),
            _ => continue,
        };
        if token.len() >= MIN_CANARY {
            tokens.push(token.to_owned());
        }
    }
    tokens
}

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.shift_remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
