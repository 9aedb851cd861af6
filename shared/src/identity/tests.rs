use super::value::block;
use super::*;

const PLANNER: &str = "spiffe://cluster.local/ns/agents/sa/planner";
const WRITER: &str = "spiffe://cluster.local/ns/agents/sa/writer";

/// Names and values of claims.
type Claims<'a> = &'a [(&'a str, &'a [u8])];
/// A client and scopes.
type Named<'a> = (&'a str, &'a [&'a str]);
type Given = Vec<Result<Option<Vec<u8>>, crate::filter::PropertyError>>;

fn source(peer: Peer) -> Source {
    let agents = [(PLANNER, "planner"), (WRITER, "writer")]
        .map(|(spiffe, client)| RawAgent { spiffe: spiffe.into(), client: client.into() })
        .to_vec();
    let claims = Some(RawClaims { provider: "payload".into() });
    Source::new(RawIdentity { direction: Side::Inbound, peer, claims, agents }, Some(&["groups".to_owned()]), &[])
}

fn some(text: &str) -> Result<Option<Vec<u8>>, crate::filter::PropertyError> {
    Ok(Some(text.as_bytes().to_vec()))
}

/// The peer, the claims in the order of [`CLAIMS`], then the groups.
fn given(claims: Claims<'_>) -> Given {
    let claim = |name: &&str| Ok(claims.iter().rev().find(|(claim, _)| claim == name).map(|(_, value)| value.to_vec()));
    [some(PLANNER)].into_iter().chain(CLAIMS.iter().map(claim)).chain([Ok(None)]).collect()
}

fn waypoint(sub: &str, azp: &str, act: &[u8]) -> Given {
    let exp = 1_795_251_600.0_f64.to_le_bytes();
    let texts = [("iss", "https://idp"), ("sub", sub), ("scope", "files:read  b"), ("azp", azp)];
    given(&[&texts.map(|(name, value)| (name, value.as_bytes()))[..], &[("act", act), ("exp", &exp)]].concat())
}

fn read(source: &Source, given: &Given) -> Result<Caller, Reason> {
    source.read(Properties::new(given))
}

#[test]
fn a_user_s_token_names_user_scopes_and_the_peer_is_the_agent() {
    let caller = read(&source(Peer::Waypoint), &waypoint("alice", "chat-ui", b"")).unwrap();
    assert_eq!(caller.agent.as_deref(), Some(PLANNER));
    assert_eq!(caller.user, Some(Subject { issuer: Some("https://idp".into()), user: "alice".into(), owner: None }));
    assert_eq!(caller.scopes, Scopes::read("files:read b"));
    assert_eq!(caller.expires, Some(crate::time::Timestamp::from_secs(1_795_251_600)));
}

#[test]
fn an_agent_s_token_must_be_that_of_the_peer() {
    let source = source(Peer::Waypoint);
    let act = |name: &str| block(&[(b"sub", name.as_bytes())]);
    for (azp, act, fits) in [
        ("planner", vec![], true),
        ("writer", vec![], false),
        ("chat-ui", act("planner"), true),
        ("chat-ui", act(PLANNER), true),
        ("chat-ui", act("writer"), false),
        ("planner", act("stranger"), false),
    ] {
        let got = read(&source, &waypoint("alice", azp, &act));
        assert_eq!(got.is_ok(), fits, "azp {azp}");
        assert!(got.is_ok() || got == Err(Reason::AgentMismatch));
    }
}

#[test]
fn a_machine_s_own_token_names_no_user() {
    let marks: [(Claims<'_>, bool); 9] = [
        (&[("sub", b"planner"), ("azp", b"planner")], true),
        (&[("sub", b"4f1c"), ("azp", b"planner"), ("idtyp", b"app")], true),
        (&[("sub", b"planner@clients"), ("azp", b"planner"), ("gty", b"client-credentials")], true),
        (&[("sub", b"4f1c"), ("azp", b"planner"), ("preferred_username", b"service-account-planner")], true),
        (&[("sub", b"4f1c"), ("cid", b"planner"), ("preferred_username", b"service-account-planner")], true),
        (&[("sub", b"4f1c"), ("azp", b"planner"), ("idtyp", b"user")], false),
        (&[("sub", b"4f1c"), ("azp", b"planner"), ("gty", b"password")], false),
        (&[("sub", b"4f1c"), ("azp", b"planner"), ("preferred_username", b"service-account-writer")], false),
        (&[("sub", b"4f1c"), ("azp", b"planner"), ("preferred_username", b"\0")], false),
    ];
    for (claims, machine) in marks {
        let caller = read(&source(Peer::Waypoint), &given(claims)).unwrap();
        assert_eq!(caller.user.is_none(), machine, "{claims:?}");
    }
}

#[test]
fn claims_that_mean_the_same_must_say_the_same() {
    let list = block(&[(b"a", b""), (b"b", b"")]);
    let two_in_one = block(&[(b"a b", b"")]);
    let cases: [(Claims<'_>, Option<Named<'_>>); 12] = [
        (&[("client_id", b"ui"), ("azp", b"ui")], Some(("ui", &[]))),
        (&[("appid", b"ui"), ("scp", b"a b")], Some(("ui", &["a", "b"]))),
        (&[("cid", b"ui"), ("scp", &list)], Some(("ui", &["a", "b"]))),
        (&[("azp", b"ui"), ("scope", b"a b"), ("scp", &list)], Some(("ui", &["a", "b"]))),
        // Istio splits `scope` at spaces before it leaves the claims.
        (&[("azp", b"ui"), ("scope", &list)], Some(("ui", &["a", "b"]))),
        (&[("azp", b"ui"), ("scope", &list), ("scp", b"a b")], Some(("ui", &["a", "b"]))),
        (&[("scope", &two_in_one)], None),
        (&[("client_id", b"ui"), ("azp", b"other")], None),
        (&[("azp", b"ui"), ("appid", b"other")], None),
        (&[("scope", b"a"), ("scp", &list)], None),
        (&[("scp", &two_in_one)], None),
        (&[("scp", b"\x01")], None),
    ];
    for (claims, is) in cases {
        let caller = read(&source(Peer::None), &given(claims)[1..].to_vec());
        match is {
            Some((client, scopes)) => {
                let caller = caller.unwrap();
                assert_eq!(caller.agent.as_deref(), Some(client), "{claims:?}");
                assert!(caller.scopes.iter().eq(scopes.iter().copied()), "{claims:?}");
            }
            None => assert_eq!(caller, Err(Reason::ClaimsUnreadable), "{claims:?}"),
        }
    }
}

#[test]
fn the_chain_of_actors_is_read_from_the_outside_in() {
    let inner = block(&[(b"sub", b"first")]);
    let outer = block(&[(b"sub", b"planner"), (b"act", &inner)]);
    let caller = read(&source(Peer::None), &waypoint("alice", "chat-ui", &outer)[1..].to_vec()).unwrap();
    assert_eq!(caller.actors, ["planner", "first"]);
    assert_eq!(caller.agent.as_deref(), Some("planner"));
}

#[test]
fn a_chain_that_is_too_long_or_has_no_sub_is_refused() {
    let mut chain = block(&[(b"sub", b"a")]);
    for _ in 0..MAX_ACTORS {
        chain = block(&[(b"sub", b"a"), (b"act", &chain)]);
    }
    for act in [chain, block(&[(b"x", b"a")]), b"text".to_vec()] {
        assert_eq!(read(&source(Peer::Waypoint), &waypoint("alice", "chat-ui", &act)), Err(Reason::ClaimsUnreadable));
    }
}

#[test]
fn a_claim_that_the_host_cannot_say_refuses() {
    let mut given = waypoint("alice", "chat-ui", b"");
    given[2] = Err(crate::filter::PropertyError);
    assert_eq!(read(&source(Peer::Waypoint), &given), Err(Reason::ClaimsUnreadable));
}

#[test]
fn only_a_verified_certificate_with_one_spiffe_id_names_an_agent() {
    let source = Source::new(RawIdentity { direction: Side::Inbound, peer: Peer::Mtls, claims: None, agents: vec![] }, None, &[]);
    let two = format!("{PLANNER},{WRITER}");
    for (san, mtls, valid, named) in [
        (PLANNER, 1, Some(1), true),
        (PLANNER, 1, None, true), // Envoy before 1.39 has no such property
        (PLANNER, 1, Some(0), false),
        (PLANNER, 0, Some(1), false),
        (two.as_str(), 1, Some(1), false),
        ("https://example.com", 1, Some(1), false),
        ("spiffe://", 1, Some(1), false),
        ("spiffe:///ns/agents/sa/planner", 1, Some(1), false),
    ] {
        let given = vec![some(san), Ok(Some(vec![mtls])), Ok(valid.map(|v| vec![v]))];
        assert_eq!(read(&source, &given).unwrap().agent.is_some(), named, "{san} {mtls} {valid:?}");
    }
}
