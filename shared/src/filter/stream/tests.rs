//! The guarantees of [`Stream`], row by row, with a filter that does what it is told.

use std::collections::VecDeque;
use std::rc::Rc;

use super::super::*;
use super::Stream;
use crate::config::ConfigErrors;
use crate::http::Headers;
use crate::policy::{Answer, Decision, Reason};
use crate::time::{Duration, Timestamp};

/// What the filter does when it is asked next.
#[derive(Clone, Debug)]
enum Do {
    Allow,
    AllowAndAwaitShared,
    AwaitShared,
    Call,
    Continue,
    Deny,
    DenyInEvents(&'static str),
    EditBodyAndHold,
    EditBodyAndContinue,
    Hold,
    Replace(&'static str),
    SetHeader,
    Skip,
    SkipAndAwaitShared,
    SkipResponse,
}

struct Scripted(Rc<core::cell::RefCell<VecDeque<Do>>>);

thread_local!(static SCRIPT: core::cell::RefCell<(Vec<Do>, bool)> = const { core::cell::RefCell::new((Vec::new(), false)) });

struct Script(Vec<Do>, bool);

impl Plugin for Script {
    const NAME: &'static str = "script";
    type Filter = Scripted;

    fn configure(_: &[u8]) -> Result<Self, ConfigErrors> {
        Ok(SCRIPT.with_borrow(|(todo, hold)| Self(todo.clone(), *hold)))
    }

    fn settings(&self) -> Settings {
        Settings { host: HostProfile { hold_headers: self.1 }, ..Settings::default() }
    }

    fn filter(&self) -> Scripted {
        Scripted(Rc::new(core::cell::RefCell::new(self.0.iter().cloned().collect())))
    }
}

impl Scripted {
    fn act(&self, fx: &mut Effects<'_>) -> Step {
        let todo = self.0.borrow_mut().pop_front();
        match todo.unwrap_or(Do::Continue) {
            Do::Allow => fx.enforce(Ruling::new(Decision::allow("r"))),
            Do::AllowAndAwaitShared => {
                let _allowed = fx.enforce(Ruling::new(Decision::allow("r")));
                Step::Await(fx.call_out_shared(call()))
            }
            Do::AwaitShared => Step::Await(fx.call_out_shared(call())),
            Do::Call => Step::CallOut(call()),
            Do::Continue => Step::Continue,
            Do::Deny => fx.enforce(Ruling::new(Decision::deny(Reason::NoMatchingRule))),
            Do::DenyInEvents(before) => {
                fx.replace_body(before.into());
                let wire = crate::policy::Wire::Events(Some("1".into()));
                fx.enforce(Ruling { wire, ..Ruling::new(Decision::deny(Reason::ResponseUnreadable)) })
            }
            Do::EditBodyAndHold => {
                fx.edit_body();
                Step::Hold
            }
            Do::EditBodyAndContinue => {
                fx.edit_body();
                Step::Continue
            }
            Do::Hold => Step::Hold,
            Do::Replace(text) => {
                fx.replace_body(text.into());
                Step::Continue
            }
            Do::SetHeader => {
                fx.set_header("x", "1");
                fx.enforce(Ruling::new(Decision::allow("r")))
            }
            Do::Skip => {
                fx.skip_body();
                Step::Continue
            }
            Do::SkipAndAwaitShared => {
                fx.skip_body();
                Step::Await(fx.call_out_shared(call()))
            }
            Do::SkipResponse => {
                fx.skip_response();
                fx.enforce(Ruling::new(Decision::allow("r")))
            }
        }
    }
}

impl Filter for Scripted {
    fn on_request_headers(&mut self, _: Head<'_>, fx: &mut Effects<'_>) -> Step {
        self.act(fx)
    }
    fn on_request_body(&mut self, _: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        self.act(fx)
    }
    fn gathers(&self, bytes: usize) -> bool {
        bytes <= 4
    }
    fn on_callout_reply(&mut self, _: Timestamp, _: Result<Reply<'_>, CalloutError>, fx: &mut Effects<'_>) -> Step {
        self.act(fx)
    }
    fn on_response_headers(&mut self, _: Head<'_>, fx: &mut Effects<'_>) -> Step {
        self.act(fx)
    }
    fn on_response_body(&mut self, _: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        self.act(fx)
    }
}

fn call() -> Callout {
    let timeout = Duration::from_secs(1);
    Callout::Http(HttpCall { cluster: "sts".into(), headers: vec![], body: vec![], timeout })
}

struct NoServices;

impl Services for NoServices {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        into.fill(7);
        Ok(())
    }
    fn shared_get(&mut self, _: &str) -> Result<Option<Shared>, ServiceError> {
        Err(ServiceError::Unsupported)
    }
    fn shared_set(&mut self, _: &str, _: &[u8], _: Option<Cas>) -> Result<(), ServiceError> {
        Err(ServiceError::Unsupported)
    }
    fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
        Err(ServiceError::Unsupported)
    }
}

/// A stream under test, and short names for what happens to it. Each gives the flow and the ops, as text.
struct Drive {
    stream: Stream<Scripted>,
    now: Timestamp,
    last_call: Option<CallId>,
    /// What the proxy says of how an answer came about.
    details: &'static str,
}

fn drive(hold: bool, todo: &[Do]) -> Drive {
    SCRIPT.set((todo.to_vec(), hold));
    let Ok(root) = Root::<Script>::configure(b"{}") else { panic!("the script has no configuration") };
    of(root.stream())
}

fn of(stream: Stream<Scripted>) -> Drive {
    Drive { stream, now: Timestamp::from_secs(1), last_call: None, details: "via_upstream" }
}

impl Drive {
    fn event(&mut self, event: Event<'_>) -> String {
        let flow = self.stream.handle(event, self.now, &mut NoServices);
        self.told(flow)
    }

    fn told(&mut self, flow: Flow) -> String {
        let mut seen = vec![format!("{flow:?}")];
        while let Some(op) = self.stream.poll_op() {
            seen.push(match op {
                Op::Audit(record) => {
                    let reason = record.reason.map(Reason::code);
                    format!(
                        "audit {} {}{}",
                        record.outcome.as_str(),
                        reason.unwrap_or("-"),
                        if record.late { " late" } else { "" }
                    )
                }
                Op::CallOut(id, _) => {
                    self.last_call = Some(id);
                    "call".into()
                }
                Op::CallOutShared(id, _) => {
                    self.last_call = Some(id);
                    "shared call".into()
                }
                Op::Count(counter, _) if counter.to_string().ends_with("lost_at_trailers") => "lost".into(),
                Op::Count(..) => continue,
                Op::Mark => "mark".into(),
                Op::RemoveHeader(_, name) => format!("-{name}"),
                Op::ReplaceBody(_, with) => format!("body {:?}", String::from_utf8_lossy(&with)),
                Op::Reset => "reset".into(),
                Op::Respond(Answer { status, .. }) => format!("respond {status}"),
                Op::Resume(direction) => format!("resume {direction:?}"),
                Op::SetHeader(_, name, _) => format!("+{name}"),
            });
        }
        seen.join(", ")
    }

    fn head(&mut self, direction: Direction, pairs: &[(&str, &str)], end_of_stream: bool) -> String {
        let headers: Headers = pairs.iter().copied().collect();
        let details = [Ok(Some(self.details.as_bytes().to_vec()))];
        let head = Head { headers: &headers, properties: Properties::new(&details), end_of_stream };
        self.event(match direction {
            Direction::Request => Event::RequestHeaders(head),
            Direction::Response => Event::ResponseHeaders(head),
        })
    }

    fn request(&mut self) -> String {
        self.head(Direction::Request, &[(":method", "POST")], false)
    }

    fn response(&mut self, status: &str) -> String {
        self.head(
            Direction::Response,
            &[(":status", status), ("content-length", "4"), ("www-authenticate", "Bearer"), ("x", "y")],
            false,
        )
    }

    fn body(&mut self, direction: Direction, text: &str, end_of_stream: bool) -> String {
        let chunk = Chunk { bytes: text.as_bytes(), end_of_stream };
        self.event(match direction {
            Direction::Request => Event::RequestBody(chunk),
            Direction::Response => Event::ResponseBody(chunk),
        })
    }

    fn reply(&mut self, error: CalloutError) -> String {
        let id = self.last_call.take().unwrap_or(CallId(u32::MAX));
        self.event(Event::CalloutReply(id, Err(error)))
    }
}

use Direction::{Request, Response};

#[test]
fn continue_after_a_reply_resumes_last() {
    let mut d = drive(false, &[Do::Call, Do::SetHeader]);
    assert_eq!(d.request(), "Pause, call");
    assert_eq!(d.reply(CalloutError::NoReply), "Continue, +x, audit allow -, resume Request");
}

#[test]
fn hold_holds_headers_if_the_host_can() {
    let mut d = drive(true, &[Do::Hold, Do::Hold, Do::SetHeader]);
    assert_eq!(d.request(), "Pause");
    assert_eq!(d.body(Request, "a", false), "Pause");
    assert_eq!(d.body(Request, "", true), "Continue, +x, audit allow -");
}

#[test]
fn what_would_only_be_kept_stays_in_the_proxy() {
    let mut d = drive(true, &[Do::Hold, Do::SetHeader]);
    assert!(!d.stream.gathers(1), "there are no headers");
    assert_eq!(d.request(), "Pause");
    assert!(!d.stream.gathers(5), "the filter wants to see them");
    assert!(d.stream.wants_tick());
    assert!(d.stream.gathers(4));
    assert!(!d.stream.wants_tick(), "a body has come: this host does hold headers");
    assert_eq!(d.body(Request, "abcd", true), "Continue, +x, audit allow -");
    assert!(!d.stream.gathers(0), "the body has ended");
    for other in [[Do::Call], [Do::Deny], [Do::Skip]] {
        let mut d = drive(true, &other);
        d.request();
        assert!(!d.stream.gathers(1), "{other:?}");
    }
}

#[test]
fn hold_makes_the_body_the_gate_if_the_host_cannot() {
    let mut d = drive(false, &[Do::Hold, Do::Hold, Do::Deny]);
    assert_eq!(d.request(), "Continue, mark");
    assert_eq!(d.body(Request, "a", false), "Pause");
    assert_eq!(d.body(Request, "", true), "Pause, audit deny no_matching_rule late, respond 403");
}

#[test]
fn a_response_before_the_decision_is_refused() {
    let mut d = drive(false, &[Do::Hold]);
    assert_eq!(d.request(), "Continue, mark");
    assert_eq!(d.response("200"), "Pause, audit deny host_out_of_order late, respond 500");
}

#[test]
fn of_an_early_error_only_status_and_challenge_pass() {
    for details in ["via_upstream", "upstream_reset_before_response_started{connection_termination}", ""] {
        let mut d = Drive { details, ..drive(false, &[Do::Hold]) };
        let _ = d.request();
        assert_eq!(d.response("401"), "Continue, audit undecided upstream_answered_early late, -content-length, -x");
        assert_eq!(d.body(Response, "secret", false), "Continue, body \"\"");
        assert_eq!(d.body(Request, "more", true), "Pause, body \"\"");
        assert_eq!(d.event(Event::Trailers(Response)), "Continue");
    }
}

#[test]
fn an_early_error_that_cannot_be_the_upstreams_passes() {
    let held = drive(true, &[Do::Hold]);
    let asking = drive(false, &[Do::Call]);
    let ours = Drive { details: OURS, ..drive(false, &[Do::Hold]) };
    for (mut d, late) in [(held, ""), (asking, ""), (ours, " late")] {
        let _ = d.request();
        assert_eq!(d.response("403"), format!("Continue, audit undecided upstream_answered_early{late}"));
        assert_eq!(d.body(Response, "why", false), "Continue");
        d.now = d.now + Duration::from_secs(5);
        assert_eq!(d.event(Event::Tick), "Continue", "nothing is waited for any more");
        assert_eq!(d.reply(CalloutError::NoReply), "Continue");
        assert_eq!(d.body(Request, "more", true), "Pause, body \"\"");
        assert_eq!(d.body(Response, "and how", true), "Continue");
    }
}

#[test]
fn nobody_but_the_upstream_says_that_an_undecided_request_is_well() {
    for details in [OURS, "via_upstream"] {
        let mut d = Drive { details, ..drive(true, &[Do::Hold]) };
        let _ = d.request();
        assert_eq!(d.response("200"), "Pause, audit deny host_out_of_order, respond 500");
    }
    let mut d = drive(true, &[]);
    assert_eq!(
        d.response("403"),
        "Continue, audit undecided upstream_answered_early, -content-length, -x",
        "no request has come"
    );
}

#[test]
fn a_reply_nobody_waits_for_is_ignored() {
    let mut d = drive(false, &[Do::Allow]);
    assert_eq!(d.reply(CalloutError::NoReply), "Continue");
    assert_eq!(d.request(), "Continue, audit allow -");
    let mut d = drive(false, &[Do::Call]);
    let _ = d.request();
    assert_eq!(d.event(Event::CalloutReply(CallId(999), Err(CalloutError::NoReply))), "Pause");
}

#[test]
fn a_body_while_a_reply_is_awaited_stays_held_but_a_deny_counts() {
    let mut d = drive(false, &[Do::Call, Do::Continue, Do::Allow]);
    let _ = d.request();
    assert_eq!(d.body(Request, "a", true), "Pause");
    assert_eq!(d.reply(CalloutError::TimedOut), "Continue, audit allow -, resume Request");
    let mut d = drive(false, &[Do::Call, Do::Deny]);
    let _ = d.request();
    assert_eq!(d.body(Request, "a", true), "Pause, audit deny no_matching_rule, respond 403");
}

#[test]
fn a_body_that_nobody_wants_waits_with_its_headers() {
    let mut d = drive(true, &[Do::SkipAndAwaitShared, Do::SetHeader]);
    assert_eq!(d.request(), "Pause, shared call");
    assert_eq!(d.body(Request, "a", false), "Pause");
    assert_eq!(d.body(Request, "b", true), "Pause");
    assert_eq!(d.reply(CalloutError::NoReply), "Continue, +x, audit allow -, resume Request");
}

#[test]
fn headers_that_are_held_can_be_edited_after_a_call_that_was_made_with_the_body() {
    let mut d = drive(true, &[Do::Hold, Do::Hold, Do::Call, Do::SetHeader]);
    assert_eq!(d.request(), "Pause");
    assert_eq!(d.body(Request, "a", false), "Pause");
    assert_eq!(d.body(Request, "", true), "Pause, call");
    assert_eq!(d.reply(CalloutError::NoReply), "Continue, +x, audit allow -, resume Request");
}

#[test]
fn a_second_call_while_one_is_open_fails_closed() {
    let mut d = drive(false, &[Do::Call, Do::Call]);
    let _ = d.request();
    assert_eq!(d.body(Request, "a", false), "Pause, audit deny internal, respond 500");
}

#[test]
fn respond_after_response_headers_replaces_a_held_body_or_resets() {
    let mut d = drive(false, &[Do::Allow, Do::Skip, Do::EditBodyAndHold, Do::Hold, Do::Deny]);
    let _ = d.request();
    let _ = d.body(Request, "", true);
    assert_eq!(d.response("200"), "Continue, -content-length");
    assert_eq!(d.body(Response, "[", false), "Pause");
    let seen = d.body(Response, "]", false);
    assert!(seen.starts_with("Continue, audit deny no_matching_rule late, body \"{"), "{seen}");
    assert_eq!(d.body(Response, "tail", true), "Continue, body \"\"");

    let mut d = drive(false, &[Do::Allow, Do::Skip, Do::EditBodyAndContinue, Do::Continue, Do::Deny]);
    let _ = (d.request(), d.body(Request, "", true), d.response("200"));
    assert_eq!(d.body(Response, "gone", false), "Continue");
    assert_eq!(d.body(Response, "bad", false), "Pause, audit deny no_matching_rule late, reset");
}

#[test]
fn respond_in_a_stream_of_events_ends_it_with_an_error_event() {
    let mut d = drive(false, &[Do::Allow, Do::Skip, Do::EditBodyAndContinue, Do::Continue, Do::DenyInEvents("data: ok\n\n")]);
    let _ = (d.request(), d.body(Request, "", true), d.response("200"));
    assert_eq!(d.body(Response, "gone", false), "Continue");
    let seen = d.body(Response, "ok and bad", false);
    let want = r#"Continue, audit deny response_unreadable late, body "data: ok\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,"#;
    assert!(seen.starts_with(want), "{seen}");
    assert_eq!(d.body(Response, "more", true), "Continue, body \"\"");
}

#[test]
fn after_an_answer_nothing_is_shown_but_our_own_answer_passes() {
    let mut d = drive(false, &[Do::Deny, Do::Allow]);
    assert_eq!(d.request(), "Pause, audit deny no_matching_rule, respond 403");
    assert_eq!(d.body(Request, "a", true), "Pause");
    assert_eq!(d.response("403"), "Continue");
    assert_eq!(d.body(Response, "x", true), "Continue");
    assert_eq!(d.event(Event::End), "Continue");
}

#[test]
fn a_call_that_cannot_be_made_comes_back_without_a_resume() {
    let mut d = drive(false, &[Do::Call, Do::Deny]);
    assert_eq!(d.request(), "Pause, call");
    assert_eq!(d.reply(CalloutError::NotDispatched), "Pause, audit deny no_matching_rule, respond 403");
    let mut d = drive(false, &[Do::Call, Do::Allow]);
    let _ = d.request();
    assert_eq!(d.reply(CalloutError::NotDispatched), "Continue, audit allow -");
}

#[test]
fn a_request_without_a_decision_is_refused() {
    let mut d = drive(false, &[Do::Continue, Do::Continue]);
    assert_eq!(d.request(), "Continue, mark");
    assert_eq!(d.body(Request, "a", true), "Pause, audit deny undecided late, respond 500");
    let mut d = drive(false, &[Do::Continue]);
    assert_eq!(d.head(Request, &[(":method", "GET")], true), "Pause, audit deny undecided, respond 500");
}

#[test]
fn trailers_end_the_body() {
    let mut d = drive(false, &[Do::Hold, Do::Hold, Do::Deny]);
    let _ = (d.request(), d.body(Request, "a", false));
    assert_eq!(d.event(Event::Trailers(Request)), "Pause, audit deny no_matching_rule late, respond 403");
}

#[test]
fn what_cannot_be_sent_with_trailers_resets() {
    let script = [Do::Allow, Do::Skip, Do::EditBodyAndContinue, Do::Replace(""), Do::Replace("kept back")];
    let mut d = drive(false, &script);
    let _ = (d.request(), d.body(Request, "", true), d.response("200"));
    assert_eq!(d.body(Response, "a", false), "Continue, body \"\"");
    assert_eq!(d.event(Event::Trailers(Response)), "Pause, lost, reset");
}

#[test]
fn an_end_without_a_decision_is_recorded() {
    let mut d = drive(false, &[Do::Hold]);
    let _ = d.request();
    assert_eq!(d.event(Event::End), "Continue, audit undecided client_left late");
    assert_eq!(d.event(Event::End), "Continue");
}

#[test]
fn a_wrong_host_profile_is_found_out_and_a_slow_client_is_not() {
    let mut d = drive(true, &[Do::Hold]);
    let _ = d.request();
    assert!(d.stream.wants_tick());
    assert_eq!(d.event(Event::Tick), "Continue");
    d.now = d.now + Duration::from_secs(1);
    assert_eq!(d.event(Event::Tick), "Pause, audit deny host_profile_wrong, respond 503");

    SCRIPT.set((vec![Do::Hold, Do::Hold], true));
    let Ok(root) = Root::<Script>::configure(b"{}") else { panic!("the script has no configuration") };
    let mut proof = of(root.stream());
    let _ = (proof.request(), proof.body(Request, "a", false));
    let mut slow = of(root.stream());
    let _ = slow.request();
    assert!(!slow.stream.wants_tick());
    slow.now = Timestamp::from_secs(60);
    assert_eq!(slow.event(Event::Tick), "Continue");
}

#[test]
fn an_await_has_a_limit() {
    let mut d = drive(false, &[Do::AwaitShared, Do::Deny]);
    assert_eq!(d.request(), "Pause, shared call");
    assert!(d.last_call.is_some_and(|call| d.stream.awaits(call)));
    d.now = d.now + Duration::from_secs(9);
    assert_eq!(d.event(Event::Tick), "Pause");
    d.now = d.now + Duration::from_secs(1);
    assert_eq!(d.event(Event::Tick), "Pause, audit deny no_matching_rule, respond 403");
}

#[test]
fn a_failed_op_closes() {
    let mut d = drive(false, &[Do::SetHeader]);
    let _ = d.request();
    assert_eq!(d.event(Event::Failed(HostCall::SetHeader)), "Pause, audit deny host_failed late, respond 500");
    assert_eq!(d.event(Event::Failed(HostCall::Respond)), "Pause, reset");
    assert_eq!(d.response("200"), "Pause");
    let mut d = drive(false, &[Do::Call]);
    let _ = d.request();
    assert_eq!(d.event(Event::Failed(HostCall::Resume)), "Pause");
    assert_eq!(d.response("200"), "Pause");
    let mut d = drive(false, &[Do::Hold]);
    let _ = d.request();
    assert_eq!(d.event(Event::Failed(HostCall::Read(Request))), "Pause, audit deny host_failed late, respond 500");
    assert_eq!(d.event(Event::Failed(HostCall::Read(Request))), "Pause", "nothing of the request goes on");
    assert_eq!(d.event(Event::Failed(HostCall::Read(Response))), "Continue", "our own answer comes by, readable or not");
}

#[test]
fn a_request_that_waits_does_not_go_on_for_an_error_in_the_answer() {
    for what in [HostCall::Read(Request), HostCall::SetHeader, HostCall::ReplaceBody] {
        let mut d = drive(true, &[Do::AllowAndAwaitShared, Do::EditBodyAndContinue]);
        assert_eq!(d.request(), "Pause, audit allow -, shared call");
        assert!(d.response("200").starts_with("Continue, "));
        assert_eq!(d.event(Event::Failed(what)), "Pause, audit deny host_failed, reset", "{what:?}");
    }
}

#[test]
fn where_the_driver_gives_up_nothing_passes() {
    let give_up = |d: &mut Drive| {
        let flow = d.stream.give_up(d.now, &mut NoServices);
        d.told(flow)
    };
    // The answer was never given, and what the upstream says is not ours.
    let mut d = drive(false, &[Do::Hold, Do::Deny]);
    let _ = (d.request(), d.body(Request, "a", true));
    assert_eq!(give_up(&mut d), "Pause, reset");
    assert_eq!((d.response("200"), d.body(Response, "a", true)), ("Pause".into(), "Pause".into()));
    assert_eq!(d.event(Event::End), "Continue");
    let mut d = drive(false, &[Do::Call]);
    let _ = d.request();
    assert_eq!(give_up(&mut d), "Pause, audit deny host_failed, reset");
    assert_eq!((d.reply(CalloutError::NotDispatched), d.response("200")), ("Pause".into(), "Pause".into()));
    assert_eq!(d.event(Event::End), "Continue", "it was recorded");
}

#[test]
fn a_body_that_cannot_be_replaced_is_not_tried_again() {
    for hold in [false, true] {
        let script = [Do::Allow, Do::Skip, Do::EditBodyAndHold, Do::Replace("a")];
        let mut d = drive(hold, &script);
        let _ = (d.request(), d.body(Request, "", true), d.response("200"));
        assert_eq!(d.body(Response, "ab", true), "Continue, body \"a\"");
        assert_eq!(d.event(Event::Failed(HostCall::ReplaceBody)), "Pause, audit deny host_failed late, reset");
    }
}

#[test]
fn a_header_edit_out_of_its_phase_fails_closed() {
    let mut d = drive(false, &[Do::Hold, Do::SetHeader]);
    let _ = d.request();
    assert_eq!(d.body(Request, "a", true), "Pause, audit allow - late, audit deny internal late, respond 500");
}

#[test]
fn events_out_of_order_are_refused() {
    let mut d = drive(false, &[]);
    assert_eq!(d.body(Request, "a", true), "Pause, audit deny host_out_of_order, respond 500");
    let mut d = drive(false, &[Do::Allow]);
    let _ = d.request();
    assert_eq!(d.request(), "Pause, audit deny host_out_of_order late, respond 500");
    let mut d = drive(false, &[]);
    assert_eq!(d.response("200"), "Pause, audit deny host_out_of_order, respond 500");
}

#[test]
fn an_answer_that_nobody_wants_to_see_goes_by_unread() {
    let mut d = drive(true, &[Do::Hold, Do::SkipResponse, Do::Deny]);
    let _ = d.request();
    assert!(d.stream.wants_response_headers(), "nothing is decided");
    assert!(!d.stream.pass_response(false) && !d.stream.pass_body(Response, true));
    assert_eq!(d.body(Request, "a", true), "Continue, audit allow -");
    assert!(!d.stream.wants_response_headers());
    assert!(!d.stream.pass_body(Response, false), "a body before its headers");
    assert!(d.stream.pass_response(false));
    assert!(!d.stream.pass_response(false), "headers come once");
    assert!(!d.stream.wants_body(Response));
    assert!(d.stream.pass_body(Response, false) && d.stream.pass_body(Response, true));
    assert!(!d.stream.pass_body(Response, true), "nothing comes behind the end");
    assert_eq!(d.event(Event::End), "Continue");
}

#[test]
fn the_same_answer_as_an_event_goes_by_too() {
    let mut d = drive(false, &[Do::SkipResponse, Do::Deny]);
    let _ = d.request();
    assert_eq!(d.head(Response, &[], false), "Continue", "its headers need not be read");
    assert_eq!(d.body(Response, "a", true), "Continue");
}

#[test]
fn an_answer_that_is_to_be_seen_does_not_go_by() {
    let mut d = drive(false, &[Do::Allow, Do::Deny]);
    let _ = d.request();
    assert!(d.stream.wants_response_headers() && !d.stream.pass_response(false));
    assert_eq!(d.response("200"), "Pause, audit deny no_matching_rule late, respond 403");
    assert!(!d.stream.wants_response_headers() && !d.stream.pass_response(false) && !d.stream.pass_body(Response, true));
}

#[test]
fn a_body_goes_by_only_where_nothing_depends_on_it() {
    let mut d = drive(false, &[Do::Allow, Do::Hold, Do::Skip]);
    let _ = d.request();
    assert!(!d.stream.pass_body(Request, false), "the filter wants to see it");
    let mut d = drive(false, &[Do::Allow, Do::EditBodyAndHold, Do::Hold]);
    let _ = (d.request(), d.response("200"), d.body(Response, "a", false));
    assert!(!d.stream.pass_body(Response, false), "it is held");
    let mut d = drive(false, &[Do::Hold]);
    let _ = (d.request(), d.response("401"));
    assert!(!d.stream.pass_body(Response, false) && !d.stream.pass_body(Request, true), "it is swallowed");
}

#[test]
fn the_state_of_a_stream_stays_small() {
    // Paid per request; when this trips, look at what grew before you raise it.
    assert!(size_of::<Stream<Scripted>>() <= 640, "{}", size_of::<Stream<Scripted>>());
}
