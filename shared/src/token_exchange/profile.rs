//! How a token service speaks: what it is sent, what its answers must show, and what its refusals mean (rules.md 3.8).

use crate::oauth::{ClientAuth, ErrorCode, Exchange, Failure, Hint, Post, StepUp, Target, TokenRequest, TokenType, TypedToken};
use crate::secret::Secret;
use crate::time::Duration;

/// How a token service speaks. Plain data: a server of the configuration may change a part of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Profile {
    /// What it is asked by.
    pub grant: Grant,
    /// How the target is named to it.
    pub target: TargetForm,
    /// As what the caller's token is sent.
    pub subject: TokenType,
    /// Whether the agent's own token is sent beside it.
    pub actor: Need,
    /// How an issued token says which agent acts.
    pub agent: AgentClaim,
    /// What an issued token says of those who acted before.
    pub prior: Prior,
    /// How an issued token says whose authority it is.
    pub user: UserClaim,
    /// Scopes that it adds to every token without being asked. They say who the user is and open no tool.
    pub besides: &'static [&'static str],
}

/// What a token service is asked by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Grant {
    /// RFC 8693.
    Exchange,
    /// Entra's on-behalf-of flow.
    OnBehalfOf,
    /// RFC 8693 for an identity assertion, which is then given to the server of the resource (OA-N-01).
    IdentityAssertion,
}

/// How the target is named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TargetForm {
    /// By `audience`; `resource` is ignored by this server, even if it is garbage.
    Audience,
    /// By `resource`; `audience` is ignored by this server.
    Resource,
    /// By whichever is configured, or both.
    Either,
    /// By `audience`, the issuer of the resource's server, and by `resource`.
    Both,
    /// By the prefix of every scope: `resource`, else `audience`.
    Scopes,
}

/// Whether something is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// It must be.
    Always,
    /// It may be.
    Maybe,
    /// The server ignores or refuses it.
    Never,
}

/// How an issued token says which agent acts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgentClaim {
    /// `act.sub`, the outermost one (RFC 8693 section 4.1).
    Act,
    /// `azp`, `client_id`, `cid` or `appid`.
    Client,
    /// It does not: an explicit choice.
    Unsaid,
}

/// What an issued token says of those who acted before. Their names never grant anything (OA-TE-05).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prior {
    /// The actors of the actor token.
    OfActor,
    /// The actors of the subject token.
    OfSubject,
    /// Nothing.
    Dropped,
}

/// How an issued token says whose authority it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UserClaim {
    /// The `sub` of the subject token.
    Subject,
    /// The `oid` of the subject token: `sub` is another for each client.
    Object,
    /// The name that another server has for this user. It cannot be compared.
    Foreign,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The caller's token.
    pub subject: &'a str,
    /// The agent's own token.
    pub actor: Option<(&'a str, TokenType)>,
    /// The target by name.
    pub audience: Option<&'a str>,
    /// The target by URI.
    pub resource: Option<&'a str>,
    /// What the token is to be good for.
    pub scopes: &'a [String],
}

/// What a failure means for the caller (OA-TE-07).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Told {
    /// The user must consent to this client first.
    Consent,
    /// Not for this caller at this target: 403.
    Denied,
    /// The server does not accept us, or we do not understand it: a fault of the configuration. 500 and an alarm.
    Misconfigured,
    /// The caller's token is not good enough any more: 401 `invalid_token`.
    SubjectRefused,
    /// The user must do something first: 401 with a challenge (RFC 9470).
    StepUp(StepUp),
    /// The server cannot answer now: 503.
    Unavailable {
        /// How long to leave it alone, where it said so.
        retry_after: Option<Duration>,
    },
}

const PLAIN: Profile = Profile {
    grant: Grant::Exchange,
    target: TargetForm::Audience,
    subject: TokenType::AccessToken,
    actor: Need::Never,
    agent: AgentClaim::Client,
    prior: Prior::Dropped,
    user: UserClaim::Subject,
    besides: &[],
};

impl Profile {
    /// RFC 8693 to the letter: `act` names the agent, and inside it those of the subject token.
    pub const RFC8693: Self =
        Self { target: TargetForm::Either, actor: Need::Maybe, agent: AgentClaim::Act, prior: Prior::OfSubject, ..PLAIN };
    /// Keycloak 26, standard token exchange v2: `resource` and `actor_token` are ignored, no `act`, default scopes are added.
    pub const KEYCLOAK: Self = Self { besides: &["email", "profile"], ..PLAIN };
    /// ThunderID: `resource` alone sets `aud`; it wants `access_token` only of tokens of RFC 9068, and `jwt` of all; scopes
    /// that are not granted are dropped in silence. With an actor token, `act` is its subject with that token's own `act` inside.
    pub const THUNDERID: Self =
        Self { target: TargetForm::Resource, subject: TokenType::Jwt, actor: Need::Maybe, prior: Prior::OfActor, ..PLAIN };
    /// Auth0, on-behalf-of token exchange: the client is the actor.
    pub const AUTH0: Self = Self { agent: AgentClaim::Act, prior: Prior::OfSubject, ..PLAIN };
    /// Okta, custom authorization server: the client is `cid`, scopes are `scp`.
    pub const OKTA: Self = PLAIN;
    /// Entra: scopes carry the target, `sub` differs from client to client, `oid` does not.
    pub const ENTRA_OBO: Self = Self { grant: Grant::OnBehalfOf, target: TargetForm::Scopes, user: UserClaim::Object, ..PLAIN };
    /// Identity assertion authorization grant, of the two servers the last.
    pub const ID_JAG: Self = Self {
        grant: Grant::IdentityAssertion,
        target: TargetForm::Both,
        subject: TokenType::IdToken,
        user: UserClaim::Foreign,
        ..PLAIN
    };

    /// The request for a token; with [`Grant::IdentityAssertion`] the first of two.
    pub fn post(&self, asking: &Asking<'_>, client: &ClientAuth<'_>) -> Post {
        let prefixed = match self.target {
            TargetForm::Scopes => asking.resource.or(asking.audience).map(|prefix| format!("{}/", prefix.trim_end_matches('/'))),
            _ => None,
        };
        let scopes: Vec<String> = match prefixed {
            Some(prefix) => asking.scopes.iter().map(|scope| format!("{prefix}{scope}")).collect(),
            None => asking.scopes.to_vec(),
        };
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let subject = Secret::new(asking.subject);
        let request = match self.grant {
            Grant::OnBehalfOf => TokenRequest::OnBehalfOf { assertion: subject, scopes: &scopes },
            Grant::Exchange | Grant::IdentityAssertion => TokenRequest::Exchange(Exchange {
                subject: TypedToken { text: subject, kind: self.subject },
                actor: self.actor(asking),
                target: self.target(asking),
                scopes: &scopes,
                requested: Some(self.requested()),
            }),
        };
        request.post(client)
    }

    /// The second request of [`Grant::IdentityAssertion`], to the server of the resource.
    pub fn post_assertion(&self, assertion: &Secret<String>, scopes: &[String], client: &ClientAuth<'_>) -> Post {
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        TokenRequest::JwtBearer { assertion: Secret::new(assertion.reveal()), scopes: &scopes }.post(client)
    }

    /// What kind of token the exchange is to give.
    pub fn requested(&self) -> TokenType {
        if self.grant == Grant::IdentityAssertion { TokenType::IdJag } else { TokenType::AccessToken }
    }

    /// What `aud` of the token must have.
    pub fn audience<'a>(&self, audience: Option<&'a str>, resource: Option<&'a str>) -> Option<&'a str> {
        match self.target {
            TargetForm::Audience | TargetForm::Scopes => audience.or(resource),
            // RFC 8707 section 2: the token should say the resource.
            TargetForm::Both | TargetForm::Either | TargetForm::Resource => resource.or(audience),
        }
    }

    fn actor<'a>(&self, asking: &Asking<'a>) -> Option<TypedToken<'a>> {
        let (text, kind) = asking.actor.filter(|_| self.actor != Need::Never)?;
        Some(TypedToken { text: Secret::new(text), kind })
    }

    fn target<'a>(&self, asking: &Asking<'a>) -> Target<'a> {
        match (self.target, asking.audience, asking.resource) {
            (TargetForm::Audience, Some(audience), _) | (TargetForm::Either | TargetForm::Both, Some(audience), None) => {
                Target::Audience(audience)
            }
            (TargetForm::Resource, _, Some(resource)) | (TargetForm::Either | TargetForm::Both, None, Some(resource)) => {
                Target::Resource(resource)
            }
            (TargetForm::Either | TargetForm::Both, Some(audience), Some(resource)) => Target::Both { audience, resource },
            _ => Target::Scopes,
        }
    }
}

impl Told {
    /// What a failure of any token service means.
    pub fn of(failure: Failure) -> Self {
        let (error, hint, step_up) = match failure {
            Failure::Busy { retry_after } => return Self::Unavailable { retry_after },
            Failure::Unavailable | Failure::Unreadable(_) => return Self::Unavailable { retry_after: None },
            Failure::Refused { error, hint, step_up } => (error, hint, step_up),
        };
        match (error, hint) {
            // Entra may say it with any code.
            _ if step_up.claims.is_some() => Self::StepUp(step_up),
            (ErrorCode::ConsentRequired, _) | (_, Some(Hint::Consent)) => Self::Consent,
            (
                ErrorCode::InsufficientUserAuthentication
                | ErrorCode::InteractionRequired
                | ErrorCode::LoginRequired
                | ErrorCode::MfaRequired,
                _,
            ) => Self::StepUp(step_up),
            // A client that the server does not know, or, with Keycloak, a target that it does not know.
            (ErrorCode::InvalidClient, _) | (_, Some(Hint::Client)) => Self::Misconfigured,
            (_, Some(Hint::Audience | Hint::Depth)) => Self::Denied,
            (ErrorCode::InvalidGrant | ErrorCode::InvalidRequest | ErrorCode::ExpiredToken, _) => Self::SubjectRefused,
            (ErrorCode::AccessDenied | ErrorCode::InvalidScope | ErrorCode::InvalidTarget | ErrorCode::UnauthorizedClient, _) => {
                Self::Denied
            }
            _ => Self::Misconfigured,
        }
    }

    /// Whether the same answer may be given again for a few seconds without asking (OA-TE-06).
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Consent | Self::Denied)
    }
}
