//! What the filter is shown of a message, and what becomes of it by what it answers.

use wardpoint_core::filter::Direction::{self, Request};

use super::callback::At;
use super::{BUFFER_LIMIT, Exchange, Flow, Part};
use crate::host::state::Side;
use crate::host::{Action, Map};

impl Exchange<'_> {
    pub(super) fn part(&mut self, direction: Direction, part: Part) {
        match (self.path(direction).flow, part) {
            (Flow::Cut, _) => {}
            (Flow::AllHeld, part) => self.path(direction).waiting.push(part),
            (_, Part::Headers(map, end)) => self.headers(direction, map, end),
            (_, Part::Body(bytes, end)) => self.body(direction, bytes, end),
            (_, Part::Trailers(map)) => self.trailers(direction, map),
        }
    }

    pub(super) fn headers(&mut self, direction: Direction, map: Map, end: bool) {
        let path = self.path(direction);
        (path.began, path.ended) = (true, end);
        *self.host.side(direction) = Side { headers: map, headers_alive: true, ..Side::default() };
        match self.ask(direction, At::Headers(direction), |filter, host| filter.on_headers(host, direction, end)) {
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
            // A request's part that goes over the limit is still shown; a response's is not.
            if side.buffer.len() > limit && direction != Request {
                return self.too_large(direction);
            }
        } else {
            side.buffer = bytes;
        }
        side.buffer_alive = true;
        let size = side.buffer.len();
        self.path(direction).ended |= end;
        let told = self.ask(direction, At::Elsewhere, |filter, host| filter.on_body(host, direction, size, end));
        let Some(action) = told else { return };
        let grown = self.host.side(direction).buffer.len() > limit;
        match action {
            // What was held already is Envoy's own buffer: that it is over the limit counts whatever the filter says.
            _ if held && (grown || size > limit) => self.too_large(direction),
            Action::Pause if grown => self.too_large(direction),
            Action::Continue => self.pass_all(direction),
            Action::Pause => self.path(direction).flow = Flow::BodyHeld,
        }
    }

    fn trailers(&mut self, direction: Direction, map: Map) {
        let held = self.path(direction).flow == Flow::BodyHeld;
        let side = self.host.side(direction);
        (side.trailers, side.trailers_alive, side.buffer_alive) = (map, true, held);
        match self.ask(direction, At::Elsewhere, |filter, host| filter.on_trailers(host, direction)) {
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
}
