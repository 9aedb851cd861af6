//! Text to [`Policy`].

use super::policy::{AllowRule, DenialForm, DenyRule, Policy, Rule, UserNeed};
use crate::config::{ConfigErrors, Decode, Problems, choice, parse, record};
use crate::identity::{Peer, RawIdentity, Source};
use crate::mcp::Version;
use crate::policy::{Mode, Pattern, PolicyId, RuleId};

choice! {
    /// Whether decisions are carried out.
    pub enum RawMode {
        /// Decisions are carried out.
        Enforce = "enforce",
        /// Decisions are only recorded, as `would_deny`.
        Observe = "observe",
    }
}

choice! {
    /// How a refused call looks to the client.
    pub enum RawDenial {
        /// HTTP 403 and a JSON-RPC error with reason and decision id.
        Refuse = "refuse",
        /// HTTP 200 and `-32602`, as for an unknown tool.
        Hide = "hide",
        /// As `refuse`, and where scopes are missing a `WWW-Authenticate` challenge that names all of them.
        StepUp = "stepUp",
    }
}

choice! {
    /// Whether a rule asks for a user.
    pub enum RawUser {
        /// No user is needed.
        None = "none",
        /// Any user of a verified token.
        Any = "any",
    }
}

record! {
    /// Configuration of `mcp-authz`.
    pub struct Raw {
        /// Version of this format; 1.
        version: u32 = "version";
        /// What the policy is called in the audit record.
        name: String = "name", super::NAME.to_owned();
        /// Whether decisions are carried out.
        mode: RawMode = "mode", RawMode::Enforce;
        /// What the proxy can do.
        host_profile: RawHostProfile = "hostProfile", RawHostProfile { hold_headers: false };
        /// Who the caller is and where that is read from.
        identity: RawIdentity = "identity";
        /// Groups of a claim, mapped to roles.
        roles: Option<RawRoles> = "roles", None;
        /// How a refused call looks to the client.
        denial: RawDenial = "denial", RawDenial::Refuse;
        /// What is too large.
        limits: RawLimits = "limits", RawLimits { max_body_bytes: DEFAULT_BODY };
        /// Protocol versions of MCP that may be spoken; all that are known, if absent.
        versions: Option<Vec<String>> = "versions", None;
        /// Values of `Origin` that may come in; a request with any other is refused.
        origins: Vec<String> = "origins", Vec::new();
        /// What may be called. Nothing that no rule allows.
        rules: Vec<RawRule> = "rules";
    }
}

record! {
    /// What the proxy can do.
    pub struct RawHostProfile {
        /// Request headers can wait for the body: `allow_on_headers_stop_iteration` is set (not through Istio's APIs).
        hold_headers: bool = "holdHeaders", false;
    }
}

record! {
    /// Groups of a claim, mapped to roles.
    pub struct RawRoles {
        /// The claim that lists the user's groups.
        claim: String = "claim";
        /// Group to roles; a group that is not here has none.
        map: Vec<(String, Vec<String>)> = "map";
    }
}

record! {
    /// What is too large.
    pub struct RawLimits {
        /// Largest body in bytes, of a request and of a list answer. Below the proxy's buffer limit (1 MiB by default).
        max_body_bytes: u32 = "maxBodyBytes", DEFAULT_BODY;
    }
}

record! {
    /// One rule: what it allows, or what it denies.
    pub struct RawRule {
        /// Its name in the audit record and in metrics.
        id: String = "id";
        /// What it allows.
        allow: Option<RawAllow> = "allow", None;
        /// What it denies, whatever other rules allow.
        deny: Option<RawDeny> = "deny", None;
    }
}

record! {
    /// What a rule allows; all of it must hold.
    pub struct RawAllow {
        /// The agents, by name or with one `*`.
        agents: Vec<String> = "agents";
        /// Whether it asks for a user.
        user: RawUser = "user", RawUser::Any;
        /// The tools, by name or with one `*`.
        tools: Vec<String> = "tools";
        /// Scopes that the user's token must have, all of them.
        scopes: Vec<String> = "scopes", Vec::new();
        /// Roles that the user must have, all of them.
        roles: Vec<String> = "roles", Vec::new();
    }
}

record! {
    /// What a rule denies.
    pub struct RawDeny {
        /// The agents, by name or with one `*`; all if absent.
        agents: Vec<String> = "agents", vec!["*".to_owned()];
        /// The tools, by name or with one `*`; all if absent.
        tools: Vec<String> = "tools", vec!["*".to_owned()];
    }
}

/// Below Envoy's default buffer limit of 1 MiB, so that the answer is ours and not a bare 413 of the proxy.
const DEFAULT_BODY: u32 = 1_000_000;

/// The JSON Schema of the configuration.
pub fn schema() -> String {
    let title = r#""$schema":"https://json-schema.org/draft/2020-12/schema","title":"Configuration of mcp-authz","#;
    Raw::schema().replacen('{', &format!("{{{title}"), 1)
}

impl Policy {
    /// Text to policy, with all problems at once.
    pub fn configure(text: &[u8]) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::new();
        let policy = parse(text, &mut problems).and_then(|(node, digest)| {
            let raw = Raw::decode(&node, &mut problems)?;
            let id = PolicyId { name: raw.name.as_str().into(), digest: digest.into() };
            Some(compile(raw, id, &mut problems))
        });
        match policy {
            Some(policy) if problems.is_empty() => Ok(policy),
            _ => Err(ConfigErrors::new(super::NAME, problems.into_list())),
        }
    }
}

/// The policy that `raw` means. It is only good if no problem was added.
fn compile(raw: Raw, id: PolicyId, problems: &mut Problems) -> Policy {
    if raw.version != 1 {
        problems.field("version", |p| p.add(format!("`{}` is not known. Write 1", raw.version)));
    }
    problems.field("limits", |p| {
        p.field("maxBodyBytes", |p| {
            if raw.limits.max_body_bytes == 0 {
                p.add("is 0: every request would be refused");
            }
        });
    });
    if raw.identity.peer == Peer::None && raw.identity.claims.is_none() {
        problems.field("identity", |p| p.add("`peer: none` without `claims` names no agent. Add one of the two"));
    }
    let versions = problems.field("versions", |p| versions(raw.versions.as_deref(), p));
    let has_claims = raw.identity.claims.is_some();
    let known_roles: Vec<&String> = raw.roles.iter().flat_map(|roles| &roles.map).flat_map(|(_, roles)| roles).collect();
    let rules = problems.field("rules", |problems| rules(&raw.rules, has_claims, &known_roles, problems));
    let claim = raw.roles.as_ref().map(|roles| roles.claim.as_str());
    Policy {
        id,
        mode: match raw.mode {
            RawMode::Enforce => Mode::Enforce,
            RawMode::Observe => Mode::Observe,
        },
        hold_headers: raw.host_profile.hold_headers,
        source: Source::new(raw.identity, claim),
        roles: raw.roles.map(|roles| roles.map).unwrap_or_default(),
        denial: match raw.denial {
            RawDenial::Hide => DenialForm::Hide,
            RawDenial::Refuse => DenialForm::Refuse,
            RawDenial::StepUp => DenialForm::StepUp,
        },
        max_body: usize::try_from(raw.limits.max_body_bytes).unwrap_or(usize::MAX),
        versions,
        origins: raw.origins,
        rules,
    }
}

fn versions(raw: Option<&[String]>, problems: &mut Problems) -> Vec<Version> {
    let Some(raw) = raw else { return Version::ALL.to_vec() };
    if raw.is_empty() {
        problems.add("is empty: every request would be refused");
    }
    let known = |text: &str| Version::ALL.iter().copied().find(|version| version.text() == text);
    let mut found = Vec::new();
    for (index, text) in raw.iter().enumerate() {
        match known(text) {
            Some(version) => found.push(version),
            None => problems.item(index, |p| {
                let all: Vec<&str> = Version::ALL.iter().map(|version| version.text()).collect();
                p.add(format!("`{text}` is not one of {}", all.join(", ")));
            }),
        }
    }
    found
}

fn rules(raw: &[RawRule], has_claims: bool, known_roles: &[&String], problems: &mut Problems) -> Vec<Rule> {
    if !raw.iter().any(|rule| rule.allow.is_some()) {
        problems.add("no rule allows anything. An empty policy is an error; to refuse all, take the route away");
    }
    let mut compiled: Vec<Rule> = Vec::new();
    for (index, rule) in raw.iter().enumerate() {
        problems.item(index, |problems| {
            problems.field("id", |p| id(&rule.id, &compiled, p));
            let id = RuleId::from(rule.id.as_str());
            match (&rule.allow, &rule.deny) {
                (Some(allow), None) => {
                    let allow = problems.field("allow", |p| compile_allow(allow, has_claims, known_roles, p));
                    compiled.push(Rule::Allow(id, allow));
                }
                (None, Some(deny)) => {
                    let deny = problems.field("deny", |p| DenyRule {
                        agents: p.field("agents", |p| patterns(&deny.agents, p)),
                        tools: p.field("tools", |p| patterns(&deny.tools, p)),
                    });
                    compiled.push(Rule::Deny(id, deny));
                }
                (Some(_), Some(_)) => problems.add("has both `allow` and `deny`. Write two rules"),
                (None, None) => problems.add("has neither `allow` nor `deny`"),
            }
        });
    }
    compiled
}

fn id(id: &str, before: &[Rule], problems: &mut Problems) {
    // It becomes part of a metric's name.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
        problems.add(format!("`{id}` must be 1 to 64 of `A-Z a-z 0-9 - _`"));
    }
    if before.iter().any(|rule| rule.id().as_str() == id) {
        problems.add(format!("`{id}` is the id of an earlier rule too"));
    }
}

fn compile_allow(raw: &RawAllow, has_claims: bool, known_roles: &[&String], problems: &mut Problems) -> AllowRule {
    let needs_more = !raw.scopes.is_empty() || !raw.roles.is_empty();
    problems.field("user", |p| match raw.user {
        RawUser::None if needs_more => p.add("`none` and `scopes` or `roles` contradict each other: those are a user's"),
        RawUser::Any if !has_claims => {
            p.add("asks for a user, but `identity.claims` does not say where the claims are. Add it, or write `user: none`");
        }
        RawUser::Any | RawUser::None => {}
    });
    problems.field("scopes", |p| {
        for (index, scope) in raw.scopes.iter().enumerate() {
            // RFC 6749 section 3.3: scope-token.
            if scope.is_empty() || !scope.bytes().all(|c| c.is_ascii_graphic() && c != b'"' && c != b'\\') {
                p.item(index, |p| p.add(format!("`{scope}` is not one scope. Write each scope as an item of its own")));
            }
        }
    });
    problems.field("roles", |p| {
        for (index, role) in raw.roles.iter().enumerate().filter(|(_, role)| !known_roles.contains(role)) {
            p.item(index, |p| p.add(format!("no group of `roles.map` has the role `{role}`, so the rule never matches")));
        }
    });
    AllowRule {
        agents: problems.field("agents", |p| patterns(&raw.agents, p)),
        tools: problems.field("tools", |p| patterns(&raw.tools, p)),
        user: if raw.user == RawUser::None { UserNeed::None } else { UserNeed::Any },
        scopes: raw.scopes.clone(),
        roles: raw.roles.clone(),
    }
}

fn patterns(raw: &[String], problems: &mut Problems) -> Vec<Pattern> {
    if raw.is_empty() {
        problems.add("is empty, so the rule never matches. Write names, or `*` for any");
    }
    let mut found = Vec::with_capacity(raw.len());
    for (index, text) in raw.iter().enumerate() {
        match Pattern::parse(text) {
            Ok(pattern) => found.push(pattern),
            Err(problem) => problems.item(index, |p| p.add(problem)),
        }
    }
    found
}
