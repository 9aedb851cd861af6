//! The state machine of one exchange: Envoy's filter manager with one Wasm filter before the router.

use std::collections::BTreeMap;

use wardpoint_core::filter::Direction::{self, Request, Response};

use super::report::{ADDED, Receiver, transcript};
use super::schedule::{Happening, Part, Schedule, parts};
use super::state::Side;
use super::{FilterEnd, Host, Manners, Map, Scope};
use crate::engine::{Leaves, Play};
use crate::transcript::Transcript;

mod answer;
mod callback;
pub(super) mod chain;
mod pass;
mod show;

/// Envoy's default limit of its buffers.
const BUFFER_LIMIT: usize = 1 << 20;

/// Plays the exchanges before it and then this one, on the VM as the last one left it. What is counted is this one's.
pub fn play_all(filter: &mut dyn FilterEnd, host: &mut Host, whole: &Play, provider: &str, manners: Manners) -> Transcript {
    let (mut before, mut log) = (Vec::new(), Vec::new());
    for earlier in &whole.before {
        host.begin(earlier, provider);
        let seen = play(filter, host, earlier, manners);
        before.push(seen.client.status);
        log.extend(seen.log);
        log.extend(seen.audit.iter().map(ToString::to_string));
        if seen.trapped.is_some() {
            return Transcript { before, log, ..seen };
        }
    }
    let counted = if before.is_empty() { Default::default() } else { host.shared().borrow().counters() };
    host.begin(whole, provider);
    let mut seen = play(filter, host, whole, manners);
    seen.counters = grown(&counted, seen.counters);
    log.append(&mut seen.log);
    Transcript { before, log, ..seen }
}

/// By how much counters have grown.
pub fn grown(before: &BTreeMap<String, u64>, after: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let since = |name: &String, value: u64| value.saturating_sub(before.get(name).copied().unwrap_or(0));
    after.into_iter().map(|(name, value)| (name.clone(), since(&name, value))).filter(|(_, grown)| *grown > 0).collect()
}

/// Plays one exchange. Call [`Host::begin`] first.
pub fn play(filter: &mut dyn FilterEnd, host: &mut Host, play: &Play, manners: Manners) -> Transcript {
    let mut exchange = Exchange::new(filter, host, play, manners);
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
    /// The next in the chain is another plugin, which [`chain`] gives what is for the upstream.
    linked: bool,
    /// An answer of this filter's own, which goes through the response callbacks of the next one first.
    answered: Option<(Map, Vec<u8>)>,
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

/// The kind of a tick among those of [`Schedule`]: it comes behind all else of its time.
const TICK: u8 = u8::MAX;

impl<'a> Exchange<'a> {
    fn new(filter: &'a mut dyn FilterEnd, host: &'a mut Host, play: &'a Play, manners: Manners) -> Self {
        Self {
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
            linked: false,
            answered: None,
        }
    }
}

impl Exchange<'_> {
    fn run(&mut self) {
        let deadline = self.deadline();
        self.begin();
        while let Some(due) = self.due(deadline) {
            self.step(due);
        }
        self.finish(deadline);
    }

    fn deadline(&self) -> u64 {
        self.start + nanos(self.play.time)
    }

    /// The stream begins, and all that the client sends is planned.
    fn begin(&mut self) {
        self.client.bodiless = self.play.is_head();
        self.call(Scope::Stream, |filter, host| filter.on_begin(host));
        if self.no_token() {
            return self.end_if_over();
        }
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
    }

    /// When something happens next, and before what else of that time; without anything to come the root ticks until `deadline`.
    fn due(&mut self, deadline: u64) -> Option<(u64, u8)> {
        if self.next_tick.is_none() {
            self.next_tick = self.host.tick_period.map(|period| self.host.now + nanos(period));
        }
        let event = self.schedule.next();
        let tick = self.next_tick.filter(|tick| event.map_or(*tick <= deadline, |(event, _)| *tick < event));
        tick.map(|tick| (tick, TICK)).or(event)
    }

    /// What [`Self::due`] has said happens.
    fn step(&mut self, (at, kind): (u64, u8)) {
        self.host.now = at;
        if kind == TICK {
            self.next_tick = None;
            self.call(Scope::Root, |filter, host| filter.on_tick(host));
        } else if let Some((_, what)) = self.schedule.pop() {
            self.happen(what);
        }
        self.end_if_over();
    }

    fn finish(&mut self, deadline: u64) {
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
            Happening::ClientLeaves | Happening::UpstreamCuts if !self.over => self.cut_off(),
            Happening::TimeOut if !self.over && !self.response.began => {
                self.answer_of_proxy(504, "response_timeout", "upstream request timeout")
            }
            Happening::Part(..) | Happening::ClientLeaves | Happening::TimeOut | Happening::UpstreamCuts => {}
            Happening::Reply(token) => self.reply(token),
        }
    }

    /// Tells the filter once that the stream is over. Its calls still come back, on the root.
    fn end_if_over(&mut self) {
        if !self.over || !self.host.stream.alive {
            return;
        }
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
