//! The server behind the proxy: reads each request whole and gives one fixed answer. In a thread of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};

use crate::http1::{Connection, Message};
use crate::server::{self, Server};

/// What came in so far.
#[derive(Default)]
pub(crate) struct Seen {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Seen {
    /// Requests, and bytes of their bodies.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Acquire), self.bytes.load(Ordering::Acquire))
    }
}

/// A running upstream.
pub(crate) struct Upstream {
    server: Server,
    seen: Arc<Seen>,
}

impl Upstream {
    /// Starts it; every answer is 200 with this JSON.
    pub(crate) fn start(body: &[u8]) -> anyhow::Result<Self> {
        let mut answer =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        let (answer, seen) = (Bytes::from(answer), Arc::new(Seen::default()));
        let server = server::start("upstream", {
            let seen = seen.clone();
            move |listener| accept(listener, answer, seen)
        })?;
        Ok(Self { server, seen })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

async fn accept(listener: TcpListener, answer: Bytes, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (answer, seen) = (answer.clone(), seen.clone());
        tokio::spawn(async move { drop(serve(stream, &answer, &seen).await) });
    }
}

async fn serve(stream: TcpStream, answer: &[u8], seen: &Seen) -> std::io::Result<()> {
    let (mut connection, mut message) = (Connection::new(stream)?, Message::default());
    while connection.read(&mut message).await? {
        seen.bytes.fetch_add(u64::try_from(message.body.len()).unwrap_or_default(), Ordering::AcqRel);
        seen.requests.fetch_add(1, Ordering::AcqRel);
        connection.write(answer).await?;
    }
    Ok(())
}
