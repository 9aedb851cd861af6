//! One exchange: what the proxy tells becomes events, ops become host calls.

use std::rc::Rc;

use wardpoint_core::filter::{
    CallId, Callout, CalloutError, Chunk, DETAILS, Direction, Event, Flow, Head, HostCall, OURS, Op, Plugin, Properties, Stream,
    Values,
};
use wardpoint_core::http::Headers;
use wardpoint_core::time::{Duration, Timestamp};

use crate::abi::{self, Buffer, Map, Side, Status};
use crate::calls::Calls;
use crate::host::{self, Counters, HostServices};
use crate::pairs;
use crate::reads::{self, Reads};

/// Host calls of one event that may fail before the stream is given up.
const FAILURES: usize = 16;

/// What all contexts of a VM use.
#[derive(Default)]
pub(crate) struct Proxy {
    pub(crate) calls: Calls,
    pub(crate) counters: Counters,
    /// Calls on a root that could not be made, by root; the VM tells it and those who wait.
    pub(crate) not_made: Vec<(u32, CallId)>,
}

/// The machine of one exchange and what the proxy holds of it.
pub(crate) struct Exchange<P: Plugin> {
    id: u32,
    root: u32,
    stream: Stream<P::Filter>,
    reads: Rc<Reads>,
    /// Body bytes that the proxy holds for us and that were shown before, by direction.
    held: [usize; 2],
    /// Bytes of the request's body that the proxy holds for us when some of them are still to be shown; else 0.
    gathered: usize,
    ended: bool,
    /// When the last event came.
    last: Timestamp,
}

/// When an event came.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    /// The direction whose callback is running; its return value says how that direction goes on.
    pub(crate) inside: Option<Direction>,
}

impl<P: Plugin> Exchange<P> {
    pub(crate) fn new(id: u32, root: u32, stream: Stream<P::Filter>, reads: Rc<Reads>) -> Self {
        Self { id, root, stream, reads, held: [0; 2], gathered: 0, ended: false, last: Timestamp::default() }
    }

    pub(crate) fn root(&self) -> u32 {
        self.root
    }

    pub(crate) fn wants_tick(&self) -> bool {
        self.stream.wants_tick()
    }

    pub(crate) fn awaits(&self, call: CallId) -> bool {
        self.stream.awaits(call)
    }

    pub(crate) fn on_headers(&mut self, end_of_stream: bool, at: Moment, proxy: &mut Proxy) -> Flow {
        let direction = at.inside.unwrap_or(Direction::Request);
        let (headers, properties) = match direction {
            Direction::Request => (read_headers(Map::RequestHeaders), self.reads.values()),
            Direction::Response if self.stream.wants_response_headers() => {
                let mut details = Values::default();
                if !self.stream.is_decided() {
                    reads::one(DETAILS.join("\0").as_bytes(), &mut details);
                }
                (read_headers(Map::ResponseHeaders), details)
            }
            Direction::Response => (Some(Headers::new()), Values::default()),
        };
        let Some(headers) = headers else { return self.feed(Event::Failed(HostCall::Read(direction)), at, proxy) };
        let head = Head { headers: &headers, properties: Properties::inside(&properties), end_of_stream };
        let event = match direction {
            Direction::Request => Event::RequestHeaders(head),
            Direction::Response => Event::ResponseHeaders(head),
        };
        self.feed(event, at, proxy)
    }

    pub(crate) fn on_body(&mut self, size: usize, end_of_stream: bool, at: Moment, proxy: &mut Proxy) -> Flow {
        let direction = at.inside.unwrap_or(Direction::Request);
        let bytes = self.read_body(direction, size);
        *self.held(direction) = size;
        self.gathered = 0;
        let chunk = bytes.as_ref().map(|bytes| Chunk { bytes, end_of_stream });
        let event = match (chunk, direction) {
            (Err(_), _) => Event::Failed(HostCall::Read(direction)),
            (Ok(chunk), Direction::Request) => Event::RequestBody(chunk),
            (Ok(chunk), Direction::Response) => Event::ResponseBody(chunk),
        };
        let flow = self.feed(event, at, proxy);
        if flow == Flow::Continue {
            *self.held(direction) = 0;
        }
        flow
    }

    /// Takes the headers of an answer that nobody wants to see; `false`: they are to be told like any other.
    pub(crate) fn pass_response(&mut self, end_of_stream: bool) -> bool {
        self.stream.pass_response(end_of_stream)
    }

    /// Takes a part of a body that nothing depends on; `false`: it is one like any other.
    pub(crate) fn pass_body(&mut self, direction: Direction, end_of_stream: bool) -> bool {
        self.stream.pass_body(direction, end_of_stream)
    }

    /// Leaves a part of the request's body in the proxy's hold until the next one comes; `false`: it is one like any other.
    pub(crate) fn gathers(&mut self, size: usize) -> bool {
        let new = size.checked_sub(*self.held(Direction::Request));
        let gathers = new.is_some_and(|new| self.stream.gathers(new));
        if gathers {
            self.gathered = size;
        }
        gathers
    }

    pub(crate) fn on_trailers(&mut self, at: Moment, proxy: &mut Proxy) -> Flow {
        let direction = at.inside.unwrap_or(Direction::Request);
        if direction == Direction::Request && self.gathered > 0 {
            let _held = self.on_body(self.gathered, false, at, proxy);
        }
        self.feed(Event::Trailers(direction), at, proxy)
    }

    pub(crate) fn on_end(&mut self, proxy: &mut Proxy) {
        if !self.ended {
            self.ended = true;
            // Only a record needs to know when it was.
            let now = if self.stream.is_decided() { self.last } else { host::now().unwrap_or_default() };
            let _over = self.feed(Event::End, Moment { now, inside: None }, proxy);
        }
    }

    /// One event in, all ops out. A host call that fails is the next event.
    pub(crate) fn feed(&mut self, event: Event<'_>, at: Moment, proxy: &mut Proxy) -> Flow {
        self.last = at.now;
        let mut flow = self.stream.handle(event, at.now, &mut HostServices::<P>::new());
        let mut failures = 0;
        while let Some(op) = self.stream.poll_op() {
            let Err(next) = self.perform(op, at, proxy) else { continue };
            failures += 1;
            // What was still to be done belonged to what failed; what others see or wait for stands.
            while let Some(op) = self.stream.poll_op() {
                if matches!(op, Op::Audit(_) | Op::Count(..) | Op::CallOutShared(..)) {
                    let _done = self.perform(op, at, proxy);
                }
            }
            if failures > FAILURES {
                flow = self.stream.give_up(at.now, &mut HostServices::<P>::new());
                while let Some(op) = self.stream.poll_op() {
                    let _done = self.perform(op, at, proxy);
                }
                return flow;
            }
            flow = self.stream.handle(next, at.now, &mut HostServices::<P>::new());
        }
        flow
    }

    fn perform(&mut self, op: Op, at: Moment, proxy: &mut Proxy) -> Result<(), Event<'static>> {
        match op {
            Op::Audit(record) => {
                let took = host::now().map_or(Duration::ZERO, |now| now.since(at.now));
                self.stream.write(&record, took, &mut proxy.counters);
            }
            Op::Mark => self.stream.mark(&mut proxy.counters),
            Op::Count(counter, by) => proxy.counters.add(counter, by),
            Op::CallOut(call, callout) => make::<P>(&mut proxy.calls, self.id, call, &callout)
                .map_err(|_| Event::CalloutReply(call, Err(CalloutError::NotDispatched)))?,
            Op::CallOutShared(call, callout) => {
                let made =
                    abi::set_effective_context(self.root).and_then(|()| make::<P>(&mut proxy.calls, self.root, call, &callout));
                if made.is_err() {
                    proxy.not_made.push((self.root, call));
                }
                abi::set_effective_context(self.id).map_err(|_| Event::Failed(HostCall::Resume))?;
            }
            Op::RemoveHeader(direction, name) => match abi::remove_header(map(direction), name.as_bytes()) {
                Ok(()) | Err(Status::NOT_FOUND) => {}
                Err(_) => return Err(Event::Failed(HostCall::SetHeader)),
            },
            Op::ReplaceBody(direction, with) => {
                abi::replace_buffer(buffer(direction), &with).map_err(|_| Event::Failed(HostCall::ReplaceBody))?;
                *self.held(direction) = with.len();
            }
            Op::Reset => abi::close(Side::Request).map_err(|_| Event::Failed(HostCall::Reset))?,
            Op::Respond(answer) => {
                let headers = pairs::encode(answer.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
                abi::respond(answer.status, OURS.as_bytes(), &headers, &answer.body)
                    .map_err(|_| Event::Failed(HostCall::Respond))?;
            }
            // The return value of the running callback says it.
            Op::Resume(direction) if at.inside == Some(direction) => {}
            Op::Resume(direction) => {
                *self.held(direction) = 0;
                abi::resume(side(direction)).map_err(|_| Event::Failed(HostCall::Resume))?;
            }
            Op::SetHeader(direction, name, value) => {
                abi::set_header(map(direction), name.as_bytes(), &value).map_err(|_| Event::Failed(HostCall::SetHeader))?;
            }
        }
        Ok(())
    }

    /// The part of the body that was not shown before. While we pause, the proxy's buffer grows; else each part is new.
    fn read_body(&mut self, direction: Direction, size: usize) -> Result<Vec<u8>, Status> {
        let held = *self.held(direction);
        let new = size.checked_sub(held).ok_or(Status::MALFORMED)?;
        if new == 0 || !self.stream.wants_body(direction) {
            return Ok(Vec::new());
        }
        let bytes = abi::buffer(buffer(direction), held, new)?;
        if bytes.len() == new { Ok(bytes) } else { Err(Status::MALFORMED) }
    }

    fn held(&mut self, direction: Direction) -> &mut usize {
        let [request, response] = &mut self.held;
        match direction {
            Direction::Request => request,
            Direction::Response => response,
        }
    }
}

/// Makes a call, if it is of a plugin that makes any.
pub(crate) fn make<P: Plugin>(calls: &mut Calls, context: u32, call: CallId, callout: &Callout) -> Result<(), Status> {
    if P::CALLS { calls.make(context, call, callout) } else { Err(Status::UNIMPLEMENTED) }
}

/// A block without any pair is a failure too: the proxy no longer has the map, or never had it. HTTP has pseudo headers.
fn read_headers(of: Map) -> Option<Headers> {
    pairs::parse(abi::map(of).ok()?).ok().filter(|headers| !headers.is_empty())
}

fn buffer(direction: Direction) -> Buffer {
    match direction {
        Direction::Request => Buffer::RequestBody,
        Direction::Response => Buffer::ResponseBody,
    }
}

fn map(direction: Direction) -> Map {
    match direction {
        Direction::Request => Map::RequestHeaders,
        Direction::Response => Map::ResponseHeaders,
    }
}

fn side(direction: Direction) -> Side {
    match direction {
        Direction::Request => Side::Request,
        Direction::Response => Side::Response,
    }
}
