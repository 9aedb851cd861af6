//! How a step becomes what the proxy is to do, and what happens when it cannot.

use super::super::Filter;
use super::super::effects::Effects;
use super::super::event::Direction;
use super::super::services::Services;
use super::super::step::{Flow, LocalResponse, Op, Step};
use super::super::trail::Sink;
use super::{AWAIT_LIMIT, Closed, Place, Stream, Waiting};
use crate::policy::{Reason, Wire};
use crate::time::Timestamp;

impl<F: Filter> Stream<F> {
    pub(super) fn apply(
        &mut self,
        step: Step,
        direction: Direction,
        place: Place,
        now: Timestamp,
        services: &mut dyn Services,
    ) -> Flow {
        if self.exchange.broken {
            return self.refuse(direction, Reason::Internal, now, services);
        }
        let waits = self.waiting.is_some();
        match (step, place) {
            (Step::Respond(response), _) => self.respond(response, direction, place),
            (Step::Reset, _) => {
                self.ops.push_back(Op::Reset);
                self.close(Closed::Dead)
            }
            (Step::CallOut(_) | Step::Await(_), _) if waits => self.refuse(direction, Reason::Internal, now, services),
            (Step::CallOut(callout), _) => {
                let call = self.ids.next();
                self.ops.push_back(Op::CallOut(call, callout));
                self.waiting = Some(Waiting { call, direction, until: None, own: true });
                self.keep(direction, place)
            }
            (Step::Await(call), _) => {
                self.waiting = Some(Waiting { call, direction, until: Some(now + AWAIT_LIMIT), own: false });
                self.keep(direction, place)
            }
            (Step::Continue | Step::Hold, Place::Body { .. }) if waits => self.keep(direction, place),
            (Step::Continue, Place::Headers { last } | Place::Body { last, .. }) => {
                if let Place::Body { trailers: true, .. } = place
                    && self.exchange.side(direction).replaced == Some(true)
                    && !self.exchange.side(direction).holding
                {
                    // The host holds nothing that could be replaced: what was kept back cannot be sent.
                    self.effects(direction, false, now, services).count("lost_at_trailers");
                    self.ops.retain(|op| !matches!(op, Op::ReplaceBody(..)));
                    self.ops.push_back(Op::Reset);
                    return self.close(Closed::Dead);
                }
                self.pass(direction, last, now, services)
            }
            (Step::Continue, Place::Reply { synchronous }) => {
                let last = self.exchange.side(direction).ended;
                let flow = self.pass(direction, last, now, services);
                if flow == Flow::Continue && !synchronous {
                    self.ops.push_back(Op::Resume(direction));
                }
                flow
            }
            (Step::Hold, Place::Headers { last: true } | Place::Body { last: true, .. }) => {
                self.refuse(direction, Reason::Internal, now, services)
            }
            (Step::Hold, Place::Headers { .. }) if self.exchange.settings.host.hold_headers => {
                if direction == Direction::Request {
                    self.held_since = Some(now);
                }
                Flow::Pause
            }
            (Step::Hold, Place::Headers { .. }) => {
                self.let_headers_go(direction);
                Flow::Continue
            }
            (Step::Hold, Place::Body { .. }) => self.keep(direction, place),
            (Step::Hold, Place::Reply { .. }) if self.exchange.side(direction).ended => {
                self.refuse(direction, Reason::Internal, now, services)
            }
            (Step::Hold, Place::Reply { synchronous }) => {
                let holds_headers = self.exchange.settings.host.hold_headers;
                let side = self.exchange.side(direction);
                if side.headers_gone || side.holding || holds_headers {
                    return Flow::Pause;
                }
                // The call was made with the headers, which cannot be held: they go on, the body is the gate.
                self.let_headers_go(direction);
                if !synchronous {
                    self.ops.push_back(Op::Resume(direction));
                }
                Flow::Continue
            }
        }
    }

    /// Lets go what the proxy holds, if it may.
    pub(super) fn pass(&mut self, direction: Direction, last: bool, now: Timestamp, services: &mut dyn Services) -> Flow {
        if direction == Direction::Request && last && !self.exchange.decided {
            return self.refuse(direction, Reason::Undecided, now, services);
        }
        let side = self.exchange.side(direction);
        side.bytes_gone |= side.begun && side.headers_gone && side.replaced != Some(false);
        side.holding = false;
        self.let_headers_go(direction);
        Flow::Continue
    }

    /// Carries out an [`Op::Mark`].
    pub fn mark(&self, sink: &mut dyn Sink) {
        self.trail.mark(&self.exchange.settings.audit, sink);
    }

    fn let_headers_go(&mut self, direction: Direction) {
        let unjudged = direction == Direction::Request && !self.exchange.decided;
        let side = self.exchange.side(direction);
        if unjudged && !side.headers_gone {
            self.ops.push_back(Op::Mark);
        }
        side.headers_gone = true;
    }

    pub(super) fn keep(&mut self, direction: Direction, place: Place) -> Flow {
        if let Place::Body { .. } = place {
            self.exchange.side(direction).holding = true;
        }
        Flow::Pause
    }

    /// Fails closed for a reason that is not the policy's.
    pub(super) fn refuse(&mut self, direction: Direction, reason: Reason, now: Timestamp, services: &mut dyn Services) -> Flow {
        self.ops.retain(|op| matches!(op, Op::Audit(_) | Op::Count(..)));
        let response = self.effects(direction, false, now, services).fail(reason);
        self.respond(response, direction, Place::Body { last: false, trailers: false })
    }

    pub(super) fn respond(&mut self, response: LocalResponse, direction: Direction, place: Place) -> Flow {
        let released = self.released_events();
        // Whatever else the filter wanted changed goes nowhere now.
        self.ops.retain(|op| matches!(op, Op::Audit(_) | Op::Count(..) | Op::CallOutShared(..)));
        self.waiting = None;
        let side = &mut self.exchange.response;
        if direction == Direction::Request || !side.headers_gone {
            if self.exchange.response.headers_gone {
                self.ops.push_back(Op::Reset);
                return self.close(Closed::Dead);
            }
            self.ops.push_back(Op::Respond(response.into_answer()));
            return self.close(Closed::Answered);
        }
        if side.edits_body && (!side.bytes_gone || released.is_some()) && matches!(place, Place::Body { .. }) {
            // The status has left; the protocol's own error takes the place of the body, or of the rest of its events.
            side.swallows = true;
            let mut body = released.unwrap_or_default();
            body.extend(response.into_answer().body);
            self.ops.push_back(Op::ReplaceBody(Direction::Response, body));
            return Flow::Continue;
        }
        self.ops.push_back(Op::Reset);
        self.close(Closed::Dead)
    }

    /// Where the answer is a stream of events: those of this chunk that the filter has let go, before the error.
    fn released_events(&mut self) -> Option<Vec<u8>> {
        if !matches!(self.exchange.wire, Wire::Events(_)) {
            return None;
        }
        let released = self.ops.iter_mut().find_map(|op| match op {
            Op::ReplaceBody(Direction::Response, bytes) => Some(core::mem::take(bytes)),
            _ => None,
        });
        Some(released.unwrap_or_default())
    }

    pub(super) fn close(&mut self, closed: Closed) -> Flow {
        self.closed = Some(closed);
        self.waiting = None;
        self.held_since = None;
        Flow::Pause
    }

    pub(super) fn effects<'a>(
        &'a mut self,
        direction: Direction,
        headers_editable: bool,
        now: Timestamp,
        services: &'a mut dyn Services,
    ) -> Effects<'a> {
        Effects { exchange: &mut self.exchange, ops: &mut self.ops, services, ids: &self.ids, now, direction, headers_editable }
    }
}
