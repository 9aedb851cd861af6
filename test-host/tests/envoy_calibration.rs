//! What a proxy-wasm host does, seen on a real Envoy: `calibration/probes.jsonl` says what to play, `calibration/envoy-*.jsonl`
//! what was seen. `WARDPOINT_RECORD=<file>` writes a new record in place of comparing.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by them")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wardpoint_test_host::engine::{CalloutScript, Engine, Leaves, Play, Sent};
use wardpoint_test_host::envoy::Envoy;
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::transcript::{Ending, UpstreamSaw};
use wardpoint_test_host::wasm::Wasm;

/// The callbacks that end a stream. An exchange that still hangs is ended by the driver, before or after it looked.
const ENDS: [&str; 3] = ["log", "done", "delete"];

/// How long an exchange that hangs is waited for, by attempt. Hangs are what some probes are about; half a second is enough to
/// tell on a machine that has nothing else to do.
const DEADLINES: [Duration; 3] = [Duration::from_millis(500), Duration::from_millis(1300), Duration::from_millis(2600)];

/// How often a probe is played at the most until it shows what is recorded, each time after a longer rest: what keeps a machine busy
/// for a while joined the same two parts three times running.
const ATTEMPTS: u32 = 8;
const REST: Duration = Duration::from_millis(100);

/// Envoys at work at a time: most of a hanging probe is waiting.
const ENVOYS: usize = 4;

/// Where the model is not Envoy, with the reason. A probe that agrees again must leave this list.
const KNOWN_OF_THE_MODEL: &[(&str, &[&str])] = &[];

#[test]
fn envoy_does_what_was_recorded() {
    if std::env::var_os("ENVOY_BIN").is_none() {
        eprintln!("skipped: ENVOY_BIN is unset");
        return;
    }
    let play = |engine: &mut Envoy, probe: &Value, attempt: usize| {
        engine.set_deadline(DEADLINES[attempt.min(DEADLINES.len() - 1)]);
        seen(engine, probe)
    };
    if let Some(file) = std::env::var_os("WARDPOINT_RECORD") {
        // Recorded is what was seen twice running.
        let rows = everywhere(|engine, probe, _| {
            let mut last = play(engine, probe, 1);
            loop {
                // What such a play leaves on the connection is seen by the next one.
                if probe["once"] == true {
                    return last;
                }
                let row = play(engine, probe, 1);
                if std::mem::replace(&mut last, row.clone()) == row {
                    return row;
                }
            }
        });
        return std::fs::write(file, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    }
    let version = std::env::var("ENVOY_VERSION").unwrap_or_else(|_| "1.40".to_owned());
    let record = format!("envoy-{version}.jsonl");
    let recorded = record_of(&record);
    // A wire may join two parts, and a machine may be busy; a probe that differs is played again.
    let rows = everywhere(|engine, probe, row| {
        let mut rows = (0..ATTEMPTS).map(|attempt| {
            std::thread::sleep(REST * attempt);
            play(engine, probe, attempt as usize)
        });
        let first = rows.next().unwrap();
        if first == recorded[row] { first } else { rows.find(|again| *again == recorded[row]).unwrap_or(first) }
    });
    assert_same("envoy", &recorded, &rows, &[]);
}

/// Wherever the two differ, a scenario that passes in wasmtime says nothing about a proxy.
#[test]
fn the_model_does_what_envoy_does() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/plugins");
    assert!(plugins.join("calibration.wasm").exists(), "no target/plugins/calibration.wasm: run `make plugins`");
    let mut engine = Wasm::new(Some(plugins), Manners::default());
    let rows: Vec<Value> = probes().iter().map(|probe| seen(&mut engine, probe)).collect();
    assert_same("wasm", &record_of("envoy-1.40.jsonl"), &rows, KNOWN_OF_THE_MODEL);
}

/// Plays every probe on some Envoy; rows in the order of the probes.
fn everywhere(play: impl Fn(&mut Envoy, &Value, usize) -> Value + Sync) -> Vec<Value> {
    let probes = probes();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(vec![Value::Null; probes.len()]));
    std::thread::scope(|scope| {
        for _ in 0..ENVOYS {
            scope.spawn(|| {
                let mut engine = Envoy::new().unwrap();
                while let (row, Some(probe)) = {
                    let row = next.fetch_add(1, Ordering::Relaxed);
                    (row, probes.get(row))
                } {
                    let seen = play(&mut engine, probe, row);
                    rows.lock().unwrap()[row] = seen;
                }
            });
        }
    });
    rows.into_inner().unwrap()
}

fn record_of(file: &str) -> Vec<Value> {
    let (probes, recorded) = (probes(), lines(file));
    let name = |row: &Value| row["name"].clone();
    assert!(probes.iter().map(name).eq(recorded.iter().map(name)), "{file} is not of these probes");
    recorded
}

/// Says where the engine shows something else than the record; `known` are those that must differ.
fn assert_same(engine: &str, recorded: &[Value], rows: &[Value], known: &[(&str, &[&str])]) {
    let mut differences = String::new();
    for (recorded, seen) in recorded.iter().zip(rows) {
        let name = recorded["name"].as_str().unwrap();
        if (seen == recorded) == known.iter().any(|(_, names)| names.contains(&name)) {
            writeln!(differences, "{name}\n  recorded {recorded}\n  seen     {seen}").unwrap();
        }
    }
    assert!(differences.is_empty(), "{engine}:\n{differences}");
}

/// What an engine shows, as a row of a record. Some things that a plugin can do end Envoy: `crash`.
fn seen(engine: &mut dyn Engine, probe: &Value) -> Value {
    let crash = json!({ "name": probe["name"], "crash": true });
    let transcript = match engine.run(&play(probe)) {
        Ok(transcript) if transcript.trapped.as_ref().is_some_and(|text| text.starts_with("Envoy crashes")) => return crash,
        Ok(transcript) => transcript,
        Err(error) if error.to_string().contains("did Envoy crash?") => return crash,
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
    let hangs = transcript.client.end == Ending::Open;
    let shown = |line: &&String| !(racy || hangs && ENDS.contains(&line.as_str()));
    json!({
        "name": probe["name"],
        "client": {
            "status": transcript.client.status,
            "headers": headers(&transcript.client.headers, &transcript.client.body),
            "body": text(&transcript.client.body),
            "end": transcript.client.end,
        },
        "upstream": if racy { Value::Null } else { upstream },
        "callouts": if racy { Value::Null } else { transcript.callouts.len().into() },
        "trapped": transcript.trapped.is_some(),
        "trace": transcript.log.iter().filter(shown).map(|line| shorten(line)).collect::<Vec<_>>(),
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
        callouts: probe["callouts"].as_array().into_iter().flatten().map(callout).collect::<Vec<_>>().into(),
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
