//! What the calls of a filter act on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use wardpoint_core::filter::Direction;

use super::call::{Answered, Calls};
use super::{EPOCH, Map, Properties, Scope, Shared};
use crate::engine::Play;

/// The host as one VM sees it: the stream that is played, and what outlives it.
#[derive(Default)]
pub struct Host {
    pub(super) now: u64,
    pub(super) shared: Rc<RefCell<Shared>>,
    pub(super) tick_period: Option<Duration>,
    pub(super) queues: Vec<u32>,
    pub(super) queued: Vec<u32>,
    pub(super) scope: Scope,
    pub(super) calls: Calls,
    pub(super) stream: StreamState,
    pub(super) reply: Answered,
    pub(super) grpc: Option<Vec<u8>>,
    pub(super) grpc_status: (u32, Vec<u8>),
    pub(super) config: Vec<u8>,
    pub(super) properties: Properties,
    pub(super) filter_state: BTreeMap<String, Vec<u8>>,
    pub(super) faults: Vec<(String, u32)>,
    pub(super) lines: Vec<String>,
}

/// The stream that is played.
#[derive(Default)]
pub(super) struct StreamState {
    pub(super) request: Side,
    pub(super) response: Side,
    /// What the module asked for and Envoy does once the callback has returned.
    pub(super) wishes: Vec<Wish>,
    /// An answer was asked for; a second one is refused.
    pub(super) answered: bool,
    /// No stream is there (before, after): every call on it fails.
    pub(super) alive: bool,
}

/// One direction: maps and buffer, and whether this callback can reach them.
#[derive(Default)]
pub(super) struct Side {
    pub(super) headers: Map,
    pub(super) headers_alive: bool,
    pub(super) trailers: Map,
    pub(super) trailers_alive: bool,
    pub(super) buffer: Vec<u8>,
    pub(super) buffer_alive: bool,
}

/// What is done after the callback.
#[derive(Debug)]
pub(super) enum Wish {
    Answer(LocalAnswer),
    Close,
    Resume(Direction),
}

/// An answer that the proxy makes itself.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalAnswer {
    pub(super) status: u32,
    /// How it came about: the property `response.code_details`.
    pub(super) details: Vec<u8>,
    pub(super) headers: Map,
    pub(super) body: Vec<u8>,
}

/// A header map of the ABI (`proxy_header_map_type_t`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MapKind {
    /// Headers of a direction.
    Headers(Direction),
    /// Trailers of a direction.
    Trailers(Direction),
    /// Headers of a call's answer.
    ReplyHeaders,
    /// Trailers of a call's answer.
    ReplyTrailers,
}

/// A buffer of the ABI (`proxy_buffer_type_t`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BufferKind {
    /// The body of a direction.
    Body(Direction),
    /// The body of a call's answer.
    ReplyBody,
    /// The message of a gRPC call's answer.
    GrpcMessage,
    /// The VM's configuration; always empty.
    VmConfiguration,
    /// The plugin's configuration.
    PluginConfiguration,
}

impl Host {
    /// A host for a VM with this configuration.
    pub fn new(config: &[u8], shared: Rc<RefCell<Shared>>) -> Self {
        Self { now: EPOCH, config: config.to_vec(), shared, ..Self::default() }
    }

    /// Gets ready for an exchange. Time, ticks and what VMs share go on; nothing else does.
    pub fn begin(&mut self, play: &Play, provider: &str) {
        self.scope = Scope::Root;
        self.calls.renew(&play.callouts);
        self.stream = StreamState { alive: true, ..StreamState::default() };
        self.properties = Properties::new(play, provider);
        self.filter_state.clear();
        self.faults.clone_from(&play.faults);
        self.lines.clear();
        self.queued.clear();
    }

    /// What the proxy's VMs share.
    pub fn shared(&self) -> &Rc<RefCell<Shared>> {
        &self.shared
    }

    /// Sets the clock, in nanoseconds since the Unix epoch.
    pub fn set_now(&mut self, now: u64) {
        self.now = now;
    }

    /// The tick period that the VM asked for.
    pub fn tick_period(&self) -> Option<Duration> {
        self.tick_period
    }

    /// Puts all that outlives a stream back to how it was.
    pub fn rewind(&mut self, shared: &Shared, tick_period: Option<Duration>) {
        self.shared.borrow_mut().clone_from(shared);
        self.tick_period = tick_period;
        self.now = EPOCH;
        self.calls = Calls::default();
    }

    /// Number of header pairs that a callback is told.
    pub(crate) fn pairs_count(&mut self, direction: Direction) -> u32 {
        self.side(direction).headers.len() as u32
    }

    /// Number of trailer pairs that a callback is told.
    pub(crate) fn trailers_count(&mut self, direction: Direction) -> u32 {
        self.side(direction).trailers.len() as u32
    }

    /// Lines of the log so far.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(super) fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.stream.request,
            Direction::Response => &mut self.stream.response,
        }
    }
}
