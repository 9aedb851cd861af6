//! From a request to the question for a token: whose it is, by whose client, and for what.

use std::rc::Rc;

use super::authority::{Askable, may_act};
use super::caller::Asker;
use super::exchanger::{Ask, Exchanger, Found};
use super::failure::Refused;
use super::key::{Key, KeyParts};
use super::policy::{Server, Target, Whose};
use crate::filter::Effects;
use crate::identity::Caller;
use crate::jws::Stated;
use crate::policy::Reason;

/// What is needed to look for a token.
pub(super) struct Prepared<'a> {
    pub(super) key: Key,
    pub(super) server: &'a Server,
    /// Index in [`Server::clients`].
    pub(super) client: usize,
    pub(super) found: Option<Found>,
    /// What the token says.
    pub(super) subject: Rc<Stated>,
}

/// Finds out for whom which client would ask, and whether that is kept.
pub(super) fn prepare<'a>(
    exchanger: &'a Exchanger,
    asker: &Asker<'_>,
    target: &Target,
    fx: &mut Effects<'_>,
) -> Result<Prepared<'a>, Refused> {
    let plain = Refused::plain;
    let policy = &exchanger.policy;
    let caller = &asker.caller;
    let token = asker.verified().map_err(plain)?;
    let Some(agent) = &caller.agent else { return Err(plain(Reason::NoAgent)) };
    let server = policy.servers.get(target.server).ok_or_else(|| plain(Reason::Internal))?;
    let client = client(server, caller).ok_or_else(|| plain(Reason::NoClient))?;
    let salt = exchanger.salt(fx).ok_or_else(|| plain(Reason::HostFailed))?;
    let endpoint = &server.token;
    let parts = KeyParts {
        policy: &policy.id.digest,
        subject: token,
        // Its text changes from time to time; whose it is does not.
        actor: server.sends_actor.then_some("own"),
        agent,
        server: [&server.name, &endpoint.cluster, &endpoint.authority, &endpoint.path],
        client: server.clients.get(client).map(|client| &*client.id).unwrap_or_default(),
        audience: target.audience.as_deref(),
        resource: target.resource.as_deref(),
        scopes: &target.scopes,
        requested: server.profile.requested().urn(),
        max_life: target.max_life.as_secs(),
    };
    let key = Key::new(&salt, &parts);
    let found = exchanger.find(&key, fx.now());
    let kept = match &found {
        Some(Found::Kept(Ok(held))) => Some(&held.subject),
        _ => None,
    };
    // What is kept says nothing of whose token this is.
    let subject = asker.subject(kept, fx.now()).map_err(plain)?;
    if policy.source.is_for_another(&subject.audience, caller) {
        return Err(plain(Reason::AgentMismatch));
    }
    Ok(Prepared { key, server, client, found, subject })
}

/// What is asked for this caller; only what it may have is.
pub(super) fn ask(
    exchanger: &Exchanger,
    caller: &Caller,
    target: &Rc<Target>,
    server: &Server,
    client: usize,
    subject: Rc<Stated>,
) -> Result<Ask, Refused> {
    exchanger.policy.chain.check(&subject.actors, subject.issuer.as_deref()).map_err(Refused::subject)?;
    let redeem = match server.redeem_at {
        Some(at) => {
            let server = exchanger.policy.servers.get(at).ok_or_else(|| Refused::plain(Reason::Internal))?;
            Some((at, self::client(server, caller).ok_or_else(|| Refused::plain(Reason::NoClient))?))
        }
        None => None,
    };
    let mut agent: Vec<Rc<str>> = caller.agent.iter().chain(&caller.client).cloned().collect();
    // A gate acts for all of them.
    for (server, client) in [Some((target.server, client)), redeem].into_iter().flatten() {
        let server = exchanger.policy.servers.get(server).filter(|server| server.whose != Whose::Caller);
        agent.extend(server.and_then(|server| server.clients.get(client)).map(|client| client.id.clone()));
    }
    let names: Vec<&str> = agent.iter().map(|name| &**name).collect();
    may_act(&subject, &names, server.may_act).map_err(Refused::subject)?;
    let asked = Askable::new(&target.scopes, &subject, &server.scopes);
    if asked.scopes().is_empty() {
        return Err(Refused::scopes(&target.scopes));
    }
    Ok(Ask { server: target.server, client, redeem, target: target.clone(), subject, agent, asked })
}

/// Whose client asks.
fn client(server: &Server, caller: &Caller) -> Option<usize> {
    match server.whose {
        Whose::Gate(at) => Some(at),
        Whose::Caller => {
            let id = caller.client.as_deref()?;
            server.clients.iter().position(|client| *client.id == *id)
        }
    }
}
