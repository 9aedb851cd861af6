//! Whether the machine went on all the time.
//!
//! Envoy has no clock but the machine's. Virtual machines are halted and moved, and their clocks are set; what a timeout or an
//! expiry does in an exchange that this happens to says nothing of the plugin.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How often the clocks are read.
const PERIOD: Duration = Duration::from_millis(20);
/// How far the time of two readings may be from this: half of the shortest timeout of the scenarios.
const SLACK: Duration = Duration::from_millis(200);

/// Counts the times that the machine stood still, or its clock was set. Dropping it ends the count.
pub(super) struct Steady {
    stops: Arc<AtomicU64>,
}

/// Both clocks: one goes on evenly, the other is what Envoy tells plugins.
#[derive(Clone, Copy)]
struct Reading {
    monotonic: Instant,
    system: SystemTime,
}

impl Steady {
    pub(super) fn watch() -> Self {
        let stops = Arc::new(AtomicU64::new(0));
        let counted = Arc::downgrade(&stops);
        thread::spawn(move || {
            let mut last = Reading::now();
            loop {
                thread::sleep(PERIOD);
                let Some(stops) = counted.upgrade() else { return };
                let now = Reading::now();
                if last.stopped_before(now) {
                    stops.fetch_add(1, Ordering::Relaxed);
                }
                last = now;
            }
        });
        Self { stops }
    }

    /// How often it has happened until now.
    pub(super) fn stops(&self) -> u64 {
        self.stops.load(Ordering::Relaxed)
    }
}

impl Reading {
    fn now() -> Self {
        Self { monotonic: Instant::now(), system: SystemTime::now() }
    }

    /// Whether more, or other, time than [`PERIOD`] has gone by until `later`.
    fn stopped_before(self, later: Self) -> bool {
        let most = PERIOD + SLACK;
        later.monotonic.duration_since(self.monotonic) > most || later.system.duration_since(self.system).is_ok_and(|gap| gap > most)
            // The clock was set back.
            || later.system < self.system
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_and_a_clock_that_is_set_are_seen() {
        let first = Reading::now();
        let after = |monotonic, system: i64| Reading {
            monotonic: first.monotonic + Duration::from_millis(monotonic),
            system: match u64::try_from(system) {
                Ok(ahead) => first.system + Duration::from_millis(ahead),
                Err(_) => first.system - Duration::from_millis(system.unsigned_abs()),
            },
        };
        assert!(!first.stopped_before(after(20, 20)));
        assert!(!first.stopped_before(after(219, 219)));
        assert!(first.stopped_before(after(221, 221)), "halted");
        assert!(first.stopped_before(after(20, 120_000)), "halted without the one clock, or set");
        assert!(first.stopped_before(after(20, -1)), "set back");
    }
}
