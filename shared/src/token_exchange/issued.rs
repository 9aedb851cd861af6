//! Judgement of an issued token: a token service may answer 200 with a token that is wider, or for somebody or something else.
//!
//! What is let through has no more than was asked for, for nobody but the target, for the same user, through this agent, and
//! for no longer than the caller's own token (OA-TE-02 to 04). Nothing of an inner actor is looked at but to refuse.

use core::fmt;

use super::authority::{Askable, ChainLimits, is_same};
use super::profile::{AgentClaim, Grant, Prior, Profile, UserClaim};
use crate::identity::Scopes;
use crate::jws::{Actor, MAX_SKEW, Stated, TokenError};
use crate::oauth::{Issued, TokenType, Usage};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// How long a token is used of which nobody says how long it is good (BY-X-07).
const UNSAID_LIFE: Duration = Duration::from_secs(60);
/// `typ` of an identity assertion (OA-N-01).
const ID_JAG: &str = "oauth-id-jag+jwt";

/// What an issued token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// How the token service speaks.
    pub profile: &'a Profile,
    /// Who issues the token.
    pub issuer: &'a str,
    /// What the caller's token says.
    pub subject: &'a Stated,
    /// What the agent's own token says, where it was sent. Its `sub` is then a name of the agent.
    pub actor: Option<&'a Stated>,
    /// All names of the agent that calls: its client, its SPIFFE id.
    pub agent: &'a [&'a str],
    /// The OAuth client that asked.
    pub client: &'a str,
    /// The target by name.
    pub audience: Option<&'a str>,
    /// The target by URI.
    pub resource: Option<&'a str>,
    /// Audiences that stand beside the target in tokens of this server, by configuration.
    pub beside: &'a [String],
    /// What we are called: a token for us must not leave.
    pub ours: &'a [String],
    /// What was asked for.
    pub asked: &'a Askable,
    /// Scopes that this server adds uncalled; [`Profile::besides`], where the configuration says nothing else.
    pub besides: &'a [&'a str],
    /// Longest life of a token for this route.
    pub max_life: Duration,
    /// A token that cannot be read is let through: an explicit choice.
    pub opaque: bool,
    /// What its chain of actors may be.
    pub chain: &'a ChainLimits,
    /// Now.
    pub now: Timestamp,
}

/// A token that was judged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Narrowed {
    /// The token, which fits into a header.
    pub token: Secret<String>,
    /// What it grants of what was asked for.
    pub scopes: Vec<String>,
    /// Who acts, outermost first; for the record.
    pub actors: Vec<String>,
    /// Until when it may be used: never longer than the caller's own token or than the route allows.
    pub expires: Timestamp,
    /// It could not be read.
    pub opaque: bool,
}

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        /// Why an issued token, or a chain of actors, was refused. Codes are for the audit record and never renamed.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[doc = $doc])+ $name,)+
            /// It is not a token that could be read in one way only.
            Unreadable(TokenError),
        }

        impl Refusal {
            /// All but [`Refusal::Unreadable`].
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable machine code.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                    Self::Unreadable(error) => error.code(),
                }
            }
        }
    };
}

refusals! {
    /// An actor that is not on the list.
    ActorUnknown = "actor_unknown";
    /// `act` or the client is not the agent that calls, or nothing says who acts.
    AgentOther = "agent_other";
    /// `aud` does not have the target.
    AudienceMissing = "audience_missing";
    /// `aud` has us: whoever receives the token could come back with it.
    AudienceOurs = "audience_ours";
    /// `aud` has others beside the target.
    AudienceWider = "audience_wider";
    /// It is good with a proof only, and we have none (OA-D-03).
    Bound = "bound";
    /// One actor is twice in the chain.
    ChainLoop = "chain_loop";
    /// Those who acted before are not those that the server must say.
    ChainOther = "chain_other";
    /// The chain of actors is too long.
    ChainTooLong = "chain_too_long";
    /// The client is not the one that asked.
    ClientOther = "client_other";
    /// It has expired, or the caller's token has.
    Expired = "expired";
    /// `iss` is not the server.
    IssuerOther = "issuer_other";
    /// It is another kind of token than was asked for.
    KindOther = "kind_other";
    /// It lives longer than the route allows.
    LivesTooLong = "lives_too_long";
    /// The caller's token says who may act, and it is not this agent; or it must say so and does not.
    MayNotAct = "may_not_act";
    /// Nothing of what was asked for is granted.
    NothingGranted = "nothing_granted";
    /// It is not good yet.
    NotYetValid = "not_yet_valid";
    /// It cannot be read, and that is not allowed.
    Opaque = "opaque";
    /// It grants what was not asked for.
    ScopeWider = "scope_wider";
    /// It may not be used as a bearer token (OA-TE-03).
    UsageRefused = "usage_refused";
    /// It is another user's.
    UserOther = "user_other";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Expected<'_> {
    /// Whether the token may be used, and for what.
    pub fn judge(&self, issued: Issued) -> Result<Narrowed, Refusal> {
        self.judge_answer(&issued)?;
        if issued.usage != Usage::Bearer {
            return Err(Refusal::UsageRefused);
        }
        let stated = match Stated::read(issued.token.reveal().as_bytes()) {
            Ok(stated) => Some(stated),
            Err(TokenError::Encrypted | TokenError::Parts) if self.opaque => None,
            Err(TokenError::Encrypted | TokenError::Parts) => return Err(Refusal::Opaque),
            Err(error) => return Err(Refusal::Unreadable(error)),
        };
        if let Some(stated) = &stated {
            self.judge_claims(stated)?;
            self.judge_actors(stated)?;
        }
        let scopes = self.judge_scopes(stated.as_ref(), &issued)?;
        let expires = self.judge_life(stated.as_ref(), &issued)?;
        let actors = stated.iter().flat_map(|stated| &stated.actors).map(|actor| actor.subject.clone()).collect();
        Ok(Narrowed { token: issued.token, scopes, actors, expires, opaque: stated.is_none() })
    }

    /// Whether an identity assertion may be given to the server of the resource (OA-N-01); the first of two steps.
    /// [`Expected::client`] is then the client that is known there.
    pub fn judge_assertion(&self, issued: Issued) -> Result<Secret<String>, Refusal> {
        if issued.kind != Some(TokenType::IdJag) {
            return Err(Refusal::KindOther);
        }
        if issued.usage != Usage::NotApplicable {
            return Err(Refusal::UsageRefused);
        }
        let stated = Stated::read(issued.token.reveal().as_bytes()).map_err(Refusal::Unreadable)?;
        if stated.kind.as_deref() != Some(ID_JAG) {
            return Err(Refusal::KindOther);
        }
        if stated.issuer.as_deref() != Some(self.issuer) {
            return Err(Refusal::IssuerOther);
        }
        if self.audience.is_none_or(|audience| stated.audience != [audience]) {
            return Err(Refusal::AudienceMissing);
        }
        if stated.client.as_deref() != Some(self.client) {
            return Err(Refusal::ClientOther);
        }
        if stated.subject.is_none() || stated.subject != self.subject.subject {
            return Err(Refusal::UserOther);
        }
        self.judge_scopes(Some(&stated), &issued)?;
        self.judge_life(Some(&stated), &issued)?;
        Ok(issued.token)
    }

    fn judge_answer(&self, issued: &Issued) -> Result<(), Refusal> {
        let kind = match self.profile.grant {
            Grant::Exchange => Some(TokenType::AccessToken),
            // Other grants do not say it.
            Grant::IdentityAssertion | Grant::OnBehalfOf => issued.kind.and(Some(TokenType::AccessToken)),
        };
        if issued.kind == kind { Ok(()) } else { Err(Refusal::KindOther) }
    }

    /// Everything that is said once: what it is, by whom, for whom, about whom.
    fn judge_claims(&self, stated: &Stated) -> Result<(), Refusal> {
        let explicit = match stated.kind.as_deref() {
            Some("at+jwt") => true,
            None | Some("jwt") => false,
            Some(_) => return Err(Refusal::KindOther),
        };
        if stated.foreign && !explicit {
            return Err(Refusal::KindOther);
        }
        if stated.bound {
            return Err(Refusal::Bound);
        }
        if stated.issuer.as_deref() != Some(self.issuer) {
            return Err(Refusal::IssuerOther);
        }
        if stated.audience.iter().any(|name| self.ours.contains(name)) {
            return Err(Refusal::AudienceOurs);
        }
        let target = self.profile.audience(self.audience, self.resource);
        if target.is_none_or(|target| !stated.audience.iter().any(|name| name == target)) {
            return Err(Refusal::AudienceMissing);
        }
        let named = |name: &String| [self.audience, self.resource].contains(&Some(name)) || self.beside.contains(name);
        if !stated.audience.iter().all(named) {
            return Err(Refusal::AudienceWider);
        }
        let same = match self.profile.user {
            UserClaim::Subject => stated.subject.is_some() && stated.subject == self.subject.subject,
            UserClaim::Object => stated.object.is_some() && stated.object == self.subject.object,
            UserClaim::Foreign => stated.subject.is_some(),
        };
        if same { Ok(()) } else { Err(Refusal::UserOther) }
    }

    /// Who acts: this agent, and inside it nobody but those whom the server must say.
    fn judge_actors(&self, stated: &Stated) -> Result<(), Refusal> {
        let own = self.actor.filter(|own| own.client.as_deref().is_some_and(|client| self.agent.contains(&client)));
        let own = own.and_then(|own| own.subject.as_deref());
        let is_agent = |name: &str| self.agent.contains(&name) || Some(name) == own;
        let issuer = Some(self.issuer);
        self.chain.check(&stated.actors, issuer)?;
        if stated.client.as_deref().is_some_and(|client| client != self.client) {
            return Err(Refusal::ClientOther);
        }
        let (outermost, inner) = match stated.actors.split_first() {
            Some((outermost, inner)) => (Some(outermost), inner),
            None => (None, &[][..]),
        };
        // Whoever says how the agent is named: an `act` that is there must be this agent.
        let global = |actor: &Actor| actor.subject.starts_with("spiffe://");
        let ours = |actor: &Actor| {
            is_agent(&actor.subject) && (global(actor) || actor.issuer.as_deref().is_none_or(|by| Some(by) == issuer))
        };
        let shown = match (self.profile.agent, outermost) {
            (_, Some(actor)) => ours(actor),
            (AgentClaim::Act, None) => false,
            // A server that was told who acts must say so.
            (_, None) if self.actor.is_some() => false,
            (AgentClaim::Client, None) => stated.client.as_deref().is_some_and(is_agent),
            (AgentClaim::Unsaid, None) => true,
        };
        if !shown {
            return Err(Refusal::AgentOther);
        }
        let before = match self.profile.prior {
            Prior::OfSubject => Some(self.subject),
            Prior::OfActor => self.actor,
            Prior::Dropped => None,
        };
        let prior = before.map(|token| token.actors.as_slice()).unwrap_or_default();
        let by = before.and_then(|token| token.issuer.as_deref());
        let kept = inner.len() == prior.len() && inner.iter().zip(prior).all(|(a, b)| is_same(a, issuer, b, by));
        if kept { Ok(()) } else { Err(Refusal::ChainOther) }
    }

    /// The scopes that the token grants of those that were asked for; the token and the answer around it may both say it.
    fn judge_scopes(&self, stated: Option<&Stated>, issued: &Issued) -> Result<Vec<String>, Refusal> {
        let claimed = stated.and_then(|stated| stated.scopes.as_ref());
        let asked = self.asked.scopes();
        let told = issued.scopes.as_ref();
        let mut said = claimed.into_iter().flat_map(Scopes::iter).chain(told.into_iter().flatten().map(String::as_str));
        let within = |scope: &str| asked.iter().any(|own| own == scope) || self.besides.contains(&scope);
        if !said.all(within) {
            return Err(Refusal::ScopeWider);
        }
        // RFC 8693 section 2.2.1: what is not said is as it was asked.
        let granted = |scope: &&String| {
            claimed.is_none_or(|scopes| scopes.contains(scope)) && told.is_none_or(|scopes| scopes.contains(scope))
        };
        let scopes: Vec<String> = asked.iter().filter(granted).cloned().collect();
        if scopes.is_empty() { Err(Refusal::NothingGranted) } else { Ok(scopes) }
    }

    /// Until when it may be used.
    fn judge_life(&self, stated: Option<&Stated>, issued: &Issued) -> Result<Timestamp, Refusal> {
        let now = self.now;
        if stated.and_then(|stated| stated.begins).is_some_and(|begins| begins > now + MAX_SKEW) {
            return Err(Refusal::NotYetValid);
        }
        let said = issued.expires_in.map(|life| now + life);
        let ends = match stated.map(|stated| stated.expires) {
            // A token that says of itself that it never ends.
            Some(None) => return Err(Refusal::LivesTooLong),
            Some(Some(claimed)) => said.map_or(claimed, |said| said.min(claimed)),
            None => said.unwrap_or(now + UNSAID_LIFE),
        };
        let latest = now + self.max_life;
        let claimed = stated.and_then(|stated| stated.expires).unwrap_or(ends);
        if claimed > latest + MAX_SKEW {
            return Err(Refusal::LivesTooLong);
        }
        let expires = ends.min(latest).min(self.subject.expires.unwrap_or_default());
        if expires > now { Ok(expires) } else { Err(Refusal::Expired) }
    }
}
