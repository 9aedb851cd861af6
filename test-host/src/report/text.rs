//! The report for people: one line a case, a failure with its diff, and all failures once more where they do not stand last.

use std::io::{self, Write};

use similar::ChangeTag;

use super::sketch::lines;
use super::{Named, Report, Style, Totals, lack};
use crate::scenario::compare::Mismatch;
use crate::scenario::run::{Failure, Outcome};

/// See [`Report`].
#[derive(Debug)]
pub struct Text<W> {
    out: W,
    style: Style,
    /// What was written of failures.
    failures: Vec<u8>,
    /// Something else has been written since the first of them.
    followed: bool,
}

impl<W: Write> Text<W> {
    /// Writes to `out`.
    pub fn new(out: W, style: Style) -> Self {
        Self { out, style, failures: Vec::new(), followed: false }
    }

    fn failure(&mut self, named: Named<'_>, failure: &Failure) -> io::Result<()> {
        match failure {
            Failure::Differs(mismatches, broken) => {
                for text in broken {
                    writeln!(self.failures, "    {}: {text}", named.at())?;
                }
                for mismatch in mismatches {
                    self.mismatch(named, mismatch)?;
                }
            }
            Failure::Engine(error) => writeln!(self.failures, "    the engine failed: {error}")?,
            Failure::Engines(diff) => {
                writeln!(self.failures, "    engines differ")?;
                for line in diff.lines() {
                    let line = match line.chars().next() {
                        Some('-') => self.style.good(line),
                        Some('+') => self.style.bad(line),
                        _ => line.to_owned(),
                    };
                    writeln!(self.failures, "      {line}")?;
                }
            }
            Failure::Unstated => writeln!(self.failures, "    no expectation; run with --bless to write down what was seen")?,
        }
        Ok(())
    }

    fn mismatch(&mut self, named: Named<'_>, mismatch: &Mismatch) -> io::Result<()> {
        let Mismatch { place, path, expected, seen } = mismatch;
        writeln!(self.failures, "    {}:{place}: {path}", named.scenario.file.display())?;
        for (tag, line) in lines(expected, seen) {
            let line = match tag {
                ChangeTag::Equal => format!("  {line}"),
                ChangeTag::Delete => self.style.good(format!("- {line}")),
                ChangeTag::Insert => self.style.bad(format!("+ {line}")),
            };
            writeln!(self.failures, "      {line}")?;
        }
        Ok(())
    }
}

impl<W: Write> Report for Text<W> {
    fn line(&mut self, named: Named<'_>) -> io::Result<()> {
        let line = named.line;
        let (word, tail) = match &line.outcome {
            Outcome::Passed => (self.style.good("ok  "), format!("{} plays", line.plays)),
            Outcome::Failed(cut, _) => (self.style.bad("FAIL"), format!("{cut}")),
            Outcome::Skipped(lacks) => (self.style.left_out("skip"), lack(named, lacks)),
        };
        let tail = self.style.faint(format!("({tail})"));
        let (engine, profile) = (&line.engine, line.profile.as_str());
        let head = format!("{word} {engine:6} {profile:7} {}  {}  {tail}", named.at(), named.case.name);
        let Outcome::Failed(_, failure) = &line.outcome else {
            self.followed |= !self.failures.is_empty();
            return writeln!(self.out, "{head}");
        };
        let known = self.failures.len();
        writeln!(self.failures, "{head}")?;
        self.failure(named, failure)?;
        self.out.write_all(self.failures.get(known..).unwrap_or_default())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let Totals { passed, failed, skipped } = totals;
        // A long run has scrolled them away, and of a log that is cut the end is kept.
        if self.followed {
            writeln!(self.out, "\nWhat failed, once more:")?;
            self.out.write_all(&self.failures)?;
        }
        writeln!(self.out, "{passed} passed, {failed} failed, {skipped} skipped")?;
        self.out.flush()
    }
}
