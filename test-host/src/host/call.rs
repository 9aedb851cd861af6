//! Callouts: what was dispatched, and with what answer it will come back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Map, Scope, Status};
use crate::engine::{CalloutScript, Callouts, Sent};
use crate::transcript::Called;

/// The callouts of one proxy, scripted.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    scripts: Callouts,
    last: u32,
    open: BTreeMap<u32, Call>,
    dispatched: Vec<(u32, Duration)>,
    pub(super) seen: Vec<Called>,
}

/// A call in flight.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) scope: Scope,
    pub(super) arrival: Arrival,
}

/// What comes back.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    Http(Answered),
    /// A message that came with status 0; the host makes no call of `on_grpc_close` then.
    GrpcMessage(Vec<u8>),
    /// A status that is not 0, and its text.
    GrpcStatus(u32, Vec<u8>),
}

/// An HTTP answer. Without any header: the call was reset (`envoy-istio` 4.4).
#[derive(Clone, Debug, Default)]
pub(super) struct Answered {
    pub(super) headers: Map,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Map,
}

/// A call as a module asks for it.
#[derive(Clone, Debug)]
pub enum Request<'a> {
    /// An HTTP call: headers, body.
    Http(Map, &'a [u8]),
    /// A unary gRPC call: service, method, initial metadata, message.
    Grpc(&'a [u8], &'a [u8], Map, &'a [u8]),
}

// gRPC status codes (github.com/grpc/grpc, doc/statuscodes.md).
const UNKNOWN: u32 = 2;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

impl Calls {
    pub(super) fn new(scripts: &Callouts) -> Self {
        Self { scripts: scripts.clone(), ..Self::default() }
    }

    /// A new exchange on a VM that has made calls before: tokens go on, all else begins anew.
    pub(super) fn renew(&mut self, scripts: &Callouts) {
        *self = Self { last: self.last, ..Self::new(scripts) };
    }

    /// Makes a call. A call that no script is left for finds nobody listening.
    pub(super) fn dispatch(
        &mut self,
        scope: Scope,
        cluster: &[u8],
        request: &Request<'_>,
        timeout: Duration,
    ) -> Result<u32, Status> {
        if let Request::Http(headers, _) = request
            && [":method", ":path", ":authority"].iter().any(|name| headers.first(name.as_bytes()).is_none())
        {
            return Err(Status::BAD_ARGUMENT);
        }
        let script = self.scripts.next(&String::from_utf8_lossy(cluster));
        if let Some(CalloutScript::NoCluster) = script {
            return Err(Status::BAD_ARGUMENT);
        }
        self.seen.push(called(cluster, request));
        let limit = (!timeout.is_zero()).then_some(timeout);
        let (arrival, after) = arrival(matches!(request, Request::Grpc(..)), script, limit);
        self.last += 1;
        self.open.insert(self.last, Call { scope, arrival });
        if let Some(after) = after {
            self.dispatched.push((self.last, after));
        }
        Ok(self.last)
    }

    /// Calls made since this was last asked, and after what time each comes back.
    pub(super) fn take_dispatched(&mut self) -> Vec<(u32, Duration)> {
        std::mem::take(&mut self.dispatched)
    }

    /// The call comes back, unless it was given up.
    pub(super) fn arrive(&mut self, token: u32) -> Option<Call> {
        self.open.remove(&token)
    }

    pub(super) fn cancel(&mut self, token: u32) -> Result<(), Status> {
        self.open.remove(&token).map(drop).ok_or(Status::NOT_FOUND)
    }
}

fn called(cluster: &[u8], request: &Request<'_>) -> Called {
    let cluster = String::from_utf8_lossy(cluster).into_owned();
    match request {
        Request::Http(headers, body) => Called { cluster, headers: super::report::pairs(headers, |_| true), body: body.to_vec() },
        Request::Grpc(service, method, metadata, message) => {
            let path = [&b"/"[..], *service, b"/", *method].concat();
            let mut headers = metadata.clone();
            for (name, value) in [(&b":method"[..], &b"POST"[..]), (b":path", &path), (b":authority", cluster.as_bytes())] {
                headers.set(name, value);
            }
            Called { cluster, headers: super::report::pairs(&headers, |_| true), body: message.to_vec() }
        }
    }
}

/// The answer, and after what time it comes; `None`: never.
fn arrival(grpc: bool, script: Option<CalloutScript>, limit: Option<Duration>) -> (Arrival, Option<Duration>) {
    let timed_out =
        || if grpc { status(UNAVAILABLE, "upstream request timeout") } else { local(504, "upstream request timeout") };
    match script {
        Some(CalloutScript::Answer(sent, after)) => match limit {
            Some(limit) if after >= limit => (timed_out(), Some(limit)),
            _ => (if grpc { grpc_answer(sent) } else { http_answer(&sent) }, Some(after)),
        },
        Some(CalloutScript::Silence) => (timed_out(), limit),
        Some(CalloutScript::Reset) if grpc => (status(INTERNAL, ""), Some(Duration::ZERO)),
        Some(CalloutScript::Reset) => {
            let text = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
            (local(503, text), Some(Duration::ZERO))
        }
        Some(CalloutScript::NoCluster) | None => {
            let text = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
            (if grpc { status(UNAVAILABLE, text) } else { local(503, text) }, Some(Duration::ZERO))
        }
    }
}

fn status(code: u32, text: &str) -> Arrival {
    Arrival::GrpcStatus(code, text.as_bytes().to_vec())
}

/// An answer that Envoy makes itself: `:status` and two more headers, text body.
fn local(code: u16, text: &str) -> Arrival {
    let headers =
        [(":status", code.to_string()), ("content-length", text.len().to_string()), ("content-type", "text/plain".into())];
    let headers = headers.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value.into_bytes())).collect();
    Arrival::Http(Answered { headers, body: text.as_bytes().to_vec(), trailers: Map::default() })
}

fn http_answer(sent: &Sent) -> Arrival {
    Arrival::Http(Answered { headers: Map::new(&sent.headers), body: sent.chunks.concat(), trailers: Map::new(&sent.trailers) })
}

/// The chunks are the message; the status stands in the trailers, or in the headers of an answer without a message.
fn grpc_answer(sent: Sent) -> Arrival {
    let (headers, trailers) = (Map::new(&sent.headers), Map::new(&sent.trailers));
    let of = |name: &[u8]| trailers.first(name).or_else(|| headers.first(name)).map(<[u8]>::to_vec);
    let http = headers.first(b":status").unwrap_or(b"200");
    let code = match of(b"grpc-status") {
        Some(code) => core::str::from_utf8(&code).ok().and_then(|code| code.parse().ok()).unwrap_or(UNKNOWN),
        None if http == b"200" && !sent.chunks.is_empty() => 0,
        None => {
            if http == b"503" || http == b"504" {
                UNAVAILABLE
            } else {
                UNKNOWN
            }
        }
    };
    if code == 0 {
        Arrival::GrpcMessage(sent.chunks.concat())
    } else {
        Arrival::GrpcStatus(code, of(b"grpc-message").unwrap_or_default())
    }
}
