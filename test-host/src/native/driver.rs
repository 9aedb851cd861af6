//! Drives `Root` and `Stream` as the adapter does: mechanically, without any `if` about policy.

use std::collections::HashMap;
use std::time::Duration;

use wardpoint_core::filter::{
    CallId, Callout, CalloutError, Chunk, Counter, DETAILS, Direction, Event, Flow, Head, HostCall, OURS, Op, Plugin, Properties,
    PropertyError, PropertyPath, Reply, Root, RootOp, Stream, TICK_PERIOD,
};
use wardpoint_core::http::Headers;
use wardpoint_core::policy::Answer;
use wardpoint_core::time::Timestamp;

use super::calls::{dispatch, read_answer};
use super::records::Records;
use super::services::HostServices;
use crate::host::{Action, BufferKind, Came, FilterEnd, Host, MapKind, Scope, Status, Trap};
use crate::random::Random;

/// A level of the ABI's log.
const WARN: u32 = 3;
/// Host calls of one event that may fail before the stream is left paused.
const FAILURES: usize = 16;

/// One VM with one stream.
pub(super) struct Driver<P: Plugin> {
    root: Root<P>,
    stream: Option<Stream<P::Filter>>,
    calls: HashMap<u32, (CallId, Scope)>,
    /// Calls on the root that could not be made; root and stream are told when the event is over.
    not_made: Vec<CallId>,
    /// Body bytes that the proxy holds for us and that were shown before, by direction.
    held: [usize; 2],
    random: Random,
    counters: HashMap<String, u32>,
}

/// When an event came, and the direction whose callback is running: its return value says how that direction goes on.
#[derive(Clone, Copy)]
struct Moment {
    now: Timestamp,
    inside: Option<Direction>,
}

impl<P: Plugin> FilterEnd for Driver<P> {
    fn on_begin(&mut self, _: &mut Host) -> Result<(), Trap> {
        self.stream = Some(self.root.stream());
        self.held = [0; 2];
        Ok(())
    }

    fn on_headers(&mut self, host: &mut Host, direction: Direction, end_of_stream: bool) -> Result<Action, Trap> {
        Ok(self.inside(host, direction, |driver, host, at| {
            let properties = match direction {
                Direction::Request => driver.properties(host),
                Direction::Response if driver.stream.as_ref().is_some_and(Stream::is_decided) => Vec::new(),
                Direction::Response => vec![property(host, &DETAILS)],
            };
            let headers: Headers = match host.pairs(MapKind::Headers(direction)) {
                Ok(map) => map.iter().collect(),
                Err(_) => return driver.feed(host, Event::Failed(HostCall::Read(direction)), at),
            };
            let head = Head { headers: &headers, properties: Properties::new(&properties), end_of_stream };
            let event = match direction {
                Direction::Request => Event::RequestHeaders(head),
                Direction::Response => Event::ResponseHeaders(head),
            };
            driver.feed(host, event, at)
        }))
    }

    fn on_body(&mut self, host: &mut Host, direction: Direction, size: usize, end_of_stream: bool) -> Result<Action, Trap> {
        Ok(self.inside(host, direction, |driver, host, at| {
            let bytes = driver.read_body(host, direction, size);
            *driver.held(direction) = size;
            let chunk = bytes.as_ref().map(|bytes| Chunk { bytes, end_of_stream });
            let event = match (chunk, direction) {
                (Err(_), _) => Event::Failed(HostCall::Read(direction)),
                (Ok(chunk), Direction::Request) => Event::RequestBody(chunk),
                (Ok(chunk), Direction::Response) => Event::ResponseBody(chunk),
            };
            let flow = driver.feed(host, event, at);
            if flow == Flow::Continue {
                *driver.held(direction) = 0;
            }
            flow
        }))
    }

    fn on_trailers(&mut self, host: &mut Host, direction: Direction) -> Result<Action, Trap> {
        Ok(self.inside(host, direction, |driver, host, at| driver.feed(host, Event::Trailers(direction), at)))
    }

    fn on_reply(&mut self, host: &mut Host, _: Scope, token: u32, came: Came) -> Result<(), Trap> {
        let Some((call, scope)) = self.calls.remove(&token) else { return Ok(()) };
        let clock = host.clock().map(Timestamp::from_nanos);
        let answer = if clock.is_ok() { read_answer(host, came) } else { None };
        let reply = match &answer {
            Some((status, headers, body)) => Ok(Reply { status: *status, headers, body }),
            None => Err(CalloutError::NoReply),
        };
        let at = Moment { now: clock.unwrap_or_default(), inside: None };
        match scope {
            Scope::Root => {
                self.share(host, call, reply, at);
            }
            Scope::Stream => self.visit(host, Event::CalloutReply(call, reply), at),
        }
        self.settle(host, at);
        Ok(())
    }

    fn on_tick(&mut self, host: &mut Host) -> Result<(), Trap> {
        let Ok(now) = host.clock().map(Timestamp::from_nanos) else { return Ok(()) };
        let at = Moment { now, inside: None };
        self.root.on_tick(now, &mut HostServices { host, random: &mut self.random });
        self.drain_root(host);
        self.visit(host, Event::Tick, at);
        self.settle(host, at);
        Ok(())
    }

    fn on_queue_ready(&mut self, _: &mut Host, _: u32) -> Result<(), Trap> {
        Ok(())
    }

    fn on_end(&mut self, host: &mut Host) -> Result<(), Trap> {
        let now = host.clock().map(Timestamp::from_nanos).unwrap_or_default();
        let _over = self.feed(host, Event::End, Moment { now, inside: None });
        self.stream = None;
        self.calls.retain(|_, (_, scope)| *scope == Scope::Root);
        Ok(())
    }
}

impl<P: Plugin> Driver<P> {
    pub(super) fn new(root: Root<P>, host: &mut Host) -> Result<Self, Status> {
        host.set_tick(u32::try_from(TICK_PERIOD.as_millis()).unwrap_or(u32::MAX))?;
        Ok(Self {
            root,
            stream: None,
            calls: HashMap::new(),
            not_made: Vec::new(),
            held: [0; 2],
            random: Random::new(1),
            counters: HashMap::new(),
        })
    }

    /// Runs the callback of one direction.
    fn inside(
        &mut self,
        host: &mut Host,
        direction: Direction,
        tell: impl FnOnce(&mut Self, &mut Host, Moment) -> Flow,
    ) -> Action {
        let inside = Some(direction);
        let (at, mut flow) = match host.clock() {
            Ok(now) => {
                let at = Moment { now: Timestamp::from_nanos(now), inside };
                (at, tell(self, host, at))
            }
            // Without a clock nothing can be decided.
            Err(_) => {
                let at = Moment { now: Timestamp::default(), inside };
                (at, self.feed(host, Event::Failed(HostCall::Read(direction)), at))
            }
        };
        if let Some(settled) = self.settle(host, at) {
            flow = settled;
        }
        match flow {
            Flow::Continue => Action::Continue,
            Flow::Pause => Action::Pause,
        }
    }

    /// Visits the stream from elsewhere. If the proxy cannot turn to it, nothing is done: it stays paused.
    fn visit(&mut self, host: &mut Host, event: Event<'_>, at: Moment) {
        if self.stream.is_some() && host.turn_to(Scope::Stream).is_ok() {
            let _paused = self.feed(host, event, at);
        }
    }

    /// One event in, all ops out. A host call that fails is the next event.
    fn feed(&mut self, host: &mut Host, event: Event<'_>, at: Moment) -> Flow {
        let Some(stream) = &mut self.stream else { return Flow::Pause };
        let mut flow = stream.handle(event, at.now, &mut HostServices { host, random: &mut self.random });
        let mut failures = 0;
        while let Some(op) = self.next_op() {
            let Err(next) = self.perform(host, op, at) else { continue };
            failures += 1;
            if failures > FAILURES {
                while self.next_op().is_some() {}
                return Flow::Pause;
            }
            // What was still to be done belonged to what failed; what others see or wait for stands.
            while let Some(op) = self.next_op() {
                if matches!(op, Op::Audit(_) | Op::Count(..) | Op::CallOutShared(..)) {
                    let _done = self.perform(host, op, at);
                }
            }
            let Some(stream) = &mut self.stream else { return Flow::Pause };
            flow = stream.handle(next, at.now, &mut HostServices { host, random: &mut self.random });
        }
        flow
    }

    fn next_op(&mut self) -> Option<Op> {
        self.stream.as_mut()?.poll_op()
    }

    fn perform(&mut self, host: &mut Host, op: Op, at: Moment) -> Result<(), Event<'static>> {
        match op {
            Op::Audit(record) => {
                if let Some(stream) = &mut self.stream {
                    stream.write(&record, Duration::ZERO, &mut Records { host, counters: &mut self.counters });
                }
            }
            Op::Mark => {
                if let Some(stream) = &self.stream {
                    stream.mark(&mut Records { host, counters: &mut self.counters });
                }
            }
            Op::Count(counter, by) => self.count(host, &counter, by),
            Op::CallOut(call, callout) => {
                let token = dispatch(host, &callout).map_err(|_| Event::CalloutReply(call, Err(CalloutError::NotDispatched)))?;
                self.calls.insert(token, (call, Scope::Stream));
            }
            Op::CallOutShared(call, callout) => {
                self.call_from_root(host, call, &callout);
                host.turn_to(Scope::Stream).map_err(|_| Event::Failed(HostCall::Resume))?;
            }
            Op::RemoveHeader(direction, name) => {
                host.remove_value(MapKind::Headers(direction), name.as_bytes()).map_err(|_| Event::Failed(HostCall::SetHeader))?
            }
            Op::ReplaceBody(direction, with) => {
                host.set_buffer(BufferKind::Body(direction), 0, usize::MAX, &with)
                    .map_err(|_| Event::Failed(HostCall::ReplaceBody))?;
                *self.held(direction) = with.len();
            }
            Op::Reset => host.close_stream().map_err(|_| Event::Failed(HostCall::Reset))?,
            Op::Respond(answer) => respond(host, &answer).map_err(|_| Event::Failed(HostCall::Respond))?,
            // The return value of the running callback says it.
            Op::Resume(direction) if at.inside == Some(direction) => {}
            Op::Resume(direction) => {
                *self.held(direction) = 0;
                host.continue_stream(direction).map_err(|_| Event::Failed(HostCall::Resume))?;
            }
            Op::SetHeader(direction, name, value) => host
                .set_value(MapKind::Headers(direction), name.as_bytes(), &value)
                .map_err(|_| Event::Failed(HostCall::SetHeader))?,
        }
        Ok(())
    }

    fn call_from_root(&mut self, host: &mut Host, call: CallId, callout: &Callout) {
        match host.turn_to(Scope::Root).and_then(|()| dispatch(host, callout)) {
            Ok(token) => {
                self.calls.insert(token, (call, Scope::Root));
            }
            Err(_) => self.not_made.push(call),
        }
    }

    /// Gives an answer to the root that asked, and to the stream if it waits for it; then the flow is that of the stream.
    fn share(&mut self, host: &mut Host, call: CallId, reply: Result<Reply<'_>, CalloutError>, at: Moment) -> Option<Flow> {
        self.root.on_reply(call, at.now, reply, &mut HostServices { host, random: &mut self.random });
        self.drain_root(host);
        if !self.stream.as_ref().is_some_and(|stream| stream.awaits(call)) {
            return None;
        }
        if at.inside.is_none() {
            self.visit(host, Event::CalloutReply(call, reply), at);
            return None;
        }
        let turned = host.turn_to(Scope::Stream).is_ok();
        let event = if turned { Event::CalloutReply(call, reply) } else { Event::Failed(HostCall::Resume) };
        Some(self.feed(host, event, at))
    }

    /// Tells of calls on the root that could not be made, until there are none.
    fn settle(&mut self, host: &mut Host, at: Moment) -> Option<Flow> {
        let mut flow = None;
        for _ in 0..FAILURES {
            let Some(call) = self.not_made.pop() else { break };
            flow = self.share(host, call, Err(CalloutError::NotDispatched), at).or(flow);
        }
        self.not_made.clear();
        flow
    }

    fn drain_root(&mut self, host: &mut Host) {
        while let Some(op) = self.root.poll_op() {
            match op {
                RootOp::CallOut(call, callout) => self.call_from_root(host, call, &callout),
                RootOp::Count(counter, by) => self.count(host, &counter, by),
                RootOp::Warn(text) => {
                    let _lost = host.log(WARN, &format!("{}: {text}", P::NAME));
                }
            }
        }
    }

    fn count(&mut self, host: &mut Host, counter: &Counter, by: u64) {
        Records { host, counters: &mut self.counters }.add(counter, by);
    }

    fn properties(&self, host: &Host) -> Vec<Result<Option<Vec<u8>>, PropertyError>> {
        let read = |path: &PropertyPath| property(host, &path.0.iter().map(String::as_str).collect::<Vec<_>>());
        self.root.settings().properties.iter().map(read).collect()
    }

    /// The part of the body that was not shown before.
    fn read_body(&mut self, host: &mut Host, direction: Direction, size: usize) -> Result<Vec<u8>, Status> {
        let held = *self.held(direction);
        let new = size.checked_sub(held).ok_or(Status::INTERNAL_FAILURE)?;
        let wanted = self.stream.as_ref().is_some_and(|stream| stream.wants_body(direction));
        if new == 0 || !wanted {
            return Ok(Vec::new());
        }
        let bytes = host.buffer(BufferKind::Body(direction), held, new)?;
        if bytes.len() == new { Ok(bytes.to_vec()) } else { Err(Status::INTERNAL_FAILURE) }
    }

    fn held(&mut self, direction: Direction) -> &mut usize {
        let [request, response] = &mut self.held;
        match direction {
            Direction::Request => request,
            Direction::Response => response,
        }
    }
}

fn property(host: &Host, path: &[&str]) -> Result<Option<Vec<u8>>, PropertyError> {
    match host.property(path) {
        Ok(value) => Ok(Some(value)),
        Err(Status::NOT_FOUND) => Ok(None),
        Err(_) => Err(PropertyError),
    }
}

fn respond(host: &mut Host, answer: &Answer) -> Result<(), Status> {
    let pairs = answer.headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.clone().into_bytes()));
    host.send_local_response(answer.status.into(), OURS.as_bytes(), pairs.collect(), &answer.body)
}
