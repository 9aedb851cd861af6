//! Who plays which case next.
//!
//! In a proxy a case that lasts some seconds mostly waits, and the machine could compute meanwhile. So half of the workers begin with
//! those, the longest first, and the other half with the rest.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::model::{Case, Scenario};

/// A case: its place in the report, the index of its scenario, and its own in that.
pub(super) type Job = (usize, usize, usize);

/// What is still to be played.
pub(super) struct Queue(Mutex<Left>);

struct Left {
    waiting: VecDeque<Job>,
    quick: VecDeque<Job>,
}

impl Queue {
    /// All cases; the report has them in the order of the files.
    pub(super) fn of(scenarios: &[Scenario]) -> Self {
        let cases = (0..).zip(scenarios).flat_map(|(s, file)| (0..).zip(&file.cases).map(move |(c, case)| (s, c, case)));
        Self::new(cases.enumerate().map(|(place, (s, c, case))| ((place, s, c), lasts(case))))
    }

    fn new(jobs: impl Iterator<Item = (Job, Duration)>) -> Self {
        let (quick, mut waiting): (Vec<_>, Vec<_>) = jobs.partition(|(_, time)| time.is_zero());
        waiting.sort_by_key(|(_, time)| Reverse(*time));
        let jobs = |jobs: Vec<(Job, _)>| jobs.into_iter().map(|(job, _)| job).collect();
        Self(Mutex::new(Left { waiting: jobs(waiting), quick: jobs(quick) }))
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.with(|left| left.waiting.len() + left.quick.len())
    }

    /// The next for this worker.
    pub(super) fn take(&self, worker: usize) -> Option<Job> {
        self.with(|Left { waiting, quick }| {
            let (first, then) = if worker.is_multiple_of(2) { (waiting, quick) } else { (quick, waiting) };
            first.pop_front().or_else(|| then.pop_front())
        })
    }

    /// There is nothing more to do.
    pub(super) fn clear(&self) {
        self.with(|left| {
            left.waiting.clear();
            left.quick.clear();
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Left) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How long all exchanges of a case last at least.
fn lasts(case: &Case) -> Duration {
    let handed = case.handed.as_ref().map(|handed| &handed.exchange);
    case.before.iter().map(|before| &before.exchange).chain([&case.exchange]).chain(handed).map(|exchange| exchange.time).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_workers_begin_with_what_lasts_longest() {
        let times = [0, 2, 5, 0, 0].map(Duration::from_secs);
        let queue = Queue::new(times.into_iter().enumerate().map(|(place, time)| ((place, 0, place), time)));
        assert_eq!(queue.len(), 5);
        let places: Vec<_> = [0, 1, 0, 2, 3, 0].map(|worker| queue.take(worker).map(|(place, ..)| place)).into();
        assert_eq!(places, [Some(2), Some(0), Some(1), Some(3), Some(4), None]);
        assert_eq!(queue.take(1), None);
    }
}
