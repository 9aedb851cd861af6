//! Many requests in one VM: what one exchange alone cannot show.

use super::*;
use crate::filter::{CallId, Callout};
use crate::filter::{
    Cas, Direction, Event, Flow, Head, HttpCall, Op, Properties, Root, RootOp, ServiceError, Services, Shared, Signature, Stream,
};
use crate::http::Headers;

mod secrets;

const CONFIG: &str = r#"{"version":1,
    "identity":{"direction":"outbound","peer":"waypoint","claims":{"provider":"p"},"agents":[{"spiffe":"spiffe://d/planner","client":"planner"}]},
    "audiences":["gate"],
    "servers":[{"name":"keycloak","profile":"keycloak","issuer":"https://idp.example",
        "token":{"cluster":"keycloak","authority":"idp.example","path":"/token"},
        "clients":[{"id":"planner","auth":{"method":"client_secret_post","secret":{"env":"SECRET"}}}]}],
    "routes":[{"host":"tools.example","server":"keycloak","audience":"tools","scopes":["read"]}]}"#;

/// A host that has random bytes and nothing else.
struct Host;

impl Services for Host {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        into.fill(7);
        Ok(())
    }
    fn shared_get(&mut self, _: &str) -> Result<Option<Shared>, ServiceError> {
        Err(ServiceError::Unsupported)
    }
    fn shared_set(&mut self, _: &str, _: &[u8], _: Option<Cas>) -> Result<(), ServiceError> {
        Err(ServiceError::Unsupported)
    }
    fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
        Err(ServiceError::Unsupported)
    }
}

fn root() -> Root<TokenExchange> {
    let secret = |name: &str| (name == "SECRET").then(|| Secret::new("hush".to_owned()));
    Root::equipped(CONFIG.as_bytes(), &mut { secret }).unwrap_or_else(|errors| panic!("{errors}"))
}

fn now() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

fn token(claims: &str) -> String {
    let part = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
    [part(r#"{"alg":"RS256","typ":"at+jwt"}"#), part(claims), part("signature")].join(".")
}

fn subject(user: &str) -> String {
    token(&format!(r#"{{"iss":"https://idp.example","sub":"{user}","aud":"gate","scope":"read","exp":1800000600}}"#))
}

fn issued(user: &str) -> String {
    let claims = format!(
        r#"{{"iss":"https://idp.example","sub":"{user}","aud":"tools","azp":"planner","scope":"read","exp":1800000300}}"#
    );
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    format!(r#"{{"access_token":"{}","token_type":"Bearer","expires_in":300,"issued_token_type":"{kind}"}}"#, token(&claims))
}

/// What a request made its driver do.
#[derive(Debug, Default)]
struct Did {
    calls: Vec<(CallId, HttpCall)>,
    authorization: Option<String>,
    resumed: bool,
    status: Option<u16>,
}

fn drain(stream: &mut Stream<filter::ExchangeFilter>) -> Did {
    let mut did = Did::default();
    while let Some(op) = stream.poll_op() {
        match op {
            Op::CallOutShared(id, Callout::Http(call)) => did.calls.push((id, call)),
            Op::SetHeader(_, name, value) if name == "authorization" => did.authorization = String::from_utf8(value).ok(),
            Op::Resume(Direction::Request) => did.resumed = true,
            Op::Respond(answer) => did.status = Some(answer.status),
            _ => {}
        }
    }
    did
}

fn begin(root: &Root<TokenExchange>, user: &str) -> (Stream<filter::ExchangeFilter>, Flow, Did) {
    begin_at(root, user, now())
}

fn begin_at(root: &Root<TokenExchange>, user: &str, at: Timestamp) -> (Stream<filter::ExchangeFilter>, Flow, Did) {
    let mut stream = root.stream();
    let authorization = format!("Bearer {}", subject(user));
    let headers: Headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "tools.example"),
        (":path", "/"),
        ("authorization", &authorization),
    ]
    .into_iter()
    .collect();
    let expires = 1_800_000_600_f64.to_le_bytes();
    let of = |name: &str| match name {
        "io.istio.peer_principal" => Some(&b"spiffe://d/planner"[..]),
        "iss" => Some(&b"https://idp.example"[..]),
        "sub" => Some(user.as_bytes()),
        "scope" => Some(&b"read"[..]),
        "exp" => Some(&expires[..]),
        _ => None,
    };
    let declared = root.settings().properties.clone();
    let values: Vec<_> = declared.iter().map(|path| Ok(path.0.last().and_then(|name| of(name)).map(<[u8]>::to_vec))).collect();
    let head = Head { headers: &headers, properties: Properties::new(&values), end_of_stream: true };
    let flow = stream.handle(Event::RequestHeaders(head), at, &mut Host);
    let did = drain(&mut stream);
    (stream, flow, did)
}

/// The answer to a call, as a driver gives it: first to the root, then to whoever waits.
fn answer(
    root: &mut Root<TokenExchange>,
    streams: &mut [Stream<filter::ExchangeFilter>],
    call: CallId,
    status: u16,
    body: &str,
) -> Vec<Did> {
    let headers: Headers = [(":status", "200"), ("content-type", "application/json")].into_iter().collect();
    let reply = || Ok(Reply { status, headers: &headers, body: body.as_bytes() });
    root.on_reply(call, now(), reply(), &mut Host);
    while let Some(op) = root.poll_op() {
        assert!(!matches!(op, RootOp::CallOut(..)), "no second call");
    }
    let waiting = streams.iter_mut().filter(|stream| stream.awaits(call));
    waiting
        .map(|stream| {
            let _flow = stream.handle(Event::CalloutReply(call, reply()), now(), &mut Host);
            drain(stream)
        })
        .collect()
}

#[test]
fn requests_that_need_the_same_token_wait_for_one_call() {
    let mut root = root();
    let (mut streams, mut calls) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let (stream, flow, did) = begin(&root, "alice");
        assert_eq!(flow, Flow::Pause);
        calls.extend(did.calls);
        streams.push(stream);
    }
    let [(call, _)] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    let did = answer(&mut root, &mut streams, *call, 200, &issued("alice"));
    assert_eq!(did.len(), 50);
    let first = did[0].authorization.clone();
    assert!(first.as_ref().is_some_and(|value| value.starts_with("Bearer ey")));
    assert!(did.iter().all(|did| did.resumed && did.authorization == first && did.status.is_none()));
    let (_, flow, did) = begin(&root, "alice");
    assert_eq!((flow, did.calls.len(), did.authorization), (Flow::Continue, 0, first));
}

#[test]
fn a_failure_is_that_of_all_who_waited_and_of_nobody_after_them() {
    let mut root = root();
    let (first, _, did) = begin(&root, "alice");
    let call = did.calls[0].0;
    let (second, _, did) = begin(&root, "alice");
    assert_eq!(did.calls.len(), 0);
    let did = answer(&mut root, &mut [first, second], call, 500, "");
    assert_eq!(did.iter().map(|did| did.status).collect::<Vec<_>>(), [Some(503), Some(503)]);
    let (_, _, did) = begin(&root, "alice");
    assert_eq!(did.calls.len(), 1);
}

#[test]
fn another_user_is_another_call_and_another_token() {
    let mut root = root();
    let (alice, _, did) = begin(&root, "alice");
    let call = did.calls[0].0;
    let (bob, _, did) = begin(&root, "bob");
    assert_eq!(did.calls.len(), 1);
    let mut streams = [alice, bob];
    // What was issued for one user does not go to another, even if the token service mixes them up.
    assert_eq!(answer(&mut root, &mut streams, did.calls[0].0, 200, &issued("alice"))[0].status, Some(502));
    assert!(answer(&mut root, &mut streams, call, 200, &issued("alice"))[0].authorization.is_some());
}

#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let mut root = root();
    let (stream, _, did) = begin(&root, "alice");
    let call = did.calls[0].0;
    let mut streams = [stream];
    assert_eq!(answer(&mut root, &mut streams, call, 200, &issued("alice")).len(), 1);
    assert_eq!(answer(&mut root, &mut streams, call, 200, &issued("bob")).len(), 0);
    let (_, _, did) = begin(&root, "bob");
    assert_eq!(did.calls.len(), 1);
}

#[test]
fn calls_under_way_are_bounded() {
    let root = root();
    let each: Vec<_> = (0..300).map(|number| begin(&root, &format!("user-{number}"))).collect();
    assert_eq!(each.iter().filter(|(_, _, did)| did.calls.len() == 1).count(), 256);
    assert!(each.iter().skip(256).all(|(_, _, did)| did.status == Some(503)));
}

#[test]
fn a_secret_that_is_missing_is_a_problem() {
    let errors = |value: Option<&str>| {
        let secret = |_: &str| value.map(|value| Secret::new(value.to_owned()));
        Root::<TokenExchange>::equipped(CONFIG.as_bytes(), &mut { secret }).err().map(|errors| errors.to_string())
    };
    assert_eq!(errors(Some("x")), None);
    assert_eq!(errors(None), errors(Some("")));
    insta::assert_snapshot!(errors(None).unwrap(), @"
    token-exchange: 1 problem in the configuration
      servers[0].clients[0].auth.secret.env: `SECRET` is not in the environment of this proxy, or empty. In Envoy `vm_config.environment_variables` names it
    ");
}

#[test]
fn without_its_secrets_it_asks_nobody() {
    let Ok(root) = Root::<TokenExchange>::configure(CONFIG.as_bytes()) else { panic!("it is good") };
    let (_, _, did) = begin(&root, "alice");
    assert_eq!((did.calls.len(), did.status), (0, Some(500)));
}

#[test]
fn a_private_key_that_is_none_is_a_problem() {
    let auth = r#"{"method":"client_secret_post","secret":{"env":"SECRET"}}"#;
    assert!(CONFIG.contains(auth));
    let config = CONFIG.replace(auth, r#"{"method":"private_key_jwt","key":{"env":"SECRET"}}"#);
    let secret = |_: &str| Some(Secret::new("hush".to_owned()));
    let errors = Root::<TokenExchange>::equipped(config.as_bytes(), &mut { secret }).err().map(|errors| errors.to_string());
    insta::assert_snapshot!(errors.unwrap(), @"
    token-exchange: 1 problem in the configuration
      servers[0].clients[0].auth.key.env: the private key is neither a JWK nor PKCS#8, SEC 1 or PKCS#1 in PEM
    ");
}
