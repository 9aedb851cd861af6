//! The order of one HTTP exchange: what may happen when, and failing closed when it does not.

mod exchange;
mod settle;
mod spare;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;

use exchange::Side;
pub(super) use exchange::{DESCRIBING, Exchange};

use super::effects::{CallIds, Effects};
use super::event::{CalloutError, Chunk, Direction, Event, Head, HostCall, OURS, Reply};
use super::services::Services;
use super::step::{CallId, Flow, Op, Step};
use super::trail::{Sink, Trail};
use super::{Filter, Settings, TICK_PERIOD};
use crate::audit::{About, Record};
use crate::policy::{Mode, Reason, Wire};
use crate::time::{Duration, Timestamp};

/// How long held headers may wait for a sign that this host delivers bodies meanwhile.
const HOLD_PROOF: Duration = TICK_PERIOD;
/// How long [`Step::Await`] waits at the most.
const AWAIT_LIMIT: Duration = Duration::from_secs(10);

/// The machine of one exchange around a filter.
///
/// The law of driving it: one event into [`Stream::handle`], then drain [`Stream::poll_op`] before the next. It guarantees
/// (each row is a test in `tests.rs`):
///
/// 1. `Continue` after a reply resumes the paused direction, as the last op.
/// 2. `Hold` on request headers holds them if the profile says so; else they go on, the body is the gate, and the record says `late`.
///    A mark is left before, so that a guard behind the plugin can tell this from a worker that has no plugin.
/// 3. A response while the request is undecided is refused with `host_out_of_order`. An error answer (status ≥ 400) passes if
///    it cannot be the upstream's: the request's headers are still held, or the proxy says that a plugin of ours has made it
///    ([`OURS`]). Of any other the status and `www-authenticate` pass, the body does not. In `observe` mode all of it passes.
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
/// 14. An op that fails, closes: with an answer if one can still be given, else with a reset, also where the driver gives up.
pub struct Stream<F> {
    filter: F,
    exchange: Exchange,
    ids: CallIds,
    hold_proven: Rc<core::cell::Cell<bool>>,
    waiting: Option<Waiting>,
    held_since: Option<Timestamp>,
    closed: Option<Closed>,
    ops: VecDeque<Op>,
    trail: Trail,
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
            skips_response: false,
            about: About::default(),
            wire: Wire::default(),
            request_id: None,
            trace: None,
            broken: false,
        };
        let (ops, trail) = (VecDeque::new(), Trail::default());
        Self { filter, exchange, ids, hold_proven, waiting: None, held_since: None, closed: None, ops, trail }
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

    /// Instead of the next event, where a driver could do nothing of what it was told, again and again: nothing passes any more.
    /// Then drain [`Stream::poll_op`]; whether that can be done changes nothing.
    pub fn give_up(&mut self, now: Timestamp, services: &mut dyn Services) -> Flow {
        if !self.exchange.decided {
            let _unsaid = self.effects(Direction::Request, false, now, services).fail(Reason::HostFailed);
        }
        self.ops.push_back(Op::Reset);
        self.close(Closed::Dead)
    }

    /// What is to be done next.
    pub fn poll_op(&mut self) -> Option<Op> {
        self.ops.pop_front()
    }

    /// Carries out an [`Op::Audit`]. `took` is the time from the event that led to the decision until now.
    pub fn write(&mut self, record: &Record, took: Duration, sink: &mut dyn Sink) {
        self.trail.write(&self.exchange.settings.audit, record, took, sink);
    }

    /// Whether a decision was made, so that the end of the stream brings no record.
    pub fn is_decided(&self) -> bool {
        self.exchange.decided
    }

    /// Whether the passing of time means anything to the stream; most need not be told.
    pub fn wants_tick(&self) -> bool {
        self.waiting.is_some() || (self.held_since.is_some() && !self.hold_proven.get())
    }

    /// Whether the stream waits for this call.
    pub fn awaits(&self, call: CallId) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.call == call)
    }

    /// A part of the body has come while headers are held: this host delivers bodies meanwhile.
    fn prove_hold(&mut self) {
        if self.held_since.take().is_some() {
            self.hold_proven.set(true);
        }
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
        if self.exchange.skips_response {
            self.exchange.response.skips_body = true;
            return self.pass(Direction::Response, head.end_of_stream, now, services);
        }
        let step = self.ask(Direction::Response, true, now, services, |filter, fx| filter.on_response_headers(head, fx));
        self.apply(step, Direction::Response, Place::Headers { last: head.end_of_stream }, now, services)
    }

    /// Somebody answered before the request was decided: the upstream (headers were not held), or the proxy itself.
    fn on_early_response(&mut self, head: Head<'_>, now: Timestamp, services: &mut dyn Services) -> Flow {
        let observes = self.exchange.settings.mode == Mode::Observe;
        if !observes && head.headers.status().is_none_or(|status| status < 400) {
            return self.refuse(Direction::Response, Reason::HostOutOfOrder, now, services);
        }
        self.effects(Direction::Response, true, now, services).undecided(Reason::UpstreamAnsweredEarly);
        (self.waiting, self.held_since) = (None, None);
        let request = &mut self.exchange.request;
        (request.skips_body, request.swallows) = (observes, !observes);
        let held = request.begun && !request.headers_gone;
        if observes || held || head.properties.get(0) == Ok(Some(OURS.as_bytes())) {
            self.exchange.response.skips_body = true;
            return self.pass(Direction::Response, head.end_of_stream, now, services);
        }
        self.exchange.response.swallows = true;
        self.exchange.response.headers_gone = true;
        let mut removed: Vec<&str> = vec![":status", "www-authenticate"];
        // A name is a token (RFC 9110 section 5.1): a proxy brings no other.
        for name in head.headers.iter().filter_map(|(name, _)| core::str::from_utf8(name).ok()) {
            if !removed.contains(&name) {
                removed.push(name);
                self.ops.push_back(Op::RemoveHeader(Direction::Response, name.to_owned()));
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
        if direction == Direction::Request {
            self.prove_hold();
        }
        if self.exchange.side(direction).skips_body {
            if self.waiting.is_some() {
                return self.keep(direction, Place::Body { last: chunk.end_of_stream, trailers });
            }
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
        // Envoy lets headers be edited until they have gone on, whatever the call was made with (calibration, `callout: …`).
        let editable = !self.exchange.side_ref(direction).headers_gone;
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
            HostCall::Read(Direction::Request) | HostCall::ReplaceBody | HostCall::SetHeader
                if self.exchange.response.headers_gone =>
            {
                // An error would have to be written in the same place, and a request that it may be about must not go on.
                self.ops.retain(|op| matches!(op, Op::Audit(_) | Op::Count(..)));
                let _unsaid = self.effects(Direction::Response, false, now, services).fail(Reason::HostFailed);
                self.ops.push_back(Op::Reset);
                self.close(Closed::Dead)
            }
            HostCall::Read(_) | HostCall::ReplaceBody | HostCall::SetHeader => {
                let direction = if self.exchange.response.begun { Direction::Response } else { Direction::Request };
                self.refuse(direction, Reason::HostFailed, now, services)
            }
        }
    }

    fn on_end(&mut self, now: Timestamp, services: &mut dyn Services) -> Flow {
        let Step::Continue = self.ask(Direction::Response, false, now, services, |filter, fx| {
            filter.on_end(fx);
            Step::Continue
        }) else {
            return Flow::Continue;
        };
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
                | Event::Failed(HostCall::Read(Direction::Response)),
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
}
