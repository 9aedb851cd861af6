//! The client of a play.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::identity::SERVER_NAME;
use super::message::{self, Parts};
use crate::engine::{Leaves, Sent};
use crate::transcript::{ClientSaw, Ending};

/// How long a client that leaves after its headers waits, so that they are through the proxy.
const BEFORE_LEAVING: Duration = Duration::from_millis(80);

/// The authority of a request that has none of its own; left out of what the upstream saw.
pub(super) const AUTHORITY: &str = "wardpoint.test";

/// One request to be sent.
pub(super) struct Errand<'a> {
    /// The proxy.
    pub(super) to: SocketAddr,
    /// Mutual TLS, if the play has a peer.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// HTTP/2.
    pub(super) http2: bool,
    /// The request.
    pub(super) request: &'a Sent,
    /// Headers that the play does not have and this proxy needs.
    pub(super) added: Vec<(&'static str, String)>,
    /// When to go away.
    pub(super) leaves: Option<Leaves>,
}

/// An exchange under way, and what has come of it so far. Dropping it closes the connection.
#[derive(Default)]
pub(super) struct Exchange {
    saw: Mutex<ClientSaw>,
    connection: Mutex<Option<AbortHandle>>,
}

impl Exchange {
    /// Sends the request and reads the answer to its end. The connection stays open as long as this future and `self` live.
    pub(super) async fn run(&self, errand: Errand<'_>) -> anyhow::Result<()> {
        let request = request(&errand)?;
        let stream = TcpStream::connect(errand.to).await.context("the proxy does not accept connections")?;
        stream.set_nodelay(true)?;
        let answer = match &errand.tls {
            None => self.open(stream, errand.http2).await,
            Some(config) => {
                let name = rustls::pki_types::ServerName::try_from(SERVER_NAME)?;
                let stream = TlsConnector::from(config.clone()).connect(name, stream).await.context("TLS with the proxy")?;
                self.open(stream, errand.http2).await
            }
        };
        let Ok(mut sender) = answer else {
            self.saw().end = Ending::Reset;
            return Ok(());
        };
        if errand.leaves == Some(Leaves::AfterRequestHeaders) {
            let _ = tokio::time::timeout(BEFORE_LEAVING, sender.send(request)).await;
            self.leave();
            return Ok(());
        }
        match sender.send(request).await {
            Err(_) => self.saw().end = Ending::Reset,
            Ok(response) => self.read(response, errand.leaves).await,
        }
        Ok(())
    }

    /// How it has ended.
    pub(super) fn end(&self) -> Ending {
        self.saw().end
    }

    /// What has come, as transcripts have it.
    pub(super) fn seen(&self) -> ClientSaw {
        let mut saw = self.saw().clone();
        saw.headers = message::normal(saw.headers, &saw.body);
        saw
    }

    fn saw(&self) -> MutexGuard<'_, ClientSaw> {
        self.saw.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, connection: AbortHandle) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }

    async fn open<S>(&self, stream: S, http2: bool) -> hyper::Result<Sender>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(stream);
        if http2 {
            let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
            self.keep(tokio::spawn(async move { drop(connection.await) }).abort_handle());
            Ok(Sender::Http2(sender))
        } else {
            let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
            self.keep(tokio::spawn(async move { drop(connection.await) }).abort_handle());
            Ok(Sender::Http1(sender))
        }
    }

    async fn read(&self, response: Response<Incoming>, leaves: Option<Leaves>) {
        {
            let mut saw = self.saw();
            saw.status = Some(response.status().as_u16());
            saw.headers = message::pairs(response.headers()).collect();
        }
        let mut body = response.into_body();
        let end = loop {
            match body.frame().await {
                None => break Ending::Complete,
                Some(Err(_)) => break Ending::Reset,
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.saw().body.extend_from_slice(&data);
                    if leaves == Some(Leaves::AfterFirstResponseChunk) {
                        return self.leave();
                    }
                }
            }
        };
        self.saw().end = end;
    }

    fn leave(&self) {
        self.saw().end = Ending::Reset;
        self.close();
    }

    fn close(&self) {
        if let Some(connection) = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take() {
            connection.abort();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.close();
    }
}

enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<Parts>),
    Http2(hyper::client::conn::http2::SendRequest<Parts>),
}

impl Sender {
    async fn send(&mut self, request: Request<Parts>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(sender) => sender.send_request(request).await,
        }
    }
}

fn request(errand: &Errand<'_>) -> anyhow::Result<Request<Parts>> {
    let text = |name: &str, otherwise: &'static str| {
        let value = message::pseudo(errand.request, name).unwrap_or(otherwise.as_bytes());
        std::str::from_utf8(value).with_context(|| format!("`{name}` is no text")).map(str::to_owned)
    };
    let (method, path) = (text(":method", "POST")?, text(":path", "/")?);
    let host = errand.request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
    let authority = match host {
        Some((_, value)) => std::str::from_utf8(value)?.to_owned(),
        None => text(":authority", AUTHORITY)?,
    };
    let uri = if errand.http2 {
        let scheme = if errand.tls.is_some() { "https" } else { "http" };
        Uri::builder().scheme(scheme).authority(authority.as_str()).path_and_query(path.as_str()).build()?
    } else {
        path.parse::<Uri>().with_context(|| format!("`{path}` cannot be a path on a wire"))?
    };
    let body = if errand.leaves == Some(Leaves::AfterRequestHeaders) { Parts::never() } else { Parts::of(errand.request) };
    let mut request = Request::new(body);
    *request.method_mut() = method.parse()?;
    *request.uri_mut() = uri;
    let mut headers = message::header_map(&errand.request.headers)?;
    headers.remove(hyper::header::HOST);
    if !errand.http2 {
        headers.insert(hyper::header::HOST, authority.parse()?);
    }
    for (name, value) in &errand.added {
        headers.insert(*name, value.parse()?);
    }
    *request.headers_mut() = headers;
    Ok(request)
}
