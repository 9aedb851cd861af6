//! Who is asked, and where: the configuration as it is written, and what it means.

use super::Server;
use crate::config::{Problems, RawSealingKey, choice, record};
use crate::filter::LONGEST_CALL;
use crate::identity::ClaimPath;
use crate::identity::client::{Client, RawClient};
use crate::identity::secret::{RawSecretFetch, SealingKeys};
use crate::oauth::ciba::BindingMessage;
use crate::path;
use crate::secret::Secret;
use crate::time::Duration;

record! {
    /// How users approve while they are away (OpenID Connect CIBA, poll mode).
    pub struct RawApproval {
        /// The server that asks them.
        server: RawAsker = "server";
        /// The OAuth client that asks.
        client: RawClient = "client";
        /// The claim that says how the server knows a user: sent as `login_hint`. Keycloak wants `preferred_username`.
        hint: ClaimPath = "hint", ClaimPath(vec!["sub".to_owned()]);
        /// Scopes that an approval is asked for, beside `openid`.
        scopes: Vec<String> = "scopes", Vec::new();
        /// How strongly a user must be authenticated to approve.
        acr_values: Vec<String> = "acrValues", Vec::new();
        /// How long a user has; as the server says, if absent.
        expires_in: Option<Duration> = "expiresIn", None;
        /// Longest message in bytes that the server shows a user: 50 with Keycloak, 256 with ThunderID.
        message_bytes: u32 = "messageBytes", 50;
        /// The tokens of approvals may be opaque: then nothing shows that it was this user who approved.
        opaque: bool = "opaque", false;
        /// What becomes of the token that an approval gives.
        token: RawToken = "token", RawToken::Proof;
        /// `aud` of that token must name one of these; whomever, if absent.
        audiences: Vec<String> = "audiences", Vec::new();
        /// Keys that seal what callers carry until the user has answered. The first one seals, each one opens; all replicas need
        /// the same.
        tickets: Vec<RawSealingKey> = "tickets", Vec::new();
        /// Where they are fetched, in the place of `tickets`: a JWK Set of symmetric keys (RFC 7518 section 6.4), the one that seals first.
        tickets_from: Option<RawSecretFetch> = "ticketsFrom", None;
    }
}

choice! {
    /// What becomes of the token that an approval gives.
    pub enum RawToken {
        /// It is the proof that the user said yes, and goes nowhere.
        Proof = "proof",
        /// It takes the place of the token that the request brought, for this one request: `token-exchange` behind this module
        /// exchanges it, or the server gets it. Needs `hostProfile.holdHeaders`.
        Outgoing = "outgoing",
    }
}

record! {
    /// The server that asks users.
    pub struct RawAsker {
        /// Its issuer identifier.
        issuer: String = "issuer";
        /// The proxy's name of its cluster.
        cluster: String = "cluster";
        /// `:authority` of the calls.
        authority: String = "authority";
        /// `:path` of its backchannel authentication endpoint.
        ask: String = "ask";
        /// `:path` of its token endpoint.
        token: String = "token";
        /// How long a call may take, from 1ms to 9s.
        timeout: Duration = "timeout", Duration::from_secs(2);
    }
}

/// What it means.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The server.
    pub server: Server,
    /// The client that asks.
    pub client: Client,
    /// Keys of tickets.
    pub tickets: SealingKeys,
}

impl RawApproval {
    /// What it means on a proxy that can hold headers, or cannot. It is only good if no problem was added.
    pub fn compile(&self, holds: bool, problems: &mut Problems) -> Setup {
        if self.token == RawToken::Outgoing && !holds {
            let text = "`outgoing` needs `hostProfile: {holdHeaders: true}`: else the headers have gone before anybody is asked";
            problems.field("token", |p| p.add(text));
        }
        if self.token == RawToken::Outgoing && self.opaque {
            problems.field("opaque", |p| p.add("with `token: outgoing` nobody would know what goes on. Take it away"));
        }
        let server = problems.field("server", |p| self.server.compile(self, p));
        if BindingMessage::new("", &[0; 32], usize::try_from(self.message_bytes).unwrap_or_default()).is_none() {
            problems.field("messageBytes", |p| p.add("has no place for the digest of what is approved. Write 17 or more"));
        }
        let client = problems.field("client", |p| self.client.compile("approval.client", "`approval`", p));
        let tickets = SealingKeys::compile(&self.tickets, self.tickets_from.as_ref(), "approval.tickets", problems);
        Setup { server, client, tickets }
    }
}

impl RawAsker {
    fn compile(&self, of: &RawApproval, problems: &mut Problems) -> Server {
        for (name, value) in [("issuer", &self.issuer), ("cluster", &self.cluster), ("authority", &self.authority)] {
            if value.is_empty() || !value.bytes().all(|c| c.is_ascii_graphic()) {
                problems.field(name, |p| p.add(format!("`{value}` is not one name")));
            }
        }
        for (name, value) in [("ask", &self.ask), ("token", &self.token)] {
            if path::split(value.as_bytes()).is_none_or(|(_, query)| query.is_some()) {
                problems
                    .field(name, |p| p.add(format!("`{value}` is not the path of an endpoint. Write `/path`, without query")));
            }
        }
        if self.timeout.is_zero() || self.timeout > LONGEST_CALL {
            problems.field("timeout", |p| p.add("a call may take from 1ms to 9s"));
        }
        Server {
            cluster: self.cluster.clone(),
            authority: self.authority.clone(),
            ask: self.ask.clone(),
            token: self.token.clone(),
            timeout: self.timeout,
            issuer: self.issuer.clone(),
            scopes: of.scopes.clone(),
            acr_values: of.acr_values.clone(),
            expires_in: of.expires_in,
            message: usize::try_from(of.message_bytes).unwrap_or_default(),
            opaque: of.opaque,
            audiences: of.audiences.clone(),
            outgoing: (of.token == RawToken::Outgoing).then(|| of.client.id.clone()),
        }
    }
}

impl Setup {
    /// Takes the secrets of the proxy's environment.
    pub fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        self.client.equip(secret, problems);
        self.tickets.equip(secret, problems);
    }
}
