//! `wardpoint render`: what each layer lets through is what was declared (rows 0.4 and 0.38), seen by readers of their own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use wardpoint_test_host::scenario::yaml;

const DECLARED: &str = include_str!("../../examples/one-declaration/access.yaml");

/// Each agent: namespace, service account, and its pods' label.
const AGENTS: [(&str, &str); 3] = [("agents", "planner"), ("agents", "mailer"), ("jobs", "scheduler")];
/// Each server: namespace, name (its pods' label too), and a tool that is declared there.
const SERVERS: [(&str, &str, &str); 3] =
    [("tools", "files", "read_file"), ("tools", "mail", "send_mail"), ("finance", "reports", "run_report")];
/// What access.yaml says.
const PATHS: [(&str, &str); 4] = [("planner", "files"), ("planner", "mail"), ("mailer", "mail"), ("scheduler", "reports")];

type Paths = BTreeSet<(&'static str, &'static str)>;

fn run(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wardpoint")).args(words).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What is made of a declaration: the text and its objects.
fn rendered(declaration: &str) -> (tempfile::TempDir, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("access.yaml"), declaration).unwrap();
    let (exit, out, err) = run(folder.path(), &["render", "access.yaml"]);
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    fs::write(folder.path().join("manifests.yaml"), &out).unwrap();
    let objects = yaml::parse_all(&out).unwrap().iter().map(yaml::Node::to_json).collect();
    (folder, objects)
}

/// A waypoint for each server, so that the network can tell them apart.
fn apart() -> String {
    let own = |text: String, (_, name, _): (&str, &str, &str)| {
        text.replace(&format!("labels: {{app: {name}}}, port"), &format!("labels: {{app: {name}}}, waypoint: {name}-gate, port"))
    };
    SERVERS.into_iter().fold(DECLARED.to_owned(), own)
}

fn every(look: impl Fn((&str, &str), (&str, &str, &str)) -> bool) -> Paths {
    let pairs = AGENTS.into_iter().flat_map(|agent| SERVERS.into_iter().map(move |server| (agent, server)));
    pairs.filter(|(agent, server)| look(*agent, *server)).map(|(agent, server)| (agent.1, server.1)).collect()
}

fn of<'o>(objects: &'o [Value], kind: &'static str) -> impl Iterator<Item = &'o Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

// === the network ===

/// A pod: its namespace and one label.
type Pod<'p> = (&'p str, &'p str, &'p str);

fn selects(selector: &Value, (_, name, value): Pod<'_>) -> bool {
    selector["matchLabels"].as_object().into_iter().flatten().all(|(key, wanted)| key == name && wanted == value)
}

fn is_peer(peer: &Value, pod: Pod<'_>) -> bool {
    let namespace = &peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
    namespace == pod.0 && selects(&peer["podSelector"], pod)
}

/// Whether policies of one direction let a pod speak with another at a port (NetworkPolicy v1: isolated by any, opened by any).
fn lets(objects: &[Value], direction: &str, pod: Pod<'_>, other: Pod<'_>, port: u64) -> bool {
    let (rules, ends) = if direction == "Egress" { ("egress", "to") } else { ("ingress", "from") };
    let about = of(objects, "NetworkPolicy").filter(|policy| {
        let spec = &policy["spec"];
        policy["metadata"]["namespace"] == pod.0
            && selects(&spec["podSelector"], pod)
            && items(&spec["policyTypes"]).contains(&json!(direction))
    });
    let mut about = about.peekable();
    about.peek().is_none()
        || about.any(|policy| {
            items(&policy["spec"][rules]).iter().any(|rule| {
                let peer = rule.get(ends).is_none_or(|peers| items(peers).iter().any(|peer| is_peer(peer, other)));
                peer && items(&rule["ports"]).iter().any(|it| it["port"] == port)
            })
        })
}

fn connects(objects: &[Value], from: Pod<'_>, to: Pod<'_>) -> bool {
    lets(objects, "Egress", from, to, 15008) && lets(objects, "Ingress", to, from, 15008)
}

const GATE: &str = "gateway.networking.k8s.io/gateway-name";

/// The waypoint before a server, by its label.
fn gate(objects: &[Value], server: &str) -> String {
    let mut services = of(objects, "Service").filter(|service| service["metadata"]["name"] == server);
    services.next().unwrap()["metadata"]["labels"]["istio.io/use-waypoint"].as_str().unwrap().to_owned()
}

fn network(objects: &[Value]) -> Paths {
    every(|(namespace, agent), (at, server, _)| {
        let gate = gate(objects, server);
        let (agent, gate, server) = ((namespace, "app", agent), (at, GATE, gate.as_str()), (at, "app", server));
        connects(objects, agent, gate) && connects(objects, gate, server)
    })
}

// === the mesh ===

/// Istio: a DENY that matches denies; if there is an ALLOW, one must match.
fn mesh(objects: &[Value]) -> Paths {
    every(|(namespace, agent), (at, server, _)| {
        let gate = gate(objects, server);
        let about = |policy: &&Value| {
            let targets = items(&policy["spec"]["targetRefs"]);
            let hit = |it: &Value| {
                it["kind"] == "Service" && it["name"] == server || it["kind"] == "Gateway" && it["name"] == gate.as_str()
            };
            policy["metadata"]["namespace"] == at && policy["spec"]["action"] == "ALLOW" && targets.iter().any(hit)
        };
        let principal = json!(format!("cluster.local/ns/{namespace}/sa/{agent}"));
        let policies: Vec<&Value> = of(objects, "AuthorizationPolicy").filter(about).collect();
        assert!(!policies.is_empty(), "{server} is open");
        let rules = policies.iter().flat_map(|policy| items(&policy["spec"]["rules"]));
        let mut sources = rules.flat_map(|rule| items(&rule["from"]));
        sources.any(|from| items(&from["source"]["principals"]).contains(&principal))
    })
}

// === the plugin ===

/// The configuration for a server, in a file.
fn policy(folder: &Path, objects: &[Value], server: &str) -> PathBuf {
    let mut own = of(objects, "TrafficExtension")
        .filter(|it| it["spec"]["targetRefs"] == json!([{ "group": "", "kind": "Service", "name": server }]));
    let file = folder.join(format!("{server}.json"));
    fs::write(&file, own.next().unwrap()["spec"]["wasm"]["pluginConfig"].to_string()).unwrap();
    assert!(own.next().is_none());
    file
}

/// Whether the policy for a server lets an agent call a tool, decided by the code that decides.
fn calls(folder: &Path, objects: &[Value], agent: (&str, &str), server: &str, tool: &str, scope: &str) -> bool {
    let policy = policy(folder, objects, server);
    let claims = json!({ "iss": "https://idp.example.com/realms/agents", "sub": "alice", "scope": scope });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } });
    let peer = format!("spiffe://cluster.local/ns/{}/sa/{}", agent.0, agent.1);
    fs::write(folder.join("request.json"), json!({ "peer": peer, "claims": claims, "request": { "body": body } }).to_string())
        .unwrap();
    let words = ["explain", "--plugin", "mcp-authz", "--config", policy.to_str().unwrap(), "request.json"];
    let (exit, out, err) = run(folder, &words);
    assert!(matches!(exit, Some(0 | 1)), "{err}");
    assert_eq!(out.contains("no_matching_rule") || out.contains("insufficient_scope"), exit == Some(1), "{out}");
    exit == Some(0)
}

fn plugin(folder: &Path, objects: &[Value]) -> Paths {
    every(|agent, (_, server, tool)| calls(folder, objects, agent, server, tool, "files:read mail:send"))
}

#[test]
fn no_path_stands_in_one_layer_and_not_in_the_others() {
    let declared = Paths::from(PATHS);
    let (folder, objects) = rendered(&apart());
    assert_eq!(network(&objects), declared);
    assert_eq!(mesh(&objects), declared);
    assert_eq!(plugin(folder.path(), &objects), declared);
}

#[test]
fn servers_that_share_a_waypoint_are_one_place_for_the_network_alone() {
    let declared = Paths::from(PATHS);
    let (folder, objects) = rendered(DECLARED);
    assert_eq!(mesh(&objects), declared);
    assert_eq!(plugin(folder.path(), &objects), declared);
    // Path without authority.
    let shared: Paths = network(&objects).difference(&declared).copied().collect();
    assert_eq!(shared, Paths::from([("mailer", "files")]));
    assert!(!calls(folder.path(), &objects, AGENTS[1], "files", "read_file", "files:read"));
    assert!(
        !calls(folder.path(), &objects, AGENTS[0], "files", "read_file", "mail:send"),
        "the token does not prove the authority"
    );
}

#[test]
fn authority_without_path_does_not_connect() {
    let (folder, mut objects) = rendered(&apart());
    // A pod with the service account of an agent that has none of its labels, and one of a namespace that nobody declared.
    for pod in [("agents", "app", "other"), ("elsewhere", "app", "planner")] {
        assert!(!connects(&objects, pod, ("tools", GATE, "files-gate")), "{pod:?}");
    }
    // Nor is there a way around the waypoint, for nobody.
    for (namespace, agent) in AGENTS {
        for (at, server, _) in SERVERS {
            assert!(!connects(&objects, (namespace, "app", agent), (at, "app", server)), "{agent} {server}");
        }
    }
    // The control: where a layer lacks a path, this test sees it.
    objects.retain(|object| object["metadata"]["name"] != "planner-to-waypoints");
    let without: Paths = PATHS.into_iter().filter(|(agent, _)| *agent != "planner").collect();
    assert_eq!(network(&objects), without);
    assert_eq!(mesh(&objects), Paths::from(PATHS));
    assert!(calls(folder.path(), &objects, AGENTS[0], "files", "read_file", "files:read"));
    objects.retain(|object| {
        object["metadata"]["name"] != "default-deny-egress" && object["metadata"]["name"] != "mail-gate-from-agents"
    });
    assert_ne!(network(&objects), without);
}

#[test]
fn a_layer_holds_alone_what_it_can() {
    let (_folder, objects) = rendered(DECLARED);
    let denies: Vec<&str> = of(&objects, "AuthorizationPolicy")
        .filter(|policy| policy["spec"]["action"] == "DENY")
        .map(|policy| policy["metadata"]["name"].as_str().unwrap())
        .collect();
    // Without a token nobody gets in, plugin or not; but where a path is for no user.
    assert_eq!(denies, ["files-token-required", "mail-token-required"]);
    for (namespace, server, _) in SERVERS {
        let through = of(&objects, "AuthorizationPolicy")
            .find(|it| it["metadata"]["name"] == format!("{server}-through-waypoint"))
            .unwrap();
        let source = &through["spec"]["rules"][0]["from"][0]["source"];
        assert_eq!(source["principals"], json!([format!("cluster.local/ns/{namespace}/sa/waypoint")]));
        assert_eq!(through["spec"]["selector"]["matchLabels"]["app"], server);
    }
    let rest = of(&objects, "AuthorizationPolicy").filter(|it| it["spec"].get("rules").is_none());
    assert_eq!(rest.count(), of(&objects, "Gateway").count(), "what is not declared is refused at each waypoint");
}

#[test]
fn what_is_made_passes_lint_and_check() {
    for declaration in [DECLARED.to_owned(), apart()] {
        let (folder, objects) = rendered(&declaration);
        let (exit, out, err) = run(folder.path(), &["lint", "manifests.yaml"]);
        assert_eq!((exit, out, err.as_str()), (Some(0), format!("{} objects, 0 errors, 0 warnings\n", objects.len()), ""));
        for (_, server, _) in SERVERS {
            let file = policy(folder.path(), &objects, server);
            let (exit, out, err) = run(folder.path(), &["check", "--plugin", "mcp-authz", file.to_str().unwrap()]);
            assert_eq!(exit, Some(0), "{out}{err}");
        }
    }
}

#[test]
fn the_example_shows_what_is_made() {
    let (folder, objects) = rendered(DECLARED);
    let shown =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/one-declaration/policy.yaml")).unwrap();
    let (file, fresh) = (
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/one-declaration/manifests.yaml"),
        fs::read_to_string(folder.path().join("manifests.yaml")).unwrap(),
    );
    let fresh = format!("# What `wardpoint render access.yaml` makes; a test says when it is stale.\n{fresh}");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &fresh).unwrap();
    }
    assert!(fs::read_to_string(&file).unwrap_or_default() == fresh, "manifests.yaml is stale: run with BLESS=1");
    let made = of(&objects, "TrafficExtension").find(|it| it["metadata"]["name"] == "files-tools").unwrap();
    assert_eq!(yaml::parse(&shown).unwrap().to_json(), made["spec"]["wasm"]["pluginConfig"]);
}

#[test]
fn every_problem_is_told_with_its_line() {
    let line = |text: &str| DECLARED.lines().position(|line| line.contains(text)).unwrap() + 1;
    for (from, to, at, why) in [
        ("version: 1", "version: 2", "version", "write 1"),
        ("issuer: \"https://idp.example.com/realms/agents\", ", "", "mesh:", "somebody must have named them"),
        ("oci://registry", "registry", "url:", "has no `oci://`"),
        ("mcp-authz:0.1.0", "mcp-authz:latest", "url:", "names no tag that stays"),
        ("mcp-authz:0.1.0", "token-exchange:0.1.0", "url:", "not an image of mcp-authz"),
        ("sha256: \"0f", "sha256: \"0g", "sha256:", "is not 64 hexadecimal digits"),
        ("serviceAccount: mailer", "serviceAccount: planner", "  planner:", "is that of `mailer`"),
        ("labels: {app: planner}", "labels: {}", "  planner:", "every pod of the namespace"),
        ("namespace: jobs", "namespace: Jobs", "  scheduler:", "`Jobs` is not a name"),
        ("port: 9000", "port: 90000", "  reports:", "is not a port"),
        ("agent: mailer, server: mail", "agent: writer, server: mail", "agent: mailer", "`writer` is not among `agents`"),
        ("agent: mailer, server: mail", "agent: writer, server: mail", "  mailer:", "has no path"),
        (
            "agent: scheduler, server: reports",
            "agent: scheduler, server: report",
            "agent: scheduler",
            "`report` is not among `servers`",
        ),
        ("agent: scheduler, server: reports", "agent: scheduler, server: mail", "  reports:", "is reached by no path"),
        ("[run_report]", "[]", "agent: scheduler", "names no tool"),
        ("user: none,", "user: none, scopes: [a],", "agent: scheduler", "this path is for no user"),
        ("agent: mailer, server: mail", "id: planner-mail, agent: mailer, server: mail", "agent: mailer", "is there twice"),
        ("user: none", "users: none", "agent: scheduler", "access[3].users"),
    ] {
        assert_eq!(DECLARED.matches(from).count(), 1, "{from}");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("access.yaml"), DECLARED.replace(from, to)).unwrap();
        let (exit, out, err) = run(folder.path(), &["render", "access.yaml"]);
        assert_eq!((exit, out.as_str()), (Some(1), ""), "{from} -> {to}");
        let placed = err.lines().any(|said| said.contains(why) && said.starts_with(&format!("access.yaml:{}:", line(at))));
        assert!(placed, "{to}: {why} at line {}\n{err}", line(at));
    }
    let (exit, _, err) = run(Path::new("."), &["render", "nowhere.yaml"]);
    assert_eq!(exit, Some(2));
    assert!(err.contains("nowhere.yaml: cannot be read"), "{err}");
}
