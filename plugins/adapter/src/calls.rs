//! Callouts: made, and matched with their answers.

use wardpoint_core::filter::{CallId, Callout, CalloutError, Reply};
use wardpoint_core::http::Headers;
use wardpoint_core::time::Duration;

use crate::abi::{self, Buffer, Grpc, Map, Status};
use crate::pairs;
use crate::slots::Slots;

/// Largest answer that is read; a larger one counts as none.
const REPLY_LIMIT: usize = 1 << 20;

/// Calls whose answer is still to come.
#[derive(Default)]
pub(crate) struct Calls {
    grpc: Slots<Pending>,
    http: Slots<Pending>,
}

/// The token spaces of a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Grpc,
    Http,
}

/// A call under way: the context that made it, and its name in the core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) context: u32,
    pub(crate) call: CallId,
}

/// An answer that was read.
pub(crate) struct Answer {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
}

impl Calls {
    /// Makes a call in the name of `context`, which must be the effective one.
    pub(crate) fn make(&mut self, context: u32, call: CallId, callout: &Callout) -> Result<(), Status> {
        let (kind, token) = match callout {
            Callout::Grpc(grpc) => {
                let call = Grpc {
                    cluster: grpc.cluster.as_bytes(),
                    service: grpc.service.as_bytes(),
                    method: grpc.method.as_bytes(),
                    message: &grpc.message,
                    millis: millis(grpc.timeout),
                };
                (Kind::Grpc, abi::grpc_call(call)?)
            }
            Callout::Http(http) => {
                let headers = pairs::encode(http.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
                (Kind::Http, abi::http_call(http.cluster.as_bytes(), &headers, &http.body, millis(http.timeout))?)
            }
        };
        self.of(kind).insert(token, Pending { context, call });
        Ok(())
    }

    /// The call that a token names; it is over. `None`: nobody waits for it.
    pub(crate) fn take(&mut self, kind: Kind, token: u32) -> Option<Pending> {
        self.of(kind).remove(token)
    }

    /// Calls die with the context that made them.
    pub(crate) fn forget(&mut self, context: u32) {
        for calls in [&mut self.grpc, &mut self.http] {
            for token in calls.which(|pending| pending.context == context) {
                calls.remove(token);
            }
        }
    }

    fn of(&mut self, kind: Kind) -> &mut Slots<Pending> {
        match kind {
            Kind::Grpc => &mut self.grpc,
            Kind::Http => &mut self.http,
        }
    }
}

impl Answer {
    /// Reads the answer to an HTTP call. No headers: the call was reset.
    pub(crate) fn http(headers: usize, size: usize) -> Result<Self, CalloutError> {
        if headers == 0 {
            return Err(CalloutError::NoReply);
        }
        let block = abi::map(Map::CallHeaders).map_err(|_| CalloutError::NoReply)?;
        let headers = pairs::parse(block).map_err(|_| CalloutError::NoReply)?;
        let status = headers.status().ok_or(CalloutError::NoReply)?;
        Ok(Self { status, headers, body: body(Buffer::CallBody, size)? })
    }

    /// Reads the message that answers a gRPC call; its status is 0.
    pub(crate) fn grpc(size: usize) -> Result<Self, CalloutError> {
        Ok(Self { status: 0, headers: Headers::new(), body: body(Buffer::GrpcMessage, size)? })
    }

    /// A gRPC call that ended without a message. With status 0 that is no answer.
    pub(crate) fn grpc_status(status: u32) -> Result<Self, CalloutError> {
        match u16::try_from(status) {
            Ok(status @ 1..) => Ok(Self { status, headers: Headers::new(), body: Vec::new() }),
            _ => Err(CalloutError::NoReply),
        }
    }

    pub(crate) fn reply(&self) -> Reply<'_> {
        Reply { status: self.status, headers: &self.headers, body: &self.body }
    }
}

fn body(buffer: Buffer, size: usize) -> Result<Vec<u8>, CalloutError> {
    match size {
        0 => Ok(Vec::new()),
        1..=REPLY_LIMIT => {
            let bytes = abi::buffer(buffer, 0, size).map_err(|_| CalloutError::NoReply)?;
            if bytes.len() == size { Ok(bytes) } else { Err(CalloutError::NoReply) }
        }
        _ => Err(CalloutError::NoReply),
    }
}

/// Zero would mean "no limit" to a host.
fn millis(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1)
}
