//! A compiled configuration.

use std::rc::Rc;

use super::authority::{ChainLimits, ScopeMap};
use super::client::Client;
use super::consent::Consent;
use super::destination::Destination;
use super::profile::Profile;
use super::reference::References;
use super::routes::Routes;
use crate::audit::Resource;
use crate::filter::{Destinations, Head, HostProfile, PropertyPath, Settings, upstream};
use crate::identity::Source;
use crate::identity::revocation::Revocation;
use crate::identity::secret::{FetchedSecret, SealingKeys};
use crate::identity::tokens::Tokens;
use crate::policy::{Mode, PolicyId, Reason};
use crate::time::{Duration, Timestamp};

/// A compiled configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) id: PolicyId,
    pub(super) mode: Mode,
    pub(super) host: HostProfile,
    pub(super) audit: Destinations,
    pub(super) source: Source,
    /// Those of `source`, and where the proxy sends a request, if a route depends on that.
    pub(super) properties: Rc<[PropertyPath]>,
    /// Verifies the tokens of requests; without it the proxy does.
    pub(super) tokens: Option<Tokens>,
    pub(super) revocation: Option<Revocation>,
    /// What we are called: a token for us must not leave.
    pub(super) ours: Vec<String>,
    pub(super) chain: ChainLimits,
    pub(super) servers: Vec<Server>,
    pub(super) routes: Routes,
    /// Longest body of a request whose route depends on it.
    pub(super) max_body: usize,
    pub(super) unmatched: Action,
    pub(super) cache: CacheLimits,
    /// How users consent.
    pub(super) consent: Option<Consent>,
    pub(super) references: Option<Referring>,
    /// What is as the operator wrote it, and had better be looked at.
    pub(super) warnings: Vec<(String, &'static str)>,
}

/// A token service.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) name: Rc<str>,
    pub(super) profile: Profile,
    pub(super) issuer: Rc<str>,
    pub(super) token: Endpoint,
    pub(super) whose: Whose,
    pub(super) clients: Vec<Client>,
    /// The agent's own token is sent beside the caller's.
    pub(super) sends_actor: bool,
    /// Index in [`Policy::servers`]: where the assertion that it gives becomes a token.
    pub(super) redeem_at: Option<usize>,
    pub(super) scopes: ScopeMap,
    /// Where its users consent.
    pub(super) consent_page: Option<Rc<str>>,
    /// Subject tokens must have `may_act`.
    pub(super) may_act: bool,
    pub(super) opaque: bool,
    /// Audiences that stand beside the target in its tokens.
    pub(super) beside: Vec<String>,
    /// Scopes that it adds uncalled.
    pub(super) besides: Vec<String>,
}

/// An endpoint that is called through the proxy.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) cluster: String,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) timeout: Duration,
}

/// Whose OAuth client asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whose {
    /// That of the calling agent.
    Caller,
    /// This one of [`Server::clients`], for all agents.
    Gate(usize),
}

/// What agents hold in the place of users' tokens.
#[derive(Clone, Debug)]
pub(super) struct Referring {
    pub(super) keys: SealingKeys,
    pub(super) longest: Duration,
    /// Requests of agents are opened here; else they are made here.
    pub(super) opens: bool,
    /// A request of an agent may bring a token itself.
    pub(super) plain: bool,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Its token is exchanged for one for this target.
    Exchange(Rc<Target>),
    /// It goes on to this agent with a reference to its token.
    Reference(Rc<str>),
    /// It goes on without any credential.
    Strip,
    /// It goes on with the token that it brought.
    Passthrough,
    /// It is refused.
    Deny,
}

/// What a token is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Target {
    /// Index in [`Policy::servers`].
    pub(super) server: usize,
    pub(super) audience: Option<Rc<str>>,
    pub(super) resource: Option<Rc<str>>,
    /// In ascending order, each once.
    pub(super) scopes: Vec<String>,
    pub(super) max_life: Duration,
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CacheLimits {
    pub(super) tokens: usize,
    pub(super) skew: Duration,
    pub(super) refusals: Duration,
}

impl Policy {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            policy: self.id.clone(),
            mode: self.mode,
            host: self.host,
            audit: self.audit.clone(),
            properties: self.properties.clone(),
        }
    }

    /// The host properties that these routes need.
    pub(super) fn read_by(source: &Source, routes: &Routes) -> Rc<[PropertyPath]> {
        let own = source.properties();
        if routes.want_cluster() { upstream::with_cluster(&own) } else { own }
    }

    /// Where a request goes.
    pub(super) fn destination(&self, head: Head<'_>) -> Result<Destination, Reason> {
        Destination::read(head.headers, upstream::cluster(head.properties, self.source.properties().len()))
    }

    /// What its clients show and what seals, where that is fetched.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &FetchedSecret> {
        let keys =
            [self.references.as_ref().map(|references| &references.keys), self.consent.as_ref().map(|consent| &consent.keys)];
        let keys = keys.into_iter().flatten().filter_map(SealingKeys::fetched);
        self.servers.iter().flat_map(|server| &server.clients).filter_map(Client::fetched).chain(keys)
    }

    /// What had better be looked at: the path in the configuration, and why.
    pub fn warnings(&self) -> &[(String, &'static str)] {
        &self.warnings
    }
}

impl Referring {
    /// Makes and opens references, where there are keys now.
    pub(super) fn references(&self, now: Timestamp) -> Option<References> {
        self.keys.sealer(now).map(|sealer| References::new(sealer, self.longest))
    }
}

impl Target {
    /// What a token for it is for: the audience, or the resource.
    pub(super) fn name(&self) -> &str {
        self.audience.as_deref().or(self.resource.as_deref()).unwrap_or_default()
    }

    /// The same for the record.
    pub(super) fn resource(&self) -> Resource {
        let kind = if self.audience.is_some() { "audience" } else { "resource" };
        Resource { kind, name: self.name().to_owned() }
    }
}
