//! The metric: CPU time of a process or a thread, in nanoseconds, and what disturbs it.

use std::fs;
use std::hint::black_box;
use std::time::Duration;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Where the proxy runs, and where all others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// The proxy's alone.
    pub(crate) proxy: usize,
    /// Load, upstream and peers.
    pub(crate) others: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(crate) fn choose() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let two = cores.next().zip(cores.next());
        let (proxy, others) = two.context("this needs two cores: one for the proxy alone, one for load and peers")?;
        Ok(Self { proxy, others })
    }
}

/// Binds the calling thread, and what it starts from now on.
pub(crate) fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("core {core} cannot be had"))
}

/// CPU time of all threads of a process so far.
pub(crate) fn of_process(pid: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        sum += run_time(&fs::read_to_string(thread?.path().join("schedstat"))?)?;
    }
    Ok(sum)
}

/// CPU time of one thread of this process so far.
pub(crate) fn of_thread(thread: i32) -> anyhow::Result<u64> {
    run_time(&fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))?)
}

/// The calling thread, for [`of_thread`].
pub(crate) fn this_thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

fn run_time(schedstat: &str) -> anyhow::Result<u64> {
    let first = schedstat.split_whitespace().next().context("an empty schedstat: this needs Linux with CONFIG_SCHED_INFO")?;
    Ok(first.parse()?)
}

/// What else went on while something was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbance {
    /// Ticks (10 ms) that the hypervisor gave to others, all cores.
    pub(crate) steal: u64,
    /// How often the proxy had to leave its core though it had work.
    pub(crate) switches: u64,
}

impl Disturbance {
    /// Counts so far.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let steal = fs::read_to_string("/proc/stat")?;
        let steal = steal.lines().next().and_then(|line| line.split_whitespace().nth(8)).unwrap_or("0").parse()?;
        let mut switches = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            let count = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
            switches += count.unwrap_or("0").trim().parse::<u64>()?;
        }
        Ok(Self { steal, switches })
    }

    /// What came since `before`.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self { steal: self.steal.saturating_sub(before.steal), switches: self.switches.saturating_sub(before.switches) }
    }
}

/// CPU time in nanoseconds of a fixed loop on a core: how fast that core is at this moment. Binds the thread to it.
pub(crate) fn canary(core: usize) -> anyhow::Result<u64> {
    pin(core)?;
    let mut times: Vec<Duration> = (0..5).map(|_| timed_loop()).collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok(u64::try_from(median.as_nanos())?)
}

fn timed_loop() -> Duration {
    let begun = clock_gettime(ClockId::ThreadCPUTime);
    let mut state = black_box(1_u64);
    for _ in 0..400_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407).rotate_left(13);
    }
    black_box(state);
    let ended = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = (ended.tv_sec - begun.tv_sec) * 1_000_000_000 + (ended.tv_nsec - begun.tv_nsec);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}
