//! `wardpoint check`, `explain`, `schema` and `completions` as a user sees them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const POLICY: &str = r#"# who may read
version: 1
identity:
  peer: waypoint
  claims: {provider: payload}
rules:
  - id: reads
    allow: {agents: &planner ["spiffe://c/ns/a/sa/planner"], user: none, tools: ["search_*"]}
  - id: writes
    allow: {agents: *planner, user: any, tools: [write_file], scopes: ["files:write"]}
  - id: no-deletes
    deny: {agents: ["*"], tools: ["delete_*"]}
"#;

fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    show(Command::new(env!("CARGO_BIN_EXE_wardpoint")).args(args).current_dir(folder).output().unwrap())
}

fn show(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn all_problems_come_at_once_each_with_its_line() {
    let bad = POLICY
        .replace("  - id: writes\n", "  - id: writes\n    when: x\n")
        .replace("tools: [\"search_*\"]", "tools: [\"a*b*\"]")
        .replace("version: 1", "version: 2");
    let folder = folder(&[("good.yaml", POLICY), ("bad.yaml", &bad)]);
    let (exit, out, err) = run(folder.path(), &["check", "--plugin", "mcp-authz", "good.yaml", "bad.yaml"]);
    assert_eq!((exit, err.as_str()), (Some(1), ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "good.yaml: ok");
    assert_eq!(lines.len(), 4, "{out}");
    assert!(lines[1].starts_with("bad.yaml:2:1: version: "), "{out}");
    assert!(lines[2].starts_with("bad.yaml:8:82: rules[0].allow.tools[0]: "), "{out}");
    assert!(lines[3].starts_with("bad.yaml:10:5: rules[1].when: "), "{out}");
}

#[test]
fn a_good_configuration_can_be_had_as_the_proxy_wants_it() {
    let folder = folder(&[("good.yaml", POLICY), ("bad.yaml", "version: 2")]);
    let (exit, out, err) = run(folder.path(), &["check", "--plugin", "mcp-authz", "--json", "good.yaml"]);
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    assert!(out.starts_with(r#"{"version":1,"identity":{"peer":"waypoint","#) && out.lines().count() == 1, "{out}");
    let (exit, out, err) = run(folder.path(), &["check", "--plugin", "mcp-authz", "--json", "bad.yaml"]);
    assert_eq!((exit, out.as_str()), (Some(1), ""));
    assert!(err.contains("rules: is required"), "{err}");
}

#[test]
fn json_is_judged_as_the_proxy_hands_it_over() {
    let twice = r#"{"version": 1,
 "version": 1}"#;
    let folder = folder(&[("twice.json", twice), ("twice.yaml", "version: 1\nversion: 1\n")]);
    let (exit, out, _) = run(folder.path(), &["check", "--plugin", "mcp-authz", "twice.json"]);
    assert_eq!(exit, Some(1));
    assert!(out.starts_with("twice.json:2:2: not valid JSON"), "{out}");
    let (exit, out, _) = run(folder.path(), &["check", "--plugin", "mcp-authz", "twice.yaml"]);
    assert_eq!((exit, out.as_str()), (Some(1), "twice.yaml:2:1: the key `version` is there twice, first in line 1\n"));
}

#[test]
fn what_cannot_be_checked_exits_with_2() {
    let folder = folder(&[]);
    let (exit, _, err) = run(folder.path(), &["check", "--plugin", "mcp-authz", "nothing.yaml"]);
    assert_eq!(exit, Some(2));
    assert!(err.starts_with("error: nothing.yaml: cannot be read: "), "{err}");
    let (exit, _, err) = run(folder.path(), &["check", "--plugin", "mcp-auth", "x.yaml"]);
    assert_eq!(exit, Some(2));
    assert!(err.contains("a similar value exists: 'mcp-authz'"), "{err}");
}

/// The first digest is the one that the scenarios of tool hygiene have.
#[test]
fn a_pin_is_what_the_plugin_compares() {
    let result = r#"{"tools": [
  {"name": "read_file", "description": "Reads a file", "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}}},
  {"name": "a: b", "inputSchema": {"type": "object"}}]}"#;
    let answer = format!(r#"{{"jsonrpc": "2.0", "id": 7, "result": {result}}}"#);
    let twice = result.replace("a: b", "read_file");
    let folder = folder(&[
        ("result.json", result),
        ("answer.json", &answer),
        ("twice.json", &twice),
        ("none.json", "[1]"),
        ("cut.json", r#"{"tools": ["#),
    ]);
    let pin = |args: &[&str]| run(folder.path(), &[&["pin"], args].concat());
    let (exit, out, err) = pin(&["answer.json"]);
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    let read_file = "    \"read_file\": sha256:0a11b0674bda05259a61149a5b9b01e94fbb84a2bd5b6a9732a230857a1580ba\n";
    assert!(out.starts_with(&format!("tools:\n  pins:\n{read_file}    \"a: b\": sha256:")), "{out}");
    assert_eq!(pin(&["result.json"]), (Some(0), out.clone(), String::new()));
    assert_eq!(pin(&["--tool", "read_file", "result.json"]).1, format!("tools:\n  pins:\n{read_file}"));

    // What it prints is configuration.
    let policy = format!("{POLICY}{out}");
    let policy = self::folder(&[("policy.yaml", policy.as_str())]);
    assert_eq!(run(policy.path(), &["check", "--plugin", "mcp-authz", "policy.yaml"]).1, "policy.yaml: ok\n");

    assert_eq!(pin(&["--tool", "x", "result.json"]).2, "error: result.json: has no tool `x`\n");
    assert_eq!(pin(&["twice.json"]).2, "error: twice.json: is not an answer to tools/list: two items of a list have one name\n");
    assert_eq!(pin(&["none.json"]).2, "error: none.json: has no list of tools\n");
    let (exit, out, err) = pin(&["cut.json"]);
    assert_eq!((exit, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("error: cut.json: is not an answer to tools/list: "), "{err}");
}

fn request(tool: &str) -> String {
    format!(
        r#"peer: spiffe://c/ns/a/sa/planner
claims: {{iss: "https://idp", sub: alice, scope: "files:read"}}
request: {{body: {{jsonrpc: "2.0", id: 1, method: tools/call, params: {{name: {tool}}}}}}}
"#
    )
}

#[test]
fn explain_says_what_each_rule_says() {
    let folder = folder(&[("policy.yaml", POLICY), ("request.yaml", &request("write_file"))]);
    let args = ["explain", "--plugin", "mcp-authz", "--config", "policy.yaml", "request.yaml"];
    let (exit, out, err) = run(folder.path(), &args);
    assert_eq!(exit, Some(1), "{out}{err}");
    let (head, rest) = out.split_once("client    ").unwrap();
    assert_eq!(
        head,
        "decision  deny
reason    insufficient_scope: The user's token lacks a scope that the rule asks for (MCP-Z-02).
rule      none
agent     spiffe://c/ns/a/sa/planner
user      alice of https://idp
action    tools/call
tool      write_file
late      the request's headers had already gone to the upstream

rule      reads (allow tool `write_file`): does not match: the tool is not one of its tools
rule      writes (allow tool `write_file`): does not match: the user's token lacks the scopes files:write
rule      no-deletes (deny tool `write_file`): does not match: the tool is not one of its tools

upstream  gets nothing
"
    );
    assert!(rest.starts_with("gets 403\n"), "{rest}");
    assert!(rest.contains("insufficient_scope"), "{rest}");
}

#[test]
fn explain_knows_where_the_proxy_sends_a_request() {
    let when = r#"tools: ["search_*"], when: 'request.service == "git.example"'"#;
    let policy = POLICY.replace(r#"tools: ["search_*"]"#, when);
    assert_ne!(policy, POLICY);
    let asked = |cluster: &str| {
        let sent = format!("{}properties: [{{path: [xds, cluster_name], value: '{cluster}'}}]\n", request("search_docs"));
        let folder = folder(&[("policy.yaml", &policy), ("request.yaml", &sent)]);
        run(folder.path(), &["explain", "--plugin", "mcp-authz", "--config", "policy.yaml", "request.yaml"]).1
    };
    for (cluster, want) in [
        ("outbound|443||git.example", "matches\n"),
        ("outbound|443||mail.example", "does not match: its `when` is false\n"),
        ("git", "does not match: its `when` could not be told (error)\n"),
    ] {
        let out = asked(cluster);
        assert!(out.contains(&format!("rule      reads (allow tool `search_docs`): {want}")), "{cluster}: {out}");
    }
}

#[test]
fn explain_reads_the_standard_input_and_shows_the_bytes() {
    let folder = folder(&[("policy.yaml", POLICY)]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_wardpoint"))
        .args(["explain", "--plugin", "mcp-authz", "--config", "policy.yaml", "-"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request("search_docs").as_bytes()).unwrap();
    let (exit, out, err) = show(child.wait_with_output().unwrap());
    assert_eq!(exit, Some(0), "{out}{err}");
    assert!(out.contains("rule      reads (allow tool `search_docs`): matches\n"), "{out}");
    let sent = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_docs"}}"#;
    assert!(out.contains(&format!("upstream  gets the request unchanged\n          {sent}\n")), "{out}");
}

#[test]
fn explain_says_when_no_rule_was_asked() {
    let stranger = request("search_docs").replace("peer: spiffe://c/ns/a/sa/planner\n", "");
    let folder = folder(&[("policy.yaml", POLICY), ("request.yaml", &stranger), ("broken.yaml", "requst: {}")]);
    let args = ["explain", "--plugin", "mcp-authz", "--config", "policy.yaml"];
    let (exit, out, _) = run(folder.path(), &[&args[..], &["request.yaml"]].concat());
    assert_eq!(exit, Some(1));
    assert!(out.contains("no_agent") && out.contains("rules     none was asked"), "{out}");
    let (exit, _, err) = run(folder.path(), &[&args[..], &["broken.yaml"]].concat());
    assert_eq!(exit, Some(2));
    assert_eq!(err, "broken.yaml:1:1: unknown field `requst`, did you mean `request`?\n");
}

#[test]
fn schemas_and_completions_are_printed() {
    let folder = folder(&[]);
    for of in ["audit", "mcp-authz"] {
        let (exit, out, _) = run(folder.path(), &["schema", of]);
        let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((exit, &schema["type"]), (Some(0), &"object".into()), "{of}");
        jsonschema::validator_for(&schema).unwrap();
    }
    for shell in ["bash", "zsh", "fish"] {
        let (exit, out, _) = run(folder.path(), &["completions", shell]);
        assert_eq!(exit, Some(0));
        assert!(out.contains("wardpoint") && out.contains("explain"), "{shell}");
    }
}

const TOKENS: &str = r#"version: 1
identity:
  direction: outbound
  peer: waypoint
  claims: {provider: payload}
  agents: [{spiffe: "spiffe://c/ns/a/sa/planner", client: planner}]
audiences: [gate]
servers:
  - name: idp
    profile: keycloak
    issuer: "https://idp.example"
    token: {cluster: idp, authority: idp.example, path: /token}
    clients: [{id: planner, auth: {method: client_secret_basic, secret: {env: PLANNER_SECRET}}}]
routes: [{host: tools.example, server: idp, audience: tools, scopes: [read]}]
unmatched: passthrough
"#;

#[test]
fn what_is_allowed_and_had_better_be_looked_at_is_told_with_its_line() {
    let folder = folder(&[("tokens.yaml", TOKENS)]);
    let warning = "tokens.yaml:15: warning: unmatched: tokens go to every destination that no route is for\n";
    let (code, out, err) = run(folder.path(), &["check", "--plugin", "token-exchange", "tokens.yaml"]);
    assert_eq!((code, out, err), (Some(0), format!("{warning}tokens.yaml: ok\n"), String::new()));
    // What goes into a proxy's configuration has nothing else in it.
    let (code, out, err) = run(folder.path(), &["check", "--plugin", "token-exchange", "--json", "tokens.yaml"]);
    assert_eq!((code, err.as_str()), (Some(0), warning));
    assert!(out.starts_with('{') && out.ends_with("}\n") && out.lines().count() == 1, "{out}");
}
