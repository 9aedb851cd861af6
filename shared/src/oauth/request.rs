//! Requests to a token endpoint.

use super::{ClientAuth, Form, Post, TokenType};
use crate::secret::Secret;

/// What a token service is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenRequest<'a> {
    /// The client's own token, such as an actor token (RFC 6749 section 4.4).
    ClientCredentials {
        /// What it is to be good for.
        scopes: &'a [&'a str],
    },
    /// A token for another (RFC 8693 section 2.1).
    Exchange(Exchange<'a>),
    /// A token for an assertion: the second step of identity assertions and identity chaining (RFC 7523 section 2.1).
    JwtBearer {
        /// The assertion.
        assertion: Secret<&'a str>,
        /// What it is to be good for.
        scopes: &'a [&'a str],
    },
    /// Entra's own form of the same, on behalf of a user.
    OnBehalfOf {
        /// The user's access token; its audience is this client.
        assertion: Secret<&'a str>,
        /// What it is to be good for: those of one resource, or its `/.default`.
        scopes: &'a [&'a str],
    },
    /// What became of a request for approval (CIBA core section 10.1).
    Approval {
        /// The id of that request.
        id: Secret<&'a str>,
    },
}

/// RFC 8693 section 2.1. Asking for more than one target is not possible here (OA-TE-02).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exchange<'a> {
    /// Whose authority it is about.
    pub subject: TypedToken<'a>,
    /// Who acts.
    pub actor: Option<TypedToken<'a>>,
    /// Where the new token is to be used.
    pub target: Target<'a>,
    /// What it is to be good for.
    pub scopes: &'a [&'a str],
    /// What kind of token it is to be.
    pub requested: Option<TokenType>,
}

/// A token and what it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypedToken<'a> {
    /// The token.
    pub text: Secret<&'a str>,
    /// What it is.
    pub kind: TokenType,
}

/// How the one target is named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target<'a> {
    /// By a name that the service knows.
    Audience(&'a str),
    /// By its URI (RFC 8707 section 2).
    Resource(&'a str),
    /// By both, for services that want one for `aud` and one for the rules.
    Both {
        /// By a name that the service knows.
        audience: &'a str,
        /// By its URI.
        resource: &'a str,
    },
    /// Not at all: the scopes say it.
    Scopes,
}

impl TokenRequest<'_> {
    /// The request, ready to be sent.
    pub fn post(&self, client: &ClientAuth<'_>) -> Post {
        let mut form = Form::new();
        match self {
            Self::ClientCredentials { scopes } => {
                form.push("grant_type", "client_credentials");
                form.push_list("scope", scopes);
            }
            Self::Exchange(exchange) => exchange.fill(&mut form),
            Self::JwtBearer { assertion, scopes } => {
                form.push("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.push("assertion", assertion.reveal());
                form.push_list("scope", scopes);
            }
            Self::OnBehalfOf { assertion, scopes } => {
                form.push("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.push("assertion", assertion.reveal());
                form.push_list("scope", scopes);
                form.push("requested_token_use", "on_behalf_of");
            }
            Self::Approval { id } => {
                form.push("grant_type", "urn:openid:params:grant-type:ciba");
                form.push("auth_req_id", id.reveal());
            }
        }
        client.sign(form)
    }
}

impl Exchange<'_> {
    fn fill(&self, form: &mut Form) {
        form.push("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
        form.push("subject_token", self.subject.text.reveal());
        form.push("subject_token_type", self.subject.kind.urn());
        if let Some(actor) = &self.actor {
            form.push("actor_token", actor.text.reveal());
            form.push("actor_token_type", actor.kind.urn());
        }
        form.push_some("requested_token_type", self.requested.map(TokenType::urn));
        form.push_some("audience", self.target.audience());
        form.push_some("resource", self.target.resource());
        form.push_list("scope", self.scopes);
    }
}

impl<'a> Target<'a> {
    /// What is sent as `audience`.
    pub const fn audience(self) -> Option<&'a str> {
        match self {
            Self::Audience(audience) | Self::Both { audience, .. } => Some(audience),
            Self::Resource(_) | Self::Scopes => None,
        }
    }

    /// What is sent as `resource`.
    pub const fn resource(self) -> Option<&'a str> {
        match self {
            Self::Resource(resource) | Self::Both { resource, .. } => Some(resource),
            Self::Audience(_) | Self::Scopes => None,
        }
    }
}
