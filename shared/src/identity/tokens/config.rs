//! From the configuration of issuers to what verifies their tokens.

use super::Authority;
use super::introspection::RawIntrospection;
use super::requirement::RawRequirement;
use super::status::RawStatusList;
use crate::config::{Decode, Problems, record};
use crate::identity::from::RawFrom;
use crate::identity::revocation::RawRevocation;
use crate::identity::{ClaimPath, Document, Fetching, Peer, RawAgent, RawClaims, RawIdentity, Side};
use crate::json::{Node, has_control};
use crate::jws::{Algorithm, Issuer, KeySet, MAX_SKEW};
use crate::time::Duration;

record! {
    /// Who the caller is and where that is read from, for a plugin that can verify tokens itself.
    pub struct RawOwnIdentity {
        /// On which side of the call this proxy stands.
        direction: Side = "direction", Side::Inbound;
        /// Where the peer's SPIFFE id stands.
        peer: Peer = "peer";
        /// Where the proxy left the verified claims. Not together with `tokens`.
        claims: Option<RawClaims> = "claims", None;
        /// Whose tokens are verified here, in the place of the proxy.
        tokens: Vec<RawIssuer> = "tokens", Vec::new();
        /// What was revoked or suspended.
        revocation: Option<RawRevocation> = "revocation", None;
        /// Which OAuth client belongs to which SPIFFE id.
        agents: Vec<RawAgent> = "agents", Vec::new();
    }
}

record! {
    /// An issuer, and what its access tokens are.
    pub struct RawIssuer {
        /// `iss` of its tokens, byte for byte (OA-J-06).
        issuer: String = "issuer";
        /// Who we are: `aud` must name one of these (OA-J-07).
        audiences: Vec<String> = "audiences";
        /// The algorithms that it signs with (OA-J-02).
        algorithms: Vec<Algorithm> = "algorithms", vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519];
        /// The values of `typ` that its access tokens have (OA-J-05); many servers write `JWT`.
        types: Vec<String> = "types", vec!["at+jwt".to_owned()];
        /// Whether its access tokens may have no `typ`.
        untyped: bool = "untyped", false;
        /// Its keys: where they are fetched, or the JWK Set itself (RFC 7517 section 5).
        jwks: RawJwks = "jwks";
        /// How far its clock may be from ours; at most `60s` (OA-J-08).
        skew: Duration = "skew", MAX_SKEW;
        /// How long a token may live, from `iat` to `exp`; `iat` is then required (OA-J-08).
        longest_life: Option<Duration> = "longestLife", None;
        /// Whether `aud` may name nobody but us (OA-J-07).
        only_us: bool = "onlyUs", false;
        /// The way to the claim that holds roles or groups.
        roles: Option<ClaimPath> = "roles", None;
        /// Lists of statuses that its tokens name, and where they are fetched (OA-R-06). With any of them a token that names
        /// another one is refused; without, what tokens say of their status is not looked at.
        status_lists: Vec<RawStatusList> = "statusLists", Vec::new();
        /// Whether the issuer is asked at each token, and where (RFC 7662).
        introspection: Option<RawIntrospection> = "introspection", None;
        /// How and when the user must have logged in (RFC 9470).
        requires: Option<RawRequirement> = "requires", None;
    }
}

record! {
    /// Where a JWK Set is fetched.
    pub struct RawFetch {
        /// The proxy's name of the upstream cluster.
        cluster: String = "cluster";
        /// `:authority` of the request; with TLS also the name that the certificate must have.
        authority: String = "authority";
        /// `:path` of the request: that of the issuer's `jwks_uri`.
        path: String = "path";
        /// How long to wait for the answer; at most `5s`.
        timeout: Duration = "timeout", Duration::from_secs(2);
        /// How long a set is fresh; then it is fetched again, in the background.
        refresh: Duration = "refresh", Duration::from_secs(300);
        /// How long the last good set may be used where no fetch succeeds. Then no token of this issuer is accepted.
        keep: Duration = "keep", Duration::from_secs(3600);
        /// The least time between two fetches because of keys that are not in the set (BY-T-18).
        cool_down: Duration = "coolDown", Duration::from_secs(30);
    }
}

/// Where keys come from.
#[derive(Clone, Debug, PartialEq)]
pub enum RawJwks {
    /// They are fetched.
    Fetch(RawFetch),
    /// They stand here: a map with a list `keys`.
    Inline(Node),
}

impl Decode for RawJwks {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node {
            Node::Map(members) if members.iter().any(|(name, _)| name == "keys") => Some(Self::Inline(node.clone())),
            _ => RawFetch::decode(node, problems).map(Self::Fetch),
        }
    }

    fn schema() -> String {
        let inline = r#"{"type":"object","required":["keys"],"properties":{"keys":{"type":"array","items":{"type":"object"}}}}"#;
        format!(r#"{{"oneOf":[{},{inline}]}}"#, RawFetch::schema())
    }
}

/// Kinds of tokens that are never access tokens (OA-J-05, BY-T-11).
const OTHER_KINDS: [&str; 9] = [
    "dpop+jwt",
    "id_token+jwt",
    "logout+jwt",
    "oauth-id-jag+jwt",
    "secevent+jwt",
    "statuslist+jwt",
    "token-introspection+jwt",
    "txntoken+jwt",
    "wit+jwt",
];

impl RawOwnIdentity {
    /// What every plugin reads of it, and the rest. Adds a problem where claims have two sources.
    pub fn split(self, problems: &mut Problems) -> (RawIdentity, Vec<RawIssuer>, Option<RawRevocation>) {
        if self.claims.is_some() && !self.tokens.is_empty() {
            problems.field("tokens", |p| p.add("`claims` are verified by the proxy already. Leave out one of the two"));
        }
        let Self { direction, peer, claims, tokens, revocation, agents } = self;
        (RawIdentity { direction, peer, claims, agents }, tokens, revocation)
    }
}

/// The issuers; only good if no problem was added. The path of `problems` is that of the list.
pub(super) fn compile(raw: &[RawIssuer], problems: &mut Problems) -> Vec<Authority> {
    let mut found: Vec<Authority> = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        problems.item(index, |p| {
            if found.iter().any(|known| known.issuer.name() == raw.issuer) {
                p.field("issuer", |p| p.add("is there twice. Write its audiences and types into one item"));
            }
            found.extend(authority(raw, p));
        });
    }
    found
}

fn authority(raw: &RawIssuer, problems: &mut Problems) -> Option<Authority> {
    let is_plain = |text: &str| !text.is_empty() && !has_control(text);
    if !is_plain(&raw.issuer) {
        problems.field("issuer", |p| p.add("names no issuer. Write `iss` of its tokens"));
    }
    problems.field("audiences", |p| {
        if raw.audiences.is_empty() {
            p.add("is empty: no token would be meant for us. Write the `aud` that names this gate");
        }
        for (index, _) in raw.audiences.iter().enumerate().filter(|(_, name)| !is_plain(name)) {
            p.item(index, |p| p.add("names nobody"));
        }
    });
    if raw.algorithms.is_empty() {
        problems.field("algorithms", |p| p.add("is empty: every token would be refused"));
    }
    problems.field("types", |p| {
        if raw.types.is_empty() && !raw.untyped {
            p.add("is empty: every token would be refused. Write the `typ` of its access tokens, or `untyped: true`");
        }
        let bare = |kind: &str| kind.to_ascii_lowercase().trim_start_matches("application/").to_owned();
        for (index, kind) in raw.types.iter().enumerate().filter(|(_, kind)| OTHER_KINDS.contains(&bare(kind).as_str())) {
            p.item(index, |p| p.add(format!("`{kind}` is the type of another kind of token, never of an access token")));
        }
    });
    if raw.skew > MAX_SKEW {
        problems.field("skew", |p| p.add("is more than `60s`"));
    }
    let keys = problems.field("jwks", |p| match &raw.jwks {
        RawJwks::Fetch(fetch) => Some(Document::fetched(fetching(&raw.issuer, fetch, p))),
        RawJwks::Inline(node) => match KeySet::read(node.canonical().as_bytes()) {
            Ok(set) => Some(Document::inline(set)),
            Err(error) => {
                p.add(error.to_string());
                None
            }
        },
    });
    let requirement = raw.requires.as_ref().map(|raw| problems.field("requires", |p| raw.compile(p))).unwrap_or_default();
    let audiences: Vec<&str> = raw.audiences.iter().map(String::as_str).collect();
    let kinds: Vec<&str> = raw.types.iter().map(String::as_str).collect();
    let mut issuer = Issuer::new(&raw.issuer, &audiences)?
        .with_algorithms(&raw.algorithms)
        .with_kinds(&kinds, raw.untyped)
        .with_only_us(raw.only_us)
        .with_skew(raw.skew);
    if let Some(longest) = raw.longest_life {
        issuer = issuer.with_longest_life(longest);
    }
    if let Some(ClaimPath(path)) = &raw.roles {
        issuer = issuer.with_roles(&path.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let lists = raw.status_lists.iter().enumerate();
    let lists = problems.field("statusLists", |p| lists.map(|(at, list)| p.item(at, |p| list.compile(&raw.issuer, p))).collect());
    let introspection = raw.introspection.as_ref();
    let introspection = introspection.map(|asked| problems.field("introspection", |p| asked.compile(&raw.issuer, p)));
    Some(Authority { issuer, requirement, keys: keys?, lists, introspection })
}

fn fetching(issuer: &str, raw: &RawFetch, problems: &mut Problems) -> Fetching {
    let RawFetch { cluster, authority, path, timeout, .. } = raw.clone();
    let from = RawFrom { cluster, authority, path, timeout };
    let call = from.compile("application/jwk-set+json, application/json", problems);
    let least = Duration::from_secs(1);
    if raw.refresh < least * 10 {
        problems.field("refresh", |p| p.add("is less than `10s`"));
    }
    if raw.keep < raw.refresh {
        problems.field("keep", |p| p.add("is less than `refresh`: there would be no keys between two fetches"));
    }
    if raw.cool_down < least {
        problems.field("coolDown", |p| p.add("is less than `1s`"));
    }
    Fetching { call, refresh: raw.refresh, keep: raw.keep, cool_down: raw.cool_down, name: from.name(issuer) }
}
