//! Clients of a token service, and how they show who they are.

use super::super::client::{Auth, Client, KeyOf};
use super::raw::{Raw, RawAuth, RawClient, RawMethod, RawServer};
use crate::config::Problems;
use crate::identity::is_spiffe_id;
use crate::identity::secret::{FetchedSecret, RawSecret, SecretFrom, SecretOf};

/// Where a client stands in the configuration.
struct Place<'a> {
    server: &'a RawServer,
    /// The path of its `auth`, for problems that are found later.
    path: String,
    /// What the log calls it.
    whose: String,
    /// The SPIFFE ids of the agents that it is.
    agents: Vec<&'a str>,
}

pub(super) fn client(
    raw: &Raw,
    (at, server): (usize, &RawServer),
    index: usize,
    client: &RawClient,
    problems: &mut Problems,
) -> Client {
    if client.id.is_empty() || client.id.bytes().any(|c| !(b' '..=b'~').contains(&c)) {
        problems.field("id", |p| p.add("is not a client identifier (RFC 6749 appendix A.1)"));
    }
    if server.clients.iter().take(index).any(|other| other.id == client.id) {
        problems.field("id", |p| p.add(format!("`{}` is there twice", client.id)));
    }
    let agents = raw.identity.agents.iter().filter(|agent| agent.client == client.id);
    let place = Place {
        server,
        path: format!("servers[{at}].clients[{index}].auth"),
        whose: format!("client `{}` of server `{}`", client.id, server.name),
        agents: agents.map(|agent| agent.spiffe.as_str()).collect(),
    };
    let auth = problems.field("auth", |problems| auth(&client.auth, place, problems));
    Client { id: client.id.as_str().into(), auth }
}

fn auth(raw: &RawAuth, place: Place<'_>, problems: &mut Problems) -> Auth {
    let (secret, key) = (raw.secret.is_some(), raw.key.is_some());
    let (has_secret, signs) = (matches!(raw.method, RawMethod::Basic | RawMethod::Post), raw.method == RawMethod::PrivateKey);
    let spiffe = raw.method == RawMethod::Spiffe;
    for (name, there, wanted) in [
        ("secret", secret, has_secret),
        ("key", key, signs),
        ("keyId", raw.key_id.is_some(), signs),
        ("svid", raw.svid.is_some(), spiffe),
        ("spiffe", raw.spiffe.is_some(), spiffe),
        ("audience", raw.audience.is_some(), signs || spiffe),
    ] {
        if there && !wanted {
            problems.field(name, |p| p.add("is not for this method. Take it away"));
        }
    }
    let audience = raw.audience.as_deref().unwrap_or(&place.server.issuer);
    let auth = match raw.method {
        RawMethod::Basic => secret_of(raw, place, problems).map(Auth::Basic),
        RawMethod::Post => secret_of(raw, place, problems).map(Auth::Post),
        RawMethod::PrivateKey => key_of(raw, audience, place, problems).map(Auth::PrivateKey),
        RawMethod::Spiffe => svid(raw, audience, place, problems).map(Auth::Svid),
        RawMethod::Cluster => None,
    };
    auth.unwrap_or(Auth::Cluster)
}

fn secret_of(raw: &RawAuth, place: Place<'_>, problems: &mut Problems) -> Option<SecretOf> {
    let path = place.path + ".secret.env";
    problems.field("secret", |problems| SecretOf::client_secret(raw.secret.as_ref(), path, place.whose, problems))
}

fn key_of(raw: &RawAuth, audience: &str, place: Place<'_>, problems: &mut Problems) -> Option<KeyOf> {
    let id = raw.key_id.clone();
    let secret = problems.field("key", |problems| {
        Some(match RawSecret::from(raw.key.as_ref(), problems)? {
            SecretFrom::Env(variable) => SecretOf::Env(variable.compile(place.path + ".key.env", problems)),
            SecretFrom::Fetch(from) => {
                SecretOf::Fetched(problems.field("fetch", |p| FetchedSecret::key(from, id.as_deref(), place.whose, p)))
            }
        })
    })?;
    Some(KeyOf { secret, id, audience: audience.into(), signer: None })
}

fn svid(raw: &RawAuth, audience: &str, place: Place<'_>, problems: &mut Problems) -> Option<FetchedSecret> {
    let subject = match (raw.spiffe.as_deref(), place.agents.as_slice()) {
        (Some(spiffe), _) | (None, &[spiffe]) => spiffe,
        (None, _) => {
            problems.field("spiffe", |p| {
                p.add("is required: `identity.agents` has not one agent that is this client. Write the SPIFFE id of its SVID");
            });
            ""
        }
    };
    if raw.spiffe.is_some() && !is_spiffe_id(subject) {
        problems.field("spiffe", |p| p.add(format!("`{subject}` is not a SPIFFE id. Write `spiffe://trust.domain/path`")));
    }
    let Some(from) = &raw.svid else {
        problems.field("svid", |p| p.add("is required. Write where a bridge to the SPIFFE Workload API gives it"));
        return None;
    };
    Some(problems.field("svid", |p| FetchedSecret::svid(from, (subject, audience), place.whose, p)))
}
