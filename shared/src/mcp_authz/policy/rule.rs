//! One rule, and whether it matches.

use super::ask::{Ask, Item};
use super::uri::{Fit, UriPattern};
use super::when::When;
use crate::identity::Caller;
use crate::mcp::Method;
use crate::policy::cel::Truth;
use crate::policy::{Pattern, RuleId};

/// One rule.
#[derive(Clone, Debug)]
pub(in crate::mcp_authz) struct Rule {
    pub(in crate::mcp_authz) id: RuleId,
    pub(in crate::mcp_authz) effect: Effect,
    pub(in crate::mcp_authz) agents: Vec<Pattern>,
    pub(in crate::mcp_authz) targets: Targets,
    pub(in crate::mcp_authz) when: Option<When>,
    /// Only recorded, never carried out.
    pub(in crate::mcp_authz) observe: bool,
}

/// What a rule does where it matches.
#[derive(Clone, Debug)]
pub(in crate::mcp_authz) enum Effect {
    /// Allows a request of a caller who has all of this.
    Allow(Needs),
    /// Refuses a request.
    Deny,
    /// Withholds a result.
    Withhold,
}

/// What an allow rule asks of the user.
#[derive(Clone, Debug)]
pub(in crate::mcp_authz) struct Needs {
    pub(in crate::mcp_authz) user: UserNeed,
    pub(in crate::mcp_authz) scopes: Vec<ScopeNeed>,
    pub(in crate::mcp_authz) roles: Vec<RoleNeed>,
    /// The user must approve every call.
    pub(in crate::mcp_authz) approval: bool,
}

/// Whether a rule asks for a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::mcp_authz) enum UserNeed {
    Any,
    None,
}

/// A scope, and all that stand for it by the configured hierarchy (MCP-Z-02).
#[derive(Clone, Debug)]
pub(in crate::mcp_authz) struct ScopeNeed {
    pub(in crate::mcp_authz) scope: String,
    pub(in crate::mcp_authz) implied_by: Vec<String>,
}

/// A role, and the groups that have it.
#[derive(Clone, Debug)]
pub(in crate::mcp_authz) struct RoleNeed {
    pub(in crate::mcp_authz) role: String,
    pub(in crate::mcp_authz) groups: Vec<String>,
}

/// What a rule speaks of: any of these.
#[derive(Clone, Debug, Default)]
pub(in crate::mcp_authz) struct Targets {
    pub(in crate::mcp_authz) tools: Vec<Pattern>,
    pub(in crate::mcp_authz) prompts: Vec<Pattern>,
    pub(in crate::mcp_authz) resources: Vec<UriPattern>,
    pub(in crate::mcp_authz) methods: Vec<Method>,
    /// It names nothing, so it means everything; never of an allow rule.
    pub(in crate::mcp_authz) everything: bool,
}

/// Why a rule did not match, in the order in which its parts are looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Miss {
    /// The agent is not one of its agents.
    Agent,
    /// What is asked for is not one of its tools, prompts, resources or methods.
    Item,
    /// It asks for a user, and there is none.
    User,
    /// The user lacks these roles.
    Roles(Vec<String>),
    /// Its condition is not true.
    When(Truth),
    /// The user's token lacks these scopes.
    Scopes(Vec<String>),
}

/// How far an allow rule matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Match {
    Yes,
    Agent,
    Item,
    User,
    Roles,
    When(Truth),
    Scopes,
}

impl Rule {
    /// What it asks of the user, if it is an allow rule.
    pub(super) fn needs(&self) -> Option<&Needs> {
        match &self.effect {
            Effect::Allow(needs) => Some(needs),
            Effect::Deny | Effect::Withhold => None,
        }
    }

    /// Whether it allows only what the user approves.
    pub(super) fn wants_approval(&self) -> bool {
        self.needs().is_some_and(|needs| needs.approval)
    }

    /// Whether it is a deny rule over everything that is carried out.
    pub(super) fn is_ban(&self) -> bool {
        matches!(self.effect, Effect::Deny) && self.targets.everything && !self.observe
    }

    /// Whether this deny rule refuses the caller whatever the arguments are.
    pub(super) fn surely_denies(&self, caller: &Caller) -> bool {
        self.has_agent(caller) && matches!(self.truth(caller, None), Truth::True | Truth::Error)
    }

    /// The truth of its condition; true without one.
    pub(super) fn truth(&self, caller: &Caller, ask: Option<&Ask<'_>>) -> Truth {
        self.when.as_ref().map_or(Truth::True, |when| when.truth(caller, ask))
    }

    fn has_agent(&self, caller: &Caller) -> bool {
        match caller.agent.as_deref() {
            Some(agent) => self.agents.iter().any(|pattern| pattern.matches(agent)),
            None => self.agents.iter().any(Pattern::is_any),
        }
    }

    /// How far this allow rule matches. What is not known counts against it, unless `could`: a list item is shown if some
    /// call of it could be allowed.
    pub(super) fn allows(&self, needs: &Needs, caller: &Caller, ask: &Ask<'_>, could: bool) -> Match {
        if self.targets.fits(ask, false) == Fit::No {
            return Match::Item;
        }
        self.grants(needs, caller, Some(ask), could)
    }

    /// How far it matches, the item aside. Without `ask` nothing is known but the caller.
    pub(super) fn grants(&self, needs: &Needs, caller: &Caller, ask: Option<&Ask<'_>>, could: bool) -> Match {
        let open = needs.user == UserNeed::None;
        if !self.has_agent(caller) || (caller.agent.is_none() && !open) {
            // A caller without a name may get one by a token.
            return if caller.is_unknown() { Match::User } else { Match::Agent };
        }
        if !open && caller.user.is_none() {
            return Match::User;
        }
        if !needs.roles.iter().all(|need| need.has(caller)) {
            return Match::Roles;
        }
        // Before the scopes: what more scopes cannot cure is no reason to ask for them.
        match self.truth(caller, ask) {
            Truth::True => {}
            Truth::Unknown if could => {}
            truth => return Match::When(truth),
        }
        if needs.scopes.iter().all(|need| need.has(caller)) { Match::Yes } else { Match::Scopes }
    }

    /// Whether this deny or response rule matches. What is not known counts for it, unless `could`: a list item is only
    /// hidden if every call of it would be refused.
    pub(super) fn denies(&self, caller: &Caller, ask: &Ask<'_>, could: bool) -> bool {
        let unknown = matches!(self.effect, Effect::Withhold);
        if !self.has_agent(caller) {
            return false;
        }
        let fit = self.targets.fits(ask, unknown);
        fit != Fit::No
            && match self.truth(caller, Some(ask)) {
                Truth::False => false,
                Truth::Unknown => !could,
                // An error never widens.
                Truth::True | Truth::Error => fit == Fit::All || !could,
            }
    }
}

impl Rule {
    /// Why this allow rule does not match, for the explanation.
    pub(super) fn miss(&self, needs: &Needs, caller: &Caller, ask: &Ask<'_>, could: bool) -> Option<Miss> {
        Some(match self.allows(needs, caller, ask, could) {
            Match::Yes => return None,
            Match::Agent => Miss::Agent,
            Match::Item => Miss::Item,
            Match::User => Miss::User,
            Match::Roles => Miss::Roles(needs.roles.iter().filter(|n| !n.has(caller)).map(|n| n.role.clone()).collect()),
            Match::When(truth) => Miss::When(truth),
            Match::Scopes => Miss::Scopes(needs.scopes.iter().filter(|n| !n.has(caller)).map(|n| n.scope.clone()).collect()),
        })
    }

    /// Why this deny or response rule does not match, for the explanation.
    pub(super) fn deny_miss(&self, caller: &Caller, ask: &Ask<'_>, could: bool) -> Option<Miss> {
        let unknown = matches!(self.effect, Effect::Withhold);
        if self.denies(caller, ask, could) {
            None
        } else if !self.has_agent(caller) {
            Some(Miss::Agent)
        } else if self.targets.fits(ask, unknown) == Fit::No {
            Some(Miss::Item)
        } else {
            Some(Miss::When(self.truth(caller, Some(ask))))
        }
    }
}

impl ScopeNeed {
    pub(super) fn has(&self, caller: &Caller) -> bool {
        caller.scopes.iter().any(|scope| scope == self.scope || self.implied_by.iter().any(|wider| wider == scope))
    }
}

impl RoleNeed {
    pub(super) fn has(&self, caller: &Caller) -> bool {
        caller.groups.iter().any(|group| self.groups.contains(group))
    }
}

impl Targets {
    /// Whether they have what is asked for. `unknown`: an [`Item::Method`] or [`Item::Task`] is a result of unknown origin.
    pub(super) fn fits(&self, ask: &Ask<'_>, unknown: bool) -> Fit {
        if self.everything || self.methods.contains(&ask.method) {
            return Fit::All;
        }
        let all = |any: bool| if any { Fit::All } else { Fit::No };
        match ask.item {
            Item::Tool(name) => all(self.tools.iter().any(|pattern| pattern.matches(name))),
            Item::Prompt(name) => all(self.prompts.iter().any(|pattern| pattern.matches(name))),
            Item::Resource(uri) => all(self.resources.iter().any(|pattern| pattern.matches(uri))),
            Item::Template(text) => self.resources.iter().map(|pattern| pattern.fits(text)).max().unwrap_or(Fit::No),
            Item::Method | Item::Task(_) if unknown => {
                let could = match ask.method {
                    Method::ToolsCall => !self.tools.is_empty(),
                    Method::PromptsGet => !self.prompts.is_empty(),
                    Method::ResourcesRead => !self.resources.is_empty(),
                    _ => true,
                };
                if could { Fit::Some } else { Fit::No }
            }
            Item::Method | Item::Task(_) => Fit::No,
        }
    }

    /// Whether they have any item of this kind.
    pub(super) fn speak_of(&self, item: Item<'_>) -> bool {
        match item {
            Item::Method => !self.methods.is_empty(),
            Item::Prompt(_) => !self.prompts.is_empty(),
            Item::Resource(_) | Item::Template(_) => !self.resources.is_empty(),
            Item::Task(_) | Item::Tool(_) => !self.tools.is_empty(),
        }
    }
}
