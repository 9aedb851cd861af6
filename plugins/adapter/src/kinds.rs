//! The words of the ABI: statuses, maps, buffers, and what a proxy tells a module.

use wardpoint_core::filter::Flow;

/// What a host said of a call. [`Status::OK`] never is an error value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status(pub u32);

impl Status {
    /// Done.
    pub const OK: Self = Self(0);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(1);
    /// The host cannot say the value (of a property).
    pub const SERIALIZATION_FAILURE: Self = Self(3);
    /// Somebody has written since.
    pub const CAS_MISMATCH: Self = Self(8);
    /// The host has no such call.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// Not from a host: it said that all is well, and what it gave is not what the ABI says.
    pub const MALFORMED: Self = Self(u32::MAX);
}

/// Header maps (`proxy_map_type_t`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Map {
    /// The request's headers.
    RequestHeaders = 0,
    /// The request's trailers.
    RequestTrailers = 1,
    /// The response's headers.
    ResponseHeaders = 2,
    /// The response's trailers.
    ResponseTrailers = 3,
    /// The headers of the answer to an HTTP call.
    CallHeaders = 6,
}

/// Buffers (`proxy_buffer_type_t`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Buffer {
    /// What the proxy holds of the request's body.
    RequestBody = 0,
    /// What the proxy holds of the response's body.
    ResponseBody = 1,
    /// The body of the answer to an HTTP call.
    CallBody = 4,
    /// The message of the answer to a gRPC call.
    GrpcMessage = 5,
    /// The configuration of the plugin.
    Configuration = 7,
}

/// Streams (`proxy_stream_type_t`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Side {
    /// From the client to the upstream.
    Request = 0,
    /// From the upstream to the client.
    Response = 1,
}

/// Log levels (`proxy_log_level_t`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Level {
    /// For people who look.
    Info = 2,
    /// Something to look at.
    Warn = 3,
    /// Something to act on.
    Error = 4,
}

/// An unary gRPC call.
#[derive(Clone, Copy, Debug)]
pub struct Grpc<'a> {
    /// The proxy's name of the upstream cluster.
    pub cluster: &'a [u8],
    /// Full name of the service.
    pub service: &'a [u8],
    /// Name of the method.
    pub method: &'a [u8],
    /// The request message.
    pub message: &'a [u8],
    /// How long to wait.
    pub millis: u32,
}

/// What a proxy tells a module. Contexts are named by the host's numbers; what fits none must fail closed.
pub trait Callbacks {
    /// A new context: a root if `parent` is 0, else an exchange under that root.
    fn on_create(&mut self, id: u32, parent: u32);
    /// The configuration of a root is there, `size` bytes; whether it is good.
    fn on_configure(&mut self, id: u32, size: usize) -> bool;
    /// The tick period of a root has passed.
    fn on_tick(&mut self, id: u32);
    /// Headers.
    fn on_headers(&mut self, id: u32, side: Side, end_of_stream: bool) -> Flow;
    /// Body; the host holds `size` bytes.
    fn on_body(&mut self, id: u32, side: Side, size: usize, end_of_stream: bool) -> Flow;
    /// Trailers.
    fn on_trailers(&mut self, id: u32, side: Side) -> Flow;
    /// The answer to an HTTP call; no headers: there is none.
    fn on_http_reply(&mut self, id: u32, token: u32, headers: usize, body_size: usize);
    /// The message that answers a gRPC call.
    fn on_grpc_message(&mut self, id: u32, token: u32, size: usize);
    /// The gRPC call has ended with this status.
    fn on_grpc_close(&mut self, id: u32, token: u32, status: u32);
    /// The exchange is over; the access log comes next.
    fn on_log(&mut self, id: u32);
    /// The context goes away.
    fn on_delete(&mut self, id: u32);
}
