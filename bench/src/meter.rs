//! What is measured: CPU time, or instructions, which are the same on a machine that is never quiet.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::cpu;

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Meter {
    /// CPU time of the proxy.
    Time,
    /// Instructions of its worker, as valgrind's callgrind counts them. It knows nothing of caches and of the kernel.
    Instructions,
}

/// Begin of the names under which callgrind leaves its counts.
const COUNTS: &str = "counts";
/// To callgrind one `rep movsb` is as many instructions as it moves bytes: the C library is told to move in vectors at any length.
const NO_REPEATS: &str = "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";

impl Meter {
    /// The name of a thousand of what [`Meter::end`] gives.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Time => "CPU-µs",
            Self::Instructions => "1,000 instructions",
        }
    }

    /// How the proxy is run.
    pub(crate) fn command(self, binary: &Path, folder: &Path) -> Command {
        if self == Self::Time {
            return Command::new(binary);
        }
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--smc-check=all-non-file"])
            // The binary may be a script that becomes it.
            .arg("--trace-children=yes")
            .arg(format!("--callgrind-out-file={}", folder.join(COUNTS).display()))
            .env("GLIBC_TUNABLES", NO_REPEATS)
            .arg(binary);
        command
    }

    /// From here on. What [`Meter::end`] takes.
    pub(crate) fn begin(self, pid: u32) -> anyhow::Result<u64> {
        if self == Self::Time {
            return cpu::of_process(pid);
        }
        control("--zero", pid)?;
        control("--instr=on", pid)?;
        Ok(0)
    }

    /// Nanoseconds, or instructions, since then.
    pub(crate) fn end(self, begun: u64, pid: u32, folder: &Path) -> anyhow::Result<u64> {
        if self == Self::Time {
            return Ok(cpu::of_process(pid)? - begun);
        }
        control("--instr=off", pid)?;
        control("--dump", pid)?;
        take(folder)
    }
}

fn control(what: &str, pid: u32) -> anyhow::Result<()> {
    let mut command = Command::new("callgrind_control");
    let status = command.arg(what).arg(pid.to_string()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(status.context("callgrind_control, which comes with valgrind, cannot be run")?.success(), "callgrind_control {what}");
    Ok(())
}

/// The most that one of the threads did, as callgrind has left it: a file a thread. That is the worker, by far.
fn take(folder: &Path) -> anyhow::Result<u64> {
    let mut most = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(|name| name.strip_prefix(COUNTS)).is_some_and(|rest| rest.contains('-')) {
            let text = fs::read_to_string(entry.path())?;
            let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).context("callgrind has left no total")?;
            most = most.max(total.trim().parse()?);
            fs::remove_file(entry.path())?;
        }
    }
    ensure!(most > 0, "callgrind counted nothing");
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_thread_counts_and_only_once() {
        let folder = tempfile::TempDir::new().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("counts.1-01", "events: Ir\nfn=(1)\n1 7\n\ntotals: 7\n");
        put("counts.1-07", "events: Ir\nfn=(1)\n1 901\n\ntotals: 901\n");
        put("access", "totals: 5000\n");
        assert_eq!(take(folder.path()).unwrap(), 901);
        assert!(take(folder.path()).is_err(), "nothing is left");
        put("counts.2-01", "events: Ir\n");
        assert!(take(folder.path()).is_err(), "cut short");
        assert!(folder.path().join("access").exists());
    }
}
