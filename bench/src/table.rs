//! From samples to figures: what each variant adds, and the ratios.

use crate::measure::{Measured, Sample};
use crate::stats::{Estimate, Random, difference, median, ratio};
use crate::suite::{BASE, Suite};

/// A slot counts if its core was at most this much slower or faster than usual.
const CANARY: f64 = 0.10;
/// More dropped rounds than this, and the figures say nothing.
const DROPPED: f64 = 1.0 / 3.0;
/// A wider base than this, and they say nothing either.
const SPREAD: f64 = 0.25;

/// One variant with one work.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) work: &'static str,
    pub(crate) variant: String,
    /// CPU time of the proxy for a request, in µs.
    pub(crate) whole: f64,
    /// What of it the variant adds.
    pub(crate) added: Estimate,
    /// CPU time of the gRPC peer, in µs; 0 without one.
    pub(crate) peer: f64,
    /// Median latency at full load, in µs.
    pub(crate) latency: f64,
    pub(crate) rounds: usize,
    pub(crate) dropped: usize,
}

/// How two variants compare.
#[derive(Clone, Debug)]
pub(crate) struct Ratio {
    pub(crate) work: &'static str,
    pub(crate) over: String,
    pub(crate) under: String,
    pub(crate) is: Estimate,
}

/// The figures of a suite.
pub(crate) struct Table {
    pub(crate) suite: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) ratios: Vec<Ratio>,
    /// Why no verdict can be given, if so.
    pub(crate) doubt: Option<String>,
    pub(crate) measured: Measured,
}

impl Table {
    /// Computes them.
    pub(crate) fn new(suite: &Suite, measured: Measured, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (mut rows, mut ratios, mut doubt) = (Vec::new(), Vec::new(), None);
        let find = |name: &str| suite.variants.iter().position(|variant| variant.name == name);
        for (number, work) in suite.works.iter().enumerate() {
            let of = |variant: Option<usize>| {
                variant.and_then(|variant| measured.samples.get(&(number, variant))).map_or(&[][..], Vec::as_slice)
            };
            let good = |sample: &Sample| (sample.canary / measured.canary - 1.0).abs() <= CANARY;
            let base = of(find(BASE));
            let added = |variant: Option<usize>| -> Vec<Option<f64>> {
                let pairs = of(variant).iter().zip(base);
                pairs.map(|(sample, base)| (good(sample) && good(base)).then_some(sample.cpu - base.cpu)).collect()
            };
            let spread = spread(base);
            if spread > SPREAD {
                doubt = Some(format!("{}: the base varies by {:.0} %", work.name, spread * 100.0));
            }
            for (index, variant) in suite.variants.iter().enumerate() {
                let (samples, all) = (of(Some(index)), added(Some(index)));
                let kept: Vec<f64> = all.iter().copied().flatten().collect();
                let dropped = all.len() - kept.len();
                if dropped as f64 > all.len() as f64 * DROPPED {
                    doubt = Some(format!("{}, {}: {dropped} of {} rounds dropped", variant.name, work.name, all.len()));
                }
                let middle = |of: fn(&Sample) -> f64| median(&samples.iter().map(of).collect::<Vec<_>>());
                rows.push(Row {
                    work: work.name,
                    variant: variant.name.clone(),
                    whole: middle(|sample| sample.cpu),
                    added: difference(&kept, &mut random),
                    peer: middle(|sample| sample.peer),
                    latency: middle(|sample| sample.latency),
                    rounds: all.len(),
                    dropped,
                });
            }
            for (over, under) in &suite.ratios {
                let pairs = added(find(over)).into_iter().zip(added(find(under)));
                let pairs: Vec<(f64, f64)> = pairs.filter_map(|(over, under)| over.zip(under)).collect();
                let is = ratio(&pairs, &mut random);
                ratios.push(Ratio { work: work.name, over: over.clone(), under: under.clone(), is });
            }
        }
        Self { suite: suite.name, rows, ratios, doubt, measured }
    }
}

/// How far the middle four fifths of the samples lie apart, in medians.
fn spread(samples: &[Sample]) -> f64 {
    let mut sorted: Vec<f64> = samples.iter().map(|sample| sample.cpu).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| sorted.get((sorted.len() - 1) * share / 10).copied().unwrap_or(f64::NAN);
    if sorted.is_empty() { f64::NAN } else { (at(9) - at(1)) / median(&sorted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(cpu: &[f64]) -> Vec<Sample> {
        cpu.iter().map(|cpu| Sample { cpu: *cpu, peer: 0.0, latency: 0.0, canary: 100.0 }).collect()
    }

    #[test]
    fn one_stray_sample_is_no_spread_but_many_are() {
        let mut calm = vec![10.0; 19];
        calm.push(90.0);
        assert!(spread(&samples(&calm)) < SPREAD);
        let restless: Vec<f64> = (0..20).map(|index| if index % 2 == 0 { 10.0 } else { 20.0 }).collect();
        assert!(spread(&samples(&restless)) > SPREAD);
    }
}
