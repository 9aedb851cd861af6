//! The order in which things happen on the virtual clock.

use std::collections::BTreeMap;

use crate::engine::Sent;
use crate::host::{Direction, Map};

/// What is going to happen. Nothing depends on the machine: time first, then the kind, then the order of planning.
#[derive(Default)]
pub(super) struct Schedule {
    planned: BTreeMap<(u64, u8, u32), Happening>,
    count: u32,
}

/// One thing that happens.
#[derive(Debug)]
pub(super) enum Happening {
    Part(Direction, Part),
    ClientLeaves,
    Reply(u32),
    /// The route's time limit is over.
    TimeOut,
    /// The upstream breaks off: it promised more than it has.
    UpstreamCuts,
}

/// A part of a message.
#[derive(Debug)]
pub(super) enum Part {
    Headers(Map, bool),
    Body(Vec<u8>, bool),
    Trailers(Map),
}

impl Schedule {
    /// At the same time what begins an answer comes first, then what the client sends, then answers of callouts, then the rest
    /// of the upstream's answer: on a wire its parts take time.
    pub(super) fn plan(&mut self, at: u64, what: Happening) {
        let class = match what {
            Happening::Part(Direction::Response, Part::Headers(..)) => 0,
            Happening::Part(Direction::Request, _) | Happening::ClientLeaves => 1,
            Happening::Reply(_) => 2,
            Happening::Part(Direction::Response, _) | Happening::UpstreamCuts => 3,
            Happening::TimeOut => 4,
        };
        self.insert(at, class, what);
    }

    /// Before all else of this time: an answer that comes before the request's end is there as a whole.
    pub(super) fn plan_first(&mut self, at: u64, what: Happening) {
        self.insert(at, 0, what);
    }

    fn insert(&mut self, at: u64, class: u8, what: Happening) {
        self.count += 1;
        self.planned.insert((at, class, self.count), what);
    }

    pub(super) fn next_time(&self) -> Option<u64> {
        self.next().map(|(at, _)| at)
    }

    /// The time of what is first, and its kind.
    pub(super) fn next(&self) -> Option<(u64, u8)> {
        self.planned.first_key_value().map(|((at, class, _), _)| (*at, *class))
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Happening)> {
        self.planned.pop_first().map(|((at, ..), what)| (at, what))
    }
}

/// A message in the parts in which Envoy hands it to filters. Empty chunks do not exist on a wire.
pub(super) fn parts(sent: &Sent, extra_end: bool) -> Vec<Part> {
    let chunks: Vec<_> = sent.chunks.iter().filter(|chunk| !chunk.is_empty()).collect();
    let ends_with_headers = sent.chunks.is_empty() && sent.trailers.is_empty();
    let mut parts = vec![Part::Headers(Map::new(&sent.headers), ends_with_headers)];
    if ends_with_headers {
        return parts;
    }
    let trailers = !sent.trailers.is_empty();
    for (index, chunk) in chunks.iter().enumerate() {
        let last = index + 1 == chunks.len();
        parts.push(Part::Body((*chunk).clone(), last && !extra_end && !trailers));
    }
    if trailers {
        parts.push(Part::Trailers(Map::new(&sent.trailers)));
    } else if extra_end || chunks.is_empty() {
        parts.push(Part::Body(Vec::new(), true));
    }
    parts
}

impl Sent {
    /// Whether there is less of the body than its `content-length` says.
    pub(super) fn breaks_off(&self) -> bool {
        let size: usize = self.chunks.iter().map(Vec::len).sum();
        size > 0 && Map::new(&self.headers).content_length().is_some_and(|promised| promised > size)
    }
}
