use super::value::block;
use super::*;

const PLANNER: &str = "spiffe://cluster.local/ns/agents/sa/planner";
const WRITER: &str = "spiffe://cluster.local/ns/agents/sa/writer";

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

/// peer, then iss, sub, scope, azp, client_id, act, exp, groups.
fn waypoint(sub: &str, azp: &str, act: &[u8]) -> Given {
    vec![
        some(PLANNER),
        some("https://idp"),
        some(sub),
        some("files:read  b"),
        some(azp),
        Ok(None),
        Ok(Some(act.to_vec())),
        Ok(Some(1_795_251_600.0_f64.to_le_bytes().to_vec())),
        Ok(None),
    ]
}

fn read(source: &Source, given: &Given) -> Result<Caller, Reason> {
    source.read(Properties::new(given))
}

#[test]
fn a_user_s_token_names_user_scopes_and_the_peer_is_the_agent() {
    let caller = read(&source(Peer::Waypoint), &waypoint("alice", "chat-ui", b"")).unwrap();
    assert_eq!(caller.agent.as_deref(), Some(PLANNER));
    assert_eq!(caller.user, Some(Subject { issuer: Some("https://idp".into()), user: "alice".into(), owner: None }));
    assert_eq!(caller.scopes, ["files:read", "b"]);
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
    let caller = read(&source(Peer::Waypoint), &waypoint("planner", "planner", b"")).unwrap();
    assert_eq!(caller.user, None);
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
    ] {
        let given = vec![some(san), Ok(Some(vec![mtls])), Ok(valid.map(|v| vec![v]))];
        assert_eq!(read(&source, &given).unwrap().agent.is_some(), named, "{san} {mtls} {valid:?}");
    }
}
