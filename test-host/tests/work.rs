//! What the compiled plugins do for a request, in instructions and host calls: counted, so it is the same on every machine.
//!
//! Time is measured in Envoy (`make bench`); this is what tells early that a path has become longer.
mod plays;

use std::path::{Path, PathBuf};

use plays::sent;
use serde_json::{Value, json};
use wardpoint_test_host::engine::{Play, Sent};
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::scenario::{self, Expectations, Profile};
use wardpoint_test_host::wasm::{Compiled, Cost, Vm};

/// Exchanges before the one that is counted: tables and caches are filled then.
const WARM: usize = 3;

const AGENT: &str = "bench-agent";

/// What one exchange of a warm VM costs.
fn cost(play: &Play) -> anyhow::Result<Cost> {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/plugins"));
    let module = Compiled::load(&directory, &play.plugin)?;
    let mut vm = Vm::start(&module, &play.config, std::rc::Rc::default())?;
    let mut before = Cost::default();
    for round in 0..=WARM {
        before = vm.cost();
        let transcript = vm.play(play, Manners::default());
        assert_eq!((transcript.client.status, transcript.trapped), (Some(200), None), "round {round}");
    }
    let after = vm.cost();
    let host_calls = after.host_calls.iter().map(|(name, count)| (*name, count - before.host_calls.get(name).unwrap_or(&0)));
    Ok(Cost {
        instructions: after.instructions - before.instructions,
        host_calls: host_calls.filter(|(_, count)| *count > 0).collect(),
    })
}

fn policy(rules: usize) -> Value {
    let rule = |index: usize| {
        let tool = if index + 1 == rules { "read_*".to_owned() } else { format!("other_{index}") };
        json!({"id": format!("rule-{index}"), "allow": {"agents": [AGENT], "user": "any", "tools": [tool]}})
    };
    json!({
        "version": 1,
        "hostProfile": {"holdHeaders": true},
        "identity": {"peer": "none", "claims": {"provider": "payload"}},
        "audit": {"to": ["accessLog"]},
        "rules": (0..rules).map(rule).collect::<Vec<_>>(),
    })
}

fn play(rules: usize, body: &str, answer: &str) -> Play {
    let length = body.len().to_string();
    let headers = [
        (":method", "POST"),
        (":path", "/mcp"),
        (":authority", "tools.example.com"),
        (":scheme", "http"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("content-length", &length),
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-session-id", "1868a90c-5f7a-4b7e-9c1d-3f6d0a9f2c11"),
    ];
    Play {
        plugin: "mcp-authz".into(),
        config: policy(rules).to_string().into_bytes(),
        hold_headers: true,
        claims: Some(json!({"iss": "https://idp.example.com", "sub": "alice", "azp": AGENT, "exp": 4_102_444_800_u64})),
        request: sent(&headers, &[body]),
        upstream: Some(answered(answer)),
        ..Play::default()
    }
}

fn answered(body: &str) -> Sent {
    sent(&[(":status", "200"), ("content-type", "application/json"), ("content-length", &body.len().to_string())], &[body])
}

/// A `tools/call` of about this size: with one long text, or with many small members.
fn call(size: usize, members: bool) -> String {
    let arguments: Value = if members {
        (0..size / 35)
            .map(|index| (format!("k{index}"), json!([index, true, {"a": "b", "c": null}])))
            .collect::<serde_json::Map<_, _>>()
            .into()
    } else {
        json!({"content": "the quick brown fox jumps over the lazy dog and ".repeat(size / 48)})
    };
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "read_file", "arguments": arguments}})
        .to_string()
}

/// 80 tools in 52 KB; half of them are kept.
fn list() -> String {
    let tool = |index: usize| {
        json!({
            "name": format!("{}_{index}", if index.is_multiple_of(2) { "read" } else { "write" }),
            "description": "Reads what is there, and says so. ".repeat(10),
            "inputSchema": {"type": "object", "required": ["path"], "additionalProperties": false, "properties": {
                "path": {"type": "string", "description": "The path, from the root of the tree that the server has"},
                "depth": {"type": "integer", "minimum": 0, "maximum": 9},
            }},
            "annotations": {"readOnlyHint": true},
        })
    };
    json!({"jsonrpc": "2.0", "id": 7, "result": {"tools": (0..80).map(tool).collect::<Vec<_>>()}}).to_string()
}

/// Says what it costs, and that it is no more than this.
fn bounded(name: &str, cost: &Cost, instructions: u64, calls: u64) {
    let count: u64 = cost.host_calls.values().sum();
    println!("{name:28} {:8} instructions, {count:2} host calls {:?}", cost.instructions, cost.host_calls);
    assert!(cost.instructions <= instructions, "{name}: {} instructions, not {instructions} at the most", cost.instructions);
    assert!(count <= calls, "{name}: {count} host calls, not {calls} at the most: {:?}", cost.host_calls);
}

#[test]
fn no_path_is_longer_than_this() -> anyhow::Result<()> {
    let done = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;
    let asked = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}"#;
    let list = list();
    let works = [
        ("call of 256 B", play(1, &call(256, false), done), 68_500, 10),
        ("call of 2 KiB", play(1, &call(2 << 10, false), done), 71_000, 10),
        ("call of 2 KiB, 1,000 rules", play(1_000, &call(2 << 10, false), done), 73_000, 10),
        ("call of 64 KiB, one text", play(1, &call(64 << 10, false), done), 154_500, 10),
        ("call of 64 KiB, members", play(1, &call(64 << 10, true), done), 3_290_000, 10),
        ("list of 80 tools, as before", play(1, asked, &list), 483_000, 17),
    ];
    // A condition on where the proxy sends the request costs one more host call, and who has none does not pay for it.
    let where_to = play(1, &call(256, false), done);
    let rules = String::from_utf8(where_to.config.clone())?
        .replace("\"user\":\"any\"", "\"user\":\"any\",\"when\":\"has(request.cluster)\"");
    let where_to = ("call of 256 B, by cluster", Play { config: rules.into_bytes(), ..where_to }, 72_000, 11);
    for (name, play, instructions, calls) in works.into_iter().chain([where_to]) {
        bounded(name, &cost(&play)?, instructions, calls);
    }
    Ok(())
}

#[test]
fn a_warm_exchange_is_no_longer_than_this() -> anyhow::Result<()> {
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/token-exchange/tokens.yaml"));
    let scenario = scenario::load(file, Expectations::Required)?;
    // A token that is good and verified here; the exchanges before the one that is counted have brought its successor.
    let mut play = scenario::play::play(&scenario.plugin, &scenario.cases[0], Profile::Hold);
    let mut config: Value = serde_json::from_slice(&play.config)?;
    config["audit"] = json!({"to": ["accessLog"]});
    config["servers"][0]["client"] = json!({"of": "gate", "id": "planner"});
    config["servers"][0]["clients"] = json!([{"id": "planner", "auth": {"method": "cluster"}}]);
    config["identity"] = json!({"peer": "none", "tokens": config["identity"]["tokens"]});
    play.config = config.to_string().into_bytes();
    play.peer = None;
    let cost = cost(&play)?;
    assert!(!cost.host_calls.contains_key("proxy_http_call"), "it was asked for again");
    bounded("warm exchange", &cost, 66_500, 10);
    Ok(())
}
