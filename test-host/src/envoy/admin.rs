//! Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection to it.
pub(super) struct Admin(SendRequest<Empty<Bytes>>);

impl Admin {
    /// Connects.
    pub(super) async fn connect(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await.context("Envoy's admin interface does not accept connections")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self(sender))
    }

    /// Whether Envoy has closed the connection: it has ended, or is about to.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// The text at this path.
    pub(super) async fn get(&mut self, path: &str) -> anyhow::Result<String> {
        self.0.ready().await.context("Envoy's admin interface has gone: did Envoy crash?")?;
        let request = hyper::Request::get(path).header("host", "admin").body(Empty::new())?;
        let response = self.0.send_request(request).await.context("Envoy's admin interface has gone: did Envoy crash?")?;
        Ok(String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()).into_owned())
    }

    /// Counters and gauges whose name matches.
    pub(super) async fn stats(&mut self, filter: &str) -> anyhow::Result<BTreeMap<String, u64>> {
        let text = self.get(&format!("/stats?filter={filter}")).await?;
        let values = text.lines().filter_map(|line| line.rsplit_once(": "));
        Ok(values.filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?))).collect())
    }

    /// The ports of the listeners that work.
    pub(super) async fn listeners(&mut self) -> anyhow::Result<BTreeMap<String, u16>> {
        let text = self.get("/listeners?format=json").await?;
        let all: serde_json::Value = serde_json::from_str(&text).context("the list of listeners is no JSON")?;
        let statuses = all.get("listener_statuses").and_then(|list| list.as_array()).map_or(&[][..], Vec::as_slice);
        let ports = statuses.iter().filter_map(|status| {
            let port = status.pointer("/local_address/socket_address/port_value")?.as_u64()?;
            Some((status.get("name")?.as_str()?.to_owned(), u16::try_from(port).ok()?))
        });
        Ok(ports.collect())
    }
}
