//! Who: the agent from the verified peer, the user and the scopes from claims that the proxy verified. Never from a header.
//!
//! A plugin declares the host properties that [`Source::properties`] names; [`Source::read`] makes a [`Caller`] of their
//! values. Precedence, top down:
//!
//! 1. A property that the host cannot say, or that is not of the expected shape, refuses the request.
//! 2. The agent is the SPIFFE id of the peer (`peer: waypoint | mtls`); with `peer: none` it is `act.sub`, else `azp`.
//! 3. Where a SPIFFE id is mapped to an OAuth client, a token that claims to be an agent's must be that agent's.
//! 4. The user is (`iss`, `sub`), unless the token is a machine's own (rules.md 3.9): `sub` is the client, `idtyp` is `app` (Entra), `gty` is
//!    `client-credentials` (Auth0), or `preferred_username` is `service-account-` and the client (Keycloak).
//! 5. Claims that mean the same (`client_id`, `azp`, `cid`, `appid`; `scope`, `scp`) must say the same where more than one is there.
//!
//! A token that was verified here instead ([`jws`](crate::jws)) goes through the same rules by [`Source::read_with`].

mod claim;
pub mod client;
mod document;
mod from;
mod reach;
pub mod revocation;
mod scopes;
pub mod secret;
pub mod tokens;
mod value;

pub use claim::{Claim, ClaimPath};
use document::{Asked, Content, Document, Fault, Fetching};
pub use from::RawFrom;
use reach::Reach;
pub use scopes::Scopes;
use scopes::granted;
pub use value::{Value, ValueError};

use std::rc::Rc;

use crate::audit::Subject;
use crate::config::{choice, record};
use crate::filter::{Properties, PropertyPath};
use crate::policy::Reason;
use crate::time::Timestamp;

choice! {
    /// Where the peer's SPIFFE id stands.
    pub enum Peer {
        /// Filter state `io.istio.peer_principal`: an Istio waypoint.
        Waypoint = "waypoint",
        /// The client certificate of this connection.
        Mtls = "mtls",
        /// There is no peer identity; the agent is the actor of the token.
        None = "none",
    }
}

choice! {
    /// On which side of the call this proxy stands.
    pub enum Side {
        /// In front of the tool.
        Inbound = "inbound",
        /// In front of the way out.
        Outbound = "outbound",
    }
}

record! {
    /// Who the caller is and where that is read from.
    pub struct RawIdentity {
        /// On which side of the call this proxy stands.
        direction: Side = "direction", Side::Inbound;
        /// Where the peer's SPIFFE id stands.
        peer: Peer = "peer";
        /// Where the proxy left the verified claims; without it no rule can ask for a user.
        claims: Option<RawClaims> = "claims", None;
        /// Which OAuth client belongs to which SPIFFE id.
        agents: Vec<RawAgent> = "agents", Vec::new();
    }
}

record! {
    /// Where the proxy left the verified claims.
    pub struct RawClaims {
        /// The metadata key below `envoy.filters.http.jwt_authn`: its `payload_in_metadata` (`payload` in Istio).
        provider: String = "provider";
    }
}

record! {
    /// One agent.
    pub struct RawAgent {
        /// Its SPIFFE id.
        spiffe: String = "spiffe";
        /// The OAuth client that it is.
        client: String = "client";
    }
}

/// Where identity is read from, compiled.
#[derive(Clone, Debug)]
pub struct Source {
    peer: Peer,
    agents: Vec<RawAgent>,
    /// Tokens are those that callers have received, so whoever got one is somebody else.
    received: bool,
    claims: bool,
    roles: bool,
    /// The properties of the claims that conditions read.
    read: Vec<usize>,
    properties: Rc<[PropertyPath]>,
}

/// Who asks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Caller {
    /// The agent; `None` if it could not be named.
    pub agent: Option<Rc<str>>,
    /// The user, if a verified token names one.
    pub user: Option<Subject>,
    /// What the token grants.
    pub scopes: Scopes,
    /// Values of the configured roles claim.
    pub groups: Vec<String>,
    /// Prior actors, outermost first. They never grant (RFC 8693 section 4.1).
    pub actors: Vec<String>,
    /// The OAuth client: the one that is mapped to the peer; with `peer: none` that of the token.
    pub client: Option<Rc<str>>,
    /// A token was verified: it has an issuer or a subject. Without it there are no claims at all.
    pub verified: bool,
    /// When the token is no longer good (RFC 7519 section 4.1.4).
    pub expires: Option<Timestamp>,
    /// The claims that conditions read, in the order in which the source was told of them.
    pub claims: Vec<Claim>,
}

/// What a verified token says of its bearer, whoever verified it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bearer {
    /// `iss`.
    pub issuer: Option<Rc<str>>,
    /// `sub`.
    pub subject: Option<Rc<str>>,
    /// What it grants.
    pub scopes: Scopes,
    /// Values of the configured roles claim.
    pub groups: Vec<String>,
    /// The OAuth client that it was issued to.
    pub client: Option<Rc<str>>,
    /// `act.sub`, outermost first (RFC 8693 section 4.1).
    pub actors: Vec<String>,
    /// It says itself that no user is behind it, by other marks than that `sub` is the client (rules.md 3.9).
    pub machine: bool,
    /// `exp`.
    pub expires: Option<Timestamp>,
}

/// The claims that name who asks, in the order in which they are declared: one map, so one call of the host.
const CLAIMS: [&str; 13] =
    ["iss", "sub", "scope", "client_id", "azp", "cid", "appid", "idtyp", "gty", "preferred_username", "scp", "act", "exp"];

/// Longest chain of actors that is read (rules.md 3.9).
pub(crate) const MAX_ACTORS: usize = 8;

impl Source {
    /// The source that `raw` describes; `roles_claim` is the way to the claim that holds groups, if roles are configured;
    /// `read` are the ways to further claims that [`Caller::claims`] brings.
    pub fn new(raw: RawIdentity, roles_claim: Option<&[String]>, read: &[Vec<String>]) -> Self {
        let mut properties: Vec<PropertyPath> = Vec::new();
        let path = |path: &[&str]| PropertyPath(path.iter().map(|part| (*part).to_owned()).collect());
        match raw.peer {
            Peer::Waypoint => properties.push(path(&["filter_state", "io.istio.peer_principal"])),
            Peer::Mtls => {
                properties.push(path(&["connection", "uri_san_peer_certificate"]));
                properties.push(path(&["connection", "mtls"]));
                properties.push(path(&["connection", "peer_certificate_valid"]));
            }
            Peer::None => {}
        }
        let mut claims = Vec::new();
        if let Some(raw) = &raw.claims {
            let claim = |names: &[&str]| {
                path(&[&["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", raw.provider.as_str()], names].concat())
            };
            properties.extend(CLAIMS.map(|name| claim(&[name])));
            let deep = |names: &[String]| claim(&names.iter().map(String::as_str).collect::<Vec<_>>());
            properties.extend(roles_claim.map(deep));
            for names in read {
                let wanted = deep(names);
                // Each is one call of the host.
                claims.push(properties.iter().position(|known| *known == wanted).unwrap_or_else(|| {
                    properties.push(wanted);
                    properties.len() - 1
                }));
            }
        }
        let has_claims = raw.claims.is_some();
        let roles = has_claims && roles_claim.is_some();
        Self {
            peer: raw.peer,
            agents: raw.agents,
            received: false,
            claims: has_claims,
            roles,
            read: claims,
            properties: properties.into(),
        }
    }

    /// For a gate on the way out that judges what a token is for: the tokens there are those that agents have received from
    /// others, who are their actors and clients. See [`Source::is_for_another`].
    #[must_use]
    pub fn of_received(self) -> Self {
        Self { received: true, ..self }
    }

    /// Whether a token for this audience is for another agent than the one that calls.
    pub fn is_for_another(&self, audience: &[String], caller: &Caller) -> bool {
        let is_caller = |name: &str| [&caller.agent, &caller.client].into_iter().flatten().any(|own| **own == *name);
        let is_agent = |name: &str| self.agents.iter().any(|agent| agent.client == name || agent.spiffe == name);
        !audience.iter().any(|name| is_caller(name)) && audience.iter().any(|name| is_agent(name))
    }

    /// Whether the proxy leaves verified claims at all.
    pub fn has_claims(&self) -> bool {
        self.claims
    }

    /// The host properties to declare, in the order in which [`Source::read`] takes them.
    pub fn properties(&self) -> Rc<[PropertyPath]> {
        self.properties.clone()
    }

    /// Who asks, by the values of the declared properties.
    pub fn read(&self, values: Properties<'_>) -> Result<Caller, Reason> {
        let mut index = 0..;
        let mut next = || Value::read(values.get(index.next().unwrap_or(usize::MAX)));
        let peer = self.read_peer(&mut next)?;
        if !self.claims {
            return Ok(Caller { client: self.mapped(peer.as_deref()).map(Into::into), agent: peer, ..Caller::default() });
        }
        fn unreadable(_: ValueError) -> Reason {
            Reason::ClaimsUnreadable
        }
        fn text(value: Result<Value<'_>, ValueError>) -> Result<Option<&str>, Reason> {
            value.and_then(Value::into_text).map_err(unreadable)
        }
        let (issuer, subject) = (text(next())?, text(next())?);
        let scope = next().and_then(granted).map_err(unreadable)?;
        let clients = [text(next())?, text(next())?, text(next())?, text(next())?];
        let kinds = [text(next())?, text(next())?];
        let username = next().and_then(Value::into_text).unwrap_or_default();
        let scp = next().and_then(granted).map_err(unreadable)?;
        let actors = next().and_then(|value| actors(&value)).map_err(unreadable)?;
        let expires = next().and_then(|value| value.into_date()).map_err(unreadable)?;
        let groups = if self.roles { next().and_then(Value::into_texts).map_err(unreadable)? } else { Vec::new() };
        let client = only(clients).map_err(unreadable)?;
        let [idtyp, gty] = kinds.map(Option::unwrap_or_default);
        let machine = idtyp == "app" || gty == "client-credentials" || is_service_account(username, client);
        let scopes = only([scope, scp]).map_err(unreadable)?.unwrap_or_default();
        let [issuer, subject, client] = [issuer, subject, client].map(|text| text.map(Into::into));
        let bearer = Bearer { issuer, subject, scopes, groups, client, actors, machine, expires };
        let caller = self.caller(peer, &bearer)?;
        let Bearer { scopes, groups, actors, .. } = bearer;
        let claims = self.read.iter().map(|at| Claim::new(values.get(*at))).collect();
        Ok(Caller { scopes, groups, actors, claims, ..caller })
    }

    /// Who asks, by the peer that the declared properties name and a token that was verified here.
    ///
    /// What the proxy says of claims is not looked at: there is one source of them.
    pub fn read_with(&self, values: Properties<'_>, bearer: &Bearer) -> Result<Caller, Reason> {
        let mut index = 0..;
        let peer = self.read_peer(&mut || Value::read(values.get(index.next().unwrap_or(usize::MAX))))?;
        let caller = self.caller(peer, bearer)?;
        let Bearer { scopes, groups, actors, .. } = bearer;
        Ok(Caller { scopes: scopes.clone(), groups: groups.clone(), actors: actors.clone(), ..caller })
    }

    fn read_peer<'v>(&self, next: &mut impl FnMut() -> Result<Value<'v>, ValueError>) -> Result<Option<Rc<str>>, Reason> {
        let peer = match self.peer {
            Peer::None => None,
            Peer::Waypoint => next().and_then(Value::into_text).map_err(|_| Reason::NoAgent)?,
            Peer::Mtls => {
                let san = next().and_then(Value::into_text).map_err(|_| Reason::NoAgent)?;
                let mtls = next().and_then(Value::into_bool).map_err(|_| Reason::NoAgent)?;
                // Envoy ≥ 1.39: `mtls` alone is also true for a certificate that nobody verified (envoy-istio.md 3.1).
                let trusted = next().and_then(Value::into_bool).map_err(|_| Reason::NoAgent)?;
                san.filter(|_| mtls == Some(true) && trusted != Some(false))
            }
        };
        Ok(peer.filter(|id| is_spiffe_id(id)).map(Into::into))
    }

    /// The OAuth client that the configuration gives to this peer.
    fn mapped(&self, peer: Option<&str>) -> Option<&str> {
        self.agents.iter().find(|agent| Some(agent.spiffe.as_str()) == peer).map(|agent| agent.client.as_str())
    }

    /// Peer and token together, by the precedence above; who calls, without what they may and who acted before.
    fn caller(&self, peer: Option<Rc<str>>, bearer: &Bearer) -> Result<Caller, Reason> {
        let Bearer { issuer, subject, client, actors, machine, expires, .. } = bearer;
        let mapped = self.mapped(peer.as_deref());
        let (client_of_caller, agent) = match self.peer {
            Peer::None => (client.clone(), actors.first().map(|id| id.as_str().into()).or(client.clone())),
            Peer::Mtls | Peer::Waypoint => {
                self.agree(peer.as_deref(), mapped, actors.first().map(String::as_str), client.as_deref())?;
                (mapped.map(Into::into), peer)
            }
        };
        let verified = issuer.is_some() || subject.is_some();
        let user = subject.as_ref().filter(|subject| !machine && client.as_ref() != Some(*subject));
        let user = user.map(|user| Subject { issuer: issuer.clone(), user: user.clone(), owner: None });
        Ok(Caller { agent, user, client: client_of_caller, verified, expires: *expires, ..Caller::default() })
    }

    /// A token that claims to be an agent's must be that of the agent which is calling.
    fn agree(&self, peer: Option<&str>, mapped: Option<&str>, actor: Option<&str>, client: Option<&str>) -> Result<(), Reason> {
        if self.agents.is_empty() || self.received {
            return Ok(());
        }
        let is_caller = |name: &str| Some(name) == peer || Some(name) == mapped;
        match (actor, client) {
            (Some(actor), _) if !is_caller(actor) => Err(Reason::AgentMismatch),
            (Some(_), _) => Ok(()),
            // Without `act` a client that is an agent's is that agent; any other is the one that the user logged in with.
            (None, Some(client)) if self.agents.iter().any(|agent| agent.client == client) && !is_caller(client) => {
                Err(Reason::AgentMismatch)
            }
            (None, _) => Ok(()),
        }
    }
}

impl Caller {
    /// Nothing names them: neither an agent nor a user.
    pub fn is_unknown(&self) -> bool {
        self.agent.is_none() && self.user.is_none()
    }

    /// The trust domain of the agent's SPIFFE id.
    pub fn trust_domain(&self) -> Option<&str> {
        self.spiffe().map(|(domain, _)| domain)
    }

    /// The namespace of the agent's SPIFFE id, `spiffe://trust-domain/ns/<namespace>/…`.
    pub fn namespace(&self) -> Option<&str> {
        let (namespace, _) = self.spiffe()?.1.strip_prefix("ns/")?.split_once('/')?;
        Some(namespace).filter(|namespace| !namespace.is_empty())
    }

    /// The service account of the agent's SPIFFE id, `spiffe://trust-domain/ns/<namespace>/sa/<account>`.
    pub fn service_account(&self) -> Option<&str> {
        let (_, rest) = self.spiffe()?.1.strip_prefix("ns/")?.split_once('/')?;
        rest.strip_prefix("sa/").filter(|account| !account.is_empty() && !account.contains('/'))
    }

    fn spiffe(&self) -> Option<(&str, &str)> {
        self.agent.as_deref()?.strip_prefix("spiffe://")?.split_once('/')
    }
}

/// The one value that is there. Claims that mean the same must say the same (OA-J-10, OA-J-11).
fn only<T: PartialEq>(values: impl IntoIterator<Item = Option<T>>) -> Result<Option<T>, ValueError> {
    values.into_iter().flatten().try_fold(None, |known, value| match known {
        Some(known) if known != value => Err(ValueError),
        _ => Ok(Some(value)),
    })
}

/// Keycloak names the user of a machine after its client (rules.md 3.9).
pub(crate) fn is_service_account(username: Option<&str>, client: Option<&str>) -> bool {
    username.and_then(|name| name.strip_prefix("service-account-")).is_some_and(|of| Some(of) == client)
}

/// `act.sub` from the outside in (RFC 8693 section 4.1).
fn actors(value: &Value<'_>) -> Result<Vec<String>, ValueError> {
    let mut found = Vec::new();
    let mut value = value.clone();
    while !value.is_absent() {
        if found.len() == MAX_ACTORS {
            return Err(ValueError);
        }
        found.push(value.member("sub")?.into_text()?.ok_or(ValueError)?.to_owned());
        value = value.member("act")?;
    }
    Ok(found)
}

/// One id of the form `spiffe://trust-domain/path`; several joined by a comma name nobody.
pub(crate) fn is_spiffe_id(text: &str) -> bool {
    let trusted = text.strip_prefix("spiffe://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    trusted && text.bytes().all(|c| c.is_ascii_graphic() && c != b',')
}

#[cfg(test)]
mod tests;
