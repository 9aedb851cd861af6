//! The model of Envoy, row by row of `envoy-istio` 4.3 and 4.4. The filter is one that does what a row says, with raw host calls.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod plays;

use std::collections::BTreeMap;
use std::time::Duration;

use plays::{header, pairs, post, sent};
use wardpoint_test_host::engine::{self, CalloutScript, Leaves, Play};
use wardpoint_test_host::host::{
    self, Action, BufferKind, Came, Direction, FilterEnd, Host, Manners, Map, MapKind, Request, Scope, Status, Trap,
};
use wardpoint_test_host::transcript::{Ending, Transcript, UpstreamSaw};

use Action::{Continue, Pause};
use Direction::{Request as Req, Response as Resp};

type Does = fn(&mut Host) -> Action;

/// Does what it is told in each phase, and writes down what it is shown.
#[derive(Default)]
struct Actor {
    does: BTreeMap<&'static str, Does>,
    seen: Vec<String>,
    trap_in: Option<&'static str>,
}

impl Actor {
    fn on(mut self, phase: &'static str, does: Does) -> Self {
        self.does.insert(phase, does);
        self
    }

    fn act(&mut self, host: &mut Host, phase: &'static str, seen: String) -> Result<Action, Trap> {
        self.seen.push(if seen.is_empty() { phase.to_owned() } else { format!("{phase} {seen}") });
        if self.trap_in == Some(phase) {
            return Err(Trap(format!("in {phase}")));
        }
        Ok(self.does.get(phase).map_or(Continue, |does| does(host)))
    }
}

fn of<'a>(direction: Direction, request: &'a str, response: &'a str) -> &'a str {
    if direction == Req { request } else { response }
}

impl FilterEnd for Actor {
    fn on_headers(&mut self, host: &mut Host, direction: Direction, end: bool) -> Result<Action, Trap> {
        self.act(host, of(direction, "headers", "responseHeaders"), if end { "end".into() } else { String::new() })
    }

    fn on_body(&mut self, host: &mut Host, direction: Direction, size: usize, end: bool) -> Result<Action, Trap> {
        let phase = match (direction, end) {
            (Req, false) => "body",
            (Req, true) => "bodyEnd",
            (Resp, false) => "responseBody",
            (Resp, true) => "responseEnd",
        };
        self.act(host, phase, size.to_string())
    }

    fn on_trailers(&mut self, host: &mut Host, direction: Direction) -> Result<Action, Trap> {
        self.act(host, of(direction, "trailers", "responseTrailers"), String::new())
    }

    fn on_reply(&mut self, host: &mut Host, _: Scope, _: u32, came: Came) -> Result<(), Trap> {
        if host.turn_to(Scope::Stream).is_err() {
            self.seen.push("reply to nobody".to_owned());
            return Ok(());
        }
        self.act(host, "reply", format!("{came:?}")).map(drop)
    }

    fn on_tick(&mut self, host: &mut Host) -> Result<(), Trap> {
        self.act(host, "tick", String::new()).map(drop)
    }

    fn on_queue_ready(&mut self, host: &mut Host, queue: u32) -> Result<(), Trap> {
        self.act(host, "queue", queue.to_string()).map(drop)
    }

    fn on_end(&mut self, host: &mut Host) -> Result<(), Trap> {
        self.act(host, "end", String::new()).map(drop)
    }
}

fn run_as(mut actor: Actor, play: &Play, manners: Manners) -> (Transcript, Vec<String>) {
    let mut host = Host::new(&play.config, Default::default());
    host.begin(play, "payload");
    let transcript = host::play(&mut actor, &mut host, play, manners);
    (transcript, actor.seen)
}

fn run(actor: Actor, play: &Play) -> (Transcript, Vec<String>) {
    run_as(actor, play, Manners::default())
}

fn holding(play: Play) -> Play {
    Play { hold_headers: true, ..play }
}

fn upstream_body(transcript: &Transcript) -> &[u8] {
    match &transcript.upstream {
        UpstreamSaw::Complete { body, .. } | UpstreamSaw::Partial { body } => body,
        UpstreamSaw::Nothing => b"",
    }
}

fn respond(host: &mut Host) -> Action {
    host.send_local_response(403, b"", Map::default(), b"no").unwrap();
    Pause
}

fn call(host: &mut Host) -> Action {
    let headers = Map::new(&pairs(&[(":method", "GET"), (":path", "/"), (":authority", "x")]));
    host.call(b"x", &Request::Http(headers, b""), Duration::from_millis(500)).unwrap();
    Pause
}

fn resume(host: &mut Host) -> Action {
    host.continue_stream(Req).unwrap();
    Continue
}

fn answer(millis: u64) -> Vec<CalloutScript> {
    vec![CalloutScript::Answer(sent(&[(":status", "200")], &["yes"]), Duration::from_millis(millis))]
}

// === 4.3 ===

#[test]
fn row_1_pause_on_headers_makes_no_body_callback_ever_and_hangs() {
    let (transcript, seen) = run(Actor::default().on("headers", |_| Pause), &post(&["ab", "c"]));
    assert_eq!(seen, ["headers", "end"]);
    assert_eq!(transcript.upstream, UpstreamSaw::Nothing);
    assert_eq!((transcript.client.status, transcript.client.end), (None, Ending::Open));
}

#[test]
fn row_1_after_a_resume_the_body_comes_at_once() {
    let play = Play { callouts: answer(5).into(), ..post(&["ab", "c"]) };
    let (transcript, seen) = run(Actor::default().on("headers", call).on("reply", resume), &play);
    assert_eq!(seen[1], "reply Http { headers: 1, body: 3, trailers: 0 }");
    assert_eq!(seen[2..5], ["bodyEnd 3", "responseHeaders", "responseBody 2"]);
    assert_eq!(upstream_body(&transcript), b"abc");
    assert_eq!(transcript.client.end, Ending::Complete);
}

#[test]
fn row_2_with_the_flag_bodies_come_and_headers_stay_editable() {
    let actor = Actor::default().on("headers", |_| Pause).on("body", |_| Pause).on("bodyEnd", |host| {
        host.set_value(MapKind::Headers(Req), b"x-late", b"1").unwrap();
        Continue
    });
    let (transcript, seen) = run(actor, &holding(post(&["ab", "c"])));
    assert_eq!(seen[..4], ["headers", "body 2", "body 3", "bodyEnd 3"]);
    let UpstreamSaw::Complete { headers, .. } = &transcript.upstream else { panic!("{transcript:?}") };
    assert_eq!(header(headers, "x-late"), Some("1"));
}

#[test]
fn row_2_with_the_flag_the_upstream_sees_nothing_before() {
    let actor = Actor::default().on("headers", |_| Pause).on("body", |_| Pause).on("bodyEnd", respond);
    let play = Play { upstream_early: true, ..holding(post(&["ab"])) };
    let (transcript, seen) = run(actor, &play);
    assert_eq!(transcript.upstream, UpstreamSaw::Nothing);
    assert_eq!(transcript.client.status, Some(403));
    assert_eq!(seen, ["headers", "body 2", "bodyEnd 2", "responseHeaders", "responseEnd 2", "end"]);
}

#[test]
fn row_3_without_the_flag_the_upstream_has_the_headers_before_the_decision() {
    let actor = || Actor::default().on("body", |_| Pause).on("bodyEnd", respond);
    let early = Play { upstream_early: true, ..post(&["ab"]) };
    let (transcript, seen) = run(actor(), &early);
    assert_eq!((transcript.client.status, transcript.client.body.as_slice()), (Some(200), &b"ok"[..]));
    assert_eq!(seen[..2], ["headers", "responseHeaders"], "it could answer before it had the body");
    let (transcript, _) = run(actor(), &post(&["ab"]));
    assert_eq!((transcript.client.status, &transcript.upstream), (Some(403), &UpstreamSaw::Nothing));
}

#[test]
fn row_3_headers_that_have_gone_cannot_be_edited() {
    let actor = Actor::default().on("body", |host| {
        assert_eq!(host.set_value(MapKind::Headers(Req), b"x", b"1"), Err(Status::BAD_ARGUMENT));
        assert_eq!(host.remove_value(MapKind::Headers(Req), b"x"), Err(Status::BAD_ARGUMENT));
        assert_eq!(host.pairs(MapKind::Headers(Req)), Ok(&Map::default()));
        Continue
    });
    let (transcript, _) = run(actor, &post(&["ab"]));
    assert_eq!(transcript.client.end, Ending::Complete);
}

fn rewrite(host: &mut Host) -> Action {
    host.set_buffer(BufferKind::Body(Req), 0, usize::MAX, b"12345").unwrap();
    Continue
}

#[test]
fn row_4_a_rewritten_body_without_content_length_is_whole() {
    let actor = Actor::default()
        .on("headers", |host| {
            host.remove_value(MapKind::Headers(Req), b"content-length").unwrap();
            Continue
        })
        .on("body", |_| Pause)
        .on("bodyEnd", rewrite);
    let mut play = post(&["sixteen bytes..."]);
    play.request.headers.extend(pairs(&[("content-length", "16")]));
    let (transcript, _) = run(actor, &play);
    assert_eq!((upstream_body(&transcript), transcript.client.status), (&b"12345"[..], Some(200)));
}

#[test]
fn row_5_with_content_length_kept_the_receiver_waits_for_ever() {
    let actor = Actor::default().on("body", |_| Pause).on("bodyEnd", rewrite);
    let mut play = post(&["sixteen bytes..."]);
    play.request.headers.extend(pairs(&[("content-length", "16")]));
    let (transcript, _) = run(actor, &play);
    assert_eq!(transcript.upstream, UpstreamSaw::Partial { body: b"12345".to_vec() });
    assert_eq!((transcript.client.status, transcript.client.end), (None, Ending::Open));

    let actor = Actor::default().on("responseBody", |host| {
        host.set_buffer(BufferKind::Body(Resp), 0, usize::MAX, b"o").unwrap();
        Continue
    });
    let mut play = post(&["a"]);
    play.upstream.as_mut().unwrap().headers.extend(pairs(&[("content-length", "2")]));
    let (transcript, _) = run(actor, &play);
    assert_eq!((transcript.client.body.as_slice(), transcript.client.end), (&b"o"[..], Ending::Open));
}

#[test]
fn row_6_a_request_over_the_limit_is_413_after_the_part_that_goes_over_is_shown() {
    let play = Play { buffer_limit: Some(4), ..post(&["abc", "de", "f"]) };
    let (transcript, seen) = run(Actor::default().on("body", |_| Pause).on("bodyEnd", |_| Pause), &play);
    assert_eq!(seen, ["headers", "body 3", "body 5", "responseHeaders", "responseEnd 17", "end"]);
    assert_eq!((transcript.client.status, transcript.client.body.as_slice()), (Some(413), &b"Payload Too Large"[..]));
    assert_eq!(header(&transcript.client.headers, "content-length"), Some("17"));
    let (transcript, _) = run(Actor::default(), &play);
    assert_eq!(transcript.client.status, Some(200), "what is not held has no limit");
    let play = Play { buffer_limit: Some(6), ..play };
    let (transcript, _) = run(Actor::default().on("body", |_| Pause), &play);
    assert_eq!(transcript.client.status, Some(200), "exactly the limit is not over it");
}

#[test]
fn row_7_growing_a_held_body_over_the_limit_is_413() {
    let grow: Does = |host| {
        host.set_buffer(BufferKind::Body(Req), 0, 0, b"123456").unwrap();
        Continue
    };
    let play = Play { buffer_limit: Some(8), ..post(&["abc"]) };
    let (transcript, _) = run(Actor::default().on("body", |_| Pause).on("bodyEnd", grow), &play);
    assert_eq!((transcript.client.status, transcript.upstream), (Some(413), UpstreamSaw::Nothing));
}

#[test]
fn row_8_a_response_over_the_limit_is_reset_or_500_if_its_headers_are_held() {
    let actor = || Actor::default().on("responseBody", |_| Pause);
    let play = Play { buffer_limit: Some(1), ..post(&["a"]) };
    let (transcript, _) = run(actor(), &play);
    assert_eq!((transcript.client.status, transcript.client.end), (Some(200), Ending::Reset));
    let (transcript, _) = run(actor().on("responseHeaders", |_| Pause), &holding(play));
    assert_eq!((transcript.client.status, transcript.client.end), (Some(500), Ending::Complete));
}

#[test]
fn row_9_an_answer_in_response_headers_replaces_the_reply_and_comes_by_nobody() {
    let (transcript, seen) = run(Actor::default().on("responseHeaders", respond), &post(&["a"]));
    assert_eq!((transcript.client.status, transcript.client.body.as_slice()), (Some(403), &b"no"[..]));
    assert_eq!(seen[3..], ["responseHeaders", "end"]);
    assert_eq!(header(&transcript.client.headers, "content-type"), Some("text/plain"));
}

#[test]
fn row_10_an_answer_in_the_response_body_resets() {
    let play = Play { upstream: Some(sent(&[(":status", "200")], &["first", "second"])), ..post(&["a"]) };
    let (transcript, _) = run(Actor::default().on("responseEnd", respond), &play);
    assert_eq!((transcript.client.status, transcript.client.end), (Some(200), Ending::Reset));
    assert_eq!(transcript.client.body, b"firstsecond");
}

#[test]
fn row_11_response_headers_that_pause_hang_but_with_the_flag_the_status_can_change() {
    let actor = || {
        Actor::default().on("responseHeaders", |_| Pause).on("responseBody", |_| Pause).on("responseEnd", |host| {
            host.set_value(MapKind::Headers(Resp), b":status", b"502").unwrap();
            Continue
        })
    };
    let (transcript, _) = run(actor(), &post(&["a"]));
    assert_eq!((transcript.client.status, transcript.client.end), (None, Ending::Open));
    let (transcript, _) = run(actor(), &holding(post(&["a"])));
    assert_eq!((transcript.client.status, transcript.client.end), (Some(502), Ending::Complete));
}

#[test]
fn row_12_a_call_in_the_header_phase_holds_any_body_and_headers_stay_editable() {
    let actor = Actor::default().on("headers", call).on("reply", |host| {
        host.set_value(MapKind::Headers(Req), b"authorization", b"Bearer x").unwrap();
        resume(host)
    });
    let play = Play { callouts: answer(5).into(), buffer_limit: Some(4), ..post(&["abc", "def", "ghi"]) };
    let (transcript, seen) = run(actor, &play);
    assert!(seen.contains(&"bodyEnd 9".to_owned()), "{seen:?}");
    let UpstreamSaw::Complete { headers, body } = &transcript.upstream else { panic!("{transcript:?}") };
    assert_eq!((header(headers, "authorization"), body.as_slice()), (Some("Bearer x"), &b"abcdefghi"[..]));
}

#[test]
fn row_13_a_call_in_the_body_phase_leaves_the_body_replaceable_and_the_headers_gone() {
    let actor = Actor::default().on("body", |_| Pause).on("bodyEnd", call).on("reply", |host| {
        assert_eq!(host.set_value(MapKind::Headers(Req), b"x", b"1"), Err(Status::BAD_ARGUMENT));
        rewrite(host);
        resume(host)
    });
    let (transcript, _) = run(actor, &Play { callouts: answer(5).into(), ..post(&["ab"]) });
    assert_eq!(upstream_body(&transcript), b"12345");
}

#[test]
fn row_14_an_answer_and_continue_still_stops() {
    let actor = Actor::default().on("headers", |host| {
        respond(host);
        assert_eq!(host.send_local_response(200, b"", Map::default(), b""), Ok(()), "the first one counts");
        Continue
    });
    let (transcript, _) = run(actor, &post(&["ab"]));
    assert_eq!((transcript.client.status, transcript.upstream), (Some(403), UpstreamSaw::Nothing));
}

#[test]
fn row_15_body_callbacks_tell_each_chunk_or_while_paused_the_total() {
    let (_, seen) = run(Actor::default(), &post(&["ab", "cde"]));
    assert_eq!(seen[..4], ["headers", "body 2", "body 3", "bodyEnd 0"]);
    let (_, seen) = run(Actor::default().on("body", |_| Pause), &post(&["ab", "cde"]));
    assert_eq!(seen[..4], ["headers", "body 2", "body 5", "bodyEnd 5"]);
    let manners = Manners { extra_end: false, ..Manners::default() };
    let (_, seen) = run_as(Actor::default(), &post(&["ab", "cde"]), manners);
    assert_eq!(seen[..3], ["headers", "body 2", "bodyEnd 3"]);
}

#[test]
fn row_16_events_can_be_kept_in_the_module_and_the_end_comes_without_bytes() {
    let events = ["data: first\n\n", "data: second\n\n"];
    let play = Play { upstream: Some(sent(&[(":status", "200")], &events)), ..post(&["a"]) };
    let actor = Actor::default()
        .on("responseBody", |host| {
            host.set_buffer(BufferKind::Body(Resp), 0, usize::MAX, b"").unwrap();
            Continue
        })
        .on("responseEnd", |host| {
            host.set_buffer(BufferKind::Body(Resp), 0, usize::MAX, b"data: all\n\n").unwrap();
            Continue
        });
    let (transcript, seen) = run(actor, &play);
    assert_eq!(seen[4..7], ["responseBody 13", "responseBody 14", "responseEnd 0"]);
    assert_eq!(transcript.client.body, b"data: all\n\n");
}

#[test]
fn trailers_end_a_body_whose_last_callback_did_not_and_nothing_can_be_emitted_then() {
    let mut play = post(&["a"]);
    play.upstream.as_mut().unwrap().trailers = pairs(&[("grpc-status", "0")]);
    let emit: Does = |host| {
        let emitted = host.set_buffer(BufferKind::Body(Resp), 0, usize::MAX, b"kept");
        host.log(2, &format!("{emitted:?}")).unwrap();
        Continue
    };
    let (transcript, seen) = run(Actor::default().on("responseTrailers", emit), &play);
    assert_eq!(seen[4..6], ["responseBody 2", "responseTrailers"]);
    assert_eq!((transcript.log, transcript.client.body), (vec!["Err(Status(2))".to_owned()], b"ok".to_vec()));
    let (transcript, _) = run(Actor::default().on("responseBody", |_| Pause).on("responseTrailers", emit), &play);
    assert_eq!((transcript.log, transcript.client.body), (vec!["Ok(())".to_owned()], b"kept".to_vec()));
}

#[test]
fn set_buffer_prepends_appends_and_refuses_the_middle() {
    for (start, length, want) in [
        (0, 2, Ok("XYcd")),
        (0, 0, Ok("XYabcd")),
        (0, 99, Ok("XY")),
        (4, 0, Ok("abcdXY")),
        (99, 1, Ok("abcdXY")),
        (2, 1, Err(Status::BAD_ARGUMENT)),
    ] {
        let mut host = Host::new(b"", Default::default());
        struct Edit(usize, usize, Option<Result<(), Status>>);
        impl FilterEnd for Edit {
            fn on_headers(&mut self, _: &mut Host, _: Direction, _: bool) -> Result<Action, Trap> {
                Ok(Continue)
            }
            fn on_body(&mut self, host: &mut Host, direction: Direction, size: usize, _: bool) -> Result<Action, Trap> {
                if direction == Req && size > 0 {
                    self.2 = Some(host.set_buffer(BufferKind::Body(Req), self.0, self.1, b"XY"));
                }
                Ok(Continue)
            }
            fn on_trailers(&mut self, _: &mut Host, _: Direction) -> Result<Action, Trap> {
                Ok(Continue)
            }
            fn on_reply(&mut self, _: &mut Host, _: Scope, _: u32, _: Came) -> Result<(), Trap> {
                Ok(())
            }
            fn on_tick(&mut self, _: &mut Host) -> Result<(), Trap> {
                Ok(())
            }
            fn on_queue_ready(&mut self, _: &mut Host, _: u32) -> Result<(), Trap> {
                Ok(())
            }
            fn on_end(&mut self, _: &mut Host) -> Result<(), Trap> {
                Ok(())
            }
        }
        let play = post(&["abcd"]);
        host.begin(&play, "");
        let mut edit = Edit(start, length, None);
        let transcript = host::play(&mut edit, &mut host, &play, Manners::default());
        assert_eq!(edit.2, Some(want.map(drop)), "{start} {length}");
        assert_eq!(upstream_body(&transcript), want.unwrap_or("abcd").as_bytes(), "{start} {length}");
    }
}

#[test]
fn a_repeated_header_shows_its_first_value_alone() {
    let actor = Actor::default().on("headers", |host| {
        assert_eq!(host.value(MapKind::Headers(Req), b"x-dup"), Ok(b"one".to_vec()));
        assert_eq!(host.value(MapKind::Headers(Req), b"x-none"), Err(Status::NOT_FOUND));
        Continue
    });
    let mut play = post(&[]);
    play.request.headers.extend(pairs(&[("x-dup", "one"), ("x-dup", "two")]));
    let (transcript, seen) = run(actor, &play);
    assert_eq!(seen[0], "headers end");
    let UpstreamSaw::Complete { headers, .. } = transcript.upstream else { panic!("not complete") };
    assert_eq!(headers.iter().filter(|(name, _)| name == "x-dup").count(), 2);
}

#[test]
fn a_resume_inside_its_own_callback_is_lost_if_the_callback_pauses() {
    let actor = Actor::default().on("headers", |host| {
        resume(host);
        Pause
    });
    assert_eq!(run(actor, &post(&["a"])).0.client.end, Ending::Open);
}

#[test]
fn a_stream_that_is_closed_is_reset_and_nothing_more_comes() {
    let actor = Actor::default().on("body", |host| {
        host.close_stream().unwrap();
        Continue
    });
    let (transcript, seen) = run(actor, &post(&["a", "b"]));
    assert_eq!((seen, transcript.client.end), (vec!["headers".to_owned(), "body 1".into(), "end".into()], Ending::Reset));
    assert_eq!(transcript.upstream, UpstreamSaw::Nothing);
}

#[test]
fn a_client_that_leaves_ends_the_stream_and_its_calls_come_back_to_the_root() {
    let play = Play { client_leaves: Some(Leaves::AfterRequestHeaders), callouts: answer(5).into(), ..post(&["a"]) };
    let (_, seen) = run(Actor::default().on("headers", call).on("reply", resume), &play);
    assert_eq!(seen, ["headers", "end", "reply to nobody"]);
    let play = Play { client_leaves: Some(Leaves::AfterFirstResponseChunk), ..post(&["a"]) };
    let play = Play { upstream: Some(sent(&[(":status", "200")], &["first", "second"])), ..play };
    let (transcript, seen) = run(Actor::default(), &play);
    assert_eq!((transcript.client.body.as_slice(), transcript.client.end), (&b"first"[..], Ending::Reset));
    assert_eq!(seen.last().map(String::as_str), Some("end"));
}

// === 4.4 ===

#[test]
fn callouts_end_in_every_way_that_envoy_has() {
    let scripted = |script: Option<CalloutScript>| {
        let play = Play { callouts: script.into_iter().collect::<Vec<_>>().into(), ..post(&["a"]) };
        run(Actor::default().on("headers", call), &play).1.get(1).cloned().unwrap_or_default()
    };
    assert_eq!(scripted(answer(499).pop()), "reply Http { headers: 1, body: 3, trailers: 0 }");
    for (script, want) in [
        (answer(500).pop(), "reply Http { headers: 3, body: 24, trailers: 0 }"),
        (Some(CalloutScript::Silence), "reply Http { headers: 3, body: 24, trailers: 0 }"),
        (Some(CalloutScript::Reset), "reply Http { headers: 3, body: 95, trailers: 0 }"),
        (None, "reply Http { headers: 3, body: 98, trailers: 0 }"),
    ] {
        assert_eq!(scripted(script), want);
    }
}

#[test]
fn a_call_to_no_cluster_or_without_pseudo_headers_fails_at_once() {
    let actor = Actor::default().on("headers", |host| {
        let whole = [(":method", "GET"), (":path", "/"), (":authority", "x")];
        let made = host.call(b"x", &Request::Http(Map::new(&pairs(&whole[..2])), b""), Duration::ZERO);
        assert_eq!(made, Err(Status::BAD_ARGUMENT));
        let made = host.call(b"x", &Request::Http(Map::new(&pairs(&whole)), b""), Duration::ZERO);
        assert_eq!(made, Err(Status::BAD_ARGUMENT));
        Continue
    });
    let (transcript, _) = run(actor, &Play { callouts: vec![CalloutScript::NoCluster].into(), ..post(&["a"]) });
    assert_eq!((transcript.callouts.len(), transcript.client.status), (0, Some(200)));
}

#[test]
fn a_grpc_call_gives_a_message_or_a_status() {
    let grpc: Does = |host| {
        host.call(b"x", &Request::Grpc(b"s", b"m", Map::default(), b"ask"), Duration::from_millis(500)).unwrap();
        Pause
    };
    let mut good = sent(&[(":status", "200")], &["message"]);
    good.trailers = pairs(&[("grpc-status", "0")]);
    let bad = sent(&[(":status", "200"), ("grpc-status", "7")], &[]);
    for (script, want) in [
        (CalloutScript::Answer(good, Duration::ZERO), "reply GrpcMessage(7)"),
        (CalloutScript::Answer(bad, Duration::ZERO), "reply GrpcStatus(7)"),
        (CalloutScript::Silence, "reply GrpcStatus(14)"),
    ] {
        let play = Play { callouts: vec![script].into(), ..post(&["a"]) };
        let (transcript, seen) = run(Actor::default().on("headers", grpc), &play);
        assert!(seen.contains(&want.to_owned()), "{seen:?}");
        assert_eq!((transcript.callouts[0].body.as_slice(), transcript.callouts[0].cluster.as_str()), (&b"ask"[..], "x"));
        assert_eq!(header(&transcript.callouts[0].headers, ":path"), Some("/s/m"));
    }
}

// === what only a broken plugin does ===

#[test]
fn a_resume_of_what_is_not_paused_breaks_the_exchange() {
    let back: fn(Direction) -> Does = |direction| if direction == Req { resume } else { resume_response };
    let (transcript, _) = run(Actor::default().on("headers", back(Req)), &post(&["a"]));
    assert_eq!(transcript.upstream, UpstreamSaw::Partial { body: b"a".to_vec() }, "it never sees the end");
    let (transcript, _) = run(Actor::default().on("responseHeaders", back(Resp)), &post(&["a"]));
    assert_eq!((transcript.client.status, transcript.client.end), (Some(200), Ending::Reset));
    let (transcript, _) = run(Actor::default().on("body", back(Resp)), &post(&["a"]));
    assert!(transcript.trapped.is_some_and(|text| text.starts_with("Envoy crashes")));
}

fn resume_response(host: &mut Host) -> Action {
    host.continue_stream(Resp).unwrap();
    Continue
}

#[test]
fn an_answer_and_then_a_resume_leaks_what_is_held_to_the_upstream() {
    let actor = Actor::default().on("headers", call).on("reply", |host| {
        respond(host);
        resume(host)
    });
    let (transcript, _) = run(actor, &Play { callouts: answer(5).into(), ..post(&["ab"]) });
    assert_eq!((transcript.client.status, transcript.upstream), (Some(403), UpstreamSaw::Partial { body: b"ab".to_vec() }));
}

// === the proxy itself ===

#[test]
fn the_proxy_answers_for_an_upstream_that_is_not_there_or_too_slow_and_for_what_is_no_token() {
    let to = |authority: &str| {
        let mut play = Play { upstream: None, ..post(&["ab"]) };
        play.request.headers.retain(|(name, _)| name != b":authority");
        play.request.headers.extend(pairs(&[(":authority", authority)]));
        play
    };
    let (transcript, seen) = run(Actor::default(), &to(engine::NOWHERE));
    assert_eq!((transcript.client.status, transcript.upstream), (Some(503), UpstreamSaw::Nothing));
    assert_eq!(seen, ["headers", "responseHeaders", "responseEnd 19", "end"]);
    let (transcript, seen) = run(Actor::default(), &to(engine::IMPATIENT));
    assert_eq!((transcript.client.status, seen.last().map(String::as_str)), (Some(504), Some("end")));
    let mut play = post(&["ab"]);
    play.request.headers.extend(pairs(&[(engine::TOKEN_HEADER, "none")]));
    let (transcript, seen) = run(Actor::default(), &play);
    assert_eq!((transcript.client.status, seen), (Some(401), vec!["end".to_owned()]), "an end without a beginning");
}

// === 4.5, time ===

#[test]
fn a_trap_is_503_or_a_reset_once_headers_have_gone() {
    for (phase, status, end) in [
        ("headers", Some(503), Ending::Complete),
        ("bodyEnd", Some(503), Ending::Complete),
        ("responseHeaders", Some(503), Ending::Complete),
        ("responseBody", Some(200), Ending::Reset),
    ] {
        let (transcript, seen) = run(Actor { trap_in: Some(phase), ..Actor::default() }, &post(&["a"]));
        assert_eq!(transcript.trapped, Some(format!("in {phase}")));
        assert_eq!((transcript.client.status, transcript.client.end), (status, end), "{phase}");
        assert!(!seen.contains(&"end".to_owned()), "a dead VM is told nothing");
    }
}

#[test]
fn ticks_fire_on_the_virtual_clock_and_only_in_the_time_of_the_play() {
    let mut host = Host::new(b"", Default::default());
    host.set_tick(1000).unwrap();
    let play = Play { time: Duration::from_secs(3), ..post(&["a"]) };
    host.begin(&play, "");
    let mut actor = Actor::default().on("headers", |_| Pause);
    host::play(&mut actor, &mut host, &play, Manners::default());
    assert_eq!(actor.seen, ["headers", "tick", "tick", "tick", "end"]);
    assert_eq!(host.now(), host::EPOCH + 3_000_000_000);
}

#[test]
fn a_queue_tells_the_vm_that_registered_it() {
    let actor = Actor::default().on("headers", |host| {
        let queue = host.register_queue(b"q").unwrap();
        host.enqueue(queue, b"item").unwrap();
        Continue
    });
    let (_, seen) = run(actor.on("queue", |_| Continue), &post(&["a"]));
    assert_eq!(seen[1], "queue 1");
}

#[test]
fn an_own_answer_comes_by_or_not_as_calibrated() {
    let manners = Manners { own_answer_comes_by: false, ..Manners::default() };
    let (transcript, seen) = run_as(Actor::default().on("headers", respond), &post(&["a"]), manners);
    assert_eq!((seen, transcript.client.status), (vec!["headers".to_owned(), "end".into()], Some(403)));
}
