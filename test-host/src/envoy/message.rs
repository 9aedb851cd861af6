//! Messages between `Sent` and hyper, and header lists as transcripts have them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;

use crate::engine::Sent;

/// Time between two parts, so that the proxy reads them apart. It may still join or cut them: no exact cuts on a wire.
const GAP: Duration = Duration::from_millis(3);

/// What a proxy adds by itself and what frames a message on the wire: nothing that a transcript tells.
const OF_THE_PROXY: [&str; 8] =
    [":scheme", ":status", "connection", "date", "server", "te", "transfer-encoding", "x-forwarded-proto"];

/// A body that is sent part by part.
pub(super) struct Parts(Option<mpsc::Receiver<Frame<Bytes>>>);

impl Parts {
    /// The body of this message. Its parts go out one after the other from a task of their own.
    pub(super) fn of(message: &Sent) -> Self {
        if message.chunks.is_empty() && message.trailers.is_empty() {
            return Self(None);
        }
        let (out, parts) = mpsc::channel(1);
        let chunks = message.chunks.clone();
        let trailers = header_map(&message.trailers).unwrap_or_default();
        tokio::spawn(async move {
            for chunk in chunks {
                tokio::time::sleep(GAP).await;
                if out.send(Frame::data(chunk.into())).await.is_err() {
                    return;
                }
            }
            if !trailers.is_empty() {
                let _ = out.send(Frame::trailers(trailers)).await;
            }
        });
        Self(Some(parts))
    }

    /// A body that never comes to an end, and of which nothing comes.
    pub(super) fn never() -> Self {
        let (out, parts) = mpsc::channel(1);
        tokio::spawn(async move { out.closed().await });
        Self(Some(parts))
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            None => Poll::Ready(None),
            Some(parts) => parts.poll_recv(cx).map(|frame| frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.0.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

/// The header map of these pairs, pseudo headers left out.
pub(super) fn header_map(pairs: &[(Vec<u8>, Vec<u8>)]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.iter().filter(|(name, _)| !name.starts_with(b":")) {
        let shown = String::from_utf8_lossy(name);
        let name = HeaderName::from_bytes(name).with_context(|| format!("`{shown}` cannot be a header name on a wire"))?;
        let value = HeaderValue::from_bytes(value).with_context(|| format!("`{shown}` cannot have this value on a wire"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The value of a pseudo header.
pub(super) fn pseudo<'a>(message: &'a Sent, name: &str) -> Option<&'a [u8]> {
    message.headers.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
}

/// Header pairs as a transcript has them: without those that the proxy adds, names in lower case, sorted by name. The length
/// of a body that is complete tells nothing, so a right `content-length` is left out; a wrong one stays.
pub(super) fn normal(pairs: impl IntoIterator<Item = (String, String)>, body: &[u8]) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = pairs
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| !OF_THE_PROXY.contains(&name.as_str()) && !name.starts_with("x-envoy-"))
        .filter(|(name, value)| name != "content-length" || *value != body.len().to_string())
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

/// The pairs of a header map; bytes that are no UTF-8 are replaced.
pub(super) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
}

/// The pairs of a request that a server got, pseudo headers as HTTP/2 has them.
pub(super) fn request_pairs(head: &hyper::http::request::Parts) -> Vec<(String, String)> {
    let mut all = vec![
        (":method".to_owned(), head.method.to_string()),
        (":path".to_owned(), head.uri.path_and_query().map_or_else(String::new, ToString::to_string)),
    ];
    if let Some(authority) = head.uri.authority() {
        all.push((":authority".to_owned(), authority.to_string()));
    }
    all.extend(
        pairs(&head.headers).map(|(name, value)| if name == "host" { (":authority".to_owned(), value) } else { (name, value) }),
    );
    all
}
