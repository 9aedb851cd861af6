//! The corpus is complete: every reason, every trick of rules.md 6.1 to 6.5 and 6.7, and every example has its case, and each holds.
#![expect(clippy::panic, reason = "a test fails by it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wardpoint_core::mcp_authz::{McpAuthz, McpAuthzApproval};
use wardpoint_core::policy::Reason;
use wardpoint_core::token_exchange::TokenExchange;
use wardpoint_test_host::engine::{Engine, EngineError};
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::native::Native;
use wardpoint_test_host::scenario::cut::Cuts;
use wardpoint_test_host::scenario::run::{Engines, Outcome, Setting, run};
use wardpoint_test_host::scenario::{Case, Expectations, Profile, Scenario, load_all, yaml};

/// Reasons that no exchange with these plugins can have.
const NO_CASE: &[(Reason, &str)] = &[
    (Reason::Internal, "only a bug of a filter; filter/stream_tests.rs"),
    (Reason::Undecided, "only a bug of a filter; filter/stream_tests.rs"),
];

/// Rules of rules.md 6.1 to 6.5 and 6.7 that no exchange with these plugins can show.
const NOT_HERE: &[(&str, &str)] = &[
    ("BY-H-13", "no plugin changes a header by which a route is chosen"),
    ("BY-H-14", "a matter of deployment: other ports and direct ways to the pod"),
    ("BY-P-03", "no model stands in a path of MCP"),
    ("BY-P-05", "no verb stands in a path of MCP"),
    ("BY-S-07", "contexts and tasks of A2A; those of MCP are MCP-K-04"),
    ("BY-X-08", "exchanges come one after the other here; shared/src/token_exchange/tests.rs has fifty at once"),
    ("BY-J-14", "what a text says is judged by guards, not by mcp-authz"),
];

/// Cases that there are at the least; who takes some away lowers it knowingly.
const CASES: usize = 500;

#[test]
fn every_reason_has_a_case() {
    let corpus = corpus();
    let expected: BTreeSet<String> = cases(&corpus).flat_map(reasons).collect();
    for reason in Reason::ALL {
        let exempt = NO_CASE.iter().find(|(exempt, _)| exempt == reason);
        match (expected.contains(reason.code()), exempt) {
            (true, Some((_, why))) => panic!("{} has a case now, so `{why}` is wrong", reason.code()),
            (false, None) => panic!("no case expects {}", reason.code()),
            _ => {}
        }
    }
    let known: BTreeSet<String> = Reason::ALL.iter().map(|reason| reason.code().to_owned()).collect();
    assert_eq!(expected.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_trick_has_a_case() {
    let corpus = corpus();
    let cited: BTreeSet<&str> = cases(&corpus).flat_map(|case| &case.cites).map(String::as_str).collect();
    let groups = [("BY-E", 12), ("BY-H", 16), ("BY-J", 15), ("BY-P", 6), ("BY-S", 8), ("BY-X", 14)];
    for rule in groups.iter().flat_map(|(group, last)| (1..=*last).map(move |number| format!("{group}-{number:02}"))) {
        match (cited.contains(rule.as_str()), NOT_HERE.iter().find(|(exempt, _)| *exempt == rule)) {
            (true, Some((_, why))) => panic!("{rule} is cited now, so `{why}` is wrong"),
            (false, None) => panic!("no case cites {rule}"),
            _ => {}
        }
    }
}

#[test]
fn every_case_cites_a_rule() {
    let corpus = corpus();
    assert!(cases(&corpus).count() >= CASES, "{} cases", cases(&corpus).count());
    let id = regex_lite::Regex::new("^((MCP|BY|OA)-[A-Z]{1,2}|OT)-[0-9]{2}$").unwrap();
    for case in cases(&corpus) {
        assert!(!case.cites.is_empty(), "{} (line {}) cites nothing", case.name, case.place.line);
        for cited in &case.cites {
            assert!(id.is_match(cited), "{} (line {}) cites `{cited}`, which is no rule", case.name, case.place.line);
        }
    }
}

/// An example is a policy, a scenario that plays it, and a page that says how to.
#[test]
fn every_example_proves_itself() {
    let mut found = 0;
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("policy.yaml").is_file() {
            continue;
        }
        found += 1;
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
        let scenario = yaml::parse(&text("scenario.yaml")).unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let config = scenario.get("config").and_then(yaml::Node::as_str);
        assert_eq!(config, Some("policy.yaml"), "the scenario of {name} plays another policy");
        let command = format!("wardpoint run examples/{name}");
        assert!(
            text("README.md").starts_with("# ") && text("README.md").contains(&command),
            "{name}/README.md lacks `{command}`"
        );
    }
    assert!(found >= 5, "{found} examples");
}

/// Here as written and on one engine, in no time; `wardpoint run` does the rest.
#[test]
fn every_case_holds_as_written() {
    let corpus = corpus();
    let setting =
        Setting { engines: vec!["native"], profiles: Profile::ALL.to_vec(), cuts: Cuts::AsWritten, keep_seen: false, workers: 2 };
    let (mut passed, mut others) = (0, Vec::new());
    run(&corpus, &setting, &OnlyNative, |line| match line.outcome {
        Outcome::Passed => passed += 1,
        other => others.push(format!("{}: {other:?}", corpus[line.scenario].cases[line.case].name)),
    })
    .unwrap();
    assert!(others.is_empty(), "{}", others.join("\n"));
    assert!(passed >= CASES, "{passed} passed");
}

struct OnlyNative;

impl Engines for OnlyNative {
    fn make(&self, _: &'static str) -> Result<Box<dyn Engine>, EngineError> {
        Ok(Box::new(Native::new(Manners::default()).with::<McpAuthz>().with::<McpAuthzApproval>().with::<TokenExchange>()))
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The scenarios of the plugins that ship, and of the examples.
fn corpus() -> Vec<Scenario> {
    let folders = [
        "test-host/scenarios/mcp-authz",
        "test-host/scenarios/mcp-authz-approval",
        "test-host/scenarios/token-exchange",
        "examples",
    ];
    let folders: Vec<PathBuf> = folders.map(|folder| root().join(folder)).into();
    load_all(&folders, Expectations::Required).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    })
}

fn cases(corpus: &[Scenario]) -> impl Iterator<Item = &Case> {
    corpus.iter().flat_map(|scenario| &scenario.cases)
}

/// The reasons that a case expects to be recorded.
fn reasons(case: &Case) -> Vec<String> {
    let mut found = Vec::new();
    for expected in Profile::ALL.into_iter().filter_map(|profile| case.expected(profile)) {
        let records = expected.audit.to_json();
        let reasons = records.as_array().into_iter().flatten().filter_map(|record| record.get("reason")?.as_str());
        found.extend(reasons.map(str::to_owned));
    }
    found
}
