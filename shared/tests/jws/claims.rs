//! Claims (OA-J-05…12, BY-T-11…16), and who bears the token (rules.md 3.9).
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use serde_json::{Value, json};
use wardpoint_core::audit::Subject;
use wardpoint_core::filter::Properties;
use wardpoint_core::identity::{Caller, Peer, RawAgent, RawIdentity, Scopes, Side, Source};
use wardpoint_core::jws::TokenError::*;
use wardpoint_core::jws::{Algorithm, Issuer, TokenError, Verified};
use wardpoint_core::policy::Reason;
use wardpoint_core::time::{Duration, Timestamp};

use crate::host::Both;
use crate::signers::{all_keys, header, sign, with};

const SECS: u64 = 1_795_251_600;
pub(crate) const NOW: Timestamp = Timestamp::from_secs(SECS);

/// Claims that are as they should be.
pub(crate) fn good() -> Value {
    json!({
        "iss": "https://idp", "sub": "alice", "aud": "https://tool", "client_id": "app", "scope": "files:read files:write",
        "iat": SECS - 60, "exp": SECS + 240, "jti": "1",
    })
}

/// What allows every algorithm.
pub(crate) fn issuer() -> Issuer {
    Issuer::new("https://idp", &["https://tool", "tool"]).unwrap().with_algorithms(&Algorithm::ALL)
}

pub(crate) fn verify(issuer: &Issuer, token: &str) -> Result<Verified, TokenError> {
    issuer.verify(token.as_bytes(), &all_keys(), NOW, &mut Both::default())
}

/// What a token with these claims, rightly signed, is taken for.
fn of_text(issuer: &Issuer, claims: &str) -> Result<Verified, TokenError> {
    verify(issuer, &sign(Algorithm::Es256, &header(Algorithm::Es256).to_string(), claims))
}

fn of(members: Value) -> Result<Verified, TokenError> {
    of_text(&issuer(), &with(good(), members).to_string())
}

fn without(claim: &str) -> Result<Verified, TokenError> {
    let mut claims = good();
    claims.as_object_mut().unwrap().shift_remove(claim).unwrap();
    of_text(&issuer(), &claims.to_string())
}

#[test]
fn what_is_verified() {
    let found = of(json!({"nbf": SECS, "act": {"sub": "planner", "act": {"sub": "front"}}})).unwrap();
    assert_eq!(found.bearer.issuer.as_deref(), Some("https://idp"));
    assert_eq!(found.bearer.subject.as_deref(), Some("alice"));
    assert_eq!(found.bearer.client.as_deref(), Some("app"));
    assert_eq!(found.bearer.scopes, Scopes::read("files:read files:write"));
    assert_eq!(found.bearer.actors, ["planner", "front"]);
    assert_eq!(found.bearer.expires, Some(Timestamp::from_secs(SECS + 240)));
    assert_eq!((found.audience, found.id), (vec!["https://tool".to_owned()], Some("1".to_owned())));
    assert_eq!((found.expires, found.issued), (Timestamp::from_secs(SECS + 240), Some(Timestamp::from_secs(SECS - 60))));
}

/// RFC 9068 section 2.2, as far as it is needed here.
#[test]
fn claims_that_must_be_there() {
    for claim in ["iss", "sub", "aud", "exp"] {
        assert_eq!(without(claim), Err(ClaimMissing(claim)));
    }
    for claim in ["iat", "jti", "client_id", "scope"] {
        assert!(without(claim).is_ok(), "{claim}");
    }
}

/// BY-T-09, BY-T-12, BY-T-13, BY-T-15: another type is never read as something near it.
#[test]
fn claims_of_another_type() {
    let others =
        [json!(null), json!(true), json!(7), json!({}), json!([]), json!(["a"]), json!(""), json!("a\u{0}b"), json!([1])];
    for claim in ["iss", "sub", "jti", "client_id", "azp", "cid", "appid", "typ", "idtyp", "gty"] {
        for value in &others {
            // A name for the client that is not one cannot agree either; the first fault counts.
            let mut claims = good();
            claims.as_object_mut().unwrap().shift_remove("client_id");
            assert_eq!(
                of_text(&issuer(), &with(claims, json!({claim: value})).to_string()),
                Err(ClaimMalformed(claim)),
                "{value}"
            );
        }
    }
    for value in
        [json!(null), json!(7), json!({}), json!([7]), json!([["https://tool"]]), json!(["https://tool", null]), json!("")]
    {
        assert_eq!(of(json!({"aud": value})), Err(ClaimMalformed("aud")));
    }
    for claim in ["exp", "nbf", "iat"] {
        for value in [json!("1795251700"), json!(null), json!([SECS]), json!(true), json!({})] {
            assert_eq!(of(json!({claim: value})), Err(ClaimMalformed(claim)));
        }
        // Beyond what a double holds; beyond what is read of a number at all.
        let text = |number: &str| good().to_string().replacen('{', &format!(r#"{{"{claim}":{number},"#), 1);
        let text = |number: &str| match claim {
            "nbf" => text(number),
            _ => text(number).replace(&format!(r#","{claim}":{}"#, good()[claim]), ""),
        };
        assert_eq!(of_text(&issuer(), &text("1e400")), Err(ClaimMalformed(claim)));
        assert_eq!(of_text(&issuer(), &text(&"9".repeat(65))), Err(ClaimsUnreadable));
    }
    for value in [json!(null), json!(7), json!(["files:read"]), json!({}), json!("a\tb"), json!("a\nb")] {
        assert_eq!(of(json!({"scope": value})), Err(ClaimMalformed("scope")));
    }
    for text in ["", "[]", "\"alice\"", "{} {}", r#"{"iss":"https://idp","iss":"https://idp"}"#, "{\"x\":\"\u{1}\"}"] {
        assert_eq!(of_text(&issuer(), text), Err(ClaimsUnreadable), "{text}");
    }
    // Repeated anywhere, by whatever escape.
    let twice = good().to_string().replacen('{', r#"{"s\u0075b":"mallory","#, 1);
    assert_eq!(of_text(&issuer(), &twice), Err(ClaimsUnreadable));
    assert_eq!(of(json!({"address": json!({"a": 1})})).map(drop), Ok(()));
}

/// OA-J-06, BY-T-14.
#[test]
fn iss_byte_for_byte() {
    for iss in ["https://idp/", "https://IDP", "HTTPS://idp", "http://idp", "https://idp ", "https://idp:443", "idp"] {
        assert_eq!(of(json!({"iss": iss})), Err(IssuerRefused), "{iss}");
    }
}

/// OA-J-07, BY-T-12.
#[test]
fn aud_names_us() {
    for (aud, open, strict) in [
        (json!("https://tool"), true, true),
        (json!(["https://tool"]), true, true),
        (json!(["https://tool", "tool"]), true, true),
        (json!(["https://other", "https://tool"]), true, false),
        (json!("https://other"), false, false),
        (json!([]), false, false),
        (json!("https://tool/"), false, false),
        (json!("https://tool https://other"), false, false),
        (json!("HTTPS://TOOL"), false, false),
    ] {
        let claims = with(good(), json!({"aud": aud})).to_string();
        for (issuer, good) in [(issuer(), open), (issuer().with_only_us(true), strict)] {
            assert_eq!(of_text(&issuer, &claims).map(drop), if good { Ok(()) } else { Err(AudienceRefused) }, "{aud}");
        }
    }
    for (name, audiences) in [("", &["https://tool"][..]), ("https://idp", &[]), ("https://idp", &["https://tool", ""])] {
        assert_eq!(Issuer::new(name, audiences), None);
    }
}

/// OA-J-08, BY-T-13: to the second, with the skew and without.
#[test]
fn dates() {
    let within = |skew: u64| issuer().with_skew(Duration::from_secs(skew));
    for (skew, allowed) in [(0, 0), (30, 30), (60, 60), (3600, 60)] {
        for (members, error, edge) in [
            (json!({"exp": SECS - allowed}), Expired, json!({"exp": SECS - allowed + 1})),
            (json!({"nbf": SECS + allowed + 1}), NotYetValid, json!({"nbf": SECS + allowed})),
            (json!({"iat": SECS + allowed + 1}), IssuedInFuture, json!({"iat": SECS + allowed})),
        ] {
            assert_eq!(of_text(&within(skew), &with(good(), members.clone()).to_string()), Err(error), "{skew} {members}");
            assert!(of_text(&within(skew), &with(good(), edge.clone()).to_string()).is_ok(), "{skew} {edge}");
        }
    }
    // What a far date means is clear; nothing overflows.
    for (members, answer) in [
        (json!({"exp": 1e308}), Ok(())),
        (json!({"exp": SECS as f64 + 240.9}), Ok(())),
        (json!({"exp": 999_999_999_999_999_u64}), Ok(())),
        (json!({"exp": 9_999_999_999_999_999_u64}), Ok(())),
        (json!({"nbf": 999_999_999_999_999_u64}), Err(NotYetValid)),
        (json!({"nbf": 9_999_999_999_999_999_u64}), Err(NotYetValid)),
        (json!({"exp": -1}), Err(Expired)),
        (json!({"exp": -1e308}), Err(Expired)),
        (json!({"exp": 0}), Err(Expired)),
        (json!({"nbf": -1e308}), Ok(())),
        (json!({"nbf": 1e308}), Err(NotYetValid)),
        (json!({"iat": 1e308}), Err(IssuedInFuture)),
        (json!({"iat": -7.5}), Ok(())),
    ] {
        assert_eq!(of(members.clone()).map(drop), answer, "{members}");
    }
}

/// OA-J-08: the cap on the lifetime.
#[test]
fn a_token_may_not_live_too_long() {
    let short = issuer().with_longest_life(Duration::from_secs(300));
    assert!(of_text(&short, &good().to_string()).is_ok());
    assert_eq!(of_text(&short, &with(good(), json!({"iat": SECS - 61})).to_string()), Err(LivesTooLong));
    assert_eq!(of_text(&short, &good().to_string().replace("\"iat\"", "\"at\"")), Err(ClaimMissing("iat")));
}

/// OA-J-05, BY-T-11: what `typ` of the header does not say, the claims of another kind of token do.
#[test]
fn other_kinds_of_tokens_by_their_claims() {
    let jwt = issuer().with_kinds(&["JWT"], true);
    let typed = |members: Value| {
        let head = with(header(Algorithm::Es256), json!({"typ": "JWT"})).to_string();
        verify(&jwt, &sign(Algorithm::Es256, &head, &with(good(), members).to_string())).map(drop)
    };
    for foreign in [
        json!({"nonce": "n"}),
        json!({"at_hash": "h"}),
        json!({"c_hash": "h"}),
        json!({"s_hash": "h"}),
        json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        json!({"htm": "POST", "htu": "https://tool"}),
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
        json!({"typ": "Logout"}),
    ] {
        assert_eq!(typed(foreign.clone()), Err(NotAccessToken), "{foreign}");
    }
    assert_eq!(typed(json!({"typ": "Bearer"})), Ok(()));
    // A token that says it is an access token (RFC 9068 section 2.1) may say more.
    assert_eq!(of(json!({"nonce": "n"})).map(drop), Ok(()));
}

/// OA-J-12: a token that is bound to something is worth nothing as a bearer token.
#[test]
fn bound_tokens() {
    for (cnf, error) in [
        (json!({"jkt": "a"}), BoundToKey),
        (json!({"jwk": {}}), BoundToKey),
        (json!({"kid": "a"}), BoundToKey),
        (json!({"x5t#S256": "a"}), BoundToCertificate),
        (json!({"x5t#S256": "a", "other": 1}), BoundUnknown),
        (json!({"jku": "https://a"}), BoundUnknown),
        (json!({}), BoundUnknown),
        (json!(null), ClaimMalformed("cnf")),
        (json!("a"), ClaimMalformed("cnf")),
    ] {
        assert_eq!(of(json!({"cnf": cnf.clone()})), Err(error), "{cnf}");
    }
    // Keycloak marks such a token in `typ` too; the clearer reason wins.
    let head = with(header(Algorithm::Es256), json!({"typ": "JWT"})).to_string();
    let claims = with(good(), json!({"typ": "DPoP", "cnf": {"jkt": "a"}})).to_string();
    assert_eq!(verify(&issuer().with_kinds(&["JWT"], false), &sign(Algorithm::Es256, &head, &claims)), Err(BoundToKey));
}

/// OA-J-10.
#[test]
fn the_client_has_one_name() {
    for claim in ["client_id", "azp", "cid", "appid"] {
        let text = good().to_string().replace("client_id", claim);
        assert_eq!(of_text(&issuer(), &text).unwrap().bearer.client.as_deref(), Some("app"));
    }
    assert_eq!(of(json!({"azp": "app", "cid": "app"})).unwrap().bearer.client.as_deref(), Some("app"));
    for claim in ["azp", "cid", "appid"] {
        assert_eq!(of(json!({claim: "other"})), Err(ClaimsDisagree));
    }
}

/// OA-J-11, BY-T-15.
#[test]
fn scopes() {
    let scopes = |members: Value| of(members).map(|found| found.bearer.scopes.iter().collect::<Vec<_>>().join("|"));
    let none = |mut claims: Value, scp: Value| {
        claims.as_object_mut().unwrap().shift_remove("scope");
        of_text(&issuer(), &with(claims, json!({"scp": scp})).to_string())
            .map(|found| found.bearer.scopes.iter().collect::<Vec<_>>().join("|"))
    };
    for (scope, want) in [("a b", "a|b"), (" a  b ", "a|b"), ("", ""), ("a a", "a|a"), ("a\u{a0}b", "a\u{a0}b"), ("a,b", "a,b")] {
        assert_eq!(scopes(json!({"scope": scope})), Ok(want.to_owned()));
        assert_eq!(none(good(), json!(scope)), Ok(want.to_owned()));
    }
    assert_eq!(none(good(), json!(["a", "b"])), Ok("a|b".to_owned()));
    assert_eq!(none(good(), json!([])), Ok(String::new()));
    for scp in [json!(["a b"]), json!(["a", ""]), json!([["a"]]), json!([1]), json!({}), json!(null), json!(["a\tb"])] {
        assert_eq!(none(good(), scp), Err(ClaimMalformed("scp")));
    }
    assert_eq!(scopes(json!({"scp": ["files:read", "files:write"]})), Ok("files:read|files:write".to_owned()));
    for scp in [json!("files:read"), json!("files:read files:write admin"), json!([]), json!("files:write files:read")] {
        assert_eq!(scopes(json!({"scp": scp})), Err(ClaimsDisagree));
    }
    // Very many are as many.
    let many = (0..3000).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(
        of(json!({"scope": many})).map(|found| found.bearer.scopes.iter().count()).unwrap_or_default(),
        0,
        "the token is too long"
    );
    let many = (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(of(json!({"scope": many})).unwrap().bearer.scopes.iter().count(), 1000);
}

/// As where the proxy verified them: a string is a list of one, and what is not there is empty.
#[test]
fn groups() {
    let deep = issuer().with_roles(&["realm_access", "roles"]);
    let read = |claims: Value| of_text(&deep, &with(good(), claims).to_string()).map(|found| found.bearer.groups.join("|"));
    for (claims, want) in [
        (json!({"realm_access": {"roles": ["admin", "writer"], "other": 1}}), "admin|writer"),
        (json!({"realm_access": {"roles": "admin"}}), "admin"),
        (json!({"realm_access": {"roles": []}}), ""),
        (json!({"realm_access": {}}), ""),
        (json!({"roles": ["admin"], "x": {"realm_access": {"roles": ["admin"]}}}), ""),
    ] {
        assert_eq!(read(claims), Ok(want.to_owned()));
    }
    for value in [
        json!(null),
        json!("admin"),
        json!({"roles": null}),
        json!({"roles": [["admin"]]}),
        json!({"roles": [""]}),
        json!([{"roles": []}]),
    ] {
        assert_eq!(read(json!({"realm_access": value})), Err(ClaimMalformed("roles")));
    }
    let flat = issuer().with_roles(&["groups"]);
    let found = of_text(&flat, &with(good(), json!({"groups": ["a"]})).to_string());
    assert_eq!(found.unwrap().bearer.groups, ["a"]);
    assert!(of(json!({"groups": ["a"]})).unwrap().bearer.groups.is_empty(), "nobody asked for them");
}

/// RFC 8693 section 4.1, rules.md 3.9.
#[test]
fn chains_of_actors() {
    let chain = |length: usize| {
        (0..length).rev().fold(Value::Null, |inner, n| {
            if inner.is_null() { json!({"sub": n.to_string()}) } else { json!({"act": inner, "iss": "x", "sub": n.to_string()}) }
        })
    };
    for length in 1..=8 {
        let want: Vec<String> = (0..length).map(|n| n.to_string()).collect();
        assert_eq!(of(json!({"act": chain(length)})).unwrap().bearer.actors, want);
    }
    for length in [9, 12] {
        assert_eq!(of(json!({"act": chain(length)})), Err(TooManyActors));
    }
    assert_eq!(of(json!({"act": chain(40)})), Err(ClaimsUnreadable));
    for act in [
        json!({}),
        json!({"sub": 1}),
        json!({"sub": ""}),
        json!({"sub": "a", "act": null}),
        json!({"sub": "a", "act": {}}),
        json!("a"),
        json!([]),
        json!(null),
    ] {
        assert_eq!(of(json!({"act": act})), Err(ClaimMalformed("act")));
    }
}

const PLANNER: &str = "spiffe://cluster.local/ns/agents/sa/planner";
const WRITER: &str = "spiffe://cluster.local/ns/agents/sa/writer";

/// Who asks, if the peer is the planner.
fn caller(peer: Peer, members: Value) -> Result<Caller, Reason> {
    let agents = [(PLANNER, "planner"), (WRITER, "writer")]
        .map(|(spiffe, client)| RawAgent { spiffe: spiffe.into(), client: client.into() })
        .to_vec();
    let source = Source::new(RawIdentity { direction: Side::Outbound, peer, claims: None, agents }, None, &[]);
    let given: Vec<_> = source.properties().iter().map(|_| Ok(Some(PLANNER.as_bytes().to_vec()))).collect();
    source.read_with(Properties::new(&given), &of(members).unwrap().bearer)
}

/// The rules of identity hold whoever verified the token (OA-J-09, BY-T-16).
#[test]
fn who_asks() {
    let alice = || Some(Subject { issuer: Some("https://idp".into()), user: "alice".into(), owner: None });
    let found = caller(Peer::Waypoint, json!({})).unwrap();
    assert_eq!((found.agent.as_deref(), found.client.as_deref()), (Some(PLANNER), Some("planner")));
    assert_eq!((found.user, found.verified), (alice(), true));
    assert_eq!(found.expires, Some(Timestamp::from_secs(SECS + 240)));
    let found = caller(Peer::None, json!({"act": {"sub": "front"}})).unwrap();
    assert_eq!((found.agent.as_deref(), found.client.as_deref(), found.user), (Some("front"), Some("app"), alice()));
    // A token that claims to be an agent's must be the caller's.
    assert_eq!(caller(Peer::Waypoint, json!({"act": {"sub": WRITER}})), Err(Reason::AgentMismatch));
    assert_eq!(caller(Peer::Waypoint, json!({"client_id": "writer"})), Err(Reason::AgentMismatch));
    assert!(caller(Peer::Waypoint, json!({"act": {"sub": "planner"}})).is_ok());
    // A machine's own token names no user.
    for machine in [
        json!({"sub": "app"}),
        json!({"idtyp": "app"}),
        json!({"gty": "client-credentials"}),
        json!({"preferred_username": "service-account-app"}),
    ] {
        assert_eq!(caller(Peer::Waypoint, machine.clone()).unwrap().user, None, "{machine}");
    }
    for user in [
        json!({"idtyp": "user"}),
        json!({"gty": "password"}),
        json!({"preferred_username": "service-account-other"}),
        json!({"preferred_username": 7}),
    ] {
        assert_eq!(caller(Peer::Waypoint, user.clone()).unwrap().user, alice(), "{user}");
    }
}
