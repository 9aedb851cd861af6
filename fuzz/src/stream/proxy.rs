//! A proxy around one `Stream`: it does what it is told, or fails to, and watches that the stream keeps its guarantees.

use wardpoint_core::audit::{Outcome, Record};
use wardpoint_core::filter::{
    CallId, CalloutError, Cas, Chunk, Counted, Direction, Event, Filter, Flow, Head, HostCall, Op, Properties, Reply,
    ServiceError, Services, Shared, Signature, Stream,
};
use wardpoint_core::http::Headers;
use wardpoint_core::time::{Duration, Timestamp};

use crate::caller::Property;
use crate::input::Input;

use Direction::{Request, Response};

/// Host calls of one event that may fail before the proxy gives up, as the adapter does.
const FAILURES: usize = 16;

/// What happens next.
pub(super) enum Happening<'a> {
    Headers(Direction, &'a Headers, &'a [Property], bool),
    Body(Direction, &'a [u8], bool),
    Trailers(Direction),
    /// The answer to one of the open calls, or to one that nobody made.
    Reply(usize, Result<u16, CalloutError>),
    /// Headers or a part of the body cannot be read.
    Unreadable(Direction, &'a [u8], bool),
    Tick(Duration),
    End,
}

/// One direction, as the proxy holds it.
#[derive(Default)]
pub(super) struct Side {
    headers: Option<Headers>,
    headers_gone: bool,
    held: Vec<u8>,
    /// What is held and still to be shown.
    gathered: Vec<u8>,
    ended: bool,
    /// What went on.
    pub(super) gone: Vec<u8>,
    pub(super) complete: bool,
}

/// The proxy, and what an outsider would have seen.
pub(super) struct Proxy<'a, F> {
    stream: Stream<F>,
    /// Which host calls fail; none if it is used up.
    faults: Input<'a>,
    now: Timestamp,
    calls: Vec<CallId>,
    observe: bool,
    pub(super) request: Side,
    pub(super) response: Side,
    pub(super) records: Vec<Record>,
    /// A mark was left for a guard.
    marked: bool,
    counted: u64,
    pub(super) answered: bool,
    dead: bool,
    begun: bool,
}

struct Luck(bool);

impl Services for Luck {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        into.fill(7);
        if self.0 { Ok(()) } else { Err(ServiceError::Failed) }
    }
    fn shared_get(&mut self, _: &str) -> Result<Option<Shared>, ServiceError> {
        Ok(None)
    }
    fn shared_set(&mut self, _: &str, _: &[u8], _: Option<Cas>) -> Result<(), ServiceError> {
        Err(ServiceError::Failed)
    }
    fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
        Err(ServiceError::Unsupported)
    }
}

impl<'a, F: Filter> Proxy<'a, F> {
    pub(super) fn new(stream: Stream<F>, observe: bool, faults: Input<'a>) -> Self {
        Self {
            stream,
            faults,
            now: Timestamp::from_secs(1),
            calls: Vec::new(),
            observe,
            request: Side::default(),
            response: Side::default(),
            records: Vec::new(),
            marked: false,
            counted: 0,
            answered: false,
            dead: false,
            begun: false,
        }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Request => &mut self.request,
            Response => &mut self.response,
        }
    }

    /// Shows what is held and was not shown.
    fn show(&mut self, direction: Direction, end_of_stream: bool) {
        let wanted = self.stream.wants_body(direction);
        let side = self.side(direction);
        let bytes = core::mem::take(&mut side.gathered);
        let chunk = Chunk { bytes: if wanted { &bytes } else { b"" }, end_of_stream };
        self.inside(direction, if direction == Request { Event::RequestBody(chunk) } else { Event::ResponseBody(chunk) });
    }

    /// One thing happens.
    pub(super) fn happens(&mut self, what: &Happening<'_>) {
        match what {
            Happening::Headers(direction, headers, properties, end_of_stream) => {
                self.begun |= *direction == Request;
                let side = self.side(*direction);
                side.headers = Some((*headers).clone());
                side.ended |= end_of_stream;
                let properties = Properties::new(if *direction == Request { properties } else { &[] });
                let head = Head { headers, properties, end_of_stream: *end_of_stream };
                let event = if *direction == Request { Event::RequestHeaders(head) } else { Event::ResponseHeaders(head) };
                self.inside(*direction, event);
            }
            Happening::Body(direction, bytes, end_of_stream) => {
                let side = self.side(*direction);
                side.held.extend_from_slice(bytes);
                side.gathered.extend_from_slice(bytes);
                side.ended |= end_of_stream;
                let new = side.gathered.len();
                // As the adapter does: what would only be kept is not shown yet.
                if *direction == Response || *end_of_stream || !self.stream.gathers(new) {
                    self.show(*direction, *end_of_stream);
                }
            }
            // What cannot be read after an answer is the answer: Envoy does not call back for a request that was answered.
            Happening::Unreadable(Request, ..) if self.answered => {}
            Happening::Unreadable(direction, bytes, end_of_stream) => {
                let side = self.side(*direction);
                side.held.extend_from_slice(bytes);
                side.gathered.clear();
                side.ended |= end_of_stream;
                self.inside(*direction, Event::Failed(HostCall::Read(*direction)));
            }
            Happening::Trailers(direction) => {
                if !self.side(*direction).gathered.is_empty() {
                    self.show(*direction, false);
                }
                self.side(*direction).ended = true;
                self.inside(*direction, Event::Trailers(*direction));
            }
            Happening::Reply(which, answer) => {
                let headers = Headers::new();
                let reply = answer.map(|status| Reply { status, headers: &headers, body: b"reply" });
                let Some(call) = self.calls.get(which % self.calls.len().max(1)).copied() else { return };
                let _outside = self.feed(Event::CalloutReply(call, reply), None);
            }
            Happening::Tick(time) => {
                self.now = self.now + *time;
                let _outside = self.feed(Event::Tick, None);
            }
            Happening::End => self.ends(),
        }
    }

    /// A callback of one direction: what it returns says how that direction goes on.
    fn inside(&mut self, direction: Direction, event: Event<'_>) {
        let closed = self.answered || self.dead;
        let flow = self.feed(event, Some(direction));
        if closed && direction == Request {
            assert!(flow == Flow::Pause, "after its end the request went on");
        }
        if flow == Flow::Continue {
            self.release(direction);
        }
    }

    fn ends(&mut self) {
        let _over = self.feed(Event::End, None);
        self.dead = true;
        assert!(!self.begun || !self.records.is_empty(), "a request without a record");
        assert_eq!(self.counted, self.records.len() as u64, "records and counted decisions differ");
    }

    /// One event in, all ops out; a host call that fails is the next event. As `plugins/adapter` does it.
    fn feed(&mut self, event: Event<'_>, inside: Option<Direction>) -> Flow {
        let closed = self.answered || self.dead;
        let end = matches!(event, Event::End);
        let mut flow = self.stream.handle(event, self.now, &mut Luck(true));
        let mut failures = 0;
        while let Some(op) = self.stream.poll_op() {
            if end {
                assert!(matches!(op, Op::Audit(_) | Op::Count(..)), "at the end there is nothing left to do: {op:?}");
            }
            let late = closed && !matches!(op, Op::Audit(_) | Op::Count(..) | Op::Reset);
            assert!(!late, "after an answer or a reset: {op:?}");
            let Err(next) = self.perform(op, inside) else { continue };
            failures += 1;
            while let Some(op) = self.stream.poll_op() {
                if matches!(op, Op::Audit(_) | Op::Count(..) | Op::CallOutShared(..)) {
                    let _done = self.perform(op, inside);
                }
            }
            if failures > FAILURES {
                flow = self.stream.give_up(self.now, &mut Luck(true));
                while let Some(op) = self.stream.poll_op() {
                    let _done = self.perform(op, inside);
                }
                return flow;
            }
            flow = self.stream.handle(next, self.now, &mut Luck(true));
        }
        flow
    }

    fn perform(&mut self, op: Op, inside: Option<Direction>) -> Result<(), Event<'static>> {
        let fails = self.faults.byte().is_some_and(|byte| byte >= 0xf0);
        match op {
            Op::Audit(record) => self.records.push(record),
            Op::Mark => self.marked = true,
            Op::Count(counter, by) => self.counted += if matches!(counter.what, Counted::Decisions(_)) { by } else { 0 },
            Op::CallOut(call, _) if fails => return Err(Event::CalloutReply(call, Err(CalloutError::NotDispatched))),
            Op::CallOut(call, _) | Op::CallOutShared(call, _) => self.calls.push(call),
            Op::SetHeader(direction, name, _) | Op::RemoveHeader(direction, name) => {
                let side = self.side(direction);
                assert!(side.headers.is_some() && !side.headers_gone, "a header was edited out of its phase: {name}");
                if fails {
                    return Err(Event::Failed(HostCall::SetHeader));
                }
                if let Some(headers) = &mut side.headers {
                    *headers = headers.iter().filter(|(known, _)| !known.eq_ignore_ascii_case(name.as_bytes())).collect();
                }
            }
            Op::ReplaceBody(direction, with) => {
                if fails {
                    return Err(Event::Failed(HostCall::ReplaceBody));
                }
                let side = self.side(direction);
                side.held = with;
            }
            Op::Reset => {
                self.dead = true;
                if fails {
                    return Err(Event::Failed(HostCall::Reset));
                }
            }
            Op::Respond(answer) => {
                assert!(!self.answered, "a second answer");
                assert!(!self.response.headers_gone, "an answer after headers of another one");
                assert!(self.records.iter().any(|record| record.outcome == Outcome::Deny), "a refusal without a record");
                assert!(answer.status == 200 || answer.status >= 400, "{}", answer.status);
                if fails {
                    return Err(Event::Failed(HostCall::Respond));
                }
                self.answered = true;
            }
            // The return value of the running callback says it.
            Op::Resume(direction) if inside == Some(direction) => {}
            Op::Resume(_) if fails => return Err(Event::Failed(HostCall::Resume)),
            Op::Resume(direction) => self.release(direction),
        }
        Ok(())
    }

    /// What is held of this direction goes on.
    fn release(&mut self, direction: Direction) {
        if self.answered || self.dead {
            // On the way to the client it is our own answer.
            assert!(direction == Response, "a request that was answered went on");
            return;
        }
        let (allowed, decided) = (self.is_allowed(), !self.records.is_empty());
        // Nobody behind has seen a request whose headers are held, so an error is not the upstream's.
        let unseen = self.request.headers.is_some() && !self.request.headers_gone;
        let error = self.response.headers.as_ref().and_then(Headers::status).is_some_and(|status| status >= 400);
        let side = self.side(direction);
        let first = !side.headers_gone;
        side.headers_gone |= side.headers.is_some();
        let held = core::mem::take(&mut side.held);
        side.gone.extend_from_slice(&held);
        side.complete |= side.ended && side.headers.is_some();
        let complete = side.complete;
        match direction {
            Request => {
                assert!(decided || self.marked, "headers went on, and a guard could not tell that they were seen");
                assert!(!complete || allowed, "a whole request went on undecided or refused: {:?}", self.records);
            }
            Response if decided && (allowed || self.observe || unseen && error) => {}
            Response => {
                assert!(self.response.gone.is_empty(), "an answer went on before the decision");
                let kept = |name: &[u8]| name == b":status" || name == b"www-authenticate";
                let bare = self.response.headers.iter().flat_map(Headers::iter).all(|(name, _)| kept(name));
                assert!(!first || bare, "headers of an early answer went on");
            }
        }
    }

    /// Whether a decision let the request go on.
    pub(super) fn is_allowed(&self) -> bool {
        let lets = |record: &Record| match record.outcome {
            Outcome::Allow | Outcome::WouldDeny => true,
            Outcome::Undecided => self.observe,
            Outcome::Deny => false,
        };
        self.records.iter().any(lets)
    }
}
