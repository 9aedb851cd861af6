//! `wardpoint explain`.

use std::io;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use serde_json::Value;
use wardpoint_core::filter::{Plugin as _, Properties as Values, PropertyError};
use wardpoint_core::mcp::Method;
use wardpoint_core::mcp_authz::{self, Ask, Item, McpAuthz, Miss, Outcome, Policy, RuleKind, RuleSays};
use wardpoint_core::policy::Reason;
use wardpoint_core::policy::cel::Truth;

use super::check::{configuration, read};
use super::plugins::{names, native, plugin};
use super::{Exit, Streams};
use crate::engine::{Engine as _, Play};
use crate::host::{Properties, Status, provider};
use crate::report::Style;
use crate::scenario::compare::text;
use crate::scenario::play::{configured, of_exchange};
use crate::scenario::{Exchange, parse_exchange};
use crate::transcript::{Transcript, UpstreamSaw};

/// Say what a policy decides about one request, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint explain --plugin mcp-authz --config policy.yaml request.yaml
  echo '{peer: \"spiffe://cluster.local/ns/agents/sa/planner\", request: {body: {jsonrpc: \"2.0\", id: 1,
    method: tools/call, params: {name: delete_repo}}}}' | wardpoint explain --plugin mcp-authz --config policy.yaml -

The request has the fields of a scenario case: peer, claims, request {headers, body}, upstream, … It is played on the core
itself, whatever its rules say comes from the code that decides. Exits with 0 if it is allowed, 1 if not, 2 if it cannot be read.")]
pub(super) struct Args {
    /// The plugin
    #[arg(long, value_parser = PossibleValuesParser::new(names()))]
    plugin: String,
    /// Its configuration, JSON or YAML
    #[arg(long)]
    config: PathBuf,
    /// The request, YAML or JSON; `-` is the standard input
    request: PathBuf,
}

/// What the rules of a configuration say to a request that is about a kind of item and its name.
pub(super) type Trace = fn(&Play, &str, &str) -> Result<Vec<RuleSays>, String>;

pub(super) fn explain(args: &Args, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let Some(plugin) = plugin(&args.plugin) else { return Ok(Exit::Error) };
    let mut texts = Vec::new();
    for file in [&args.config, &args.request] {
        match read(file) {
            Ok(text) => texts.push(text),
            Err(error) => {
                writeln!(streams.err, "error: {}: cannot be read: {error}", file.display())?;
                return Ok(Exit::Error);
            }
        }
    }
    let (Some(config), Some(request)) = (texts.first(), texts.get(1)) else { return Ok(Exit::Error) };
    let read =
        configuration(plugin, &args.config, config).and_then(|good| Ok((good.json, parse_exchange(&args.request, request)?)));
    let (config, exchange) = match read {
        Ok(read) => read,
        Err(error) => {
            writeln!(streams.err, "{error}")?;
            return Ok(Exit::Error);
        }
    };
    let play = play(plugin.name, &config, &exchange);
    let seen = match native().run(&play) {
        Ok(seen) => seen,
        Err(error) => {
            writeln!(streams.err, "error: {error}")?;
            return Ok(Exit::Error);
        }
    };
    let mut out = String::new();
    let allowed = decision(&mut out, &seen, streams.style);
    rules(&mut out, &seen, &play, plugin.trace, streams.style);
    bytes(&mut out, &seen, &play);
    streams.out.write_all(out.as_bytes())?;
    Ok(if allowed { Exit::Good } else { Exit::Bad })
}

fn play(plugin: &str, config: &[u8], exchange: &Exchange) -> Play {
    let value: Value = serde_json::from_slice(config).unwrap_or_default();
    let frame = Play {
        plugin: plugin.to_owned(),
        config: configured(&value, None),
        hold_headers: value.pointer("/hostProfile/holdHeaders") == Some(&Value::Bool(true)),
        ..Play::default()
    };
    of_exchange(exchange, frame)
}

/// The audit records, a line each fact. Whether the last one lets the request go on.
fn decision(out: &mut String, seen: &Transcript, style: Style) -> bool {
    let mut allowed = false;
    for record in &seen.audit {
        let get = |name: &str| record.get(name).and_then(Value::as_str);
        let verdict = get("decision").unwrap_or("none");
        allowed = matches!(verdict, "allow" | "would_deny");
        let coloured = if verdict == "allow" { style.good(verdict) } else { style.bad(verdict) };
        row(out, "decision", &coloured);
        if let Some(code) = get("reason") {
            let reason = Reason::ALL.iter().find(|reason| reason.code() == code);
            row(out, "reason", &format!("{code}: {}", reason.map_or("", |reason| reason.doc().trim())));
        }
        let tier = get("tier").map(|tier| format!(" of tier `{tier}`")).unwrap_or_default();
        row(out, "rule", &get("rule").map_or("none".to_owned(), |rule| format!("{rule}{tier}")));
        row(out, "agent", get("agent").unwrap_or("none"));
        let user = record.pointer("/subject/user").and_then(Value::as_str);
        let issuer = record.pointer("/subject/issuer").and_then(Value::as_str);
        row(out, "user", &user.map_or("none".to_owned(), |user| format!("{user} of {}", issuer.unwrap_or("no issuer"))));
        row(out, "action", get("action").unwrap_or("unknown"));
        if let Some((kind, name)) = resource(record) {
            row(out, kind, name);
        }
        if record.get("late") == Some(&Value::Bool(true)) {
            row(out, "late", "the request's headers had already gone to the upstream");
        }
        out.push('\n');
    }
    if seen.audit.is_empty() {
        row(out, "decision", "none was made");
    }
    allowed
}

/// Kind and name of what a record is about.
pub(super) fn resource(record: &Value) -> Option<(&str, &str)> {
    let (kind, name) = record.get("resource")?.as_object()?.iter().next()?;
    Some((kind.as_str(), name.as_str()?))
}

fn rules(out: &mut String, seen: &Transcript, play: &Play, trace: Trace, style: Style) {
    let Some((kind, name)) = seen.audit.iter().find_map(resource) else {
        row(out, "rules", "none was asked: the decision does not depend on them, or no resource is named");
        out.push('\n');
        return;
    };
    match trace(play, kind, name) {
        Err(why) => row(out, "rules", &format!("none was asked: {why}")),
        Ok(says) => {
            for says in says {
                let word = match says.kind {
                    RuleKind::Allow => "allow",
                    RuleKind::Deny => "deny",
                    RuleKind::Withhold => "withhold",
                };
                let tier = says.tier.map(|tier| format!("tier `{}`, ", tier.as_str())).unwrap_or_default();
                let only = if says.observe { ", observed only" } else { "" };
                let text = match &says.miss {
                    None if says.when == Some(Truth::Error) => style.good("matches: its `when` could not be told (error)"),
                    None if says.when == Some(Truth::Unknown) => style.good("matches: its `when` is not known (unknown)"),
                    None => style.good("matches"),
                    Some(miss) => format!("does not match: {}", why(miss, kind)),
                };
                row(out, "rule", &format!("{} ({tier}{word} {kind} `{name}`{only}): {text}", says.id));
            }
        }
    }
    out.push('\n');
}

fn bytes(out: &mut String, seen: &Transcript, play: &Play) {
    match &seen.upstream {
        UpstreamSaw::Nothing => row(out, "upstream", "gets nothing"),
        UpstreamSaw::Partial { body } => row(out, "upstream", &format!("gets a part\n{}", text(body))),
        UpstreamSaw::Complete { body, .. } if *body == play.request.chunks.concat() => {
            row(out, "upstream", &format!("gets the request unchanged\n{}", text(body)));
        }
        UpstreamSaw::Complete { body, .. } => row(out, "upstream", &format!("gets a changed request\n{}", text(body))),
    }
    let status = seen.client.status.map_or("no answer".to_owned(), |status| status.to_string());
    let interesting = ["www-authenticate", "allow", "content-type"];
    let headers: String = seen
        .client
        .headers
        .iter()
        .filter(|(name, _)| interesting.contains(&name.as_str()))
        .map(|(name, value)| format!("\n{name}: {value}"))
        .collect();
    row(out, "client", &format!("gets {status}{headers}\n{}", text(&seen.client.body)));
}

/// A name and its text, further lines below it.
fn row(out: &mut String, name: &str, text: &str) {
    for (index, line) in text.split('\n').enumerate() {
        out.push_str(&format!("{:9} {line}\n", if index == 0 { name } else { "" }));
    }
}

/// What the rules of `mcp-authz` say, by the code that decides.
pub(super) fn mcp_authz_trace(play: &Play, kind: &str, name: &str) -> Result<Vec<RuleSays>, String> {
    let item = match kind {
        "prompt" => Item::Prompt(name),
        "resource" => Item::Resource(name),
        "task" => Item::Task(name),
        "template" => Item::Template(name),
        "tool" => Item::Tool(name),
        _ => return Err(format!("no rule speaks of a {kind}")),
    };
    let policy = Policy::configure(&play.config).map_err(|error| error.to_string())?;
    let declared = McpAuthz::configure(&play.config).map_err(|error| error.to_string())?.settings().properties;
    let host = Properties::new(play, &provider(&play.config));
    let values: Vec<_> = declared
        .iter()
        .map(|path| match host.get(&path.0.iter().map(String::as_str).collect::<Vec<_>>()) {
            Ok(value) => Ok(Some(value)),
            Err(Status::NOT_FOUND) => Ok(None),
            Err(_) => Err(PropertyError),
        })
        .collect();
    let caller = mcp_authz::caller(&policy, Values::new(&values)).map_err(|reason| reason.doc().trim().to_owned())?;
    let body: Value = serde_json::from_slice(&play.request.chunks.concat()).unwrap_or_default();
    let method = body.get("method").and_then(Value::as_str).map_or(Method::None, Method::from_text);
    let arguments = body.pointer("/params/arguments").map_or("{}".to_owned(), Value::to_string);
    let headers = play.request.headers.iter().map(|(name, value)| (name, value)).collect();
    let facts = policy.request_facts(&headers, Values::new(&values));
    let answer = play.upstream.as_ref().map(|answer| answer.chunks.concat()).unwrap_or_default();
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    let result = answer.get("result").map(Value::to_string);
    let ask = Ask {
        method,
        item,
        arguments: Some(arguments.as_bytes()),
        request: facts.as_ref(),
        result: result.as_ref().map(|text| Outcome { json: text.as_bytes(), bytes: text.len() }),
    };
    Ok(mcp_authz::explain(&policy, &caller, &ask).rules)
}

/// Why a rule does not match.
pub(super) fn why(miss: &Miss, kind: &str) -> String {
    match miss {
        Miss::Agent => "the agent is not one of its agents".to_owned(),
        Miss::Item => format!("the {kind} is not one of its {kind}s"),
        Miss::User => "it asks for a user, and no verified token names one".to_owned(),
        Miss::Roles(roles) => format!("the user lacks the roles {}", roles.join(", ")),
        Miss::When(truth) => {
            let truth = match truth {
                Truth::Error => "could not be told (error)",
                Truth::False => "is false",
                Truth::True => "is true, but it is not known of what",
                Truth::Unknown => "is not known (unknown)",
            };
            format!("its `when` {truth}")
        }
        Miss::Scopes(scopes) => format!("the user's token lacks the scopes {}", scopes.join(", ")),
    }
}
