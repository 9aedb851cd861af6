//! What an engine is given and what it gives back.

use std::time::Duration;

pub use crate::callouts::{Answers, CalloutScript, Callouts};
use crate::transcript::{Transcript, filter_state};

/// An authority for which there is no upstream: the proxy itself answers 503 as soon as the headers have come by.
pub const NOWHERE: &str = "nowhere.test";

/// The clusters that a request goes to, as the proxy names them: that of HTTP/1, of HTTP/2 (where a play has trailers), and that of
/// [`NOWHERE`].
pub const CLUSTERS: [&str; 3] = ["play-upstream-http1", "play-upstream-http2", "play-upstream-nowhere"];

/// An authority on whose route an upstream that has all of a request may take [`PATIENCE`]; then the proxy itself answers 504.
pub const IMPATIENT: &str = "impatient.test";

/// See [`IMPATIENT`].
pub const PATIENCE: Duration = Duration::from_millis(200);

/// The header in which an engine with a wire sends the token of a play's claims. A play that has it itself, with what is no
/// token, is answered 401 by the filter before the plugin.
pub const TOKEN_HEADER: &str = "x-wardpoint-test-token";

/// Something that can play an exchange: the native core, the compiled plugin in wasmtime, a real Envoy.
pub trait Engine {
    /// Its name on the command line and in reports.
    fn name(&self) -> &'static str;

    /// Whether it can play what a case needs.
    fn offers(&self, need: Need) -> bool;

    /// Whether it can play this plugin at all.
    fn has(&self, _plugin: &str) -> bool {
        true
    }

    /// Plays one exchange and reports what an outsider saw. [`Engine::play`] does what comes before it.
    fn run(&mut self, play: &Play) -> Result<Transcript, EngineError>;

    /// Plays the exchange that hands over a token or a ticket, if there is one, and then this one with that.
    fn play(&mut self, play: &Play) -> Result<Transcript, EngineError> {
        let Some(first) = &play.handed else { return self.run(play) };
        let seen = self.run(first)?;
        let token = seen.authorization().map(|value| ("authorization".to_owned(), value));
        let Some((name, value)) = token.or_else(|| seen.ticket()) else {
            let status = seen.client.status.unwrap_or_default();
            let nothing = "no upstream was handed a token, and no client a ticket";
            return Err(anyhow::anyhow!("{nothing}: the client got status {status}").into());
        };
        let mut headers = play.request.headers.clone();
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name.as_bytes()));
        headers.push((name.into_bytes(), value.clone().into_bytes()));
        let second = Play { request: Sent { headers, ..play.request.clone() }, ..play.clone() };
        let mut transcript = self.run(&second)?;
        transcript.trapped = transcript.trapped.or(seen.trapped);
        transcript.log.extend(seen.log);
        transcript.log.extend(seen.audit.iter().map(ToString::to_string));
        transcript.handed = Some(value);
        Ok(transcript)
    }
}

/// The engine itself failed; this says nothing about the plugin.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct EngineError(#[from] pub anyhow::Error);

/// One exchange, fully resolved: a case under one header-hold profile and one way to cut the bodies.
#[derive(Clone, Debug, Default)]
pub struct Play {
    /// Name of the plugin: `mcp-authz`, `probe`.
    pub plugin: String,
    /// Its configuration as JSON, `hostProfile` set to that of this play.
    pub config: Vec<u8>,
    /// Whether the host can hold headers.
    pub hold_headers: bool,
    /// The environment that the proxy lends to the plugin.
    pub environment: Vec<(String, String)>,
    /// SPIFFE id of the mTLS peer.
    pub peer: Option<String>,
    /// Claims of the verified token, as `jwt_authn` would have left them; the token itself in `authorization` on a real proxy.
    pub claims: Option<serde_json::Value>,
    /// The plugin behind this one in the chain: what this one lets go on is what that one is given.
    pub next: Option<Next>,
    /// An exchange through another VM: what its upstream gets as `authorization`, or the ticket that its client gets, is what this
    /// request brings.
    pub handed: Option<Box<Play>>,
    /// Exchanges that the same worker has served before, in order: same plugin, configuration and profile. What lasts of them
    /// (shared data, what a VM remembers) is there; of what was seen only the statuses are kept.
    pub before: Vec<Play>,
    /// The client's request.
    pub request: Sent,
    /// What the upstream answers once it has the complete request; `None`: it never answers.
    pub upstream: Option<Sent>,
    /// The upstream answers as soon as it has the request's headers.
    pub upstream_early: bool,
    /// Answers to callouts.
    pub callouts: Callouts,
    /// When the client goes away by itself.
    pub client_leaves: Option<Leaves>,
    /// Host properties beyond those that `peer` and `claims` give; path and raw value.
    pub properties: Vec<(Vec<String>, Vec<u8>)>,
    /// Host calls that fail: name of the import, and the proxy-wasm status that it gives.
    pub faults: Vec<(String, u32)>,
    /// How long the exchange lasts before the driver looks: ticks fire in this time. Virtual where the engine has a virtual clock.
    pub time: Duration,
    /// The limit of the proxy's buffers; 1 MiB, Envoy's default, if `None`.
    pub buffer_limit: Option<usize>,
    /// HTTP/2 between client and proxy, for engines that have a wire.
    pub http2: bool,
}

/// The second plugin of a chain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Next {
    /// Its name.
    pub plugin: String,
    /// Its configuration, as that of [`Play`].
    pub config: Vec<u8>,
}

impl Play {
    /// The play of the plugin behind this one.
    pub fn behind(&self) -> Option<Self> {
        let Next { plugin, config } = self.next.clone()?;
        Some(Self { plugin, config, next: None, ..self.clone() })
    }

    /// What the plugin leaves its records in.
    pub(crate) fn filter_state(&self) -> String {
        filter_state(&self.plugin, &serde_json::from_slice(&self.config).unwrap_or_default())
    }

    /// Whether its answer has no body, whatever its headers say.
    pub fn is_head(&self) -> bool {
        self.request.headers.iter().any(|(name, value)| name == b":method" && value == b"HEAD")
    }

    /// Whether a message of it has trailers.
    pub fn has_trailers(&self) -> bool {
        have_trailers(&self.request, self.upstream.as_ref())
    }
}

/// A message on the wire.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Header pairs, pseudo headers included, in order; repeated names allowed.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body in the parts in which it is sent. Empty: the headers end the message.
    pub chunks: Vec<Vec<u8>>,
    /// Trailers; they end the message.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Whether one of these has trailers. HTTP/1 clients and servers hardly ever do, so then it is HTTP/2 on both sides.
pub fn have_trailers(request: &Sent, upstream: Option<&Sent>) -> bool {
    !request.trailers.is_empty() || upstream.is_some_and(|sent| !sent.trailers.is_empty())
}

/// When the client goes away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leaves {
    /// After the request's headers.
    AfterRequestHeaders,
    /// After the first chunk of the answer.
    AfterFirstResponseChunk,
}

/// What a case needs that not every engine has. A closed set; skips are listed with it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Need {
    /// A virtual clock.
    Clock,
    /// Bodies cut exactly as written.
    ExactCut,
    /// A host call that fails on request.
    HostFault,
    /// A VM that is killed.
    Kill,
    /// Host properties that a real proxy cannot be made to have.
    Properties,
    /// Several VMs whose order of work is under control.
    Vms,
    /// Header bytes that the proxy's own codec refuses before any filter sees them.
    WireBytes,
}
