//! What the proxy tells.

use super::step::CallId;
use crate::http::{Headers, Part};

/// One thing that happened. See [`super::Stream::handle`].
#[derive(Debug)]
pub enum Event<'a> {
    /// The answer to a call, or why there is none.
    CalloutReply(CallId, Result<Reply<'a>, CalloutError>),
    /// The exchange is over, however it ended.
    End,
    /// An op could not be carried out.
    Failed(HostCall),
    /// The next part of the request's body.
    RequestBody(Chunk<'a>),
    /// The request's headers.
    RequestHeaders(Head<'a>),
    /// The next part of the response's body.
    ResponseBody(Chunk<'a>),
    /// The response's headers.
    ResponseHeaders(Head<'a>),
    /// Some time has passed.
    Tick,
    /// Trailers: they end the body of that direction.
    Trailers(Direction),
}

/// The property in which Envoy says how an answer came about.
pub const DETAILS: [&str; 2] = ["response", "code_details"];

/// What stands in [`DETAILS`] of the answers that our plugins make. An upstream cannot write there.
pub const OURS: &str = "wardpoint";

/// A header block, host properties, and whether that is all.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The headers, pseudo headers included.
    pub headers: &'a Headers,
    /// With a request those that the plugin declared; with a response that comes before the decision [`DETAILS`], else none.
    pub properties: Properties<'a>,
    /// No body and no trailers follow.
    pub end_of_stream: bool,
}

/// A part of a body.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Bytes that were not shown before.
    pub bytes: &'a [u8],
    /// The last part. Trailers count as an empty last part.
    pub end_of_stream: bool,
}

/// Values of the declared host properties, in the order of [`super::Settings::properties`].
#[derive(Clone, Copy, Debug)]
pub struct Properties<'a>(Given<'a>);

#[derive(Clone, Copy, Debug)]
enum Given<'a> {
    Each(&'a [Result<Option<Vec<u8>>, PropertyError>]),
    Inside(&'a Values),
}

/// Values that stand where the host has put them, several in one text.
#[derive(Debug, Default)]
pub struct Values {
    /// What the host gave.
    pub texts: Vec<Vec<u8>>,
    /// Of each value the number of its text, and where it stands there.
    pub places: Vec<Result<Option<(usize, Part)>, PropertyError>>,
}

impl Default for Properties<'_> {
    fn default() -> Self {
        Self::new(&[])
    }
}

/// The host has the property, but cannot say it (a null claim in a map makes Envoy do that).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PropertyError;

/// The answer to a call.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// HTTP status, or the gRPC status of a gRPC call.
    pub status: u16,
    /// Header pairs; empty for gRPC.
    pub headers: &'a Headers,
    /// The body, or the response message.
    pub body: &'a [u8],
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CalloutError {
    /// The host reset the call, or its answer broke a limit of the host.
    NoReply,
    /// The host refused to make the call: unknown cluster, bad request, host out of order.
    NotDispatched,
    /// The time that the call names has passed.
    TimedOut,
}

/// The two directions of an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream to the client.
    Response,
}

/// A kind of op that a host may fail to carry out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostCall {
    /// Reading a body, or the headers, or the clock meanwhile; the policy did not see what it must see.
    Read(Direction),
    /// Replacing a body.
    ReplaceBody,
    /// Ending the stream.
    Reset,
    /// Answering.
    Respond,
    /// Resuming a paused stream.
    Resume,
    /// Editing headers.
    SetHeader,
}

impl<'a> Properties<'a> {
    /// The values in declared order.
    pub const fn new(values: &'a [Result<Option<Vec<u8>>, PropertyError>]) -> Self {
        Self(Given::Each(values))
    }

    /// The values in declared order.
    pub const fn inside(values: &'a Values) -> Self {
        Self(Given::Inside(values))
    }

    /// The value at `index`. Absent and undeclared are both `None`.
    pub fn get(&self, index: usize) -> Result<Option<&'a [u8]>, PropertyError> {
        match self.0 {
            Given::Each(values) => match values.get(index) {
                None | Some(Ok(None)) => Ok(None),
                Some(Ok(Some(value))) => Ok(Some(value)),
                Some(Err(error)) => Err(*error),
            },
            Given::Inside(values) => match values.places.get(index) {
                None | Some(Ok(None)) => Ok(None),
                Some(Ok(Some((text, place)))) => values.texts.get(*text).map(|text| Some(place.of(text))).ok_or(PropertyError),
                Some(Err(error)) => Err(*error),
            },
        }
    }
}
