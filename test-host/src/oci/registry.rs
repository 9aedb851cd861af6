//! One registry: requests one by one, and what it asks for before it takes them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::challenge::{escaped, of_scheme, parameter};
use super::credentials::Credentials;
use super::push::PushError;
use super::reference::{Reference, is_loopback};

/// For one request with its answer; a module has 400 KB.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of an answer, in bytes. Those to a push are short.
const LONGEST: usize = 64 << 10;
/// Of what a registry says about a refusal, in characters.
const SAID: usize = 300;

/// A registry, and how it is spoken to.
pub(super) struct Registry {
    server: String,
    repository: String,
    credentials: Credentials,
    plain: bool,
    tls: Option<Arc<ClientConfig>>,
    /// What it asked for and was given.
    authorization: Option<HeaderValue>,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Registry {
    pub(super) fn new(reference: &Reference, credentials: &Credentials, plain: bool) -> Result<Self, PushError> {
        let mut registry = Self {
            server: reference.server().to_owned(),
            repository: reference.repository.clone(),
            credentials: credentials.clone(),
            plain,
            tls: None,
            authorization: None,
        };
        if !plain && !reference.is_loopback() {
            registry.tls = Some(tls().map_err(|problem| registry.unreachable(problem))?);
        }
        Ok(registry)
    }

    /// The authority that requests go to.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// One request; the second time with what the registry asked for.
    pub(super) async fn ask(&mut self, method: Method, path: &str, kind: Option<&str>, body: &[u8]) -> Result<Answer, PushError> {
        let answer = self.send(&method, path, kind, body).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match self.authorize(&answer).await? {
            // The same again would be refused again.
            same if same.is_none() || same == self.authorization => Ok(answer),
            other => {
                self.authorization = other;
                self.send(&method, path, kind, body).await
            }
        }
    }

    /// Whether the answer is one of those that let us go on.
    pub(super) fn expect(&self, answer: &Answer, good: &[StatusCode], what: &str) -> Result<(), PushError> {
        if good.contains(&answer.status) {
            return Ok(());
        }
        Err(PushError::Refused {
            host: self.server.clone(),
            what: what.to_owned(),
            status: answer.status,
            said: said(&answer.body),
        })
    }

    /// The registry says what nobody should follow.
    pub(super) fn odd(&self, problem: String) -> PushError {
        PushError::Odd { host: self.server.clone(), problem }
    }

    fn unreachable(&self, problem: impl ToString) -> PushError {
        PushError::Unreachable { host: self.server.clone(), problem: problem.to_string() }
    }

    async fn send(&self, method: &Method, path: &str, kind: Option<&str>, body: &[u8]) -> Result<Answer, PushError> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).map_err(|error| self.odd(error.to_string()))?;
        exchange(&self.server, self.tls.clone(), request).await.map_err(|problem| self.unreachable(problem))
    }

    /// What to show after a 401; nothing if nothing that we have is asked for.
    async fn authorize(&self, answer: &Answer) -> Result<Option<HeaderValue>, PushError> {
        let challenges: Vec<&str> = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|it| it.to_str().ok()).collect();
        if let Credentials::Token(token) = &self.credentials {
            return Ok(secret(&format!("Bearer {token}")));
        }
        if let Some(challenge) = challenges.iter().find_map(|it| of_scheme(it, "bearer")) {
            return self.token(challenge).await.map(|token| secret(&format!("Bearer {token}")));
        }
        if challenges.iter().any(|it| of_scheme(it, "basic").is_some()) {
            return Ok(self.basic());
        }
        Ok(None)
    }

    fn basic(&self) -> Option<HeaderValue> {
        match &self.credentials {
            Credentials::Basic { user, password } => secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))),
            _ => None,
        }
    }

    /// A token of the service that the registry names (distribution's "token authentication").
    async fn token(&self, challenge: &str) -> Result<String, PushError> {
        let realm = parameter(challenge, "realm").unwrap_or_default();
        let uri: Uri = realm.parse().map_err(|_| self.odd(format!("its tokens come from `{realm}`, which is no address")))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(self.odd(format!("its tokens come from `{realm}`, which is no address")));
        };
        let here = is_loopback(authority.host().trim_matches(['[', ']']));
        let tls = match scheme {
            "https" => Some(tls().map_err(|problem| self.unreachable(problem))?),
            // Only who reaches the registry without TLS is told to go on without.
            "http" if self.tls.is_none() && (here || self.plain) => None,
            _ => return Err(PushError::Plain(authority.to_string())),
        };
        let scope = format!("repository:{}:pull,push", self.repository);
        let mut path = format!("{}?scope={}", uri.path(), escaped(&scope));
        if let Some(service) = parameter(challenge, "service") {
            path += &format!("&service={}", escaped(&service));
        }
        if let Some(query) = uri.query() {
            path += &format!("&{query}");
        }
        let mut request = Request::builder().method(Method::GET).uri(path);
        if let Some(basic) = self.basic() {
            request = request.header(AUTHORIZATION, basic);
        }
        let request = request.body(Full::default()).map_err(|error| self.odd(error.to_string()))?;
        let host = authority.to_string();
        let unreachable = |problem| PushError::Unreachable { host: host.clone(), problem };
        let answer = exchange(&host, tls, request).await.map_err(unreachable)?;
        if answer.status != StatusCode::OK {
            let (what, said) = ("a token".to_owned(), said(&answer.body));
            return Err(PushError::Refused { host, what, status: answer.status, said });
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|name| body.get(name)?.as_str());
        token.map(str::to_owned).ok_or_else(|| PushError::Odd { host, problem: "it answers without a token".to_owned() })
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The roots of this machine; `SSL_CERT_FILE` names others.
fn tls() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("no root certificates are there to know it by{why}"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

/// One request on a connection of its own.
async fn exchange(server: &str, tls: Option<Arc<ClientConfig>>, mut request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let host = HeaderValue::from_str(server).map_err(|error| error.to_string())?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(concat!("wardpoint/", env!("CARGO_PKG_VERSION"))));
    let talk = async {
        let authority: hyper::http::uri::Authority = server.parse().map_err(|_| "is no host".to_owned())?;
        let name = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((name.as_str(), port)).await.map_err(|error| format!("cannot be reached: {error}"))?;
        match tls {
            None => speak(stream, request).await,
            Some(config) => {
                let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
                let stream = TlsConnector::from(config).connect(name, stream).await;
                speak(stream.map_err(|error| format!("TLS: {error}"))?, request).await
            }
        }
    };
    let answered = tokio::time::timeout(PATIENCE, talk).await;
    answered.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|it| it.to_string())?;
    let connection = tokio::spawn(async move { drop(connection.await) });
    let answer = async {
        let (head, body) = sender.send_request(request).await.map_err(|error| error.to_string())?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    };
    let answer = answer.await;
    connection.abort();
    answer
}

/// A header whose value is in no debug output.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a registry says about a refusal: `errors` of the OCI distribution's form, and nothing else.
fn said(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let errors = body.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let part = |error: &Value, name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let told = errors.iter().map(|error| format!("{} {}", part(error, "code"), part(error, "message")));
    let text = told.collect::<Vec<_>>().join("; ");
    let clean: String = text.chars().filter(|letter| !letter.is_control()).take(SAID).collect();
    if clean.is_empty() { clean } else { format!(" ({clean})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_registrys_words_on_one_line() {
        let body = br#"{"errors":[{"code":"DENIED","message":"not\nyours"},{"code":"X"}]}"#;
        assert_eq!(said(body), " (DENIED notyours; X )");
        assert_eq!(said(b"<html>"), "");
        assert_eq!(said(format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(1000)).as_bytes()).len(), SAID + 3);
    }
}
