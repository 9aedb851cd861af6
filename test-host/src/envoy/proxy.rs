//! The Envoy process.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::admin::Admin;
use super::bootstrap;
use super::log::{FORMAT, Log};

/// How long Envoy may take to start.
const START: Duration = Duration::from_secs(20);

/// How long to wait for a line of the access log; it is written a little later.
const LOGGED: Duration = Duration::from_secs(2);

/// The access log's name.
const ACCESS_LOG: &str = "access";

/// Where `make envoy` puts it, from the root of the repository.
const DEFAULT_BINARY: &str = "target/envoy/1.40.0/bin/envoy";

/// A running Envoy. It is killed when this is dropped.
pub(super) struct Proxy {
    /// Its admin interface.
    pub(super) admin: Admin,
    /// Its log.
    pub(super) log: Log,
    /// Its access log.
    access_log: Log,
    child: Running,
    folder: TempDir,
    version: u64,
}

struct Running(Child);

impl Proxy {
    /// Starts it and waits until it is ready.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let binary = binary()?;
        let folder = TempDir::new()?;
        let path = folder.path();
        write(path, "lds.json", &bootstrap::resources(LISTENER, 0, &[]))?;
        write(path, "cds.json", &bootstrap::resources(CLUSTER, 0, &[]))?;
        write(path, "envoy.json", &bootstrap::bootstrap(path))?;
        let (log, access_log) = (path.join("log"), path.join(ACCESS_LOG));
        fs::File::create(&access_log)?;
        let child = Command::new(&binary)
            .arg("--config-path")
            .arg(path.join("envoy.json"))
            .arg("--admin-address-path")
            .arg(path.join("admin"))
            .args(["--file-flush-interval-msec", "2"])
            .args(["--concurrency", "1", "--disable-hot-restart", "--drain-time-s", "0", "--drain-strategy", "immediate"])
            .args(["--log-level", "warning", "--component-log-level", "wasm:info"])
            .args(["--log-format", FORMAT, "--log-format-escaped"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("{} cannot be run", binary.display()))?;
        let mut child = Running(child);
        let admin = child.admin(path).await?;
        let (log, access_log) = (Log::open(&log)?, Log::open(&access_log)?);
        Ok(Self { admin: Admin::connect(admin).await?, log, access_log, child, folder, version: 0 })
    }

    /// Gives Envoy these listeners and no others.
    pub(super) fn set_listeners(&mut self, listeners: &[&Value]) -> anyhow::Result<()> {
        self.version += 1;
        write(self.folder.path(), "lds.json", &bootstrap::resources(LISTENER, self.version, listeners))
    }

    /// Gives Envoy these clusters and no others.
    pub(super) fn set_clusters(&mut self, clusters: &[&Value]) -> anyhow::Result<()> {
        self.version += 1;
        write(self.folder.path(), "cds.json", &bootstrap::resources(CLUSTER, self.version, clusters))
    }

    /// The file to which all listeners write their access logs.
    pub(super) fn access_log(&self) -> PathBuf {
        self.folder.path().join(ACCESS_LOG)
    }

    /// What the access log says of the exchange of this listener that has just ended; nothing if there was none.
    pub(super) async fn logged(&mut self, listener: &str) -> anyhow::Result<String> {
        let begun = Instant::now();
        while begun.elapsed() < LOGGED {
            for line in self.access_log.whole_lines()?.lines() {
                if let Some((_, text)) = line.split_once(' ').filter(|(name, _)| *name == listener) {
                    return Ok(text.to_owned());
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(String::new())
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        !self.admin.is_closed() && matches!(self.child.0.try_wait(), Ok(None))
    }

    /// The end of its log, for an error.
    pub(super) fn last_words(&self) -> String {
        last_words(self.folder.path())
    }
}

impl Running {
    /// Waits for the address of the admin interface and until all is loaded.
    async fn admin(&mut self, folder: &Path) -> anyhow::Result<SocketAddr> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if let Some(status) = self.0.try_wait()? {
                bail!("Envoy ended with {status}: {}", last_words(folder));
            }
            let Ok(text) = fs::read_to_string(folder.join("admin")) else { continue };
            let Ok(address) = text.trim().parse() else { continue };
            let Ok(mut admin) = Admin::connect(address).await else { continue };
            if admin.get("/ready").await.is_ok_and(|state| state.trim() == "LIVE") {
                return Ok(address);
            }
        }
        bail!("Envoy was not ready within {} s: {}", START.as_secs(), last_words(folder))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const LISTENER: &str = "envoy.config.listener.v3.Listener";
const CLUSTER: &str = "envoy.config.cluster.v3.Cluster";

/// Envoy notices a file that is moved over another, never one half written.
fn write(folder: &Path, name: &str, content: &Value) -> anyhow::Result<()> {
    let new = folder.join(format!("{name}.new"));
    fs::write(&new, content.to_string())?;
    fs::rename(&new, folder.join(name)).with_context(|| format!("{name} cannot be written"))
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
