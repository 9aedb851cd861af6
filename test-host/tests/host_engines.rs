//! `native` and `wasm` give equal transcripts: mcp-authz in every phase, cut and fault, in both profiles.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod plays;

use std::path::PathBuf;

use plays::{pairs, sent};
use wardpoint_core::mcp_authz::McpAuthz;
use wardpoint_test_host::engine::{Engine, Leaves, Play};
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::native::Native;
use wardpoint_test_host::transcript::{Transcript, UpstreamSaw};
use wardpoint_test_host::wasm::Wasm;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/a"}}}"#;
const DENIED: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_repo"}}"#;
const TWICE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping"}"#;

fn play(hold_headers: bool, chunks: &[&str]) -> Play {
    let config = serde_json::json!({
        "version": 1, "hostProfile": {"holdHeaders": hold_headers}, "identity": {"peer": "mtls", "claims": {"provider": "idp"}},
        "rules": [{"id": "readers", "allow": {"agents": ["spiffe://a/planner"], "user": "any", "tools": ["read_*"]}}],
    });
    let headers = [
        (":method", "POST"),
        (":path", "/mcp"),
        (":authority", "tools"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-06-18"),
    ];
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
    Play {
        plugin: "mcp-authz".into(),
        config: config.to_string().into_bytes(),
        hold_headers,
        peer: Some("spiffe://a/planner".into()),
        claims: Some(serde_json::json!({"iss": "https://idp", "sub": "alice", "aud": ["tools"], "exp": 1_795_260_000})),
        request: sent(&headers, chunks),
        upstream: Some(sent(&[(":status", "200"), ("content-type", "application/json")], &[answer])),
        ..Play::default()
    }
}

struct Both {
    native: Native,
    wasm: Wasm,
}

impl Both {
    fn new() -> Self {
        let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/plugins"));
        let manners = Manners::default();
        Self { native: Native::new(manners).with::<McpAuthz>(), wasm: Wasm::new(Some(directory), manners) }
    }

    fn run(&mut self, play: &Play) -> Transcript {
        let (mut native, mut wasm) = (self.native.run(play).unwrap(), self.wasm.run(play).unwrap());
        // Without a request id, as when headers cannot be read, the core draws a random one.
        for transcript in [&mut native, &mut wasm] {
            transcript.log.clear();
        }
        assert_eq!(native, wasm, "{play:?}");
        wasm
    }
}

#[test]
fn every_cut_in_both_profiles() {
    let mut both = Both::new();
    for hold in [false, true] {
        for (body, status) in [(CALL, 200), (DENIED, 403), (TWICE, 400)] {
            for cut in 1..body.len() {
                let (head, tail) = body.split_at(cut);
                let transcript = both.run(&play(hold, &[head, tail]));
                assert_eq!(transcript.client.status, Some(status), "{transcript:?}");
                assert_eq!(matches!(transcript.upstream, UpstreamSaw::Complete { .. }), status == 200);
            }
        }
    }
}

#[test]
fn everything_else_that_can_happen() {
    let mut both = Both::new();
    for hold in [false, true] {
        for body in [CALL, DENIED] {
            let plain = play(hold, &[body]);
            both.run(&Play { upstream_early: true, ..plain.clone() });
            both.run(&Play { peer: None, ..plain.clone() });
            both.run(&Play { peer: Some("spiffe://a/other".into()), ..plain.clone() });
            both.run(&Play { claims: Some(serde_json::json!({"sub": "alice", "x": null})), ..plain.clone() });
            both.run(&Play { buffer_limit: Some(16), ..plain.clone() });
            both.run(&Play { client_leaves: Some(Leaves::AfterRequestHeaders), ..plain.clone() });
            both.run(&Play { client_leaves: Some(Leaves::AfterFirstResponseChunk), ..plain.clone() });
            both.run(&Play { hold_headers: !hold, time: std::time::Duration::from_secs(4), ..plain.clone() });
            let mut trailers = plain.clone();
            trailers.request.trailers = pairs(&[("x-t", "1")]);
            both.run(&trailers);
            for import in [
                "proxy_log",
                "proxy_get_buffer_bytes",
                "proxy_set_property",
                "proxy_get_property",
                "proxy_define_metric",
                "proxy_increment_metric",
                "proxy_remove_header_map_value",
                "proxy_replace_header_map_value",
                "proxy_set_buffer_bytes",
                "proxy_send_local_response",
                "proxy_continue_stream",
                "proxy_close_stream",
                "proxy_get_current_time_nanoseconds",
            ] {
                for status in [2, 10, 12] {
                    let transcript = both.run(&Play { faults: vec![(import.into(), status)], ..plain.clone() });
                    assert!(transcript.trapped.is_none(), "{import}: {transcript:?}");
                    if body == DENIED {
                        assert!(!matches!(transcript.upstream, UpstreamSaw::Complete { .. }), "{import}: {transcript:?}");
                    }
                }
            }
        }
    }
}
