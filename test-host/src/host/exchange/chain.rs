//! Two plugins in one chain, each with a VM of its own: what the first lets go on the second is given, and back.

use wardpoint_core::filter::Direction::{Request, Response};

use super::{Exchange, Flow, Part};
use crate::engine::Play;
use crate::host::report::{Receiver, sorted, transcript};
use crate::host::{FilterEnd, Host, Manners, Map, Scope};
use crate::transcript::{Ending, Transcript};

/// One of the two: the plugin's VM, and what it sees of the proxy.
pub type End<'a> = (&'a mut dyn FilterEnd, &'a mut Host);

/// Plays one exchange through both. `play` is that of the first, `behind` that of the second ([`Play::behind`]).
pub fn play_chain([first, next]: [End<'_>; 2], play: &Play, behind: &Play, provider: &str, manners: Manners) -> Transcript {
    first.1.begin(play, provider);
    next.1.begin(behind, provider);
    let mut chain = Chain {
        first: Exchange { linked: true, ..Exchange::new(first.0, first.1, play, manners) },
        next: Exchange::new(next.0, next.1, behind, manners),
        to_next: Passed::default(),
        to_first: Passed::default(),
        said: Vec::new(),
        noted: [0; 2],
    };
    chain.run();
    chain.transcript(play, behind)
}

struct Chain<'a> {
    first: Exchange<'a>,
    next: Exchange<'a>,
    to_next: Passed,
    to_first: Passed,
    /// What both have written, in its order.
    said: Vec<String>,
    /// How many of the lines of each are in `said`.
    noted: [usize; 2],
}

/// What of a message one has been given that the other let go on.
#[derive(Default)]
struct Passed {
    headers: bool,
    body: usize,
    end: bool,
}

impl Chain<'_> {
    fn run(&mut self) {
        let deadline = self.first.deadline();
        self.next.client.bodiless = self.first.play.is_head();
        self.next.call(Scope::Stream, |filter, host| filter.on_begin(host));
        self.first.begin();
        self.settle();
        loop {
            // Who has nothing to come still ticks while the other has.
            let until = [&self.first, &self.next]
                .into_iter()
                .filter_map(|exchange| exchange.schedule.next_time())
                .fold(deadline, u64::max);
            let (first, next) = (self.first.due(until), self.next.due(until));
            match (first.filter(|first| next.is_none_or(|next| *first <= next)), next) {
                (Some(due), _) => self.first.step(due),
                (None, Some(due)) => self.next.step(due),
                (None, None) => break,
            }
            self.settle();
        }
        self.first.finish(deadline);
        self.settle();
        self.next.finish(deadline);
        self.note();
    }

    /// Hands on what has come, until nothing more comes of it.
    fn settle(&mut self) {
        let now = self.first.host.now.max(self.next.host.now);
        (self.first.host.now, self.next.host.now) = (now, now);
        loop {
            self.note();
            if let Some(part) = self.to_next.take(&self.first.upstream)
                && !self.next.over
            {
                self.next.part(Request, part);
                continue;
            }
            if let Some((map, body)) = self.first.answered.take() {
                self.answer(map, body);
                continue;
            }
            if let Some(part) = self.to_first.take(&self.next.client)
                && !self.first.over
            {
                tell_details(&self.next, &mut self.first);
                self.first.part(Response, part);
                continue;
            }
            if self.first.over && !self.next.over {
                self.next.cut_off();
                continue;
            }
            if self.next.client.end == Ending::Reset && !self.first.over {
                self.first.cut_off();
                continue;
            }
            break;
        }
        self.first.end_if_over();
        self.next.end_if_over();
        self.note();
    }

    /// An answer of the first goes back through all who have seen the request, from the last on.
    fn answer(&mut self, map: Map, body: Vec<u8>) {
        let back = if self.next.request.began && !self.next.over {
            tell_details(&self.first, &mut self.next);
            self.next.request.flow = Flow::Cut;
            self.next.own_answer = true;
            &mut self.next
        } else {
            &mut self.first
        };
        let end = body.is_empty();
        back.headers(Response, map, end);
        if !end && !back.over {
            back.part(Response, Part::Body(body, true));
        }
    }

    fn note(&mut self) {
        for (exchange, noted) in [&self.first, &self.next].into_iter().zip(&mut self.noted) {
            let lines = exchange.host.lines();
            self.said.extend(lines.iter().skip(*noted).cloned());
            *noted = lines.len();
        }
    }

    fn transcript(self, play: &Play, behind: &Play) -> Transcript {
        let Self { first, next, said, .. } = self;
        let mut seen = transcript(first.host, play, first.client, Receiver::default(), first.trapped);
        let last = transcript(next.host, behind, Receiver::default(), next.upstream, next.trapped);
        seen.upstream = last.upstream;
        seen.callouts.extend(last.callouts);
        seen.counters.extend(last.counters);
        seen.trapped = seen.trapped.or(last.trapped);
        let (records, lines) = sorted(&said);
        seen.log = lines;
        let left = |host: &Host, play: &Play| {
            let left = host.filter_state(&play.filter_state()).unwrap_or_default();
            String::from_utf8_lossy(left).into_owned()
        };
        seen.set_audit(records, &[&*left(first.host, play), &*left(next.host, behind)]);
        seen
    }
}

/// How an answer came about is known in the whole chain.
fn tell_details(from: &Exchange<'_>, to: &mut Exchange<'_>) {
    if let Some(details) = from.host.properties.details() {
        to.host.properties.set_details(details.to_vec());
    }
}

impl Passed {
    /// What has come since the last time.
    fn take(&mut self, from: &Receiver) -> Option<Part> {
        let map = from.headers.as_ref()?;
        let end = from.end == Ending::Complete;
        if !std::mem::replace(&mut self.headers, true) {
            self.end = end && from.body.is_empty();
            return Some(Part::Headers(map.clone(), self.end));
        }
        let bytes = from.body.get(self.body..).unwrap_or_default().to_vec();
        if bytes.is_empty() && (self.end || !end) {
            return None;
        }
        (self.body, self.end) = (from.body.len(), end);
        Some(Part::Body(bytes, end))
    }
}
