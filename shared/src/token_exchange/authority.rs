//! What a caller's token may be turned into, before anything is asked: scopes and actors only narrow.

use super::issued::Refusal;
use crate::identity::{Caller, Scopes};
use crate::jws::{Actor, Stated};

/// Which scopes of a token service stand for which scopes of the caller's token.
///
/// Without any entry a scope stands for itself only.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ScopeMap(Vec<(String, Vec<String>)>);

/// Scopes that may be asked for: those of the route that the caller's token has by the map. There is no other way to make it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Askable(Vec<String>);

/// What a chain of actors may be (rules.md 3.9). Stricter than RFC 8693 section 4.1, and only ever a reason to refuse.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChainLimits {
    /// Most actors.
    pub depth: usize,
    /// The actors that may be in it; any, if absent.
    pub known: Option<Vec<String>>,
}

impl ScopeMap {
    /// Each entry: a scope of the caller's token, or `*` for every token, and the scopes that it stands for.
    pub fn new(entries: Vec<(String, Vec<String>)>) -> Self {
        Self(entries)
    }

    /// Whether a token with these scopes has this one.
    fn has(&self, scopes: &Scopes, wanted: &String) -> bool {
        if self.0.is_empty() {
            return scopes.contains(wanted);
        }
        self.0.iter().any(|(from, to)| (from == "*" || scopes.contains(from)) && to.contains(wanted))
    }
}

impl Askable {
    /// What of the route's scopes the subject token has.
    pub fn new(route: &[String], subject: &Stated, map: &ScopeMap) -> Self {
        let has = subject.scopes.clone().unwrap_or_default();
        Self(route.iter().filter(|scope| map.has(&has, scope)).cloned().collect())
    }

    /// The scopes to ask for.
    pub fn scopes(&self) -> &[String] {
        &self.0
    }

    /// What of the route's scopes the subject token lacks, for a challenge that carries all at once (MCP-Z-02).
    pub fn missing(&self, route: &[String]) -> Vec<String> {
        route.iter().filter(|scope| !self.0.contains(scope)).cloned().collect()
    }
}

impl Default for ChainLimits {
    fn default() -> Self {
        Self { depth: 4, known: None }
    }
}

impl ChainLimits {
    /// Whether a chain of a token of this issuer is within the limits.
    pub fn check(&self, chain: &[Actor], issuer: Option<&str>) -> Result<(), Refusal> {
        if chain.len() > self.depth {
            return Err(Refusal::ChainTooLong);
        }
        let mut rest = chain.iter();
        while let Some(actor) = rest.next() {
            if rest.clone().any(|other| is_same(actor, issuer, other, issuer)) {
                return Err(Refusal::ChainLoop);
            }
        }
        let unknown = |actor: &Actor| self.known.as_ref().is_some_and(|known| !known.contains(&actor.subject));
        if chain.iter().any(unknown) { Err(Refusal::ActorUnknown) } else { Ok(()) }
    }
}

/// Whether two actors of tokens of these issuers are one. A SPIFFE id has its issuer in it.
pub(super) fn is_same(a: &Actor, a_token: Option<&str>, b: &Actor, b_token: Option<&str>) -> bool {
    let one_issuer = a.issuer.as_deref().or(a_token) == b.issuer.as_deref().or(b_token);
    a.subject == b.subject && (one_issuer || a.subject.starts_with("spiffe://"))
}

/// Whether the subject token lets this agent act (RFC 8693 section 4.4, BY-X-06).
pub fn may_act(subject: &Stated, agent: &[&str], required: bool) -> Result<(), Refusal> {
    match &subject.may_act {
        Some(names) if !names.is_empty() && names.iter().all(|name| agent.contains(&name.as_str())) => Ok(()),
        None if !required => Ok(()),
        _ => Err(Refusal::MayNotAct),
    }
}

/// Whether the token that would be sent is the one whose claims were verified: a proxy may have verified another one of the
/// same request.
pub fn is_that_of(subject: &Stated, caller: &Caller) -> bool {
    let actors = subject.actors.iter().map(|actor| &actor.subject);
    let named = caller.user.as_ref().is_none_or(|user| {
        Some(&*user.user) == subject.subject.as_deref() && user.issuer.as_deref() == subject.issuer.as_deref()
    });
    named
        && caller.verified
        && caller.expires == subject.expires
        && caller.scopes == subject.scopes.clone().unwrap_or_default()
        && caller.actors.iter().eq(actors)
}
