//! What the rules of `mcp-authz` can say besides tools, agents and scopes: one test a point.
#![expect(clippy::panic, reason = "a policy of a test that is none is a failed test")]

use wardpoint_core::audit::Subject;
use wardpoint_core::filter::{Plugin as _, Properties, PropertyError};
use wardpoint_core::http::Headers;
use wardpoint_core::identity::{Caller, Claim, Scopes};
use wardpoint_core::mcp::Method;
use wardpoint_core::mcp_authz::{Ask, Fit, Item, McpAuthz, Outcome, Policy, UriPattern, caller};
use wardpoint_core::policy::{Decision, Deny};

/// What a host says of a property.
type Property = Result<Option<Vec<u8>>, PropertyError>;

const PLANNER: &str = "spiffe://c/ns/agents/sa/planner";

fn policy_with(rules: &str, more: &str) -> Policy {
    let text = format!(
        r#"{{"version":1,"identity":{{"peer":"waypoint","claims":{{"provider":"p"}},
            "agents":[{{"spiffe":"{PLANNER}","client":"planner"}}]}},"rules":{rules}{more}}}"#
    );
    Policy::configure(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn policy(rules: &str) -> Policy {
    policy_with(rules, "")
}

fn alice(scopes: &[&str]) -> Caller {
    Caller {
        agent: Some(PLANNER.into()),
        user: Some(Subject { issuer: Some("https://idp".into()), user: "alice".into(), owner: None }),
        scopes: Scopes::read(&scopes.join(" ")),
        client: Some("planner".into()),
        verified: true,
        ..Caller::default()
    }
}

/// `allow` and the rule, or the reason, with rule and tier.
fn said(policy: &Policy, caller: &Caller, ask: &Ask<'_>) -> String {
    text(&policy.decide(caller, ask).decision)
}

fn text(decision: &Decision) -> String {
    match decision {
        Decision::Allow(allow) => format!("allow {}", allow.rule),
        Decision::Deny(Deny { reason, rule, tier }) => {
            let rule = rule.as_ref().map(|rule| format!(" {rule}")).unwrap_or_default();
            format!("{}{rule}{}", reason.code(), tier.map(|tier| format!(" @{}", tier.as_str())).unwrap_or_default())
        }
    }
}

#[test]
fn each_kind_of_item_has_rules_of_its_own() {
    let policy = policy(
        r#"[{"id":"t","allow":{"agents":["*"],"tools":["x"]}},{"id":"p","allow":{"agents":["*"],"prompts":["y*"]}},
            {"id":"r","allow":{"agents":["*"],"resources":["file:///pub/*"]}},{"id":"m","allow":{"agents":["*"],"methods":["tasks/list"]}},
            {"id":"no-log","deny":{"methods":["logging/setLevel","resources/subscribe"]}}]"#,
    );
    let caller = alice(&[]);
    for (item, want) in [
        (Item::Tool("x"), "allow t"),
        (Item::Tool("y"), "no_matching_rule"),
        (Item::Prompt("yes"), "allow p"),
        (Item::Prompt("x"), "no_matching_rule"),
        (Item::Resource("file:///pub/a"), "allow r"),
        (Item::Resource("FILE:///pub/a"), "allow r"),
        (Item::Resource("file:///PUB/a"), "no_matching_rule"),
        (Item::Resource("file:///pub/../etc"), "no_matching_rule"),
        (Item::Template("file:///{path}"), "allow r"),
        (Item::Template("https://{path}"), "no_matching_rule"),
        (Item::Task("1"), "allow builtin:task"),
    ] {
        assert_eq!(said(&policy, &caller, &Ask::about(item)), want, "{item:?}");
        assert_eq!(policy.shows(&caller, item), want.starts_with("allow"), "{item:?}");
    }
    for (method, want) in [
        (Method::Initialize, "allow builtin:lifecycle"),
        (Method::ToolsList, "allow builtin:list"),
        (Method::TasksList, "allow m"),
        (Method::LoggingSetLevel, "denied_by_rule no-log"),
        (Method::RootsList, "no_matching_rule"),
    ] {
        assert_eq!(said(&policy, &caller, &Ask::method(method)), want, "{method:?}");
    }
    let subscribe = Ask { method: Method::ResourcesSubscribe, ..Ask::about(Item::Resource("file:///pub/a")) };
    assert_eq!(said(&policy, &caller, &subscribe), "denied_by_rule no-log");
}

#[test]
fn a_uri_that_servers_resolve_in_several_ways_is_never_allowed_by_a_star() {
    let of = |text: &str, denies| UriPattern::parse(text, denies).unwrap();
    for uri in [
        "file:///pub/../x",
        "file:///pub/%2e%2e/x",
        "file:///pub/%252e%252E/x",
        "file:///pub/a%2Fb",
        "file:///pub/a%5cb",
        "file:///pub/a\\b",
        "file:///pub/a\nb",
        "file:///pub/%00",
        "file://u@h/pub/x",
    ] {
        assert!(!of("file:///pub/*", false).matches(uri) && !of("*", false).matches(uri), "{uri:?}");
        assert!(of("file:///secret/*", true).matches(uri) && of("*", true).matches(uri), "{uri:?}");
        assert!(!of("https://secret/*", true).matches(uri), "{uri:?}");
        assert!(of(uri, false).matches(uri), "exactly as it is written: {uri:?}");
    }
    for uri in ["file:///pub/a%20b", "file:///pub/a.b", "file:///pub/mailto:a@b"] {
        assert!(of("file:///pub/*", false).matches(uri), "{uri}");
    }
}

#[test]
fn a_template_is_shown_if_some_uri_of_it_could_be_read() {
    for (pattern, template, allowed, denied) in [
        ("file:///pub/*", "file:///pub/{x}", Fit::All, Fit::All),
        ("file:///pub/*", "FILE:///{x}", Fit::Some, Fit::Some),
        ("file:///pub/*", "file:///priv/{x}", Fit::No, Fit::No),
        ("file:///pub/a.txt", "file:///pub/{x}.txt", Fit::Some, Fit::Some),
        ("file:///pub/a.txt", "file:///pub/{x}.md", Fit::No, Fit::No),
        ("*.txt", "{x}.md", Fit::No, Fit::No),
        ("*.txt", "{x}", Fit::Some, Fit::Some),
        ("*", "file:///..{x}", Fit::No, Fit::Some),
        ("*", "}x{", Fit::No, Fit::Some),
        ("*", "file:///x", Fit::All, Fit::All),
    ] {
        let fit = |denies| UriPattern::parse(pattern, denies).unwrap().fits(template);
        assert_eq!((fit(false), fit(true)), (allowed, denied), "{pattern} {template}");
    }
}

#[test]
fn a_tier_only_narrows_and_one_that_is_absent_does_not() {
    let policy = policy_with(
        r#"[{"id":"all","allow":{"agents":["*"],"tools":["*"],"scopes":["s"]}},{"id":"p","allow":{"agents":["*"],"prompts":["*"]}}]"#,
        r#","tiers":{"global":[{"id":"no-del","deny":{"tools":["delete_*"]}}],
            "namespaces":{"agents":[{"id":"ns","allow":{"agents":["*"],"tools":["read","write"],"scopes":["n"]}}]},
            "clients":{"planner":[{"id":"cl","allow":{"agents":["*"],"tools":["read"]}}]}}"#,
    );
    let other = |caller: Caller| Caller { agent: Some("spiffe://c/ns/elsewhere/sa/x".into()), client: None, ..caller };
    for (caller, tool, want) in [
        (alice(&["s", "n"]), "read", "allow all"),
        (alice(&["s", "n"]), "write", "no_matching_rule @clients"),
        (alice(&["s", "n"]), "other", "no_matching_rule @namespaces"),
        (alice(&["s", "n"]), "delete_x", "denied_by_rule no-del @global"),
        (other(alice(&["s"])), "other", "allow all"),
        (other(alice(&["s"])), "delete_x", "denied_by_rule no-del @global"),
        (alice(&[]), "read", "insufficient_scope @namespaces"),
    ] {
        assert_eq!(said(&policy, &caller, &Ask::about(Item::Tool(tool))), want, "{tool}");
    }
    assert_eq!(said(&policy, &alice(&[]), &Ask::about(Item::Prompt("x"))), "allow p", "the tiers say nothing of prompts");
    assert_eq!(said(&policy, &alice(&[]), &Ask::method(Method::ToolsList)), "allow builtin:list");
    // One challenge names the scopes of all tiers (MCP-Z-02).
    assert_eq!(policy.decide(&alice(&[]), &Ask::about(Item::Tool("read"))).needed, ["n", "s"]);
}

#[test]
fn a_scope_stands_for_those_that_it_includes() {
    let policy = policy_with(
        r#"[{"id":"r","allow":{"agents":["*"],"tools":["*"],"scopes":["files:read"]}}]"#,
        r#","scopes":{"implies":{"files:admin":["files:write"],"files:write":["files:read","x"],"x":["files:admin"]}}"#,
    );
    for (scope, want) in [("files:read", true), ("files:write", true), ("files:admin", true), ("x", true), ("files:rea", false)] {
        assert_eq!(said(&policy, &alice(&[scope]), &Ask::about(Item::Tool("t"))) == "allow r", want, "{scope}");
    }
}

#[test]
fn a_public_tool_is_for_a_caller_without_a_name_and_the_rest_asks_for_a_token() {
    let text = r#"{"version":1,"identity":{"peer":"none","claims":{"provider":"p"}},"rules":[
        {"id":"open","allow":{"agents":["*"],"user":"none","tools":["time"]}},
        {"id":"mine","allow":{"agents":["planner"],"tools":["mail"],"scopes":["m"]}},{"id":"d","deny":{"tools":["drop"]}}]}"#;
    let policy = Policy::configure(text.as_bytes()).unwrap();
    let nobody = Caller::default();
    for (tool, want) in [("time", "allow open"), ("mail", "no_user"), ("other", "no_user"), ("drop", "denied_by_rule d")] {
        assert_eq!(said(&policy, &nobody, &Ask::about(Item::Tool(tool))), want, "{tool}");
    }
    assert_eq!(policy.decide(&nobody, &Ask::about(Item::Tool("mail"))).needed, ["m"]);
    assert_eq!(policy.greet(&nobody), None);
    assert!(policy.shows(&nobody, Item::Tool("time")) && !policy.shows(&nobody, Item::Tool("mail")));
}

#[test]
fn a_condition_decides_a_call_and_a_list_shows_what_some_call_could_do() {
    let policy = policy(
        r#"[{"id":"r","allow":{"agents":["*"],"tools":["read"],"scopes":["s"],"when":"mcp.tool.arguments.path.startsWith('/public/')"}},
            {"id":"d","deny":{"tools":["read"],"when":"mcp.tool.arguments.force == true"}}]"#,
    );
    let caller = alice(&["s"]);
    for (arguments, want) in [
        (Some(r#"{"path":"/public/x","force":false}"#), "allow r"),
        (Some(r#"{"path":"/etc","force":false}"#), "no_matching_rule"),
        (Some(r#"{"path":"/public/x","force":true}"#), "denied_by_rule d"),
        (Some(r#"{"path":"/public/x"}"#), "denied_by_rule d"), // an error denies
        (Some(r#"{"path":7,"force":false}"#), "no_matching_rule"),
        (None, "denied_by_rule d"),
    ] {
        let ask = Ask { arguments: arguments.map(str::as_bytes), ..Ask::about(Item::Tool("read")) };
        assert_eq!(said(&policy, &caller, &ask), want, "{arguments:?}");
    }
    assert!(policy.shows(&caller, Item::Tool("read")));
    // No scope would cure it, so none is asked for (MCP-Z-03).
    let ask = Ask { arguments: Some(br#"{"path":"/etc","force":false}"#), ..Ask::about(Item::Tool("read")) };
    assert_eq!(said(&policy, &alice(&[]), &ask), "no_matching_rule");
}

#[test]
fn conditions_read_claims_the_peer_and_the_request() {
    let policy = policy(
        r#"[{"id":"r","allow":{"agents":["*"],"tools":["t"],"when":"jwt.level >= 3 && 'red' in jwt.teams && jwt.realm.admin && source.identity.namespace == 'agents' && request.headers['x-team'] == 'red' && mcp.method == 'tools/call'"}}]"#,
    );
    let given = |level: &[u8]| {
        let text = |text: &str| Ok(Some(text.as_bytes().to_vec()));
        let values = alice_of([Ok(Some(level.to_vec())), text("red"), Ok(Some(vec![1]))]);
        caller(&policy, Properties::new(&values)).unwrap()
    };
    let facts = |team: &[&str]| {
        let lines = team.iter().map(|team| ("X-Team", *team)).chain([(":path", "/mcp"), ("x-other", "y")]);
        policy.request_facts(&lines.collect::<Headers>(), Properties::default()).unwrap()
    };
    let one = facts(&["red"]);
    assert_eq!(one.headers, [("x-team".to_owned(), b"red".to_vec())], "only what some condition reads");
    for (level, team, want) in [
        (&3f64.to_le_bytes()[..], &["red"][..], "allow r"),
        (&2f64.to_le_bytes(), &["red"], "no_matching_rule"),
        (b"99999999", &["red"], "no_matching_rule"), // a string is no number
        (&3f64.to_le_bytes(), &["blue"], "no_matching_rule"),
        (&3f64.to_le_bytes(), &["red", "red"], "no_matching_rule"),
        (&3f64.to_le_bytes(), &[], "no_matching_rule"),
    ] {
        let facts = facts(team);
        let ask = Ask { request: Some(&facts), ..Ask::about(Item::Tool("t")) };
        assert_eq!(said(&policy, &given(level), &ask), want, "{level:?} {team:?}");
    }
    assert!(Claim::new(Err(PropertyError)).value().is_err());
}

/// A deny rule holds and an allow rule does not where the proxy has not said where it sends a request, `has` or not.
#[test]
fn conditions_read_where_the_proxy_sends_a_request() {
    const GIT: &str = "outbound|443||git.example";
    let policy = |tool: &str, when: &str| {
        policy(&format!(
            r#"[{{"id":"all","allow":{{"agents":["*"],"tools":["d"]}}}},{{"id":"r","{tool}":{{"agents":["*"],"tools":["t"],"when":"{when}"}}}}]"#
        ))
    };
    let matched = |tool: &str, when: &str, cluster: &Property| {
        let policy = policy(tool, when);
        let mut values = alice_of([]);
        values.push(cluster.clone());
        let headers: Headers = [(":authority", "git.example")].into_iter().collect();
        let facts = policy.request_facts(&headers, Properties::new(&values));
        let ask = Ask { request: facts.as_ref(), ..Ask::about(Item::Tool("t")) };
        ["allow r", "denied_by_rule r"].contains(&said(&policy, &alice(&[]), &ask).as_str())
    };
    let named = |name: &str| Ok(Some(name.as_bytes().to_vec()));
    // The condition; whether it is true, and what no longer is told.
    for (when, cluster, want) in [
        ("request.service == 'git.example'", named(GIT), Ok(true)),
        ("request.service == 'git.example'", named("outbound|443||mail.example"), Ok(false)),
        ("request.service == 'git.example'", named("git.example"), Err(())),
        ("has(request.service)", named("git.example"), Ok(false)),
        ("has(request.service)", named(GIT), Ok(true)),
        ("request.cluster == 'git.example'", named("git.example"), Ok(true)),
        ("request.cluster == 'outbound|443||git.example'", named(GIT), Ok(true)),
        ("request.cluster == 'git.example'", named(GIT), Ok(false)),
        ("request.cluster.startsWith('outbound|')", named(GIT), Ok(true)),
        ("request.cluster == request.host", named("git.example"), Ok(true)),
        ("request.cluster == 'x' || request.host == 'git.example'", Ok(None), Ok(true)),
        ("request.cluster == ''", Ok(None), Err(())),
        ("request.cluster != 'x'", named(""), Err(())),
        ("request.cluster != 'x'", Ok(Some(b"\xff".to_vec())), Err(())),
        ("request.service != 'x'", Err(PropertyError), Err(())),
        ("has(request.cluster)", Ok(None), Err(())),
        ("!has(request.cluster)", Ok(None), Err(())),
        ("!has(request.service)", Err(PropertyError), Err(())),
    ] {
        assert_eq!(matched("allow", when, &cluster), want == Ok(true), "allow {when} {cluster:?}");
        assert_eq!(matched("deny", when, &cluster), want != Ok(false), "deny {when} {cluster:?}");
    }
}

/// A host call that nobody needs is not made.
#[test]
fn the_cluster_is_read_only_for_a_condition_that_names_it() {
    let reads = |when: &str| {
        let rules = format!(r#"[{{"id":"r","allow":{{"agents":["*"],"tools":["t"],"when":"{when}"}}}}]"#);
        let text = format!(r#"{{"version":1,"identity":{{"peer":"waypoint","claims":{{"provider":"p"}}}},"rules":{rules}}}"#);
        let plugin = McpAuthz::configure(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
        plugin.settings().properties.iter().filter(|path| path.0 == ["xds", "cluster_name"]).count()
    };
    for (when, want) in [
        ("request.service == 'x'", 1),
        ("request.cluster == 'x' || has(request.service)", 1),
        ("request.host == 'x' && request.headers['cluster'] == 'x'", 0),
        ("jwt.cluster == 'x' && jwt.service == 'x'", 0),
        ("mcp.method == 'tools/call'", 0),
    ] {
        assert_eq!(reads(when), want, "{when}");
    }
}

#[test]
fn a_rule_that_only_observes_is_told_and_changes_nothing() {
    let policy = policy(
        r#"[{"id":"a","allow":{"agents":["*"],"tools":["*"]}},{"id":"try","mode":"observe","deny":{"tools":["delete_*"]}},
            {"id":"big","at":"response","mode":"observe","deny":{"tools":["read"],"when":"mcp.resultBytes > 10"}}]"#,
    );
    let verdict = policy.decide(&alice(&[]), &Ask::about(Item::Tool("delete_x")));
    assert_eq!(text(&verdict.decision), "allow a");
    assert_eq!(verdict.observed.map(|deny| text(&Decision::Deny(deny))).as_deref(), Some("denied_by_rule try"));
    assert!(policy.shows(&alice(&[]), Item::Tool("delete_x")));
    let result = Some(Outcome { json: b"{}", bytes: 11 });
    let seen = policy.withholds(&alice(&[]), &Ask { result, ..Ask::about(Item::Tool("read")) }).unwrap();
    assert_eq!(text(&seen.decision), "allow big");
    assert_eq!(seen.observed.map(|deny| text(&Decision::Deny(deny))).as_deref(), Some("result_withheld big"));
}

#[test]
fn a_response_rule_withholds_results_and_those_of_unknown_origin() {
    let policy = policy_with(
        r#"[{"id":"a","allow":{"agents":["*"],"tools":["*"],"prompts":["*"]}},
            {"id":"secret","at":"response","deny":{"tools":["read_*"],"when":"mcp.result.structuredContent.secret == true"}}]"#,
        r#","tiers":{"global":[{"id":"big","at":"response","deny":{"tools":["export"],"when":"mcp.resultBytes > 100"}}]}"#,
    );
    let caller = alice(&[]);
    let open = br#"{"structuredContent":{"secret":false}}"#.as_slice();
    let secret = br#"{"structuredContent":{"secret":true}}"#.as_slice();
    for (item, json, bytes, want) in [
        (Item::Tool("read_x"), open, 10, None),
        (Item::Tool("read_x"), secret, 10, Some("result_withheld secret")),
        (Item::Tool("read_x"), b"{}", 10, Some("result_withheld secret")), // an error withholds
        (Item::Tool("export"), secret, 100, None),
        (Item::Tool("export"), open, 101, Some("result_withheld big @global")),
        (Item::Tool("other"), secret, 1000, None),
        (Item::Task("1"), secret, 10, Some("result_withheld secret")),
        (Item::Method, open, 101, Some("result_withheld big @global")),
        (Item::Prompt("p"), secret, 1000, None),
    ] {
        let ask = Ask { method: Method::None, result: Some(Outcome { json, bytes }), ..Ask::about(item) };
        assert_eq!(policy.withholds(&caller, &ask).map(|verdict| text(&verdict.decision)).as_deref(), want, "{item:?}");
    }
    for (item, want) in
        [(Item::Tool("read_x"), true), (Item::Tool("other"), false), (Item::Task("1"), true), (Item::Prompt("p"), false)]
    {
        assert_eq!(policy.needs_result(&caller, &Ask::about(item)), want, "{item:?}");
    }
    assert_eq!(
        text(&policy.decide(&caller, &Ask::about(Item::Tool("read_x"))).decision),
        "allow a",
        "requests are not its matter"
    );
}

#[test]
fn tasks_are_for_those_who_may_call_some_tool() {
    let rules = r#"[{"id":"a","allow":{"agents":["*"],"tools":["x"],"scopes":["s"]}},{"id":"p","allow":{"agents":["*"],"prompts":["*"]}}]"#;
    let task = Ask { method: Method::TasksGet, ..Ask::about(Item::Task("1")) };
    assert_eq!(said(&policy(rules), &alice(&["s"]), &task), "allow builtin:task");
    assert_eq!(said(&policy(rules), &alice(&[]), &task), "insufficient_scope");
    let narrowed = policy_with(rules, r#","tiers":{"global":[{"id":"g","allow":{"agents":["*"],"tools":["y"]}}]}"#);
    assert_eq!(said(&narrowed, &alice(&["s"]), &task), "no_matching_rule");
    let banned = policy_with(rules, r#","tiers":{"clients":{"planner":[{"id":"g","deny":{}}]}}"#);
    assert_eq!(said(&banned, &alice(&["s"]), &task), "denied_by_rule g @clients");
    assert_eq!(banned.greet(&alice(&["s"])).map(|reason| reason.code()), Some("denied_by_rule"));
}

/// The properties of a request of Alice's: the peer, the claims that every policy reads, then those that this one does.
fn alice_of<const N: usize>(more: [Property; N]) -> Vec<Property> {
    let text = |text: &str| Ok(Some(text.as_bytes().to_vec()));
    let always = [text(PLANNER), text("https://idp"), text("alice")].into_iter().chain((0..11).map(|_| Ok(None)));
    always.chain(more).collect()
}

#[test]
fn groups_may_stand_deep_in_a_claim() {
    let policy = policy_with(
        r#"[{"id":"r","allow":{"agents":["*"],"tools":["*"],"roles":["admin"]}}]"#,
        r#","roles":{"claim":["realm_access","roles"],"map":{"admins":["admin"]}}"#,
    );
    let text = |text: &str| Ok(Some(text.as_bytes().to_vec()));
    let values = alice_of([text("admins")]);
    let caller = caller(&policy, Properties::new(&values)).unwrap();
    assert_eq!(said(&policy, &caller, &Ask::about(Item::Tool("t"))), "allow r");
}
