//! Token services and their clients.

use super::super::authority::ScopeMap;
use super::super::client::Client;
use super::super::policy::{Endpoint, Server, Whose};
use super::super::profile::{AgentClaim, Need, Profile};
use super::raw::{Raw, RawAction, RawActor, RawAgentClaim, RawEndpoint, RawProfile, RawServer, RawSubject, RawWhose};
use super::{at, clients, consent};
use crate::config::Problems;
use crate::filter::LONGEST_CALL;
use crate::identity::Peer;
use crate::oauth::TokenType;
use crate::path;

type Warnings = Vec<(String, &'static str)>;

pub(super) fn servers(raw: &Raw, warnings: &mut Warnings, problems: &mut Problems) -> Vec<Server> {
    if raw.servers.is_empty() && raw.routes.iter().any(|route| route.action == RawAction::Exchange) {
        problems.add("is empty: no token could be exchanged. Name a token service");
    }
    let mut found = Vec::new();
    for (index, server) in raw.servers.iter().enumerate() {
        problems.item(index, |problems| {
            if raw.servers.iter().take(index).any(|other| other.name == server.name) {
                problems.field("name", |p| p.add(format!("`{}` is there twice", server.name)));
            }
            found.push(compile(raw, server, index, warnings, problems));
        });
    }
    found
}

fn compile(raw: &Raw, server: &RawServer, index: usize, warnings: &mut Warnings, problems: &mut Problems) -> Server {
    if server.name.is_empty() {
        problems.field("name", |p| p.add("is empty"));
    }
    if !is_url(&server.issuer) {
        problems.field("issuer", |p| p.add(format!("`{}` is not an issuer. Write `https://host/path`", server.issuer)));
    }
    let clients: Vec<Client> = problems.field("clients", |problems| {
        let each = server.clients.iter().enumerate();
        each.map(|(at, client)| problems.item(at, |p| clients::client(raw, (index, server), at, client, p))).collect()
    });
    let whose = problems.field("client", |problems| whose(raw, server, problems));
    if whose == Whose::Caller {
        for agent in raw.identity.agents.iter().filter(|agent| !clients.iter().any(|client| *client.id == *agent.client)) {
            let name = format!("{} ({})", at("servers", index, "clients"), agent.client);
            warnings.push((name, "this client of `identity.agents` is not here: its agent will be refused"));
        }
    } else {
        warnings.push((at("servers", index, "client"), "the token service cannot tell agents apart"));
    }
    let mut profile = profile(server.profile);
    if let Some(agent) = server.answer.agent {
        profile.agent = match agent {
            RawAgentClaim::Act => AgentClaim::Act,
            RawAgentClaim::Client => AgentClaim::Client,
            RawAgentClaim::None => AgentClaim::Unsaid,
        };
    }
    if let Some(subject) = server.subject {
        profile.subject = match subject {
            RawSubject::AccessToken => TokenType::AccessToken,
            RawSubject::IdToken => TokenType::IdToken,
            RawSubject::Jwt => TokenType::Jwt,
        };
    }
    let sends_actor = match (profile.actor, server.actor) {
        (Need::Never, Some(RawActor::Own)) => {
            problems.field("actor", |p| p.add("this profile takes no actor token. Take it away"));
            false
        }
        (Need::Always, Some(RawActor::None)) => {
            problems.field("actor", |p| p.add("this profile needs the agent's own token. Take it away, or write `own`"));
            true
        }
        (need, actor) => need == Need::Always || actor == Some(RawActor::Own),
    };
    let redeem_at = redeemer(raw, server, problems);
    if profile.agent == AgentClaim::Unsaid {
        warnings.push((at("servers", index, "answer.agent"), "nothing in a token then says that an agent uses it"));
    }
    if server.answer.opaque {
        warnings.push((at("servers", index, "answer.opaque"), "audience, subject and agent of an opaque token are not checked"));
    }
    Server {
        name: server.name.as_str().into(),
        profile,
        issuer: server.issuer.as_str().into(),
        token: problems.field("token", |p| endpoint(&server.token, p)),
        whose,
        clients,
        sends_actor,
        redeem_at,
        scopes: ScopeMap::new(server.scopes.clone()),
        consent_page: consent::page(server, raw.consent.is_some(), problems),
        may_act: server.may_act,
        opaque: server.answer.opaque,
        beside: server.answer.audiences.clone(),
        besides: match &server.answer.scopes {
            Some(scopes) => scopes.clone(),
            None => profile.besides.iter().map(|&scope| scope.to_owned()).collect(),
        },
    }
}

/// Where the assertion of an `id-jag` becomes a token.
fn redeemer(raw: &Raw, server: &RawServer, problems: &mut Problems) -> Option<usize> {
    let at = server.redeem_at.as_ref().and_then(|name| raw.servers.iter().position(|other| other.name == *name));
    match (&server.redeem_at, server.profile) {
        (None, RawProfile::IdJag) => problems.field("redeemAt", |p| p.add("is required by `id-jag`. Name one of `servers`")),
        (Some(name), RawProfile::IdJag) if at.is_none() || *name == server.name => {
            problems.field("redeemAt", |p| p.add(format!("`{name}` is not another one of `servers`")));
        }
        (Some(_), RawProfile::IdJag) | (None, _) => {}
        (Some(_), _) => problems.field("redeemAt", |p| p.add("only `id-jag` gives assertions. Take it away")),
    }
    at
}

fn profile(raw: RawProfile) -> Profile {
    match raw {
        RawProfile::Auth0 => Profile::AUTH0,
        RawProfile::EntraObo => Profile::ENTRA_OBO,
        RawProfile::IdJag => Profile::ID_JAG,
        RawProfile::Keycloak => Profile::KEYCLOAK,
        RawProfile::Okta => Profile::OKTA,
        RawProfile::Rfc8693 => Profile::RFC8693,
        RawProfile::Thunderid => Profile::THUNDERID,
    }
}

fn whose(raw: &Raw, server: &RawServer, problems: &mut Problems) -> Whose {
    match (server.client.of, &server.client.id) {
        (RawWhose::Caller, Some(_)) => problems.field("id", |p| p.add("is that of a gate. Take it away, or write `of: gate`")),
        (RawWhose::Caller, None) if raw.identity.peer == Peer::None => {
            problems.field("of", |p| p.add("`peer: none` names no calling agent. Write `of: gate` and an `id`"));
        }
        (RawWhose::Caller, None) if raw.identity.agents.is_empty() => {
            problems
                .field("of", |p| p.add("`identity.agents` maps no agent to a client. Map them, or write `of: gate` and an `id`"));
        }
        (RawWhose::Caller, None) => {}
        (RawWhose::Gate, None) => problems.field("id", |p| p.add("is required with `of: gate`")),
        (RawWhose::Gate, Some(id)) => match server.clients.iter().position(|client| client.id == *id) {
            Some(at) => return Whose::Gate(at),
            None => problems.field("id", |p| p.add(format!("`{id}` is not among `clients`"))),
        },
    }
    Whose::Caller
}

pub(super) fn endpoint(raw: &RawEndpoint, problems: &mut Problems) -> Endpoint {
    if raw.cluster.is_empty() {
        problems.field("cluster", |p| p.add("is empty"));
    }
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b':' | b'[' | b']');
    if raw.authority.is_empty() || !raw.authority.bytes().all(plain) {
        problems.field("authority", |p| p.add(format!("`{}` is not `host` or `host:port`", raw.authority)));
    }
    if path::split(raw.path.as_bytes()).is_none_or(|(_, query)| query.is_some()) {
        problems.field("path", |p| p.add(format!("`{}` is not the path of an endpoint. Write `/path`, without query", raw.path)));
    }
    if raw.timeout.is_zero() || raw.timeout > LONGEST_CALL {
        problems.field("timeout", |p| p.add("a call may take from 1ms to 9s"));
    }
    Endpoint { cluster: raw.cluster.clone(), authority: raw.authority.clone(), path: raw.path.clone(), timeout: raw.timeout }
}

/// `https`, or `http` of a server inside a mesh; no user, query or fragment.
pub(super) fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let plain = |c: u8| c.is_ascii_graphic() && !matches!(c, b'@' | b'#' | b'?' | b'\\' | b'"' | b'%');
    !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(plain)
}
