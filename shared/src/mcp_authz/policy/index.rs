//! Which rules could match at all, so that a thousand rules cost about as much as one.
//!
//! Each rule stands in the most telling place for each kind of item: by its exact names; else by its exact agents; else in
//! the list that is always looked at. The rules that are found come in the order of the configuration.

use super::ask::{Ask, Item};
use super::rule::{Effect, Rule};
use super::uri::with_lower_scheme;
use crate::identity::Caller;
use crate::policy::{Lookup, Pattern};

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
    by_name: Lookup,
    by_agent: Lookup,
    others: Vec<usize>,
}

/// A [`Table`] in the making.
#[derive(Default)]
struct Rows<'p> {
    by_name: Vec<(&'p str, usize)>,
    by_agent: Vec<(&'p str, usize)>,
    others: Vec<usize>,
}

/// Ascending positions out of up to three ascending lists.
pub(super) struct Candidates<'i>([&'i [usize]; 3]);

impl Index {
    /// The rules of `rules` that `which` picks.
    pub(super) fn new(rules: &[Rule], which: impl Fn(&Effect) -> bool) -> Self {
        let mut all = Vec::new();
        let [mut tools, mut prompts, mut resources, mut methods] = [(); 4].map(|()| Rows::default());
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| which(&rule.effect)) {
            let targets = &rule.targets;
            // A deny rule over methods bears on items too.
            let any = targets.everything || !targets.methods.is_empty() && !matches!(rule.effect, Effect::Allow(_));
            all.push(at);
            tools.add(at, rule, any, &mut targets.tools.iter());
            prompts.add(at, rule, any, &mut targets.prompts.iter());
            resources.add(at, rule, any, &mut targets.resources.iter().map(|uri| uri.pattern()));
            methods.add(at, rule, any || !targets.methods.is_empty(), &mut [].iter());
        }
        Self { all, methods: methods.done(), prompts: prompts.done(), resources: resources.done(), tools: tools.done() }
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

impl<'p> Rows<'p> {
    fn add(&mut self, at: usize, rule: &'p Rule, any: bool, names: &mut dyn Iterator<Item = &'p Pattern>) {
        let names: Vec<&Pattern> = names.collect();
        if names.is_empty() && !any {
            return;
        }
        if !any && names.iter().all(|name| !name.is_open()) {
            self.by_name.extend(names.iter().map(|name| (name.as_str(), at)));
        } else if rule.agents.iter().all(|agent| !agent.is_open()) {
            self.by_agent.extend(rule.agents.iter().map(|agent| (agent.as_str(), at)));
        } else {
            self.others.push(at);
        }
    }

    fn done(self) -> Table {
        Table { by_name: Lookup::new(&self.by_name), by_agent: Lookup::new(&self.by_agent), others: self.others }
    }
}

impl Table {
    fn candidates<'i>(&'i self, agent: &str, name: &str) -> Candidates<'i> {
        Candidates([self.by_name.get(name), self.by_agent.get(agent), &self.others])
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
