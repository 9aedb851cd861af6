//! What callers and upstreams see of each fault of a token service, as Markdown.

use std::path::Path;

use serde_json::Value;
use wardpoint_core::token_exchange::TokenExchange;
use wardpoint_test_host::engine::Engine as _;
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::native::Native;
use wardpoint_test_host::scenario::play::play;
use wardpoint_test_host::scenario::{Case, Expectations, Profile, Scenario, load};
use wardpoint_test_host::transcript::{Transcript, UpstreamSaw};

use super::page::row;

const HEAD: &str = "# Failure matrix: token-exchange

<!-- Made from `test-host/scenarios/token-exchange/faults.yaml` by `make docs`; a test fails when it is stale. -->

What a caller and the upstream see when a token service fails, with no token kept for the call and with one. Each row is two
scenarios that run on every engine, a real Envoy among them, in both header-hold profiles. In no row is the token that the
request brought upstream, in the log or in the audit record.

*new token*, *kept token*: the request goes on with that and no other. *nothing*: not a byte of the request, nor its headers.
*detail* is `exchange.detail` of the audit record.

| the token service | nothing kept: caller | upstream | detail | a token kept: caller | upstream |
|---|---|---|---|---|---|
";

/// The page.
pub(super) fn matrix() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/token-exchange/faults.yaml");
    let scenario = load(&file, Expectations::Required).unwrap_or_else(|error| panic!("{error}"));
    let mut out = HEAD.to_owned();
    for pair in scenario.cases.chunks(2) {
        let [cold, warm] = pair else { panic!("{} has no twin", pair[0].name) };
        let fault = cold.name.strip_suffix(", cold cache").unwrap_or_else(|| panic!("`{}` names no cache", cold.name));
        assert_eq!(warm.name, format!("{fault}, warm cache"));
        let (cold, warm) = (seen(&scenario, cold), seen(&scenario, warm));
        let detail = cold.audit[0].pointer("/exchange/detail").and_then(Value::as_str).unwrap_or_default();
        let detail = if detail.is_empty() { String::new() } else { format!("`{detail}`") };
        row(&mut out, &[fault, &caller(&cold), upstream(&cold), &detail, &caller(&warm), upstream(&warm)]);
    }
    out
}

/// What is seen of a case; the profiles agree.
fn seen(scenario: &Scenario, case: &Case) -> Transcript {
    let mut native = Native::new(Manners::default()).with::<TokenExchange>();
    let mut run = |profile| native.run(&play(&scenario.plugin, case, profile)).unwrap();
    let (hold, no_hold) = (run(Profile::Hold), run(Profile::NoHold));
    assert_eq!((&hold.client, &hold.upstream, &hold.callouts), (&no_hold.client, &no_hold.upstream, &no_hold.callouts));
    hold
}

fn caller(seen: &Transcript) -> String {
    let status = seen.client.status.unwrap();
    let body: Value = serde_json::from_slice(&seen.client.body).unwrap();
    let mut out = match body.pointer("/error/data/reason").and_then(Value::as_str) {
        Some(reason) => format!("{status} `{reason}`"),
        None => status.to_string(),
    };
    for (name, value) in
        seen.client.headers.iter().filter(|(name, _)| ["www-authenticate", "retry-after"].contains(&name.as_str()))
    {
        out.push_str(&format!("<br>`{name}: {value}`"));
    }
    out
}

fn upstream(seen: &Transcript) -> &'static str {
    match (&seen.upstream, seen.callouts.is_empty()) {
        (UpstreamSaw::Nothing, _) => "nothing",
        (UpstreamSaw::Complete { .. }, true) => "kept token",
        (UpstreamSaw::Complete { .. }, false) => "new token",
        (UpstreamSaw::Partial { .. }, _) => panic!("a part of a request"),
    }
}
