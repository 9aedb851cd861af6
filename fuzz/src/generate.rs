//! Policies, callers and messages: what honest clients send, what hostile ones do, and what lies between.

use serde_json::{Value, json};

use crate::caller::Who;
use crate::random::Random;

/// One request, and the items that the server's answer lists.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which of the policies is in force.
    pub policy: usize,
    /// Who asks.
    pub who: Who,
    /// Header pairs.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The member of `result` that lists, and the names or URIs in it.
    pub listed: Option<(&'static str, Vec<&'static str>)>,
}

const AGENTS: &[&str] = &[
    "spiffe://cluster.local/ns/agents/sa/planner",
    "spiffe://cluster.local/ns/agents/sa/writer",
    "spiffe://cluster.local/ns/tools/sa/x",
];
const CLIENTS: &[&str] = &["planner", "writer", "app"];
const TOOLS: &[&str] =
    &["read_file", "write_file", "delete_file", "delete_all", "search_web", "Read_file", "read_file ", "r", "*"];
const TOOL_PATTERNS: &[&str] = &["*", "read_*", "*_file", "delete_*", "read_file", "write_file", "search_web", "r*e"];
const PROMPTS: &[&str] = &["greet", "summarize", "admin_greet"];
const PROMPT_PATTERNS: &[&str] = &["*", "greet", "summ*", "*_greet"];
const URIS: &[&str] = &[
    "file:///public/a.txt",
    "file:///secret/a.txt",
    "FILE:///public/a.txt",
    "file:///public/../secret/a.txt",
    "file:///public/%2e%2e/secret",
    "https://a.example/x",
    "https://user@a.example/x",
    "file:///public/a%2fb",
    "https://b.example/x",
];
const URI_PATTERNS: &[&str] = &["*", "file:///public/*", "file:///public/a.txt", "https://a.example/*", "https://*/x"];
const SCOPES: &[&str] = &["files:read", "files:write", "files:admin", "web"];
const GROUPS: &[&str] = &["admins", "staff", "guests"];
const ROLES: &[&str] = &["admin", "reader"];
const METHODS: &[&str] = &["tasks/list", "logging/setLevel", "tools/call", "resources/subscribe"];
const VERSIONS: &[&str] = &["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
const MODERN: &str = "2026-07-28";
const META: &str = "io.modelcontextprotocol/protocolVersion";

fn some(from: &[&'static str], random: &mut Random) -> Vec<&'static str> {
    let mut out: Vec<&str> = (0..=random.below(2)).map(|_| random.pick(from)).collect();
    out.dedup();
    out
}

/// A policy. Not every one is accepted: some have rules that can never match.
pub fn policy(random: &mut Random) -> Value {
    let peer = random.pick(&["waypoint", "mtls", "none", "waypoint"]);
    let mut policy = json!({"version": 1, "identity": {"peer": peer, "claims": {"provider": "p"}}});
    if peer != "none" && random.once_in(3) {
        policy["identity"]["agents"] =
            json!([{"spiffe": AGENTS[0], "client": CLIENTS[0]}, {"spiffe": AGENTS[1], "client": CLIENTS[1]}]);
    }
    policy["roles"] = json!({"claim": if random.once_in(3) { json!(["realm_access", "roles"]) } else { json!("groups") }, "map": {"admins": ["admin", "reader"], "staff": ["reader"]}});
    if random.once_in(2) {
        policy["scopes"] = json!({"implies": {"files:admin": ["files:write"], "files:write": ["files:read"]}});
    }
    if random.once_in(6) {
        policy["versions"] = json!([MODERN]);
    }
    if random.once_in(6) {
        policy["limits"] = json!({"maxBodyBytes": 300});
    }
    if random.once_in(6) {
        policy["origins"] = json!(["https://a.example"]);
    }
    if random.once_in(4) {
        policy["denial"] = json!(random.pick(&["hide", "stepUp"]));
    }
    let names = if peer == "none" { CLIENTS } else { AGENTS };
    if random.once_in(3) {
        let mut tiers = json!({});
        if random.once_in(2) {
            tiers["global"] = rules(names, "g", false, random);
        }
        if random.once_in(2) {
            tiers["namespaces"] = json!({"agents": rules(names, "n", false, random)});
        }
        if random.once_in(2) {
            tiers["clients"] = json!({"planner": rules(names, "c", false, random)});
        }
        policy["tiers"] = tiers;
    }
    policy["rules"] = rules(names, "r", true, random);
    policy
}

fn rules(agents: &[&'static str], prefix: &str, allows: bool, random: &mut Random) -> Value {
    let count = 1 + random.below(4);
    let rule = |index: usize, random: &mut Random| {
        let allow = (allows && index == 0) || !random.once_in(3);
        let mut part = json!({});
        if allow || random.once_in(3) {
            part["agents"] = if !random.once_in(3) { json!(["*"]) } else { json!(some(agents, random)) };
        }
        if random.once_in(4) && !allow {
            // Names nothing, so it means everything.
            part["agents"] = json!([random.pick(agents)]);
        } else {
            for (kind, patterns) in
                [("tools", TOOL_PATTERNS), ("prompts", PROMPT_PATTERNS), ("resources", URI_PATTERNS), ("methods", METHODS)]
            {
                if random.once_in(if kind == "tools" { 2 } else { 4 }) {
                    let from = if allow && kind == "methods" { &METHODS[..2] } else { patterns };
                    part[kind] = json!(some(from, random));
                }
            }
            if ["tools", "prompts", "resources", "methods"].iter().all(|kind| part.get(kind).is_none()) {
                part["tools"] = json!(some(TOOL_PATTERNS, random));
            }
        }
        if allow {
            match random.below(4) {
                0 => part["user"] = json!("none"),
                1 => part["scopes"] = json!(some(SCOPES, random)),
                2 => part["roles"] = json!(some(ROLES, random)),
                _ => {}
            }
        }
        let mut rule = json!({"id": format!("{prefix}{index}")});
        rule[if allow { "allow" } else { "deny" }] = part;
        if !allow && random.once_in(6) {
            rule["mode"] = json!("observe");
        }
        rule
    };
    (0..count).map(|index| rule(index, random)).collect()
}

fn who(random: &mut Random) -> Who {
    let peer =
        if random.once_in(8) { random.pick(&["", "spiffe://", "spiffe://a,spiffe://b", "planner"]) } else { random.pick(AGENTS) };
    let mut claims = json!({"iss": "https://idp.example", "sub": random.pick(&["alice", "bob", "app"]), "scope": some(SCOPES, random).join(" "), "azp": random.pick(CLIENTS)});
    match random.below(8) {
        0 => claims["groups"] = json!(random.pick(GROUPS)),
        1 | 2 => claims["groups"] = json!(some(GROUPS, random)),
        3 => claims["realm_access"] = json!({"roles": some(GROUPS, random)}),
        4 => claims["act"] = json!({"sub": if random.once_in(2) { random.pick(CLIENTS) } else { random.pick(AGENTS) }}),
        _ => {}
    }
    if random.once_in(30) {
        let claim = random.pick(&["sub", "scope", "azp", "act"]);
        claims[claim] = if random.once_in(2) { Value::Null } else { json!({"a": 1}) };
    }
    Who { peer: Some(peer.to_owned()).filter(|peer| !peer.is_empty()), claims: (!random.once_in(5)).then_some(claims) }
}

/// A request: valid, with some twist of a hostile client, or broken somewhere.
pub fn request(policies: usize, random: &mut Random) -> Request {
    let modern = random.once_in(2);
    let (method, mut params, key) = asked(random);
    let mut listed = None;
    if let Some((member, names)) =
        [("tools/list", ("tools", TOOLS)), ("prompts/list", ("prompts", PROMPTS)), ("resources/list", ("resources", URIS))]
            .into_iter()
            .find(|(list, _)| *list == method)
            .map(|(_, list)| list)
    {
        listed = Some((member, names.iter().copied().filter(|_| !random.once_in(4)).collect()));
    }
    let mut headers: Vec<(String, String)> = [
        (":method", "POST"),
        (":path", "/mcp"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    if modern {
        params["_meta"] = json!({META: MODERN});
        add("mcp-protocol-version", MODERN);
        add("mcp-method", method);
        if !key.is_empty() {
            add("mcp-name", key);
        }
    } else if !random.once_in(4) {
        add("mcp-protocol-version", random.pick(VERSIONS));
    }
    let id = if random.once_in(12) {
        random.pick(&["null", "1.5", "{}", "[1]", "true", "-0", "\"\"", ""])
    } else {
        random.pick(&["1", "\"a\"", "0"])
    };
    let mut body = text(method, id, &params, random);
    let policy = random.below(policies);
    if random.once_in(3) {
        twist(&mut headers, &mut body, random);
    }
    Request { policy, who: who(random), headers, body: body.into_bytes(), listed }
}

/// Method, params, and what a modern client puts into `mcp-name`.
fn asked(random: &mut Random) -> (&'static str, Value, &'static str) {
    let (tool, prompt, uri) = (random.pick(TOOLS), random.pick(PROMPTS), random.pick(URIS));
    match random.below(20) {
        0..=7 => ("tools/call", json!({"name": tool, "arguments": {"path": uri, "name": random.pick(TOOLS)}}), tool),
        8 | 9 => ("tools/list", json!({}), ""),
        10 => (random.pick(&["prompts/list", "resources/list", "resources/templates/list"]), json!({}), ""),
        11 => ("prompts/get", json!({"name": prompt, "arguments": {}}), prompt),
        12 => ("resources/read", json!({"uri": uri}), uri),
        13 => (random.pick(&["resources/subscribe", "resources/unsubscribe"]), json!({"uri": uri}), ""),
        14 if random.once_in(2) => {
            ("completion/complete", json!({"ref": {"type": "ref/prompt", "name": prompt}, "argument": {}}), "")
        }
        14 => ("completion/complete", json!({"ref": {"type": "ref/resource", "uri": uri}, "argument": {}}), ""),
        15 => (
            "subscriptions/listen",
            json!({"notifications": {"resourceSubscriptions": [uri, random.pick(URIS)], "taskIds": if random.once_in(2) { json!(["t"]) } else { json!([]) }}}),
            "",
        ),
        16 => (random.pick(&["tasks/get", "tasks/result", "tasks/cancel", "tasks/update"]), json!({"taskId": "t"}), "t"),
        17 => (
            random.pick(&["initialize", "ping", "server/discover", "logging/setLevel", "tasks/list"]),
            json!({"protocolVersion": "2025-11-25"}),
            "",
        ),
        18 => (
            random.pick(&[
                "notifications/cancelled",
                "notifications/initialized",
                "notifications/progress",
                "notifications/message",
                "notifications/resources/updated",
            ]),
            json!({"uri": uri}),
            "",
        ),
        _ => (
            random.pick(&[
                "sampling/createMessage",
                "elicitation/create",
                "roots/list",
                "tools/Call",
                "TOOLS/CALL",
                "x/y",
                "",
                "tools/call ",
            ]),
            json!({"name": tool}),
            tool,
        ),
    }
}

/// The message with its members in any order.
fn text(method: &str, id: &str, params: &Value, random: &mut Random) -> String {
    let mut members =
        vec!["\"jsonrpc\":\"2.0\"".to_owned(), format!("\"method\":{}", json!(method)), format!("\"params\":{params}")];
    if !id.is_empty() && !method.starts_with("notifications/") {
        members.insert(1, format!("\"id\":{id}"));
    }
    let turn = random.below(members.len());
    members.rotate_left(turn);
    format!("{{{}}}", members.join(","))
}

/// What hostile clients do.
fn twist(headers: &mut Vec<(String, String)>, body: &mut String, random: &mut Random) {
    let tool = random.pick(TOOLS);
    let mut header = |name: &str, value: &str| {
        if random.once_in(2) {
            headers.retain(|(known, _)| known != name);
        }
        headers.push((name.to_owned(), value.to_owned()));
    };
    match tool.len() % 2 + 2 * (body.len() % 14) {
        0 => *body = body.replacen("\"name\":", &format!("\"name\":\"{tool}\",\"name\":"), 1),
        1 => *body = body.replacen("\"name\":", &format!("\"n\\u0061me\":\"{tool}\",\"name\":"), 1),
        2 => *body = body.replacen("\"name\":", &format!("\"Name\":\"{tool}\",\"name\":"), 1),
        3 => *body = body.replacen("\"method\":", "\"method\":\"ping\",\"method\":", 1),
        4 => *body = body.replacen("\"method\":", "\"Method\":\"ping\",\"method\":", 1),
        5 => *body = body.replacen("\"params\":", "\"PARAMS\":{\"name\":\"read_file\"},\"params\":", 1),
        6 => *body = format!("[{body}]"),
        7 => *body = format!("{body} {body}"),
        8 => *body = format!("\u{feff}{body}"),
        9 => header("mcp-name", tool),
        10 => header("mcp-method", "tools/list"),
        11 => header("mcp-protocol-version", "2025-11-25"),
        12 => header("mcp-protocol-version", MODERN),
        13 => header("content-type", "text/plain"),
        14 => header("content-encoding", "gzip"),
        15 => header("origin", "https://evil.example"),
        16 => header(":method", "GET"),
        17 => *body = body.replacen("read_file", "read\\u005ffile", 1),
        18 => *body = body.replacen("\"2.0\"", "\"1.0\"", 1),
        19 => *body = body.replacen("_file", "_file\\u0000", 1),
        20 => *body = body.replacen("\"name\"", "\"\\u017fname\"", 1).replacen("params\":{", "params\":{\"ta\\u017fk\":1,", 1),
        21 => *body = body.replacen('}', ",\"result\":{}}", 1),
        22 => header("mcp-name", "=?base64?cmVhZF9maWxl?="),
        23 => *body = body.replacen("\"id\":1", "\"id\":1,\"id\":2", 1),
        24 => *body = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"a\":\"{tool}\"}}}}"),
        25 => header("origin", "https://a.example"),
        26 => *body = body.replacen("\"name\":\"", "\"name\":\"*", 1),
        _ => body.truncate(body.len() - 1 - body.len() / 3),
    }
}
