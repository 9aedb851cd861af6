//! Rules that can never match: what an operator wrote and did not get.

use super::super::policy::{Effect, Field, Rule, Targets, When};
use super::words::methods;
use crate::config::Problems;
use crate::mcp::Method;
use crate::policy::Pattern;

/// The condition asks for a name that the rest of the rule rules out.
pub(super) fn condition(when: &When, agents: &[Pattern], targets: &Targets, problems: &mut Problems) {
    let methods = methods(targets);
    for required in when.condition.requires().iter().filter(|required| required.path.is_empty()) {
        let possible = |name: &str| match when.fields.get(required.field) {
            Some(Field::Method) => methods.as_ref().is_none_or(|all| all.contains(&Method::from_text(name))),
            Some(Field::Name) => {
                let names = targets.tools.iter().chain(&targets.prompts);
                names.into_iter().any(|pattern| pattern.matches(name)) || targets.resources.iter().any(|uri| uri.matches(name))
            }
            Some(Field::SpiffeId) => agents.iter().any(|pattern| pattern.matches(name)),
            _ => true,
        };
        if !required.any_of.iter().any(|name| possible(name)) {
            let all = required.any_of.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
            problems.add(format!("asks for {all}, which the rest of the rule does not have, so the rule never matches"));
        }
    }
}

/// Allow rules of one list that stand wholly behind deny rules without a condition.
pub(super) fn behind(rules: &[Rule], others: &[Rule], problems: &mut Problems) {
    let sure = |rule: &&Rule| matches!(rule.effect, Effect::Deny) && rule.when.is_none() && !rule.observe;
    let denies: Vec<&Rule> = others.iter().chain(rules).filter(sure).collect();
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| matches!(rule.effect, Effect::Allow(_))) {
        if let Some(deny) = covering(rule, &denies) {
            let problem = format!("the deny rule `{}` refuses all of this, so the rule never matches", deny.id);
            problems.item(index, |p| p.add(problem));
        }
    }
}

/// The last of the deny rules that refuse all that `allow` allows, if they do.
fn covering<'r>(allow: &Rule, denies: &[&'r Rule]) -> Option<&'r Rule> {
    let denies: Vec<&'r Rule> = denies.iter().copied().filter(|deny| covers(&deny.agents, &allow.agents)).collect();
    let mut last = None;
    let mut all = |refuses: &dyn Fn(&Targets) -> bool| match denies.iter().find(|deny| refuses(&deny.targets)) {
        Some(deny) => {
            last = Some(*deny);
            true
        }
        None => false,
    };
    let targets = &allow.targets;
    let tools = targets.tools.iter().all(|own| {
        all(&|deny| deny.everything || deny.methods.contains(&Method::ToolsCall) || deny.tools.iter().any(|it| it.covers(own)))
    });
    let prompts = targets.prompts.iter().all(|own| all(&|deny| deny.everything || deny.prompts.iter().any(|it| it.covers(own))));
    let resources = targets
        .resources
        .iter()
        .all(|own| all(&|deny| deny.everything || deny.resources.iter().any(|it| it.pattern().covers(own.pattern()))));
    let methods = targets.methods.iter().all(|own| all(&|deny| deny.everything || deny.methods.contains(own)));
    last.filter(|_| tools && prompts && resources && methods)
}

fn covers(all: &[Pattern], of: &[Pattern]) -> bool {
    of.iter().all(|one| all.iter().any(|pattern| pattern.covers(one)))
}
