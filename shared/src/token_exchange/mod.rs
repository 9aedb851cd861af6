//! `token-exchange`: a call leaves with a token for its destination, and never with the one that it brought (RFC 8693).
//!
//! 1. With the headers: the caller is named, the destination finds its route, and what has no token is refused.
//! 2. A token of the cache is used, or one is asked for; requests that need the same one wait for one call.
//! 3. The answer is judged before it is used: type, audience, subject, scopes, agent, expiry (OA-TE-02 to 04).
//! 4. The token that the request brought is taken away wherever it stands, and the new one is set.
//!
//! All of it is decided in the header phase, so it holds on a proxy that cannot hold headers too. Only where a route depends on the
//! tool that is called do the headers wait for the body (`tool.rs`), which needs a proxy that can hold them.

pub mod authority;
mod cache;
mod caller;
mod client;
pub mod config;
mod consent;
mod counters;
mod credential;
mod destination;
mod exchanged;
mod exchanger;
mod failure;
mod filter;
pub mod issued;
mod key;
mod policy;
mod prepare;
pub mod profile;
mod refer;
pub mod reference;
mod routes;
mod steps;
#[cfg(test)]
mod tests;
mod tool;

pub use counters::COUNTERS;
pub use policy::Policy;

use std::rc::Rc;

use crate::config::{ConfigErrors, Problems};
use crate::filter::{CallId, CalloutError, Plugin, Reply, RootEffects, Settings};
use crate::secret::Secret;
use crate::time::Timestamp;
use exchanger::Exchanger;

/// The plugin's name.
pub const NAME: &str = "token-exchange";

/// The plugin.
pub struct TokenExchange(Rc<Exchanger>);

impl Plugin for TokenExchange {
    const NAME: &'static str = NAME;
    const SECRETS: bool = true;
    type Filter = filter::ExchangeFilter;

    fn configure(config: &[u8]) -> Result<Self, ConfigErrors> {
        Policy::configure(config).map(|policy| Self(Rc::new(Exchanger::new(policy))))
    }

    fn equip(self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>) -> Result<Self, ConfigErrors> {
        let mut policy = self.0.policy.clone();
        let mut problems = Problems::new();
        for client in policy.servers.iter_mut().flat_map(|server| &mut server.clients) {
            client.equip(secret, &mut problems);
        }
        if let Some(tokens) = &policy.tokens {
            problems.field("identity", |p| p.field("tokens", |p| tokens.equip(secret, p)));
        }
        if let Some(consent) = &mut policy.consent {
            consent.keys.equip(secret, &mut problems);
        }
        if let Some(references) = &mut policy.references {
            references.keys.equip(secret, &mut problems);
        }
        let problems = problems.into_list();
        if problems.is_empty() { Ok(Self(Rc::new(Exchanger::new(policy)))) } else { Err(ConfigErrors::new(NAME, problems)) }
    }

    fn settings(&self) -> Settings {
        self.0.policy.settings()
    }

    fn filter(&self) -> Self::Filter {
        filter::ExchangeFilter::new(self.0.clone())
    }

    fn on_tick(&mut self, now: Timestamp, fx: &mut RootEffects<'_>) {
        if let Some(tokens) = &self.0.policy.tokens {
            tokens.on_tick(now, fx);
        }
        if let Some(revocation) = &self.0.policy.revocation {
            revocation.on_tick(now, fx);
        }
        for secret in self.0.policy.secrets() {
            secret.on_tick(now, fx);
        }
    }

    fn on_reply(&mut self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) {
        let Policy { tokens, revocation, consent, .. } = &self.0.policy;
        let theirs = tokens.as_ref().is_some_and(|tokens| tokens.on_reply(call, now, reply, fx))
            || revocation.as_ref().is_some_and(|revocation| revocation.on_reply(call, now, reply, fx))
            || consent.as_ref().is_some_and(|consent| consent.on_reply(call, reply, fx))
            || self.0.policy.secrets().any(|secret| secret.on_reply(call, now, reply, fx));
        if !theirs {
            self.0.answered(call, now, reply, fx);
        }
    }
}
