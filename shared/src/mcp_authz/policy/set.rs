//! The rules of one tier, or the plain `rules`.

use super::ask::{Ask, Item};
use super::index::Index;
use super::rule::{Effect, Match, Needs, Rule, UserNeed};
use crate::identity::Caller;
use crate::mcp::Method;
use crate::policy::{Lookup, Pattern, Reason};

/// Rules in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub(in crate::mcp_authz) struct RuleSet {
    rules: Vec<Rule>,
    allows: Index,
    denies: Index,
    withholds: Index,
    /// Deny rules over everything.
    bans: Vec<usize>,
    /// Agents that allow rules speak of, each with [`OPEN`] if one of these needs no user, or [`CLOSED`], or both.
    agents: Lookup,
    /// The same for agents with a `*`.
    open_agents: Vec<(Pattern, bool)>,
}

/// A miss that the user can cure: a scope, or logging in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near<'p> {
    pub(super) reason: Reason,
    pub(super) needs: &'p Needs,
}

const OPEN: usize = 1;
const CLOSED: usize = 0;

impl RuleSet {
    pub(in crate::mcp_authz) fn new(rules: Vec<Rule>) -> Self {
        let mut agents: Vec<(&str, usize)> = Vec::new();
        let mut open_agents: Vec<(Pattern, bool)> = Vec::new();
        for (needs, pattern) in rules
            .iter()
            .flat_map(|rule| rule.needs().into_iter().flat_map(|needs| rule.agents.iter().map(move |agent| (needs, agent))))
        {
            let open = needs.user == UserNeed::None;
            if !pattern.is_open() {
                agents.push((pattern.as_str(), if open { OPEN } else { CLOSED }));
            } else if let Some((_, known)) = open_agents.iter_mut().find(|(known, _)| known == pattern) {
                *known |= open;
            } else {
                open_agents.push((pattern.clone(), open));
            }
        }
        Self {
            allows: Index::new(&rules, |effect| matches!(effect, Effect::Allow(_))),
            denies: Index::new(&rules, |effect| matches!(effect, Effect::Deny)),
            withholds: Index::new(&rules, |effect| matches!(effect, Effect::Withhold)),
            bans: (0..).zip(&rules).filter(|(_, rule)| rule.is_ban()).map(|(at, _)| at).collect(),
            agents: Lookup::new(&agents),
            open_agents,
            rules,
        }
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The deny rule that matches, and in any case the first one of those that only observe.
    pub(super) fn denied<'p>(&'p self, caller: &Caller, ask: &Ask<'_>, could: bool) -> (Option<&'p Rule>, Option<&'p Rule>) {
        self.first(self.denies.candidates(caller, ask), caller, ask, could)
    }

    /// The response rule that matches, and in any case the first one of those that only observe.
    pub(super) fn withheld<'p>(&'p self, caller: &Caller, ask: &Ask<'_>) -> (Option<&'p Rule>, Option<&'p Rule>) {
        match ask.item {
            Item::Method | Item::Task(_) => self.first(self.withholds.all().iter().copied(), caller, ask, false),
            _ => self.first(self.withholds.candidates(caller, ask), caller, ask, false),
        }
    }

    fn first(
        &self,
        candidates: impl Iterator<Item = usize>,
        caller: &Caller,
        ask: &Ask<'_>,
        could: bool,
    ) -> (Option<&Rule>, Option<&Rule>) {
        let mut observed = None;
        for rule in candidates.filter_map(|at| self.rules.get(at)) {
            if (rule.observe && observed.is_some()) || !rule.denies(caller, ask, could) {
                continue;
            }
            if !rule.observe {
                return (Some(rule), observed);
            }
            observed = Some(rule);
        }
        (None, observed)
    }

    /// Whether a response rule could bear on the result of `ask`.
    pub(super) fn could_withhold(&self, caller: &Caller, ask: &Ask<'_>) -> bool {
        !self.withholds.all().is_empty() && {
            let (rule, observed) = self.withheld(caller, ask);
            rule.or(observed).is_some()
        }
    }

    /// The first allow rule that matches; else the nearest miss, if one is near.
    pub(super) fn allowed<'p>(&'p self, caller: &Caller, ask: &Ask<'_>, could: bool) -> Result<&'p Rule, Option<Near<'p>>> {
        let mut nearest: Option<Near<'p>> = None;
        for rule in self.allows.candidates(caller, ask).filter_map(|at| self.rules.get(at)) {
            let Some(needs) = rule.needs() else { continue };
            let reason = match rule.allows(needs, caller, ask, could) {
                Match::Yes => return Ok(rule),
                Match::Scopes => Reason::InsufficientScope,
                Match::User => Reason::NoUser,
                Match::Agent | Match::Item | Match::Roles | Match::When(_) => continue,
            };
            if nearest.is_none_or(|near| near.reason == Reason::NoUser && reason == Reason::InsufficientScope) {
                nearest = Some(Near { reason, needs });
            }
        }
        Err(nearest)
    }

    /// Whether this tier has allow rules for this kind of item: then it narrows.
    pub(super) fn narrows(&self, item: Item<'_>) -> bool {
        self.allows.speak_of(&self.rules, item)
    }

    /// Whether a deny rule over everything refuses the caller before any method is known.
    pub(super) fn bans(&self, caller: &Caller) -> bool {
        let ask = Ask::method(Method::None);
        self.bans.iter().filter_map(|at| self.rules.get(*at)).any(|rule| rule.denies(caller, &ask, true))
    }

    /// Whether an allow rule speaks of `agent`, and whether one of these needs no user. Without an agent: only of anybody.
    pub(super) fn knows(&self, agent: Option<&str>) -> Option<bool> {
        let exact =
            agent.map(|agent| self.agents.get(agent)).filter(|found| !found.is_empty()).map(|found| found.contains(&OPEN));
        let meant = |pattern: &Pattern| agent.map_or(pattern.is_any(), |agent| pattern.matches(agent));
        let open = self.open_agents.iter().filter(|(pattern, _)| meant(pattern)).map(|(_, open)| *open);
        exact.into_iter().chain(open).reduce(|one, two| one || two)
    }

    /// Allow rules over tools, with what they ask for.
    pub(super) fn tool_rules(&self) -> impl Iterator<Item = (&Rule, &Needs)> {
        let rules = self.allows.all().iter().filter_map(|at| self.rules.get(*at));
        rules.filter(|rule| !rule.targets.tools.is_empty()).filter_map(|rule| Some((rule, rule.needs()?)))
    }

    /// Whether a deny rule refuses every call of every tool that `tools` means.
    pub(super) fn denies_all_of(&self, caller: &Caller, tools: &Pattern) -> bool {
        let rules = self.denies.all().iter().filter_map(|at| self.rules.get(*at));
        rules.filter(|rule| !rule.observe).any(|rule| {
            let targets = &rule.targets;
            (targets.everything
                || targets.methods.contains(&Method::ToolsCall)
                || targets.tools.iter().any(|own| own.covers(tools)))
                && rule.surely_denies(caller)
        })
    }
}
