//! Authority only narrows, over chains of exchanges with servers that answer anything.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use wardpoint_core::token_exchange::authority::ChainLimits;
use wardpoint_core::token_exchange::issued::Refusal;

use crate::servers::{
    AUTH0, ENTRA, GATE, HONEST, Hop, IDP, KEYCLOAK, NOW, OKTA, Server, THUNDERID, alice, answer, merge, stated, texts,
};

const SCOPES: [&str; 5] = ["a", "b", "c", "ab", "admin"];
const AGENTS: [&str; 4] = ["planner", "writer", "reader", "spiffe://example.org/planner"];

fn scopes() -> impl Strategy<Value = String> {
    subsequence(SCOPES.to_vec(), 0..=SCOPES.len()).prop_map(|scopes| scopes.join(" "))
}

fn server() -> impl Strategy<Value = usize> {
    0..6_usize
}

fn of(index: usize) -> Server {
    [HONEST, KEYCLOAK, THUNDERID, AUTH0, OKTA, ENTRA].into_iter().nth(index).unwrap()
}

fn act(depth: u32) -> impl Strategy<Value = Value> {
    select(AGENTS.to_vec()).prop_map(|sub| json!({"sub": sub})).prop_recursive(depth, 8, 1, |inner| {
        (select(AGENTS.to_vec()), inner).prop_map(|(sub, inner)| json!({"sub": sub, "act": inner}))
    })
}

/// What a server may change on its way: anything, most of it sometimes.
fn change() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({})),
        1 => scopes().prop_map(|scope| json!({"scope": scope})),
        1 => subsequence(SCOPES.to_vec(), 0..4).prop_map(|scopes| json!({"scp": scopes})),
        1 => select(vec!["alice", "bob", "planner"]).prop_map(|sub| json!({"sub": sub})),
        1 => select(vec!["oid-1", "oid-2"]).prop_map(|oid| json!({"oid": oid})),
        1 => subsequence(vec!["tool", "https://tool.example/mcp", GATE, "other"], 0..=4).prop_map(|aud| json!({"aud": aud})),
        1 => (0..1000_u64).prop_map(|life| json!({"exp": NOW + life})),
        1 => act(5).prop_map(|act| json!({"act": act})),
        1 => select(AGENTS.to_vec()).prop_map(|client| json!({"client_id": client})),
        1 => select(vec![IDP, "https://other"]).prop_map(|iss| json!({"iss": iss})),
    ]
}

fn around() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({})),
        1 => scopes().prop_map(|scope| json!({"scope": scope})),
        1 => (0..1000_u64).prop_map(|life| json!({"expires_in": life})),
        1 => Just(json!({"access_token": "opaque"})),
        1 => select(vec!["Bearer", "DPoP", "N_A"]).prop_map(|usage| json!({"token_type": usage})),
    ]
}

fn one_hop() -> impl Strategy<Value = (usize, &'static str, String, Vec<Value>, Value, bool)> {
    let changes = proptest::collection::vec(change(), 0..3);
    (server(), select(AGENTS[..3].to_vec()), scopes(), changes, around(), any::<bool>())
}

/// The scopes that are an authority; those that a server always adds are none.
fn granted(claims: &Value, hop: &Hop) -> Vec<String> {
    let scopes = stated(claims).scopes.unwrap_or_default();
    scopes.iter().filter(|scope| !hop.profile.besides.contains(scope)).map(str::to_owned).collect()
}

fn is_within(inner: &[String], outer: &[String]) -> bool {
    inner.iter().all(|scope| outer.contains(scope))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn authority_only_narrows(first in scopes(), life in 0..900_u64, hops in proptest::collection::vec(one_hop(), 1..5)) {
        let origin = merge(alice(&first), json!({"exp": NOW + life}));
        let mut subject = origin.clone();
        for (index, agent, route, changes, around, opaque) in hops {
            let server = of(index);
            let hop = Hop { opaque, chain: ChainLimits { depth: 8, known: None }, ..Hop::new(&server, subject.clone(), agent, &route) };
            let claims = changes.into_iter().fold(hop.issue(&server), merge);
            let Ok(narrowed) = hop.judge(answer(&claims, around)) else { break };
            let (had, route) = (granted(&subject, &hop), texts(&route));
            prop_assert!(is_within(&narrowed.scopes, &had) && is_within(&narrowed.scopes, &route), "{narrowed:?}");
            prop_assert!(is_within(&narrowed.scopes, &texts(&first)), "wider than the first of the chain");
            let ends = narrowed.expires.as_secs();
            prop_assert!(ends > NOW && ends <= NOW + life && ends <= NOW + hop.max_life);
            if narrowed.opaque {
                prop_assert!(opaque);
                break;
            }
            let (old, new) = (stated(&subject), stated(&claims));
            prop_assert!(is_within(&granted(&claims, &hop), &hop.request().scopes), "what the token itself says");
            if index == 5 {
                prop_assert!(new.object.is_some() && new.object == old.object);
            } else {
                prop_assert_eq!(&new.subject, &old.subject);
            }
            prop_assert_eq!(new.issuer.as_deref(), Some(IDP));
            prop_assert!(!new.audience.iter().any(|name| name == GATE || name == "other"));
            let outermost = new.actors.first().map(|actor| &*actor.subject).or(new.client.as_deref());
            prop_assert!(hop.names.iter().any(|name| Some(name.as_str()) == outermost), "another agent");
            // Entra's `sub` is its own affair.
            subject = merge(claims, json!({"aud": GATE, "sub": old.subject.as_deref(), "exp": ends}));
        }
    }

    /// Of servers that do what they should, nothing is refused that narrows.
    #[test]
    fn what_is_honest_is_let_through(index in server(), first in scopes(), route in scopes(), life in 1..600_u64) {
        let server = of(index);
        let hop = Hop::new(&server, merge(alice(&first), json!({"exp": NOW + life})), "planner", &route);
        let narrowed = hop.with(&server, json!({}));
        let asked = hop.request().scopes;
        let want = if asked.is_empty() { Err(Refusal::NothingGranted) } else { Ok(asked) };
        prop_assert_eq!(narrowed.map(|narrowed| narrowed.scopes), want);
    }

    /// RFC 8693 section 4.1: whoever acted before can be a reason to refuse and never one to allow.
    #[test]
    fn prior_actors_grant_nothing(first in scopes(), route in scopes(), prior in act(4), change in change(), around in around()) {
        prop_assume!(change.get("act").is_none());
        let judge = |subject: Value| {
            let hop = Hop { chain: ChainLimits { depth: 8, known: None }, ..Hop::new(&HONEST, subject, "planner", &route) };
            hop.judge(answer(&merge(hop.issue(&HONEST), change.clone()), around.clone()))
        };
        let without = judge(alice(&first));
        if let Ok(with) = judge(merge(alice(&first), json!({"act": prior}))) {
            let without = without.unwrap();
            prop_assert_eq!((with.scopes, with.expires), (without.scopes, without.expires));
        }
    }
}
