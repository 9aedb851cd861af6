//! The servers behind the proxy: each reads a request whole and gives a fixed answer. In threads of their own.

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
    marked: AtomicU64,
}

/// Counts of what came in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    /// Of their bodies.
    pub(crate) bytes: u64,
    /// Requests whose head has the mark in it.
    pub(crate) marked: u64,
}

impl Seen {
    /// All of it.
    pub(crate) fn so_far(&self) -> Count {
        let read = |count: &AtomicU64| count.load(Ordering::Acquire);
        Count { requests: read(&self.requests), bytes: read(&self.bytes), marked: read(&self.marked) }
    }
}

impl Count {
    /// What came in since.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self { requests: self.requests - before.requests, bytes: self.bytes - before.bytes, marked: self.marked - before.marked }
    }
}

/// A running server.
pub(crate) struct Upstream {
    server: Server,
    seen: Arc<Seen>,
}

impl Upstream {
    /// Starts it; its answers are 200 with these JSON texts, one after the other, again and again. Requests with this mark in
    /// their head are counted.
    pub(crate) fn start(name: &str, bodies: &[Vec<u8>], mark: &[u8]) -> anyhow::Result<Self> {
        let answer = |body: &Vec<u8>| {
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
            Bytes::from([head.as_bytes(), body].concat())
        };
        let (answers, mark) = (bodies.iter().map(answer).collect::<Arc<[_]>>(), Bytes::copy_from_slice(mark));
        let seen = Arc::new(Seen::default());
        let server = server::start(name, {
            let seen = seen.clone();
            move |listener| accept(listener, answers, mark, seen)
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

async fn accept(listener: TcpListener, answers: Arc<[Bytes]>, mark: Bytes, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (answers, mark, seen) = (answers.clone(), mark.clone(), seen.clone());
        tokio::spawn(async move { drop(serve(stream, &answers, &mark, &seen).await) });
    }
}

async fn serve(stream: TcpStream, answers: &[Bytes], mark: &Bytes, seen: &Seen) -> std::io::Result<()> {
    let (mut connection, mut message) = (Connection::new(stream)?, Message::default());
    connection.mark(mark);
    while connection.read(&mut message).await? {
        seen.bytes.fetch_add(u64::try_from(message.body.len()).unwrap_or_default(), Ordering::AcqRel);
        seen.marked.fetch_add(u64::from(message.marked), Ordering::AcqRel);
        let before = usize::try_from(seen.requests.fetch_add(1, Ordering::AcqRel)).unwrap_or_default();
        let Some(answer) = answers.get(before % answers.len().max(1)) else { return Ok(()) };
        connection.write(answer).await?;
    }
    Ok(())
}
