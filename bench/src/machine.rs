//! Where it ran: without that, no microsecond means anything.

use std::fs;

/// Facts of the machine.
pub(crate) struct Machine {
    pub(crate) processor: String,
    /// Family, model, stepping: a cloud's name for a processor says little.
    pub(crate) model: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// Load average before the first suite: who else was there.
    pub(crate) load: String,
}

impl Machine {
    /// This one, as far as it says.
    pub(crate) fn this() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let number = |name: &str| field(&cpu, name).unwrap_or_else(|| "?".to_owned());
        let memory = field(&memory, "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
        Self {
            processor: number("model name"),
            model: format!("{}/{}/{}", number("cpu family"), number("model"), number("stepping")),
            cores: cpu.lines().filter(|line| line.starts_with("processor")).count(),
            memory_mib: memory.unwrap_or_default() / 1024,
            kernel: kernel.trim().to_owned(),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}
