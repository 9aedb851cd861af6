//! What a policy costs in a real Envoy, beside what else could do the job. README.md says how to run it and how to read it.
#![forbid(unsafe_code)]

mod config;
mod cpu;
mod envoy;
mod filters;
mod gates;
mod http1;
mod load;
mod machine;
mod measure;
mod meter;
mod peer;
mod report;
mod server;
mod start;
mod stats;
mod suite;
mod table;
mod token;
mod tokens;
mod upstream;
mod work;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::Parser;
use wardpoint_core::time::Timestamp;

use crate::gates::{Gate, Verdict};
use crate::measure::Plan;
use crate::meter::Meter;
use crate::report::Report;

/// The suite that puts no load on anything.
const START: &str = "start";

/// Tokens of each algorithm that are signed beforehand: without those that are forged more than the 8,192 that
/// a plugin remembers.
const TOKENS: usize = 10_000;

/// Measures what policies cost in Envoy.
#[derive(Parser)]
#[command(name = "wardpoint-bench")]
struct Args {
    /// Only this suite: calls, large, deny, lists, rules, token, parts or start.
    #[arg(long, default_value = "all")]
    suite: String,
    /// Only variants whose name has this in it, and the base. May be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Rounds of each suite.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Seconds of each variant with each work in a round.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Decides the order in which things are done.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes results.md and results.json into this folder.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Counts instructions instead of CPU time: slower by far, and the same on a machine that is never quiet. Needs valgrind.
    #[arg(long)]
    count: bool,
    /// Two short rounds: every verdict is checked, no speed is judged.
    #[arg(long)]
    smoke: bool,
}

impl Args {
    fn plan(&self) -> Plan {
        let seconds = |seconds| Duration::from_secs_f64(seconds);
        let (rounds, slot, warm) = if self.smoke {
            (2, seconds(0.04), seconds(0.02))
        } else {
            (self.rounds, seconds(self.seconds), seconds(self.seconds.min(2.0)))
        };
        let meter = if self.count { Meter::Instructions } else { Meter::Time };
        Plan { rounds, slot, warm, seed: self.seed, meter }
    }

    fn wants(&self, suite: &str) -> bool {
        self.suite == suite || self.suite == "all" && !(self.smoke && suite == "parts")
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<bool> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let (cores, machine) = (cpu::Cores::choose()?, machine::Machine::this());
    let (keys, modules) = (token::Keys::new()?, suite::Modules::find()?);
    let token = token::Token::new(&keys, since_epoch)?;
    let callers =
        tokens::Callers { keys: &keys, now: since_epoch, count: if args.smoke { 200 } else { TOKENS }, few_vms: args.count };
    let plan = args.plan();
    let known = args.suite == "all" || args.suite == START || suite::NAMES.contains(&args.suite.as_str());
    anyhow::ensure!(known, "no suite `{}`. Choose one of {}, {START}, or all", args.suite, suite::NAMES.join(", "));
    anyhow::ensure!(plan.rounds > 0, "0 rounds measure nothing");
    let mut tables = Vec::new();
    for name in suite::NAMES.into_iter().filter(|name| args.wants(name)) {
        let mut suite = suite::Suite::new(name, &modules, &token, &callers)?;
        suite.keep(&args.only);
        let measured = measure::measure(&suite, &token, plan, cores).with_context(|| format!("suite {name}"))?;
        let table = table::Table::new(&suite, measured, plan.seed);
        println!("{}", report::suite(&table));
        tables.push(table);
    }
    let mut starts = Vec::new();
    // Counts say nothing of how long it takes to load.
    if args.wants(START) && !args.count {
        let times = if args.smoke { 1 } else { 5 };
        starts = start::measure(&modules, &token, times, plan.seed, cores).context("suite start")?;
        println!("{}", report::starts(&starts));
    }
    if args.smoke {
        println!("all verdicts are right; no speed is judged");
        return Ok(true);
    }
    // A part of a suite proves nothing.
    let gates = if args.only.is_empty() { gates::all(&tables, &starts) } else { Vec::new() };
    if !gates.is_empty() {
        println!("{}", report::gates(&gates));
    }
    let date = Timestamp::from_secs(since_epoch).to_string();
    let report = Report { machine, date, plan, tables, starts, gates };
    if let Some(folder) = &args.write {
        write(folder, &report)?;
    }
    let broken: Vec<&Gate> = report.gates.iter().filter(|gate| gate.must && gate.verdict != Verdict::Met).collect();
    for gate in &broken {
        println!("FAILED: {} must be at most {}: {:.3}, {}", gate.what, gate.limit, gate.found, report::verdict(gate.verdict));
    }
    Ok(broken.is_empty())
}

fn write(folder: &Path, report: &Report) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("results.md"), report.page())?;
    fs::write(folder.join("results.json"), format!("{:#}\n", report.json()))?;
    println!("written: {}", folder.join("results.md").display());
    Ok(())
}
