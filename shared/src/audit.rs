//! The one audit record: versioned JSON, one a decision, no content and no token.

use std::rc::Rc;

use crate::json::{push_ascii_bounded, push_number, push_string};
use crate::policy::{Mode, PolicyId, Reason, RuleId, Tier};
use crate::time::{Duration, Timestamp};

/// The JSON Schema of a record; `schemas/audit-v1.schema.json` is its copy, and a test says when that is stale.
pub const SCHEMA: &str = include_str!("../schemas/audit-v1.schema.json");

/// Longest text, in characters, that a peer can bring into a record (OT-03).
const PEER_TEXT: usize = 256;

/// Who asked for what: the subject, action and resource of a decision.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct About {
    /// The user, if a verified token names one.
    pub subject: Option<Subject>,
    /// The agent: SPIFFE id of the peer, or the actor of the token.
    pub agent: Option<Rc<str>>,
    /// Prior actors, outermost first; they never grant (RFC 8693 section 4.1).
    pub actors: Vec<String>,
    /// What is to be done: the protocol's method.
    pub action: Option<String>,
    /// What it is to be done to.
    pub resource: Option<Resource>,
    /// By which token, where one was to be asked for: JSON, so that only those who ask for tokens can write it.
    pub exchange: Option<Box<str>>,
}

/// A user of an issuer; `user` alone names nobody (OA-J-09).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subject {
    /// `iss`.
    pub issuer: Option<Rc<str>>,
    /// `sub`.
    pub user: Rc<str>,
    /// Who is accountable, from a configured claim.
    pub owner: Option<Rc<str>>,
}

/// The thing that an action is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource {
    /// `tool`, `prompt`, `resource`, …
    pub kind: &'static str,
    /// Its name as the request gave it.
    pub name: String,
}

/// How a decision ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It went on.
    Allow,
    /// It was refused.
    Deny,
    /// No decision came about: the client left, or somebody answered before.
    Undecided,
    /// `observe` mode: it would have been refused.
    WouldDeny,
}

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it was made.
    pub time: Timestamp,
    /// Name of the plugin.
    pub plugin: &'static str,
    /// The configuration in force.
    pub policy: PolicyId,
    /// W3C trace id, 32 hex digits.
    pub trace: Option<Rc<str>>,
    /// The proxy's request id, or a random one. It is the decision id that clients see.
    pub request: Rc<str>,
    /// Who asked for what.
    pub about: About,
    /// How it ended.
    pub outcome: Outcome,
    /// Why not.
    pub reason: Option<Reason>,
    /// The rule that decided.
    pub rule: Option<RuleId>,
    /// The tier of that rule.
    pub tier: Option<Tier>,
    /// Whether it was carried out.
    pub mode: Mode,
    /// The request's headers had already left for the upstream.
    pub late: bool,
}

impl Outcome {
    /// Its name in the record and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undecided => "undecided",
            Self::WouldDeny => "would_deny",
        }
    }
}

impl Record {
    /// One line of JSON. `took` is the time from the event that led to the decision until now.
    pub fn to_json(&self, took: Duration) -> String {
        let mut out = String::with_capacity(768);
        self.push_json(&mut out, took);
        out
    }

    /// Appends [`Record::to_json`].
    pub fn push_json(&self, out: &mut String, took: Duration) {
        out.push_str(r#"{"v":1,"time":""#);
        self.time.push_rfc3339(out);
        // Names that are ours are plain.
        out.push_str(r#"","plugin":""#);
        out.push_str(self.plugin);
        out.push_str(r#"","policy":{"name":"#);
        push_string(out, &self.policy.name);
        out.push_str(r#","digest":"#);
        push_string(out, &self.policy.digest);
        out.push_str(r#"},"trace":"#);
        push_option(out, self.trace.as_deref());
        out.push_str(r#","request":"#);
        push_ascii_bounded(out, &self.request, PEER_TEXT);
        out.push_str(r#","subject":"#);
        match &self.about.subject {
            None => out.push_str("null"),
            Some(subject) => {
                out.push_str(r#"{"issuer":"#);
                push_option(out, subject.issuer.as_deref());
                out.push_str(r#","user":"#);
                push_ascii_bounded(out, &subject.user, PEER_TEXT);
                out.push_str(r#","owner":"#);
                push_option(out, subject.owner.as_deref());
                out.push('}');
            }
        }
        out.push_str(r#","agent":"#);
        push_option(out, self.about.agent.as_deref());
        out.push_str(r#","actors":["#);
        for (index, actor) in self.about.actors.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            push_ascii_bounded(out, actor, PEER_TEXT);
        }
        out.push_str(r#"],"action":"#);
        push_option(out, self.about.action.as_deref());
        out.push_str(r#","resource":"#);
        match &self.about.resource {
            None => out.push_str("null"),
            Some(resource) => {
                out.push_str(r#"{""#);
                out.push_str(resource.kind);
                out.push_str(r#"":"#);
                push_ascii_bounded(out, &resource.name, PEER_TEXT);
                out.push('}');
            }
        }
        if let Some(exchange) = &self.about.exchange {
            out.push_str(r#","exchange":"#);
            out.push_str(exchange);
        }
        out.push_str(r#","decision":""#);
        out.push_str(self.outcome.as_str());
        out.push_str(r#"","reason":"#);
        push_option(out, self.reason.map(Reason::code));
        out.push_str(r#","rule":"#);
        push_option(out, self.rule.as_ref().map(RuleId::as_str));
        out.push_str(r#","tier":"#);
        push_option(out, self.tier.map(Tier::as_str));
        out.push_str(r#","mode":""#);
        out.push_str(self.mode.as_str());
        out.push_str(if self.late { r#"","late":true,"took_us":"# } else { r#"","late":false,"took_us":"# });
        push_number(out, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        out.push('}');
    }
}

fn push_option(out: &mut String, text: Option<&str>) {
    match text {
        None => out.push_str("null"),
        Some(text) => push_ascii_bounded(out, text, PEER_TEXT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_the_one_of_the_design() {
        let record = Record {
            time: Timestamp::from_nanos(1_795_251_600_123_000_000),
            plugin: "mcp-authz",
            policy: PolicyId { name: "tools".into(), digest: "sha256:00".into() },
            trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            request: "r1".into(),
            about: About {
                subject: Some(Subject { issuer: Some("https://idp".into()), user: "alice".into(), owner: None }),
                agent: Some("spiffe://cluster.local/ns/agents/sa/planner".into()),
                actors: vec!["a".into(), "b".into()],
                action: Some("tools/call".into()),
                resource: Some(Resource { kind: "tool", name: "delete\n_repo".into() }),
                exchange: None,
            },
            outcome: Outcome::Deny,
            reason: Some(Reason::NoMatchingRule),
            rule: None,
            tier: None,
            mode: Mode::Enforce,
            late: false,
        };
        insta::assert_snapshot!(record.to_json(Duration::from_micros(7)), @r#"{"v":1,"time":"2026-11-21T09:00:00.123Z","plugin":"mcp-authz","policy":{"name":"tools","digest":"sha256:00"},"trace":"4bf92f3577b34da6a3ce929d0e0e4736","request":"r1","subject":{"issuer":"https://idp","user":"alice","owner":null},"agent":"spiffe://cluster.local/ns/agents/sa/planner","actors":["a","b"],"action":"tools/call","resource":{"tool":"delete\n_repo"},"decision":"deny","reason":"no_matching_rule","rule":null,"tier":null,"mode":"enforce","late":false,"took_us":7}"#);
    }
}
