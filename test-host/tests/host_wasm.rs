//! The engine `wasm` with the compiled probe (`target/plugins/probe.wasm`).
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod plays;

use std::path::PathBuf;
use std::time::Duration;

use plays::{header, pairs, post, sent};
use wardpoint_test_host::engine::{CalloutScript, Engine, Play};
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::transcript::{Ending, Transcript, UpstreamSaw};
use wardpoint_test_host::wasm::{Compiled, Vm, Wasm};

fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/plugins"))
}

/// A play of the probe with this script.
fn probe(script: &str, chunks: &[&str], hold_headers: bool) -> Play {
    let mut play = post(chunks);
    play.plugin = "probe".into();
    play.config = format!(r#"{{"holdHeaders": {hold_headers}}}"#).into_bytes();
    play.hold_headers = hold_headers;
    play.request.headers.extend(pairs(&[("x-probe", script)]));
    play
}

fn run(play: &Play) -> Transcript {
    Wasm::new(Some(directory()), Manners::default()).run(play).unwrap()
}

#[test]
fn a_body_goes_through() {
    let transcript = run(&probe("", &["ab", "cd"], false));
    assert_eq!(transcript.trapped, None);
    let UpstreamSaw::Complete { body, .. } = &transcript.upstream else { panic!("{transcript:?}") };
    assert_eq!(body, b"abcd");
    assert_eq!((transcript.client.status, transcript.client.end), (Some(200), Ending::Complete), "{transcript:?}");
    assert_eq!(transcript.audit.len(), 1);
}
