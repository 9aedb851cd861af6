//! A registry in memory: as much of OCI distribution 1.1 as a push needs, with the doors and the faults that real ones have.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use wardpoint_test_host::oci::Digest;

/// Who gets in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Door {
    /// Everybody.
    #[default]
    Open,
    /// `ci` with `s3cret`.
    Basic,
    /// Whoever has `granted`, which the token service gives to `ci`.
    Bearer,
}

/// What it does wrong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Uploads are to go on at another host.
    Elsewhere,
    /// The manifest is kept under another digest.
    Rewrites,
    /// Manifests are refused.
    Denies,
    /// Tokens are to be got without TLS, from another machine.
    FarRealm,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Blobs and manifests by their whole path.
    pub(crate) kept: BTreeMap<String, Vec<u8>>,
    /// Every request: method, path with query, and what it showed.
    pub(crate) asked: Vec<(String, String, Option<String>)>,
}

/// It runs as long as this lives.
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

impl Registry {
    pub(crate) fn start(door: Door, fault: Fault) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(State::default())));
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(request, address, door, fault, Arc::clone(&state)));
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state, _runtime: runtime }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(
    request: Request<Incoming>,
    address: SocketAddr,
    door: Door,
    fault: Fault,
    state: Arc<Mutex<State>>,
) -> Result<Answer, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let shown = head.headers.get("authorization").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.asked.push((head.method.to_string(), path.clone(), shown.clone()));
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    if path == "/token" {
        let known = shown.as_deref() == Some("Basic Y2k6czNjcmV0");
        return Ok(if known { text(StatusCode::OK, r#"{"token":"granted"}"#) } else { text(StatusCode::FORBIDDEN, "{}") });
    }
    let (wanted, challenge) = match door {
        Door::Open => (None, String::new()),
        Door::Basic => (Some("Basic Y2k6czNjcmV0"), "Basic realm=\"registry\"".to_owned()),
        Door::Bearer if fault == Fault::FarRealm => (Some("none"), "Bearer realm=\"http://10.0.0.1/token\"".to_owned()),
        Door::Bearer => (Some("Bearer granted"), format!("Bearer realm=\"http://{address}/token\",service=\"it, self\"")),
    };
    if wanted.is_some_and(|wanted| shown.as_deref() != Some(wanted)) {
        return Ok(with(text(StatusCode::UNAUTHORIZED, ""), "www-authenticate", &challenge));
    }
    Ok(serve(&head.method, (path, query), body, address, fault, &mut state))
}

fn serve(
    method: &Method,
    (path, query): (&str, &str),
    body: Bytes,
    address: SocketAddr,
    fault: Fault,
    state: &mut State,
) -> Answer {
    if *method == Method::HEAD {
        return text(if state.kept.contains_key(path) { StatusCode::OK } else { StatusCode::NOT_FOUND }, "");
    }
    if let Some(repository) = path.strip_suffix("/uploads/").filter(|_| *method == Method::POST) {
        let host = if fault == Fault::Elsewhere { "10.0.0.1:1".to_owned() } else { address.to_string() };
        return with(text(StatusCode::ACCEPTED, ""), "location", &format!("http://{host}{repository}/uploads/17?state=a%3D"));
    }
    if let Some(repository) = path.strip_suffix("/uploads/17").filter(|_| *method == Method::PUT) {
        let digest = query.strip_prefix("state=a%3D&digest=").unwrap_or_default();
        if digest != Digest::of(&body).to_string() {
            return text(StatusCode::BAD_REQUEST, r#"{"errors":[{"code":"DIGEST_INVALID","message":"not the bytes"}]}"#);
        }
        state.kept.insert(format!("{repository}/{digest}"), body.to_vec());
        return text(StatusCode::CREATED, "");
    }
    if *method == Method::PUT && path.contains("/manifests/") && fault != Fault::Denies {
        let digest = if fault == Fault::Rewrites { Digest::of(b"") } else { Digest::of(&body) };
        state.kept.insert(path.to_owned(), body.to_vec());
        return with(text(StatusCode::CREATED, ""), "docker-content-digest", &digest.to_string());
    }
    text(StatusCode::FORBIDDEN, r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#)
}

fn text(status: StatusCode, body: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *answer.status_mut() = status;
    answer
}

fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer
}
