//! `wardpoint run` as a user sees it, on the real binary and on engines that misbehave.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use clap::Parser as _;
use wardpoint_test_host::cli::{Cli, Exit, Streams, execute};
use wardpoint_test_host::engine::{Engine, EngineError, Need, Play};
use wardpoint_test_host::report::Style;
use wardpoint_test_host::scenario::run::Engines;
use wardpoint_test_host::transcript::{ClientSaw, Ending, Places, Transcript, UpstreamSaw};

const SCENARIO: &str = r#"plugin: mcp-authz
config:
  version: 1
  identity: {peer: waypoint}
  rules:
    - {id: reads, allow: {agents: ["spiffe://c/ns/a/sa/planner"], user: none, tools: ["search_*"]}}
cases:
  - name: a listed tool may be called
    cites: [MCP-Z-01]
    peer: spiffe://c/ns/a/sa/planner
    request: {body: {jsonrpc: "2.0", id: 1, method: tools/call, params: {name: search_docs}}}
    expect:
      client: {status: 200}
      upstream: unchanged
      audit: [{decision: allow, rule: reads, resource: {tool: search_docs}}]
  - name: any other is refused
    peer: spiffe://c/ns/a/sa/planner
    request: {body: {jsonrpc: "2.0", id: 1, method: tools/call, params: {name: delete_repo}}}
    expect:
      client: {status: 403, body: {id: 1, error: {code: -32003, data: {reason: no_matching_rule}}}}
      upstream: nothing
      audit: [{decision: deny, reason: no_matching_rule, resource: {tool: delete_repo}}]
"#;

fn wardpoint(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wardpoint")).args(args).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn folder(scenario: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    fs::write(&file, scenario).unwrap();
    (folder, file)
}

#[test]
fn every_cut_in_both_profiles_is_one_line() {
    let (folder, _) = folder(SCENARIO);
    let ran = wardpoint(folder.path(), &["run", "s.yaml", "--engine", "native"]);
    let out = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{out}{}", text(&ran.stderr));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    assert_eq!(lines[0], "ok   native hold    s.yaml:8  a listed tool may be called  (114 plays)");
    assert_eq!(lines[4], "4 passed, 0 failed, 0 skipped");
    assert!(!out.contains('\u{1b}'), "no colour where nobody looks");
    assert_eq!(text(&ran.stderr), "", "no progress where nobody looks");
}

#[test]
fn a_failure_is_a_diff_with_the_line_of_the_expectation() {
    let (folder, _) = folder(&SCENARIO.replace("code: -32003", "code: -32602"));
    let ran = wardpoint(folder.path(), &["run", "s.yaml", "--engine", "native", "--profile", "hold", "--cut", "whole"]);
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(
        text(&ran.stdout),
        "ok   native hold    s.yaml:8  a listed tool may be called  (1 plays)
FAIL native hold    s.yaml:16  any other is refused  (whole)
    s.yaml:20:57: client.body.error.code
      - -32602
      + -32003
1 passed, 1 failed, 0 skipped
"
    );
}

#[test]
fn a_failure_that_others_follow_stands_at_the_end_too() {
    let (folder, _) = folder(&SCENARIO.replacen("upstream: unchanged", "upstream: nothing", 1));
    let ran = wardpoint(folder.path(), &["run", "s.yaml", "--engine", "native", "--profile", "hold", "--cut", "whole"]);
    let out = text(&ran.stdout);
    let failure = "FAIL native hold    s.yaml:8  a listed tool may be called  (whole)\n    s.yaml:14:17: upstream\n";
    assert!(out.starts_with(failure), "{out}");
    let (_, after) = out.split_once("\nok   native").unwrap();
    let (_, again) = after.split_once("\n\nWhat failed, once more:\n").unwrap();
    assert!(again.starts_with(failure) && again.ends_with("\n1 passed, 1 failed, 0 skipped\n"), "{out}");
}

#[test]
fn machines_get_json_and_junit() {
    let broken = SCENARIO.replace("status: 403", "status: 401").replacen("    peer:", "    needs: [kill]\n    peer:", 1);
    let (folder, _) = folder(&broken);
    let args = ["run", "s.yaml", "--engine", "native", "--profile", "no-hold", "--format"];
    let ran = wardpoint(folder.path(), &[&args[..], &["json"]].concat());
    let lines: Vec<serde_json::Value> = text(&ran.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["outcome"], &lines[0]["needs"][0]), (&"skipped".into(), &"kill".into()));
    assert_eq!(lines[1]["failure"]["mismatches"][0]["path"], "client.status");
    assert_eq!(text(&ran.stdout).lines().last().unwrap(), r#"{"passed":0,"failed":1,"skipped":1}"#);
    let ran = wardpoint(folder.path(), &[&args[..], &["junit"]].concat());
    let xml = text(&ran.stdout);
    assert!(xml.contains(r#"<testsuite name="s.yaml" tests="2" failures="1" skipped="1" errors="0""#), "{xml}");
    assert!(xml.contains(r#"<skipped message="needs kill"/>"#) && xml.contains("client.status"), "{xml}");
}

#[test]
fn bless_makes_a_failing_case_pass_and_touches_nothing_else() {
    let broken = SCENARIO.replace("code: -32003", "code: 7").replace("decision: allow, rule: reads", "decision: deny");
    let (folder, file) = folder(&broken);
    let ran = wardpoint(folder.path(), &["run", "s.yaml", "--engine", "native", "--bless"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let blessed = fs::read_to_string(&file).unwrap();
    assert_eq!(blessed, SCENARIO.replace("decision: allow, rule: reads", "decision: allow"));
    assert_eq!(wardpoint(folder.path(), &["run", "s.yaml", "--engine", "native"]).status.code(), Some(0));
}

#[test]
fn a_new_case_can_be_written_without_an_expectation() {
    let new = SCENARIO.split("    expect:\n").next().unwrap();
    let (folder, file) = folder(new);
    let refused = wardpoint(folder.path(), &["run", "s.yaml", "--engine", "native"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("s.yaml:8:5: cases[0]: `expect` is missing; run with --bless"));
    assert_eq!(wardpoint(folder.path(), &["run", "s.yaml", "--engine", "native", "--bless"]).status.code(), Some(0));
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.starts_with(new.trim_end()), "{written}");
    assert!(
        written.ends_with(
            "
    expect:
      client: {status: 200}
      upstream: unchanged
      audit: [{decision: allow, rule: reads, action: tools/call, resource: {tool: search_docs}}]
"
        ),
        "{written}"
    );
    assert_eq!(wardpoint(folder.path(), &["run", "s.yaml", "--engine", "native"]).status.code(), Some(0));
}

#[test]
fn what_cannot_be_run_exits_with_2() {
    let (folder, _) = folder(&SCENARIO.replace("expect:", "expct:"));
    for (args, want) in [
        (vec!["run", "s.yaml"], "s.yaml:12:5: cases[0]: unknown field `expct`, did you mean `expect`?"),
        (vec!["run", "nothing.yaml"], "nothing.yaml: cannot be read"),
        (vec!["run", "--engine", "wasn"], "a similar value exists: 'wasm'"),
        (vec!["rum"], "a similar subcommand exists: 'run'"),
    ] {
        let ran = wardpoint(folder.path(), &args);
        assert_eq!(ran.status.code(), Some(2), "{args:?}");
        assert!(text(&ran.stderr).contains(want), "{args:?}: {}", text(&ran.stderr));
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    let none = wardpoint(folder.path(), &["run", "empty"]);
    assert_eq!(none.status.code(), Some(2));
    assert_eq!(text(&none.stderr), "error: no case was found, so nothing was shown\n");
}

// === engines that misbehave ===

/// Answers every request with 200 and lets it through, but for what `breaks` does.
struct Fake {
    name: &'static str,
    breaks: fn(&Play, &mut Transcript),
}

impl Engine for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn offers(&self, need: Need) -> bool {
        self.name != "wasm" || need != Need::ExactCut
    }

    fn run(&mut self, play: &Play) -> Result<Transcript, EngineError> {
        let answer = play.upstream.as_ref().unwrap();
        let client = ClientSaw { status: Some(200), headers: Vec::new(), body: answer.chunks.concat(), end: Ending::Complete };
        let record = serde_json::json!({"v": 1, "plugin": "probe", "policy": {"name": "", "digest": format!("sha256:{}", "0".repeat(64))},
            "trace": null, "request": format!("{}-0123456789abcdef", self.name), "subject": null, "agent": null, "actors": [],
            "action": null, "resource": null, "decision": "allow", "reason": null, "rule": null, "tier": null, "mode": "enforce",
            "late": false});
        let upstream = UpstreamSaw::Complete { headers: Vec::new(), body: play.request.chunks.concat() };
        let places = Places { log: 1, access_log: 1 };
        let mut seen = Transcript { client, upstream, audit: vec![record], places, ..Transcript::default() };
        (self.breaks)(play, &mut seen);
        Ok(seen)
    }
}

struct Fakes(fn(&Play, &mut Transcript), fn(&Play, &mut Transcript));

impl Engines for Fakes {
    fn make(&self, name: &'static str) -> Result<Box<dyn Engine>, EngineError> {
        Ok(Box::new(Fake { name, breaks: if name == "native" { self.0 } else { self.1 } }))
    }
}

const PROBE: &str = r#"plugin: probe
config: {}
cases:
  - name: it passes
    request: {headers: {authorization: Bearer canary-0123}, body: {a: 1}}
    expect: {client: {status: 200}, upstream: unchanged, audit: [{decision: allow}]}
"#;

fn run_on(engines: &Fakes, args: &[&str]) -> (Exit, String, String) {
    let (_folder, file) = folder(PROBE);
    let args = [&["wardpoint", "run", file.to_str().unwrap(), "--profile", "hold"], args].concat();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let streams = Streams { out: &mut out, err: &mut err, style: Style::default(), progress: false };
    let exit = execute(&Cli::parse_from(args), engines, streams);
    (exit, text(&out).replace(file.to_str().unwrap(), "s.yaml"), text(&err))
}

fn nothing(_: &Play, _: &mut Transcript) {}

#[test]
fn request_ids_of_their_own_are_no_difference() {
    let (exit, out, _) = run_on(&Fakes(nothing, nothing), &[]);
    assert_eq!(exit, Exit::Good, "{out}");
    assert!(out.contains("ok   native hold    s.yaml:4  it passes  (43 plays)"), "{out}");
    assert!(out.contains("ok   wasm   hold    s.yaml:4  it passes  (1 plays)"), "cuts only where they are exact: {out}");
    assert!(out.ends_with("2 passed, 0 failed, 0 skipped\n"), "{out}");
}

#[test]
fn the_cut_that_fails_is_named() {
    let late = |play: &Play, seen: &mut Transcript| {
        if play.request.chunks.first().is_some_and(|chunk| chunk.len() == 3) {
            seen.trapped = Some("unreachable".into());
        }
    };
    let (exit, out, _) = run_on(&Fakes(late, nothing), &["--engine", "native"]);
    assert_eq!(exit, Exit::Bad);
    assert!(
        out.starts_with("FAIL native hold    s.yaml:4  it passes  (request cut at 3)\n    s.yaml:4: the plugin trapped"),
        "{out}"
    );
}

#[test]
fn engines_that_differ_are_a_failure_of_their_own() {
    let more = |_: &Play, seen: &mut Transcript| seen.client.headers.push(("x".into(), "1".into()));
    let (exit, out, _) = run_on(&Fakes(nothing, more), &["--cut", "as-written"]);
    assert_eq!(exit, Exit::Bad);
    assert!(out.contains("FAIL native/wasm hold    s.yaml:4  it passes  (as written)\n    engines differ\n"), "{out}");
    assert!(out.contains("+client.headers.x: 1"), "{out}");
    assert!(out.ends_with("2 passed, 1 failed, 0 skipped\n"), "{out}");
}

#[test]
fn what_a_real_wire_frames_with_is_no_difference() {
    let length = |_: &Play, seen: &mut Transcript| seen.client.headers.push(("content-length".into(), "1".into()));
    let (exit, out, _) = run_on(&Fakes(nothing, length), &["--cut", "as-written"]);
    assert_eq!(exit, Exit::Good, "{out}");
    let (exit, out, _) = run_on(&Fakes(length, length), &["--cut", "as-written"]);
    assert_eq!(exit, Exit::Good, "{out}");
}

#[test]
fn a_token_in_the_log_of_one_cut_is_found_and_not_shown() {
    let leak = |play: &Play, seen: &mut Transcript| {
        if play.request.chunks.len() == 2 {
            seen.log.push("token canary-0123".into());
        }
    };
    let (exit, out, _) = run_on(&Fakes(leak, nothing), &["--engine", "native"]);
    assert_eq!(exit, Exit::Bad);
    assert!(out.contains("a secret of the case is in 1 log lines"), "{out}");
    assert!(!out.contains("canary"), "{out}");
}

#[test]
fn an_engine_that_cannot_be_made_exits_with_2() {
    struct None;
    impl Engines for None {
        fn make(&self, name: &'static str) -> Result<Box<dyn Engine>, EngineError> {
            Err(EngineError(anyhow::anyhow!("no {name} here")))
        }
    }
    let (_folder, file) = folder(PROBE);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let streams = Streams { out: &mut out, err: &mut err, style: Style::default(), progress: false };
    assert_eq!(execute(&Cli::parse_from(["wardpoint", "run", file.to_str().unwrap()]), &None, streams), Exit::Error);
    assert_eq!(text(&err), "error: no native here\n");
}

#[test]
fn thousands_of_plays_take_no_time_of_their_own() {
    let started = std::time::Instant::now();
    let (_folder, file) = folder(
        &PROBE
            .replace("{a: 1}", "{text: x, repeat: 4096}")
            .replace("    expect:", "    upstream: {body: {text: y, repeat: 4096}}\n    expect:"),
    );
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let streams = Streams { out: &mut out, err: &mut err, style: Style::default(), progress: false };
    let cli = Cli::parse_from(["wardpoint", "run", file.to_str().unwrap(), "--engine", "native"]);
    assert_eq!(execute(&cli, &Fakes(nothing, nothing), streams), Exit::Good, "{}", text(&out));
    assert!(text(&out).contains("(8192 plays)"), "{}", text(&out));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?} for 16384 plays of nothing", started.elapsed());
}
