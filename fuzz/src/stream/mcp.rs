//! The filter that ships: whatever comes, no byte of a body reaches the server before its request is allowed, and no list
//! shows what may not be called.

use wardpoint_core::filter::{CalloutError, Root};
use wardpoint_core::http::Headers;
use wardpoint_core::mcp_authz::McpAuthz;
use wardpoint_core::time::Duration;

use wardpoint_core::filter::Direction::{Request, Response};

use super::proxy::{Happening, Proxy};
use crate::caller::Who;
use crate::input::Input;
use crate::message::parts;

/// Between request and answer.
pub(crate) const BETWEEN: &[u8] = b"\n--\n";

/// A tool that no policy here allows.
pub(crate) const SECRET: &str = "secret_tool";

const POLICIES: &[&str] = &[
    r#"{"version":1,"identity":{"peer":"waypoint"},"rules":[{"id":"r","allow":{"agents":["*"],"user":"none","tools":["read_*"]}}]}"#,
    r#"{"version":1,"identity":{"peer":"mtls","claims":{"provider":"p"}},"denial":"hide","rules":[
        {"id":"r","allow":{"agents":["spiffe://a/*"],"tools":["*"],"scopes":["x"]}},{"id":"d","deny":{"tools":["secret_*"]}}]}"#,
    r#"{"version":1,"identity":{"peer":"none","claims":{"provider":"p"}},"denial":"stepUp","limits":{"maxBodyBytes":400},"origins":["https://a"],
        "rules":[{"id":"r","allow":{"agents":["c"],"tools":["read_file","write_file"]}}]}"#,
    r#"{"version":1,"versions":["2026-07-28"],"identity":{"peer":"waypoint"},"rules":[{"id":"r","allow":{"agents":["*"],"user":"none","tools":["read_*"]}}]}"#,
];

/// The last byte of the first five: policy and host, caller, how bodies are cut, what goes wrong, what fails.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte().unwrap_or(0);
    let (hold, observe) = (flags & 0x10 != 0, flags & 0x60 == 0x60);
    let who = who(input.below(6));
    let (cut, wrong, faults) = (input.below(64), input.byte().unwrap_or(0), [input.byte().unwrap_or(0)]);
    let policy = POLICIES.get(usize::from(flags & 3)).copied().unwrap_or_default();
    let profile =
        format!(r#"{{"hostProfile":{{"holdHeaders":{hold}}},"mode":"{}","#, if observe { "observe" } else { "enforce" });
    let config = policy.replacen('{', &profile, 1);
    let Ok(root) = Root::<McpAuthz>::configure(config.as_bytes()) else { panic!("no policy: {config}") };

    let text = input.rest();
    let middle = text.windows(BETWEEN.len()).position(|window| window == BETWEEN);
    let (request, answer) = middle
        .map_or((text, &b""[..]), |at| (text.get(..at).unwrap_or_default(), text.get(at + BETWEEN.len()..).unwrap_or_default()));
    let (request_headers, body) = head(request, &[(":method", "POST"), (":path", "/mcp"), ("content-type", "application/json")]);
    let (answer_headers, answer_body) = head(answer, &[(":status", "200"), ("content-type", "application/json")]);
    let properties = who.properties(&root.settings().properties);

    let mut proxy = Proxy::new(root.stream(), observe, Input::new(if wrong & 0x40 == 0 { b"" } else { &faults }));
    let mut happen = |what: &Happening<'_>| {
        let allowed = proxy.is_allowed();
        proxy.happens(what);
        let unseen = proxy.request.gone.is_empty() || proxy.is_allowed() || observe;
        assert!(unseen, "a body went on before its request was allowed");
        if !allowed && hold && !observe {
            assert!(proxy.is_allowed() || !proxy.request.complete, "a request went on before it was allowed");
        }
    };
    let odd = |at: u8| wrong & 0x0f == at && wrong & 0x80 != 0;
    if odd(0) {
        happen(&Happening::Body(Request, body, false));
    }
    if odd(1) {
        happen(&Happening::Headers(Response, &answer_headers, &[], false));
    }
    happen(&Happening::Headers(Request, &request_headers, &properties, body.is_empty()));
    if odd(2) {
        happen(&Happening::Headers(Request, &request_headers, &properties, false));
    }
    if odd(3) {
        happen(&Happening::Tick(Duration::from_secs(2)));
    }
    for (part, last) in chunks(body, cut, wrong & 0x20 != 0) {
        if odd(4) {
            happen(&Happening::Unreadable(Request, part, last));
        } else if !(odd(5) && last) {
            happen(&Happening::Body(Request, part, last));
        }
        if odd(6) {
            happen(&Happening::Reply(0, Err(CalloutError::NoReply)));
        }
    }
    if wrong & 0x20 != 0 && !body.is_empty() {
        happen(&Happening::Trailers(Request));
    }
    if odd(7) {
        happen(&Happening::Body(Request, b"{}", true));
    }
    if odd(8) {
        happen(&Happening::End);
    } else if !answer.is_empty() {
        happen(&Happening::Headers(Response, &answer_headers, &[], answer_body.is_empty()));
        for (part, last) in chunks(answer_body, cut / 2, wrong & 0x10 != 0) {
            if odd(9) {
                happen(&Happening::Unreadable(Response, part, last));
            } else {
                happen(&Happening::Body(Response, part, last));
            }
        }
        if wrong & 0x10 != 0 && !answer_body.is_empty() {
            happen(&Happening::Trailers(Response));
        }
    }
    happen(&Happening::End);
    if proxy.request.complete && !observe {
        assert_eq!(proxy.request.gone, body, "another body than that which was judged went on");
        let asks_for_list = body.windows(12).any(|window| window == b"\"tools/list\"");
        assert!(!asks_for_list || !shows_secret(&proxy.response.gone), "a list shows what may not be called");
    }
}

fn who(which: usize) -> Who {
    let peer = |peer: &str| Some(peer.to_owned());
    let claims = |scope: &str| Some(serde_json::json!({"iss": "https://idp", "sub": "alice", "scope": scope, "azp": "c"}));
    match which {
        0 => Who { peer: peer("spiffe://a/b"), claims: claims("x y") },
        1 => Who { peer: peer("spiffe://a/b"), claims: None },
        2 => Who { peer: None, claims: claims("x") },
        3 => Who { peer: peer("spiffe://b/c"), claims: claims("xy") },
        4 => Who { peer: peer("not a name"), claims: Some(serde_json::json!({"sub": null})) },
        _ => Who::default(),
    }
}

/// Headers of the text, with those of `basic` that it does not have itself.
fn head<'a>(text: &'a [u8], basic: &[(&str, &str)]) -> (Headers, &'a [u8]) {
    let (written, body) = parts(text);
    let mut headers: Headers = basic.iter().copied().filter(|(name, _)| !written.has(name)).collect();
    for (name, value) in written.iter() {
        headers.push(name, value);
    }
    (headers, body)
}

/// The body in parts of one size, and which is the last; none is if trailers follow.
fn chunks(body: &[u8], size: usize, trailers: bool) -> impl Iterator<Item = (&[u8], bool)> {
    let size = if size == 0 { body.len().max(1) } else { size };
    let count = body.len().div_ceil(size);
    body.chunks(size).enumerate().map(move |(index, part)| (part, index + 1 == count && !trailers))
}

/// Whether a client would find the secret tool in a list.
fn shows_secret(answer: &[u8]) -> bool {
    let lists = |text: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
        let tools = value.pointer("/result/tools").and_then(|tools| tools.as_array()).cloned().unwrap_or_default();
        tools.iter().any(|tool| tool.get("name").and_then(|name| name.as_str()).is_some_and(|name| name == SECRET))
    };
    lists(answer) || crate::sse::dispatched(answer).iter().any(|(_, data)| lists(data))
}
