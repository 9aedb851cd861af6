//! The engine `wasm` with the compiled probe (`target/plugins/probe.wasm`).
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod plays;

use std::path::PathBuf;
use std::time::Duration;

use plays::{pairs, post, sent};
use wardpoint_test_host::engine::{CalloutScript, Engine, Play};
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::transcript::{Ending, Transcript, UpstreamSaw};
use wardpoint_test_host::wasm::{Compiled, OnTrap, Wasm, Worker};

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

fn worker(shared: &std::rc::Rc<std::cell::RefCell<wardpoint_test_host::host::Shared>>, on_trap: OnTrap) -> Worker {
    let module = Compiled::load(&directory(), "probe").unwrap();
    Worker::start(module, br#"{"holdHeaders": false}"#, shared.clone(), on_trap).unwrap()
}

fn traces(transcript: &Transcript) -> Vec<&str> {
    transcript.log.iter().filter_map(|line| line.strip_prefix("probe.trace ")).collect()
}

#[test]
fn scripts_are_played_in_both_profiles() {
    let yes = || vec![CalloutScript::Answer(sent(&[(":status", "200")], &["yes"]), Duration::from_millis(1))];
    let reply = "callout status=200 n=1 size=3";
    for hold in [false, true] {
        let transcript = run(&probe("requestBody=hold;requestEnd=deny", &["ab", "c"], hold));
        assert_eq!((transcript.client.status, &transcript.upstream), (Some(403), &UpstreamSaw::Nothing), "{transcript:?}");

        let script = "requestBody=hold;requestEnd=replaceBody:new;requestEnd=allow";
        let transcript = run(&probe(script, &["ab", "c"], hold));
        assert!(matches!(&transcript.upstream, UpstreamSaw::Complete { body, .. } if body == b"new"), "{transcript:?}");

        // Once body bytes are held, headers may not be edited in the callback of a call.
        let edit = if hold { "" } else { "callout=setHeader:x-a=1;" };
        let script = format!("requestHeaders=callOut:idp;{edit}callout=allow");
        let call = Play { callouts: yes().into(), ..probe(&script, &["ab"], hold) };
        let transcript = run(&call);
        assert!(traces(&transcript).contains(&reply), "{transcript:?}");
        let UpstreamSaw::Complete { headers, body } = &transcript.upstream else { panic!("{transcript:?}") };
        assert_eq!((plays::header(headers, "x-a"), body.as_slice()), ((!hold).then_some("1"), &b"ab"[..]));

        let call =
            Play { callouts: yes().into(), ..probe("requestBody=hold;requestEnd=callOut:idp;callout=deny", &["ab"], hold) };
        let transcript = run(&call);
        assert_eq!((transcript.client.status, transcript.callouts.len()), (Some(403), 1), "{transcript:?}");
    }
}

#[test]
fn a_play_does_not_see_what_the_one_before_did() {
    let mut engine = Wasm::new(Some(directory()), Manners::default());
    let writes = probe("requestHeaders=sharedSet:k=v;requestHeaders=random", &["a"], false);
    let reads = probe("requestHeaders=sharedGet:k;requestHeaders=random", &["a"], false);
    let first = engine.run(&writes).unwrap();
    let fresh = Wasm::new(Some(directory()), Manners::default()).run(&reads).unwrap();
    let second = engine.run(&reads).unwrap();
    assert_eq!(second, fresh);
    assert!(traces(&second).contains(&"sharedGet Ok(None)"), "{:?}", second.log);
    assert_eq!(engine.run(&writes).unwrap(), first);
}

#[test]
fn a_host_call_fails_on_request() {
    for (import, status) in
        [("proxy_get_header_map_pairs", 500), ("proxy_get_buffer_bytes", 500), ("proxy_set_buffer_bytes", 500)]
    {
        let play = probe("requestBody=hold;requestEnd=replaceBody:new;requestEnd=allow", &["ab"], true);
        let transcript = run(&Play { faults: vec![(import.into(), 10)], ..play });
        assert_eq!(
            (transcript.client.status, &transcript.upstream),
            (Some(status), &UpstreamSaw::Nothing),
            "{import}: {transcript:?}"
        );
    }
}

#[test]
fn a_trap_is_503_and_then_the_failure_policy_counts() {
    let shared = Default::default();
    let trap = probe("requestHeaders=trap", &["a"], false);
    let good = probe("", &["a"], false);
    let mut closed = worker(&shared, OnTrap::Closed);
    let mut reload = worker(&shared, OnTrap::Reload);
    for worker in [&mut closed, &mut reload] {
        assert_eq!(worker.play(&good, Manners::default()).unwrap().client.status, Some(200));
        let transcript = worker.play(&trap, Manners::default()).unwrap();
        assert_eq!(transcript.client.status, Some(503));
        assert!(transcript.trapped.is_some());
        assert_eq!(transcript.upstream, UpstreamSaw::Nothing);
    }
    for _ in 0..2 {
        assert_eq!(closed.play(&good, Manners::default()).unwrap().client.status, Some(503));
        assert_eq!(reload.play(&good, Manners::default()).unwrap().client.status, Some(200));
    }
}

#[test]
fn workers_share_data_and_counters_and_keep_them_over_a_reload() {
    let shared = Default::default();
    let (mut one, mut two) = (worker(&shared, OnTrap::Closed), worker(&shared, OnTrap::Closed));
    one.play(&probe("requestHeaders=sharedSet:k=v", &["a"], false), Manners::default()).unwrap();
    one.reload().unwrap();
    let read = probe("requestHeaders=sharedGet:k", &["a"], false);
    for worker in [&mut two, &mut one] {
        let transcript = worker.play(&read, Manners::default()).unwrap();
        assert!(traces(&transcript).iter().any(|line| line.contains("Some(\"v\")")), "{:?}", transcript.log);
    }
    assert_eq!(shared.borrow().counters()["wardpoint.probe.decisions.allow"], 3);
}

#[test]
fn a_configuration_that_the_plugin_refuses_is_an_error_with_its_lines() {
    let error = Wasm::new(Some(directory()), Manners::default()).run(&Play { config: b"{}".to_vec(), ..probe("", &[], false) });
    let text = error.unwrap_err().to_string();
    assert!(text.contains("holdHeaders"), "{text}");
    let error = Wasm::new(Some(directory()), Manners::default()).run(&Play { plugin: "none".into(), ..probe("", &[], false) });
    assert!(error.unwrap_err().to_string().contains("none.wasm"));
}

/// Memory after warm-up does not grow with requests (F16); the figure is printed.
#[test]
fn many_exchanges_on_one_vm_cost_little_and_leak_nothing() {
    let mut worker = worker(&Default::default(), OnTrap::Closed);
    let play = probe("requestBody=hold;requestEnd=allow", &["abcdefgh", "ijklmnop"], false);
    let mut exchange = |count: u32| {
        for _ in 0..count {
            assert_eq!(worker.play(&play, Manners::default()).unwrap().client.status, Some(200));
        }
        worker.vm().memory_size()
    };
    let warm = exchange(200);
    let began = std::time::Instant::now();
    let after = exchange(10_000);
    println!("one exchange on a kept VM: {:?}", began.elapsed() / 10_000);
    assert!(after < warm + 65_536, "{warm} -> {after}");

    let mut engine = Wasm::new(Some(directory()), Manners::default());
    engine.run(&play).unwrap();
    let began = std::time::Instant::now();
    for _ in 0..10_000 {
        engine.run(&play).unwrap();
    }
    println!("one play on the engine: {:?}", began.elapsed() / 10_000);
}
