//! Which callback belongs to which root or exchange. A VM may have several roots: Istio lets all plugins of one module
//! share it.

use std::rc::Rc;

use wardpoint_core::filter::{
    CallId, CalloutError, Direction, Event, Flow, HostCall, OURS, Plugin, Reply, Root, RootOp, TICK_PERIOD,
};
use wardpoint_core::time::Timestamp;

use crate::abi::{self, Buffer, Callbacks, Level, Side};
use crate::calls::{Answer, Kind};
use crate::host::{self, HostServices};
use crate::pairs;
use crate::reads::Reads;
use crate::slots::Slots;
use crate::stream::{Exchange, Moment, Proxy, make};

/// Calls on roots that fail in one callback before no more are made in it.
const FAILURES: usize = 64;

/// All contexts of one VM.
pub struct Vm<P: Plugin> {
    roots: Slots<Option<Rooted<P>>>,
    exchanges: Slots<Exchange<P>>,
    proxy: Proxy,
}

/// A root that has a policy, and how its exchanges read what it declared.
struct Rooted<P: Plugin> {
    root: Root<P>,
    reads: Rc<Reads>,
}

impl<P: Plugin> Default for Vm<P> {
    fn default() -> Self {
        Self { roots: Slots::default(), exchanges: Slots::default(), proxy: Proxy::default() }
    }
}

impl<P: Plugin> Callbacks for Vm<P> {
    fn on_create(&mut self, id: u32, parent: u32) {
        if parent == 0 {
            self.roots.insert(id, None);
        } else if let Some(Some(rooted)) = self.roots.get(parent) {
            self.exchanges.insert(id, Exchange::new(id, parent, rooted.root.stream(), rooted.reads.clone()));
        }
    }

    /// Envoy lets everything pass a worker on which this is refused, also with `FAIL_CLOSED` (test-host/calibration/FINDINGS.md).
    /// So only a configuration with errors is refused, as it is on the main thread before; where the proxy fails, a root
    /// without a policy stays, which lets nothing pass.
    fn on_configure(&mut self, id: u32, size: usize) -> bool {
        let text = match size {
            0 => Vec::new(),
            _ => match abi::buffer(Buffer::Configuration, 0, size) {
                Ok(text) => text,
                Err(status) => return closed::<P>("the configuration cannot be read", status),
            },
        };
        let mut unread = None;
        let root = if P::SECRETS {
            let environment = abi::environment().map_err(|status| unread = Some(status)).unwrap_or_default();
            Root::<P>::equipped(&text, &mut |name| host::variable(&environment, name))
        } else {
            Root::<P>::configure(&text)
        };
        let root = match root {
            Ok(root) => root,
            Err(errors) => {
                for line in errors.to_string().lines() {
                    host::log(Level::Error, line);
                }
                // Then nothing seemed to be set.
                return unread.is_some_and(|status| closed::<P>("the environment cannot be read", status));
            }
        };
        // Without ticks nothing would end what waits.
        if let Err(status) = abi::set_tick_period(u32::try_from(TICK_PERIOD.as_millis()).unwrap_or(u32::MAX)) {
            return closed::<P>("this proxy gives no ticks", status);
        }
        let reads = Rc::new(Reads::new(&root.settings().properties));
        self.roots.insert(id, Some(Rooted { root, reads }));
        true
    }

    fn on_tick(&mut self, id: u32) {
        let Ok(now) = host::now() else { return };
        if let Some(Some(Rooted { root, .. })) = self.roots.get_mut(id) {
            root.on_tick(now, &mut HostServices::<P>::new());
        }
        self.drain_root(id);
        for exchange in self.exchanges.which(|e| e.root() == id && e.wants_tick()) {
            self.visit(exchange, now, |e, at, proxy| e.feed(Event::Tick, at, proxy));
        }
        self.settle(None, now);
        let _back = abi::set_effective_context(id);
    }

    fn on_headers(&mut self, id: u32, side: Side, end_of_stream: bool) -> Flow {
        if side == Side::Response && self.exchanges.get_mut(id).is_some_and(|e| e.pass_response(end_of_stream)) {
            return Flow::Continue;
        }
        self.inside(id, side, |e, at, proxy| e.on_headers(end_of_stream, at, proxy))
    }

    fn on_body(&mut self, id: u32, side: Side, size: usize, end_of_stream: bool) -> Flow {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            if exchange.pass_body(direction(side), end_of_stream) {
                return Flow::Continue;
            }
            if side == Side::Request && !end_of_stream && exchange.gathers(size) {
                return Flow::Pause;
            }
        }
        self.inside(id, side, |e, at, proxy| e.on_body(size, end_of_stream, at, proxy))
    }

    fn on_trailers(&mut self, id: u32, side: Side) -> Flow {
        self.inside(id, side, |e, at, proxy| e.on_trailers(at, proxy))
    }

    fn on_http_reply(&mut self, _id: u32, token: u32, headers: usize, body_size: usize) {
        self.on_reply(Kind::Http, token, || Answer::http(headers, body_size));
    }

    fn on_grpc_message(&mut self, _id: u32, token: u32, size: usize) {
        self.on_reply(Kind::Grpc, token, || Answer::grpc(size));
    }

    fn on_grpc_close(&mut self, _id: u32, token: u32, status: u32) {
        self.on_reply(Kind::Grpc, token, || Answer::grpc_status(status));
    }

    fn on_log(&mut self, id: u32) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.on_end(&mut self.proxy);
        }
    }

    fn on_delete(&mut self, id: u32) {
        self.on_log(id);
        self.proxy.calls.forget(id);
        self.exchanges.remove(id);
        self.roots.remove(id);
    }
}

impl<P: Plugin> Vm<P> {
    /// Runs the callback of one direction of an exchange.
    fn inside(&mut self, id: u32, side: Side, tell: impl FnOnce(&mut Exchange<P>, Moment, &mut Proxy) -> Flow) -> Flow {
        let Some(exchange) = self.exchanges.get_mut(id) else { return refuse() };
        let (running, inside) = (direction(side), Some(direction(side)));
        let (now, mut flow) = match host::now() {
            Ok(now) => (now, tell(exchange, Moment { now, inside }, &mut self.proxy)),
            // Without a clock nothing can be decided.
            Err(_) => {
                let now = Timestamp::default();
                (now, exchange.feed(Event::Failed(HostCall::Read(running)), Moment { now, inside }, &mut self.proxy))
            }
        };
        if let Some(settled) = self.settle(Some((id, inside)), now) {
            flow = settled;
        }
        flow
    }

    /// Visits an exchange from elsewhere. If the proxy cannot turn to it, nothing is done: it stays as it is, paused.
    fn visit(&mut self, id: u32, now: Timestamp, tell: impl FnOnce(&mut Exchange<P>, Moment, &mut Proxy) -> Flow) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if abi::set_effective_context(id).is_ok() {
            let _paused = tell(exchange, Moment { now, inside: None }, &mut self.proxy);
        }
    }

    /// The answer to a call, which is over now. Nobody waits for it: ignored.
    fn on_reply(&mut self, kind: Kind, token: u32, read: impl FnOnce() -> Result<Answer, CalloutError>) {
        if !P::CALLS {
            return;
        }
        let Some(pending) = self.proxy.calls.take(kind, token) else { return };
        let (now, answer) = match host::now() {
            Ok(now) => (now, read()),
            Err(_) => (Timestamp::default(), Err(CalloutError::NoReply)),
        };
        let reply = answer.as_ref().map(Answer::reply).map_err(|error| *error);
        if self.roots.get(pending.context).is_some() {
            self.share(pending.context, pending.call, reply, now, None);
        } else {
            self.visit(pending.context, now, |e, at, proxy| e.feed(Event::CalloutReply(pending.call, reply), at, proxy));
        }
        self.settle(None, now);
        let _back = abi::set_effective_context(pending.context);
    }

    /// Gives an answer to the root that asked, and to all exchanges that wait for it. The flow is that of the exchange
    /// whose callback is running, if it was one of them.
    fn share(
        &mut self,
        root: u32,
        call: CallId,
        reply: Result<Reply<'_>, CalloutError>,
        now: Timestamp,
        running: Option<(u32, Option<Direction>)>,
    ) -> Option<Flow> {
        if let Some(Some(rooted)) = self.roots.get_mut(root) {
            rooted.root.on_reply(call, now, reply, &mut HostServices::<P>::new());
        }
        self.drain_root(root);
        let waiting = self.exchanges.which(|e| e.root() == root && e.awaits(call));
        let mut flow = None;
        for id in waiting {
            match running {
                Some((current, inside)) if current == id => {
                    let Some(exchange) = self.exchanges.get_mut(id) else { continue };
                    let turned = abi::set_effective_context(id).is_ok();
                    let event = if turned { Event::CalloutReply(call, reply) } else { Event::Failed(HostCall::Resume) };
                    flow = Some(exchange.feed(event, Moment { now, inside }, &mut self.proxy));
                }
                _ => self.visit(id, now, |e, at, proxy| e.feed(Event::CalloutReply(call, reply), at, proxy)),
            }
        }
        flow
    }

    /// Tells of calls on roots that could not be made, until there are none. Leaves the running exchange effective.
    fn settle(&mut self, running: Option<(u32, Option<Direction>)>, now: Timestamp) -> Option<Flow> {
        let mut flow = None;
        let mut failures = 0;
        while let Some((root, call)) = self.proxy.not_made.pop() {
            failures += 1;
            if failures > FAILURES {
                self.proxy.not_made.clear();
                break;
            }
            flow = self.share(root, call, Err(CalloutError::NotDispatched), now, running).or(flow);
        }
        if let (Some((id, _)), 1..) = (running, failures) {
            let _back = abi::set_effective_context(id);
        }
        flow
    }

    fn drain_root(&mut self, id: u32) {
        let Some(Some(Rooted { root, .. })) = self.roots.get_mut(id) else { return };
        while let Some(op) = root.poll_op() {
            match op {
                RootOp::CallOut(call, callout) => {
                    let made = abi::set_effective_context(id).and_then(|()| make::<P>(&mut self.proxy.calls, id, call, &callout));
                    if made.is_err() {
                        self.proxy.not_made.push((id, call));
                    }
                }
                RootOp::Count(counter, by) => self.proxy.counters.add(counter, by),
                RootOp::Warn(text) => host::log(Level::Warn, &format!("{}: {text}", P::NAME)),
            }
        }
    }
}

/// Says why nothing will pass.
fn closed<P: Plugin>(why: &str, status: abi::Status) -> bool {
    host::log(Level::Error, &format!("{}: {why}: status {}. Every request is refused", P::NAME, status.0));
    true
}

/// An exchange that was never made, or of a root without a policy: nothing of it passes.
fn refuse() -> Flow {
    let _answered = abi::respond(500, OURS.as_bytes(), &pairs::encode([]), b"");
    Flow::Pause
}

fn direction(side: Side) -> Direction {
    match side {
        Side::Request => Direction::Request,
        Side::Response => Direction::Response,
    }
}
