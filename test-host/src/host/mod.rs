//! One strict model of one HTTP exchange in Envoy around one Wasm filter.
//!
//! It is the same whoever drives the filter: an engine brings a [`FilterEnd`], the model tells it what happens, and the filter
//! reaches the proxy only through the calls of [`Host`]. Every row of `envoy-istio` 4.3 and 4.4 is a row of this model; the
//! tests (`tests/host_*.rs`) cite them.

mod call;
mod exchange;
mod foreign;
mod map;
mod property;
mod report;
mod schedule;
mod shared;
mod state;
mod status;
mod surface;

pub use call::{Calls, Request};
pub use exchange::chain::{End, play_chain};
pub use exchange::{grown, play, play_all};
pub use map::{Map, write_block};
pub use property::{Properties, provider};
pub use shared::Shared;
pub use state::{BufferKind, Host, MapKind};
pub use status::Status;
pub use wardpoint_core::filter::Direction;

/// When the virtual clock starts: 2026-11-21T09:00:00Z, in nanoseconds since the Unix epoch.
pub const EPOCH: u64 = 1_795_251_600_000_000_000;

/// What an engine brings: the filter's end of the ABI. A trap ends the VM.
pub trait FilterEnd {
    /// A stream is there; nothing of it has been seen, and nothing may ever be.
    fn on_begin(&mut self, _: &mut Host) -> Result<(), Trap> {
        Ok(())
    }

    /// Headers are there: [`Host::pairs`].
    fn on_headers(&mut self, host: &mut Host, direction: Direction, end_of_stream: bool) -> Result<Action, Trap>;

    /// A part of the body is there, or, while it is held, `size` bytes altogether: [`Host::buffer`].
    fn on_body(&mut self, host: &mut Host, direction: Direction, size: usize, end_of_stream: bool) -> Result<Action, Trap>;

    /// Trailers are there; they end the body.
    fn on_trailers(&mut self, host: &mut Host, direction: Direction) -> Result<Action, Trap>;

    /// A call of `scope` came back.
    fn on_reply(&mut self, host: &mut Host, scope: Scope, token: u32, reply: Came) -> Result<(), Trap>;

    /// The tick period has passed.
    fn on_tick(&mut self, host: &mut Host) -> Result<(), Trap>;

    /// Something was put into a queue that this VM has registered.
    fn on_queue_ready(&mut self, host: &mut Host, queue: u32) -> Result<(), Trap>;

    /// The stream is over, however it ended.
    fn on_end(&mut self, host: &mut Host) -> Result<(), Trap>;
}

/// What a callback answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Go on with what you hold.
    Continue,
    /// Keep it.
    Pause,
}

/// How a call came back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Came {
    /// An HTTP answer; all zero: the call was reset.
    Http {
        /// Number of header pairs.
        headers: usize,
        /// Size of the body.
        body: usize,
        /// Number of trailer pairs.
        trailers: usize,
    },
    /// The message of a unary gRPC call with status 0, of this size.
    GrpcMessage(usize),
    /// A gRPC status that is not 0.
    GrpcStatus(u32),
}

/// Whose a host call is: ABI contexts are the root of the VM or a stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Scope {
    /// The VM's root context.
    #[default]
    Root,
    /// The stream that is played.
    Stream,
}

/// The VM is dead; what it said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trap(pub String);

/// What Envoy may do either way; each is fixed by calibration with the real one.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// The end of a body comes as an extra call without bytes (as with HTTP/1 chunked), or with the last bytes.
    pub extra_end: bool,
    /// An answer that is made before there is any response passes the own filter's response callbacks.
    pub own_answer_comes_by: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self { extra_end: true, own_answer_comes_by: true }
    }
}
