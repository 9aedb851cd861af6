//! 100,000 requests through one VM of the compiled plugin: nothing grows with them.
//!
//! Measured, after a warm-up: the module's linear memory, which never shrinks and grows by pages of 64 KiB, so that less
//! than one byte a request that is never given back would show; the entries of what VMs share (metrics, shared data,
//! queues); and the memory of this process, in which the host's own tables are. Names, ids, users and answers differ from
//! request to request, so what is kept by any of them would show too.
mod plays;

use std::path::PathBuf;

use plays::sent;
use serde_json::json;
use wardpoint_test_host::engine::Play;
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::wasm::{Compiled, OnTrap, Worker};

/// Requests, unless `WARDPOINT_SOAK_REQUESTS` says another number.
const REQUESTS: usize = 100_000;
/// What memory of the process may move by: pages that the allocator keeps.
const SLACK: usize = 4 << 20;

const POLICY: &str = r#"{"version":1,"identity":{"peer":"waypoint","claims":{"provider":"payload"}},
    "roles":{"claim":"groups","map":{"staff":["reader"]}},"denial":"stepUp",
    "rules":[{"id":"reads","allow":{"agents":["spiffe://cluster.local/ns/agents/*"],"tools":["read_*"],"scopes":["files:read"]}},
             {"id":"never","deny":{"tools":["*_secret"]}}]}"#;

#[test]
fn nothing_grows_with_requests() {
    let requests = std::env::var("WARDPOINT_SOAK_REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(REQUESTS);
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/plugins"));
    let module = Compiled::load(&directory, "mcp-authz").unwrap();
    let shared = std::rc::Rc::default();
    let mut worker = Worker::start(module, POLICY.as_bytes(), std::rc::Rc::clone(&shared), OnTrap::Closed).unwrap();
    let mut statuses = std::collections::BTreeMap::new();
    let mut warm = None;
    for index in 0..requests {
        let transcript = worker.play(&play(index), Manners::default()).unwrap();
        assert_eq!(transcript.trapped, None, "request {index}");
        assert!(!transcript.audit.is_empty(), "request {index} left no record");
        *statuses.entry(transcript.client.status).or_insert(0_usize) += 1;
        if index == requests / 10 {
            warm = Some((worker.vm().memory_size(), shared.borrow().entries(), process()));
        }
    }
    let (memory, entries, process_then) = warm.unwrap();
    let now = (worker.vm().memory_size(), shared.borrow().entries(), process());
    println!(
        "{requests} requests {statuses:?}; linear memory {memory} -> {} bytes, shared entries {entries} -> {}, process {process_then} -> {} bytes",
        now.0, now.1, now.2
    );
    assert_eq!(now.0, memory, "linear memory grew");
    assert_eq!(now.1, entries, "what VMs share grew");
    assert!(now.2 <= process_then + SLACK, "the process grew from {process_then} to {} bytes", now.2);
    for status in [200, 400, 401, 403] {
        assert!(statuses.get(&Some(status)).is_some_and(|count| *count > requests / 50), "few {status}: {statuses:?}");
    }
}

/// Memory of this process that is in use, in bytes; 0 where the system does not say.
fn process() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).map_or(0, |pages| pages * 4096)
}

/// One request of the mix; no two are alike.
fn play(index: usize) -> Play {
    let call = |tool: &str| json!({"name": tool, "arguments": {"path": "x".repeat(index % 3000), "n": index}});
    let (method, params) = match index % 8 {
        0 | 1 => ("tools/call", call(&format!("read_{index}"))),
        2 => ("tools/call", call(&format!("write_{index}"))),
        3 => ("tools/call", call(&format!("read_{index}_secret"))),
        4 | 5 => ("tools/list", json!({"cursor": index.to_string()})),
        6 => ("resources/list", json!({})),
        _ => ("tools/call", json!({"name": index})),
    };
    let body = json!({"jsonrpc": "2.0", "id": index, "method": method, "params": params}).to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let headers = [(":method", "POST"), (":path", "/mcp"), (":authority", "tools"), ("content-type", "application/json")];
    let scope = if index % 16 == 9 { format!("s{index}") } else { "files:read other".to_owned() };
    let groups = json!(["staff", format!("g{index}")]);
    let claims = json!({"iss": "https://idp.example", "sub": format!("user-{index}"), "scope": scope, "groups": groups});
    Play {
        plugin: "mcp-authz".into(),
        config: POLICY.into(),
        peer: Some(format!("spiffe://cluster.local/ns/agents/sa/a{index}")),
        claims: (!index.is_multiple_of(16)).then_some(claims),
        request: sent(&headers, &[first, rest]),
        upstream: Some(answer(index, method)),
        ..Play::default()
    }
}

/// A list of tools, as JSON or as events, or a result.
fn answer(index: usize, method: &str) -> wardpoint_test_host::engine::Sent {
    let tool = |name: String| json!({"name": name, "description": "d".repeat(100)});
    let tools: Vec<_> = (0..20).map(|n| tool(format!("{}_{}", if n % 2 == 0 { "read" } else { "write" }, index + n))).collect();
    let result = if method == "tools/list" { json!({"tools": tools}) } else { json!({"content": []}) };
    let text = json!({"jsonrpc": "2.0", "id": index, "result": result}).to_string();
    if index % 8 == 5 {
        let events = format!(": hello\n\nid: {index}\ndata: {text}\n\n");
        let (first, rest) = events.split_at(events.len() / 3);
        return sent(&[(":status", "200"), ("content-type", "text/event-stream")], &[first, rest]);
    }
    sent(&[(":status", "200"), ("content-type", "application/json")], &[&text])
}
