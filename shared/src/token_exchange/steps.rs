//! What follows from each answer of a token service: the next call, or the token. Each thing that was issued is judged first.

use super::cache::Held;
use super::exchanger::{Actor, Ask, Exchanger, Flight, Stage};
use super::failure::{Refused, read};
use super::issued::{Expected, Narrowed, Refusal};
use crate::filter::{CalloutError, HttpCall, Reply, Services};
use crate::jws::Stated;
use crate::oauth::{Issued, Usage};
use crate::policy::Reason;
use crate::secret::Secret;
use crate::time::Timestamp;

impl Exchanger {
    /// What follows from the answer to the call that was under way.
    pub(super) fn advance(
        &self,
        flight: &mut Flight,
        actors: &mut Vec<Actor>,
        now: Timestamp,
        reply: Result<Reply<'_>, CalloutError>,
        services: &mut dyn Services,
    ) -> Result<Advance, Refused> {
        let issued = read(reply, &flight.ask)?;
        let ask = &flight.ask;
        match &flight.stage {
            Stage::Actor(token) => {
                let actor = self.actor(ask, issued, now)?;
                let call = self.call(ask, token.reveal(), Some(&actor.token), now, services)?;
                flight.stage = Stage::Token(Some(Box::new(actor.stated.clone())));
                actors.push(actor);
                Ok(Advance::Call(call))
            }
            Stage::Token(_) if ask.redeem.is_some() => {
                let assertion = self.judge(ask, What::Assertion, now, |expected| expected.judge_assertion(issued))?;
                let scopes = ask.asked.scopes();
                let of = ask.redeem.unwrap_or_default();
                // What the server of the resource is sent is by the profile of the first: one grant, two steps.
                let profile = self.policy.servers.get(ask.server).map(|server| server.profile);
                let call = self.post(of, now, services, |server, auth| {
                    profile.unwrap_or(server.profile).post_assertion(&assertion, scopes, auth)
                })?;
                flight.stage = Stage::Redeem;
                Ok(Advance::Call(call))
            }
            Stage::Token(actor) => {
                let token = self.judge(ask, What::Token(actor.as_deref()), now, |expected| expected.judge(issued))?;
                Ok(self.held(&token, ask, now))
            }
            Stage::Redeem => {
                let token = self.judge(ask, What::Redeemed, now, |expected| expected.judge(issued))?;
                Ok(self.held(&token, ask, now))
            }
        }
    }

    /// The agent's own token: it must be the one of the client that asked for it.
    fn actor(&self, ask: &Ask, issued: Issued, now: Timestamp) -> Result<Actor, Refused> {
        let refused = |detail| Refused { detail: Some(detail), ..Refused::plain(Reason::IssuedAgent) };
        let (_, client) = self.parties((ask.server, ask.client)).ok_or_else(|| Refused::plain(Reason::Internal))?;
        let stated = Stated::read(issued.token.reveal().as_bytes()).map_err(|_| refused("actor_unreadable"))?;
        let names = [stated.client.as_deref(), stated.subject.as_deref()];
        if issued.usage != Usage::Bearer || !names.contains(&Some(&*client.id)) {
            return Err(refused("actor_other"));
        }
        let said = issued.expires_in.map(|life| now + life);
        let ends = [said, stated.expires].into_iter().flatten().min().ok_or_else(|| refused("actor_never_ends"))?;
        let until = now + ends.since(now).saturating_sub(self.policy.cache.skew);
        Ok(Actor { of: (ask.server, ask.client), token: issued.token, stated, until })
    }

    /// Judges what was issued. With two steps the client of both answers is the one that the server of the resource knows.
    fn judge<T>(
        &self,
        ask: &Ask,
        what: What<'_>,
        now: Timestamp,
        judge: impl FnOnce(&Expected<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refused> {
        let internal = || Refused::plain(Reason::Internal);
        let (first, own) = self.parties((ask.server, ask.client)).ok_or_else(internal)?;
        let second = ask.redeem.and_then(|of| self.parties(of));
        let server = if let What::Redeemed = what { second.ok_or_else(internal)?.0 } else { first };
        let audience = if let What::Assertion = what { second.map(|(server, _)| &*server.issuer) } else { None };
        let actor = if let What::Token(actor) = what { actor } else { None };
        let actor_name = actor.and_then(|actor| actor.subject.as_deref());
        let agent: Vec<&str> = ask.agent.iter().map(|name| &**name).chain(actor_name).collect();
        let besides: Vec<&str> = server.besides.iter().map(String::as_str).collect();
        let expected = Expected {
            profile: &first.profile,
            issuer: &server.issuer,
            subject: &ask.subject,
            actor,
            agent: &agent,
            client: second.map_or(&own.id, |(_, client)| &client.id),
            audience: audience.or(ask.target.audience.as_deref()),
            resource: ask.target.resource.as_deref(),
            beside: &server.beside,
            ours: &self.policy.ours,
            asked: &ask.asked,
            besides: &besides,
            max_life: ask.target.max_life,
            opaque: server.opaque,
            chain: &self.policy.chain,
            now,
        };
        judge(&expected).map_err(|refusal| Refused::issued(refusal, &ask.target.scopes))
    }

    fn held(&self, token: &Narrowed, ask: &Ask, now: Timestamp) -> Advance {
        Advance::Done(Held {
            header: Secret::new(format!("Bearer {}", token.token.reveal())),
            until: now + token.expires.since(now).saturating_sub(self.policy.cache.skew),
            subject: ask.subject.clone(),
        })
    }
}

/// What was issued.
enum What<'a> {
    /// The token; with what the agent's own token says, where one was sent.
    Token(Option<&'a Stated>),
    /// The first of two: an assertion for the server of the resource.
    Assertion,
    /// The second of two: that server's token.
    Redeemed,
}

/// What follows from an answer.
pub(super) enum Advance {
    Call(HttpCall),
    Done(Held),
}
