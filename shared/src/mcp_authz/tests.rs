//! Configuration: what is wrong is told all at once, each with its path.

use super::config::schema;
use super::*;

const PLANNER: &str = "spiffe://cluster.local/ns/agents/sa/planner";

fn problems(text: &str) -> String {
    Policy::configure(text.as_bytes()).map_or_else(|errors| errors.to_string(), |_| "none".into())
}

#[test]
fn the_sample_of_the_design_is_a_policy() {
    let text = format!(
        r#"{{"version":1,"mode":"enforce","hostProfile":{{"holdHeaders":false}},
        "identity":{{"direction":"inbound","peer":"waypoint","claims":{{"provider":"https://idp.example.com/realms/agents"}},
                     "agents":[{{"spiffe":"{PLANNER}","client":"planner"}}]}},
        "roles":{{"claim":"groups","map":{{"admins":["admin"],"writers":["writer"]}}}},
        "denial":"refuse","limits":{{"maxBodyBytes":1000000}},
        "rules":[{{"id":"no-deletes","deny":{{"tools":["delete_*"]}}}},
                 {{"id":"planner-reads","allow":{{"agents":["{PLANNER}"],"user":"any","tools":["search_*","read_file"],"scopes":["files:read"]}}}}]}}"#
    );
    assert_eq!(problems(&text), "none");
}

#[test]
fn all_problems_are_told_at_once_with_their_paths() {
    let text = r#"{"version":2,"mod":"enforce","identity":{"peer":"sidecar"},"limits":{"maxBodyBytes":-1},"rules":[
        {"id":"a b","allow":{"agents":[],"tools":["a*b*"]}},
        {"id":"c","allow":{"agents":"x","tools":[1],"users":"any"}}]}"#;
    insta::assert_snapshot!(problems(text), @"
    mcp-authz: 6 problems in the configuration
      mod: unknown field. Did you mean `mode`?
      identity.peer: `sidecar` is not one of `waypoint`, `mtls`, `none`
      limits.maxBodyBytes: `-1` is not a whole number from 0 to 4294967295
      rules[1].allow.users: unknown field. Did you mean `user`?
      rules[1].allow.agents: expected a list, found a string
      rules[1].allow.tools[0]: expected a string, found a number
    ");
}

#[test]
fn what_the_words_mean_is_told_at_once_too() {
    let text = r#"{"version":2,"identity":{"peer":"none"},"limits":{"maxBodyBytes":0},"versions":["2024-11-05"],"audit":{"to":[],"as":"a:b"},"rules":[
        {"id":"a b","allow":{"agents":[],"tools":["a*b*"]}},
        {"id":"c","allow":{"agents":["*"],"tools":["*"],"user":"none","scopes":["a b"],"roles":["admin"]}},
        {"id":"c","deny":{"tools":[""]}},
        {"id":"d"},
        {"id":"e","allow":{"agents":["*"],"tools":["*"],"user":"none"},"deny":{}}]}"#;
    insta::assert_snapshot!(problems(text), @"
    mcp-authz: 17 problems in the configuration
      version: `2` is not known. Write 1
      limits.maxBodyBytes: is 0: every request would be refused
      audit.to: is empty: no decision would be recorded. Write `log`, `accessLog` or both
      audit.as: `a:b` must be 1 to 64 of `A-Z a-z 0-9 - _`
      identity: `peer: none` without `claims` names no agent. Add one of the two
      versions[0]: `2024-11-05` is not one of 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28
      rules[0].id: `a b` must be 1 to 64 of `A-Z a-z 0-9 - _`
      rules[0].allow.user: asks for a user, but `identity.claims` does not say where the claims are. Add it, or write `user: none`
      rules[0].allow.agents: is empty, so the rule never matches. Write names, or `*` for any
      rules[0].allow.tools[0]: pattern `a*b*` has more than one `*`. One is allowed
      rules[1].allow.user: `none` and `scopes` or `roles` contradict each other: those are a user's
      rules[1].allow.scopes[0]: `a b` is not one scope. Write each scope as an item of its own
      rules[1].allow.roles[0]: no group of `roles.map` has the role `admin`, so the rule never matches
      rules[2].id: `c` is the id of an earlier rule too
      rules[2].deny.tools[0]: is empty. Write a name, or `*` for any
      rules[3]: has neither `allow` nor `deny`
      rules[4]: has both `allow` and `deny`. Write two rules
    ");
}

#[test]
fn a_policy_that_allows_nothing_is_an_error() {
    for text in ["", "{}", r#"{"version":1,"identity":{"peer":"mtls"},"rules":[]}"#, r#"{"version":1,"version":1}"#, "[]", "nope"]
    {
        assert_ne!(problems(text), "none", "{text}");
    }
    insta::assert_snapshot!(problems(r#"{"version":1,"identity":{"peer":"mtls"},"rules":[]}"#), @"
    mcp-authz: 1 problem in the configuration
      rules: no rule allows anything. An empty policy is an error; to refuse all, take the route away
    ");
}

#[test]
fn the_digest_does_not_depend_on_the_order_of_members() {
    let rules = r#""rules":[{"id":"a","allow":{"agents":["*"],"user":"none","tools":["*"]}}]"#;
    let one = Policy::configure(format!(r#"{{"version":1,"identity":{{"peer":"mtls"}},{rules}}}"#).as_bytes()).unwrap();
    let two = Policy::configure(format!(r#"{{ {rules}, "identity":{{"peer":"mtls"}}, "version":1 }}"#).as_bytes()).unwrap();
    assert_eq!(one.settings().policy, two.settings().policy);
    assert!(one.settings().policy.digest.starts_with("sha256:"));
}

#[test]
fn the_schema_is_json_and_names_every_field() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    assert_eq!(schema["properties"]["identity"]["properties"]["peer"]["oneOf"][0]["const"], "waypoint");
    assert_eq!(schema["required"], serde_json::json!(["version", "identity", "rules"]));
}

#[test]
fn a_rule_that_never_matches_is_an_error() {
    let text = r#"{"version":1,"identity":{"peer":"waypoint","claims":{"provider":"p"}},
        "tiers":{"global":[{"id":"ban","deny":{"tools":["delete_*"]}}],"clients":{"nobody":[]}},"rules":[
        {"id":"a","allow":{"agents":["*"],"tools":["read"],"when":"mcp.tool.name == 'write'"}},
        {"id":"b","allow":{"agents":["*"],"tools":["read"],"when":"1 > 2"}},
        {"id":"c","allow":{"agents":["*"],"tools":["*"],"when":"mcp.tool.name == 'x' && mcp.tool.name == 'y'"}},
        {"id":"d","allow":{"agents":["*"],"tools":["delete_all"]}},
        {"id":"e","allow":{"agents":["spiffe://x/*"],"tools":["*"],"when":"source.spiffeId in ['spiffe://y/z']"}},
        {"id":"f","allow":{"agents":["*"],"tools":["*"],"when":"mcp.method == 'tools/list'"}},
        {"id":"g","allow":{"agents":["*"]}},
        {"id":"h","allow":{"agents":["*"],"resources":["file:///../*"]}},
        {"id":"i","allow":{"agents":["*"],"methods":["tools/call","roots/list","tools/cal"]}}]}"#;
    insta::assert_snapshot!(problems(text), @r#"
    mcp-authz: 12 problems in the configuration
      tiers.clients.nobody: `nobody` is no `client` of `identity.agents`, so this tier is nobody's
      tiers.clients.nobody: is empty, so it narrows nothing. Leave it out
      rules[0].allow.when: asks for `write`, which the rest of the rule does not have, so the rule never matches
      rules[1].allow.when: is never true, so the rule never matches
      rules[2].allow.when: 1:22: never true: no value of `mcp.tool.name` is all that is asked for here
      rules[4].allow.when: asks for `spiffe://y/z`, which the rest of the rule does not have, so the rule never matches
      rules[5].allow.when: asks for `tools/list`, which the rest of the rule does not have, so the rule never matches
      rules[6].allow: names no `tools`, `prompts`, `resources` or `methods`, so the rule never matches
      rules[7].allow.resources[0]: `file:///../*` has `..`, a backslash, an encoded `.`, `/` or `\`, a user name or a control character, so with `*` it never matches
      rules[8].allow.methods[0]: `tools/call` is granted by `tools`
      rules[8].allow.methods[1]: `roots/list` is asked by the server. Write `serverRequests`
      rules[8].allow.methods[2]: `tools/cal` is not a method of MCP that is known here; it is refused in any case
    "#);
}

#[test]
fn a_condition_may_only_speak_of_what_its_phase_and_items_have() {
    let text = r#"{"version":1,"identity":{"peer":"none","claims":{"provider":"p"}},"rules":[
        {"id":"a","allow":{"agents":["*"],"tools":["*"],"when":"mcp.result.x == 1"}},
        {"id":"b","allow":{"agents":["*"],"tools":["*"],"prompts":["*"],"when":"mcp.tool.name == 'x'"}},
        {"id":"c","allow":{"agents":["*"],"tools":["*"],"when":"mcp.tool.nmae == 'x' ||\n  mcp.tool.target == 'y'"}},
        {"id":"d","allow":{"agents":["*"],"tools":["*"],"when":"source.spiffeId == 'x' && foo(1)"}},
        {"id":"e","allow":{"agents":["*"],"tools":["*"],"when":"request.headers['authorization'] == 'x'"}},
        {"id":"f","at":"response","mode":"observe","allow":{"agents":["*"],"tools":["*"]}},
        {"id":"g","deny":{"when":"mcp.tool.name == 'x'"}}]}"#;
    insta::assert_snapshot!(problems(text), @"
    mcp-authz: 10 problems in the configuration
      rules[0].allow.when: 1:1: `mcp.result` is not there yet: it needs `at: response`
      rules[1].allow.when: 1:1: `mcp.tool` is only there for tools: the rule must name `tools` and nothing else
      rules[2].allow.when: 1:1: `mcp.tool.nmae` is not known. Known here: `name`, `arguments`
      rules[2].allow.when: 2:3: `mcp.tool.target` is not known: a gate in front of one server has no targets
      rules[3].allow.when: 1:1: `source` is the peer, and with `identity.peer: none` there is none. Use `jwt`
      rules[3].allow.when: 1:27: there is no function `foo`. There are bool, double, has, int, matches, size, string
      rules[4].allow.when: the header `authorization` holds a credential that is not verified. Use `jwt`
      rules[5].at: `response` needs `deny`: a response rule withholds, it grants nothing
      rules[5].mode: `observe` is for `deny`. To try out a grant, use the `mode` of the policy
      rules[6].deny.when: 1:1: `mcp.tool` is only there for tools: the rule must name `tools` and nothing else
    ");
}

#[test]
fn what_surrounds_the_rules_is_checked_too() {
    let text = r#"{"version":1,"identity":{"peer":"waypoint","claims":{"provider":"p"}},
        "roles":{"claim":[],"map":{}},"scopes":{"implies":{"a b":["c","d e"]}},
        "tiers":{"global":[],"clients":{"nobody":[{"id":"x","deny":{}}]}},"rules":[
        {"id":"x","allow":{"agents":["*"],"tools":["*"]}}]}"#;
    insta::assert_snapshot!(problems(text), @"
    mcp-authz: 6 problems in the configuration
      roles.claim: names no claim. Write its name, or a list of names that lead to it: `[realm_access, roles]`
      scopes.implies.a b: `a b` is not one scope
      scopes.implies.a b[1]: `d e` is not one scope. Write each scope as an item of its own
      tiers.global: is empty, so it narrows nothing. Leave it out
      tiers.clients.nobody: `nobody` is no `client` of `identity.agents`, so this tier is nobody's
      rules[0].id: `x` is the id of an earlier rule too
    ");
}

#[test]
fn a_rule_that_stands_wholly_behind_deny_rules_is_an_error() {
    let text = |rules: &str| {
        format!(
            r#"{{"version":1,"identity":{{"peer":"waypoint","claims":{{"provider":"p"}}}},
            "tiers":{{"global":[{{"id":"ban","deny":{{"tools":["delete_*"]}}}},{{"id":"try","mode":"observe","deny":{{}}}}]}},"rules":[
            {{"id":"some","deny":{{"agents":["spiffe://x/*"],"prompts":["*"]}}}},{{"id":"if","deny":{{"when":"jwt.level < 3"}}}},{rules}]}}"#
        )
    };
    for rule in [
        r#"{"id":"a","allow":{"agents":["*"],"tools":["delete_all","delete_x*"]}}"#,
        r#"{"id":"a","allow":{"agents":["spiffe://x/y"],"tools":["delete_all"],"prompts":["p*"]}}"#,
    ] {
        let found = problems(&text(rule));
        assert!(
            found.contains("rules[2]: the deny rule `") && found.ends_with("refuses all of this, so the rule never matches"),
            "{found}"
        );
    }
    for rule in [
        r#"{"id":"a","allow":{"agents":["*"],"tools":["delete*"]}}"#,
        r#"{"id":"a","allow":{"agents":["*"],"prompts":["p"]}}"#,
        r#"{"id":"a","allow":{"agents":["*"],"tools":["delete_all"],"resources":["*"]}}"#,
    ] {
        assert_eq!(problems(&text(rule)), "none", "{rule}");
    }
}
