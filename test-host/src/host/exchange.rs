//! The state machine of one exchange: Envoy's filter manager with one Wasm filter before the router.

use wardpoint_core::filter::Direction::{self, Request, Response};

use super::call::Arrival;
use super::report::{ADDED, Receiver, transcript};
use super::schedule::{Happening, Part, Schedule, parts};
use super::state::{LocalAnswer, Side, Wish};
use super::{Action, Came, FilterEnd, Host, Manners, Map, Scope, Trap};
use crate::engine::{Leaves, Play};
use crate::transcript::{Ending, Transcript};

/// Envoy's default limit of its buffers.
const BUFFER_LIMIT: usize = 1 << 20;

/// Plays one exchange. Call [`Host::begin`] first.
pub fn play(filter: &mut dyn FilterEnd, host: &mut Host, play: &Play, manners: Manners) -> Transcript {
    let mut exchange = Exchange {
        play,
        manners,
        start: host.now,
        host,
        filter,
        schedule: Schedule::default(),
        next_tick: None,
        request: Path::default(),
        response: Path::default(),
        client: Receiver::default(),
        upstream: Receiver::default(),
        upstream_answers: false,
        own_answer: false,
        in_reply: false,
        over: false,
        trapped: None,
    };
    exchange.run();
    transcript(exchange.host, play, exchange.client, exchange.upstream, exchange.trapped)
}

struct Exchange<'a> {
    filter: &'a mut dyn FilterEnd,
    host: &'a mut Host,
    play: &'a Play,
    manners: Manners,
    start: u64,
    schedule: Schedule,
    next_tick: Option<u64>,
    request: Path,
    response: Path,
    client: Receiver,
    upstream: Receiver,
    upstream_answers: bool,
    /// The answer is the proxy's own; whatever the upstream still sends is dropped.
    own_answer: bool,
    in_reply: bool,
    over: bool,
    trapped: Option<String>,
}

/// How far one direction has come.
#[derive(Default)]
struct Path {
    flow: Flow,
    /// Headers have come.
    began: bool,
    /// Headers have gone on.
    headers_gone: bool,
    /// The end has come.
    ended: bool,
    /// What came while everything was stopped; nobody has been shown it.
    waiting: Vec<Part>,
}

/// Envoy's iteration state of one direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Flow {
    #[default]
    Going,
    /// `StopIteration`: headers wait, body callbacks are made. Needs `allow_on_headers_stop_iteration`.
    HeadersHeld,
    /// `StopAllIterationAndWatermark`: no callback until somebody resumes; flow control holds the rest.
    AllHeld,
    /// `StopIterationAndBuffer`.
    BodyHeld,
    TrailersHeld,
    /// A local answer or a reset: nothing of this direction goes anywhere.
    Cut,
}

impl Exchange<'_> {
    fn run(&mut self) {
        self.client.bodiless = self.play.request.headers.iter().any(|(n, v)| n == b":method" && v == b"HEAD");
        for (index, mut part) in parts(&self.play.request, self.manners.extra_end).into_iter().enumerate() {
            if let Part::Headers(map, _) = &mut part {
                for (name, value) in ADDED {
                    if map.first(name.as_bytes()).is_none() {
                        map.add(name.as_bytes(), value.as_bytes());
                    }
                }
            }
            self.schedule.plan(self.start, Happening::Part(Request, part));
            if index == 0 && matches!(self.play.client_leaves, Some(Leaves::AfterRequestHeaders)) {
                self.schedule.plan(self.start, Happening::ClientLeaves);
                break;
            }
        }
        let deadline = self.start + nanos(self.play.time);
        loop {
            if self.next_tick.is_none() {
                self.next_tick = self.host.tick_period.map(|period| self.host.now + nanos(period));
            }
            let event = self.schedule.next_time();
            let tick = self.next_tick.filter(|tick| event.map_or(*tick <= deadline, |event| *tick < event));
            if let Some(tick) = tick {
                self.host.now = tick;
                self.next_tick = None;
                self.call(Scope::Root, |filter, host| filter.on_tick(host));
            } else if let Some((at, what)) = self.schedule.pop() {
                self.host.now = at;
                self.happen(what);
            } else {
                break;
            }
            self.end_if_over();
        }
        self.host.now = self.host.now.max(deadline);
        if !self.over {
            // The driver has seen enough and hangs up; what the client saw stays open.
            self.over = true;
            self.end_if_over();
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Part(Response, _) if self.own_answer => {}
            Happening::Part(direction, part) if !self.over => self.part(direction, part),
            Happening::ClientLeaves if !self.over => self.cut_off(),
            Happening::Part(..) | Happening::ClientLeaves => {}
            Happening::Reply(token) => self.reply(token),
        }
    }

    fn part(&mut self, direction: Direction, part: Part) {
        match (self.path(direction).flow, part) {
            (Flow::Cut, _) => {}
            (Flow::AllHeld, part) => self.path(direction).waiting.push(part),
            (_, Part::Headers(map, end)) => self.headers(direction, map, end),
            (_, Part::Body(bytes, end)) => self.body(direction, bytes, end),
            (_, Part::Trailers(map)) => self.trailers(direction, map),
        }
    }

    fn headers(&mut self, direction: Direction, map: Map, end: bool) {
        let path = self.path(direction);
        (path.began, path.ended) = (true, end);
        *self.host.side(direction) = Side { headers: map, headers_alive: true, ..Side::default() };
        match self.ask(direction, |filter, host| filter.on_headers(host, direction, end)) {
            None => {}
            Some(Action::Continue) => {
                self.pass_headers(direction);
                self.pass_end(direction);
            }
            Some(Action::Pause) if self.play.hold_headers => self.path(direction).flow = Flow::HeadersHeld,
            Some(Action::Pause) => self.path(direction).flow = Flow::AllHeld,
        }
    }

    fn body(&mut self, direction: Direction, bytes: Vec<u8>, end: bool) {
        let limit = self.play.buffer_limit.unwrap_or(BUFFER_LIMIT);
        let held = self.path(direction).flow == Flow::BodyHeld;
        let side = self.host.side(direction);
        if held {
            side.buffer.extend_from_slice(&bytes);
            if side.buffer.len() > limit {
                return self.too_large(direction); // the callback is not made
            }
        } else {
            side.buffer = bytes;
        }
        side.buffer_alive = true;
        let size = side.buffer.len();
        self.path(direction).ended |= end;
        let Some(action) = self.ask(direction, |filter, host| filter.on_body(host, direction, size, end)) else { return };
        let grown = self.host.side(direction).buffer.len() > limit;
        match action {
            // What was held already is Envoy's own buffer: growing it over the limit is noticed at once.
            _ if grown && (held || action == Action::Pause) => self.too_large(direction),
            Action::Continue => self.pass_all(direction),
            Action::Pause => self.path(direction).flow = Flow::BodyHeld,
        }
    }

    fn trailers(&mut self, direction: Direction, map: Map) {
        let held = self.path(direction).flow == Flow::BodyHeld;
        let side = self.host.side(direction);
        (side.trailers, side.trailers_alive, side.buffer_alive) = (map, true, held);
        match self.ask(direction, |filter, host| filter.on_trailers(host, direction)) {
            None => {}
            Some(Action::Continue) => {
                self.path(direction).ended = true;
                self.pass_all(direction);
            }
            Some(Action::Pause) => {
                self.path(direction).ended = true;
                self.path(direction).flow = Flow::TrailersHeld;
            }
        }
    }

    fn reply(&mut self, token: u32) {
        let Some(call) = self.host.calls.arrive(token) else { return };
        let came = match call.arrival {
            Arrival::Http(answered) => {
                let (headers, body, trailers) = (answered.headers.len(), answered.body.len(), answered.trailers.len());
                self.host.reply = answered;
                Came::Http { headers, body, trailers }
            }
            Arrival::GrpcMessage(message) => {
                let size = message.len();
                self.host.grpc = Some(message);
                self.host.grpc_status = (0, Vec::new());
                Came::GrpcMessage(size)
            }
            Arrival::GrpcStatus(code, text) => {
                self.host.grpc_status = (code, text);
                Came::GrpcStatus(code)
            }
        };
        self.in_reply = true;
        self.call(Scope::Root, |filter, host| {
            let result = filter.on_reply(host, call.scope, token, came);
            host.reply = Default::default();
            host.grpc = None;
            result
        });
        self.in_reply = false;
    }

    /// A callback of the stream; `None` if nothing of this direction is to go on.
    fn ask(
        &mut self,
        direction: Direction,
        callback: impl FnOnce(&mut dyn FilterEnd, &mut Host) -> Result<Action, Trap>,
    ) -> Option<Action> {
        let action = self.call(Scope::Stream, callback)?;
        (!self.over && self.path(direction).flow != Flow::Cut).then_some(action)
    }

    /// A callback, and then what it asked for.
    fn call<T>(&mut self, scope: Scope, callback: impl FnOnce(&mut dyn FilterEnd, &mut Host) -> Result<T, Trap>) -> Option<T> {
        if self.trapped.is_some() {
            return None;
        }
        self.host.scope = scope;
        let result = callback(self.filter, self.host);
        self.host.scope = scope;
        for (token, after) in self.host.calls.take_dispatched() {
            self.schedule.plan(self.host.now + nanos(after), Happening::Reply(token));
        }
        match result {
            Ok(answer) => {
                self.grant();
                self.tell_queues();
                Some(answer)
            }
            Err(Trap(text)) => {
                self.trapped = Some(text);
                self.host.stream.wishes.clear();
                self.fail_closed();
                None
            }
        }
    }

    fn grant(&mut self) {
        for wish in std::mem::take(&mut self.host.stream.wishes) {
            match wish {
                _ if self.over => {}
                Wish::Answer(answer) => self.answer(answer),
                Wish::Close => self.cut_off(),
                Wish::Resume(direction) => self.resume(direction),
            }
        }
    }

    fn tell_queues(&mut self) {
        for queue in std::mem::take(&mut self.host.queued) {
            if self.host.queues.contains(&queue) {
                self.call(Scope::Root, |filter, host| filter.on_queue_ready(host, queue));
            }
        }
    }

    /// `continueDecoding` and `continueEncoding`. On a direction that is not stopped they do nothing.
    fn resume(&mut self, direction: Direction) {
        match self.path(direction).flow {
            Flow::Going | Flow::Cut => {}
            Flow::BodyHeld | Flow::TrailersHeld => self.pass_all(direction),
            Flow::HeadersHeld => {
                self.path(direction).flow = Flow::Going;
                self.pass_headers(direction);
                self.pass_end(direction);
            }
            Flow::AllHeld => {
                self.path(direction).flow = Flow::Going;
                self.pass_headers(direction);
                self.pass_end(direction);
                // Only now the own filter is shown what came meanwhile: its bytes at once.
                let (mut bytes, mut end, mut trailers) = (Vec::new(), false, None);
                for part in std::mem::take(&mut self.path(direction).waiting) {
                    match part {
                        Part::Body(more, last) => {
                            bytes.extend(more);
                            end |= last;
                        }
                        Part::Trailers(map) => trailers = Some(map),
                        Part::Headers(..) => {}
                    }
                }
                if !self.over && (!bytes.is_empty() || end) {
                    self.part(direction, Part::Body(bytes, end));
                }
                if let Some(map) = trailers
                    && !self.over
                {
                    self.part(direction, Part::Trailers(map));
                }
            }
        }
    }

    fn pass_headers(&mut self, direction: Direction) {
        if std::mem::replace(&mut self.path(direction).headers_gone, true) {
            return;
        }
        let side = self.host.side(direction);
        side.headers_alive = false;
        let map = side.headers.clone();
        match direction {
            Request => {
                self.upstream.headers(map);
                if self.play.upstream_early {
                    self.answer_from_upstream();
                }
            }
            Response => {
                let status = map.first(b":status");
                self.client.bodiless |= matches!(status, Some(b"204" | b"304"));
                self.client.headers(map);
            }
        }
    }

    /// Headers, what is held of the body, and the end if it has come.
    fn pass_all(&mut self, direction: Direction) {
        self.path(direction).flow = Flow::Going;
        self.pass_headers(direction);
        let side = self.host.side(direction);
        (side.buffer_alive, side.trailers_alive) = (false, false);
        let bytes = std::mem::take(&mut side.buffer);
        match direction {
            Request => self.upstream.body.extend(bytes),
            Response => {
                let first = self.client.body.is_empty() && !bytes.is_empty();
                self.client.body.extend(bytes);
                if first && matches!(self.play.client_leaves, Some(Leaves::AfterFirstResponseChunk)) {
                    return self.cut_off();
                }
            }
        }
        self.pass_end(direction);
    }

    fn pass_end(&mut self, direction: Direction) {
        if !self.path(direction).ended {
            return;
        }
        match direction {
            Request => {
                self.upstream.finish();
                if self.upstream.end == Ending::Complete {
                    self.answer_from_upstream();
                }
            }
            Response => {
                self.client.finish();
                self.over = true;
            }
        }
    }

    fn answer_from_upstream(&mut self) {
        if std::mem::replace(&mut self.upstream_answers, true) {
            return;
        }
        let Some(sent) = &self.play.upstream else { return };
        for part in parts(sent, self.manners.extra_end) {
            self.schedule.plan(self.host.now, Happening::Part(Response, part));
        }
    }

    /// `sendLocalReply`: through the filter chain before there is a response, straight to the client before its headers have
    /// gone, else a reset.
    fn answer(&mut self, answer: LocalAnswer) {
        let LocalAnswer { status, headers, mut body } = answer;
        let mut map: Map = [(b":status".to_vec(), status.to_string().into_bytes())].into_iter().collect();
        for (name, value) in headers.iter() {
            map.add(name, value);
        }
        if !body.is_empty() {
            map.set(b"content-length", body.len().to_string().as_bytes());
            if map.first(b"content-type").is_none() {
                map.add(b"content-type", b"text/plain");
            }
        }
        if self.client.bodiless {
            body.clear();
        }
        if self.response.headers_gone {
            return self.cut_off();
        }
        self.request.flow = Flow::Cut;
        self.own_answer = true;
        if !self.response.began && self.manners.own_answer_comes_by && self.trapped.is_none() {
            let end = body.is_empty();
            self.headers(Response, map, end);
            if !end && !self.over {
                self.part(Response, Part::Body(body, true));
            }
            return;
        }
        self.response.flow = Flow::Cut;
        self.client.headers(map);
        self.client.body = body;
        self.client.finish();
        self.over = true;
    }

    fn too_large(&mut self, direction: Direction) {
        let (status, text) = match direction {
            Request => (413, "Payload Too Large"),
            Response => (500, "Internal Server Error"),
        };
        self.answer(LocalAnswer { status, headers: Map::default(), body: text.as_bytes().to_vec() });
    }

    /// The VM is dead: 503 if that can still be said, else a reset. A trap in a reply is answered by nobody (seen on 1.40).
    fn fail_closed(&mut self) {
        if !self.over && !self.in_reply {
            self.answer(LocalAnswer { status: 503, ..LocalAnswer::default() });
        }
    }

    fn cut_off(&mut self) {
        self.client.end = Ending::Reset;
        self.over = true;
    }

    /// Tells the filter once that the stream is over. Its calls die with it.
    fn end_if_over(&mut self) {
        if !self.over || !self.host.stream.alive {
            return;
        }
        self.host.calls.end_stream();
        self.call(Scope::Stream, |filter, host| {
            host.stream.request = Side::default();
            host.stream.response = Side::default();
            filter.on_end(host)
        });
        self.host.stream.alive = false;
        self.host.stream.wishes.clear();
    }

    fn path(&mut self, direction: Direction) -> &mut Path {
        match direction {
            Request => &mut self.request,
            Response => &mut self.response,
        }
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
