//! What goes on to the next filter, and to client and upstream.

use wardpoint_core::filter::Direction::{self, Request, Response};

use super::{Exchange, Flow, Happening, Part, parts};
use crate::engine::Leaves;
use crate::transcript::Ending;

impl Exchange<'_> {
    /// `continueDecoding` and `continueEncoding`. On a direction that is not stopped they do nothing.
    pub(super) fn resume(&mut self, direction: Direction) {
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
                let (bytes, end, trailers) = joined(std::mem::take(&mut self.path(direction).waiting));
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

    /// A resume from a header callback that lets the headers go on all the same: the upstream never sees the end of the request,
    /// or the client never sees that of the response.
    pub(super) fn resume_too_early(&mut self, direction: Direction) {
        match direction {
            Request => self.upstream.endless = true,
            Response => {
                self.pass_headers(Response);
                self.cut_off();
            }
        }
    }

    /// A resume after an answer in the same callback: the upstream gets what is there of the request.
    pub(super) fn leak(&mut self) {
        let map = self.host.side(Request).headers.clone();
        let (waiting, _, _) = joined(std::mem::take(&mut self.request.waiting));
        let held = std::mem::take(&mut self.host.side(Request).buffer);
        self.upstream.endless = true;
        self.upstream.headers(map);
        self.upstream.body.extend(held.into_iter().chain(waiting));
    }

    pub(super) fn pass_headers(&mut self, direction: Direction) {
        if std::mem::replace(&mut self.path(direction).headers_gone, true) {
            return;
        }
        let side = self.host.side(direction);
        side.headers_alive = false;
        let map = side.headers.clone();
        if direction == Request {
            self.host.properties.set_route(map.first(b":authority"));
        }
        match direction {
            Request if !self.linked && map.first(b":authority") == Some(crate::engine::NOWHERE.as_bytes()) => {
                self.answer_of_proxy(503, "no_healthy_upstream", "no healthy upstream");
            }
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
    pub(super) fn pass_all(&mut self, direction: Direction) {
        self.path(direction).flow = Flow::Going;
        let side = self.host.side(direction);
        (side.buffer_alive, side.trailers_alive) = (false, false);
        let bytes = std::mem::take(&mut side.buffer);
        self.pass_headers(direction);
        if self.path(direction).flow == Flow::Cut {
            return;
        }
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

    pub(super) fn pass_end(&mut self, direction: Direction) {
        if !self.path(direction).ended || self.path(direction).flow == Flow::Cut {
            return;
        }
        match direction {
            Request => {
                self.upstream.finish();
                if self.upstream.end == Ending::Complete {
                    self.answer_from_upstream();
                }
                // What the upstream reads as a request that goes on has been seen to be answered all the same.
                self.upstream.end = if self.upstream.endless { Ending::Open } else { self.upstream.end };
            }
            Response => {
                self.client.finish();
                // After an answer to a request that has not ended the connection is closed.
                if self.own_answer && !self.request.ended && self.client.end == Ending::Open {
                    self.client.end = Ending::Reset;
                }
                self.over = true;
            }
        }
    }

    fn answer_from_upstream(&mut self) {
        if self.linked || std::mem::replace(&mut self.upstream_answers, true) {
            return;
        }
        self.host.properties.set_details(b"via_upstream".to_vec());
        let side = &self.host.stream.request;
        if side.headers.first(b":authority") == Some(crate::engine::IMPATIENT.as_bytes()) {
            let at = self.host.now + super::nanos(crate::engine::PATIENCE);
            self.schedule.plan(at, Happening::TimeOut);
        }
        let Some(sent) = &self.play.upstream else { return };
        let mut parts = parts(sent, self.manners.extra_end);
        let breaks_off = sent.breaks_off();
        if breaks_off {
            // Its last part gets lost on the way.
            parts.truncate(sent.chunks.iter().filter(|chunk| !chunk.is_empty()).count());
        }
        let parts = parts.into_iter().map(|part| Happening::Part(Response, part));
        for happening in parts.chain(breaks_off.then_some(Happening::UpstreamCuts)) {
            if self.play.upstream_early {
                self.schedule.plan_first(self.host.now, happening);
            } else {
                self.schedule.plan(self.host.now, happening);
            }
        }
    }
}

/// The bytes of some parts, whether they are the end, and trailers.
fn joined(parts: Vec<Part>) -> (Vec<u8>, bool, Option<crate::host::Map>) {
    let (mut bytes, mut end, mut trailers) = (Vec::new(), false, None);
    for part in parts {
        match part {
            Part::Body(more, last) => {
                bytes.extend(more);
                end |= last;
            }
            Part::Trailers(map) => trailers = Some(map),
            Part::Headers(..) => {}
        }
    }
    (bytes, end, trailers)
}
