//! The suite `start`: what a module costs before the first request. Each figure comes from an Envoy of its own.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::config::{self, Around, Listener};
use crate::cpu::{self, Cores};
use crate::envoy::Envoy;
use crate::filters;
use crate::meter::Meter;
use crate::peer::{Peer, Says};
use crate::stats::{Estimate, Random, difference, median};
use crate::suite::{BASE, Modules, NOOP, OURS};
use crate::token::Token;
use crate::upstream::Upstream;
use crate::work::{self, TOOL};

/// When memory is read: what loading needed for a moment is given back by then.
const SETTLED: Duration = Duration::from_millis(700);
const WORKERS: [usize; 2] = [1, 2];

/// One module, or none.
pub(crate) struct Start {
    pub(crate) variant: &'static str,
    /// Bytes of the module.
    pub(crate) bytes: u64,
    /// CPU time in ms until ready beyond that without a module; one worker.
    pub(crate) load: Estimate,
    /// Resident MiB with one worker and with two.
    pub(crate) resident: [f64; 2],
}

#[derive(Clone, Copy)]
struct Sample {
    cpu_ms: f64,
    resident_mib: f64,
}

/// Starts Envoy again and again, in random order.
pub(crate) fn measure(modules: &Modules, token: &Token, times: usize, seed: u64, cores: Cores) -> anyhow::Result<Vec<Start>> {
    let (upstream, peer) = (Upstream::start("upstream", &[work::answer()], b"")?, Peer::start(Says::Allow)?);
    let around = Around { upstream: upstream.address(), peer: peer.address(), services: Vec::new(), secrets: Vec::new() };
    let variants: [(&'static str, Option<&Path>, Vec<Value>); 3] = [
        (BASE, None, Vec::new()),
        (NOOP, Some(&modules.noop), filters::noop(&modules.noop, "")),
        (OURS, Some(&modules.ours), filters::ours(&modules.ours, &[vec![TOOL.to_owned()]], &["accessLog"])),
    ];
    let mut random = Random::new(seed);
    let mut samples = vec![Vec::new(); variants.len() * WORKERS.len()];
    for time in 1..=times {
        eprint!("\rstart: {time} of {times} ");
        let mut order: Vec<usize> = (0..samples.len()).collect();
        random.shuffle(&mut order);
        for cell in order {
            let (_, _, filters) = variants.get(cell / WORKERS.len()).context("no such variant")?;
            let workers = WORKERS.get(cell % WORKERS.len()).copied().unwrap_or(1);
            let sample = start(filters, token, &around, workers, cores)?;
            samples.get_mut(cell).context("no such cell")?.push(sample);
        }
    }
    eprintln!();
    let of = |variant: usize, workers: usize| samples.get(variant * WORKERS.len() + workers).map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for (index, (variant, module, _)) in variants.iter().enumerate() {
        let added: Vec<f64> = of(index, 0).iter().zip(of(0, 0)).map(|(sample, base)| sample.cpu_ms - base.cpu_ms).collect();
        let resident =
            |workers| median(&of(index, workers).iter().map(|sample: &Sample| sample.resident_mib).collect::<Vec<_>>());
        found.push(Start {
            variant,
            bytes: module.map_or(Ok(0), |module| std::fs::metadata(module).map(|metadata| metadata.len()))?,
            load: difference(&added, &mut random),
            resident: [resident(0), resident(1)],
        });
    }
    Ok(found)
}

fn start(filters: &[Value], token: &Token, around: &Around, workers: usize, cores: Cores) -> anyhow::Result<Sample> {
    let folder = TempDir::new()?;
    let config =
        config::bootstrap(folder.path(), token, around, &[Listener { name: "one", verifies: true, filters, audits: None }]);
    let envoy = Envoy::start(folder.path(), &config, workers, cores, Meter::Time)?;
    let cpu_ms = cpu::of_process(envoy.pid())? as f64 / 1e6;
    sleep(SETTLED);
    Ok(Sample { cpu_ms, resident_mib: envoy.resident()? as f64 / f64::from(1 << 20) })
}
