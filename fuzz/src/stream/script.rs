//! A filter that does what bytes say, right or wrong, under any order of events.

use std::cell::RefCell;

use wardpoint_core::audit::About;
use wardpoint_core::config::ConfigErrors;
use wardpoint_core::filter::{
    CallId, Callout, CalloutError, Chunk, Effects, Filter, Head, HostProfile, HttpCall, Plugin, Reply, Root, Ruling, Settings,
    Step,
};
use wardpoint_core::http::Headers;
use wardpoint_core::policy::{Decision, Mode, Reason, Wire};
use wardpoint_core::time::{Duration, Timestamp};

use super::proxy::{Happening, Proxy};
use crate::input::Input;

use wardpoint_core::filter::Direction::{Request, Response};

thread_local! {
    /// The script of the next plugin, and its settings.
    static NEXT: RefCell<(Vec<u8>, bool, Mode)> = const { RefCell::new((Vec::new(), false, Mode::Enforce)) };
}

struct Script(Vec<u8>, bool, Mode);

struct Scripted {
    todo: std::vec::IntoIter<u8>,
    shared: Option<CallId>,
    ended: bool,
}

impl Plugin for Script {
    const NAME: &'static str = "probe";
    type Filter = Scripted;

    fn configure(_: &[u8]) -> Result<Self, ConfigErrors> {
        let (script, hold, mode) = NEXT.take();
        Ok(Self(script, hold, mode))
    }

    fn settings(&self) -> Settings {
        Settings { host: HostProfile { hold_headers: self.1 }, mode: self.2, ..Settings::default() }
    }

    fn filter(&self) -> Scripted {
        Scripted { todo: self.0.clone().into_iter(), shared: None, ended: false }
    }
}

impl Scripted {
    fn act(&mut self, fx: &mut Effects<'_>) -> Step {
        assert!(!self.ended, "the filter was asked after the end");
        let callout =
            || Callout::Http(HttpCall { cluster: "c".into(), headers: vec![], body: vec![], timeout: Duration::from_secs(1) });
        loop {
            let Some(byte) = self.todo.next() else { return Step::Continue };
            match byte % 20 {
                0 | 1 => return Step::Continue,
                2 | 3 => return Step::Hold,
                4 => return Step::CallOut(callout()),
                5 => self.shared = Some(fx.call_out_shared(callout())),
                6 => return self.shared.map_or(Step::Continue, Step::Await),
                7 | 8 => return fx.enforce(Ruling::new(Decision::allow("r"))),
                9 => return fx.enforce(Ruling::new(Decision::deny(Reason::NoMatchingRule))),
                10 => return Step::Reset,
                11 | 12 => fx.edit_body(),
                13 => fx.replace_body(b"new".to_vec()),
                14 => fx.replace_body(Vec::new()),
                15 => fx.set_header("x", "y"),
                16 => fx.remove_header("x"),
                17 => fx.skip_body(),
                18 => {
                    let wire = Wire::Events(None);
                    let about = About::default();
                    return fx.enforce(Ruling { wire, about, ..Ruling::new(Decision::deny(Reason::ResponseUnreadable)) });
                }
                _ => {
                    // Decides and then goes on in another way than the decision says.
                    let _ignored = fx.enforce(Ruling::new(Decision::allow("r")));
                }
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
        bytes.is_multiple_of(2)
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
    fn on_end(&mut self, _: &mut Effects<'_>) {
        self.ended = true;
    }
}

/// Settings, a script of so many bytes, host calls that fail in so many bytes, then events.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte().unwrap_or(0);
    let (hold, observe) = (flags & 1 == 1, flags & 0b110 == 0b110);
    let length = input.below(32);
    let script = input.take(length).to_vec();
    let length = if flags & 0b1000 == 0 { 0 } else { input.below(32) };
    let faults = Input::new(input.take(length));
    NEXT.set((script, hold, if observe { Mode::Observe } else { Mode::Enforce }));
    let Ok(root) = Root::<Script>::configure(b"{}") else { return };
    let mut proxy = Proxy::new(root.stream(), observe, faults);

    let request: Headers = [(":method", "POST"), ("content-length", "4"), ("x", "y")].into_iter().collect();
    while let Some(byte) = input.byte() {
        let end = byte & 0x80 != 0;
        let answers: Headers = [
            (":status", if byte & 0x40 == 0 { "200" } else { "503" }),
            ("x", "y"),
            ("www-authenticate", "Bearer"),
            ("etag", "e"),
        ]
        .into_iter()
        .collect();
        let happening = match byte & 0x1f {
            0..=3 => Happening::Headers(Request, &request, &[], end),
            4..=9 => Happening::Body(Request, b"body", end),
            10 => Happening::Trailers(Request),
            11..=14 => Happening::Headers(Response, &answers, &[], end),
            15..=19 => Happening::Body(Response, b"answer", end),
            20 => Happening::Trailers(Response),
            21..=23 => Happening::Reply(input.below(8), if end { Err(CalloutError::NoReply) } else { Ok(200) }),
            24 => Happening::Reply(input.below(8), Err(CalloutError::TimedOut)),
            25 => Happening::Unreadable(Request, b"unseen", end),
            26 => Happening::Unreadable(Response, b"unseen", end),
            27..=29 => Happening::Tick(Duration::from_millis(if end { 6000 } else { 300 })),
            30 => Happening::Tick(Duration::ZERO),
            _ => {
                proxy.happens(&Happening::End);
                return;
            }
        };
        proxy.happens(&happening);
    }
    proxy.happens(&Happening::End);
}
