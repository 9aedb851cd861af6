//! What the condition of a rule may speak of.

use super::super::policy::{Effect, Field, Targets, When};
use crate::config::Problems;
use crate::mcp::{Key, Method};
use crate::policy::cel::{Condition, FieldKind, FieldRef, Vocabulary, nearest};

/// The words of one rule. What its phase or its items do not have is a problem where it is written.
pub(super) struct Words<'r> {
    pub(super) effect: &'r Effect,
    pub(super) targets: &'r Targets,
    pub(super) has_claims: bool,
    pub(super) has_peer: bool,
}

/// What is collected over all conditions.
#[derive(Default)]
pub(super) struct Reads {
    /// Paths of claims, in the order of [`crate::identity::Caller::claims`].
    pub(super) claims: Vec<Vec<String>>,
    /// Names of headers; `None` if nothing of the request is read.
    pub(super) request: Option<Vec<String>>,
    /// Where the proxy sends a request is read.
    pub(super) upstream: bool,
}

impl Reads {
    /// Where the claim of this path will stand.
    pub(super) fn claim(&mut self, path: &[String]) -> usize {
        self.claims.iter().position(|known| known == path).unwrap_or_else(|| {
            self.claims.push(path.to_vec());
            self.claims.len() - 1
        })
    }
}

/// Headers that name somebody without proof, or hold a secret.
const CREDENTIALS: &[&str] = &["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Reads the condition of a rule.
pub(super) fn when(text: &str, words: &Words<'_>, reads: &mut Reads, problems: &mut Problems) -> Option<When> {
    let condition = match Condition::compile(text, words) {
        Ok(condition) => condition,
        Err(list) => {
            for problem in list {
                problems.add(problem.to_string());
            }
            return None;
        }
    };
    if condition.constant() == Some(false) {
        problems.add("is never true, so the rule never matches");
    }
    for field in condition.fields() {
        if let ["request", "headers", name] = field.path.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
            && CREDENTIALS.contains(name)
        {
            problems.add(format!("the header `{name}` holds a credential that is not verified. Use `jwt`"));
        }
    }
    let fields = condition.fields().iter().map(|field| place(field, reads)).collect();
    Some(When { condition, fields })
}

fn place(field: &FieldRef, reads: &mut Reads) -> Field {
    let path: Vec<&str> = field.path.iter().map(String::as_str).collect();
    if path.first() == Some(&"request") {
        let names = reads.request.get_or_insert_default();
        if let ["request", "headers", name] = path.as_slice()
            && !names.iter().any(|known| known == name)
        {
            names.push((*name).to_owned());
        }
        reads.upstream |= matches!(path.as_slice(), [_, "cluster" | "service"]);
    }
    match path.as_slice() {
        ["jwt", claim @ ..] => {
            let claim: Vec<String> = claim.iter().map(|part| (*part).to_owned()).collect();
            Field::Claim(reads.claim(&claim), field.kind)
        }
        ["mcp", "method"] => Field::Method,
        ["mcp", "result"] => Field::Result,
        ["mcp", "resultBytes"] => Field::ResultBytes,
        ["mcp", _, "arguments"] => Field::Arguments,
        ["request", "cluster"] => Field::Cluster,
        ["request", "headers", name] => Field::Header((*name).to_owned()),
        ["request", "host"] => Field::Host,
        ["request", "method"] => Field::HttpMethod,
        ["request", "path"] => Field::Path,
        ["request", "service"] => Field::Service,
        ["source", "identity", "namespace"] => Field::Namespace,
        ["source", "identity", "serviceAccount"] => Field::ServiceAccount,
        ["source", "identity", "trustDomain"] => Field::TrustDomain,
        ["source", "spiffeId"] => Field::SpiffeId,
        // `mcp.<kind>.name` and `mcp.resource.uri`: the vocabulary has no other.
        _ => Field::Name,
    }
}

impl Vocabulary for Words<'_> {
    fn field(&self, path: &[&str]) -> Result<FieldKind, String> {
        match path {
            ["jwt"] | ["jwt", ..] if !self.has_claims => {
                Err("`jwt` needs `identity.claims`, which says where the verified claims are".to_owned())
            }
            ["source"] | ["source", ..] if !self.has_peer => {
                Err("`source` is the peer, and with `identity.peer: none` there is none. Use `jwt`".to_owned())
            }
            ["mcp" | "jwt" | "source" | "request"] | ["source", "identity"] => Ok(FieldKind::Group),
            ["jwt", ..] => Ok(FieldKind::Claim),
            ["mcp", "method"] | ["source", "spiffeId"] => Ok(FieldKind::Text),
            ["request", "cluster" | "host" | "method" | "path" | "service"] => Ok(FieldKind::Text),
            ["source", "identity", "namespace" | "serviceAccount" | "trustDomain"] => Ok(FieldKind::Text),
            ["request", "headers"] => Ok(FieldKind::TextMap),
            ["mcp", "result" | "resultBytes"] if !matches!(self.effect, Effect::Withhold) => {
                Err(format!("`{}` is not there yet: it needs `at: response`", path.join(".")))
            }
            ["mcp", "result"] => Ok(FieldKind::Json),
            ["mcp", "resultBytes"] => Ok(FieldKind::Number),
            ["mcp", kind @ ("prompt" | "resource" | "tool"), rest @ ..] => self.of_item(kind, rest),
            _ => Err(unknown(path)),
        }
    }
}

impl Words<'_> {
    fn of_item(&self, kind: &str, rest: &[&str]) -> Result<FieldKind, String> {
        let targets = self.targets;
        let (own, others) = match kind {
            "prompt" => (!targets.prompts.is_empty(), targets.tools.len() + targets.resources.len()),
            "resource" => (!targets.resources.is_empty(), targets.tools.len() + targets.prompts.len()),
            _ => (!targets.tools.is_empty(), targets.prompts.len() + targets.resources.len()),
        };
        if !own || others > 0 || !targets.methods.is_empty() {
            return Err(format!("`mcp.{kind}` is only there for {kind}s: the rule must name `{kind}s` and nothing else"));
        }
        match rest {
            [] => Ok(FieldKind::Group),
            ["name"] => Ok(FieldKind::Text),
            ["uri"] if kind == "resource" => Ok(FieldKind::Text),
            ["arguments"] if kind != "resource" => Ok(FieldKind::Json),
            ["target", ..] => Err(format!("`mcp.{kind}.target` is not known: a gate in front of one server has no targets")),
            [word, ..] => {
                let known: &[&str] = if kind == "resource" { &["name", "uri"] } else { &["name", "arguments"] };
                Err(format!("`mcp.{kind}.{word}` is not known{}", hint(word, known)))
            }
        }
    }
}

fn unknown(path: &[&str]) -> String {
    let known: &[&str] = match path {
        [_] => &["jwt", "mcp", "request", "source"],
        ["mcp", "task", ..] => return "`mcp.task` is not known: a task's id says nothing about what it is".to_owned(),
        ["mcp", ..] => &["method", "prompt", "resource", "result", "resultBytes", "tool"],
        ["request", ..] => &["cluster", "headers", "host", "method", "path", "service"],
        ["source", "identity", ..] => &["namespace", "serviceAccount", "trustDomain"],
        _ => &["identity", "spiffeId"],
    };
    format!("`{}` is not known{}", path.join("."), hint(path.last().copied().unwrap_or_default(), known))
}

fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!(". Did you mean `{near}`?"),
        None => format!(". Known here: {}", known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// Methods that can be asked about something that `targets` names.
pub(super) fn methods(targets: &Targets) -> Option<Vec<Method>> {
    use Method as M;
    if targets.everything {
        return None;
    }
    let mut found = targets.methods.clone();
    if !targets.tools.is_empty() {
        found.push(M::ToolsCall);
    }
    if !targets.prompts.is_empty() {
        found.extend([M::PromptsGet, M::CompletionComplete]);
    }
    if !targets.resources.is_empty() {
        found.extend([M::CompletionComplete, M::SubscriptionsListen]);
        found.extend(M::ALL.iter().filter(|method| method.key() == Key::Uri));
    }
    Some(found)
}
