//! The engine `envoy` plays whole exchanges through a real Envoy.

use std::time::{Duration, Instant};

use serde_json::json;
use wardpoint_test_host::engine::{CalloutScript, Engine as _, Leaves, Play, Sent};
use wardpoint_test_host::envoy::Envoy;
use wardpoint_test_host::transcript::{Ending, Transcript, UpstreamSaw};

/// All in one test: Envoy is started once.
#[test]
fn exchanges() {
    if std::env::var_os("ENVOY_BIN").is_none() {
        eprintln!("skipped: ENVOY_BIN is unset");
        return;
    }
    let mut envoy = Envoy::new().unwrap();
    let mut run = |play: &Play| envoy.run(play).unwrap();
    a_plain_exchange(&mut run);
    an_mtls_peer_and_claims_are_real(&mut run);
    a_callout_is_answered(&mut run);
    a_client_leaves(&mut run);
    a_hang_is_open(&mut run);
    traps_do_not_reach_the_next_play(&mut run);
    what_no_vm_has_judged_passes_unless_it_is_guarded(&mut run);
    many_plays_are_quick(&mut run);
    listeners_that_come_and_go_have_ports_of_their_own(&mut run);
}

fn a_plain_exchange(run: &mut dyn FnMut(&Play) -> Transcript) {
    for http2 in [false, true] {
        let seen = run(&Play { http2, ..play(&json!({})) });
        assert_eq!(seen.client.status, Some(200));
        assert_eq!(seen.client.body, b"world");
        assert_eq!(seen.client.end, Ending::Complete);
        assert_eq!(seen.client.headers, [("content-type".to_owned(), "text/plain".to_owned())]);
        let headers = [(":authority", "tools"), (":method", "POST"), (":path", "/mcp"), ("x-dup", "a"), ("x-dup", "b")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(seen.upstream, UpstreamSaw::Complete { headers, body: b"hello".to_vec() });
    }
}

fn an_mtls_peer_and_claims_are_real(run: &mut dyn FnMut(&Play) -> Transcript) {
    let provider = "https://idp.example.com";
    let claim = ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", provider, "sub"].join("|");
    let config = json!({
        "identity": { "claims": { "provider": provider } },
        "on": { "requestHeaders": [
            "property filter_state|io.istio.peer_principal",
            "property connection|uri_san_peer_certificate",
            format!("property {claim}"),
            "get request x-wardpoint-test-token",
        ] },
    });
    let peer = "spiffe://cluster.local/ns/agents/sa/planner";
    let seen = run(&Play {
        peer: Some(peer.to_owned()),
        claims: Some(json!({ "sub": "alice", "exp": 1000, "nothing": null })),
        ..play(&config)
    });
    assert_eq!(seen.log.iter().filter(|line| line.ends_with(&format!("= {peer}"))).count(), 2, "{seen:#?}");
    assert_eq!(seen.log.iter().filter(|line| line.ends_with("= alice")).count(), 1, "{seen:#?}");
    assert_eq!(seen.log.iter().filter(|line| line.ends_with("x-wardpoint-test-token = <1>")).count(), 1, "{seen:#?}");
}

fn a_callout_is_answered(run: &mut dyn FnMut(&Play) -> Transcript) {
    let config = json!({ "cluster": "probe", "on": { "requestHeaders": ["call 1000", "pause"], "callout": ["resume request"] } });
    let answer = CalloutScript::Answer(sent(&[(":status", "202")], &["yes"]), Duration::from_millis(20));
    let seen = run(&Play { callouts: vec![answer].into(), ..play(&config) });
    assert_eq!(seen.callouts.len(), 1);
    assert_eq!(seen.callouts.first().map(|call| call.body.as_slice()), Some(&b"ask"[..]));
    assert!(seen.log.contains(&"callout 202 body 3 trailers 0".to_owned()), "{seen:#?}");
    assert_eq!(seen.client.body, b"world");
}

fn a_client_leaves(run: &mut dyn FnMut(&Play) -> Transcript) {
    let seen = run(&Play { client_leaves: Some(Leaves::AfterRequestHeaders), ..play(&json!({})) });
    assert_eq!(seen.upstream, UpstreamSaw::Nothing);
    assert_eq!(seen.client.end, Ending::Reset);
    assert_eq!(seen.log.last().map(String::as_str), Some("delete"));
}

fn a_hang_is_open(run: &mut dyn FnMut(&Play) -> Transcript) {
    let seen = run(&Play { upstream: None, ..play(&json!({})) });
    assert_eq!(seen.client.end, Ending::Open);
    assert_eq!(seen.client.status, None);
}

fn traps_do_not_reach_the_next_play(run: &mut dyn FnMut(&Play) -> Transcript) {
    let config = json!({ "on": { "requestHeaders": ["trap"] } });
    for _ in 0..2 {
        let seen = run(&play(&config));
        assert!(seen.trapped.is_some());
        assert_eq!(seen.client.status, Some(503));
    }
}

/// A fact of Envoy, with any `failure_policy`; the engine's is `FAIL_RELOAD`.
fn what_no_vm_has_judged_passes_unless_it_is_guarded(run: &mut dyn FnMut(&Play) -> Transcript) {
    // The first is the one with which Envoy tries a configuration; then come, in any order, the main thread's and the worker's.
    let refused = |guarded: bool| json!({ "refuseFrom": 2, "guarded": guarded, "on": { "requestHeaders": ["respond 418 no"] } });
    let seen = run(&play(&refused(false)));
    assert_eq!((seen.client.status, seen.client.body.as_slice()), (Some(200), &b"world"[..]), "{seen:#?}");
    let seen = run(&play(&refused(true)));
    assert_eq!((seen.client.status, seen.upstream), (Some(403), UpstreamSaw::Nothing));
    let seen = run(&play(&json!({ "refuseFrom": 4, "on": { "requestHeaders": ["respond 418 no"] } })));
    assert_eq!(seen.client.status, Some(418), "the worker's VM is there");
}

fn many_plays_are_quick(run: &mut dyn FnMut(&Play) -> Transcript) {
    let begun = Instant::now();
    for n in 0..100 {
        assert_eq!(run(&play(&json!({ "n": n % 5 }))).client.status, Some(200));
    }
    let known = begun.elapsed();
    for n in 0..20 {
        assert_eq!(run(&play(&json!({ "m": n }))).client.status, Some(200));
    }
    eprintln!("100 plays of 5 configurations: {known:?}; 20 plays of 20 configurations: {:?}", begun.elapsed() - known);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// One more listener than are kept ends the oldest. With the first play of a plugin that calls services come two at once.
fn listeners_that_come_and_go_have_ports_of_their_own(run: &mut dyn FnMut(&Play) -> Transcript) {
    for number in 0..25 {
        let seen = run(&play(&json!({ "on": { "responseHeaders": [format!("property node{number}")] } })));
        assert_eq!(seen.client.body, b"world", "{number}");
    }
    let policy = json!({
        "version": 1,
        "hostProfile": { "holdHeaders": true },
        "identity": { "peer": "waypoint" },
        "rules": [{ "id": "all", "allow": { "agents": ["*"], "user": "none", "tools": ["*"] } }],
    });
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}"#;
    let headers = [
        (":method", "POST"),
        (":path", "/mcp"),
        (":authority", "tools"),
        (":scheme", "http"),
        ("content-type", "application/json"),
    ];
    let allowed = Play {
        plugin: "mcp-authz-approval".to_owned(),
        hold_headers: true,
        peer: Some("spiffe://cluster.local/ns/agents/sa/planner".to_owned()),
        request: sent(&headers, &[call]),
        upstream: Some(sent(
            &[(":status", "200"), ("content-type", "application/json")],
            &[r#"{"jsonrpc":"2.0","id":1,"result":{}}"#],
        )),
        ..play(&policy)
    };
    let seen = run(&allowed);
    assert_eq!(seen.client.status, Some(200), "{seen:#?}");
}

fn play(config: &serde_json::Value) -> Play {
    let request = [(":method", "POST"), (":path", "/mcp"), (":authority", "tools"), ("x-dup", "a"), ("x-dup", "b")];
    Play {
        plugin: "calibration".to_owned(),
        config: config.to_string().into_bytes(),
        request: sent(&request, &["he", "llo"]),
        upstream: Some(sent(&[(":status", "200"), ("content-type", "text/plain")], &["wor", "ld"])),
        ..Play::default()
    }
}

fn sent(headers: &[(&str, &str)], chunks: &[&str]) -> Sent {
    Sent {
        headers: headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect(),
        chunks: chunks.iter().map(|chunk| chunk.as_bytes().to_vec()).collect(),
        trailers: Vec::new(),
    }
}
