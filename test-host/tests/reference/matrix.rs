//! What callers and upstreams see of each fault of a token service, and of a server that asks users, as Markdown.

use std::path::Path;

use serde_json::Value;
use wardpoint_core::mcp_authz::McpAuthzApproval;
use wardpoint_core::token_exchange::TokenExchange;
use wardpoint_test_host::engine::Engine as _;
use wardpoint_test_host::host::Manners;
use wardpoint_test_host::native::Native;
use wardpoint_test_host::scenario::play::play;
use wardpoint_test_host::scenario::{Case, Expectations, Scenario, load};
use wardpoint_test_host::transcript::{Transcript, UpstreamSaw};

use super::page::row;

const HEAD: &str = "# Failure matrix

<!-- Made from `test-host/scenarios/{token-exchange,mcp-authz-approval}/{faults,secrets,…}.yaml` by `make docs`; a test fails when it is stale. -->

Of [`token-exchange`](#token-exchange), and of [`mcp-authz-approval`](#mcp-authz-approval), which asks users who are away.

## token-exchange

What a caller and the upstream see when a token service fails, with no token kept for the call and with one. Each row is two
scenarios that run on every engine, a real Envoy among them, in both header-hold profiles. In no row is the token that the
request brought upstream, in the log or in the audit record.

*new token*, *kept token*: the request goes on with that and no other. *nothing*: not a byte of the request, nor its headers.
*detail* is `exchange.detail` of the audit record.

| the token service | nothing kept: caller | upstream | detail | a token kept: caller | upstream |
|---|---|---|---|---|---|
";

const APPROVAL: &str = "
## mcp-authz-approval

What a caller and the upstream see when the server that asks users fails: when a user is to be asked (`approval.server.ask`), when it is
asked what the user said (`approval.server.token`), and when another replica asks that, which has nothing but the ticket that the caller
brings. Each cell is a scenario as above.

*the call*: it goes on, this once. *nothing*: not a byte of the body; without `holdHeaders` the headers have gone before. After a 503 the
ticket that the caller has stays good. `—`: does not happen there. `identity.tokens`, and so introspection, is not of this module: what it
knows of a user the proxy has verified.

| the server that asks users | asking: caller | upstream | polling: caller | upstream | at another replica: caller | upstream |
|---|---|---|---|---|---|---|
";
/// States of a question in which its server can fail.
const STATES: [&str; 3] = ["asking", "polling", "at another replica"];
/// Files in which an approval is refused for something else: heading, what is said of all rows, file.
const REFUSED: [(&str, &str, &str); 4] = [
    ("Tickets at another replica", "It shares keys with the one that gave them, and nothing else.", "tickets"),
    ("Questions", "What the replica that asked knows of the question.", "approval"),
    (
        "The token of an approval goes on",
        "With `approval.token: outgoing`; before a request goes on with a token that it did not bring, that must be all that it should be.",
        "outgoing",
    ),
    (
        "What the client shows, and keys of tickets, cannot be had",
        "Fetched, with `approval.client.secret` and `approval.ticketsFrom`. What needs no approval goes on.",
        "secrets",
    ),
];

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
        "Fetched, with `references.keysFrom`. With `consent.ticketsFrom` it is the same, and nobody is told.",
        "sealing",
    ),
];

/// The page.
pub(super) fn matrix() -> String {
    let scenario = scenario("token-exchange/faults");
    let mut out = HEAD.to_owned();
    for pair in scenario.cases.chunks(2) {
        let [cold, warm] = pair else { panic!("{} has no twin", pair[0].name) };
        let fault = cold.name.strip_suffix(", cold cache").unwrap_or_else(|| panic!("`{}` names no cache", cold.name));
        assert_eq!(warm.name, format!("{fault}, warm cache"));
        let (cold, warm) = (seen(&scenario, cold), seen(&scenario, warm));
        row(&mut out, &[fault, &caller(&cold), token(&cold), &detail(&cold), &caller(&warm), token(&warm)]);
    }
    for (heading, said, file) in OTHERS {
        out.push_str(&format!("\n### {heading}\n\n{said}\n\n| what happens | caller | upstream | detail |\n|---|---|---|---|\n"));
        for (case, seen) in refusals(&format!("token-exchange/{file}")) {
            row(&mut out, &[&case, &caller(&seen), token(&seen), &detail(&seen)]);
        }
    }
    out.push_str(APPROVAL);
    approvals(&mut out);
    for (heading, said, file) in REFUSED {
        out.push_str(&format!("\n### {heading}\n\n{said}\n\n| what happens | caller | upstream |\n|---|---|---|\n"));
        // Who is told to come back has not been refused yet.
        let refused = refusals(&format!("mcp-authz-approval/{file}")).into_iter();
        for (case, seen) in refused.filter(|(_, seen)| !caller(seen).contains("approval_pending")) {
            row(&mut out, &[&case, &caller(&seen), call(&seen)]);
        }
    }
    out
}

/// A row for each fault of the server that asks users.
fn approvals(out: &mut String) {
    let scenario = scenario("mcp-authz-approval/faults");
    let mut rows: Vec<(&str, [Option<Transcript>; 3])> = Vec::new();
    for case in &scenario.cases {
        let (fault, state) = case.name.rsplit_once(", ").unwrap_or_else(|| panic!("`{}` names no state", case.name));
        let state = STATES.iter().position(|known| *known == state).unwrap_or_else(|| panic!("`{state}` is no state"));
        if rows.last().is_none_or(|(last, _)| *last != fault) {
            assert!(rows.iter().all(|(known, _)| *known != fault), "`{fault}` stands in two places");
            rows.push((fault, Default::default()));
        }
        let cell = &mut rows.last_mut().unwrap().1[state];
        assert!(cell.replace(seen(&scenario, case)).is_none(), "`{}` is there twice", case.name);
    }
    for (fault, states) in &rows {
        assert_eq!(states[1].is_some(), states[2].is_some(), "`{fault}` is the same at another replica, or is not");
        let cells = states.iter().flat_map(|seen| match seen {
            Some(seen) => [caller(seen), call(seen).to_owned()],
            None => ["—".to_owned(), "—".to_owned()],
        });
        let cells: Vec<String> = [(*fault).to_owned()].into_iter().chain(cells).collect();
        row(out, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// The cases in which the caller is refused.
fn refusals(file: &str) -> Vec<(String, Transcript)> {
    let scenario = scenario(file);
    let seen = scenario.cases.iter().map(|case| (case.name.clone(), seen(&scenario, case)));
    seen.filter(|(_, seen)| seen.client.status.unwrap() >= 400).collect()
}

fn scenario(name: &str) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.yaml"));
    load(&file, Expectations::Required).unwrap_or_else(|error| panic!("{error}"))
}

fn detail(seen: &Transcript) -> String {
    let detail = seen.audit[0].pointer("/exchange/detail").and_then(Value::as_str);
    detail.map(|detail| format!("`{detail}`")).unwrap_or_default()
}

/// What is seen of a case; the profiles agree.
fn seen(scenario: &Scenario, case: &Case) -> Transcript {
    let mut native = Native::new(Manners::default()).with::<McpAuthzApproval>().with::<TokenExchange>();
    let mut run = |profile| native.play(&play(&scenario.plugin, case, profile)).unwrap();
    let mut seen: Vec<Transcript> = case.profiles.iter().map(|profile| run(*profile)).collect();
    if let [hold, no_hold] = &seen[..] {
        let clusters = |seen: &Transcript| seen.callouts.iter().map(|call| call.cluster.clone()).collect::<Vec<_>>();
        assert_eq!((caller(hold), &hold.upstream, clusters(hold)), (caller(no_hold), &no_hold.upstream, clusters(no_hold)));
        // A ticket is for one policy, and the profile is a part of that.
        if scenario.plugin == "token-exchange" {
            assert_eq!((&hold.client, &hold.callouts), (&no_hold.client, &no_hold.callouts));
        }
    }
    seen.swap_remove(0)
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

/// What the upstream gets of a call that a user has approved, or not.
fn call(seen: &Transcript) -> &'static str {
    match &seen.upstream {
        UpstreamSaw::Nothing => "nothing",
        UpstreamSaw::Complete { .. } => "the call",
        UpstreamSaw::Partial { .. } => panic!("a part of a request"),
    }
}

/// The token with which a call reaches the upstream.
fn token(seen: &Transcript) -> &'static str {
    match (&seen.upstream, seen.callouts.is_empty()) {
        (UpstreamSaw::Nothing, _) => "nothing",
        (UpstreamSaw::Complete { .. }, true) => "kept token",
        (UpstreamSaw::Complete { .. }, false) => "new token",
        (UpstreamSaw::Partial { .. }, _) => panic!("a part of a request"),
    }
}
