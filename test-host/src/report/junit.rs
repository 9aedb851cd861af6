//! The report for CI systems: JUnit XML, one suite a file.

use std::io::{self, Write};

use super::{Named, Report, Style, Text, Totals, lack};
use crate::scenario::run::Outcome;

/// See [`Report`]. Counts stand in the first tag of a suite, so everything is written at the end.
#[derive(Debug)]
pub struct Junit<W> {
    out: W,
    suites: Vec<Suite>,
}

#[derive(Debug, Default)]
struct Suite {
    name: String,
    cases: String,
    totals: Totals,
    seconds: f64,
}

impl<W: Write> Junit<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, suites: Vec::new() }
    }
}

impl<W: Write> Report for Junit<W> {
    fn line(&mut self, named: Named<'_>) -> io::Result<()> {
        let line = named.line;
        let name = named.scenario.file.display().to_string();
        if self.suites.last().is_none_or(|suite| suite.name != name) {
            self.suites.push(Suite { name: name.clone(), ..Suite::default() });
        }
        let inner = match &line.outcome {
            Outcome::Passed => String::new(),
            Outcome::Failed(cut, _) => {
                let mut text = Vec::new();
                Text::new(&mut text, Style::default()).line(named)?;
                let text = String::from_utf8_lossy(&text).into_owned();
                format!("<failure message=\"{}\">{}</failure>", escape(&cut.to_string()), escape(&text))
            }
            Outcome::Skipped(lacks) => format!("<skipped message=\"{}\"/>", escape(&lack(named, lacks))),
        };
        let seconds = line.took.as_secs_f64();
        let Some(suite) = self.suites.last_mut() else { return Ok(()) };
        suite.totals.add(&line.outcome);
        suite.seconds += seconds;
        suite.cases.push_str(&format!(
            "    <testcase name=\"{}\" classname=\"{}.{}\" file=\"{}\" line=\"{}\" time=\"{seconds:.6}\">{inner}</testcase>\n",
            escape(&named.case.name),
            escape(&line.engine),
            line.profile.as_str(),
            escape(&name),
            named.case.place.line,
        ));
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let counts =
            |t: &Totals| format!("tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\"", t.all(), t.failed, t.skipped);
        writeln!(self.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"wardpoint\" {}>", counts(totals))?;
        for suite in &self.suites {
            let Suite { name, cases, totals, seconds } = suite;
            writeln!(self.out, "  <testsuite name=\"{}\" {} time=\"{seconds:.6}\">", escape(name), counts(totals))?;
            writeln!(self.out, "{cases}  </testsuite>")?;
        }
        writeln!(self.out, "</testsuites>")?;
        self.out.flush()
    }
}

/// Text for XML 1.0, which has no form at all for most control characters.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            '\t' => out.push('\t'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
