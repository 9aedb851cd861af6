//! What a policy costs in a real Envoy, beside what else could do the job.
#![forbid(unsafe_code)]

mod config;
mod cpu;
mod envoy;
mod filters;
mod http1;
mod load;
mod measure;
mod peer;
mod server;
mod stats;
mod suite;
mod table;
mod token;
mod upstream;
mod work;

use std::time::{Duration, SystemTime};

use clap::Parser;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "calls")]
    suite: String,
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let token = token::Token::new(now)?;
    let modules = suite::Modules::find()?;
    let cores = cpu::Cores::choose()?;
    let plan = measure::Plan { rounds: args.rounds, slot: Duration::from_secs_f64(args.seconds), warm: Duration::from_secs_f64(args.seconds), seed: 1 };
    for name in suite::NAMES.into_iter().filter(|name| args.suite == "all" || *name == args.suite) {
        let suite = suite::Suite::new(name, &modules, &token);
        let measured = measure::measure(&suite, &token, plan, cores)?;
        let table = table::Table::new(&suite, measured, 1);
        for row in &table.rows {
            println!("{:20} {:22} {:8.1} {:8.2} [{:.2}, {:.2}] peer {:.1} p50 {:.0} dropped {}", row.work, row.variant, row.whole, row.added.median, row.added.low, row.added.high, row.peer, row.latency, row.dropped);
        }
        for r in &table.ratios {
            println!("{:20} {} / {}: {:.3} [{:.3}, {:.3}]", r.work, r.over, r.under, r.is.median, r.is.low, r.is.high);
        }
        println!("{:?} {} requests, {:.0?}, canary {:.0}, {:?}, {}", table.doubt, table.measured.requests, table.measured.took, table.measured.canary, table.measured.disturbance, table.measured.envoy);
    }
    Ok(())
}
