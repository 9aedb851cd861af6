//! Drives `Root` and `Stream` as the adapter does: mechanically, without any `if` about policy.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use wardpoint_core::filter::{
    CallId, Callout, CalloutError, Chunk, Direction, Event, Flow, Head, HostCall, Op, Plugin, Properties, PropertyError, Reply,
    Root, RootOp, Stream,
};
use wardpoint_core::http::Headers;
use wardpoint_core::policy::Answer;
use wardpoint_core::time::Timestamp;

use super::services::{HostServices, Random};
use crate::host::{Action, BufferKind, Came, FilterEnd, Host, Map, MapKind, Request, Scope, Status, Trap};

/// The tick period that the adapter asks for.
const TICK_MILLIS: u32 = 1000;
/// Level `info` of the ABI.
const INFO: u32 = 2;
/// Level `warn` of the ABI.
const WARN: u32 = 3;

/// One VM with one stream.
pub(super) struct Driver<P: Plugin> {
    root: Root<P>,
    stream: Option<Stream<P::Filter>>,
    calls: HashMap<u32, (CallId, Scope)>,
    /// How much of a body that is held has been shown, by direction.
    shown: [usize; 2],
    random: Random,
    metrics: HashMap<String, u32>,
}

impl<P: Plugin> Driver<P> {
    pub(super) fn new(root: Root<P>, host: &mut Host) -> Self {
        // A host that refuses ticks is one without a watchdog; the adapter goes on as well.
        let _no_ticks = host.set_tick(TICK_MILLIS);
        let random = Random::new(1);
        Self { root, stream: None, calls: HashMap::new(), shown: [0; 2], random, metrics: HashMap::new() }
    }

    /// One event into the stream, and all that it wants done.
    fn feed(&mut self, host: &mut Host, event: Event<'_>) -> Flow {
        let Some(stream) = &mut self.stream else { return Flow::Pause };
        let now = Timestamp::from_nanos(host.now());
        let mut flow = stream.handle(event, now, &mut HostServices { host, random: &mut self.random });
        while let Some(op) = self.stream.as_mut().and_then(Stream::poll_op) {
            if let Some(event) = self.perform(host, op) {
                // What else was wanted assumed that this op succeeds; records and counters stay true.
                let rest: VecDeque<Op> = std::iter::from_fn(|| self.stream.as_mut()?.poll_op()).collect();
                for op in rest.into_iter().filter(|op| matches!(op, Op::Audit(_) | Op::Count(..))) {
                    let _no_event = self.perform(host, op);
                }
                flow = self.feed(host, event);
            }
        }
        flow
    }

    /// Carries an op out; what went wrong comes back as an event.
    fn perform(&mut self, host: &mut Host, op: Op) -> Option<Event<'static>> {
        let (result, what) = match op {
            Op::Audit(record) => {
                // A record that cannot be logged has no second way out of a proxy.
                let _lost = host.log(INFO, &record.to_json(Duration::ZERO));
                return None;
            }
            Op::Count(name, by) => {
                self.count(host, &name, by);
                return None;
            }
            Op::CallOut(id, callout) => {
                return match dispatch(host, &callout) {
                    Ok(token) => {
                        self.calls.insert(token, (id, Scope::Stream));
                        None
                    }
                    Err(_) => Some(Event::CalloutReply(id, Err(CalloutError::NotDispatched))),
                };
            }
            Op::CallOutShared(id, callout) => {
                self.call_from_root(host, id, &callout);
                host.set_scope(Scope::Stream);
                return None;
            }
            Op::RemoveHeader(direction, name) => {
                (host.remove_value(MapKind::Headers(direction), name.as_bytes()), HostCall::SetHeader)
            }
            Op::SetHeader(direction, name, value) => {
                (host.set_value(MapKind::Headers(direction), name.as_bytes(), &value), HostCall::SetHeader)
            }
            Op::ReplaceBody(direction, bytes) => {
                let size = bytes.len();
                let result = host.set_buffer(BufferKind::Body(direction), 0, usize::MAX, &bytes);
                *self.shown(direction) = size;
                (result, HostCall::ReplaceBody)
            }
            Op::Reset => (host.close_stream(), HostCall::Reset),
            Op::Respond(answer) => (respond(host, &answer), HostCall::Respond),
            Op::Resume(direction) => {
                *self.shown(direction) = 0;
                (host.continue_stream(direction), HostCall::Resume)
            }
        };
        result.err().map(|_| Event::Failed(what))
    }

    fn call_from_root(&mut self, host: &mut Host, id: CallId, callout: &Callout) {
        host.set_scope(Scope::Root);
        match dispatch(host, callout) {
            Ok(token) => {
                self.calls.insert(token, (id, Scope::Root));
            }
            Err(_) => self.shared_reply(host, id, Err(CalloutError::NotDispatched)),
        }
    }

    /// An answer for the root, and for the stream if it awaits it.
    fn shared_reply(&mut self, host: &mut Host, id: CallId, reply: Result<Reply<'_>, CalloutError>) {
        let now = Timestamp::from_nanos(host.now());
        self.root.on_reply(id, now, reply, &mut HostServices { host, random: &mut self.random });
        self.drain_root(host);
        if self.stream.as_ref().is_some_and(|stream| stream.awaits(id)) {
            host.set_scope(Scope::Stream);
            let _no_callback_to_answer = self.feed(host, Event::CalloutReply(id, reply));
        }
    }

    fn drain_root(&mut self, host: &mut Host) {
        while let Some(op) = self.root.poll_op() {
            match op {
                RootOp::CallOut(id, callout) => self.call_from_root(host, id, &callout),
                RootOp::Count(name, by) => self.count(host, &name, by),
                RootOp::Warn(text) => {
                    let _lost = host.log(WARN, &text);
                }
            }
        }
    }

    fn count(&mut self, host: &mut Host, name: &str, by: u64) {
        let id = match self.metrics.get(name) {
            Some(id) => Ok(*id),
            None => host.define_metric(0, name),
        };
        // A counter that cannot be counted changes no decision.
        if let Ok(id) = id {
            self.metrics.insert(name.to_owned(), id);
            let _lost = host.increment_metric(id, i64::try_from(by).unwrap_or(i64::MAX));
        }
    }

    fn shown(&mut self, direction: Direction) -> &mut usize {
        let [request, response] = &mut self.shown;
        match direction {
            Direction::Request => request,
            Direction::Response => response,
        }
    }

    fn properties(&self, host: &Host) -> Vec<Result<Option<Vec<u8>>, PropertyError>> {
        let read = |path: &wardpoint_core::filter::PropertyPath| {
            let path: Vec<&str> = path.0.iter().map(String::as_str).collect();
            match host.property(&path) {
                Ok(value) => Ok(Some(value)),
                Err(Status::NOT_FOUND) => Ok(None),
                Err(_) => Err(PropertyError),
            }
        };
        self.root.settings().properties.iter().map(read).collect()
    }
}

impl<P: Plugin> FilterEnd for Driver<P> {
    fn on_headers(&mut self, host: &mut Host, direction: Direction, end_of_stream: bool) -> Result<Action, Trap> {
        let properties = if direction == Direction::Request {
            self.stream = Some(self.root.stream());
            self.properties(host)
        } else {
            Vec::new()
        };
        let headers: Option<Headers> = host.pairs(MapKind::Headers(direction)).ok().map(|map| map.iter().collect());
        let Some(headers) = headers else { return Ok(action(self.feed(host, Event::Failed(HostCall::Read)))) };
        let head = Head { headers: &headers, properties: Properties::new(&properties), end_of_stream };
        Ok(action(self.feed(
            host,
            match direction {
                Direction::Request => Event::RequestHeaders(head),
                Direction::Response => Event::ResponseHeaders(head),
            },
        )))
    }

    fn on_body(&mut self, host: &mut Host, direction: Direction, size: usize, end_of_stream: bool) -> Result<Action, Trap> {
        let from = *self.shown(direction);
        *self.shown(direction) = size;
        let wanted = self.stream.as_ref().is_some_and(|stream| stream.wants_body(direction));
        let bytes = if wanted && size > from {
            match host.buffer(BufferKind::Body(direction), from, size - from) {
                Ok(bytes) => bytes.to_vec(),
                Err(_) => return Ok(action(self.feed(host, Event::Failed(HostCall::Read)))),
            }
        } else {
            Vec::new()
        };
        let chunk = Chunk { bytes: &bytes, end_of_stream };
        let flow = self.feed(
            host,
            match direction {
                Direction::Request => Event::RequestBody(chunk),
                Direction::Response => Event::ResponseBody(chunk),
            },
        );
        if flow == Flow::Continue {
            *self.shown(direction) = 0;
        }
        Ok(action(flow))
    }

    fn on_trailers(&mut self, host: &mut Host, direction: Direction) -> Result<Action, Trap> {
        Ok(action(self.feed(host, Event::Trailers(direction))))
    }

    fn on_reply(&mut self, host: &mut Host, token: u32, came: Came) -> Result<(), Trap> {
        let Some((id, scope)) = self.calls.remove(&token) else { return Ok(()) };
        let headers: Headers = host.pairs(MapKind::ReplyHeaders).map(|map| map.iter().collect()).unwrap_or_default();
        let read = |host: &mut Host, kind| host.buffer(kind, 0, usize::MAX).map(<[u8]>::to_vec);
        let (body, status) = match came {
            Came::Http { headers: 0, .. } => (Err(Status::NOT_FOUND), None),
            Came::Http { .. } => (read(host, BufferKind::ReplyBody), headers.status()),
            Came::GrpcMessage(_) => (read(host, BufferKind::GrpcMessage), Some(0)),
            Came::GrpcStatus(code) => (Ok(Vec::new()), u16::try_from(code).ok()),
        };
        let reply = match (&body, status) {
            (Ok(body), Some(status)) => Ok(Reply { status, headers: &headers, body }),
            _ => Err(CalloutError::NoReply),
        };
        match scope {
            Scope::Root => self.shared_reply(host, id, reply),
            Scope::Stream => {
                let _no_callback_to_answer = self.feed(host, Event::CalloutReply(id, reply));
            }
        }
        Ok(())
    }

    fn on_tick(&mut self, host: &mut Host) -> Result<(), Trap> {
        let now = Timestamp::from_nanos(host.now());
        self.root.on_tick(now, &mut HostServices { host, random: &mut self.random });
        self.drain_root(host);
        host.set_scope(Scope::Stream);
        let _no_callback_to_answer = self.feed(host, Event::Tick);
        Ok(())
    }

    fn on_queue_ready(&mut self, _: &mut Host, _: u32) -> Result<(), Trap> {
        Ok(())
    }

    fn on_end(&mut self, host: &mut Host) -> Result<(), Trap> {
        let _no_callback_to_answer = self.feed(host, Event::End);
        self.stream = None;
        Ok(())
    }
}

fn action(flow: Flow) -> Action {
    match flow {
        Flow::Continue => Action::Continue,
        Flow::Pause => Action::Pause,
    }
}

fn dispatch(host: &mut Host, callout: &Callout) -> Result<u32, Status> {
    match callout {
        Callout::Http(call) => {
            let headers: Map = call.headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone())).collect();
            host.call(call.cluster.as_bytes(), &Request::Http(headers, &call.body), call.timeout)
        }
        Callout::Grpc(call) => {
            let request = Request::Grpc(call.service.as_bytes(), call.method.as_bytes(), Map::default(), &call.message);
            host.call(call.cluster.as_bytes(), &request, call.timeout)
        }
    }
}

fn respond(host: &mut Host, answer: &Answer) -> Result<(), Status> {
    let pairs = answer.headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.clone().into_bytes()));
    host.send_local_response(answer.status.into(), pairs.collect(), &answer.body)
}
