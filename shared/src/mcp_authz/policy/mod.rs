//! Who may do what: pure data in, a decision out.

mod ask;
mod decide;
mod index;
mod rule;
mod set;
mod uri;
mod when;

pub use ask::{Ask, Item, Outcome, RequestFacts};
pub use decide::{RuleKind, RuleSays};
pub use rule::Miss;
pub(super) use rule::{Effect, Needs, RoleNeed, Rule, ScopeNeed, Targets, UserNeed};
pub(super) use set::RuleSet;
pub use uri::{Fit, UriPattern};
pub(super) use when::{Field, When};

use std::rc::Rc;

use super::metadata::Metadata;
use super::session::{Owner, Remembered};
use super::surface::{Hygiene, ServerRequests};
use crate::filter::{Destinations, HostProfile, Properties, PropertyPath, Settings, upstream};
use crate::http::Headers;
use crate::identity::{Caller, Source};
use crate::mcp::{KnownLists, Version};
use crate::policy::{Decision, Deny, Lookup, Mode, PolicyId, Tier};
use crate::time::Duration;

/// A compiled configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) id: PolicyId,
    pub(super) mode: Mode,
    pub(super) hold_headers: bool,
    pub(super) audit: Destinations,
    pub(super) source: Source,
    /// Those of `source`, and where the proxy sends a request, if a condition asks that.
    pub(super) properties: Rc<[PropertyPath]>,
    /// There is no peer identity, so rules over any agent that need no user are for everybody.
    pub(super) public: bool,
    pub(super) denial: DenialForm,
    pub(super) max_body: usize,
    pub(super) versions: Vec<Version>,
    pub(super) origins: Vec<String>,
    /// Whose alone a session is.
    pub(super) sessions: Option<Owner>,
    pub(super) metadata: Option<Rc<Metadata>>,
    pub(super) server_requests: Option<ServerRequests>,
    pub(super) tools: Option<Hygiene>,
    /// Longest time in milliseconds that a list may be kept.
    pub(super) list_ttl: Option<u64>,
    /// How long a server may send by a stream that a client opened to listen.
    pub(super) max_stream: Option<Duration>,
    pub(super) tiers: Tiers,
    pub(super) rules: RuleSet,
    /// What conditions read of a request.
    pub(super) request: Option<Vec<String>>,
    /// What need not be read again.
    pub(super) known_lists: KnownLists,
    pub(super) sessions_used: Remembered,
}

/// How a refused call looks to the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DenialForm {
    Hide,
    Refuse,
    StepUp,
}

/// Rules that can only narrow what the plain rules grant.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiers {
    pub(super) global: Option<RuleSet>,
    pub(super) namespaces: Named,
    pub(super) clients: Named,
}

/// Rules by whose they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    pub(super) names: Lookup,
    pub(super) sets: Vec<RuleSet>,
}

/// A decision, and what goes with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// What is to be done.
    pub decision: Decision,
    /// What a rule with `mode: observe` would have done to a request or result that goes on.
    pub observed: Option<Deny>,
    /// It may only go on if the user approves exactly this.
    pub approval: bool,
    /// For a missing scope or user: all scopes that would cure it (MCP-Z-02).
    pub needed: Vec<String>,
}

impl Policy {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            policy: self.id.clone(),
            mode: self.mode,
            host: HostProfile { hold_headers: self.hold_headers },
            audit: self.audit.clone(),
            properties: self.properties.clone(),
        }
    }

    /// What conditions read of a request, or `None` if none reads anything of it. `properties` are those that the plugin declares.
    pub fn request_facts(&self, headers: &Headers, properties: Properties<'_>) -> Option<RequestFacts> {
        let wanted = self.request.as_deref()?;
        Some(RequestFacts::read(headers, wanted, upstream::cluster(properties, self.source.properties().len())))
    }
}

impl Tiers {
    /// The tiers of `caller`, in the order of decision. One that is absent does not narrow.
    fn of(&self, caller: &Caller) -> impl Iterator<Item = (Tier, &RuleSet)> {
        let namespace = self.namespaces.find(|| caller.namespace());
        let client = self.clients.find(|| caller.client.as_deref());
        let tiers = [(Tier::Global, self.global.as_ref()), (Tier::Namespaces, namespace), (Tier::Clients, client)];
        tiers.into_iter().filter_map(|(tier, set)| Some((tier, set?)))
    }
}

impl Named {
    /// The tier of the name that `name` gives; it is not asked where there is none.
    fn find<'a>(&self, name: impl Fn() -> Option<&'a str>) -> Option<&RuleSet> {
        self.sets.first()?;
        self.names.get(name()?).first().and_then(|at| self.sets.get(*at))
    }
}
