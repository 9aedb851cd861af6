//! `wardpoint demo`: the examples at work on the embedded wasmtime host, told for a newcomer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wardpoint_core::mcp_authz::RuleKind;

use super::explain::{resource, why};
use super::plugins::plugin;
use super::{Exit, Streams};
use crate::engine::Play;
use crate::report::Style;
use crate::scenario::play::play;
use crate::scenario::run::Engines;
use crate::scenario::{Case, Expectations, Profile, compare, load};
use crate::transcript::{Transcript, UpstreamSaw};

/// Show examples at work on the embedded wasmtime host: what was decided, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint demo
  wardpoint demo examples

Plays the scenario.yaml of every folder of the given one with the compiled plugin, as a proxy would, and says what came of
each case. Exits with 0 if all came as the scenarios expect, 1 if not, 2 if an example or the plugin could not be loaded.")]
pub(super) struct Args {
    /// The folder of the examples
    #[arg(default_value = "examples")]
    folder: PathBuf,
}

pub(super) fn demo(args: &Args, engines: &dyn Engines, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let examples = match examples(&args.folder) {
        Ok(examples) if !examples.is_empty() => examples,
        Ok(_) => return fail(streams, &format!("{}: no folder with a scenario.yaml is there", args.folder.display())),
        Err(error) => return fail(streams, &format!("{}: {error}", args.folder.display())),
    };
    let mut engine = match engines.make("wasm") {
        Ok(engine) => engine,
        Err(error) => return fail(streams, &error.to_string()),
    };
    writeln!(
        streams.out,
        "The compiled plugins at work on the embedded wasmtime host: the same .wasm files that Envoy loads.\n"
    )?;
    let (mut decided, mut surprises) = (0, 0);
    for example in &examples {
        let scenario = match load(&example.join("scenario.yaml"), Expectations::Required) {
            Ok(scenario) => scenario,
            Err(error) => return fail(streams, &error.to_string()),
        };
        writeln!(streams.out, "{}   {}", streams.style.strong(title(example)), example.display())?;
        for case in &scenario.cases {
            let profile = if case.profiles.contains(&Profile::NoHold) { Profile::NoHold } else { Profile::Hold };
            let play = play(&scenario.plugin, case, profile);
            let seen = match engine.play(&play) {
                Ok(seen) => seen,
                Err(error) => return fail(streams, &error.to_string()),
            };
            let fits = case.expected(profile).is_none_or(|expected| compare::compare(expected, case, &seen).is_empty());
            decided += seen.audit.len();
            surprises += usize::from(!fits);
            streams.out.write_all(tell(&scenario.plugin, case, &play, &seen, fits, streams.style).as_bytes())?;
        }
        writeln!(streams.out)?;
    }
    writeln!(
        streams.out,
        "{decided} decisions in {} examples. Each folder has its policy and says more in its README.md;",
        examples.len()
    )?;
    writeln!(
        streams.out,
        "`wardpoint explain` tells the same of a request of yours, `make run-envoy` starts a real Envoy to try."
    )?;
    if surprises > 0 {
        return fail(streams, &format!("{surprises} cases did not come as their scenarios expect: run `wardpoint run examples`"));
    }
    Ok(Exit::Good)
}

fn fail(streams: &mut Streams<'_>, why: &str) -> io::Result<Exit> {
    writeln!(streams.err, "error: {why}")?;
    Ok(if why.contains("did not come") { Exit::Bad } else { Exit::Error })
}

/// The folders with a scenario, by name.
fn examples(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join("scenario.yaml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The heading of its README, or its name.
fn title(example: &Path) -> String {
    let heading = fs::read_to_string(example.join("README.md"))
        .ok()
        .and_then(|text| Some(text.lines().next()?.strip_prefix("# ")?.to_owned()));
    heading.unwrap_or_else(|| example.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// One case: who asks for what, what was decided and why, and what the server saw of it.
fn tell(plugin_name: &str, case: &Case, play: &Play, seen: &Transcript, fits: bool, style: Style) -> String {
    let mut out = format!("  {}\n", case.name);
    let status = seen.client.status.map_or("no answer".to_owned(), |status| format!("HTTP {status}"));
    for record in &seen.audit {
        let get = |name: &str| record.get(name).and_then(Value::as_str);
        let agent = get("agent").map_or("nobody", |id| id.rsplit('/').next().unwrap_or(id));
        let user = record.pointer("/subject/user").and_then(Value::as_str).unwrap_or("no user");
        let resource = resource(record);
        let what = [get("action").unwrap_or("a request"), resource.map(|(_, name)| name).unwrap_or_default()].join(" ");
        out.push_str(&format!("    {agent} for {user}: {}\n", what.trim_end()));
        let rule = get("rule").map(|rule| format!(" by rule {rule}")).unwrap_or_default();
        match get("decision") {
            Some("allow") => out.push_str(&format!("    {}{rule}, {status}\n", style.good("allowed"))),
            Some("would_deny") => {
                out.push_str(&format!(
                    "    {} ({}){rule}, {status}\n",
                    style.bad("would be refused"),
                    get("reason").unwrap_or_default()
                ));
            }
            _ => out.push_str(&format!(
                "    {} ({}){rule}, {status}; {}\n",
                style.bad("refused"),
                get("reason").unwrap_or_default(),
                server(seen)
            )),
        }
        if let (Some((kind, name)), Some(plugin), true) = (resource, plugin(plugin_name), get("rule").is_none()) {
            for says in (plugin.trace)(play, kind, name).unwrap_or_default() {
                if let (RuleKind::Allow, Some(miss)) = (says.kind, says.miss) {
                    out.push_str(&format!("      {}: {}\n", says.id, why(&miss, kind)));
                }
            }
        }
    }
    if let (Some(shown), Some(all)) =
        (tools(&seen.client.body), play.upstream.as_ref().and_then(|answer| tools(&answer.chunks.concat())))
    {
        out.push_str(&format!(
            "      the server lists {}; the agent sees {}\n",
            all.join(", "),
            if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
        ));
    }
    if !fits {
        out.push_str(&format!("    {}\n", style.bad("this is not what the scenario expects")));
    }
    out
}

fn server(seen: &Transcript) -> &'static str {
    match seen.upstream {
        UpstreamSaw::Nothing => "the server saw nothing of it",
        UpstreamSaw::Partial { .. } => "the server saw a part of it",
        UpstreamSaw::Complete { .. } => "the server had it already",
    }
}

/// The names in a list of tools, in one JSON text or in events.
fn tools(body: &[u8]) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(body);
    let texts = std::iter::once(text.as_ref()).chain(text.lines().filter_map(|line| line.strip_prefix("data:")));
    let lists = texts.filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let list = lists.filter_map(|value| value.pointer("/result/tools")?.as_array().cloned()).next()?;
    Some(list.iter().filter_map(|tool| tool.get("name")?.as_str().map(str::to_owned)).collect())
}
