//! Medians and their intervals, by resampling. Seeded: the same samples give the same interval.

/// Resamples of one interval.
const RESAMPLES: usize = 2_000;

/// A seeded source (splitmix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(z % bound).unwrap_or_default()
    }

    /// Any order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A median with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The median; NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at((sorted.len() / 2).wrapping_sub(1)), at(sorted.len() / 2))
    } else {
        at(sorted.len() / 2)
    }
}

/// The median of differences.
pub(crate) fn difference(values: &[f64], random: &mut Random) -> Estimate {
    bootstrap(values, random, median)
}

/// The ratio of two medians of differences, taken in the same rounds.
pub(crate) fn ratio(pairs: &[(f64, f64)], random: &mut Random) -> Estimate {
    bootstrap(pairs, random, |pairs| {
        let (over, under): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        median(&over) / median(&under)
    })
}

fn bootstrap<T: Copy>(samples: &[T], random: &mut Random, of: impl Fn(&[T]) -> f64) -> Estimate {
    let mut found: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let again: Vec<T> = samples.iter().filter_map(|_| samples.get(random.below(samples.len())).copied()).collect();
            of(&again)
        })
        .collect();
    found.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| found.get(RESAMPLES * share / 1000).copied().unwrap_or(f64::NAN);
    Estimate { median: of(samples), low: at(25), high: at(975) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_even_and_odd() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    /// Nine of ten intervals and more must hold the true median of what the samples are drawn from.
    #[test]
    fn intervals_hold_what_they_promise() {
        let mut random = Random::new(7);
        let mut uniform = || f64::from(u32::try_from(random.below(1_000_000)).unwrap()) / 1_000_000.0;
        let mut held = 0;
        for run in 0..200 {
            let samples: Vec<f64> = (0..25).map(|_| uniform()).collect();
            let found = difference(&samples, &mut Random::new(run));
            assert!(found.low <= found.median && found.median <= found.high);
            held += i32::from(found.low <= 0.5 && 0.5 <= found.high);
        }
        assert!((180..200).contains(&held), "{held} of 200");
    }

    #[test]
    fn a_ratio_pairs_what_was_seen_together() {
        // A machine that is twice as slow in some rounds moves both alike.
        let pairs: Vec<(f64, f64)> = (0..15).map(|round| if round % 3 == 0 { (2.0, 8.0) } else { (1.0, 4.0) }).collect();
        let found = ratio(&pairs, &mut Random::new(1));
        assert_eq!((found.median, found.low, found.high), (0.25, 0.25, 0.25));
    }

    #[test]
    fn a_shuffle_keeps_all_and_moves_some() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::new(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
