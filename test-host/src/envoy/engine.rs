//! One play on a real Envoy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::bootstrap::{BETWEEN, STATS};
use super::client::{Errand, Exchange};
use super::identity::{Identity, TOKEN_HEADER};
use super::listeners::Listeners;
use super::message;
use super::proxy::Proxy;
use super::servers::Protocol;
use super::stage::Stage;
use super::steady::Steady;
use crate::engine::{Engine, EngineError, Need, Play};
use crate::host::grown;
use crate::transcript::{Ending, Transcript};

/// How long an exchange may take beyond the time that the play itself asks for.
const DEADLINE: Duration = Duration::from_secs(3);

/// How much longer to look once the upstream has all and is not to answer.
const LAST_LOOK: Duration = Duration::from_millis(300);

/// How long to wait until all parties have noticed the end.
const SETTLE: Duration = Duration::from_millis(500);

/// How often a play is played while the machine stands still in each.
const TRIES: usize = 3;

/// The engine `envoy`. It starts Envoy with the first play; dropping it ends Envoy.
pub struct Envoy {
    deadline: Duration,
    running: Option<Running>,
    runtime: Runtime,
    steady: Steady,
}

struct Running {
    proxy: Proxy,
    listeners: Listeners,
    identity: Identity,
    stage: Stage,
}

impl Envoy {
    /// An engine that has not started Envoy yet.
    pub fn new() -> Result<Self, EngineError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self { deadline: DEADLINE, running: None, runtime: runtime.map_err(anyhow::Error::from)?, steady: Steady::watch() })
    }

    /// All that Prometheus would scrape of it; nothing if no play has started it.
    pub fn prometheus(&mut self) -> Result<String, EngineError> {
        let Some(running) = &mut self.running else { return Ok(String::new()) };
        Ok(self.runtime.block_on(running.proxy.admin.get("/stats/prometheus"))?)
    }

    /// Stops waiting for an exchange after this time, and that which the play asks for. Three seconds if it is not set.
    pub const fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }
}

impl Envoy {
    fn once(&mut self, play: &Play) -> Result<Transcript, EngineError> {
        if self.running.as_mut().is_some_and(|running| !running.proxy.is_alive()) {
            self.running = None;
        }
        let Self { deadline, running, runtime, .. } = self;
        let transcript = runtime.block_on(async {
            let running = match running {
                Some(running) => running,
                None => running.insert(Running::start().await?),
            };
            let (mut before, mut log) = (Vec::new(), Vec::new());
            for (index, earlier) in play.before.iter().enumerate() {
                let mut seen = running.play(earlier, index > 0, *deadline).await?;
                before.push(seen.client.status);
                log.append(&mut seen.log);
                log.extend(seen.audit.iter().map(ToString::to_string));
            }
            let mut seen = running.play(play, !play.before.is_empty(), *deadline).await?;
            log.append(&mut seen.log);
            anyhow::Ok(Transcript { before, log, ..seen })
        });
        Ok(transcript?)
    }
}

impl Engine for Envoy {
    fn name(&self) -> &'static str {
        "envoy"
    }

    fn offers(&self, need: Need) -> bool {
        match need {
            Need::Clock | Need::ExactCut | Need::HostFault | Need::Kill | Need::Properties | Need::Vms | Need::WireBytes => false,
        }
    }

    /// A play in which the machine stood still is played again.
    fn run(&mut self, play: &Play) -> Result<Transcript, EngineError> {
        for _ in 1..TRIES {
            let stops = self.steady.stops();
            let played = self.once(play);
            if self.steady.stops() == stops {
                return played;
            }
        }
        self.once(play)
    }
}

impl Running {
    async fn start() -> anyhow::Result<Self> {
        Ok(Self {
            proxy: Proxy::start().await?,
            listeners: Listeners::default(),
            identity: Identity::new()?,
            stage: Stage::default(),
        })
    }

    async fn play(&mut self, play: &Play, continues: bool, deadline: Duration) -> anyhow::Result<Transcript> {
        let Self { proxy, listeners, identity, stage } = self;
        let trailers = play.has_trailers();
        let upstream = if trailers { Protocol::Http2 } else { Protocol::Http1 };
        if !continues {
            listeners.retire(proxy).await?;
        }
        stage.set(play);
        let (at, vm) = listeners.for_play(play, continues, upstream, proxy, identity, stage).await?;
        let before = counters(proxy).await?;
        proxy.log.news(&vm)?;

        let http2 = play.http2 || trailers;
        let tls = play.peer.as_deref().map(|peer| identity.client(peer, http2)).transpose()?;
        let token = play.claims.as_ref().map(|claims| identity.token(claims)).transpose()?;
        let errand = Errand {
            to: at,
            tls,
            http2,
            request: &play.request,
            added: token.map(|token| (TOKEN_HEADER, token)).into_iter().collect(),
            leaves: play.client_leaves,
        };
        let begun = Instant::now();
        let exchange = Exchange::default();
        let mut run = Box::pin(exchange.run(errand));
        tokio::select! {
            done = &mut run => done?,
            () = tokio::time::sleep(deadline + play.time) => {}
            () = upstream_hangs(stage), if play.time.is_zero() => {}
        }
        tokio::time::sleep(play.time.saturating_sub(begun.elapsed())).await;
        // The line of the access log is the last that Envoy writes of an exchange: what was said of it stands in the log by then.
        let mut access_log = None;
        if exchange.end() != Ending::Open {
            settle(proxy, stage).await?;
            access_log = Some(proxy.logged(&vm).await?);
        }
        let said = proxy.log.news(&vm)?;
        let counters = grown(&before, counters(proxy).await?);
        let mut added = Vec::new();
        if message::pseudo(&play.request, ":authority").is_none() {
            added.push(":authority");
        }
        if play.next.is_some() && message::pseudo(&play.request, "x-request-id").is_none() {
            added.push("x-request-id");
        }
        let mut transcript = Transcript {
            client: exchange.seen(),
            upstream: stage.upstream_saw(&added),
            callouts: stage.called(),
            counters,
            trapped: said.trapped,
            log: said.lines,
            ..Transcript::default()
        };
        drop(run);
        drop(exchange);
        settle(proxy, stage).await?;
        let access_log = match access_log {
            Some(text) => text,
            None => proxy.logged(&vm).await?,
        };
        // `-`: there was no such filter state.
        let left: Vec<&str> = access_log.split(BETWEEN).map(|text| text.trim_start_matches('-')).collect();
        transcript.set_audit(said.audit, &left);
        if transcript.trapped.is_some() {
            listeners.discard(at);
        }
        Ok(transcript)
    }
}

/// Ends some time after nothing more can come from the upstream.
async fn upstream_hangs(stage: &Stage) {
    while !stage.waits_for_ever() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(LAST_LOOK).await;
}

/// Waits until Envoy has no exchange left and the upstream has noticed: then all is logged and counted.
async fn settle(proxy: &mut Proxy, stage: &Stage) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < SETTLE {
        let active: u64 = proxy.admin.stats(&format!("^http.{STATS}.downstream_rq_active$")).await?.into_values().sum();
        if active == 0 && stage.is_quiet() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    Ok(())
}

/// Counters that plugins made, without the prefix that Envoy gives them.
async fn counters(proxy: &mut Proxy) -> anyhow::Result<BTreeMap<String, u64>> {
    let all = proxy.admin.stats("^wasmcustom").await?;
    Ok(all.into_iter().map(|(name, value)| (name.trim_start_matches("wasmcustom.").to_owned(), value)).collect())
}
