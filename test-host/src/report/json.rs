//! The report for machines: one JSON object a line, the totals last.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Named, Report, Totals, lack, needs};
use crate::scenario::run::{Failure, Lack, Outcome};

/// See [`Report`].
#[derive(Debug)]
pub struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Report for Json<W> {
    fn line(&mut self, named: Named<'_>) -> io::Result<()> {
        let line = named.line;
        let mut object = json!({
            "file": named.scenario.file.display().to_string(),
            "line": named.case.place.line,
            "case": named.case.name,
            "plugin": named.scenario.plugin,
            "cites": named.case.cites,
            "engine": line.engine,
            "profile": line.profile.as_str(),
            "plays": line.plays,
            "seconds": line.took.as_secs_f64(),
        });
        let more = match &line.outcome {
            Outcome::Passed => json!({"outcome": "passed"}),
            Outcome::Failed(cut, reason) => json!({"outcome": "failed", "cut": cut.to_string(), "failure": failure(reason)}),
            Outcome::Skipped(lacks) => {
                let needs = if let Lack::Needs(list) = lacks { needs(list) } else { Vec::new() };
                json!({"outcome": "skipped", "needs": needs, "why": lack(named, lacks)})
            }
        };
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        writeln!(self.out, "{object}")
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let Totals { passed, failed, skipped } = totals;
        writeln!(self.out, r#"{{"passed":{passed},"failed":{failed},"skipped":{skipped}}}"#)?;
        self.out.flush()
    }
}

fn failure(reason: &Failure) -> Value {
    match reason {
        Failure::Differs(mismatches, broken) => {
            let mismatches: Vec<Value> = mismatches
                .iter()
                .map(|m| json!({"line": m.place.line, "column": m.place.column, "path": m.path, "expected": m.expected, "seen": m.seen}))
                .collect();
            json!({"kind": "differs", "mismatches": mismatches, "broken": broken})
        }
        Failure::Engine(error) => json!({"kind": "engine", "error": error}),
        Failure::Engines(diff) => json!({"kind": "engines_differ", "diff": diff}),
        Failure::Unstated => json!({"kind": "unstated"}),
    }
}
