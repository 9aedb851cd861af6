//! Text to [`Policy`].

mod never;
mod raw;
mod rules;
mod targets;
mod words;

pub use raw::{Raw, RawDenial, RawLimits, RawRoles, RawScopes, RawSessions};
pub use rules::{RawAllow, RawApprovalNeed, RawAt, RawDeny, RawRule, RawTiers, RawUser};

use std::rc::Rc;

use super::approve::{Asks, Desk};
use super::policy::{DenialForm, Policy};
use super::session::{Owner, Remembered};
use super::surface;
use crate::config::{ConfigErrors, Decode as _, Problems, parse};
use crate::filter::upstream;
use crate::identity::{Peer, Side, Source};
use crate::mcp::{KnownLists, Version};
use crate::policy::{Lookup, PolicyId};
use crate::time::Duration;
use rules::{Shared, is_scope, rules, tiers};
use words::Reads;

/// The JSON Schema of the configuration.
pub fn schema() -> String {
    let title = r#""$schema":"https://json-schema.org/draft/2020-12/schema","title":"Configuration of mcp-authz","#;
    Raw::schema().replacen('{', &format!("{{{title}"), 1)
}

impl Policy {
    /// Text to policy, with all problems at once.
    pub fn configure(text: &[u8]) -> Result<Self, ConfigErrors> {
        Self::read::<Desk>(text).map(|(policy, _)| policy)
    }

    /// Text to policy and to what it says of asking users, with all problems at once.
    pub(super) fn read<D: Asks>(text: &[u8]) -> Result<(Self, Option<D::Setup>), ConfigErrors> {
        let mut problems = Problems::new();
        let policy = parse(text, &mut problems).and_then(|(node, digest)| {
            let raw = Raw::decode(&node, &mut problems)?;
            let id = PolicyId { name: raw.name.as_str().into(), digest: digest.into() };
            Some(compile::<D>(raw, id, &mut problems))
        });
        match policy {
            Some(policy) if problems.is_empty() => Ok(policy),
            _ => Err(ConfigErrors::new(super::NAME, problems.into_list())),
        }
    }
}

/// The policy that `raw` means. It is only good if no problem was added.
fn compile<D: Asks>(raw: Raw, id: PolicyId, problems: &mut Problems) -> (Policy, Option<D::Setup>) {
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
    let audit = raw.audit.compile(D::NAME, problems);
    if raw.identity.peer == Peer::None && raw.identity.claims.is_none() {
        problems.field("identity", |p| p.add("`peer: none` without `claims` names no agent. Add one of the two"));
    }
    let versions = problems.field("versions", |p| versions(raw.versions.as_deref(), p));
    let roles = raw.roles.as_ref().map(|roles| roles.map.as_slice()).unwrap_or_default();
    problems.field("scopes", |p| p.field("implies", |p| implied(&raw.scopes.implies, p)));
    let ids: Vec<(&str, usize)> = raw.tier_rules().chain(&raw.rules).map(|rule| rule.id.as_str()).zip(0..).collect();
    let mut shared = Shared {
        has_claims: raw.identity.claims.is_some(),
        has_peer: raw.identity.peer != Peer::None,
        approves: raw.approval.is_some(),
        roles,
        implies: &raw.scopes.implies,
        ids: Lookup::new(&ids),
        read: 0,
        reads: Default::default(),
        bans: Vec::new(),
    };
    let clients: Vec<&str> = raw.identity.agents.iter().map(|agent| agent.client.as_str()).collect();
    let open = raw.identity.peer == Peer::None;
    let tiers = problems.field("tiers", |problems| tiers(&raw.tiers, &clients, open, &mut shared, problems));
    let rules = problems.field("rules", |problems| rules(&raw.rules, &mut shared, problems));
    let scopes = raw.scopes();
    let outbound = raw.identity.direction == Side::Outbound;
    let metadata = raw.resource_metadata.as_ref();
    let metadata =
        metadata.map(|raw| problems.field("resourceMetadata", |p| Rc::new(surface::metadata(raw, outbound, scopes, p))));
    let server_requests =
        raw.server_requests.clone().map(|raw| problems.field("serverRequests", |p| surface::server_requests(raw, p)));
    let tools = raw.tools.clone().map(|raw| problems.field("tools", |p| surface::hygiene(raw, p)));
    let holds = raw.host_profile.hold_headers;
    let setup = raw
        .approval
        .as_ref()
        .and_then(|raw| problems.field("approval", |p| D::compile(raw, holds, &mut |path| shared.reads.claim(path), p)));
    let Reads { claims, request, upstream } = shared.reads;
    let claim = raw.roles.as_ref().map(|roles| roles.claim.0.as_slice());
    let source = Source::new(raw.identity, claim, &claims);
    let own = source.properties();
    let policy = Policy {
        id,
        mode: raw.mode.into(),
        hold_headers: raw.host_profile.hold_headers,
        audit,
        source,
        properties: if upstream { upstream::with_cluster(&own) } else { own },
        public: open,
        denial: match raw.denial {
            RawDenial::Hide => DenialForm::Hide,
            RawDenial::Refuse => DenialForm::Refuse,
            RawDenial::StepUp => DenialForm::StepUp,
        },
        max_body: usize::try_from(raw.limits.max_body_bytes).unwrap_or(usize::MAX),
        versions,
        origins: raw.origins,
        sessions: match raw.sessions {
            RawSessions::Bound => Some(Owner::Caller),
            RawSessions::User => Some(Owner::User),
            RawSessions::Unbound => None,
        },
        metadata,
        server_requests,
        tools,
        list_ttl: raw.limits.list_ttl_ms.map(u64::from),
        max_stream: raw.limits.stream_ms.map(|ms| Duration::from_millis(ms.into())),
        tiers,
        rules,
        request,
        known_lists: KnownLists::default(),
        sessions_used: Remembered::default(),
    };
    (policy, setup)
}

fn implied(raw: &[(String, Vec<String>)], problems: &mut Problems) {
    for (scope, implied) in raw {
        problems.field(scope, |problems| {
            if !is_scope(scope) {
                problems.add(format!("`{scope}` is not one scope"));
            }
            for (index, scope) in implied.iter().enumerate().filter(|(_, scope)| !is_scope(scope)) {
                problems.item(index, |p| p.add(format!("`{scope}` is not one scope. Write each scope as an item of its own")));
            }
        });
    }
}

impl Raw {
    /// The rules of all tiers, in the order in which they are compiled.
    fn tier_rules(&self) -> impl Iterator<Item = &RawRule> {
        let tiers = self.tiers.namespaces.iter().chain(&self.tiers.clients).flat_map(|(_, rules)| rules);
        self.tiers.global.iter().flatten().chain(tiers)
    }

    /// All scopes that rules ask for, in the order in which they come.
    fn scopes(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for scope in
            self.rules.iter().chain(self.tier_rules()).filter_map(|rule| rule.allow.as_ref()).flat_map(|allow| &allow.scopes)
        {
            if !found.contains(scope) {
                found.push(scope.clone());
            }
        }
        found
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
