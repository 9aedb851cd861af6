//! Calls of services, and what comes back.

use wardpoint_core::filter::Callout;
use wardpoint_core::http::Headers;

use crate::host::{BufferKind, Came, Host, Map, MapKind, Request, Status};

pub(super) fn read_answer(host: &mut Host, came: Came) -> Option<(u16, Headers, Vec<u8>)> {
    match came {
        Came::Http { headers: 0, .. } => None,
        Came::Http { body: size, .. } => {
            let headers: Headers = host.pairs(MapKind::ReplyHeaders).ok()?.iter().collect();
            let status = headers.status()?;
            Some((status, headers, read_reply_body(host, BufferKind::ReplyBody, size)?))
        }
        Came::GrpcMessage(size) => Some((0, Headers::new(), read_reply_body(host, BufferKind::GrpcMessage, size)?)),
        Came::GrpcStatus(code) => Some((u16::try_from(code).ok()?, Headers::new(), Vec::new())),
    }
}

/// Largest answer that is read; a larger one counts as none.
const REPLY_LIMIT: usize = 1 << 20;

fn read_reply_body(host: &mut Host, kind: BufferKind, size: usize) -> Option<Vec<u8>> {
    match size {
        0 => Some(Vec::new()),
        1..=REPLY_LIMIT => host.buffer(kind, 0, size).ok().map(<[u8]>::to_vec),
        _ => None,
    }
}

pub(super) fn dispatch(host: &mut Host, callout: &Callout) -> Result<u32, Status> {
    match callout {
        Callout::Http(call) => {
            let headers: Map = call.headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone())).collect();
            host.call(call.cluster.as_bytes(), &Request::Http(headers, &call.body), call.timeout)
        }
        Callout::Grpc(call) => {
            let request = Request::Grpc(call.service.as_bytes(), call.method.as_bytes(), Map::default(), &call.message);
            host.call(call.cluster.as_bytes(), &request, call.timeout)
        }
    }
}
