//! The order of decision. Precedence, top down:
//!
//! 1. A caller without an agent is refused (`no_agent`); with `peer: none` only rules over any agent are for them.
//! 2. The tiers `global`, `namespaces`, `clients`: a deny rule that matches refuses (`denied_by_rule`); a tier that allows
//!    something of this kind, but not this, refuses (`no_matching_rule`). A tier can only narrow.
//! 3. The same of `rules`: deny beats allow, the first allow rule that matches allows.
//! 4. What the protocol itself needs is `builtin:…`, for an agent that some allow rule speaks of.
//! 5. Else the nearest miss is the reason: missing scopes (`insufficient_scope`) before a missing user (`no_user`) before
//!    anything else (`no_matching_rule`). A miss that the user could cure is only told where nothing else refuses; the
//!    challenge then names the scopes of all tiers at once (MCP-Z-02).

use super::ask::{Ask, Item};
use super::rule::{Effect, Match, Miss, Rule};
use super::set::{Near, RuleSet};
use super::{Policy, Verdict};
use crate::identity::Caller;
use crate::mcp::Method;
use crate::policy::cel::Truth;
use crate::policy::{Allow, Decision, Deny, Reason, RuleId, Tier};

/// A verdict before anything is copied.
struct Judged<'p> {
    ruling: Ruling<'p>,
    /// Some rule of those that allow it wants the user's approval.
    approval: bool,
    observed: Option<(&'p RuleId, Option<Tier>)>,
}

enum Ruling<'p> {
    Allow(&'p RuleId),
    Builtin(&'static str),
    Deny(Reason, Option<&'p RuleId>, Option<Tier>, Vec<Near<'p>>),
}

impl Policy {
    /// Whether `caller` may do what is asked. What is not known (a condition over something that `ask` does not have) counts
    /// as an error: an allow rule does not match, a deny rule does. A template may be asked for if it is shown.
    pub fn decide(&self, caller: &Caller, ask: &Ask<'_>) -> Verdict {
        self.judge(caller, ask, matches!(ask.item, Item::Template(_))).verdict()
    }

    /// Whether the caller's list shows `item`: if and only if some call of it could be allowed. The conditions of different
    /// rules are taken to be independent: an allow rule and a deny rule over the same argument that together refuse every
    /// value still show it.
    pub fn shows(&self, caller: &Caller, item: Item<'_>) -> bool {
        matches!(self.judge(caller, &Ask::about(item), true).ruling, Ruling::Allow(_) | Ruling::Builtin(_))
    }

    /// Whether a response rule withholds the result of a request that was allowed. An item that is not known
    /// ([`Item::Task`], [`Item::Method`]) could be any. The decision is a refusal, or only observed.
    pub fn withholds(&self, caller: &Caller, ask: &Ask<'_>) -> Option<Verdict> {
        let mut observed: Option<(&RuleId, Option<Tier>)> = None;
        let deny = |rule: &RuleId, tier| Deny { reason: Reason::ResultWithheld, rule: Some(rule.clone()), tier };
        for (tier, set) in self.stages(caller) {
            let (withheld, seen) = set.withheld(caller, ask);
            if let Some(rule) = withheld {
                let decision = Decision::Deny(deny(&rule.id, tier));
                return Some(Verdict { decision, observed: None, approval: false, needed: Vec::new() });
            }
            observed = observed.or(seen.map(|rule| (&rule.id, tier)));
        }
        let (rule, tier) = observed?;
        let decision = Decision::allow(rule.clone());
        Some(Verdict { decision, observed: Some(deny(rule, tier)), approval: false, needed: Vec::new() })
    }

    /// Whether a response rule could bear on the result of `ask`, so that it must be read.
    pub fn needs_result(&self, caller: &Caller, ask: &Ask<'_>) -> bool {
        self.stages(caller).any(|(_, set)| set.could_withhold(caller, ask))
    }

    /// Whether `caller` may speak with the server at all: `None`, or why not. An agent that no rule speaks of may not, nor
    /// one that a deny rule over everything refuses; one whose every rule asks for a user needs one.
    pub fn greet(&self, caller: &Caller) -> Option<Reason> {
        if caller.agent.is_none() && !self.public {
            return Some(Reason::NoAgent);
        }
        if self.stages(caller).any(|(_, set)| set.bans(caller)) {
            return Some(Reason::DeniedByRule);
        }
        match self.rules.knows(caller.agent.as_deref()) {
            Some(true) => None,
            Some(false) if caller.agent.is_some() && caller.user.is_some() => None,
            Some(false) if caller.agent.is_some() => Some(Reason::NoUser),
            Some(_) | None => Some(self.stranger(caller)),
        }
    }

    /// What each rule says to `ask`, the tiers of the caller first: `None` if it matches.
    pub(in crate::mcp_authz) fn trace(&self, caller: &Caller, ask: &Ask<'_>) -> Vec<RuleSays> {
        let could = matches!(ask.item, Item::Template(_));
        let one = |tier: Option<Tier>, rule: &Rule| {
            let (kind, miss) = match &rule.effect {
                Effect::Allow(needs) => (RuleKind::Allow, rule.miss(needs, caller, ask, could)),
                Effect::Deny => (RuleKind::Deny, rule.deny_miss(caller, ask, could)),
                Effect::Withhold => (RuleKind::Withhold, rule.deny_miss(caller, ask, could)),
            };
            let when = rule.when.as_ref().map(|when| when.truth(caller, Some(ask)));
            RuleSays { id: rule.id.clone(), tier, kind, observe: rule.observe, miss, when }
        };
        self.stages(caller).flat_map(|(tier, set)| set.rules().iter().map(move |rule| one(tier, rule))).collect()
    }

    fn judge<'p>(&'p self, caller: &Caller, ask: &Ask<'_>, could: bool) -> Judged<'p> {
        let (mut observed, mut approval) = (None, false);
        let deny = |reason, rule, tier| Ruling::Deny(reason, rule, tier, Vec::new());
        if caller.agent.is_none() && !self.public {
            return Judged { ruling: deny(Reason::NoAgent, None, None), approval, observed };
        }
        let builtin = builtin(ask);
        let mut near: Vec<Near<'p>> = Vec::new();
        let mut near_tier = None;
        for (tier, set) in self.tiers(caller) {
            let (denied, seen) = set.denied(caller, ask, could);
            observed = observed.or(seen.map(|rule| (&rule.id, Some(tier))));
            if let Some(rule) = denied {
                return Judged { ruling: deny(Reason::DeniedByRule, Some(&rule.id), Some(tier)), approval, observed };
            }
            if builtin.is_some() || !set.narrows(ask.item) {
                continue;
            }
            match set.allowed(caller, ask, could) {
                // A tier narrows: what it wants is wanted, whatever the others want.
                Ok(rule) => approval |= rule.wants_approval(),
                Err(None) => return Judged { ruling: deny(self.stranger(caller), None, Some(tier)), approval, observed },
                Err(Some(miss)) => {
                    near.push(miss);
                    near_tier = near_tier.or(Some(tier));
                }
            }
        }
        let (denied, seen) = self.rules.denied(caller, ask, could);
        observed = observed.or(seen.map(|rule| (&rule.id, None)));
        let ruling = match (denied, self.rules.allowed(caller, ask, could)) {
            (Some(rule), _) => deny(Reason::DeniedByRule, Some(&rule.id), None),
            (None, Ok(rule)) if near.is_empty() => {
                approval |= rule.wants_approval();
                Ruling::Allow(&rule.id)
            }
            (None, Ok(_)) => curable(near, near_tier),
            (None, Err(miss)) => match (builtin, miss) {
                (Some(rule), _) => self.judge_builtin(rule, caller, ask),
                (None, Some(miss)) => {
                    near.push(miss);
                    curable(near, near_tier)
                }
                (None, None) => deny(self.stranger(caller), None, None),
            },
        };
        Judged { ruling, approval, observed }
    }

    /// What the protocol itself needs. Of tasks, whoever may call some tool may ask: a gate without memory cannot know whose
    /// a task is (MCP-K-04); its result is subject to the response rules.
    fn judge_builtin<'p>(&'p self, rule: &'static str, caller: &Caller, ask: &Ask<'_>) -> Ruling<'p> {
        if let Some(reason) = self.greet(caller) {
            return Ruling::Deny(reason, None, None, Vec::new());
        }
        match ask.item {
            Item::Task(_) => match self.may_call_some_tool(caller) {
                Ok(()) => Ruling::Builtin(rule),
                Err(near) if near.is_empty() => Ruling::Deny(self.stranger(caller), None, None, Vec::new()),
                Err(near) => curable(near, None),
            },
            _ => Ruling::Builtin(rule),
        }
    }

    fn may_call_some_tool<'p>(&'p self, caller: &Caller) -> Result<(), Vec<Near<'p>>> {
        let mut near = Vec::new();
        let tool = Item::Tool("");
        for (rule, needs) in self.rules.tool_rules() {
            let reason = match rule.grants(needs, caller, None, true) {
                Match::Yes => {
                    let left = rule.targets.tools.iter().any(|tools| {
                        let narrowed = |(_, set): (Tier, &RuleSet)| {
                            set.denies_all_of(caller, tools)
                                || set.narrows(tool)
                                    && !set.tool_rules().any(|(rule, needs)| {
                                        rule.targets.tools.iter().any(|own| own.overlaps(tools))
                                            && rule.grants(needs, caller, None, true) == Match::Yes
                                    })
                        };
                        !self.rules.denies_all_of(caller, tools) && !self.tiers(caller).any(narrowed)
                    });
                    if left {
                        return Ok(());
                    }
                    continue;
                }
                Match::Scopes => Reason::InsufficientScope,
                Match::User => Reason::NoUser,
                Match::Agent | Match::Item | Match::Roles | Match::When(_) => continue,
            };
            if near.is_empty() {
                near.push(Near { reason, needs });
            }
        }
        Err(near)
    }

    /// The reason for a caller whom no rule is near: someone without any credentials is asked for them first.
    fn stranger(&self, caller: &Caller) -> Reason {
        match caller.agent {
            Some(_) => Reason::NoMatchingRule,
            None if caller.is_unknown() => Reason::NoUser,
            None => Reason::NoAgent,
        }
    }

    /// The caller's tiers, then the plain rules.
    fn stages(&self, caller: &Caller) -> impl Iterator<Item = (Option<Tier>, &RuleSet)> {
        self.tiers(caller).map(|(tier, set)| (Some(tier), set)).chain([(None, &self.rules)])
    }

    fn tiers(&self, caller: &Caller) -> impl Iterator<Item = (Tier, &RuleSet)> {
        self.tiers.of(caller)
    }
}

/// A refusal that the user can cure, with everything that it takes.
fn curable(near: Vec<Near<'_>>, tier: Option<Tier>) -> Ruling<'_> {
    let login = near.iter().any(|miss| miss.reason == Reason::NoUser);
    Ruling::Deny(if login { Reason::NoUser } else { Reason::InsufficientScope }, None, tier, near)
}

impl Judged<'_> {
    fn verdict(self) -> Verdict {
        let denied = |(rule, tier): (&RuleId, _)| Deny { reason: Reason::DeniedByRule, rule: Some(rule.clone()), tier };
        let allowed = |rule| Verdict {
            decision: Decision::Allow(Allow { rule, tier: None }),
            observed: self.observed.map(denied),
            approval: self.approval,
            needed: Vec::new(),
        };
        match self.ruling {
            Ruling::Allow(rule) => allowed(rule.clone()),
            Ruling::Builtin(rule) => allowed(rule.into()),
            Ruling::Deny(reason, rule, tier, near) => {
                let mut needed: Vec<String> = Vec::new();
                for need in near.iter().flat_map(|miss| &miss.needs.scopes) {
                    if !needed.contains(&need.scope) {
                        needed.push(need.scope.clone());
                    }
                }
                let decision = Decision::Deny(Deny { reason, rule: rule.cloned(), tier });
                Verdict { decision, observed: None, approval: false, needed }
            }
        }
    }
}

/// What one rule says to a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleSays {
    /// Its id.
    pub id: RuleId,
    /// The tier that it stands in.
    pub tier: Option<Tier>,
    /// What it does where it matches.
    pub kind: RuleKind,
    /// It is only recorded.
    pub observe: bool,
    /// What its condition says, if it has one.
    pub when: Option<Truth>,
    /// Why it does not match, if it does not.
    pub miss: Option<Miss>,
}

/// What a rule does where it matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RuleKind {
    /// It allows a request.
    Allow,
    /// It refuses a request.
    Deny,
    /// It withholds a result.
    Withhold,
}

/// The rule for what the protocol itself needs: a question that names nothing, or a task.
fn builtin(ask: &Ask<'_>) -> Option<&'static str> {
    use Method as M;
    if !matches!(ask.item, Item::Method | Item::Task(_)) {
        return None;
    }
    match ask.method {
        M::Initialize | M::Ping | M::ServerDiscover => Some("builtin:lifecycle"),
        M::ToolsList | M::PromptsList | M::ResourcesList | M::ResourcesTemplatesList => Some("builtin:list"),
        M::LoggingSetLevel => Some("builtin:logging"),
        M::NotifyCancelled | M::NotifyInitialized | M::NotifyProgress | M::NotifyRootsChanged => Some("builtin:notification"),
        M::None => Some("builtin:response"),
        M::SubscriptionsListen => Some("builtin:subscription"),
        M::TasksCancel | M::TasksGet | M::TasksResult | M::TasksUpdate => Some("builtin:task"),
        _ => None,
    }
}
