//! The decisions of `mcp-authz`, through its public face. Runs natively and, with `wasm-bindgen-test`, in Node.
#![expect(clippy::panic, reason = "a policy of a test that is none is a failed test")]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use wardpoint_core::audit::Subject;
use wardpoint_core::identity::{Caller, Scopes};
use wardpoint_core::mcp_authz::{Ask, Item, Miss, Policy, explain};
use wardpoint_core::policy::{Decision, Deny, Reason};

const PLANNER: &str = "spiffe://cluster.local/ns/agents/sa/planner";
const WRITER: &str = "spiffe://cluster.local/ns/agents/sa/writer";

fn policy(rules: &str) -> Policy {
    let text = format!(
        r#"{{"version":1,"identity":{{"peer":"waypoint","claims":{{"provider":"payload"}}}},
            "roles":{{"claim":"groups","map":{{"admins":["admin"],"staff":["writer","reader"]}}}},"rules":{rules}}}"#
    );
    match Policy::configure(text.as_bytes()) {
        Ok(policy) => policy,
        Err(errors) => panic!("{errors}"),
    }
}

fn caller(agent: &str, user: bool, scopes: &[&str], groups: &[&str]) -> Caller {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Caller {
        agent: Some(agent.into()).filter(|a: &std::rc::Rc<str>| !a.is_empty()),
        user: user.then(|| Subject { issuer: Some("https://idp".into()), user: "alice".into(), owner: None }),
        scopes: Scopes::read(&scopes.join(" ")),
        groups: texts(groups),
        verified: user,
        ..Caller::default()
    }
}

/// The rule that allowed, or the code of the reason.
fn decided(policy: &Policy, caller: &Caller, tool: &str) -> String {
    match policy.decide(caller, &Ask::about(Item::Tool(tool))).decision {
        Decision::Allow(allow) => allow.rule.to_string(),
        Decision::Deny(Deny { reason, .. }) => reason.code().to_owned(),
    }
}

#[test]
fn only_user_and_agent_and_policy_together_allow() {
    // F7: the eight cells. Policy grants `read_file` to the planner for users with files:read.
    let rule = r#"[{"id":"r","allow":{"agents":["spiffe://cluster.local/ns/agents/sa/planner"],"tools":["read_file"],"scopes":["files:read"]}}]"#;
    let policy = policy(rule);
    for user in [true, false] {
        for agent in [true, false] {
            for granted in [true, false] {
                let scopes: &[&str] = if user { &["files:read"] } else { &[] };
                let caller = caller(if agent { PLANNER } else { WRITER }, true, scopes, &[]);
                let got = decided(&policy, &caller, if granted { "read_file" } else { "write_file" });
                assert_eq!(got == "r", user && agent && granted, "{user} {agent} {granted}: {got}");
            }
        }
    }
}

#[test]
fn scopes_are_a_set_and_never_a_substring() {
    let policy = policy(r#"[{"id":"r","allow":{"agents":["*"],"tools":["*"],"scopes":["files:read","x"]}}]"#);
    for (scopes, want) in [
        (&["x", "files:read"][..], "r"),
        (&["files:read"], "insufficient_scope"),
        (&["files:readonly", "x"], "insufficient_scope"),
        (&["xfiles:read", "x"], "insufficient_scope"),
        (&["FILES:READ", "x"], "insufficient_scope"),
        (&[], "insufficient_scope"),
    ] {
        assert_eq!(decided(&policy, &caller(PLANNER, true, scopes, &[]), "t"), want, "{scopes:?}");
    }
}

#[test]
fn roles_come_from_groups_by_the_map_alone() {
    let policy = policy(r#"[{"id":"r","allow":{"agents":["*"],"tools":["delete_file"],"roles":["admin"]}}]"#);
    for (groups, want) in
        [(&["admins"][..], "r"), (&["admin"], "no_matching_rule"), (&["Admins"], "no_matching_rule"), (&[], "no_matching_rule")]
    {
        assert_eq!(decided(&policy, &caller(PLANNER, true, &[], groups), "delete_file"), want, "{groups:?}");
    }
}

#[test]
fn deny_beats_allow_wherever_it_stands() {
    for rules in [
        r#"[{"id":"a","allow":{"agents":["*"],"tools":["*"]}},{"id":"d","deny":{"tools":["delete_*"]}}]"#,
        r#"[{"id":"d","deny":{"tools":["delete_*"]}},{"id":"a","allow":{"agents":["*"],"tools":["*"]}}]"#,
    ] {
        let policy = policy(rules);
        let caller = caller(PLANNER, true, &[], &[]);
        assert_eq!(decided(&policy, &caller, "delete_repo"), "denied_by_rule");
        assert_eq!(decided(&policy, &caller, "read"), "a");
    }
}

#[test]
fn a_tool_of_one_agent_is_not_another_s() {
    let rules = format!(
        r#"[{{"id":"p","allow":{{"agents":["{PLANNER}"],"tools":["plan"]}}}},{{"id":"w","allow":{{"agents":["{WRITER}"],"tools":["write"]}}}}]"#
    );
    let policy = policy(&rules);
    for (agent, tool, want) in [
        (PLANNER, "plan", "p"),
        (PLANNER, "write", "no_matching_rule"),
        (WRITER, "plan", "no_matching_rule"),
        (WRITER, "write", "w"),
    ] {
        assert_eq!(decided(&policy, &caller(agent, true, &[], &[]), tool), want);
    }
    assert_eq!(decided(&policy, &caller("", true, &[], &[]), "plan"), "no_agent");
}

#[test]
fn a_missing_user_is_told_from_a_missing_scope() {
    let policy = policy(
        r#"[{"id":"open","allow":{"agents":["*"],"user":"none","tools":["ping"]}},{"id":"r","allow":{"agents":["*"],"tools":["read"],"scopes":["s"]}}]"#,
    );
    assert_eq!(decided(&policy, &caller(PLANNER, false, &[], &[]), "ping"), "open");
    assert_eq!(decided(&policy, &caller(PLANNER, false, &[], &[]), "read"), "no_user");
    assert_eq!(decided(&policy, &caller(PLANNER, true, &[], &[]), "read"), "insufficient_scope");
}

#[test]
fn tool_names_are_compared_byte_for_byte() {
    let policy = policy(r#"[{"id":"r","allow":{"agents":["*"],"tools":["read_file"]}}]"#); // MCP-A-02
    for tool in ["Read_file", "read_file ", " read_file", "read\u{ff3f}file", "read_filе"] {
        assert_eq!(decided(&policy, &caller(PLANNER, true, &[], &[]), tool), "no_matching_rule", "{tool:?}");
    }
}

#[test]
fn the_explanation_says_why_each_rule_did_not_match() {
    let policy = policy(
        r#"[{"id":"a","allow":{"agents":["spiffe://x/*"],"tools":["*"]}},{"id":"b","allow":{"agents":["*"],"tools":["other"]}},
            {"id":"c","allow":{"agents":["*"],"tools":["*"],"roles":["admin"]}},{"id":"d","allow":{"agents":["*"],"tools":["*"],"scopes":["s"]}},
            {"id":"e","deny":{"tools":["x*"]}},{"id":"f","allow":{"agents":["*"],"tools":["t"]}}]"#,
    );
    let said = explain(&policy, &caller(PLANNER, true, &[], &[]), &Ask::about(Item::Tool("t")));
    let why: Vec<_> = said.rules.into_iter().map(|says| says.miss).collect();
    let missing = |text: &str| vec![text.to_owned()];
    assert_eq!(
        why,
        [
            Some(Miss::Agent),
            Some(Miss::Item),
            Some(Miss::Roles(missing("admin"))),
            Some(Miss::Scopes(missing("s"))),
            Some(Miss::Item),
            None
        ]
    );
    assert_eq!(Reason::NoMatchingRule.status(), 403);
}
