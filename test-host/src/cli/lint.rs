//! `wardpoint lint`.

use std::io;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::check::read;
use super::plugins::{names, plugin};
use super::{Exit, Streams};
use crate::lint::{Check, Finding, Known, Problems, Severity, World, lint as look, lint_dump, read as manifests};

/// Report what in manifests or in a running proxy keeps a plugin from doing its work
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint lint manifests/*.yaml
  helm template my-release my-chart | wardpoint lint -
  wardpoint lint --format sarif manifests/*.yaml > lint.sarif
  curl -s localhost:15000/config_dump | wardpoint lint --config-dump -

Give it everything that belongs to the waypoint: what refers to an object that was not given is reported as missing.
Only what attaches a Wardpoint plugin, and what such a plugin needs, is looked at. Each finding says where, why it matters
and what to write.

A dump is what Envoy's admin port answers to /config_dump. It shows what manifests came to: whether a plugin is in each chain, where,
with what configuration, whether the clusters that it calls are there, and what the proxy refused. A place in it is a path.

Exits with 0 if nothing or only warnings were found, 1 if there are errors, 2 if a file cannot be read.")]
pub(super) struct Args {
    /// Files of YAML documents; `-` is the standard input
    #[arg(required_unless_present = "config_dump")]
    files: Vec<PathBuf>,
    /// What a running Envoy says it runs, as JSON; more than one may be given
    #[arg(long, value_name = "FILE")]
    config_dump: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The namespace whose resources are for the whole mesh
    #[arg(long, default_value = "istio-system")]
    root_namespace: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One array of findings
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

pub(super) fn lint(args: &Args, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let mut objects = Vec::new();
    for file in &args.files {
        let read = read(file).map_err(|error| format!("{}: cannot be read: {error}", file.display()));
        match read.and_then(|text| manifests(file, &text).map_err(|error| error.to_string())) {
            Ok(found) => objects.extend(found),
            Err(error) => {
                writeln!(streams.err, "error: {error}")?;
                return Ok(Exit::Error);
            }
        }
    }
    let known: Vec<Known> = names().map(|name| Known { name, problems }).collect();
    let mut counted = if args.files.is_empty() { Vec::new() } else { vec![format!("{} objects", objects.len())] };
    let mut found = look(&World::new(objects, args.root_namespace.as_str(), known.clone()));
    for file in &args.config_dump {
        let read = read(file).map_err(|error| format!("cannot be read: {error}"));
        match read.and_then(|text| lint_dump(file, &text, &known).map_err(|error| error.to_string())) {
            Ok((chains, more)) => {
                counted.push(format!("{chains} chains"));
                found.extend(more);
            }
            Err(error) => {
                writeln!(streams.err, "error: {}: {error}", file.display())?;
                return Ok(Exit::Error);
            }
        }
    }
    let errors = found.iter().filter(|finding| finding.check.severity() == Severity::Error).count();
    match args.format {
        Format::Text => {
            for finding in &found {
                writeln!(streams.out, "{finding}")?;
            }
            let said = format!("{}, {errors} errors, {} warnings", counted.join(", "), found.len() - errors);
            let said = if errors > 0 { streams.style.bad(said) } else { streams.style.good(said) };
            writeln!(streams.out, "{said}")?;
        }
        Format::Json => writeln!(streams.out, "{:#}", Value::Array(found.iter().map(told).collect()))?,
        Format::Sarif => writeln!(streams.out, "{:#}", sarif(&found))?,
    }
    Ok(if errors > 0 { Exit::Bad } else { Exit::Good })
}

fn problems(name: &str, config: &[u8]) -> Problems {
    let Some(Err(errors)) = plugin(name).map(|plugin| (plugin.configure)(config)) else { return Vec::new() };
    errors.problems().iter().map(|problem| (problem.path.clone(), problem.text.clone())).collect()
}

fn told(finding: &Finding) -> Value {
    json!({
        "check": finding.check.id(),
        "severity": finding.check.severity().as_str(),
        "file": finding.file,
        "line": finding.place.map(|place| place.line),
        "column": finding.place.map(|place| place.column),
        "path": finding.path,
        "object": finding.object,
        "text": finding.text,
        "why": finding.check.why(),
        "fix": finding.fix,
    })
}

fn physical(finding: &Finding) -> Value {
    let file = json!({ "uri": finding.file });
    match finding.place {
        Some(place) => json!({ "artifactLocation": file, "region": { "startLine": place.line, "startColumn": place.column } }),
        None => json!({ "artifactLocation": file }),
    }
}

/// SARIF 2.1.0 (OASIS), the least that code scanning reads.
fn sarif(found: &[Finding]) -> Value {
    let rules: Vec<Value> =
        Check::ALL.iter().map(|check| json!({ "id": check.id(), "shortDescription": { "text": check.why() } })).collect();
    let results: Vec<Value> = found
        .iter()
        .map(|finding| {
            json!({
                "ruleId": finding.check.id(),
                "level": finding.check.severity().as_str(),
                "message": { "text": format!("{}: {}\n{}\n{}", finding.object, finding.text, finding.check.why(), finding.fix) },
                "locations": [{ "physicalLocation": physical(finding), "logicalLocations": [{ "fullyQualifiedName": finding.path }] }],
            })
        })
        .collect();
    let driver = json!({ "name": "wardpoint lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "results": results }],
    })
}
