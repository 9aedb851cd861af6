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
    let text = r#"{"version":2,"identity":{"peer":"none"},"limits":{"maxBodyBytes":0},"versions":["2024-11-05"],"rules":[
        {"id":"a b","allow":{"agents":[],"tools":["a*b*"]}},
        {"id":"c","allow":{"agents":["*"],"tools":["*"],"user":"none","scopes":["a b"],"roles":["admin"]}},
        {"id":"c","deny":{"tools":[""]}},
        {"id":"d"},
        {"id":"e","allow":{"agents":["*"],"tools":["*"],"user":"none"},"deny":{}}]}"#;
    insta::assert_snapshot!(problems(text), @"
    mcp-authz: 15 problems in the configuration
      version: `2` is not known. Write 1
      limits.maxBodyBytes: is 0: every request would be refused
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
