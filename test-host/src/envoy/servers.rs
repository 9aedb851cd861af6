//! The upstream and the called services: HTTP servers on loopback that do what the play says.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use super::message::{self, Parts};
use super::stage::{PlayNumber, Stage};
use crate::engine::{CalloutScript, Sent};
use crate::transcript::{Called, Ending};

/// The protocol that a server speaks; a proxy's cluster is set to one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, prior knowledge.
    Http2,
}

/// What a server is in the play.
#[derive(Clone)]
pub(super) enum Role {
    /// A service that plugins call, by the name of its cluster.
    Service(String),
    /// The upstream.
    Upstream,
}

/// The connection is to be cut.
#[derive(Debug, thiserror::Error)]
#[error("cut as the play says")]
struct Cut;

/// Starts a server on a free port. It lives as long as the runtime.
pub(super) async fn serve(role: Role, protocol: Protocol, stage: Stage) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on loopback")?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(connection(stream, role.clone(), protocol, stage.clone()));
        }
    });
    Ok(address)
}

async fn connection(stream: TcpStream, role: Role, protocol: Protocol, stage: Stage) {
    let io = TokioIo::new(stream);
    let service = service_fn(move |request| answer(request, role.clone(), stage.clone()));
    // A connection that ends early is part of the play.
    let _ = match protocol {
        Protocol::Http1 => hyper::server::conn::http1::Builder::new().auto_date_header(false).serve_connection(io, service).await,
        Protocol::Http2 => {
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder.auto_date_header(false).serve_connection(io, service).await
        }
    };
}

async fn answer(request: Request<Incoming>, role: Role, stage: Stage) -> Result<Response<Parts>, Cut> {
    let number = stage.number();
    match role {
        Role::Service(cluster) => called(request, cluster, &stage, number).await,
        Role::Upstream => upstream(request, stage, number).await,
    }
}

async fn upstream(request: Request<Incoming>, stage: Stage, number: PlayNumber) -> Result<Response<Parts>, Cut> {
    let (head, body) = request.into_parts();
    let Some((script, early)) = stage.with(number, |state| (state.upstream.clone(), state.early)) else { return Err(Cut) };
    stage.request(number, |seen| seen.headers = message::request_pairs(&head));
    if early {
        tokio::spawn(read(body, stage, number));
    } else if read(body, stage, number).await != Ending::Complete {
        return Err(Cut);
    }
    match script {
        None => pending().await,
        Some(message) => response(&message, false),
    }
}

async fn read(mut body: Incoming, stage: Stage, number: PlayNumber) -> Ending {
    let end = loop {
        match body.frame().await {
            None => break Ending::Complete,
            Some(Err(_)) => break Ending::Reset,
            // Trailers are no part of a transcript.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    stage.request(number, |seen| seen.body.extend_from_slice(&data));
                }
            }
        }
    };
    stage.request(number, |seen| seen.end = end);
    end
}

async fn called(request: Request<Incoming>, cluster: String, stage: &Stage, number: PlayNumber) -> Result<Response<Parts>, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes().to_vec();
    let headers = message::request_pairs(&head);
    let grpc = headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("application/grpc"));
    // The message of a unary call stands behind a flag and its length (gRPC over HTTP/2, Length-Prefixed-Message).
    let body = if grpc { body.get(5..).unwrap_or_default().to_vec() } else { body };
    let added = ["content-type", "grpc-timeout", "te", "user-agent"];
    let kept = headers
        .into_iter()
        .filter(|(name, _)| name != "x-forwarded-for" && name != "grpc-timeout" && !(grpc && added.contains(&name.as_str())));
    let headers = message::normal(kept, &body);
    let script = stage.with(number, |state| {
        let script = state.callouts.next(&cluster);
        state.called.push(Called { cluster, headers, body });
        script
    });
    match script.flatten() {
        None | Some(CalloutScript::NoCluster | CalloutScript::Silence) => pending().await,
        Some(CalloutScript::Reset) => Err(Cut),
        Some(CalloutScript::Answer(message, after)) => {
            tokio::time::sleep(after).await;
            response(&message, grpc)
        }
    }
}

fn response(message: &Sent, grpc: bool) -> Result<Response<Parts>, Cut> {
    let mut message = message.clone();
    if grpc {
        frame_grpc(&mut message);
    }
    let status = message::pseudo(&message, ":status").unwrap_or(b"200");
    let mut response = Response::new(Parts::of(&message));
    *response.status_mut() = hyper::StatusCode::from_bytes(status).map_err(|_| Cut)?;
    *response.headers_mut() = message::header_map(&message.headers).map_err(|_| Cut)?;
    Ok(response)
}

/// Gives a gRPC answer what it needs on the wire and does not have in the play.
fn frame_grpc(message: &mut Sent) {
    let body = message.chunks.concat();
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&body);
    message.chunks = vec![framed];
    let has = |pairs: &[(Vec<u8>, Vec<u8>)], name: &[u8]| pairs.iter().any(|(key, _)| key == name);
    if !has(&message.headers, b"content-type") {
        message.headers.push((b"content-type".to_vec(), b"application/grpc".to_vec()));
    }
    if !has(&message.headers, b"grpc-status") && !has(&message.trailers, b"grpc-status") {
        message.trailers.push((b"grpc-status".to_vec(), b"0".to_vec()));
    }
}
