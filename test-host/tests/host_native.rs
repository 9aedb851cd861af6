//! The engine `native` with a plugin of its own: ops become calls of the host, events come in order.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod plays;

use std::time::Duration;

use plays::{header, post, sent};
use wardpoint_core::config::ConfigErrors;
use wardpoint_core::filter::{
    Callout, CalloutError, Chunk, Effects, Filter, Head, HostProfile, HttpCall, Plugin, Reply, Ruling, Settings, Step,
};
use wardpoint_core::policy::{Decision, Reason};
use wardpoint_core::time::Timestamp;
use wardpoint_test_host::engine::{CalloutScript, Engine, Leaves, Play};
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::native::Native;
use wardpoint_test_host::transcript::{Ending, Transcript, UpstreamSaw};

/// Reads the whole body. `deny` in it is refused, `rewrite` is replaced, `ask` is decided by a call to `oracle`.
struct Clerk {
    hold_headers: bool,
}

#[derive(Default)]
struct Stream {
    body: Vec<u8>,
    asked: bool,
}

impl Plugin for Clerk {
    const NAME: &'static str = "clerk";
    type Filter = Stream;

    fn configure(config: &[u8]) -> Result<Self, ConfigErrors> {
        Ok(Self { hold_headers: config == b"hold" })
    }

    fn settings(&self) -> Settings {
        Settings { host: HostProfile { hold_headers: self.hold_headers }, ..Settings::default() }
    }

    fn filter(&self) -> Stream {
        Stream::default()
    }
}

impl Filter for Stream {
    fn on_request_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        if head.headers.one(":path") == Ok(Some(b"/ask")) {
            self.asked = true;
            return Step::CallOut(ask());
        }
        fx.edit_body();
        if head.end_of_stream { fx.enforce(Ruling::new(Decision::allow("all"))) } else { Step::Hold }
    }

    fn on_request_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        if self.asked {
            return Step::Continue;
        }
        self.body.extend_from_slice(chunk.bytes);
        if !chunk.end_of_stream {
            return Step::Hold;
        }
        match self.body.as_slice() {
            b"deny" => fx.enforce(Ruling::new(Decision::deny(Reason::NoMatchingRule))),
            b"ask" => Step::CallOut(ask()),
            b"rewrite" => {
                fx.replace_body(b"rewritten".to_vec());
                fx.enforce(Ruling::new(Decision::allow("rewrite")))
            }
            _ => fx.enforce(Ruling::new(Decision::allow("all"))),
        }
    }

    fn on_callout_reply(&mut self, _: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut Effects<'_>) -> Step {
        fx.count(&format!("reply.{:?}", reply.as_ref().map(|reply| reply.status)));
        match reply {
            Ok(Reply { status: 200, .. }) => fx.enforce(Ruling::new(Decision::allow("asked"))),
            _ => fx.enforce(Ruling::new(Decision::deny(Reason::CalloutFailed))),
        }
    }
}

fn ask() -> Callout {
    let headers = [(":method", "GET"), (":path", "/q"), (":authority", "oracle")].map(|(n, v)| (n.to_owned(), v.into())).into();
    Callout::Http(HttpCall { cluster: "oracle".into(), headers, body: Vec::new(), timeout: Duration::from_millis(500) })
}

fn run(play: &Play) -> Transcript {
    let transcript = Native::new(Manners::default()).with::<Clerk>().run(play).unwrap();
    assert_eq!(transcript.trapped, None);
    assert_eq!(transcript.audit.len(), 1, "{:?}", transcript.audit);
    transcript
}

fn both_profiles(play: &Play) -> [Transcript; 2] {
    [run(play), run(&Play { config: b"hold".to_vec(), hold_headers: true, ..play.clone() })]
}

#[test]
fn an_allowed_request_goes_through_as_it_is() {
    for transcript in both_profiles(&post(&["al", "lo", "w"])) {
        let UpstreamSaw::Complete { headers, body } = &transcript.upstream else { panic!("{transcript:?}") };
        assert_eq!(body, b"allow");
        assert_eq!(headers.len(), 3, "{headers:?}");
        assert_eq!((transcript.client.status, transcript.client.body.as_slice()), (Some(200), &b"ok"[..]));
        assert_eq!(transcript.client.end, Ending::Complete);
        assert_eq!(transcript.audit[0]["decision"], "allow");
        assert_eq!(transcript.audit[0].get("time"), None);
    }
}

#[test]
fn a_denied_body_never_reaches_the_upstream() {
    let [late, held] = both_profiles(&post(&["de", "ny"]));
    for (transcript, is_late) in [(late, true), (held, false)] {
        assert_eq!(transcript.upstream, UpstreamSaw::Nothing);
        assert_eq!((transcript.client.status, transcript.client.end), (Some(403), Ending::Complete));
        assert_eq!(header(&transcript.client.headers, "content-type"), Some("application/json"));
        assert_eq!(transcript.audit[0]["late"], is_late);
        assert_eq!(transcript.counters["wardpoint.clerk.decisions.deny"], 1);
    }
}

#[test]
fn a_rewritten_body_goes_through_in_both_profiles() {
    let mut play = post(&["rew", "rite"]);
    play.request.headers.extend(plays::pairs(&[("content-length", "7")]));
    for transcript in both_profiles(&play) {
        let UpstreamSaw::Complete { headers, body } = &transcript.upstream else { panic!("{transcript:?}") };
        assert_eq!((body.as_slice(), header(headers, "content-length")), (&b"rewritten"[..], None));
    }
}

#[test]
fn callouts_are_played_in_both_phases_and_profiles() {
    let answer = |status| CalloutScript::Answer(sent(&[(":status", status)], &["x"]), Duration::from_millis(3));
    for in_headers in [true, false] {
        for (script, status, reply) in [
            (answer("200"), 200, "Ok(200)"),
            (answer("500"), 503, "Ok(500)"),
            (CalloutScript::Silence, 503, "Ok(504)"),
            (CalloutScript::Reset, 503, "Ok(503)"),
            (CalloutScript::NoCluster, 503, "Err(NotDispatched)"),
        ] {
            let mut play = post(&["a", "sk"]);
            play.request.headers[1].1 = if in_headers { b"/ask".to_vec() } else { b"/".to_vec() };
            let called = !matches!(script, CalloutScript::NoCluster);
            play.callouts = vec![script].into();
            for transcript in both_profiles(&play) {
                assert_eq!((transcript.client.status, transcript.client.end), (Some(status), Ending::Complete), "{reply}");
                assert_eq!(transcript.counters.get(&format!("wardpoint.clerk.reply.{reply}")), Some(&1), "{transcript:?}");
                assert_eq!(transcript.callouts.len(), usize::from(called));
                assert_eq!(matches!(transcript.upstream, UpstreamSaw::Complete { .. }), status == 200);
            }
        }
    }
}

#[test]
fn headers_held_on_a_host_that_cannot_are_answered_by_the_watchdog() {
    let play = Play { config: b"hold".to_vec(), time: Duration::from_secs(3), ..post(&["allow"]) };
    let transcript = run(&play);
    assert_eq!(transcript.client.status, Some(503));
    assert_eq!(transcript.audit[0]["reason"], "host_profile_wrong");
}

#[test]
fn a_client_that_leaves_is_recorded() {
    let transcript = run(&Play { client_leaves: Some(Leaves::AfterRequestHeaders), ..post(&["allow"]) });
    assert_eq!(transcript.audit[0]["reason"], "client_left");
    assert_eq!(transcript.upstream, UpstreamSaw::Nothing);
}

#[test]
fn a_host_call_that_fails_is_refused() {
    for (import, reason) in [
        ("proxy_get_buffer_bytes", "host_failed"),
        ("proxy_get_header_map_pairs", "host_failed"),
        ("proxy_set_buffer_bytes", "host_failed"),
    ] {
        let play = Play { faults: vec![(import.into(), 10)], config: b"hold".to_vec(), hold_headers: true, ..post(&["rewrite"]) };
        let transcript = Native::new(Manners::default()).with::<Clerk>().run(&play).unwrap();
        assert_eq!(transcript.upstream, UpstreamSaw::Nothing, "{import}");
        assert_eq!(transcript.client.status, Some(500), "{import}: {transcript:?}");
        assert!(transcript.audit.iter().any(|record| record["reason"] == reason), "{import}: {:?}", transcript.audit);
    }
}
