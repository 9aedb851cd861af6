//! Which rules could match at all, so that a thousand rules cost about as much as one.
//!
//! Each rule stands in the most telling place for each kind of item: by its exact names; else by its exact agents; else in
//! the list that is always looked at. The rules that are found come in the order of the configuration.

use std::collections::BTreeMap;

use super::ask::{Ask, Item};
use super::rule::{Effect, Rule};
use super::uri::with_lower_scheme;
use crate::identity::Caller;
use crate::policy::Pattern;

/// The rules of one effect, by their positions in the set.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    all: Vec<usize>,
    methods: Table,
    prompts: Table,
    resources: Table,
    tools: Table,
}

/// The rules that speak of one kind of item.
#[derive(Clone, Debug, Default)]
struct Table {
    by_name: BTreeMap<Box<str>, Vec<usize>>,
    by_agent: BTreeMap<Box<str>, Vec<usize>>,
    others: Vec<usize>,
}

/// Ascending positions out of up to three ascending lists.
pub(super) struct Candidates<'i>([&'i [usize]; 3]);

impl Index {
    /// The rules of `rules` that `which` picks.
    pub(super) fn new(rules: &[Rule], which: impl Fn(&Effect) -> bool) -> Self {
        let mut index = Self::default();
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| which(&rule.effect)) {
            let targets = &rule.targets;
            // A deny rule over methods bears on items too.
            let any = targets.everything || !targets.methods.is_empty() && !matches!(rule.effect, Effect::Allow(_));
            let uris = || targets.resources.iter().map(|uri| uri.pattern());
            index.all.push(at);
            index.tools.add(at, rule, any, targets.tools.iter());
            index.prompts.add(at, rule, any, targets.prompts.iter());
            index.resources.add(at, rule, any, uris());
            index.methods.add(at, rule, any || !targets.methods.is_empty(), [].iter());
        }
        index
    }

    /// The rules that could match.
    pub(super) fn candidates<'i>(&'i self, caller: &Caller, ask: &Ask<'_>) -> Candidates<'i> {
        let Some(agent) = caller.agent.as_deref() else { return Candidates([&self.all, &[], &[]]) };
        match ask.item {
            Item::Tool(name) => self.tools.candidates(agent, name),
            Item::Prompt(name) => self.prompts.candidates(agent, name),
            Item::Resource(uri) if uri.bytes().take_while(|c| *c != b':').any(|c| c.is_ascii_uppercase()) => {
                self.resources.candidates(agent, &with_lower_scheme(uri))
            }
            Item::Resource(uri) => self.resources.candidates(agent, uri),
            Item::Template(_) => Candidates([&self.all, &[], &[]]),
            Item::Method | Item::Task(_) => self.methods.candidates(agent, ""),
        }
    }

    /// Whether one of them names an item of this kind.
    pub(super) fn speak_of(&self, rules: &[Rule], item: Item<'_>) -> bool {
        self.all.iter().filter_map(|at| rules.get(*at)).any(|rule| rule.targets.speak_of(item))
    }

    /// All of them.
    pub(super) fn all(&self) -> &[usize] {
        &self.all
    }
}

impl Table {
    fn add<'p>(&mut self, at: usize, rule: &Rule, any: bool, names: impl ExactSizeIterator<Item = &'p Pattern> + Clone) {
        if names.len() == 0 && !any {
            return;
        }
        let exact = |pattern: &Pattern| !pattern.is_open();
        if !any && names.clone().all(exact) {
            put(&mut self.by_name, at, names);
        } else if rule.agents.iter().all(exact) {
            put(&mut self.by_agent, at, rule.agents.iter());
        } else {
            self.others.push(at);
        }
    }

    fn candidates<'i>(&'i self, agent: &str, name: &str) -> Candidates<'i> {
        let list = |found: Option<&'i Vec<usize>>| found.map(Vec::as_slice).unwrap_or_default();
        Candidates([list(self.by_name.get(name)), list(self.by_agent.get(agent)), &self.others])
    }
}

fn put<'p>(map: &mut BTreeMap<Box<str>, Vec<usize>>, at: usize, keys: impl Iterator<Item = &'p Pattern>) {
    for key in keys {
        let list = map.entry(key.as_str().into()).or_default();
        // The same name twice in one rule.
        if list.last() != Some(&at) {
            list.push(at);
        }
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let lists = self.0.iter_mut().filter_map(|list| Some((list.first().copied()?, list)));
        let (first, list) = lists.min_by_key(|(first, _)| *first)?;
        *list = list.get(1..).unwrap_or_default();
        Some(first)
    }
}
