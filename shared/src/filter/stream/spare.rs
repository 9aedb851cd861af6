//! What a driver need not read or show: most of the traffic.

use super::super::Filter;
use super::super::event::Direction;
use super::Stream;

impl<F: Filter> Stream<F> {
    /// Whether body bytes of this direction need to be read at all.
    pub fn wants_body(&self, direction: Direction) -> bool {
        let side = self.exchange.side_ref(direction);
        self.closed.is_none() && !side.skips_body && !side.swallows
    }

    /// Whether the headers of the answer need to be read at all. If not, [`ResponseHeaders`](super::super::Event::ResponseHeaders) may come with none.
    pub fn wants_response_headers(&self) -> bool {
        self.closed.is_none() && !(self.exchange.skips_response && self.exchange.decided)
    }

    /// Takes the headers of an answer that nobody wants to see. `false`: they are an event like any other.
    pub fn pass_response(&mut self, end_of_stream: bool) -> bool {
        let decided = self.is_settled();
        let plain = decided && self.exchange.skips_response && !self.exchange.response.begun;
        if plain {
            let side = &mut self.exchange.response;
            (side.begun, side.ended, side.headers_gone, side.skips_body) = (true, end_of_stream, true, true);
        }
        plain
    }

    /// Takes a part of a body that nothing depends on: not the filter, no wait and no hold. `false`: it is an event like
    /// any other. Saves a driver the clock and the reading for what is most of the traffic.
    pub fn pass_body(&mut self, direction: Direction, end_of_stream: bool) -> bool {
        let decided = self.is_settled();
        let side = self.exchange.side(direction);
        let plain =
            decided && side.skips_body && side.begun && side.headers_gone && !(side.ended || side.swallows || side.holding);
        if plain {
            side.ended = end_of_stream;
            side.bytes_gone = true;
            side.replaced = None;
        }
        plain
    }

    /// Takes a part of the request's body that the filter would only keep, so many bytes that were not shown and do not end it: they
    /// stay in the proxy, and are shown with what comes behind them. `false`: it is an event like any other.
    pub fn gathers(&mut self, bytes: usize) -> bool {
        let side = &mut self.exchange.request;
        let plain = self.closed.is_none()
            && self.waiting.is_none()
            && !(self.exchange.broken || side.ended || side.swallows || side.skips_body)
            && side.begun
            && self.filter.gathers(bytes);
        if plain {
            side.holding = true;
            self.prove_hold();
        }
        plain
    }

    /// Whether it was decided, and nothing is waited for or held.
    fn is_settled(&self) -> bool {
        self.exchange.decided && self.closed.is_none() && self.waiting.is_none() && self.held_since.is_none()
    }
}
