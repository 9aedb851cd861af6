//! 100,000 messages: what ships is never wider than a second decider that knows nothing of its code.
//!
//! `reference/decide.py` is that decider. Where ours allows, it must allow; what a list of ours shows, it must show. Where
//! ours is narrower, the reasons are counted.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::{Value, json};
use wardpoint_core::filter::Root;
use wardpoint_core::mcp_authz::McpAuthz;
use wardpoint_fuzz::generate::{self, Request};
use wardpoint_fuzz::random::Random;
use wardpoint_fuzz::stream::{Played, play};

/// Requests of a run, unless `WARDPOINT_REFERENCE_REQUESTS` says another number.
const REQUESTS: usize = 100_000;
/// Policies that they are played under.
const POLICIES: usize = 40;

#[test]
fn ours_is_never_wider() {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(env::var_os("WARDPOINT_ALL_TIERS").is_none(), "needs python3");
        eprintln!("!!! not run: needs python3");
        return;
    }
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
    let mut random = Random::new(number("WARDPOINT_FUZZ_SEED").unwrap_or(1) as u64);
    let (policies, roots) = policies(&mut random);
    let requests: Vec<Request> = (0..number("WARDPOINT_REFERENCE_REQUESTS").unwrap_or(REQUESTS))
        .map(|_| generate::request(POLICIES, &mut random))
        .collect();
    let theirs = reference(&policies, &requests);
    assert_eq!(theirs.len(), requests.len());

    let (mut both, mut neither, mut hidden, mut shown) = (0, 0, 0, 0);
    let mut narrower: BTreeMap<String, usize> = BTreeMap::new();
    for (request, theirs) in requests.iter().zip(&theirs) {
        let ours = play(&roots[request.policy], request);
        let allowed = theirs["allow"].as_bool().unwrap();
        let show: Vec<&str> = theirs["show"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        match (ours.passed, allowed) {
            (true, true) => both += 1,
            (false, false) => neither += 1,
            (false, true) => *narrower.entry(format!("{} {}", ours.reason.unwrap_or("-"), method(request))).or_default() += 1,
            (true, false) => panic!("ours allows, the reference says `{}`: {}", theirs["why"], told(&policies, request, &ours)),
        }
        if ours.passed {
            for name in &ours.shown {
                assert!(show.contains(&name.as_str()), "ours shows {name}: {}", told(&policies, request, &ours));
            }
            shown += ours.shown.len();
            hidden += show.len() - ours.shown.len();
        }
    }
    println!(
        "{} requests: {both} allowed by both, {neither} by neither; {shown} list items shown, {hidden} only by the reference",
        requests.len()
    );
    println!("ours is narrower {} times:", narrower.values().sum::<usize>());
    for (reason, count) in &narrower {
        println!("  {count:6} {reason}");
    }
    // Or this test would show little.
    assert!(
        both > requests.len() / 10 && neither > requests.len() / 10 && shown > requests.len() / 50,
        "{both} {neither} {shown}"
    );
}

fn policies(random: &mut Random) -> (Vec<Value>, Vec<Root<McpAuthz>>) {
    let (mut policies, mut roots) = (Vec::new(), Vec::new());
    for _ in 0..POLICIES * 50 {
        let policy = generate::policy(random);
        if let Ok(root) = Root::configure(policy.to_string().as_bytes()) {
            policies.push(policy);
            roots.push(root);
        }
        if roots.len() == POLICIES {
            return (policies, roots);
        }
    }
    panic!("only {} of {} policies are accepted", roots.len(), POLICIES * 50)
}

/// The answers of the Python program.
fn reference(policies: &[Value], requests: &[Request]) -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("reference-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut lines = vec![json!(policies).to_string()];
    for request in requests {
        let body: String = request.body.iter().map(|byte| char::from(*byte)).collect();
        let items = request.listed.as_ref().map(|(_, names)| names);
        lines.push(json!([request.policy, request.who.peer, request.who.claims, request.headers, body, items]).to_string());
    }
    let input = folder.join("input");
    fs::write(&input, lines.join("\n") + "\n").unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/decide.py");
    let done =
        Command::new("python3").arg(program).stdin(fs::File::open(&input).unwrap()).stderr(Stdio::inherit()).output().unwrap();
    assert!(done.status.success(), "the reference ended with {}", done.status);
    fs::remove_dir_all(&folder).unwrap();
    String::from_utf8(done.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn method(request: &Request) -> String {
    let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    message["method"].as_str().unwrap_or("-").to_owned()
}

/// All that is needed to look into it.
fn told(policies: &[Value], request: &Request, ours: &Played) -> String {
    let body = request.body.escape_ascii();
    format!("{ours:?}\npolicy {}\nwho {:?}\nheaders {:?}\nbody {body}", policies[request.policy], request.who, request.headers)
}
