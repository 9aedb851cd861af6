//! Drives a target without coverage: seeds, mutated and crossed in ways that are the same in every run.

use crate::Target;
use crate::random::Random;

/// Longest input that is made.
const LONGEST: usize = 4096;

/// Runs all seeds, then `runs` inputs made of them. On a broken law the input is written to standard error as escaped
/// text, by the panic's own guard.
pub fn smoke(target: Target, runs: usize, seed: u64) {
    let seeds = (target.seeds)();
    let mut pool = seeds.clone();
    for input in &seeds {
        guarded(target, input);
    }
    let mut random = Random::new(seed);
    for _ in 0..runs {
        let mut input = pool.get(random.below(pool.len())).cloned().unwrap_or_default();
        for _ in 0..=random.below(4) {
            mutate(&mut input, target.words, &pool, &mut random);
        }
        input.truncate(LONGEST);
        guarded(target, &input);
        // Some stay, so that mutations add up; the seeds are never lost.
        if random.once_in(16) {
            if pool.len() < seeds.len() + 256 {
                pool.push(input);
            } else {
                let at = seeds.len() + random.below(256);
                if let Some(place) = pool.get_mut(at) {
                    *place = input;
                }
            }
        }
    }
}

/// Runs one input; a panic shows it.
pub fn guarded(target: Target, input: &[u8]) {
    struct Shown<'a>(&'static str, &'a [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("target {}, input b\"{}\"", self.0, self.1.escape_ascii());
            }
        }
    }
    let shown = Shown(target.name, input);
    (target.run)(input);
    drop(shown);
}

/// Changes `input` in one place.
pub fn mutate(input: &mut Vec<u8>, words: &[&str], pool: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(12)).min(input.len());
    match random.below(10) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = u8::try_from(random.below(256)).unwrap_or(0);
            }
        }
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input.get(at..end).unwrap_or_default().to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, piece);
        }
        4..=6 => drop(input.splice(at..at, random.pick(words).bytes())),
        7 => drop(input.splice(at..end, random.pick(words).bytes())),
        8 => {
            let Some(other) = pool.get(random.below(pool.len())) else { return };
            let from = random.below(other.len() + 1);
            let piece = other.get(from..(from + random.below(64)).min(other.len())).unwrap_or_default();
            input.splice(at..at, piece.iter().copied());
        }
        _ => input.truncate(at),
    }
}
