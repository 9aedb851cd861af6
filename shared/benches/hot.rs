//! What every request pays for: ns and MB/s of the hot paths.
//!
//! `cargo bench -p wardpoint-core`; an argument picks the works whose name has it in it. With a count behind it just that
//! many rounds are run and nothing is timed, for counting instructions:
//! `valgrind --tool=callgrind target/release/deps/hot-… read/2K 1000`.
#![expect(clippy::unwrap_used, reason = "a bench: a text that cannot be read is a bug of it")]
#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a bench: it reads a clock and prints a table")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use wardpoint_core::audit::{About, Outcome, Record, Resource, Subject};
use wardpoint_core::filter::{Cas, Signature};
use wardpoint_core::filter::{Chunk, Event, Flow, Head, Op, Properties, PropertyError, Root, ServiceError, Services, Shared};
use wardpoint_core::http::Headers;
use wardpoint_core::json::{Limits, check};
use wardpoint_core::mcp::{filter_tools, read_request};
use wardpoint_core::mcp_authz::McpAuthz;
use wardpoint_core::policy::{Mode, PolicyId, Reason};
use wardpoint_core::time::Timestamp;

struct Work {
    name: &'static str,
    /// Bytes that one round reads; 0 where that says nothing.
    bytes: usize,
    round: Box<dyn FnMut()>,
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let wanted = words.next().unwrap_or_default();
    let rounds: Option<u32> = words.next().and_then(|count| count.parse().ok());
    for mut work in works().into_iter().filter(|work| work.name.contains(&wanted)) {
        match rounds {
            Some(rounds) => (0..rounds).for_each(|_| (work.round)()),
            None => show(work.name, work.bytes, measure(&mut work.round)),
        }
    }
}

fn works() -> Vec<Work> {
    let list = tools_list(80, 52_000);
    let (least, most) = (call(64, Fill::OneString), call(64 << 10, Fill::Members));
    let (middle, long) = (call(2 << 10, Fill::OneString), call(64 << 10, Fill::OneString));
    let (escaped, foreign) = (call(64 << 10, Fill::Escapes), call(64 << 10, Fill::Umlauts));
    vec![
        read("read/256B", call(256, Fill::OneString)),
        read("read/2K", middle.clone()),
        read("read/2K members", call(2 << 10, Fill::Members)),
        read("read/64K", long),
        read("read/64K members", most.clone()),
        read("read/64K escapes", escaped),
        read("read/64K umlauts", foreign),
        work("check/64K members", most.len(), move || check(black_box(&most), Limits::default()).unwrap()),
        work("tools/52K", list.len(), move || {
            let mut index = 0;
            let keep = |_: &str| {
                index += 1;
                index % 2 == 0
            };
            assert_eq!(filter_tools(black_box(&list), Limits::default(), keep).unwrap().hidden, 40);
        }),
        work("audit", 0, || drop(black_box(record()).to_json(Duration::from_micros(7)))),
        exchange("exchange/64B", least, ANSWER),
        exchange("exchange/2K", middle, ANSWER),
        exchange("exchange/list 52K", ASK_TOOLS.to_vec(), &tools_list(80, 52_000)),
    ]
}

fn work(name: &'static str, bytes: usize, round: impl FnMut() + 'static) -> Work {
    Work { name, bytes, round: Box::new(round) }
}

fn read(name: &'static str, body: Vec<u8>) -> Work {
    work(name, body.len(), move || assert!(read_request(black_box(&body), Limits::default()).is_ok()))
}

/// A whole exchange without a proxy: headers, body, answer, the end.
fn exchange(name: &'static str, body: Vec<u8>, answer_body: &[u8]) -> Work {
    let answer_body = answer_body.to_vec();
    let root = Root::<McpAuthz>::configure(POLICY).unwrap();
    let headers: Headers = HEADERS.iter().copied().collect();
    let answer: Headers = [(":status", "200"), ("content-type", "application/json")].into_iter().collect();
    let values: Vec<Result<Option<Vec<u8>>, PropertyError>> =
        PROPERTIES.iter().map(|value| Ok(value.map(|text| text.as_bytes().to_vec()))).collect();
    work(name, body.len(), move || {
        let mut stream = root.stream();
        let head = Head { headers: black_box(&headers), properties: Properties::new(&values), end_of_stream: false };
        let chunk = Chunk { bytes: black_box(&body), end_of_stream: true };
        let head_back = Head { headers: &answer, properties: Properties::default(), end_of_stream: false };
        let now = Timestamp::from_secs(1_795_251_600);
        let chunk_back = Chunk { bytes: black_box(&answer_body), end_of_stream: true };
        let (request, answer) = (Event::RequestBody(chunk), Event::ResponseBody(chunk_back));
        for event in [Event::RequestHeaders(head), request, Event::ResponseHeaders(head_back), answer, Event::End] {
            let _flow: Flow = stream.handle(event, now, &mut Nothing);
            while let Some(op) = stream.poll_op() {
                match op {
                    Op::Audit(record) => {
                        assert_eq!(record.outcome, Outcome::Allow);
                        drop(black_box(record.to_json(Duration::ZERO)));
                    }
                    op => drop(black_box(op)),
                }
            }
        }
    })
}

fn measure(round: &mut dyn FnMut()) -> f64 {
    let time = |rounds: u32, round: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..rounds).for_each(|_| round());
        start.elapsed().as_secs_f64() / f64::from(rounds)
    };
    let once = time(100, round).max(1e-9);
    // The least of many short runs: what others do on the machine only ever adds.
    let rounds = (0.002 / once).clamp(1.0, 1e6) as u32;
    (0..60).map(|_| time(rounds, round)).fold(f64::MAX, f64::min)
}

fn show(name: &str, bytes: usize, seconds: f64) {
    let speed = if bytes == 0 { String::new() } else { format!("{:8.0} MB/s", bytes as f64 / seconds / 1e6) };
    println!("{name:20} {bytes:7} B {:10.0} ns {speed}", seconds * 1e9);
}

// === texts ===

enum Fill {
    Escapes,
    Members,
    OneString,
    Umlauts,
}

/// A `tools/call` of about `size` bytes.
fn call(size: usize, fill: Fill) -> Vec<u8> {
    let mut out = String::from(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_file","arguments":{"#);
    match fill {
        Fill::Members => {
            let mut index = 0;
            while out.len() < size {
                out.push_str(if index == 0 { "" } else { "," });
                out.push_str(&format!(r#""k{index}":[{index},true,{{"a":"b","c":null}}]"#));
                index += 1;
            }
        }
        fill => {
            let text = match fill {
                Fill::Escapes => r#"a line of text with \"quotes\"\n"#,
                Fill::Umlauts => "größere Übung ändert Äußeres 🦀 ",
                _ => "the quick brown fox jumps over the lazy dog and ",
            };
            out.push_str(r#""content":""#);
            while out.len() + text.len() < size {
                out.push_str(text);
            }
            out.push('"');
        }
    }
    out.push_str(r#"},"_meta":{"progressToken":1}}}"#);
    out.into_bytes()
}

/// An answer to `tools/list` of about `size` bytes.
fn tools_list(count: usize, size: usize) -> Vec<u8> {
    let mut out = String::from(r#"{"jsonrpc":"2.0","id":7,"result":{"tools":["#);
    for index in 0..count {
        out.push_str(if index == 0 { "" } else { "," });
        let text = "Reads what is there, and says so. ".repeat((size / count).saturating_sub(290) / 34);
        out.push_str(&format!(
            r#"{{"name":"tool_{index}","title":"Tool {index}","description":"{text}","inputSchema":{{"type":"object","properties":{{"path":{{"type":"string","description":"The path"}},"depth":{{"type":"integer","minimum":0,"maximum":9}}}},"required":["path"],"additionalProperties":false}},"annotations":{{"readOnlyHint":true}}}}"#
        ));
    }
    out.push_str("]}}");
    out.into_bytes()
}

const ASK_TOOLS: &[u8] = br#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}"#;
const ANSWER: &[u8] = br#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;
const POLICY: &[u8] = br#"{"version":1,"sessions":"unbound","identity":{"peer":"waypoint","claims":{"provider":"payload"}},
    "rules":[{"id":"read","allow":{"agents":["spiffe://cluster.local/ns/agents/sa/planner"],"tools":["read_file"],"scopes":["files:read"]}}]}"#;
/// The peer, then `iss`, `sub`, `scope`, `azp`, `client_id`, `act`.
const PROPERTIES: &[Option<&str>] = &[
    Some("spiffe://cluster.local/ns/agents/sa/planner"),
    Some("https://idp.example.com"),
    Some("alice"),
    Some("openid files:read"),
    Some("console"),
    None,
    None,
];
const HEADERS: &[(&str, &str)] = &[
    (":authority", "tools.example.com"),
    (":path", "/mcp"),
    (":method", "POST"),
    (":scheme", "http"),
    ("user-agent", "client/1.0"),
    ("accept", "application/json, text/event-stream"),
    ("content-type", "application/json"),
    ("content-length", "2048"),
    ("authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
    ("mcp-protocol-version", "2025-11-25"),
    ("mcp-session-id", "6b2a9c1e"),
    ("x-forwarded-proto", "http"),
    ("x-request-id", "0f3c1ad6-2c3b-9f1e-8a01-6c2d6f3b8f10"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];

fn record() -> Record {
    Record {
        time: Timestamp::from_nanos(1_795_251_600_123_000_000),
        plugin: "mcp-authz",
        policy: PolicyId { name: "tools".into(), digest: format!("sha256:{}", "0f".repeat(32)).into() },
        trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        request: "0f3c1ad6-2c3b-9f1e-8a01-6c2d6f3b8f10".into(),
        about: About {
            subject: Some(Subject { issuer: Some("https://idp.example.com".into()), user: "alice".into(), owner: None }),
            agent: Some("spiffe://cluster.local/ns/agents/sa/planner".into()),
            actors: vec!["orchestrator".into()],
            action: Some("tools/call".into()),
            resource: Some(Resource { kind: "tool", name: "delete_repo".into() }),
            exchange: None,
        },
        outcome: Outcome::Deny,
        reason: Some(Reason::NoMatchingRule),
        rule: None,
        tier: None,
        mode: Mode::Enforce,
        late: false,
    }
}

/// A host that offers nothing.
struct Nothing;

impl Services for Nothing {
    fn random(&mut self, _: &mut [u8]) -> Result<(), ServiceError> {
        Err(ServiceError::Unsupported)
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
