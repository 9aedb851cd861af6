//! Token services as they behave in source (capabilities.md 1.3, 1.4; parts.md 1; rules.md 3.8), written for these tests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by it")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wardpoint_core::http::Headers;
use wardpoint_core::jws::Stated;
use wardpoint_core::oauth::{Issued, TokenType};
use wardpoint_core::time::{Duration, Timestamp};
use wardpoint_core::token_exchange::authority::{Askable, ChainLimits, ScopeMap};
use wardpoint_core::token_exchange::issued::{Expected, Narrowed, Refusal};
use wardpoint_core::token_exchange::profile::Profile;

pub(crate) const NOW: u64 = 1_795_251_600;
pub(crate) const IDP: &str = "https://idp.example/realms/agents";
pub(crate) const GATE: &str = "https://gate.example";

/// A token service: a request becomes claims and an answer.
pub(crate) struct Server {
    pub(crate) profile: Profile,
    /// Claims of the subject token, those of the actor token, who asks, for what: the claims of the new token.
    pub(crate) issue: fn(&Value, Option<&Value>, &Request) -> Value,
}

/// What reaches a token service.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) client: String,
    pub(crate) audience: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) scopes: Vec<String>,
}

/// RFC 8693 section 4.1: the client acts, and inside it those who acted before.
pub(crate) const HONEST: Server = Server {
    profile: Profile::RFC8693,
    issue: |subject, _, request| {
        let mut act = json!({"sub": request.client});
        if let Some(before) = subject.get("act") {
            act["act"] = before.clone();
        }
        claims(subject, request, json!({"act": act, "client_id": request.client}))
    },
};

/// Keycloak 26.7: no `act`, scopes of the client whatever the subject has, default scopes added, a life of its own.
pub(crate) const KEYCLOAK: Server = Server {
    profile: Profile::KEYCLOAK,
    issue: |subject, _, request| {
        let scope = format!("{} profile", request.scopes.join(" "));
        claims(subject, request, json!({"azp": request.client, "scope": scope, "exp": NOW + 300, "typ": "Bearer"}))
    },
};

/// ThunderID: `resource` sets `aud`, what the subject lacks is dropped in silence, `act` is that of the actor.
pub(crate) const THUNDERID: Server = Server {
    profile: Profile::THUNDERID,
    issue: |subject, actor, request| {
        let has: Vec<&str> = subject["scope"].as_str().unwrap_or_default().split(' ').collect();
        let scopes: Vec<&str> = request.scopes.iter().map(String::as_str).filter(|scope| has.contains(scope)).collect();
        let audience = request.resource.as_deref().unwrap_or(&request.client);
        let mut more = json!({"client_id": request.client, "aud": audience, "scope": scopes.join(" ")});
        if let Some(actor) = actor {
            more["act"] = json!({"sub": actor["sub"], "iss": actor["iss"]});
            if let Some(inner) = actor.get("act") {
                more["act"]["act"] = inner.clone();
            }
        }
        claims(subject, request, more)
    },
};

/// Auth0: the client is the actor.
pub(crate) const AUTH0: Server = Server {
    profile: Profile::AUTH0,
    issue: |subject, actor, request| {
        let mut issued = (HONEST.issue)(subject, actor, request);
        issued.as_object_mut().unwrap().remove("client_id");
        merge(issued, json!({"azp": request.client, "aud": [request.audience]}))
    },
};

/// Okta: `cid` and a list in `scp`.
pub(crate) const OKTA: Server = Server {
    profile: Profile::OKTA,
    issue: |subject, _, request| {
        let mut issued = claims(subject, request, json!({"cid": request.client, "uid": "00u1", "scp": request.scopes}));
        issued.as_object_mut().unwrap().remove("scope");
        issued
    },
};

/// Entra: `sub` is another for each client, `oid` is not; `scp` has the scopes without the prefix.
pub(crate) const ENTRA: Server = Server {
    profile: Profile::ENTRA_OBO,
    issue: |subject, _, request| {
        let short: Vec<&str> = request.scopes.iter().map(|scope| scope.rsplit('/').next().unwrap()).collect();
        let pairwise = format!("pairwise-{}", request.client);
        let more = json!({"azp": request.client, "sub": pairwise, "oid": subject["oid"], "scp": short.join(" ")});
        let mut issued = claims(subject, request, more);
        issued.as_object_mut().unwrap().remove("scope");
        issued
    },
};

fn claims(subject: &Value, request: &Request, more: Value) -> Value {
    let audience = request.audience.as_ref().or(request.resource.as_ref());
    let plain =
        json!({"iss": IDP, "sub": subject["sub"], "aud": audience, "scope": request.scopes.join(" "), "exp": subject["exp"]});
    merge(plain, more)
}

pub(crate) fn merge(mut into: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        into[name] = value.clone();
    }
    into
}

/// A token with these claims. Nobody looks at the signature.
pub(crate) fn token(kind: Option<&str>, claims: &Value) -> String {
    let header = kind.map_or(json!({"alg": "RS256", "kid": "a"}), |kind| json!({"alg": "RS256", "kid": "a", "typ": kind}));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&header), part(claims))
}

pub(crate) fn stated(claims: &Value) -> Stated {
    Stated::read(token(Some("JWT"), claims).as_bytes()).unwrap()
}

/// The token of the user, for us.
pub(crate) fn alice(scope: &str) -> Value {
    json!({"iss": IDP, "sub": "alice", "oid": "oid-1", "aud": GATE, "azp": "chat-ui", "scope": scope, "exp": NOW + 600})
}

/// An answer of 200 around a token.
pub(crate) fn answer(claims: &Value, members: Value) -> Issued {
    let plain = json!({
        "access_token": token(Some("JWT"), claims), "issued_token_type": TokenType::AccessToken.urn(),
        "token_type": "Bearer", "expires_in": 300,
    });
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    Issued::read(200, &headers, merge(plain, members).to_string().as_bytes()).unwrap()
}

/// One exchange at a gate.
#[derive(Clone)]
pub(crate) struct Hop {
    pub(crate) profile: Profile,
    pub(crate) subject: Value,
    pub(crate) actor: Option<Value>,
    pub(crate) client: String,
    pub(crate) names: Vec<String>,
    pub(crate) audience: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) route: Vec<String>,
    pub(crate) map: ScopeMap,
    pub(crate) chain: ChainLimits,
    pub(crate) max_life: u64,
    pub(crate) opaque: bool,
    pub(crate) beside: Vec<String>,
}

pub(crate) fn texts(text: &str) -> Vec<String> {
    text.split(' ').filter(|part| !part.is_empty()).map(Into::into).collect()
}

impl Hop {
    /// Through `agent` to the tool, with the scopes of a route.
    pub(crate) fn new(server: &Server, subject: Value, agent: &str, route: &str) -> Self {
        let thunder = server.profile == Profile::THUNDERID;
        Self {
            profile: server.profile,
            subject,
            actor: thunder.then(|| json!({"iss": IDP, "sub": agent, "client_id": agent, "aud": IDP, "exp": NOW + 300})),
            client: agent.into(),
            names: vec![agent.into(), format!("spiffe://example.org/{agent}")],
            audience: (!thunder).then(|| "tool".into()),
            resource: thunder.then(|| "https://tool.example/mcp".into()),
            route: texts(route),
            map: ScopeMap::default(),
            chain: ChainLimits::default(),
            max_life: 600,
            opaque: false,
            beside: Vec::new(),
        }
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            client: self.client.clone(),
            audience: self.audience.clone(),
            resource: self.resource.clone(),
            scopes: Askable::new(&self.route, &stated(&self.subject), &self.map).scopes().to_vec(),
        }
    }

    /// What the server issues.
    pub(crate) fn issue(&self, server: &Server) -> Value {
        (server.issue)(&self.subject, self.actor.as_ref(), &self.request())
    }

    /// What is done with an answer.
    pub(crate) fn judge(&self, issued: Issued) -> Result<Narrowed, Refusal> {
        let (subject, actor) = (stated(&self.subject), self.actor.as_ref().map(stated));
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let expected = Expected {
            profile: &self.profile,
            issuer: IDP,
            subject: &subject,
            actor: actor.as_ref(),
            agent: &names,
            client: &self.client,
            audience: self.audience.as_deref(),
            resource: self.resource.as_deref(),
            beside: &self.beside,
            ours: &[GATE.to_owned()],
            asked: &Askable::new(&self.route, &subject, &self.map),
            besides: self.profile.besides,
            max_life: Duration::from_secs(self.max_life),
            opaque: self.opaque,
            chain: &self.chain,
            now: Timestamp::from_secs(NOW),
        };
        expected.judge(issued)
    }

    /// The whole exchange, with claims changed on the way.
    pub(crate) fn with(&self, server: &Server, claims: Value) -> Result<Narrowed, Refusal> {
        self.judge(answer(&merge(self.issue(server), claims), json!({})))
    }
}
