//! What a proxy-wasm host does, seen on a real Envoy: `calibration/probes.jsonl` says what to play, `calibration/envoy-*.jsonl`
//! what was seen. `WARDPOINT_RECORD=<file>` writes a new record in place of comparing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use wardpoint_test_host::engine::{CalloutScript, Engine, Leaves, Play, Sent};
use wardpoint_test_host::envoy::Envoy;
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::transcript::UpstreamSaw;
use wardpoint_test_host::wasm::Wasm;

/// The callbacks that end a stream: Envoy makes them in this order, the model makes `done` first, and an exchange that still hangs
/// is ended before or after it is looked at. No plugin of ours does anything in `done`.
const ENDS: [&str; 3] = ["log", "done", "delete"];

/// Where the model is not Envoy, with the reason. A probe that agrees again must leave this list.
const KNOWN_OF_THE_MODEL: &[(&str, &[&str])] = &[
    (
        "a buffer out of its phase: the model says 1, Envoy gives nothing to a reader and 2 to a writer",
        &[
            "body: buffer of the other direction",
            "body: read in the header phase",
            "trailers: response, parts emptied, nothing held",
            "trailers: response, first part held, then emptied",
        ],
    ),
    (
        "Envoy shows the part that goes over the limit before its 413",
        &[
            "limit: paused request grows over it: 413",
            "limit: paused request over it, headers held: 413",
            "limit: one more than it",
            "limit: 413 is answered with a response callback that edits",
        ],
    ),
    ("a second answer: the model says 2, Envoy 0; neither does anything", &["local: twice"]),
    (
        "the model has no other filters, no router that answers, and an upstream that never breaks off",
        &[
            "proxy's own answer: 503, no upstream",
            "proxy's own answer: 503, body held",
            "proxy's own answer: 504, upstream too slow",
            "proxy's own answer: 401 of a filter before",
            "proxy's own answer: replaced by the filter's",
            "proxy's own answer: 503, headers held, body let go",
            "proxy's own answer: response headers paused, no flag",
            "response: upstream cuts it off",
            "response: upstream cuts it off, body held",
            "local: own answer, response body edited",
        ],
    ),
    (
        "the model has no time between two parts: what comes while a callout is open differs",
        &[
            "callout: in response headers, then resume",
            "response: while a callout of the request headers is awaited, not paused, early answer",
        ],
    ),
    (
        "a cut connection is an answer 503 with a text in Envoy, no headers in the model; both are errors to the core",
        &["callout: reset"],
    ),
    (
        "Envoy tells the root of an answer whose stream has gone; nobody waits for it",
        &["callout: never awaited, stream ends first", "client leaves while a callout is awaited"],
    ),
    (
        "resuming what is not paused breaks the exchange or ends Envoy; the model forgives, the core never does it",
        &[
            "resume: nothing paused, request headers",
            "resume: nothing paused, response headers",
            "resume: the other direction",
            "resume: response from a callout of the request, nothing there",
        ],
    ),
    (
        "after a trap in a callout's reply nobody answers in Envoy; a trap is a failure in any engine",
        &["trap: in a callout's reply"],
    ),
    ("ticks come in the model only at the end of the time that a play asks for", &["tick resumes a held request"]),
];

#[test]
fn envoy_does_what_was_recorded() {
    if std::env::var_os("ENVOY_BIN").is_none() {
        eprintln!("skipped: ENVOY_BIN is not set");
        return;
    }
    let mut envoy = Envoy::new().unwrap().with_deadline(Duration::from_millis(1300));
    // Hangs are what some probes are about; a second is enough to tell.
    if let Some(file) = std::env::var_os("WARDPOINT_RECORD") {
        let mut out = String::new();
        for probe in probes() {
            writeln!(out, "{}", seen(&mut envoy, &probe)).unwrap();
        }
        std::fs::write(file, out).unwrap();
        return;
    }
    let version = std::env::var("ENVOY_VERSION").unwrap_or_else(|_| "1.40".to_owned());
    compare(&mut envoy, &format!("envoy-{version}.jsonl"), &[]);
}

/// Wherever the two differ, a scenario that passes in wasmtime says nothing about a proxy.
#[test]
fn the_model_does_what_envoy_does() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/plugins");
    if !plugins.join("calibration.wasm").exists() {
        eprintln!("skipped: target/plugins/calibration.wasm is not there");
        return;
    }
    compare(&mut Wasm::new(Some(plugins), Manners::default()), "envoy-1.40.jsonl", KNOWN_OF_THE_MODEL);
}

/// Plays every probe and says where the engine shows something else than the record; `known` are those that must differ.
fn compare(engine: &mut dyn Engine, record: &str, known: &[(&str, &[&str])]) {
    let recorded = lines(record);
    let mut differences = String::new();
    let probes = probes();
    assert_eq!(probes.len(), recorded.len(), "{record} is not of these probes");
    for (probe, recorded) in probes.iter().zip(&recorded) {
        let name = probe["name"].as_str().unwrap();
        assert_eq!(recorded["name"], name, "{record} is not of these probes");
        // A wire may join two parts; a probe that differs is played again.
        let seen = (0..3).map(|_| seen(engine, probe)).find(|seen| seen == recorded).unwrap_or_else(|| seen(engine, probe));
        if (seen == *recorded) == known.iter().any(|(_, names)| names.contains(&name)) {
            writeln!(differences, "{name}\n  recorded {recorded}\n  seen     {seen}").unwrap();
        }
    }
    assert!(differences.is_empty(), "{}:\n{differences}", engine.name());
}

/// What an engine shows, as a row of a record. Some things that a plugin can do end Envoy: `crash`.
fn seen(engine: &mut dyn Engine, probe: &Value) -> Value {
    let transcript = match engine.run(&play(probe)) {
        Ok(transcript) => transcript,
        Err(error) if error.to_string().contains("did Envoy crash?") => return json!({ "name": probe["name"], "crash": true }),
        Err(error) => panic!("{}: {error}", probe["name"]),
    };
    // A right `content-length` tells nothing: a wire may frame the message in another way.
    let headers = |pairs: &[(String, String)], body: &[u8]| -> Vec<(String, String)> {
        pairs.iter().filter(|(name, value)| name != "content-length" || *value != body.len().to_string()).cloned().collect()
    };
    let text = |bytes: &[u8]| shorten(&String::from_utf8_lossy(bytes));
    let upstream = match &transcript.upstream {
        UpstreamSaw::Nothing => json!("nothing"),
        UpstreamSaw::Partial { body } => json!({ "partial": text(body) }),
        UpstreamSaw::Complete { headers: pairs, body } => json!({ "headers": headers(pairs, body), "body": text(body) }),
    };
    // Who is first is open where both directions are under way at once.
    let racy = probe["racy"] == true;
    json!({
        "name": probe["name"],
        "client": {
            "status": transcript.client.status,
            "headers": headers(&transcript.client.headers, &transcript.client.body),
            "body": text(&transcript.client.body),
            "end": transcript.client.end,
        },
        "upstream": if racy { Value::Null } else { upstream },
        "callouts": transcript.callouts.len(),
        "trapped": transcript.trapped.is_some(),
        "trace": transcript.log.iter().filter(|line| !racy && !ENDS.contains(&line.as_str())).map(|line| shorten(line)).collect::<Vec<_>>(),
    })
}

/// Long bodies are made of one letter; their length is what counts.
fn shorten(text: &str) -> String {
    if text.len() > 200 && text.bytes().all(|byte| byte == b'x') { format!("@{}", text.len()) } else { text.to_owned() }
}

fn play(probe: &Value) -> Play {
    let authority = probe["request"]["authority"].as_str().unwrap_or("tools");
    let pseudo = [(":method", "POST"), (":path", "/x"), (":authority", authority)];
    let upstream = match probe.get("upstream") {
        Some(Value::Null) => None,
        given => Some(sent(&[(":status", "200")], given.unwrap_or(&Value::Null), &["wor", "ld"])),
    };
    Play {
        plugin: "calibration".to_owned(),
        config: probe["script"].to_string().into_bytes(),
        hold_headers: probe["hold"].as_bool().unwrap_or(false),
        request: sent(&pseudo, &probe["request"], &["he", "llo"]),
        upstream,
        upstream_early: probe["early"].as_bool().unwrap_or(false),
        callouts: probe["callouts"].as_array().into_iter().flatten().map(callout).collect(),
        client_leaves: probe["leaves"].as_str().map(|when| match when {
            "headers" => Leaves::AfterRequestHeaders,
            _ => Leaves::AfterFirstResponseChunk,
        }),
        buffer_limit: probe["limit"].as_u64().map(|limit| usize::try_from(limit).unwrap()),
        time: Duration::from_millis(probe["time"].as_u64().unwrap_or(0)),
        http2: probe["http2"].as_bool().unwrap_or(false),
        ..Play::default()
    }
}

/// `200`, `200 after 60` (milliseconds), `reset`, `silence`, `noCluster`.
fn callout(script: &Value) -> CalloutScript {
    match script.as_str().unwrap() {
        "noCluster" => CalloutScript::NoCluster,
        "reset" => CalloutScript::Reset,
        "silence" => CalloutScript::Silence,
        answer => {
            let (status, after) = answer.split_once(" after ").unwrap_or((answer, "0"));
            CalloutScript::Answer(
                sent(&[(":status", status)], &Value::Null, &["yes"]),
                Duration::from_millis(after.parse().unwrap()),
            )
        }
    }
}

fn sent(pseudo: &[(&str, &str)], message: &Value, chunks: &[&str]) -> Sent {
    let bytes = |value: &Value| value.as_str().unwrap().as_bytes().to_vec();
    let pairs =
        |list: &Value| list.as_array().into_iter().flatten().map(|pair| (bytes(&pair[0]), bytes(&pair[1]))).collect::<Vec<_>>();
    let chunk = |text: &str| match text.strip_prefix('@') {
        Some(size) => vec![b'x'; size.parse().unwrap()],
        None => text.as_bytes().to_vec(),
    };
    let mut headers: Vec<_> = pseudo.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    headers.extend(pairs(&message["headers"]));
    let chunks = match message.get("chunks").and_then(Value::as_array) {
        Some(given) => given.iter().map(|text| chunk(text.as_str().unwrap())).collect(),
        None => chunks.iter().map(|text| chunk(text)).collect(),
    };
    Sent { headers, chunks, trailers: pairs(&message["trailers"]) }
}

fn probes() -> Vec<Value> {
    lines("probes.jsonl")
}

fn lines(file: &str) -> Vec<Value> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("calibration").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}
