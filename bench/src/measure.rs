//! One suite: one Envoy, a listener for each variant, rounds in which each variant gets each work once, in random order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::config::{self, Around, Listener};
use crate::cpu::{self, Cores, Disturbance};
use crate::envoy::Envoy;
use crate::load::{self, Body, Expected, Reel};
use crate::meter::Meter;
use crate::peer::Peer;
use crate::stats::{Random, median};
use crate::suite::{Suite, Variant, Want};
use crate::token::Token;
use crate::upstream::{Count, Upstream};
use crate::work::Work;

/// How long the access log may take to be written.
const WRITTEN: Duration = Duration::from_secs(5);

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Of each variant with each work in a round.
    pub(crate) slot: Duration,
    /// Of each variant with each work before the rounds: modules, caches, connections.
    pub(crate) warm: Duration,
    pub(crate) seed: u64,
    pub(crate) meter: Meter,
}

/// One slot: one variant with one work in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// What the proxy needs for a request, in the meter's unit.
    pub(crate) cpu: f64,
    /// CPU time of the gRPC peer for a request, in µs.
    pub(crate) peer: f64,
    /// Median latency in µs.
    pub(crate) latency: f64,
    /// CPU time of the fixed loop just before, in ns.
    pub(crate) canary: f64,
}

/// All samples of a suite: by work, by variant, one a round.
pub(crate) struct Measured {
    pub(crate) samples: BTreeMap<(usize, usize), Vec<Sample>>,
    /// The usual canary.
    pub(crate) canary: f64,
    pub(crate) disturbance: Disturbance,
    pub(crate) meter: Meter,
    pub(crate) requests: u64,
    pub(crate) took: Duration,
    pub(crate) envoy: String,
    /// Variants that let a call with two names pass.
    pub(crate) fooled: Vec<String>,
    /// How often each service was called.
    pub(crate) called: Vec<(&'static str, u64)>,
}

/// Everything that runs.
struct Bench<'a> {
    suite: &'a Suite,
    cores: Cores,
    meter: Meter,
    envoy: Envoy,
    upstream: Upstream,
    peer: Peer,
    services: Vec<(&'static str, Upstream)>,
    /// Where each cell is in its requests.
    reels: BTreeMap<(usize, usize), Arc<Reel>>,
    listeners: BTreeMap<String, SocketAddr>,
    runtime: Runtime,
    /// Envoy's files.
    folder: TempDir,
}

/// Measures a suite. A wrong verdict ends it.
pub(crate) fn measure(suite: &Suite, token: &Token, plan: Plan, cores: Cores) -> anyhow::Result<Measured> {
    let begun = Instant::now();
    let plan = Plan { slot: plan.slot.mul_f64(suite.pace), warm: plan.warm.mul_f64(suite.pace), ..plan };
    let bench = Bench::start(suite, token, cores, plan.meter)?;
    let wanted = bench.learn()?;
    let fooled = bench.probe()?;
    let cells: Vec<(usize, usize)> =
        (0..suite.works.len()).flat_map(|work| (0..suite.variants.len()).map(move |variant| (work, variant))).collect();
    for cell in &cells {
        bench.slot(*cell, &wanted, plan.warm)?;
    }
    let before = Disturbance::of(bench.envoy.pid())?;
    let mut random = Random::new(plan.seed);
    let mut samples: BTreeMap<_, Vec<Sample>> = BTreeMap::new();
    let mut requests = 0;
    for round in 1..=plan.rounds {
        eprint!("\r{}: round {round} of {}, {:.0} s ", suite.name, plan.rounds, begun.elapsed().as_secs_f64());
        // All variants of a work come close together, so that what drifts drifts for all of them.
        let mut works: Vec<usize> = (0..suite.works.len()).collect();
        random.shuffle(&mut works);
        for work in works {
            let mut variants: Vec<usize> = (0..suite.variants.len()).collect();
            random.shuffle(&mut variants);
            for variant in variants {
                let (sample, completed) = bench.slot((work, variant), &wanted, plan.slot)?;
                samples.entry((work, variant)).or_default().push(sample);
                requests += completed;
            }
        }
    }
    eprintln!();
    let canaries: Vec<f64> = samples.values().flatten().map(|sample| sample.canary).collect();
    Ok(Measured {
        samples,
        canary: median(&canaries),
        disturbance: Disturbance::of(bench.envoy.pid())?.since(before),
        meter: plan.meter,
        requests,
        took: begun.elapsed(),
        envoy: bench.envoy.version()?,
        fooled,
        called: bench.services.iter().map(|(name, service)| (*name, service.seen().so_far().requests)).collect(),
    })
}

type Wanted = BTreeMap<(usize, usize), Expected>;

impl<'a> Bench<'a> {
    fn start(suite: &'a Suite, token: &Token, cores: Cores, meter: Meter) -> anyhow::Result<Self> {
        cpu::pin(cores.others)?;
        let folder = TempDir::new()?;
        let mark = if suite.issued.is_empty() { String::new() } else { format!("authorization: Bearer {}\r\n", suite.issued) };
        let upstream = Upstream::start("upstream", std::slice::from_ref(&suite.answer), mark.as_bytes())?;
        let peer = Peer::start(suite.says)?;
        let mut services = Vec::new();
        for service in &suite.services {
            services.push((service.name, Upstream::start(service.name, &service.answers, b"")?));
        }
        let around = Around {
            upstream: upstream.address(),
            peer: peer.address(),
            services: services.iter().map(|(name, service)| (*name, service.address())).collect(),
            secrets: suite.secrets(),
        };
        let listener = |variant: &'a Variant| Listener {
            name: &variant.name,
            verifies: variant.verifies,
            filters: &variant.filters,
            audits: variant.audits,
        };
        let listeners: Vec<Listener<'_>> = suite.variants.iter().map(listener).collect();
        let config = config::bootstrap(folder.path(), token, &around, &listeners);
        let envoy = Envoy::start(folder.path(), &config, 1, cores, meter)?;
        let listeners = envoy.listeners()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut reels = BTreeMap::new();
        for (work, its) in suite.works.iter().enumerate() {
            for (variant, of) in suite.variants.iter().enumerate() {
                reels.insert((work, variant), Arc::new(Reel::new(its.requests(of.load))));
            }
        }
        Ok(Self { suite, cores, meter, envoy, upstream, peer, services, reels, listeners, runtime, folder })
    }

    fn proxy(&self, variant: &Variant) -> anyhow::Result<SocketAddr> {
        self.listeners.get(&variant.name).copied().with_context(|| format!("Envoy has no listener `{}`", variant.name))
    }

    fn work(&self, work: usize) -> anyhow::Result<&'a Work> {
        self.suite.works.get(work).context("no such work")
    }

    fn variant(&self, variant: usize) -> anyhow::Result<&'a Variant> {
        self.suite.variants.get(variant).context("no such variant")
    }

    /// Asks each variant once and looks at the answer; from then on that very answer is expected.
    fn learn(&self) -> anyhow::Result<Wanted> {
        let mut wanted = Wanted::new();
        for (work, its) in self.suite.works.iter().enumerate() {
            for (variant, asked) in self.suite.variants.iter().enumerate() {
                let (status, body) = match &asked.want {
                    Want::Pass | Want::Exchanged => (200, Body::Exactly(self.suite.answer.clone())),
                    Want::Refuse(status, text) => (*status, Body::With(text)),
                    Want::Tools(tools) => {
                        let answer = self.runtime.block_on(load::ask(self.proxy(asked)?, its.first()))?;
                        check_tools(&answer.body, &self.suite.answer, tools).with_context(|| asked.name.clone())?;
                        (200, Body::Exactly(answer.body))
                    }
                };
                wanted.insert((work, variant), Expected { status, body, forged: asked.forged });
            }
        }
        Ok(wanted)
    }

    /// Sends what must be refused. Who lets the forbidden tool pass, or is strict and lets two names pass, ends the run.
    fn probe(&self) -> anyhow::Result<Vec<String>> {
        let mut fooled = Vec::new();
        let Some(probes) = &self.suite.probes else { return Ok(fooled) };
        for variant in self.suite.variants.iter().filter(|variant| variant.decides()) {
            let ask = |probe: &Work| -> anyhow::Result<bool> {
                let answer = self.runtime.block_on(load::ask(self.proxy(variant)?, probe.first()))?;
                Ok(matches!(answer.status, Some(400 | 403)))
            };
            ensure!(ask(&probes.forbidden)?, "wrong verdict: {} lets {} pass", variant.name, probes.forbidden.name);
            if !ask(&probes.two_names)? {
                ensure!(!variant.is_strict(), "wrong verdict: {} lets {} pass", variant.name, probes.two_names.name);
                fooled.push(variant.name.clone());
            }
        }
        Ok(fooled)
    }

    fn slot(&self, cell: (usize, usize), wanted: &Wanted, time: Duration) -> anyhow::Result<(Sample, u64)> {
        let (work, variant) = (self.work(cell.0)?, self.variant(cell.1)?);
        let expected = wanted.get(&cell).context("nothing is expected")?;
        let reel = self.reels.get(&cell).context("nothing to send")?;
        let proxy = self.proxy(variant)?;
        // What is counted does not depend on how fast the core is.
        let canary = if self.meter == Meter::Time { cpu::canary(self.cores.proxy)? } else { 1 };
        cpu::pin(self.cores.others)?;
        let seen = self.upstream.seen().so_far();
        let (peer, proxy_before) = (cpu::of_thread(self.peer.thread())?, self.meter.begin(self.envoy.pid())?);
        let said = || format!("{}, {}: {}", variant.name, work.name, self.envoy.last_words());
        let mut tally = self.runtime.block_on(load::run(proxy, reel, expected, time)).with_context(said)?;
        let needed = self.meter.end(proxy_before, self.envoy.pid(), self.folder.path())?;
        let peer = cpu::of_thread(self.peer.thread())? - peer;
        let completed = tally.completed;
        self.check(variant, work, (completed, tally.forged), seen)?;
        self.envoy.forget_logs()?;
        let each = |nanos: u64| nanos as f64 / 1000.0 / completed as f64;
        let sample = Sample {
            cpu: each(needed),
            peer: if variant.asks { each(peer) } else { 0.0 },
            latency: tally.median_latency(),
            canary: canary as f64,
        };
        Ok((sample, completed))
    }

    /// What the client cannot see: that the upstream got all of it or nothing, and that what should be recorded was.
    fn check(&self, variant: &Variant, work: &Work, (completed, forged): (u64, u64), before: Count) -> anyhow::Result<()> {
        let seen = self.upstream.seen().so_far().since(before);
        let passed = if matches!(variant.want, Want::Refuse(..)) { 0 } else { completed - forged };
        let marked = if matches!(variant.want, Want::Exchanged) { passed } else { 0 };
        let wanted = Count { requests: passed, bytes: passed * u64::try_from(work.body)?, marked };
        ensure!(completed > 0, "{}, {}: nothing was completed", variant.name, work.name);
        ensure!(
            seen == wanted,
            "wrong verdict: {}, {}: the upstream saw {seen:?} instead of {wanted:?}",
            variant.name,
            work.name
        );
        if variant.audits.is_none() {
            return Ok(());
        }
        let begun = Instant::now();
        loop {
            let audited = u64::try_from(self.envoy.audited()?)?;
            if audited >= completed {
                return Ok(());
            }
            ensure!(begun.elapsed() < WRITTEN, "{}: {audited} audit records of {completed} requests", variant.name);
            sleep(Duration::from_millis(20));
        }
    }
}

/// Those tools and no others, each as the upstream gave it.
fn check_tools(body: &[u8], whole: &[u8], tools: &[String]) -> anyhow::Result<()> {
    let list = |bytes: &[u8]| -> anyhow::Result<Vec<Value>> {
        let answer: Value = serde_json::from_slice(bytes).context("the answer is no JSON")?;
        Ok(answer.pointer("/result/tools").and_then(Value::as_array).context("the answer has no tools")?.clone())
    };
    let wanted =
        |tool: &Value| tool.get("name").and_then(Value::as_str).is_some_and(|name| tools.iter().any(|want| want == name));
    let want: Vec<Value> = list(whole)?.into_iter().filter(wanted).collect();
    let found = list(body)?;
    if found == want { Ok(()) } else { bail!("wrong verdict: {} tools in the list instead of {}", found.len(), want.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_more_less_or_other_tools_is_seen() {
        let list = |names: &[&str]| {
            let tools: Vec<Value> = names.iter().map(|name| serde_json::json!({ "name": name, "title": "t" })).collect();
            serde_json::json!({ "result": { "tools": tools } }).to_string().into_bytes()
        };
        let (whole, kept) = (list(&["a", "b", "c"]), ["a".to_owned(), "c".to_owned()]);
        assert!(check_tools(&list(&["a", "c"]), &whole, &kept).is_ok());
        for wrong in [list(&["a", "b", "c"]), list(&["a"]), list(&["c", "a"]), list(&[]), b"{}".to_vec(), b"no JSON".to_vec()] {
            assert!(check_tools(&wrong, &whole, &kept).is_err());
        }
        let changed = String::from_utf8(list(&["a", "c"])).unwrap().replace("\"t\"", "\"u\"").into_bytes();
        assert!(check_tools(&changed, &whole, &kept).is_err());
    }
}
