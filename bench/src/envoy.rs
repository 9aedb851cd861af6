//! The Envoy process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::cpu::{self, Cores};
use crate::meter::Meter;

/// How long Envoy may take to start; compiling modules is part of it.
const START: Duration = Duration::from_secs(60);

/// Where `make envoy` puts it, from the root of the repository.
const DEFAULT_BINARY: &str = "target/envoy/1.40.0/bin/envoy";

/// A running Envoy. It is killed when this is dropped.
pub(crate) struct Envoy {
    admin: SocketAddr,
    child: Running,
    folder: PathBuf,
}

struct Running(Child);

impl Envoy {
    /// Starts it on its core and waits until it is ready; the caller's thread ends up on the other core.
    pub(crate) fn start(folder: &Path, config: &Value, workers: usize, cores: Cores, meter: Meter) -> anyhow::Result<Self> {
        let binary = binary()?;
        fs::write(folder.join("envoy.json"), config.to_string())?;
        let (admin, log) = (folder.join("admin"), folder.join("log"));
        let _absent = fs::remove_file(&admin);
        // Appended to, so that it can be cut while Envoy runs.
        let log = File::options().append(true).create(true).open(log)?;
        cpu::pin(cores.proxy)?;
        let child = meter
            .command(&binary, folder)
            .arg("--config-path")
            .arg(folder.join("envoy.json"))
            .arg("--admin-address-path")
            .arg(&admin)
            .args(["--concurrency", &workers.to_string(), "--disable-hot-restart"])
            .args(["--file-flush-interval-msec", "50"])
            .args(["--log-level", "warning", "--component-log-level", "wasm:info"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be run", binary.display()));
        cpu::pin(cores.others)?;
        let mut child = Running(child?);
        let admin = child.ready(folder, if meter == Meter::Time { START } else { START * 10 })?;
        Ok(Self { admin, child, folder: folder.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// The addresses of its listeners.
    pub(crate) fn listeners(&self) -> anyhow::Result<BTreeMap<String, SocketAddr>> {
        let all: Value = serde_json::from_str(&get(self.admin, "/listeners?format=json")?)?;
        let statuses = all.get("listener_statuses").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let found = statuses.iter().filter_map(|status| {
            let port = u16::try_from(status.pointer("/local_address/socket_address/port_value")?.as_u64()?).ok()?;
            Some((status.get("name")?.as_str()?.to_owned(), SocketAddr::from(([127, 0, 0, 1], port))))
        });
        Ok(found.collect())
    }

    /// Its version, as it says it.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let info: Value = serde_json::from_str(&get(self.admin, "/server_info")?)?;
        Ok(info.get("version").and_then(Value::as_str).context("Envoy does not say its version")?.to_owned())
    }

    /// Memory that is really there, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
    }

    /// How many audit records are in their file.
    pub(crate) fn audited(&self) -> anyhow::Result<usize> {
        let log = fs::read(self.folder.join("audit"))?;
        Ok(memchr::memmem::find_iter(&log, br#"{"v":1,"time""#).count())
    }

    /// Cuts the logs, so that a run does not fill the disk.
    pub(crate) fn forget_logs(&self) -> anyhow::Result<()> {
        for name in ["log", "access", "audit"] {
            File::create(self.folder.join(name))?;
        }
        Ok(())
    }

    /// The end of its log, for an error.
    pub(crate) fn last_words(&self) -> String {
        last_words(&self.folder)
    }
}

impl Running {
    fn ready(&mut self, folder: &Path, within: Duration) -> anyhow::Result<SocketAddr> {
        let begun = Instant::now();
        while begun.elapsed() < within {
            sleep(Duration::from_millis(5));
            if let Some(status) = self.0.try_wait()? {
                bail!("Envoy ended with {status}: {}", last_words(folder));
            }
            let Ok(text) = fs::read_to_string(folder.join("admin")) else { continue };
            let Ok(admin) = text.trim().parse() else { continue };
            if get(admin, "/ready").is_ok_and(|state| state.trim() == "LIVE") {
                return Ok(admin);
            }
        }
        bail!("Envoy was not ready within {} s: {}", within.as_secs(), last_words(folder))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The body at a path of the admin interface.
fn get(admin: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer of the admin interface")?;
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return Ok(body.to_owned());
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16)?;
        let Some(chunk) = behind.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        whole.push_str(chunk);
        rest = behind.get(size + 2..).unwrap_or_default();
    }
    Ok(whole)
}

fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("ENVOY_BIN") {
        return Ok(path.into());
    }
    let folder = std::env::current_dir()?;
    let found = folder.ancestors().map(|folder| folder.join(DEFAULT_BINARY)).find(|path| path.exists());
    found.context("no Envoy here: run `make envoy`, or set ENVOY_BIN to the binary of an Envoy ≥ 1.38")
}

fn last_words(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n")
}
