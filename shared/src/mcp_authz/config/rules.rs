//! Rules: as they are written, and what they mean.

use super::super::policy::{Effect, Named, Needs, RoleNeed, Rule, RuleSet, ScopeNeed, Targets, Tiers, UserNeed, When};
use super::never::{self, behind};
use super::targets::{Names, patterns, targets};
use super::words::{Reads, Words, when};
use crate::config::{Problems, choice, record};
use crate::filter::RawMode;
use crate::policy::{Lookup, Pattern, RuleId};

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
    /// Rules that can only narrow what `rules` grants: a deny rule that matches refuses, and a tier that allows some tools
    /// (prompts, resources) refuses all others.
    pub struct RawTiers {
        /// For everybody.
        global: Option<Vec<RawRule>> = "global", None;
        /// For the callers of a namespace: that of their SPIFFE id, `spiffe://…/ns/<namespace>/…`.
        namespaces: Vec<(String, Vec<RawRule>)> = "namespaces", Vec::new();
        /// For the callers that are an OAuth client: that of `identity.agents`, with `peer: none` that of the token.
        clients: Vec<(String, Vec<RawRule>)> = "clients", Vec::new();
    }
}

record! {
    /// One rule: what it allows, or what it denies.
    pub struct RawRule {
        /// Its name in the audit record and in metrics.
        id: String = "id";
        /// What it judges.
        at: RawAt = "at", RawAt::Request;
        /// Whether it is carried out.
        mode: RawMode = "mode", RawMode::Enforce;
        /// What it allows.
        allow: Option<RawAllow> = "allow", None;
        /// What it denies, whatever other rules allow.
        deny: Option<RawDeny> = "deny", None;
    }
}

choice! {
    /// What a rule judges.
    pub enum RawAt {
        /// A request, before it goes on.
        Request = "request",
        /// The result of an allowed request: a `deny` withholds it.
        Response = "response",
    }
}

choice! {
    /// Whether the user must approve every call.
    pub enum RawApprovalNeed {
        /// The token says enough.
        None = "none",
        /// The user approves exactly this call, once, wherever the user is (`approval`).
        Required = "required",
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
        tools: Option<Vec<String>> = "tools", None;
        /// The prompts, by name or with one `*`.
        prompts: Option<Vec<String>> = "prompts", None;
        /// The resources, by URI or with one `*`.
        resources: Option<Vec<String>> = "resources", None;
        /// Methods that name no tool, prompt or resource, such as `tasks/list`.
        methods: Option<Vec<String>> = "methods", None;
        /// Scopes that the user's token must have, all of them.
        scopes: Vec<String> = "scopes", Vec::new();
        /// Roles that the user must have, all of them.
        roles: Vec<String> = "roles", Vec::new();
        /// A condition in CEL that must hold. If it cannot be told, the rule does not match.
        when: Option<String> = "when", None;
        /// Whether the user must approve every call of its tools.
        approval: RawApprovalNeed = "approval", RawApprovalNeed::None;
    }
}

record! {
    /// What a rule denies: everything, if it names no tools, prompts, resources or methods.
    pub struct RawDeny {
        /// The agents, by name or with one `*`; all if absent.
        agents: Vec<String> = "agents", vec!["*".to_owned()];
        /// The tools, by name or with one `*`.
        tools: Option<Vec<String>> = "tools", None;
        /// The prompts, by name or with one `*`.
        prompts: Option<Vec<String>> = "prompts", None;
        /// The resources, by URI or with one `*`.
        resources: Option<Vec<String>> = "resources", None;
        /// Any methods of MCP.
        methods: Option<Vec<String>> = "methods", None;
        /// A condition in CEL. If it cannot be told, the rule matches.
        when: Option<String> = "when", None;
    }
}

/// What the rules of one configuration share.
pub(super) struct Shared<'a> {
    pub(super) has_claims: bool,
    pub(super) has_peer: bool,
    /// There is somebody to ask users.
    pub(super) approves: bool,
    /// Groups and the roles that each has.
    pub(super) roles: &'a [(String, Vec<String>)],
    /// Scopes and those that each includes.
    pub(super) implies: &'a [(String, Vec<String>)],
    /// The ids of all rules, by the order in which they are read.
    pub(super) ids: Lookup,
    /// How many rules were read.
    pub(super) read: usize,
    /// What conditions read.
    pub(super) reads: Reads,
    /// The rules of the tier `global`, which are for everybody.
    pub(super) bans: Vec<Rule>,
}

/// The tiers, each list with its problems.
pub(super) fn tiers(raw: &RawTiers, clients: &[&str], open: bool, shared: &mut Shared<'_>, problems: &mut Problems) -> Tiers {
    let global = raw.global.as_ref().map(|raw| {
        let rules = problems.field("global", |p| tier(raw, shared, p));
        shared.bans = rules.clone();
        RuleSet::new(rules)
    });
    let mut named = |field: &str, raw: &[(String, Vec<RawRule>)], known: Option<&[&str]>| {
        problems.field(field, |problems| {
            let mut sets = Vec::new();
            for (name, raw) in raw {
                problems.field(name, |problems| {
                    if known.is_some_and(|known| !known.contains(&name.as_str())) {
                        problems.add(format!("`{name}` is no `client` of `identity.agents`, so this tier is nobody's"));
                    }
                    sets.push(RuleSet::new(tier(raw, shared, problems)));
                });
            }
            let names: Vec<(&str, usize)> = raw.iter().map(|(name, _)| name.as_str()).zip(0..).collect();
            Named { names: Lookup::new(&names), sets }
        })
    };
    let namespaces = named("namespaces", &raw.namespaces, None);
    let clients = named("clients", &raw.clients, Some(clients).filter(|_| !open));
    Tiers { global, namespaces, clients }
}

fn tier(raw: &[RawRule], shared: &mut Shared<'_>, problems: &mut Problems) -> Vec<Rule> {
    if raw.is_empty() {
        problems.add("is empty, so it narrows nothing. Leave it out");
    }
    compile(raw, shared, problems)
}

/// The plain rules.
pub(super) fn rules(raw: &[RawRule], shared: &mut Shared<'_>, problems: &mut Problems) -> RuleSet {
    if !raw.iter().any(|rule| rule.allow.is_some()) {
        problems.add("no rule allows anything. An empty policy is an error; to refuse all, take the route away");
    }
    RuleSet::new(compile(raw, shared, problems))
}

fn compile(raw: &[RawRule], shared: &mut Shared<'_>, problems: &mut Problems) -> Vec<Rule> {
    let mut compiled: Vec<Rule> = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        problems.item(index, |problems| {
            problems.field("id", |p| id(&raw.id, shared, p));
            compiled.extend(rule(raw, shared, problems));
        });
    }
    // Only where no rule is missing are the positions those of the text.
    if compiled.len() == raw.len() {
        behind(&compiled, &shared.bans, problems);
    }
    compiled
}

fn rule(raw: &RawRule, shared: &mut Shared<'_>, problems: &mut Problems) -> Option<Rule> {
    let id = RuleId::from(raw.id.as_str());
    let observe = raw.mode == RawMode::Observe;
    match (&raw.allow, &raw.deny) {
        (Some(allow), None) => {
            if raw.at == RawAt::Response {
                problems.field("at", |p| p.add("`response` needs `deny`: a response rule withholds, it grants nothing"));
            }
            if observe {
                problems.field("mode", |p| p.add("`observe` is for `deny`. To try out a grant, use the `mode` of the policy"));
            }
            let names =
                Names { tools: &allow.tools, prompts: &allow.prompts, resources: &allow.resources, methods: &allow.methods };
            problems.field("allow", |p| {
                let effect = Effect::Allow(needs(allow, shared, p));
                let agents = p.field("agents", |p| patterns(&allow.agents, p));
                let targets = targets(&names, false, p);
                let when = condition(allow.when.as_deref(), &effect, &agents, &targets, shared, p)?;
                Some(Rule { id, effect, agents, targets, when, observe: false })
            })
        }
        (None, Some(deny)) => {
            let effect = if raw.at == RawAt::Response { Effect::Withhold } else { Effect::Deny };
            let names = Names { tools: &deny.tools, prompts: &deny.prompts, resources: &deny.resources, methods: &deny.methods };
            problems.field("deny", |p| {
                let agents = p.field("agents", |p| patterns(&deny.agents, p));
                let targets = targets(&names, true, p);
                let when = condition(deny.when.as_deref(), &effect, &agents, &targets, shared, p)?;
                Some(Rule { id, effect, agents, targets, when, observe })
            })
        }
        (Some(_), Some(_)) => {
            problems.add("has both `allow` and `deny`. Write two rules");
            None
        }
        (None, None) => {
            problems.add("has neither `allow` nor `deny`");
            None
        }
    }
}

fn id(id: &str, shared: &mut Shared<'_>, problems: &mut Problems) {
    problems.named(id);
    let own = shared.read;
    shared.read += 1;
    if shared.ids.get(id).first() != Some(&own) {
        problems.add(format!("`{id}` is the id of an earlier rule too"));
    }
}

fn needs(raw: &RawAllow, shared: &Shared<'_>, problems: &mut Problems) -> Needs {
    let needs_more = !raw.scopes.is_empty() || !raw.roles.is_empty();
    problems.field("user", |p| match raw.user {
        RawUser::None if needs_more => p.add("`none` and `scopes` or `roles` contradict each other: those are a user's"),
        RawUser::Any if !shared.has_claims => {
            p.add("asks for a user, but `identity.claims` does not say where the claims are. Add it, or write `user: none`");
        }
        RawUser::Any | RawUser::None => {}
    });
    problems.field("scopes", |p| {
        for (index, scope) in raw.scopes.iter().enumerate().filter(|(_, scope)| !is_scope(scope)) {
            p.item(index, |p| p.add(format!("`{scope}` is not one scope. Write each scope as an item of its own")));
        }
    });
    let role = |role: &String| {
        let groups = shared.roles.iter().filter(|(_, roles)| roles.contains(role)).map(|(group, _)| group.clone());
        RoleNeed { role: role.clone(), groups: groups.collect() }
    };
    let roles: Vec<RoleNeed> = raw.roles.iter().map(role).collect();
    problems.field("roles", |p| {
        for (index, need) in roles.iter().enumerate().filter(|(_, need)| need.groups.is_empty()) {
            p.item(index, |p| p.add(format!("no group of `roles.map` has the role `{}`, so the rule never matches", need.role)));
        }
    });
    let approval = raw.approval == RawApprovalNeed::Required;
    problems.field("approval", |p| {
        if approval && raw.user == RawUser::None {
            p.add("`user: none` has nobody who could approve. Write `user: any`");
        }
        if approval && (raw.tools.is_none() || raw.prompts.is_some() || raw.resources.is_some() || raw.methods.is_some()) {
            p.add("is for calls of tools. Write a rule of their own for them");
        }
        if approval && !shared.approves {
            p.add("nobody is asked: add `approval` to the policy");
        }
    });
    let scope = |scope: &String| ScopeNeed { scope: scope.clone(), implied_by: implied_by(scope, shared.implies) };
    Needs {
        user: if raw.user == RawUser::None { UserNeed::None } else { UserNeed::Any },
        scopes: raw.scopes.iter().map(scope).collect(),
        roles,
        approval,
    }
}

/// All scopes that include `scope`, over any number of steps.
fn implied_by(scope: &str, implies: &[(String, Vec<String>)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut next = 0;
    let mut wanted = scope.to_owned();
    loop {
        for (wider, _) in implies.iter().filter(|(_, narrower)| narrower.contains(&wanted)) {
            if wider != scope && !found.contains(wider) {
                found.push(wider.clone());
            }
        }
        let Some(step) = found.get(next) else { return found };
        wanted.clone_from(step);
        next += 1;
    }
}

/// The condition of a rule, if it has one; `None` if a problem was added.
fn condition(
    text: Option<&str>,
    effect: &Effect,
    agents: &[Pattern],
    targets: &Targets,
    shared: &mut Shared<'_>,
    problems: &mut Problems,
) -> Option<Option<When>> {
    let words = Words { effect, targets, has_claims: shared.has_claims, has_peer: shared.has_peer };
    problems.field("when", |problems| {
        let Some(text) = text else { return Some(None) };
        let when = when(text, &words, &mut shared.reads, problems)?;
        never::condition(&when, agents, targets, problems);
        Some(Some(when))
    })
}

/// RFC 6749 section 3.3: scope-token.
pub(super) fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|c| c.is_ascii_graphic() && c != b'"' && c != b'\\')
}
