//! The listeners of a running Envoy: one for each distinct configuration, made when it is first needed.
//!
//! Every listener has a VM of its own. It is used again by the next play with the same configuration, unless that play could
//! meet what an earlier one left behind (a cached answer of a callout) or the VM has trapped: then it gets a new one.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::bootstrap::{self, Wanted};
use super::identity::Identity;
use super::proxy::Proxy;
use super::servers::{Protocol, Role, serve};
use super::stage::Stage;
use crate::engine::{CLUSTERS, Next, Play};

/// Listeners kept at a time; each has a compiled module in memory.
const KEPT: usize = 24;

/// Configurations under which a plugin that calls services calls none. A VM that has one keeps the compiled module in memory for
/// the VMs that come and go with each play: else every one of them would cost a second of compiling.
const IDLE: &[(&str, &str)] = &[
    (
        "mcp-authz-approval",
        r#"{"version":1,"identity":{"peer":"waypoint"},"rules":[{"id":"nobody","allow":{"agents":["spiffe://idle/nobody"],"user":"none","tools":["none"]}}]}"#,
    ),
    (
        "token-exchange",
        r#"{"version":1,"audiences":["nobody"],"identity":{"direction":"inbound","peer":"waypoint","claims":{"provider":"payload"}},"routes":[{"host":"nobody.example","action":"strip"}]}"#,
    ),
];

/// VMs of a plugin: the one that the others are copies of, that of the main thread, and that of the one worker.
const VMS: u64 = 3;

/// How long VMs of listeners that have ended may take to end. One that stays longer can be seen by nothing but a counter.
const FORGET: Duration = Duration::from_secs(2);

/// How long Envoy may take for a new listener: it compiles the module.
const READY: Duration = Duration::from_secs(20);

/// Listeners and clusters.
#[derive(Default)]
pub(super) struct Listeners {
    made: u64,
    listeners: Vec<Listener>,
    /// Those that nobody plays with, by plugin.
    idle: BTreeMap<String, Value>,
    clusters: BTreeMap<String, Value>,
    servers: BTreeMap<(String, Protocol), SocketAddr>,
}

/// What decides whether two plays can use the same listener.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Key {
    plugin: String,
    config: Vec<u8>,
    next: Option<Next>,
    environment: Vec<(String, String)>,
    hold_headers: bool,
    buffer_limit: Option<usize>,
    tls: bool,
    upstream: Protocol,
}

struct Listener {
    key: Key,
    name: String,
    config: Value,
    at: SocketAddr,
    /// It may be used by a play that does not continue the last.
    reusable: bool,
}

impl Listeners {
    /// Ends the VMs that no other play may meet, and waits until they are gone: they call services whenever it is time.
    pub(super) async fn retire(&mut self, proxy: &mut Proxy) -> anyhow::Result<()> {
        let before = self.listeners.len();
        self.listeners.retain(|listener| listener.reusable);
        if self.listeners.len() == before { Ok(()) } else { self.withdraw(proxy).await }
    }

    /// Takes those that are no longer kept out of Envoy, and waits until they are gone.
    ///
    /// By itself, before another one comes: to Envoy all ports 0 are the same address, and a listener that is added while another
    /// one ends takes over its socket. Both answer there then, and so do two that are added at once.
    async fn withdraw(&self, proxy: &mut Proxy) -> anyhow::Result<()> {
        let removed = stat("^listener_manager.listener_removed$", proxy).await?;
        self.publish(None, proxy)?;
        let begun = Instant::now();
        loop {
            let gone = stat("^listener_manager.listener_removed$", proxy).await? > removed;
            if gone && stat("^listener_manager.total_listeners_draining$", proxy).await? == 0 {
                return self.forget(proxy).await;
            }
            if begun.elapsed() > READY {
                bail!("Envoy does not end its listeners: {}", proxy.last_words());
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits until the VMs of listeners that have ended are gone, and what they have counted.
    ///
    /// A listener ends before its VMs do. And when these are gone, their counters live on until all threads have heard of it: the list of
    /// counters has them no more, but a VM that counts under the same name then goes on with the old value.
    async fn forget(&self, proxy: &mut Proxy) -> anyhow::Result<()> {
        let plugins =
            self.idle.len() + self.listeners.iter().map(|listener| 1 + usize::from(listener.key.next.is_some())).sum::<usize>();
        let begun = Instant::now();
        while begun.elapsed() < FORGET {
            let vms = stat("^wasm.envoy.wasm.runtime.v8.active$", proxy).await?;
            let listed = proxy.admin.stats("^wasmcustom").await?.len();
            // Prometheus is told of all that live.
            let text = proxy.admin.get("/stats/prometheus?filter=^wasmcustom").await?;
            let living = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
            if vms <= plugins as u64 * VMS && living == listed {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        Ok(())
    }

    /// Where this play is to be played: the address, and the name under which the plugin's VM writes to the log. A play that
    /// `continues` another one meets what that has left behind.
    pub(super) async fn for_play(
        &mut self,
        play: &Play,
        continues: bool,
        upstream: Protocol,
        proxy: &mut Proxy,
        identity: &Identity,
        stage: &Stage,
    ) -> anyhow::Result<(SocketAddr, String)> {
        let config: Value = serde_json::from_slice(&play.config).unwrap_or_default();
        let mut services = services(&config);
        if let Some(next) = &play.next {
            services.extend(self::services(&serde_json::from_slice(&next.config).unwrap_or_default()));
        }
        self.set_clusters(&services, play, proxy, stage).await?;
        let key = Key {
            plugin: play.plugin.clone(),
            config: play.config.clone(),
            next: play.next.clone(),
            environment: play.environment.clone(),
            hold_headers: play.hold_headers,
            buffer_limit: play.buffer_limit,
            tls: play.peer.is_some(),
            upstream,
        };
        if let Some(at) = self.listeners.iter().position(|listener| listener.key == key && (listener.reusable || continues)) {
            let listener = self.listeners.remove(at);
            let place = (listener.at, listener.name.clone());
            self.listeners.push(listener);
            return Ok(place);
        }
        self.add(key, services.is_empty() && play.callouts.is_empty(), &config, proxy, identity).await
    }

    /// The next play with this listener gets a new VM.
    pub(super) fn discard(&mut self, at: SocketAddr) {
        for listener in self.listeners.iter_mut().filter(|listener| listener.at == at) {
            listener.reusable = false;
        }
    }

    async fn add(
        &mut self,
        key: Key,
        reusable: bool,
        config: &Value,
        proxy: &mut Proxy,
        identity: &Identity,
    ) -> anyhow::Result<(SocketAddr, String)> {
        self.made += 1;
        let name = format!("play-{}", self.made);
        let provider = config.pointer("/identity/claims/provider").and_then(Value::as_str).unwrap_or("payload");
        let access_log = proxy.access_log();
        let text = |config| std::str::from_utf8(config).context("Envoy takes a configuration that is text");
        let behind = key.next.as_ref().map(|next| module(&next.plugin)).transpose()?;
        let next = match key.next.as_ref().zip(behind.as_deref()) {
            Some((next, module)) => Some((next.plugin.as_str(), module, text(&next.config)?)),
            None => None,
        };
        let wanted = Wanted {
            name: &name,
            plugin: &key.plugin,
            module: &module(&key.plugin)?,
            config: text(&key.config)?,
            next,
            environment: &key.environment,
            provider,
            hold_headers: key.hold_headers,
            buffer_limit: key.buffer_limit,
            tls: key.tls,
            upstream: upstream_cluster(key.upstream),
            access_log: &access_log,
        };
        for (plugin, module, _) in [(wanted.plugin, wanted.module, wanted.config)].into_iter().chain(next) {
            let Some((_, config)) = IDLE.iter().find(|(known, _)| *known == plugin && !self.idle.contains_key(plugin)) else {
                continue;
            };
            let name = format!("idle-{plugin}");
            let idle = Wanted { name: &name, plugin, module, config, next: None, environment: &[], ..wanted };
            self.idle.insert(plugin.to_owned(), bootstrap::listener(&idle, identity)?);
        }
        let config = bootstrap::listener(&wanted, identity)?;
        if self.listeners.len() >= KEPT {
            self.listeners.remove(0);
            self.withdraw(proxy).await?;
        }
        let rejected = rejections(proxy).await?;
        self.publish(Some(&config), proxy)?;
        let port = ready(&name, rejected, proxy).await?;
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.listeners.push(Listener { key, name: name.clone(), config, at, reusable });
        Ok((at, name))
    }

    fn publish(&self, added: Option<&Value>, proxy: &mut Proxy) -> anyhow::Result<()> {
        let kept = self.listeners.iter().map(|listener| &listener.config);
        proxy.set_listeners(&self.idle.values().chain(kept).chain(added).collect::<Vec<_>>())
    }

    /// Defines upstream and called services; the latter not where the play says that they do not exist.
    async fn set_clusters(
        &mut self,
        services: &[(String, Protocol)],
        play: &Play,
        proxy: &mut Proxy,
        stage: &Stage,
    ) -> anyhow::Result<()> {
        let mut clusters = BTreeMap::from([(bootstrap::NOWHERE.to_owned(), bootstrap::nowhere())]);
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let name = upstream_cluster(protocol);
            let server = self.server(name, Role::Upstream, protocol, stage).await?;
            clusters.insert(name.to_owned(), bootstrap::cluster(name, server, protocol));
        }
        for (name, protocol) in services {
            match play.callouts.is_missing(name) {
                Some(true) => continue,
                Some(false) => {}
                None => bail!("a play in which only some calls of `{name}` have a cluster cannot be played here"),
            }
            let server = self.server(name, Role::Service(name.clone()), *protocol, stage).await?;
            clusters.insert(name.clone(), bootstrap::cluster(name, server, *protocol));
        }
        if self.clusters == clusters {
            return Ok(());
        }
        let before = cluster_updates(proxy).await?;
        proxy.set_clusters(&clusters.values().collect::<Vec<_>>())?;
        self.clusters = clusters;
        let begun = Instant::now();
        while cluster_updates(proxy).await? == before {
            if begun.elapsed() > READY {
                bail!("Envoy does not take its clusters: {}", proxy.last_words());
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        Ok(())
    }

    async fn server(&mut self, name: &str, role: Role, protocol: Protocol, stage: &Stage) -> anyhow::Result<SocketAddr> {
        if let Some(server) = self.servers.get(&(name.to_owned(), protocol)) {
            return Ok(*server);
        }
        let server = serve(role, protocol, stage.clone()).await?;
        self.servers.insert((name.to_owned(), protocol), server);
        Ok(server)
    }
}

const fn upstream_cluster(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http1 => CLUSTERS[0],
        Protocol::Http2 => CLUSTERS[1],
    }
}

/// Waits until the listener works, or says why Envoy refused it.
async fn ready(name: &str, rejected: u64, proxy: &mut Proxy) -> anyhow::Result<u16> {
    let begun = Instant::now();
    loop {
        let ports = proxy.admin.listeners().await?;
        if let Some(port) = ports.get(name) {
            if ports.values().filter(|other| *other == port).count() > 1 {
                bail!("Envoy gave one port to several listeners: {ports:?}");
            }
            return Ok(*port);
        }
        if rejections(proxy).await? > rejected {
            let said = proxy.log.news(name)?.lines.join("\n");
            bail!("the plugin or Envoy refuses the configuration: {said}\n{}", proxy.last_words());
        }
        if begun.elapsed() > READY {
            bail!("the listener is not there within {} s: {}", READY.as_secs(), proxy.last_words());
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

async fn rejections(proxy: &mut Proxy) -> anyhow::Result<u64> {
    stat("^listener_manager.lds.update_rejected$", proxy).await
}

async fn cluster_updates(proxy: &mut Proxy) -> anyhow::Result<u64> {
    stat("^cluster_manager.cds.update_success$", proxy).await
}

async fn stat(name: &str, proxy: &mut Proxy) -> anyhow::Result<u64> {
    Ok(proxy.admin.stats(name).await?.into_values().sum())
}

/// The clusters that a configuration names: every text under a key `cluster`; HTTP/2 where a key around it speaks of gRPC.
fn services(config: &Value) -> Vec<(String, Protocol)> {
    fn walk(value: &Value, grpc: bool, out: &mut Vec<(String, Protocol)>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, grpc, out)),
            Value::Object(fields) => {
                let grpc = grpc || fields.contains_key("service");
                for (key, value) in fields {
                    let grpc = grpc || key.to_ascii_lowercase().contains("grpc");
                    match value {
                        Value::String(name) if key == "cluster" => {
                            let protocol = if grpc { Protocol::Http2 } else { Protocol::Http1 };
                            if !out.iter().any(|(known, _)| known == name) {
                                out.push((name.clone(), protocol));
                            }
                        }
                        _ => walk(value, grpc, out),
                    }
                }
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(config, false, &mut out);
    out
}

/// The file of a plugin's module.
fn module(plugin: &str) -> anyhow::Result<PathBuf> {
    let file = format!("{plugin}.wasm");
    if let Some(folder) = std::env::var_os("WARDPOINT_PLUGINS") {
        return Ok(std::path::absolute(PathBuf::from(folder).join(file))?);
    }
    let folder = std::env::current_dir()?;
    let found = folder.ancestors().map(|folder| folder.join("target/plugins").join(&file)).find(|path| path.exists());
    found.with_context(|| format!("no target/plugins/{file}: run `make plugins`, or set WARDPOINT_PLUGINS to its folder"))
}
