//! One request through the filter that ships, and what came of it.

use wardpoint_core::filter::Direction::{Request as Up, Response as Down};
use wardpoint_core::filter::Root;
use wardpoint_core::http::Headers;
use wardpoint_core::mcp_authz::McpAuthz;

use super::proxy::{Happening, Proxy};
use crate::generate::Request;
use crate::input::Input;

/// What came of a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Played {
    /// The server got it, whole.
    pub passed: bool,
    /// Why not; the first reason that was recorded.
    pub reason: Option<&'static str>,
    /// The names in the list that the client got.
    pub shown: Vec<String>,
}

/// Plays a request; if it passes and asks for a list, the server answers with one.
pub fn play(root: &Root<McpAuthz>, request: &Request) -> Played {
    let headers: Headers = request.headers.iter().map(|(name, value)| (name, value)).collect();
    let properties = request.who.properties(&root.settings().properties);
    let mut proxy = Proxy::new(root.stream(), false, Input::new(b""));
    proxy.happens(&Happening::Headers(Up, &headers, &properties, request.body.is_empty()));
    if !request.body.is_empty() {
        let (first, last) = request.body.split_at(request.body.len() / 2);
        proxy.happens(&Happening::Body(Up, first, false));
        proxy.happens(&Happening::Body(Up, last, true));
    }
    let passed = proxy.request.complete;
    if let (true, Some((member, names))) = (passed, &request.listed) {
        let key = if *member == "resources" { "uri" } else { "name" };
        let items: Vec<_> = names.iter().map(|name| serde_json::json!({key: name, "description": "d"})).collect();
        let id = id(&request.body);
        let answer = serde_json::json!({"jsonrpc": "2.0", "id": id, "result": {*member: items}}).to_string();
        let headers: Headers = [(":status", "200"), ("content-type", "application/json")].into_iter().collect();
        proxy.happens(&Happening::Headers(Down, &headers, &[], false));
        proxy.happens(&Happening::Body(Down, answer.as_bytes(), true));
    }
    proxy.happens(&Happening::End);
    let reason = proxy.records.iter().find_map(|record| record.reason).map(|reason| reason.code());
    let shown = request.listed.as_ref().map(|(member, _)| shown(&proxy.response.gone, member)).unwrap_or_default();
    Played { passed, reason, shown }
}

fn id(body: &[u8]) -> serde_json::Value {
    let message: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    message.get("id").cloned().unwrap_or_default()
}

fn shown(answer: &[u8], member: &str) -> Vec<String> {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    let items = answer.pointer(&format!("/result/{member}")).and_then(|items| items.as_array()).cloned().unwrap_or_default();
    let name = |item: &serde_json::Value| Some(item.get("name").or(item.get("uri"))?.as_str()?.to_owned());
    items.iter().filter_map(name).collect()
}
