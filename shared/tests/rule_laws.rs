//! Laws of the rules of `mcp-authz`, over generated policies.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "what a test makes itself is there")]

use wardpoint_core::audit::Subject;
use wardpoint_core::identity::{Caller, Scopes};
use wardpoint_core::mcp_authz::{Ask, Item, Policy, RuleKind, explain};
use wardpoint_core::policy::{Decision, Reason};

const TOOLS: [&str; 4] = ["read", "write", "delete_all", "delete_one"];
const PATTERNS: [&str; 6] = ["read", "write", "delete_all", "delete_*", "*", "*e"];
const AGENTS: [&str; 2] = ["spiffe://c/ns/a/sa/planner", "spiffe://c/ns/b/sa/writer"];
const SCOPES: [&str; 2] = ["s", "t"];
/// No token has this claim, so it is an error.
const ERROR: &str = "jwt.nobody.has == 'this'";

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        let mut found: Vec<&str> = of.iter().filter(|_| self.roll(3) == 0).copied().collect();
        if found.is_empty() {
            found.push(of[self.roll(of.len())]);
        }
        found
    }
}

#[derive(Clone, Debug)]
struct Rule {
    allow: bool,
    agents: Vec<&'static str>,
    tools: Vec<&'static str>,
    user: bool,
    scopes: Vec<&'static str>,
    when: Option<String>,
}

/// A rule whose condition speaks of an argument of its own, so that no two conditions depend on each other: a list shows what
/// each rule for itself could allow. Two rules over one argument that together leave no value would still show the tool.
fn rule(dice: &mut Dice, argument: usize) -> Rule {
    let own = format!("mcp.tool.arguments.a{argument}");
    let when = match dice.roll(8) {
        0 => Some(format!("{own} == 1")),
        1 => Some(format!("{own} != 1")),
        2 => Some(format!("has({own})")),
        3 => Some(format!("{own} in [2, 3]")),
        4 => Some(format!("!has({own}) || {own} > 1")),
        _ => None,
    };
    let allow = dice.roll(3) > 0;
    let user = dice.roll(3) > 0;
    let agents = if dice.roll(3) == 0 { vec!["*"] } else { dice.some(&AGENTS) };
    let scopes = if user && dice.roll(2) == 0 { dice.some(&SCOPES) } else { vec![] };
    Rule { allow, agents, tools: dice.some(&PATTERNS), user, scopes, when }
}

fn json(rules: &[Rule], prefix: &str) -> serde_json::Value {
    let one = |(at, rule): (usize, &Rule)| {
        let mut body = serde_json::json!({"agents": rule.agents, "tools": rule.tools});
        if let Some(when) = &rule.when {
            body["when"] = when.as_str().into();
        }
        if rule.allow {
            body["user"] = if rule.user { "any" } else { "none" }.into();
            body["scopes"] = rule.scopes.clone().into();
        }
        serde_json::json!({"id": format!("{prefix}{at}"), if rule.allow { "allow" } else { "deny" }: body})
    };
    rules.iter().enumerate().map(one).collect()
}

/// `None` where the rules are no policy, such as one that never matches.
fn policy(rules: &[Rule], tier: Option<&[Rule]>) -> Option<Policy> {
    let mut config = serde_json::json!({
        "version": 1, "identity": {"peer": "waypoint", "claims": {"provider": "p"}}, "rules": json(rules, "r"),
        "scopes": {"implies": {"t": ["s"]}},
    });
    if let Some(tier) = tier {
        config["tiers"] = serde_json::json!({"namespaces": {"a": json(tier, "t")}});
    }
    Policy::configure(config.to_string().as_bytes()).ok()
}

fn callers() -> Vec<Caller> {
    let user = || Some(Subject { issuer: Some("https://idp".into()), user: "alice".into(), owner: None });
    let one = |agent: &str, user, scopes: &[&str]| Caller {
        agent: Some(agent.into()),
        user,
        scopes: Scopes::read(&scopes.join(" ")),
        ..Caller::default()
    };
    let mut all = Vec::new();
    for agent in AGENTS {
        all.extend([one(agent, None, &[]), one(agent, user(), &[]), one(agent, user(), &["s"]), one(agent, user(), &["t"])]);
    }
    all
}

/// All calls that the conditions of `arguments` rules can tell apart: each argument is 1, 2 or absent.
fn calls(arguments: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    for at in 0..arguments {
        all = all.iter().flat_map(|text| [text.clone(), format!("{text},\"a{at}\":1"), format!("{text},\"a{at}\":2")]).collect();
    }
    all.into_iter().map(|text| format!("{{{}}}", text.trim_start_matches(','))).collect()
}

fn allows(policy: &Policy, caller: &Caller, tool: &str, arguments: &str) -> bool {
    let ask = Ask { arguments: Some(arguments.as_bytes()), ..Ask::about(Item::Tool(tool)) };
    matches!(policy.decide(caller, &ask).decision, Decision::Allow(_))
}

/// What `narrow` allows, `wide` allows too.
fn never_wider(narrow: &Policy, wide: &Policy, calls: &[String], why: &str) {
    for caller in callers() {
        for tool in TOOLS {
            for call in calls {
                let wider = allows(narrow, &caller, tool, call) && !allows(wide, &caller, tool, call);
                assert!(!wider, "{why}: {tool} {call} {caller:?}");
            }
        }
    }
}

/// Generated policies with their rules; those that are none are left out.
fn generated(seeds: u64, check: impl Fn(&mut Dice, &[Rule], &Policy)) {
    let mut checked = 0;
    for seed in 0..seeds {
        let mut dice = Dice(seed);
        let count = 1 + dice.roll(4);
        let rules: Vec<Rule> = (0..count).map(|at| rule(&mut dice, at)).collect();
        if let Some(policy) = policy(&rules, None) {
            check(&mut dice, &rules, &policy);
            checked += 1;
        }
    }
    assert!(checked > seeds / 4, "only {checked} of {seeds} were policies");
}

#[test]
fn a_tool_is_listed_if_and_only_if_some_call_of_it_is_allowed() {
    generated(600, |_, rules, policy| {
        let calls = calls(rules.len());
        for caller in callers() {
            for tool in TOOLS {
                let callable = calls.iter().any(|call| allows(policy, &caller, tool, call));
                assert_eq!(policy.shows(&caller, Item::Tool(tool)), callable, "{tool} {caller:?}\n{rules:#?}");
            }
        }
    });
}

#[test]
fn an_error_in_a_rule_never_widens() {
    generated(400, |_, rules, before| {
        for at in 0..rules.len() {
            let mut broken = rules.to_vec();
            broken[at].when = Some(ERROR.to_owned());
            let after = policy(&broken, None).unwrap();
            never_wider(&after, before, &calls(rules.len()), &format!("rule {at} of {rules:#?}"));
        }
    });
}

#[test]
fn a_tier_and_a_deny_rule_never_widen() {
    generated(400, |dice, rules, before| {
        let mut more = rules.to_vec();
        let deny = Rule { allow: false, ..rule(dice, rules.len()) };
        more.insert(dice.roll(rules.len() + 1), deny);
        let calls = calls(rules.len() + 1);
        for after in [policy(&more, None), policy(rules, Some(&[rule(dice, rules.len())]))].into_iter().flatten() {
            never_wider(&after, before, &calls, &format!("{rules:#?}"));
        }
    });
}

#[test]
fn the_index_finds_what_a_look_at_every_rule_finds() {
    generated(600, |_, rules, policy| {
        for caller in callers() {
            for tool in TOOLS {
                for call in calls(rules.len()) {
                    let ask = Ask { arguments: Some(call.as_bytes()), ..Ask::about(Item::Tool(tool)) };
                    let said = explain(policy, &caller, &ask);
                    let first = |kind| said.rules.iter().find(|says| says.kind == kind && says.miss.is_none());
                    match (said.verdict.decision, first(RuleKind::Deny), first(RuleKind::Allow)) {
                        (Decision::Deny(deny), Some(rule), _) => assert_eq!(deny.rule, Some(rule.id.clone())),
                        (Decision::Allow(allow), None, Some(rule)) => assert_eq!(allow.rule, rule.id),
                        (Decision::Deny(deny), None, None) => assert_ne!(deny.reason, Reason::DeniedByRule),
                        other => panic!("{other:?} {tool} {call} {rules:#?}"),
                    }
                }
            }
        }
    });
}
