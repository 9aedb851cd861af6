//! `wardpoint check`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use wardpoint_core::config::ConfigErrors;

use super::plugins::{Plugin, names, plugin};
use super::{Exit, Streams};
use crate::scenario::yaml::{Node, Place};
use crate::scenario::{LoadError, Problem, read_yaml};

/// Report every problem of configurations, each with its line
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint check --plugin mcp-authz policy.yaml
  wardpoint check --plugin mcp-authz policies/*.json
  wardpoint check --plugin mcp-authz --json policy.yaml      as the proxy wants it, if it is good

YAML is read by the core schema of YAML 1.2. Aliases are resolved. What two readers could take differently is refused:
duplicate keys, keys that are not strings, merge keys (`<<`), tags, `yes`/`no`/`on`/`off`, numbers with leading zeros.

Warnings are about what is allowed and had better be looked at.

Exits with 0 if all is well or only warned of, 1 if there are problems, 2 if a file cannot be read.")]
pub(super) struct Args {
    /// The plugin that is to be configured
    #[arg(long, value_parser = PossibleValuesParser::new(names()))]
    plugin: String,
    /// Print good configurations as JSON, a line each: what goes into a proxy's configuration
    #[arg(long)]
    json: bool,
    /// Files, JSON or YAML; `-` is the standard input
    #[arg(required = true)]
    config: Vec<PathBuf>,
}

pub(super) fn check(args: &Args, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let Some(plugin) = plugin(&args.plugin) else { return Ok(Exit::Error) };
    let mut exit = Exit::Good;
    for file in &args.config {
        let text = match read(file) {
            Ok(text) => text,
            Err(error) => {
                writeln!(streams.err, "error: {}: cannot be read: {error}", file.display())?;
                exit = Exit::Error;
                continue;
            }
        };
        match configuration(plugin, file, &text) {
            Ok(good) => {
                let out: &mut dyn io::Write = if args.json { &mut *streams.err } else { &mut *streams.out };
                for warning in &good.warnings {
                    writeln!(out, "{warning}")?;
                }
                match args.json {
                    true => writeln!(streams.out, "{}", on_one_line(&good.json))?,
                    false => writeln!(streams.out, "{}: {}", file.display(), streams.style.good("ok"))?,
                }
            }
            Err(error) => {
                let out: &mut dyn io::Write = if args.json { &mut *streams.err } else { &mut *streams.out };
                writeln!(out, "{error}")?;
                exit = if exit == Exit::Error { exit } else { Exit::Bad };
            }
        }
    }
    Ok(exit)
}

/// A file's text; `-` is the standard input.
pub(super) fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(file)
}

/// A configuration without problems.
pub(super) struct Good {
    /// It, as JSON.
    pub(super) json: Vec<u8>,
    /// What had better be looked at, each with its line.
    pub(super) warnings: Vec<String>,
}

/// The configuration in `text` as JSON, or everything that is wrong with it.
pub(super) fn configuration(plugin: &Plugin, file: &Path, text: &str) -> Result<Good, LoadError> {
    // JSON goes to the plugin as it is, as a proxy would hand it over; the YAML reader then only knows the lines.
    let is_json = file.extension().is_some_and(|extension| extension == "json") || text.trim_start().starts_with('{');
    let node = read_yaml(file, text);
    let json = match &node {
        Ok(node) if !is_json => node.to_json().to_string(),
        Err(error) if !is_json => return Err(error.clone()),
        _ => text.to_owned(),
    };
    let good = |json: String, warnings: Vec<(String, &'static str)>, node: Option<&Node>| {
        let told = |(path, why): &(String, &'static str)| {
            let line = node.map(|node| format!(":{}", node.locate(path).line)).unwrap_or_default();
            format!("{}{line}: warning: {path}: {why}", file.display())
        };
        Good { warnings: warnings.iter().map(told).collect(), json: json.into_bytes() }
    };
    match (plugin.configure)(json.as_bytes()) {
        Ok(warnings) => Ok(good(json, warnings, node.as_ref().ok())),
        // Flow style YAML looks like JSON but need not be it.
        Err(errors) if is_json && file.extension().is_none_or(|extension| extension != "json") => match &node {
            Ok(node) if serde_json::from_str::<serde_json::Value>(text).is_err() => {
                let json = node.to_json().to_string();
                let read = (plugin.configure)(json.as_bytes()).map_err(|errors| placed(file, text, Some(node), &errors))?;
                Ok(good(json, read, Some(node)))
            }
            node => Err(placed(file, text, node.as_ref().ok(), &errors)),
        },
        Err(errors) => Err(placed(file, text, node.as_ref().ok(), &errors)),
    }
}

fn on_one_line(json: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(json).map(|value| value.to_string()).unwrap_or_default()
}

/// The problems with their lines, in the order of the text.
fn placed(file: &Path, text: &str, node: Option<&Node>, errors: &ConfigErrors) -> LoadError {
    let place = |problem: &wardpoint_core::config::Problem| {
        offset(&problem.text).and_then(|at| place_of(text, at)).or_else(|| Some(node?.locate(&problem.path)))
    };
    let mut problems: Vec<Problem> = errors
        .problems()
        .iter()
        .map(|problem| Problem { place: place(problem), path: problem.path.clone(), text: problem.text.clone() })
        .collect();
    problems.sort_by_key(|problem| problem.place);
    LoadError { file: file.to_owned(), problems }
}

/// The offset in a problem of the text as such: `… at byte 16: …`.
fn offset(problem: &str) -> Option<usize> {
    let (_, rest) = problem.split_once("at byte ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn place_of(text: &str, byte: usize) -> Option<Place> {
    let before = text.get(..byte)?;
    let column = before.rsplit('\n').next()?.chars().count() + 1;
    Some(Place { line: before.matches('\n').count() + 1, column })
}
