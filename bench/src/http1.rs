//! As much of HTTP/1.1 as load and upstream need: keep-alive messages with a body of known length, or in chunks.

use std::io;

use bytes::Bytes;
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A kept connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What is looked for in the heads of messages.
    mark: Bytes,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that belong to earlier messages.
    used: usize,
}

/// The message that was read last. Kept by the caller, so that its memory is used again.
#[derive(Default)]
pub(crate) struct Message {
    /// Of an answer.
    pub(crate) status: Option<u16>,
    /// Its head has the mark in it.
    pub(crate) marked: bool,
    /// The peer closes behind it.
    pub(crate) closes: bool,
    /// The body without any framing.
    pub(crate) body: Vec<u8>,
}

enum Length {
    Known(usize),
    Chunked,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, mark: Bytes::new(), buffer: Vec::with_capacity(128 * 1024), used: 0 })
    }

    /// Looks for this in the heads of messages.
    pub(crate) fn mark(&mut self, mark: &Bytes) {
        self.mark = mark.clone();
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads the next message; `false` if the peer closed before it.
    pub(crate) async fn read(&mut self, message: &mut Message) -> io::Result<bool> {
        self.buffer.drain(..self.used);
        self.used = 0;
        message.body.clear();
        let head = loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if !self.more().await? {
                return if self.buffer.is_empty() { Ok(false) } else { Err(cut()) };
            }
        };
        let text = self.buffer.get(..head).unwrap_or_default();
        message.marked = !self.mark.is_empty() && memmem::find(text, &self.mark).is_some();
        let length = read_head(text, message)?;
        self.used = head;
        match length {
            Length::Known(length) => {
                let part = self.take(length).await?;
                message.body.extend_from_slice(self.buffer.get(part).unwrap_or_default());
            }
            Length::Chunked => loop {
                let size = self.line().await?;
                let size = self.buffer.get(size).unwrap_or_default();
                let size =
                    str::from_utf8(size).ok().and_then(|text| usize::from_str_radix(text, 16).ok()).ok_or_else(malformed)?;
                let part = self.take(size).await?;
                message.body.extend_from_slice(self.buffer.get(part).unwrap_or_default());
                // Behind a chunk its line end; behind the last one an empty list of trailers.
                self.line().await?;
                if size == 0 {
                    break;
                }
            },
        }
        Ok(true)
    }

    async fn line(&mut self) -> io::Result<std::ops::Range<usize>> {
        loop {
            if let Some(length) = memmem::find(self.buffer.get(self.used..).unwrap_or_default(), b"\r\n") {
                let line = self.used..self.used + length;
                self.used = line.end + 2;
                return Ok(line);
            }
            if !self.more().await? {
                return Err(cut());
            }
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<std::ops::Range<usize>> {
        let part = self.used..self.used + length;
        while self.buffer.len() < part.end {
            if !self.more().await? {
                return Err(cut());
            }
        }
        self.used = part.end;
        Ok(part)
    }

    async fn more(&mut self) -> io::Result<bool> {
        self.buffer.reserve(64 * 1024);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}

fn read_head(head: &[u8], message: &mut Message) -> io::Result<Length> {
    let text = str::from_utf8(head).map_err(|_| malformed())?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    message.status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    message.closes = false;
    let mut length = Length::Known(0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Length::Known(value.parse().map_err(|_| malformed())?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            message.closes = value.eq_ignore_ascii_case("close");
        }
    }
    Ok(length)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended in a message")
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no HTTP/1.1 message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn read_all(sent: &'static [u8], cut: usize) -> Vec<(Option<u16>, bool, Vec<u8>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sender = async {
            let mut stream = listener.accept().await.unwrap().0;
            for part in sent.chunks(cut) {
                stream.write_all(part).await.unwrap();
                stream.flush().await.unwrap();
            }
        };
        let reader = async {
            let mut connection = Connection::new(TcpStream::connect(address).await.unwrap()).unwrap();
            let (mut message, mut found) = (Message::default(), Vec::new());
            while connection.read(&mut message).await.unwrap() {
                found.push((message.status, message.closes, message.body.clone()));
            }
            found
        };
        tokio::join!(sender, reader).1
    }

    #[tokio::test]
    async fn reads_kept_messages_however_they_are_cut() {
        let sent = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\
            connection: close\r\n\r\n3\r\nde\n\r\n1\r\nf\r\n0\r\n\r\nPOST / HTTP/1.1\r\nhost: x\r\n\r\n";
        let want = vec![(Some(200), false, b"abc".to_vec()), (Some(403), true, b"de\nf".to_vec()), (None, false, Vec::new())];
        for cut in [1, 2, 7, 1000] {
            assert_eq!(read_all(sent, cut).await, want, "cut {cut}");
        }
    }
}
