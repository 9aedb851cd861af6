//! The order of one HTTP exchange: what may happen when, and failing closed when it does not.

use std::collections::VecDeque;
use std::rc::Rc;

use super::effects::{CallIds, Effects};
use super::event::{CalloutError, Chunk, Direction, Event, Head, HostCall, Reply};
use super::services::Services;
use super::step::{CallId, Flow, LocalResponse, Op, Step};
use super::{Filter, Settings, TICK_PERIOD};
use crate::audit::About;
use crate::http::Headers;
use crate::policy::{Reason, Wire};
use crate::time::{Duration, Timestamp};

/// How long held headers may wait for a sign that this host delivers bodies meanwhile.
const HOLD_PROOF: Duration = TICK_PERIOD;
/// How long [`Step::Await`] waits at the most.
const AWAIT_LIMIT: Duration = Duration::from_secs(10);

/// The machine of one exchange around a filter.
///
/// The law of driving it: one event into [`Stream::handle`], then drain [`Stream::poll_op`] before the next. It guarantees
/// (each row is a test in `stream_tests.rs`):
///
/// 1. `Continue` after a reply resumes the paused direction, as the last op.
/// 2. `Hold` on request headers holds them if the profile says so; else they go on, the body is the gate, and the record says `late`.
/// 3. A response while the request is undecided is refused with `host_out_of_order`; of an error answer (status ≥ 400: the
///    upstream's, or one that the proxy made itself) the status and `www-authenticate` pass, the body does not.
/// 4. A reply that nobody waits for is ignored.
/// 5. Body bytes while a reply is awaited are shown to the filter and stay held; its `Continue` and `Hold` wait.
/// 6. A second `CallOut` while one is open is a bug of the filter: the stream fails closed.
/// 7. `Respond` once response headers have gone on replaces a body of which nothing has left, ends a stream of events with
///    an error event, else resets.
/// 8. After an answer or a reset nothing more is shown to the filter but the end.
/// 9. A call that cannot be made comes back as a reply in the same callback, so no `Resume` follows.
/// 10. A request that would go through without a decision is refused with `undecided`.
/// 11. Trailers end the body. What the host can no longer emit then resets the stream.
/// 12. `End` without a decision is recorded as `client_left`.
/// 13. Headers held on a host that delivers no body are answered with `host_profile_wrong` within a second.
/// 14. An op that fails, closes: with an answer if one can still be given, else with a reset.
pub struct Stream<F> {
    filter: F,
    exchange: Exchange,
    ids: CallIds,
    hold_proven: Rc<core::cell::Cell<bool>>,
    waiting: Option<Waiting>,
    held_since: Option<Timestamp>,
    closed: Option<Closed>,
    ops: VecDeque<Op>,
}

/// What filter, effects and stream know of the exchange.
pub(super) struct Exchange {
    pub(super) plugin: &'static str,
    pub(super) settings: Settings,
    pub(super) request: Side,
    pub(super) response: Side,
    pub(super) decided: bool,
    pub(super) about: About,
    pub(super) wire: Wire,
    pub(super) request_id: Option<Rc<str>>,
    pub(super) trace: Option<Rc<str>>,
    /// The filter did something that it may not; the event fails closed.
    pub(super) broken: bool,
}

/// One direction.
#[derive(Default)]
pub(super) struct Side {
    /// Its headers have come.
    pub(super) begun: bool,
    /// Its headers have gone on.
    pub(super) headers_gone: bool,
    /// Bytes of its body have gone on.
    bytes_gone: bool,
    /// Its last part has come.
    ended: bool,
    /// The proxy holds body bytes of it, for us.
    holding: bool,
    /// Nothing of its body goes on any more.
    swallows: bool,
    pub(super) edits_body: bool,
    pub(super) skips_body: bool,
    /// In this event the body was replaced, by something or by nothing.
    pub(super) replaced: Option<bool>,
    /// Headers that describe the body and are there.
    pub(super) described: Vec<&'static str>,
}

struct Waiting {
    call: CallId,
    direction: Direction,
    /// Only an `Await` has its limit here; a call of our own has it in the proxy.
    until: Option<Timestamp>,
    own: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Closed {
    /// Answered by us: the answer comes by as a response and passes.
    Answered,
    /// Reset, or the host did not do what it was told: nothing passes.
    Dead,
}

/// Where in the order of events a step was given.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    Headers { last: bool },
    Body { last: bool, trailers: bool },
    Reply { synchronous: bool },
}

impl<F: Filter> Stream<F> {
    pub(super) fn new(
        plugin: &'static str,
        filter: F,
        settings: Settings,
        ids: CallIds,
        hold_proven: Rc<core::cell::Cell<bool>>,
    ) -> Self {
        let exchange = Exchange {
            plugin,
            settings,
            request: Side::default(),
            response: Side::default(),
            decided: false,
            about: About::default(),
            wire: Wire::default(),
            request_id: None,
            trace: None,
            broken: false,
        };
        Self { filter, exchange, ids, hold_proven, waiting: None, held_since: None, closed: None, ops: VecDeque::new() }
    }

    /// One event in. Then drain [`Stream::poll_op`] before the next.
    pub fn handle(&mut self, event: Event<'_>, now: Timestamp, services: &mut dyn Services) -> Flow {
        debug_assert!(self.ops.is_empty(), "drain poll_op before the next event");
        if let Event::End = event {
            return self.on_end(now, services);
        }
        if let Some(closed) = self.closed {
            return self.after_close(closed, &event);
        }
        match event {
            Event::CalloutReply(call, reply) => self.on_reply(call, reply, now, services),
            Event::End => Flow::Continue,
            Event::Failed(what) => self.on_failed(what, now, services),
            Event::RequestBody(chunk) => self.on_body(Direction::Request, chunk, false, now, services),
            Event::RequestHeaders(head) => self.on_request_headers(head, now, services),
            Event::ResponseBody(chunk) => self.on_body(Direction::Response, chunk, false, now, services),
            Event::ResponseHeaders(head) => self.on_response_headers(head, now, services),
            Event::Tick => self.on_tick(now, services),
            Event::Trailers(direction) => self.on_body(direction, Chunk { bytes: &[], end_of_stream: true }, true, now, services),
        }
    }

    /// What is to be done next.
    pub fn poll_op(&mut self) -> Option<Op> {
        self.ops.pop_front()
    }

    /// Whether body bytes of this direction need to be read at all.
    pub fn wants_body(&self, direction: Direction) -> bool {
        let side = self.exchange.side_ref(direction);
        self.closed.is_none() && !side.skips_body && !side.swallows
    }

    /// Whether the stream waits for this call.
    pub fn awaits(&self, call: CallId) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.call == call)
    }

    fn on_request_headers(&mut self, head: Head<'_>, now: Timestamp, services: &mut dyn Services) -> Flow {
        if self.exchange.request.begun || self.exchange.response.begun {
            return self.refuse(Direction::Request, Reason::HostOutOfOrder, now, services);
        }
        self.exchange.identify(head.headers);
        self.exchange.request.begin(head);
        let step = self.ask(Direction::Request, true, now, services, |filter, fx| filter.on_request_headers(head, fx));
        self.apply(step, Direction::Request, Place::Headers { last: head.end_of_stream }, now, services)
    }

    fn on_response_headers(&mut self, head: Head<'_>, now: Timestamp, services: &mut dyn Services) -> Flow {
        if self.exchange.response.begun {
            // 1xx answers come before the final one; they carry no content.
            return self.refuse(Direction::Response, Reason::HostOutOfOrder, now, services);
        }
        self.exchange.response.begin(head);
        if !self.exchange.decided {
            return self.on_early_response(head, now, services);
        }
        let step = self.ask(Direction::Response, true, now, services, |filter, fx| filter.on_response_headers(head, fx));
        self.apply(step, Direction::Response, Place::Headers { last: head.end_of_stream }, now, services)
    }

    /// Somebody answered before the request was decided: the upstream (headers were not held), or the proxy itself.
    fn on_early_response(&mut self, head: Head<'_>, now: Timestamp, services: &mut dyn Services) -> Flow {
        if head.headers.status().is_none_or(|status| status < 400) {
            return self.refuse(Direction::Response, Reason::HostOutOfOrder, now, services);
        }
        self.effects(Direction::Response, true, now, services).undecided(Reason::UpstreamAnsweredEarly);
        self.waiting = None;
        self.exchange.request.swallows = true;
        self.exchange.response.swallows = true;
        self.exchange.response.headers_gone = true;
        let mut removed: Vec<&[u8]> = Vec::new();
        for (name, _) in head.headers.iter() {
            if name != b":status" && name != b"www-authenticate" && !removed.contains(&name) {
                removed.push(name);
                self.ops.push_back(Op::RemoveHeader(Direction::Response, String::from_utf8_lossy(name).into_owned()));
            }
        }
        Flow::Continue
    }

    fn on_body(
        &mut self,
        direction: Direction,
        chunk: Chunk<'_>,
        trailers: bool,
        now: Timestamp,
        services: &mut dyn Services,
    ) -> Flow {
        let side = self.exchange.side(direction);
        if side.swallows {
            side.ended |= chunk.end_of_stream;
            if !trailers {
                self.ops.push_back(Op::ReplaceBody(direction, Vec::new()));
            }
            return if direction == Direction::Request { Flow::Pause } else { Flow::Continue };
        }
        if !side.begun || side.ended {
            return self.refuse(direction, Reason::HostOutOfOrder, now, services);
        }
        side.ended |= chunk.end_of_stream;
        side.replaced = None;
        if direction == Direction::Request && self.held_since.take().is_some() {
            self.hold_proven.set(true);
        }
        if self.exchange.side(direction).skips_body {
            return self.pass(direction, chunk.end_of_stream, now, services);
        }
        let editable = !self.exchange.side(direction).headers_gone && self.waiting.is_none();
        let step = self.ask(direction, editable, now, services, |filter, fx| match direction {
            Direction::Request => filter.on_request_body(chunk, fx),
            Direction::Response => filter.on_response_body(chunk, fx),
        });
        self.apply(step, direction, Place::Body { last: chunk.end_of_stream, trailers }, now, services)
    }

    fn on_reply(
        &mut self,
        call: CallId,
        reply: Result<Reply<'_>, CalloutError>,
        now: Timestamp,
        services: &mut dyn Services,
    ) -> Flow {
        let Some(waiting) = self.waiting.take_if(|waiting| waiting.call == call) else {
            return if self.waiting.is_some() { Flow::Pause } else { Flow::Continue };
        };
        let direction = waiting.direction;
        let synchronous = waiting.own && matches!(reply, Err(CalloutError::NotDispatched));
        // Envoy lets headers be edited in the callback of a call that was made with them, not of one made with the body.
        let side = self.exchange.side_ref(direction);
        let editable = !side.headers_gone && !side.holding;
        let step = self.ask(direction, editable, now, services, |filter, fx| filter.on_callout_reply(now, reply, fx));
        self.apply(step, direction, Place::Reply { synchronous }, now, services)
    }

    fn on_tick(&mut self, now: Timestamp, services: &mut dyn Services) -> Flow {
        if let Some(waiting) = &self.waiting {
            return match waiting.until {
                Some(until) if now >= until => self.on_reply(waiting.call, Err(CalloutError::TimedOut), now, services),
                _ => Flow::Pause,
            };
        }
        match self.held_since {
            Some(since) if !self.hold_proven.get() && now.since(since) >= HOLD_PROOF => {
                self.refuse(Direction::Request, Reason::HostProfileWrong, now, services)
            }
            _ => Flow::Continue,
        }
    }

    fn on_failed(&mut self, what: HostCall, now: Timestamp, services: &mut dyn Services) -> Flow {
        match what {
            HostCall::Respond => {
                self.ops.push_back(Op::Reset);
                self.close(Closed::Dead)
            }
            HostCall::Reset | HostCall::Resume => self.close(Closed::Dead),
            HostCall::ReplaceBody if self.exchange.response.headers_gone => {
                // An error would have to be written in the same place.
                self.ops.retain(|op| matches!(op, Op::Audit(_) | Op::Count(..)));
                let _unsaid = self.effects(Direction::Response, false, now, services).fail(Reason::HostFailed);
                self.ops.push_back(Op::Reset);
                self.close(Closed::Dead)
            }
            HostCall::Read | HostCall::ReplaceBody | HostCall::SetHeader => {
                let direction = if self.exchange.response.begun { Direction::Response } else { Direction::Request };
                self.refuse(direction, Reason::HostFailed, now, services)
            }
        }
    }

    fn on_end(&mut self, now: Timestamp, services: &mut dyn Services) -> Flow {
        let mut fx = Effects {
            exchange: &mut self.exchange,
            ops: &mut self.ops,
            services,
            ids: &self.ids,
            now,
            direction: Direction::Response,
            headers_editable: false,
        };
        self.filter.on_end(&mut fx);
        if self.exchange.request.begun && !self.exchange.decided {
            self.effects(Direction::Request, false, now, services).undecided(Reason::ClientLeft);
        }
        // Nothing can be changed any more: what is left is to record and to count.
        self.ops.retain(|op| matches!(op, Op::Audit(_) | Op::Count(..)));
        let _closed = self.close(Closed::Dead);
        Flow::Continue
    }

    fn after_close(&mut self, closed: Closed, event: &Event<'_>) -> Flow {
        match (closed, event) {
            (Closed::Answered, Event::Failed(HostCall::Respond)) => {
                self.ops.push_back(Op::Reset);
                self.close(Closed::Dead)
            }
            // Our own answer on its way to the client; nobody needs to be able to read it here.
            (
                Closed::Answered,
                Event::ResponseHeaders(_)
                | Event::ResponseBody(_)
                | Event::Trailers(Direction::Response)
                | Event::Failed(HostCall::Read),
            ) => Flow::Continue,
            _ => Flow::Pause,
        }
    }

    /// Lets the filter speak, with a sink.
    fn ask(
        &mut self,
        direction: Direction,
        headers_editable: bool,
        now: Timestamp,
        services: &mut dyn Services,
        question: impl FnOnce(&mut F, &mut Effects<'_>) -> Step,
    ) -> Step {
        let mut fx = Effects {
            exchange: &mut self.exchange,
            ops: &mut self.ops,
            services,
            ids: &self.ids,
            now,
            direction,
            headers_editable,
        };
        question(&mut self.filter, &mut fx)
    }

    fn apply(&mut self, step: Step, direction: Direction, place: Place, now: Timestamp, services: &mut dyn Services) -> Flow {
        if self.exchange.broken {
            return self.refuse(direction, Reason::Internal, now, services);
        }
        let waits = self.waiting.is_some();
        match (step, place) {
            (Step::Respond(response), _) => self.respond(response, direction, place),
            (Step::Reset, _) => {
                self.ops.push_back(Op::Reset);
                self.close(Closed::Dead)
            }
            (Step::CallOut(_) | Step::Await(_), _) if waits => self.refuse(direction, Reason::Internal, now, services),
            (Step::CallOut(callout), _) => {
                let call = self.ids.next();
                self.ops.push_back(Op::CallOut(call, callout));
                self.waiting = Some(Waiting { call, direction, until: None, own: true });
                self.keep(direction, place)
            }
            (Step::Await(call), _) => {
                self.waiting = Some(Waiting { call, direction, until: Some(now + AWAIT_LIMIT), own: false });
                self.keep(direction, place)
            }
            (Step::Continue | Step::Hold, Place::Body { .. }) if waits => self.keep(direction, place),
            (Step::Continue, Place::Headers { last } | Place::Body { last, .. }) => {
                if let Place::Body { trailers: true, .. } = place
                    && self.exchange.side(direction).replaced == Some(true)
                    && !self.exchange.side(direction).holding
                {
                    // The host holds nothing that could be replaced: what was kept back cannot be sent.
                    self.effects(direction, false, now, services).count("lost_at_trailers");
                    self.ops.retain(|op| !matches!(op, Op::ReplaceBody(..)));
                    self.ops.push_back(Op::Reset);
                    return self.close(Closed::Dead);
                }
                self.pass(direction, last, now, services)
            }
            (Step::Continue, Place::Reply { synchronous }) => {
                let last = self.exchange.side(direction).ended;
                let flow = self.pass(direction, last, now, services);
                if flow == Flow::Continue && !synchronous {
                    self.ops.push_back(Op::Resume(direction));
                }
                flow
            }
            (Step::Hold, Place::Headers { last: true } | Place::Body { last: true, .. }) => {
                self.refuse(direction, Reason::Internal, now, services)
            }
            (Step::Hold, Place::Headers { .. }) if self.exchange.settings.host.hold_headers => {
                if direction == Direction::Request {
                    self.held_since = Some(now);
                }
                Flow::Pause
            }
            (Step::Hold, Place::Headers { .. }) => {
                self.exchange.side(direction).headers_gone = true;
                Flow::Continue
            }
            (Step::Hold, Place::Body { .. }) => self.keep(direction, place),
            (Step::Hold, Place::Reply { .. }) if self.exchange.side(direction).ended => {
                self.refuse(direction, Reason::Internal, now, services)
            }
            (Step::Hold, Place::Reply { synchronous }) => {
                let holds_headers = self.exchange.settings.host.hold_headers;
                let side = self.exchange.side(direction);
                if side.headers_gone || side.holding || holds_headers {
                    return Flow::Pause;
                }
                // The call was made with the headers, which cannot be held: they go on, the body is the gate.
                side.headers_gone = true;
                if !synchronous {
                    self.ops.push_back(Op::Resume(direction));
                }
                Flow::Continue
            }
        }
    }

    /// Lets go what the proxy holds, if it may.
    fn pass(&mut self, direction: Direction, last: bool, now: Timestamp, services: &mut dyn Services) -> Flow {
        if direction == Direction::Request && last && !self.exchange.decided {
            return self.refuse(direction, Reason::Undecided, now, services);
        }
        let side = self.exchange.side(direction);
        side.bytes_gone |= side.begun && side.headers_gone && side.replaced != Some(false);
        side.headers_gone = true;
        side.holding = false;
        Flow::Continue
    }

    fn keep(&mut self, direction: Direction, place: Place) -> Flow {
        if let Place::Body { .. } = place {
            self.exchange.side(direction).holding = true;
        }
        Flow::Pause
    }

    /// Fails closed for a reason that is not the policy's.
    fn refuse(&mut self, direction: Direction, reason: Reason, now: Timestamp, services: &mut dyn Services) -> Flow {
        self.ops.retain(|op| matches!(op, Op::Audit(_) | Op::Count(..)));
        let response = self.effects(direction, false, now, services).fail(reason);
        self.respond(response, direction, Place::Body { last: false, trailers: false })
    }

    fn respond(&mut self, response: LocalResponse, direction: Direction, place: Place) -> Flow {
        let released = self.released_events();
        // Whatever else the filter wanted changed goes nowhere now.
        self.ops.retain(|op| matches!(op, Op::Audit(_) | Op::Count(..) | Op::CallOutShared(..)));
        self.waiting = None;
        let side = &mut self.exchange.response;
        if direction == Direction::Request || !side.headers_gone {
            if self.exchange.response.headers_gone {
                self.ops.push_back(Op::Reset);
                return self.close(Closed::Dead);
            }
            self.ops.push_back(Op::Respond(response.into_answer()));
            return self.close(Closed::Answered);
        }
        if side.edits_body && (!side.bytes_gone || released.is_some()) && matches!(place, Place::Body { .. }) {
            // The status has left; the protocol's own error takes the place of the body, or of the rest of its events.
            side.swallows = true;
            let mut body = released.unwrap_or_default();
            body.extend(response.into_answer().body);
            self.ops.push_back(Op::ReplaceBody(Direction::Response, body));
            return Flow::Continue;
        }
        self.ops.push_back(Op::Reset);
        self.close(Closed::Dead)
    }

    /// Where the answer is a stream of events: those of this chunk that the filter has let go, before the error.
    fn released_events(&mut self) -> Option<Vec<u8>> {
        if !matches!(self.exchange.wire, Wire::Events(_)) {
            return None;
        }
        let released = self.ops.iter_mut().find_map(|op| match op {
            Op::ReplaceBody(Direction::Response, bytes) => Some(core::mem::take(bytes)),
            _ => None,
        });
        Some(released.unwrap_or_default())
    }

    fn close(&mut self, closed: Closed) -> Flow {
        self.closed = Some(closed);
        self.waiting = None;
        self.held_since = None;
        Flow::Pause
    }

    fn effects<'a>(
        &'a mut self,
        direction: Direction,
        headers_editable: bool,
        now: Timestamp,
        services: &'a mut dyn Services,
    ) -> Effects<'a> {
        Effects { exchange: &mut self.exchange, ops: &mut self.ops, services, ids: &self.ids, now, direction, headers_editable }
    }
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    fn side_ref(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }

    /// Takes what names this exchange in logs: the proxy's request id and the W3C trace id.
    fn identify(&mut self, headers: &Headers) {
        self.request_id =
            headers.one("x-request-id").ok().flatten().filter(|id| !id.is_empty()).map(|id| String::from_utf8_lossy(id).into());
        self.trace = headers.one("traceparent").ok().flatten().and_then(trace_id);
    }
}

impl Side {
    fn begin(&mut self, head: Head<'_>) {
        self.begun = true;
        self.ended = head.end_of_stream;
        self.described = ["content-length", "content-digest", "repr-digest", "digest", "content-md5", "etag"]
            .into_iter()
            .filter(|name| head.headers.has(name))
            .collect();
    }
}

/// The trace id of a `traceparent` value (W3C Trace Context section 3.2.2.3).
fn trace_id(value: &[u8]) -> Option<Rc<str>> {
    let id = core::str::from_utf8(value.get(3..35)?).ok()?;
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let well_formed =
        id.bytes().all(hex) && id.bytes().any(|c| c != b'0') && value.get(2) == Some(&b'-') && value.get(35) == Some(&b'-');
    well_formed.then(|| id.into())
}
