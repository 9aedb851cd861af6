//! The counters are those of the page, and a real Envoy shows them under the names that the page and the alerts use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wardpoint_core::filter::COUNTERS;
use wardpoint_core::jws::TokenError;
use wardpoint_core::mcp_authz::{McpAuthz, McpAuthzApproval};
use wardpoint_core::policy::Reason;
use wardpoint_core::token_exchange::TokenExchange;
use wardpoint_test_host::engine::{Engine, Play};
use wardpoint_test_host::envoy::Envoy;
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::native::Native;
use wardpoint_test_host::scenario::play::play;
use wardpoint_test_host::scenario::{Case, Expectations, Profile, Scenario, load_all, yaml};

use super::alerts;
use super::page::{counted, plugins};

/// What counts only where several requests are under way in one VM (`shared/src/token_exchange/tests.rs` has them), or where
/// workers cannot share or a host cannot verify (`shared/tests/tokens` has these).
const SEVERAL: &[&str] = &[
    "calls.shared",
    "keys.host_lacks.<what>",
    "keys.shared_data_failed",
    "revocation.shared_data_failed",
    "status.shared_data_failed",
];
/// What of Envoy's own the alerts speak of.
const OF_ENVOY: [&str; 2] = ["envoy_wasm_envoy_wasm_runtime_v8_active", "envoy_server_concurrency"];
/// What `decision` can be.
const DECISIONS: &[&str] = &["allow", "deny", "undecided", "would_deny"];
/// The name under which Envoy shows a counter of a plugin to Prometheus.
pub(super) fn prometheus(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '<' | '>') { c } else { '_' };
    name.chars().map(plain).collect()
}

fn is_token_error(name: &str) -> bool {
    let named = [TokenError::ClaimMalformed(""), TokenError::ClaimMissing("")];
    TokenError::ALL.iter().chain(&named).any(|error| error.code() == name)
}

/// Whether `name`, without what stands before every counter, is one of the family.
fn is_of(family: &str, name: &str) -> bool {
    let (mut families, mut names) = (family.split('.'), name.split('.'));
    loop {
        let known = |word: &str, name: &str| match word {
            "<decision>" => DECISIONS.contains(&name),
            "<reason>" => Reason::ALL.iter().any(|reason| reason.code() == name),
            "<rule>" => !name.is_empty(),
            "<what>" => matches!(name, "ecdsa" | "rsa"),
            "<why>" => is_token_error(name),
            word => word == name,
        };
        match (families.next(), names.next()) {
            (None, None) => return true,
            (Some(word), Some(name)) if known(word, name) => {}
            _ => return false,
        }
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What an engine can play: a real proxy would wait as long as a virtual clock says.
fn plays(engine: &dyn Engine, folders: &[&str]) -> Vec<Play> {
    let folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let scenarios = load_all(&folders, Expectations::Required).unwrap_or_else(|errors| panic!("{errors:?}"));
    let of = |scenario: &Scenario| -> Vec<Play> {
        let can = |case: &&Case| case.needs.iter().all(|need| engine.offers(*need)) && case.expected(Profile::NoHold).is_some();
        let each = scenario.cases.iter().filter(can);
        each.map(|case| play(&scenario.plugin, case, Profile::NoHold)).collect()
    };
    scenarios.iter().filter(|scenario| counted().iter().any(|(name, _)| *name == scenario.plugin)).flat_map(of).collect()
}

#[test]
fn every_counter_is_on_the_page_and_every_one_of_the_page_is_counted() {
    let mut native = Native::new(Manners::default()).with::<McpAuthz>().with::<McpAuthzApproval>().with::<TokenExchange>();
    let mut seen = BTreeSet::new();
    let of = ["mcp-authz", "mcp-authz-approval", "token-exchange"].map(|plugin| format!("test-host/scenarios/{plugin}"));
    let folders: Vec<&str> = of.iter().map(String::as_str).chain(["examples"]).collect();
    for mut play in plays(&native, &folders) {
        seen.extend(native.play(&play).unwrap().counters.into_keys());
        play.faults = ["proxy_log", "proxy_set_property"].map(|import| (import.to_owned(), 10)).to_vec();
        seen.extend(native.play(&play).unwrap().counters.into_keys());
    }
    let mut all = BTreeSet::new();
    for (plugin, counters) in counted() {
        let prefix = format!("wardpoint.{plugin}.");
        let names: Vec<&str> = seen.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
        for name in &names {
            assert!(
                COUNTERS.iter().chain(counters).any(|counter| is_of(counter.name, name)),
                "`{prefix}{name}` is not on the page: add it to counters.rs"
            );
        }
        for counter in counters.iter().filter(|counter| !SEVERAL.contains(&counter.name)) {
            assert!(names.iter().any(|name| is_of(counter.name, name)), "nothing in the corpus counts {prefix}{}", counter.name);
        }
        all.extend(names.into_iter().map(str::to_owned));
    }
    assert!(seen.iter().all(|name| counted().iter().any(|(plugin, _)| name.starts_with(&format!("wardpoint.{plugin}.")))));
    for counter in COUNTERS {
        assert!(all.iter().any(|name| is_of(counter.name, name)), "nothing in the corpus counts {}", counter.name);
    }
}

/// The counters that the alerts of a plugin speak of.
fn spoken_of(plugin: &str) -> BTreeSet<String> {
    let text = alerts(plugin);
    let file = yaml::parse(&text).unwrap().to_json();
    let word = regex_lite::Regex::new("wardpoint_[a-z0-9_]+").unwrap();
    let mut found = BTreeSet::new();
    for group in file["groups"].as_array().unwrap() {
        assert!(group["name"].is_string());
        for rule in group["rules"].as_array().unwrap() {
            assert!(rule["alert"].is_string() && rule["annotations"]["summary"].is_string(), "{rule}");
            let expression = rule["expr"].as_str().unwrap();
            let before = found.len();
            found.extend(word.find_iter(expression).map(|name| name.as_str().to_owned()));
            let known = found.len() > before || expression.contains("wardpoint_");
            assert!(known || OF_ENVOY.iter().all(|gauge| expression.contains(gauge)), "{expression} speaks of no counter");
            // Prometheus' own parser is not at hand; this much can be seen without it.
            let (open, close) = (expression.matches('(').count(), expression.matches(')').count());
            assert_eq!(open, close, "{expression}");
        }
    }
    found
}

#[test]
fn alerts_speak_of_counters_that_there_are() {
    for plugin in plugins() {
        let known = |name: &str| {
            COUNTERS.iter().chain(plugin.counters).any(|counter| {
                let families = DECISIONS.iter().flat_map(|decision| {
                    Reason::ALL
                        .iter()
                        .map(move |reason| counter.name.replace("<decision>", decision).replace("<reason>", reason.code()))
                });
                families.into_iter().any(|family| prometheus(&format!("wardpoint.{}.{family}", plugin.name)) == name)
            })
        };
        let names = spoken_of(plugin.name);
        assert!(names.len() >= 5, "{names:?}");
        for name in names {
            assert!(known(&name), "the alerts speak of {name}, which {} does not count", plugin.name);
        }
    }
}

/// All in one test: Envoy is started once.
#[test]
fn envoy_shows_them_under_these_names() {
    if std::env::var_os("ENVOY_BIN").is_none() {
        eprintln!("skipped: ENVOY_BIN is unset");
        return;
    }
    let mut envoy = Envoy::new().unwrap();
    let (mut counted, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for play in plays(&envoy, &["examples"]) {
        counted.extend(envoy.play(&play).unwrap().counters.into_keys());
        // At once: what a listener has counted goes with it when it makes room for another one.
        let text = envoy.prometheus().unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        shown.extend(lines.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned));
    }
    assert!(counted.iter().any(|name| name.ends_with("decisions.deny")), "{counted:?}");
    let wanted: BTreeSet<String> = counted.iter().map(|name| prometheus(name)).collect();
    for name in &wanted {
        assert!(shown.contains(name), "Envoy does not show {name}: {shown:?}");
    }
    for gauge in OF_ENVOY {
        assert!(shown.contains(gauge), "Envoy does not show {gauge}: {shown:?}");
    }
    // With a name of Envoy's own before it, a query for ours would find nothing.
    let ours: BTreeSet<&str> = shown.iter().map(String::as_str).filter(|name| name.contains("wardpoint_")).collect();
    assert_eq!(ours, wanted.iter().map(String::as_str).collect());
}
