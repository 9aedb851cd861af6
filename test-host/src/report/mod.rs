//! What a run has shown, for people and for machines.

mod json;
mod junit;
pub mod sketch;
mod style;
mod text;

pub use json::Json;
pub use junit::Junit;
pub use style::Style;
pub use text::Text;

use std::io;

use crate::scenario::run::{Lack, Line, Outcome};
use crate::scenario::{Case, Scenario};

/// One form of report. Lines come in the order of the files.
pub trait Report {
    /// A line is there.
    fn line(&mut self, named: Named<'_>) -> io::Result<()>;

    /// There are no more.
    fn end(&mut self, totals: &Totals) -> io::Result<()>;
}

/// A line with what it is about.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The file.
    pub scenario: &'a Scenario,
    /// The case.
    pub case: &'a Case,
    /// What came of it.
    pub line: &'a Line,
}

/// How many lines of which outcome.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// As expected.
    pub passed: usize,
    /// Not so.
    pub failed: usize,
    /// Not played.
    pub skipped: usize,
}

impl Totals {
    /// Counts a line.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(..) => self.failed += 1,
            Outcome::Skipped(_) => self.skipped += 1,
        }
    }

    /// Lines of any outcome.
    pub fn all(&self) -> usize {
        self.passed + self.failed + self.skipped
    }
}

impl<'a> Named<'a> {
    /// Names a line of a run of `scenarios`.
    pub fn of(scenarios: &'a [Scenario], line: &'a Line) -> Option<Self> {
        let scenario = scenarios.get(line.scenario)?;
        Some(Self { scenario, case: scenario.cases.get(line.case)?, line })
    }

    /// `file:line` of the case.
    pub fn at(&self) -> String {
        format!("{}:{}", self.scenario.file.display(), self.case.place.line)
    }
}

/// Why a line was skipped.
fn lack(named: Named<'_>, lack: &Lack) -> String {
    match lack {
        Lack::Needs(list) => format!("needs {}", needs(list).join(", ")),
        Lack::Plugin => format!("{} does not link {}", named.line.engine, named.scenario.plugin),
    }
}

/// The needs as the scenario writes them.
fn needs(list: &[crate::engine::Need]) -> Vec<String> {
    let name = |need| serde_json::to_value(need).ok().and_then(|value| value.as_str().map(str::to_owned));
    list.iter().filter_map(name).collect()
}
