//! Callbacks, and what they ask for.

use wardpoint_core::filter::Direction::{self, Request, Response};

use super::{Exchange, Flow, Happening, nanos};
use crate::host::call::Arrival;
use crate::host::state::Wish;
use crate::host::{Action, Came, FilterEnd, Host, Scope, Trap};

/// In which callback something is asked for, where that makes a difference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum At {
    Headers(Direction),
    Elsewhere,
}

impl Exchange<'_> {
    /// Calls come back on the root, also when their stream has gone.
    pub(super) fn reply(&mut self, token: u32) {
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
    pub(super) fn ask(
        &mut self,
        direction: Direction,
        at: At,
        callback: impl FnOnce(&mut dyn FilterEnd, &mut Host) -> Result<Action, Trap>,
    ) -> Option<Action> {
        let action = self.make(Scope::Stream, callback)?;
        // A resume from a callback that then pauses is lost.
        self.grant(if action == Action::Continue { at } else { At::Elsewhere });
        (!self.over && self.path(direction).flow != Flow::Cut).then_some(action)
    }

    /// A callback, and then what it asked for.
    pub(super) fn call<T>(
        &mut self,
        scope: Scope,
        callback: impl FnOnce(&mut dyn FilterEnd, &mut Host) -> Result<T, Trap>,
    ) -> Option<T> {
        let answer = self.make(scope, callback)?;
        self.grant(At::Elsewhere);
        Some(answer)
    }

    fn make<T>(&mut self, scope: Scope, callback: impl FnOnce(&mut dyn FilterEnd, &mut Host) -> Result<T, Trap>) -> Option<T> {
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
            Ok(answer) => Some(answer),
            Err(Trap(text)) => {
                self.trapped = Some(text);
                self.host.stream.wishes.clear();
                self.fail_closed();
                None
            }
        }
    }

    fn grant(&mut self, at: At) {
        let unsent = self.request.flow != Flow::Cut && (self.request.flow != Flow::Going || !self.request.headers_gone);
        for wish in std::mem::take(&mut self.host.stream.wishes) {
            match wish {
                Wish::Resume(Request) if self.own_answer && unsent => self.leak(),
                _ if self.over => {}
                Wish::Answer(answer) => self.answer(answer),
                Wish::Close => self.cut_off(),
                Wish::Resume(Response) if !self.response.began => self.crash(),
                Wish::Resume(direction) if at == At::Headers(direction) => self.resume_too_early(direction),
                Wish::Resume(direction) => self.resume(direction),
            }
        }
        self.tell_queues();
    }

    fn tell_queues(&mut self) {
        for queue in std::mem::take(&mut self.host.queued) {
            if self.host.queues.contains(&queue) {
                self.call(Scope::Root, |filter, host| filter.on_queue_ready(host, queue));
            }
        }
    }
}
