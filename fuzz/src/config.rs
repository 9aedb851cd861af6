//! Configuration: any text is a policy or a list of problems, and the schema knows what is accepted.

use serde_json::Value;
use wardpoint_core::identity::Caller;
use wardpoint_core::json::{self, Limits};
use wardpoint_core::mcp_authz::{Ask, Item, Policy, explain};
use wardpoint_core::policy::Decision;

pub(crate) const WORDS: &[&str] = &[
    "\"version\":1",
    "\"name\":\"n\"",
    "\"mode\":\"observe\"",
    "\"hostProfile\":{\"holdHeaders\":true}",
    "\"identity\":{",
    "\"peer\":\"mtls\"",
    "\"peer\":\"none\"",
    "\"claims\":{\"provider\":\"p\"}",
    "\"agents\":[",
    "\"spiffe\":\"spiffe://a/b\"",
    "\"client\":\"c\"",
    "\"roles\":",
    "\"claim\":\"groups\"",
    "\"map\":{",
    "\"denial\":\"hide\"",
    "\"limits\":{",
    "\"maxBodyBytes\":",
    "\"versions\":[\"2026-07-28\"]",
    "\"origins\":[",
    "\"rules\":[",
    "\"id\":\"r\"",
    "\"allow\":{",
    "\"deny\":{",
    "\"user\":\"none\"",
    "\"tools\":[\"*\"]",
    "\"scopes\":[\"files:read\"]",
    "[\"*\"]",
    "\"tiers\":{",
    "\"global\":[",
    "\"namespaces\":{\"n\":[",
    "\"clients\":{\"c\":[",
    "\"at\":\"response\"",
    "\"prompts\":[\"*\"]",
    "\"resources\":[\"file:///*\"]",
    "\"methods\":[\"tasks/list\"]",
    "\"scopes\":{\"implies\":{\"a\":[\"b\"]}}",
    "\"when\":\"mcp.tool.arguments.path == '/a'\"",
    "\"when\":\"request.service == 'a' || !has(request.cluster)\"",
    "[\"a*\",\"*b\"]",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "0",
    "-1",
    "1.5",
    "\"\"",
    "\\u0000",
];

pub(crate) fn run(text: &[u8]) {
    let policy = match Policy::configure(text) {
        Err(errors) => {
            assert!(!errors.problems().is_empty(), "refused without a problem");
            for problem in errors.problems() {
                assert!(!problem.text.is_empty() && !problem.to_string().contains(char::is_control), "{problem:?}");
            }
            return;
        }
        Ok(policy) => policy,
    };
    let Ok(value) = serde_json::from_slice::<Value>(text) else { panic!("a policy that is no JSON") };
    schema_knows(&value);
    // The same text written in another way is the same policy.
    let canonical = json::parse_tree(text, Limits::default()).map(|tree| tree.canonical()).unwrap_or_default();
    let again = Policy::configure(canonical.as_bytes());
    let Ok(again) = again else { panic!("refused in another way of writing") };
    for agent in [None, Some("spiffe://a/b"), Some("c"), Some("")] {
        let caller = Caller { agent: agent.map(Into::into), ..Caller::default() };
        for name in ["", "a", "read_file", "file:///public/a", "é\u{0}"] {
            for item in
                [Item::Tool(name), Item::Prompt(name), Item::Resource(name), Item::Template(name), Item::Task(name), Item::Method]
            {
                asked(&policy, &again, &caller, item);
            }
        }
    }
}

/// Two writings decide the same, and whatever may be asked for stands in the list.
fn asked(policy: &Policy, again: &Policy, caller: &Caller, item: Item<'_>) {
    let call = Ask { arguments: Some(br#"{"path":"/a"}"#), ..Ask::about(item) };
    let decision = policy.decide(caller, &call).decision;
    assert_eq!(decision, again.decide(caller, &call).decision, "two writings, two decisions");
    assert_eq!(decision, explain(policy, caller, &call).verdict.decision, "explained in another way than decided");
    let listed = matches!(item, Item::Tool(_) | Item::Prompt(_) | Item::Resource(_));
    if listed && matches!(decision, Decision::Allow(_)) {
        assert!(policy.shows(caller, item), "may be asked for, but is not listed: {item:?}");
    }
}

/// Whatever is accepted, the schema accepts too.
#[cfg(feature = "schema")]
fn schema_knows(value: &Value) {
    static SCHEMA: std::sync::OnceLock<jsonschema::Validator> = std::sync::OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let schema: Value = serde_json::from_str(&wardpoint_core::mcp_authz::config::schema()).unwrap_or_default();
        let built = jsonschema::validator_for(&schema);
        built.unwrap_or_else(|error| panic!("the schema is none: {error}"))
    });
    assert!(schema.is_valid(value), "accepted, but not by the schema");
}

#[cfg(not(feature = "schema"))]
fn schema_knows(_: &Value) {}
