//! `wardpoint run`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::ValueEnum;

use super::engines::EngineName;
use super::{Exit, Streams};
use crate::report::{Json, Junit, Named, Report, Text, Totals};
use crate::scenario::bless::bless;
use crate::scenario::cut::Cuts;
use crate::scenario::run::{Engines, Line, Setting, run as run_all};
use crate::scenario::{Expectations, Profile, Scenario, load_all};

/// Play scenarios and compare what is seen with what they expect
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint run
  wardpoint run test-host/scenarios/mcp-authz --engine native --cut as-written
  wardpoint run new.yaml --bless
  wardpoint run --format json | tail -1

The engines wasm and envoy take the plugins from the folder WARDPOINT_PLUGINS, or else from target/plugins (`make plugins`);
envoy starts the program ENVOY_BIN.

Exits with 0 if everything passed, 1 if something failed, 2 if a scenario or an engine could not be loaded.")]
pub(super) struct Args {
    /// Scenario files, or folders of them
    #[arg(default_value = "test-host/scenarios")]
    paths: Vec<PathBuf>,
    /// Engines, separated by commas
    #[arg(long, value_delimiter = ',', default_values = ["native", "wasm"])]
    engine: Vec<EngineName>,
    /// Whether the proxy can hold headers
    #[arg(long, default_value = "both")]
    profile: ProfileName,
    /// How bodies are cut into chunks
    #[arg(long, default_value = "all")]
    cut: CutName,
    /// The form of the report
    #[arg(long, default_value = "text")]
    format: Format,
    /// Write what was seen into the expectations of cases that fail
    #[arg(long)]
    bless: bool,
    /// Worker threads; one a CPU if it is not given
    #[arg(long)]
    jobs: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileName {
    /// It can
    Hold,
    /// It cannot
    NoHold,
    /// First the one, then the other
    Both,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CutName {
    /// As the scenario says
    AsWritten,
    /// One chunk
    Whole,
    /// Single bytes
    Bytes,
    /// All of them, and every cut in two (64 random cuts above 4 KiB)
    All,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object a line
    Json,
    /// JUnit XML
    Junit,
}

pub(super) fn run(args: &Args, engines: &dyn Engines, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let expectations = if args.bless { Expectations::Open } else { Expectations::Required };
    let scenarios = match load_all(&args.paths, expectations) {
        Ok(scenarios) => scenarios,
        Err(errors) => {
            for error in errors {
                writeln!(streams.err, "{error}")?;
            }
            return Ok(Exit::Error);
        }
    };
    let setting = Setting {
        engines: EngineName::expand(&args.engine),
        profiles: match args.profile {
            ProfileName::Hold => vec![Profile::Hold],
            ProfileName::NoHold => vec![Profile::NoHold],
            ProfileName::Both => Profile::ALL.to_vec(),
        },
        cuts: match args.cut {
            CutName::AsWritten => Cuts::AsWritten,
            CutName::Whole => Cuts::Whole,
            CutName::Bytes => Cuts::Bytes,
            CutName::All => Cuts::All,
        },
        keep_seen: args.bless,
        workers: args.jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
    };
    let mut report: Box<dyn Report + '_> = match args.format {
        Format::Text => Box::new(Text::new(&mut *streams.out, streams.style)),
        Format::Json => Box::new(Json::new(&mut *streams.out)),
        Format::Junit => Box::new(Junit::new(&mut *streams.out)),
    };
    let cases: usize = scenarios.iter().map(|scenario| scenario.cases.len()).sum();
    let mut progress = Progress { err: &mut *streams.err, on: streams.progress, cases };
    let (mut totals, mut lines, mut written) = (Totals::default(), Vec::new(), Ok(()));
    let ran = run_all(&scenarios, &setting, engines, |line| {
        totals.add(&line.outcome);
        if let Some(named) = Named::of(&scenarios, &line)
            && written.is_ok()
        {
            written = progress.clear().and_then(|()| report.line(named)).and_then(|()| progress.show(&line, &scenarios));
        }
        if args.bless {
            lines.push(line);
        }
    });
    progress.clear()?;
    written?;
    report.end(&totals)?;
    drop(report);
    if let Err(error) = ran {
        writeln!(streams.err, "error: {error}")?;
        return Ok(Exit::Error);
    }
    if totals.passed + totals.failed == 0 {
        let why = if totals.skipped > 0 { "every case was skipped" } else { "no case was found" };
        writeln!(streams.err, "error: {why}, so nothing was shown")?;
        return Ok(Exit::Error);
    }
    if args.bless {
        return write_down(&scenarios, &lines, streams.err);
    }
    Ok(if totals.failed == 0 { Exit::Good } else { Exit::Bad })
}

/// Writes the blessed files. Cases that could not be blessed are failures still.
fn write_down(scenarios: &[Scenario], lines: &[Line], err: &mut dyn Write) -> io::Result<Exit> {
    let mut exit = Exit::Good;
    for (index, scenario) in scenarios.iter().enumerate() {
        let blessed = bless(scenario, index, lines);
        let file = scenario.file.display();
        if !blessed.written.is_empty() {
            fs::write(&scenario.file, &blessed.text)?;
            writeln!(err, "{file}: {} expectations written; look at the diff before you commit it", blessed.written.len())?;
        }
        for (name, why) in &blessed.refused {
            exit = Exit::Bad;
            writeln!(err, "{file}: `{name}` is not blessed: {why}")?;
        }
    }
    Ok(exit)
}

/// One line that is overwritten as the run goes on.
struct Progress<'a> {
    err: &'a mut dyn Write,
    on: bool,
    cases: usize,
}

impl Progress<'_> {
    fn show(&mut self, line: &Line, scenarios: &[Scenario]) -> io::Result<()> {
        if !self.on {
            return Ok(());
        }
        let before: usize = scenarios.iter().take(line.scenario).map(|scenario| scenario.cases.len()).sum();
        write!(self.err, "{} of {} cases", before + line.case + 1, self.cases)?;
        self.err.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        if self.on { write!(self.err, "\r\u{1b}[2K") } else { Ok(()) }
    }
}
