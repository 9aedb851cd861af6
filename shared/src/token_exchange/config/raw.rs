//! The configuration as it is written.

use super::references::RawReferences;
use crate::config::{RawSealingKey, choice, record};
use crate::filter::{RawAudit, RawHostProfile, RawMode};
use crate::identity::RawFrom;
use crate::identity::secret::{RawSecret, RawSecretFetch};
use crate::identity::tokens::RawOwnIdentity;
use crate::time::Duration;

choice! {
    /// How a token service speaks (rules.md 3.8).
    pub enum RawProfile {
        /// RFC 8693 to the letter: `audience`, `resource` or both, an access token in, an access token out.
        Rfc8693 = "rfc8693",
        /// Keycloak, standard token exchange v2: `audience` names clients; the answer has no `act`, `azp` is the agent's client.
        Keycloak = "keycloak",
        /// ThunderID: `resource` alone sets the audience; scopes that are not granted are dropped in silence.
        Thunderid = "thunderid",
        /// Auth0, on-behalf-of token exchange: `audience` is required; the outermost `act` is the agent's client.
        Auth0 = "auth0",
        /// Okta, custom authorization server: `audience` and scopes; the client is `cid`.
        Okta = "okta",
        /// Microsoft Entra, on-behalf-of flow: a JWT bearer grant; the target is the prefix of its scopes.
        EntraObo = "entra-obo",
        /// Identity assertion authorization grant: an exchange at home for an ID-JAG, then a JWT bearer grant at the resource's server.
        IdJag = "id-jag",
    }
}

choice! {
    /// What becomes of a request.
    pub enum RawAction {
        /// Its token is exchanged.
        Exchange = "exchange",
        /// It goes on to an agent with a reference in the place of its token, which that agent alone can bring back.
        Reference = "reference",
        /// It goes on without any credential.
        Strip = "strip",
        /// It goes on with the token that it brought. `wardpoint check` warns.
        Passthrough = "passthrough",
    }
}

choice! {
    /// What becomes of a request that no route is for.
    pub enum RawUnmatched {
        /// It is refused: 403 `route_unmatched`.
        Deny = "deny",
        /// It goes on without any credential.
        Strip = "strip",
        /// It goes on with the token that it brought, wherever it goes. `wardpoint check` warns.
        Passthrough = "passthrough",
    }
}

choice! {
    /// Whose OAuth client asks for a token.
    pub enum RawWhose {
        /// That of the calling agent, by its SPIFFE id in `identity.agents`: two agents are two clients.
        Caller = "caller",
        /// One for all agents, named by `id`. The token service then cannot tell them apart.
        Gate = "gate",
    }
}

choice! {
    /// How a client shows the token service who it is.
    pub enum RawMethod {
        /// `client_secret_basic` (RFC 6749 section 2.3.1).
        Basic = "client_secret_basic",
        /// `client_secret_post`.
        Post = "client_secret_post",
        /// `private_key_jwt`: an assertion that is signed here, new for each call (RFC 7523 section 2.2).
        PrivateKey = "private_key_jwt",
        /// `jwt-spiffe`: a JWT-SVID, which is fetched and renewed in time (draft-ietf-oauth-spiffe-client-auth).
        Spiffe = "jwt-spiffe",
        /// Only its `client_id`; the proxy's cluster does the rest: mutual TLS, or `credential_injector`.
        Cluster = "cluster",
    }
}

record! {
    /// Configuration of `token-exchange`.
    pub struct Raw {
        /// Version of this format; 1.
        version: u32 = "version";
        /// What the policy is called in the audit record.
        name: String = "name", super::super::NAME.to_owned();
        /// Whether decisions are carried out. With `observe` requests keep the token that they brought.
        mode: RawMode = "mode", RawMode::Enforce;
        /// What the proxy can do.
        host_profile: RawHostProfile = "hostProfile", RawHostProfile { hold_headers: false };
        /// Who the caller is and where that is read from.
        identity: RawOwnIdentity = "identity";
        /// What we are called: `aud` of the tokens that requests bring. An issued token that has one of these is refused, for
        /// whoever receives it could come back with it.
        audiences: Vec<String> = "audiences";
        /// What the chain of actors of a token may be.
        chain: RawChain = "chain", RawChain { depth: 4, known: None };
        /// Token services; none where no route has `action: exchange`.
        servers: Vec<RawServer> = "servers", Vec::new();
        /// Destinations, and what a token for each must be. The most specific one that fits is taken: one with a cluster or service
        /// before one without, then an exact host before one with `*`, then one with a port, then the longest path, then one with the
        /// tool that is called.
        routes: Vec<RawRoute> = "routes";
        /// What becomes of a request that no route is for.
        unmatched: RawUnmatched = "unmatched", RawUnmatched::Deny;
        /// Reference tokens: what agents hold in the place of users' tokens.
        references: Option<RawReferences> = "references", None;
        /// What is too large.
        limits: RawLimits = "limits", RawLimits { max_body_bytes: DEFAULT_BODY };
        /// Tokens that are kept.
        cache: RawCache = "cache", RawCache::default();
        /// How users consent to what token services want their consent for.
        consent: Option<RawConsent> = "consent", None;
        /// Where audit records go.
        audit: RawAudit = "audit", RawAudit::default();
    }
}

record! {
    /// How a user who is present consents: on the page of the identity provider, of which the agent hears nothing.
    pub struct RawConsent {
        /// The URL of this gate that the page sends users back to, `https://host/path`. Clients that users are to consent to have it
        /// among their redirect URIs. A browser must reach it; the plugin answers there.
        returns: String = "returns";
        /// How long a user has.
        within: Duration = "within", Duration::from_secs(600);
        /// When an agent is to come back.
        retry_after: Duration = "retryAfter", Duration::from_secs(5);
        /// How long a no is remembered.
        refusal: Duration = "refusal", Duration::from_secs(3600);
        /// What tells users where the page is: it is sent JSON with user, agent, scopes and URL. If absent, the audit record alone has it.
        tell: Option<RawEndpoint> = "tell", None;
        /// Keys that seal what agents carry and what the page gives back. The first one seals, each one opens; all replicas need the same.
        tickets: Vec<RawSealingKey> = "tickets", Vec::new();
        /// Where they are fetched, in the place of `tickets`: a JWK Set of symmetric keys (RFC 7518 section 6.4), the one that seals first.
        tickets_from: Option<RawSecretFetch> = "ticketsFrom", None;
    }
}

choice! {
    /// As what the caller's token is sent.
    pub enum RawSubject {
        /// `urn:ietf:params:oauth:token-type:access_token`.
        AccessToken = "access_token",
        /// `urn:ietf:params:oauth:token-type:id_token`.
        IdToken = "id_token",
        /// `urn:ietf:params:oauth:token-type:jwt`.
        Jwt = "jwt",
    }
}

choice! {
    /// Whether the agent's own token is sent beside the caller's (`actor_token`, RFC 8693 section 2.1).
    pub enum RawActor {
        /// It is: the one that its client gets for itself (client credentials grant, RFC 6749 section 4.4).
        Own = "own",
        /// It is not.
        None = "none",
    }
}

record! {
    /// A token service.
    pub struct RawServer {
        /// What routes call it.
        name: String = "name";
        /// How it speaks.
        profile: RawProfile = "profile";
        /// Its issuer identifier, as `iss` of the tokens that it issues has it.
        issuer: String = "issuer";
        /// Its token endpoint.
        token: RawEndpoint = "token";
        /// Whose client asks.
        client: RawClientOf = "client", RawClientOf { of: RawWhose::Caller, id: None };
        /// Clients, and how each shows who it is.
        clients: Vec<RawClient> = "clients";
        /// As what the caller's token is sent; as the profile has it, if absent.
        subject: Option<RawSubject> = "subject", None;
        /// Whether the agent's own token is sent beside it; as the profile has it, if absent.
        actor: Option<RawActor> = "actor", None;
        /// With `id-jag`: the server of the resource, where its assertion becomes a token; one of `servers`.
        redeem_at: Option<String> = "redeemAt", None;
        /// Which scopes it may be asked for, by the scopes of the token that the request brought; `*` stands for any token.
        /// If absent, a scope stands for itself alone.
        scopes: Vec<(String, Vec<String>)> = "scopes", Vec::new();
        /// Where its users consent to a client: its authorization endpoint, with a query if it wants one. Needs `consent`.
        consent_page: Option<String> = "consentPage", None;
        /// Whether the token that the request brought must say that the agent may act (`may_act`, RFC 8693 section 4.4). Where
        /// it says who may, that holds in any case.
        may_act: bool = "mayAct", false;
        /// What its answers look like, where that is not as the profile has it.
        answer: RawAnswer = "answer", RawAnswer { agent: None, opaque: false, audiences: Vec::new(), scopes: None };
    }
}

record! {
    /// An endpoint that is called through the proxy.
    pub struct RawEndpoint {
        /// The proxy's name of the cluster.
        cluster: String = "cluster";
        /// `:authority` of the call; with TLS also the name that the certificate must have.
        authority: String = "authority";
        /// `:path` of the call.
        path: String = "path";
        /// How long to wait, from 1ms to 9s.
        timeout: Duration = "timeout", Duration::from_secs(2);
    }
}

record! {
    /// Whose client asks.
    pub struct RawClientOf {
        /// Whose.
        of: RawWhose = "of";
        /// With `of: gate`: the client.
        id: Option<String> = "id", None;
    }
}

record! {
    /// An OAuth client.
    pub struct RawClient {
        /// Its `client_id`.
        id: String = "id";
        /// How it shows who it is.
        auth: RawAuth = "auth";
    }
}

record! {
    /// How a client shows who it is.
    pub struct RawAuth {
        /// The method.
        method: RawMethod = "method";
        /// Its secret, for `client_secret_basic` and `client_secret_post`.
        secret: Option<RawSecret> = "secret", None;
        /// Its private key, for `private_key_jwt`: a JWK, or PEM with PKCS#8, SEC 1 or PKCS#1; P-256, Ed25519 or RSA. To sign with
        /// RSA costs some 11 ms in the module, with the others less than one: prefer them.
        key: Option<RawSecret> = "key", None;
        /// What the token service knows this key as; `kid` of the JWK, if absent.
        key_id: Option<String> = "keyId", None;
        /// Where its JWT-SVID is fetched, for `jwt-spiffe`: a bridge to the SPIFFE Workload API, whose answer is the SVID and nothing
        /// else. It is fetched again when half of its life has passed; the last good one is used until its `exp`.
        svid: Option<RawFrom> = "svid", None;
        /// The SPIFFE id that its SVID must have; that of the client's agent in `identity.agents`, if absent.
        spiffe: Option<String> = "spiffe", None;
        /// The one `aud` of its assertions or its SVID; the issuer of the server, if absent. Some want the URL of their token
        /// endpoint.
        audience: Option<String> = "audience", None;
    }
}

choice! {
    /// How a token says which agent acts.
    pub enum RawAgentClaim {
        /// `act.sub`, the outermost one, is the agent's client or SPIFFE id (RFC 8693 section 4.1).
        Act = "act",
        /// `azp`, `client_id`, `cid` or `appid` is the agent's client.
        Client = "client",
        /// It does not; whoever uses the token is taken for the user. `wardpoint check` warns.
        None = "none",
    }
}

record! {
    /// What answers look like.
    pub struct RawAnswer {
        /// How an issued token says which agent acts; as the profile has it, if absent.
        agent: Option<RawAgentClaim> = "agent", None;
        /// Issued tokens may be opaque: then only the answer around them is checked. `wardpoint check` warns.
        opaque: bool = "opaque", false;
        /// Audiences that stand beside the target in its tokens.
        audiences: Vec<String> = "audiences", Vec::new();
        /// Scopes that it adds to every token without being asked; as the profile has it, if absent.
        scopes: Option<Vec<String>> = "scopes", None;
    }
}

record! {
    /// What a chain of actors may be (rules.md 3.9).
    pub struct RawChain {
        /// Most actors.
        depth: u32 = "depth", 4;
        /// The actors that may be in it; any, if absent.
        known: Option<Vec<String>> = "known", None;
    }
}

record! {
    /// A destination.
    pub struct RawRoute {
        /// What it is called in audit and metrics; the words of service, cluster, host and path, if absent: `tools-example-mcp`.
        id: Option<String> = "id", None;
        /// In Istio: the host name of the service that the proxy sends the request to, whatever its `Host` says. It is the last part of
        /// the name of a cluster, `inbound-vip|8080|http|files.tools.svc.cluster.local`. `service`, `upstreamCluster` or `host` is required.
        service: Option<String> = "service", None;
        /// The whole name of the cluster that the proxy sends the request to (`xds.cluster_name`, by the route that it took before its
        /// filters ran). A request of which the proxy does not say it is refused.
        upstream_cluster: Option<String> = "upstreamCluster", None;
        /// The host as `:authority` has it, in lower case and without port; `*.` before it stands for one label. It is what the caller
        /// says: enough where the proxy goes by it, not in a waypoint that stands before several services. Any, if absent.
        host: Option<String> = "host", None;
        /// The port of `host`; any, if absent.
        port: Option<u32> = "port", None;
        /// The path and all below it.
        path: String = "path", "/".to_owned();
        /// Only calls of these tools (MCP, `tools/call`), by their exact names; every other request takes the route without `tools`. Needs
        /// `hostProfile.holdHeaders`: the body says which tool it is, and `Mcp-Name` must say the same.
        tools: Vec<String> = "tools", Vec::new();
        /// What becomes of its requests.
        action: RawAction = "action", RawAction::Exchange;
        /// With `action: reference`: the SPIFFE id of the agent behind it.
        agent: Option<String> = "agent", None;
        /// The token service, by its name.
        server: Option<String> = "server", None;
        /// The audience of the token, a logical name.
        audience: Option<String> = "audience", None;
        /// The resource of the token, an absolute URI (RFC 8707).
        resource: Option<String> = "resource", None;
        /// The scopes to ask for. The issued token has these and no others.
        scopes: Vec<String> = "scopes", Vec::new();
        /// Longest life of an issued token.
        max_life: Duration = "maxLifetime", Duration::from_secs(300);
    }
}

record! {
    /// What is too large.
    pub struct RawLimits {
        /// Largest body in bytes of a request whose route depends on its tool. Below the proxy's buffer limit (1 MiB by default).
        max_body_bytes: u32 = "maxBodyBytes", DEFAULT_BODY;
    }
}

/// Below Envoy's default buffer limit of 1 MiB, so that the answer is ours and not a bare 413 of the proxy.
const DEFAULT_BODY: u32 = 1_000_000;

record! {
    /// Tokens that are kept.
    pub struct RawCache {
        /// Most tokens that one worker of the proxy keeps; 0 keeps none.
        tokens: u32 = "tokens", 10_000;
        /// How long before its end a token is no longer used.
        skew: Duration = "skew", Duration::from_secs(30);
        /// How long a refusal of the token service is repeated without asking it again; at most 10s.
        refusals: Duration = "refusals", Duration::from_secs(2);
    }
}

impl Default for RawCache {
    fn default() -> Self {
        Self { tokens: 10_000, skew: Duration::from_secs(30), refusals: Duration::from_secs(2) }
    }
}
