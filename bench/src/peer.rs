//! The server that `ext_authz` and `ext_proc` ask: gRPC with canned answers, so a best case for both. It reads each message
//! whole, looks at its first tag, and never parses it. In a thread of its own.

use std::net::SocketAddr;

use bytes::{Buf as _, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{self, Server};

/// What it says to every request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Says {
    Allow,
    Deny,
}

/// A running peer.
pub(crate) struct Peer(Server);

impl Peer {
    /// Starts it.
    pub(crate) fn start(says: Says) -> anyhow::Result<Self> {
        Ok(Self(server::start("peer", move |listener| accept(listener, says))?))
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Its thread, for its CPU time.
    pub(crate) const fn thread(&self) -> i32 {
        self.0.thread
    }
}

async fn accept(listener: TcpListener, says: Says) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move { drop(connection(stream, says).await) });
    }
}

async fn connection(stream: TcpStream, says: Says) -> Result<(), h2::Error> {
    let _slower = stream.set_nodelay(true);
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(4 << 20).initial_connection_window_size(64 << 20).max_concurrent_streams(1024);
    let mut connection = builder.handshake::<_, Bytes>(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(async move { drop(call(request, respond, says).await) });
    }
    Ok(())
}

/// One call: an answer to each message, then the status.
async fn call(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, says: Says) -> Result<(), h2::Error> {
    let answer = if request.uri().path().ends_with("/Check") { check } else { process };
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut out = respond.send_response(response, false)?;
    let (mut body, mut held) = (request.into_body(), BytesMut::new());
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        held.extend_from_slice(&part);
        while let Some(tag) = next_message(&mut held) {
            send(&mut out, answer(tag, says))?;
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    out.send_trailers(trailers)
}

/// Drops the next whole message; its first byte, which is the tag of its first field.
fn next_message(held: &mut BytesMut) -> Option<u8> {
    let &[_uncompressed, a, b, c, d, ..] = held.as_ref() else { return None };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let tag = *held.get(5..5 + length)?.first().unwrap_or(&0);
    held.advance(5 + length);
    Some(tag)
}

fn send(out: &mut SendStream<Bytes>, message: &'static [u8]) -> Result<(), h2::Error> {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.extend_from_slice(&[0, 0, 0, 0, u8::try_from(message.len()).unwrap_or_default()]);
    framed.extend_from_slice(message);
    out.send_data(framed.freeze(), false)
}

/// `CheckResponse`: `status.code` 0, or 7 (PERMISSION_DENIED).
const fn check(_tag: u8, says: Says) -> &'static [u8] {
    match says {
        Says::Allow => b"\x0a\x00",
        Says::Deny => b"\x0a\x02\x08\x07",
    }
}

/// `ProcessingResponse` to the `ProcessingRequest` whose oneof (fields 2 to 5) comes first: go on as it is; where a body is
/// to be denied, `immediate_response.status.code` 403.
const fn process(tag: u8, says: Says) -> &'static [u8] {
    match (tag, says) {
        (0x12, _) => b"\x0a\x00",
        (0x1a, _) => b"\x12\x00",
        (0x22, Says::Allow) => b"\x1a\x00",
        (0x22, Says::Deny) => b"\x3a\x05\x0a\x03\x08\x93\x03",
        (0x2a, _) => b"\x22\x00",
        // An answer that fits nothing: the proxy fails the request, and so the run.
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_whole_messages_only() {
        let mut held = BytesMut::from(&b"\x00\x00\x00\x00\x02\x12\x00\x00\x00\x00\x00\x03\x22\x01"[..]);
        assert_eq!(next_message(&mut held), Some(0x12));
        assert_eq!(next_message(&mut held), None);
        held.extend_from_slice(b"\x00");
        assert_eq!(next_message(&mut held), Some(0x22));
        assert!(held.is_empty());
    }
}
