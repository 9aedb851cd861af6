//! Envoy's log: audit records, what the plugin wrote, and traps. Its access log: audit records.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::transcript::lasting;

/// How Envoy writes a line: component and message, line ends escaped.
pub(super) const FORMAT: &str = "%n|%l|%v";

const AUDIT: &str = "wardpoint.audit ";

/// The log file, read from where the last reading ended.
pub(super) struct Log {
    file: File,
    at: u64,
}

/// What a part of the log says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Audit records without `time` and `took_us`.
    pub(super) audit: Vec<Value>,
    /// What else the plugin wrote.
    pub(super) lines: Vec<String>,
    /// What the first trap said.
    pub(super) trapped: Option<String>,
}

impl Log {
    /// Opens it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self { file, at: 0 })
    }

    /// What came since the last reading, as far as this VM wrote it. Others may still tick.
    pub(super) fn news(&mut self, vm: &str) -> anyhow::Result<Said> {
        Ok(read(&self.whole_lines()?, vm))
    }

    /// The whole lines that came since the last reading.
    pub(super) fn whole_lines(&mut self) -> anyhow::Result<String> {
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(whole);
        self.at += u64::try_from(whole)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn read(text: &str, vm: &str) -> Said {
    let mut said = Said::default();
    for line in text.lines() {
        let Some(message) = line.strip_prefix("wasm|").and_then(|line| line.split_once('|')).map(|(_, message)| message) else {
            continue;
        };
        let Some((writer, own)) = message.strip_prefix("wasm log").and_then(|rest| rest.split_once(": ")) else {
            if said.trapped.is_none() && message.contains("failed: ") {
                said.trapped = Some(unescape(message));
            }
            continue;
        };
        // `wasm log`, then the names of plugin, root and VM as far as there are any.
        if writer.rsplit(' ').next() != Some(vm) {
            continue;
        }
        let own = unescape(own);
        match own.strip_prefix(AUDIT).map(serde_json::from_str::<Value>) {
            Some(Ok(record @ Value::Object(_))) => said.audit.push(lasting(record)),
            _ => said.lines.push(own),
        }
    }
    said
}

/// Undoes `--log-format-escaped`.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}
