//! Who may call which tool: pure data in, a decision out.

use crate::filter::{HostProfile, Settings};
use crate::identity::{Caller, Source};
use crate::mcp::Version;
use crate::policy::{Allow, Decision, Deny, Mode, Pattern, PolicyId, Reason, RuleId};

/// A compiled configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) id: PolicyId,
    pub(super) mode: Mode,
    pub(super) hold_headers: bool,
    pub(super) source: Source,
    pub(super) roles: Vec<(String, Vec<String>)>,
    pub(super) denial: DenialForm,
    pub(super) max_body: usize,
    pub(super) versions: Vec<Version>,
    pub(super) origins: Vec<String>,
    pub(super) rules: Vec<Rule>,
}

/// How a refused call looks to the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DenialForm {
    Hide,
    Refuse,
    StepUp,
}

/// One rule.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Allow(RuleId, AllowRule),
    Deny(RuleId, DenyRule),
}

/// What a rule allows.
#[derive(Clone, Debug)]
pub(super) struct AllowRule {
    pub(super) agents: Vec<Pattern>,
    pub(super) tools: Vec<Pattern>,
    pub(super) user: UserNeed,
    pub(super) scopes: Vec<String>,
    pub(super) roles: Vec<String>,
}

/// What a rule denies.
#[derive(Clone, Debug)]
pub(super) struct DenyRule {
    pub(super) agents: Vec<Pattern>,
    pub(super) tools: Vec<Pattern>,
}

/// Whether a rule asks for a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum UserNeed {
    Any,
    None,
}

/// Why a rule did not match, in the order in which its parts are looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Miss {
    /// The agent is not one of its agents.
    Agent,
    /// The tool is not one of its tools.
    Tool,
    /// It asks for a user, and there is none.
    User,
    /// The user lacks these roles.
    Roles(Vec<String>),
    /// The user's token lacks these scopes.
    Scopes(Vec<String>),
}

/// A decision, and for a missing scope all scopes that would cure it (MCP-Z-02).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) needed: Vec<String>,
}

impl Policy {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            policy: self.id.clone(),
            mode: self.mode,
            host: HostProfile { hold_headers: self.hold_headers },
            properties: self.source.properties(),
        }
    }

    /// Whether `caller` may call `tool`. Precedence, top down:
    ///
    /// 1. A caller without an agent is refused (`no_agent`).
    /// 2. A deny rule that matches refuses, whatever else matches (`denied_by_rule`).
    /// 3. The first allow rule that matches allows.
    /// 4. Else the nearest miss is the reason: missing scopes (`insufficient_scope`) before a missing user (`no_user`)
    ///    before anything else (`no_matching_rule`).
    pub(super) fn decide(&self, caller: &Caller, tool: &str) -> Verdict {
        let Some(agent) = caller.agent.as_deref() else { return Verdict::deny(Reason::NoAgent) };
        for rule in &self.rules {
            if let Rule::Deny(id, deny) = rule
                && deny.matches(agent, tool)
            {
                return Verdict { decision: Decision::deny_by(Reason::DeniedByRule, id.clone()), needed: Vec::new() };
            }
        }
        let mut nearest: Option<Verdict> = None;
        for rule in &self.rules {
            let Rule::Allow(id, allow) = rule else { continue };
            let miss = match self.misses(allow, agent, caller, Some(tool)) {
                None => return Verdict { decision: Decision::allow(id.clone()), needed: Vec::new() },
                Some(miss) => miss,
            };
            let (reason, needed) = match miss {
                Miss::Scopes(_) => (Reason::InsufficientScope, allow.scopes.clone()),
                Miss::User => (Reason::NoUser, allow.scopes.clone()),
                Miss::Agent | Miss::Roles(_) | Miss::Tool => continue,
            };
            let nearer = match &nearest {
                None => true,
                Some(found) => reason == Reason::InsufficientScope && found.decision != deny_by(reason, None),
            };
            if nearer {
                nearest = Some(Verdict { decision: deny_by(reason, None), needed });
            }
        }
        nearest.unwrap_or_else(|| Verdict::deny(Reason::NoMatchingRule))
    }

    /// Whether `caller` may speak with the server at all: `None`, or why not. An agent that no rule speaks of may not; one
    /// whose every rule asks for a user needs one.
    pub(super) fn greet(&self, caller: &Caller) -> Option<Reason> {
        let Some(agent) = caller.agent.as_deref() else { return Some(Reason::NoAgent) };
        let mut reason = Reason::NoMatchingRule;
        for rule in &self.rules {
            let Rule::Allow(_, allow) = rule else { continue };
            if allow.agents.iter().any(|pattern| pattern.matches(agent)) {
                if allow.user == UserNeed::None || caller.user.is_some() {
                    return None;
                }
                reason = Reason::NoUser;
            }
        }
        Some(reason)
    }

    /// Whether the caller's list shows `tool`: if and only if a call of it would be allowed.
    pub(super) fn shows(&self, caller: &Caller, tool: &str) -> bool {
        matches!(self.decide(caller, tool).decision, Decision::Allow(Allow { .. }))
    }

    /// What each rule says to a call of `tool`: `None` if it matches.
    pub(super) fn trace(&self, caller: &Caller, tool: &str) -> Vec<(RuleId, bool, Option<Miss>)> {
        let agent = caller.agent.as_deref().unwrap_or_default();
        let one = |rule: &Rule| match rule {
            Rule::Allow(id, allow) => (id.clone(), true, self.misses(allow, agent, caller, Some(tool))),
            Rule::Deny(id, deny) => {
                let agent_fits = deny.agents.iter().any(|pattern| pattern.matches(agent));
                let tool_fits = deny.tools.iter().any(|pattern| pattern.matches(tool));
                let miss = (!agent_fits).then_some(Miss::Agent).or((!tool_fits).then_some(Miss::Tool));
                (id.clone(), false, miss)
            }
        };
        self.rules.iter().map(one).collect()
    }

    fn misses(&self, allow: &AllowRule, agent: &str, caller: &Caller, tool: Option<&str>) -> Option<Miss> {
        if !allow.agents.iter().any(|pattern| pattern.matches(agent)) {
            return Some(Miss::Agent);
        }
        if tool.is_some_and(|tool| !allow.tools.iter().any(|pattern| pattern.matches(tool))) {
            return Some(Miss::Tool);
        }
        if allow.user == UserNeed::None {
            return None;
        }
        if caller.user.is_none() {
            return Some(Miss::User);
        }
        let has_role = |role: &String| {
            let maps = |(group, roles): &(String, Vec<String>)| caller.groups.contains(group) && roles.contains(role);
            self.roles.iter().any(maps)
        };
        let roles: Vec<String> = allow.roles.iter().filter(|role| !has_role(role)).cloned().collect();
        if !roles.is_empty() {
            return Some(Miss::Roles(roles));
        }
        let scopes: Vec<String> = allow.scopes.iter().filter(|scope| !caller.scopes.contains(scope)).cloned().collect();
        if scopes.is_empty() { None } else { Some(Miss::Scopes(scopes)) }
    }
}

impl Rule {
    pub(super) fn id(&self) -> &RuleId {
        match self {
            Self::Allow(id, _) | Self::Deny(id, _) => id,
        }
    }
}

impl DenyRule {
    fn matches(&self, agent: &str, tool: &str) -> bool {
        self.agents.iter().any(|pattern| pattern.matches(agent)) && self.tools.iter().any(|pattern| pattern.matches(tool))
    }
}

impl Verdict {
    fn deny(reason: Reason) -> Self {
        Self { decision: deny_by(reason, None), needed: Vec::new() }
    }
}

fn deny_by(reason: Reason, rule: Option<RuleId>) -> Decision {
    Decision::Deny(Deny { reason, rule, tier: None })
}
