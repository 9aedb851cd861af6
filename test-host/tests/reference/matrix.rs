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

<!-- Made from `test-host/scenarios/token-exchange/{faults,secrets,…}.yaml` by `make docs`; a test fails when it is stale. -->

What a caller and the upstream see when a token service fails, with no token kept for the call and with one. Each row is two
scenarios that run on every engine, a real Envoy among them, in both header-hold profiles. In no row is the token that the
request brought upstream, in the log or in the audit record.

*new token*, *kept token*: the request goes on with that and no other. *nothing*: not a byte of the request, nor its headers.
*detail* is `exchange.detail` of the audit record.

| the token service | nothing kept: caller | upstream | detail | a token kept: caller | upstream |
|---|---|---|---|---|---|
";

/// Files in which callers are refused for something else: heading, what is said of all rows, file.
const OTHERS: [(&str, &str, &str); 7] = [
    (
        "What a client shows cannot be had",
        "It comes by callout (`svid`, or `fetch` of a `secret` or `key`), and there is no good one from before.",
        "secrets",
    ),
    ("Keys of issuers, and lists of who is suspended", "Fetched, with `identity.tokens` and `identity.revocation`.", "keys"),
    ("The list of who is suspended", "With `identity.revocation`; docs/revocation.md says within which time.", "revoked"),
    ("Introspection", "With `identity.tokens[].introspection` (RFC 7662).", "introspection"),
    ("Token status lists", "With `identity.tokens[].statusLists`.", "statuses"),
    ("References", "With `references`: what the agent brings in the place of a token.", "references"),
    (
        "Keys that seal cannot be had",
        "Fetched, with `references.keysFrom`. With `consent.ticketsFrom` it is the same, and nobody is told; with `approval.ticketsFrom` \
         (`mcp-authz-approval`) it is 503 `approval_unavailable`, and nobody is asked.",
        "sealing",
    ),
];

/// The page.
pub(super) fn matrix() -> String {
    let scenario = scenario("faults");
    let mut out = HEAD.to_owned();
    for pair in scenario.cases.chunks(2) {
        let [cold, warm] = pair else { panic!("{} has no twin", pair[0].name) };
        let fault = cold.name.strip_suffix(", cold cache").unwrap_or_else(|| panic!("`{}` names no cache", cold.name));
        assert_eq!(warm.name, format!("{fault}, warm cache"));
        let (cold, warm) = (seen(&scenario, cold), seen(&scenario, warm));
        row(&mut out, &[fault, &caller(&cold), upstream(&cold), &detail(&cold), &caller(&warm), upstream(&warm)]);
    }
    for (heading, said, file) in OTHERS {
        out.push_str(&format!("\n## {heading}\n\n{said}\n\n| what happens | caller | upstream | detail |\n|---|---|---|---|\n"));
        refusals(&mut out, file);
    }
    out
}

/// A row for each case in which the caller is refused.
fn refusals(out: &mut String, file: &str) {
    let scenario = scenario(file);
    for case in &scenario.cases {
        let seen = seen(&scenario, case);
        if seen.client.status.unwrap() >= 400 {
            row(out, &[&case.name, &caller(&seen), upstream(&seen), &detail(&seen)]);
        }
    }
}

fn scenario(name: &str) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/token-exchange/{name}.yaml"));
    load(&file, Expectations::Required).unwrap_or_else(|error| panic!("{error}"))
}

fn detail(seen: &Transcript) -> String {
    let detail = seen.audit[0].pointer("/exchange/detail").and_then(Value::as_str);
    detail.map(|detail| format!("`{detail}`")).unwrap_or_default()
}

/// What is seen of a case; the profiles agree.
fn seen(scenario: &Scenario, case: &Case) -> Transcript {
    let mut native = Native::new(Manners::default()).with::<TokenExchange>();
    let mut run = |profile| native.play(&play(&scenario.plugin, case, profile)).unwrap();
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
