//! What a client shows and is fetched, in one VM with many requests and much time.

use super::*;
use crate::time::Duration;

const AUTH: &str = r#"{"method":"client_secret_post","secret":{"env":"SECRET"}}"#;
const SVID: &str = r#"{"method":"jwt-spiffe","svid":{"cluster":"bridge","authority":"bridge.local","path":"/svid"}}"#;

fn root_with(auth: &str) -> Root<TokenExchange> {
    assert!(CONFIG.contains(AUTH));
    let root = Root::equipped(CONFIG.replace(AUTH, auth).as_bytes(), &mut |_| None);
    root.unwrap_or_else(|errors| panic!("{errors}"))
}

fn svid(serial: u64, expires: Timestamp) -> String {
    let claims =
        format!(r#"{{"sub":"spiffe://d/planner","aud":"https://idp.example","serial":{serial},"exp":{}}}"#, expires.as_secs());
    token(&claims).replacen(&token("").split('.').next().unwrap().to_owned(), "eyJhbGciOiJFUzI1NiJ9", 1)
}

/// A host whose shared data works, and is looked at.
#[derive(Default)]
struct Open(Vec<(String, Vec<u8>)>);

impl Services for Open {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        into.fill(255);
        Ok(())
    }
    fn shared_get(&mut self, _: &str) -> Result<Option<Shared>, ServiceError> {
        Ok(None)
    }
    fn shared_set(&mut self, key: &str, value: &[u8], _: Option<Cas>) -> Result<(), ServiceError> {
        self.0.push((key.to_owned(), value.to_vec()));
        Ok(())
    }
    fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
        Err(ServiceError::Unsupported)
    }
}

/// The calls that a tick brings.
fn tick(root: &mut Root<TokenExchange>, at: Timestamp, host: &mut Open) -> Vec<CallId> {
    root.on_tick(at, host);
    let mut calls = Vec::new();
    while let Some(op) = root.poll_op() {
        if let RootOp::CallOut(id, _) = op {
            calls.push(id);
        }
    }
    calls
}

fn reply(root: &mut Root<TokenExchange>, call: CallId, at: Timestamp, body: Option<&str>, host: &mut Open) {
    let headers = Headers::default();
    let reply = body.map(|body| Reply { status: 200, headers: &headers, body: body.as_bytes() });
    root.on_reply(call, at, reply.ok_or(CalloutError::NoReply), host);
    while root.poll_op().is_some() {}
}

#[test]
fn all_who_come_first_wait_for_one_svid_and_then_for_one_token() {
    let mut root = root_with(SVID);
    let (mut streams, mut calls) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let (stream, flow, did) = begin(&root, "alice");
        assert_eq!(flow, Flow::Pause);
        calls.extend(did.calls);
        streams.push(stream);
    }
    let [(call, to)] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    assert_eq!((to.cluster.as_str(), to.body.len()), ("bridge", 0));
    let shown = svid(1, now() + Duration::from_secs(300));
    let mut did = answer(&mut root, &mut streams, *call, 200, &shown);
    assert_eq!(did.len(), 50);
    let calls: Vec<_> = did.iter_mut().flat_map(|did| did.calls.drain(..)).collect();
    let [(call, to)] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    let body = String::from_utf8(to.body.clone()).unwrap();
    assert!(body.ends_with(&format!("jwt-spiffe&client_assertion={shown}")), "{body}");
    let did = answer(&mut root, &mut streams, *call, 200, &issued("alice"));
    assert!(did.len() == 50 && did.iter().all(|did| did.resumed && did.status.is_none()));
}

#[test]
fn while_the_bridge_is_down_a_flood_of_requests_is_one_fetch() {
    let mut root = root_with(SVID);
    let (stream, _, did) = begin(&root, "alice");
    let did = answer(&mut root, &mut [stream], did.calls[0].0, 503, "");
    assert_eq!(did[0].status, Some(503));
    for user in 0..300 {
        let (_, _, did) = begin(&root, &format!("user-{user}"));
        assert_eq!((did.calls.len(), did.status), (0, Some(503)));
    }
}

/// Two days of SVIDs that live for ten minutes, from a bridge that fails each third time.
#[test]
fn there_is_always_a_good_one_and_never_one_in_shared_data() {
    let (mut root, mut host, mut serial) = (root_with(SVID), Open::default(), 0);
    let (start, life) = (now(), Duration::from_secs(600));
    let (mut fetched, mut failed) = (Vec::new(), 0);
    for half_second in 0..2 * 24 * 3600 * 2 {
        let at = start + Duration::from_millis(500) * half_second;
        for call in tick(&mut root, at, &mut host) {
            serial += 1;
            if serial % 3 == 0 {
                failed += 1;
                reply(&mut root, call, at, None, &mut host);
            } else {
                fetched.push(at);
                reply(&mut root, call, at, Some(&svid(serial, at + life)), &mut host);
            }
        }
    }
    assert!(failed > 100 && fetched[0] == start);
    let between: Vec<u64> = fetched.windows(2).map(|two| two[1].since(two[0]).as_secs()).collect();
    // Half of the life, less a fifth of that by chance, and a retry.
    assert!(between.iter().all(|seconds| (240..=305).contains(seconds)), "{between:?}");
    assert!(host.0.is_empty(), "{} writes", host.0.len());
}

#[test]
fn what_is_no_good_svid_takes_no_place() {
    let (mut root, mut host) = (root_with(SVID), Open::default());
    let (good, end) = (svid(1, now() + Duration::from_secs(60)), now() + Duration::from_secs(60));
    let calls = tick(&mut root, now(), &mut host);
    reply(&mut root, calls[0], now(), Some(&good), &mut host);
    let mut at = now();
    for body in ["", "<html>", &svid(2, now()), &good.replace("eyJhbGci", "eyJ0eXAi")] {
        let calls = loop {
            at = at + Duration::from_millis(500);
            let calls = tick(&mut root, at, &mut host);
            if !calls.is_empty() || at >= end {
                break calls;
            }
        };
        assert_eq!(calls.len(), 1, "{body}");
        reply(&mut root, calls[0], at, Some(body), &mut host);
        let (_, _, did) = begin_at(&root, &format!("user at {at}"), at);
        let [(_, call)] = did.calls.as_slice() else { panic!("{} calls", did.calls.len()) };
        assert!(call.cluster == "keycloak" && String::from_utf8_lossy(&call.body).ends_with(&good), "{body}");
    }
    let (_, _, did) = begin_at(&root, "alice", end);
    assert_eq!(did.calls.iter().map(|(_, call)| call.cluster.as_str()).collect::<Vec<_>>(), ["bridge"], "never longer");
}
