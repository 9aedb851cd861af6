//! What is found.

use std::fmt;
use std::path::PathBuf;

use super::manifest::Manifest;
use crate::scenario::yaml::Place;

/// One thing that is not as it has to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Which check found it.
    pub check: Check,
    /// The file.
    pub file: PathBuf,
    /// Where in it, if it has lines that somebody wrote.
    pub place: Option<Place>,
    /// The path to it, or to what should have it.
    pub path: String,
    /// The object: kind, namespace and name.
    pub object: String,
    /// What is wrong here.
    pub text: String,
    /// What to write, as YAML.
    pub fix: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// Something that should be refused can get through, or nothing gets through.
    Error,
    /// It works today.
    Warning,
}

impl Severity {
    /// Its name in reports; SARIF has the same.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident $id:literal $severity:ident $why:literal,)*) => {
        /// What is looked at. The names are stable: reports and suppressions use them.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Check {
            $($(#[$doc])* $name,)*
        }

        impl Check {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self {
                    $(Self::$name => $why,)*
                }
            }
        }
    };
}

checks! {
    /// A cluster that a plugin calls is not in the waypoint.
    CalloutCluster "callout-cluster" Error
        "a waypoint has no cluster for a host unless an EnvoyFilter refers to it: every call fails, so every request that needs it is refused",
    /// A host on port 443 is called without TLS.
    CalloutTls "callout-tls" Error
        "without a DestinationRule that begins TLS, secrets and tokens go to port 443 in the clear, and the call fails",
    /// The plugin's own configuration has a problem.
    PluginConfig "plugin-config" Error
        "the module refuses the configuration: the proxy keeps the old one, or refuses all requests",
    /// Headers are to be held where the proxy cannot hold them.
    HoldHeaders "hold-headers" Error
        "headers wait only with allow_on_headers_stop_iteration, which TrafficExtension and WasmPlugin cannot set: the plugin answers 503 host_profile_wrong",
    /// A failure lets requests through, or lasts for ever.
    FailStrategy "fail-strategy" Error
        "FAIL_OPEN lets through what nobody decided, also when the module cannot be fetched; FAIL_CLOSE, the default, keeps a worker whose VM died dead",
    /// A worker that has no VM of the plugin lets everything through.
    WorkerUnguarded "worker-unguarded" Warning
        "where the VM of a worker cannot be made, Envoy has no such filter there, whatever failure_policy says: what nobody decided passes",
    /// A guard asks for what is not left.
    GuardRefusesAll "guard-refuses-all" Error
        "a guard lets through what has the record of its plugin: where none is left, or one of another name, it refuses every request",
    /// No order is stated.
    PriorityUnset "priority-unset" Error
        "an unset priority is the lowest of all: the plugin runs behind those that it should run before",
    /// The phase is one in which nobody has read the token yet.
    PhaseSeesNoClaims "phase-sees-no-claims" Error
        "plugins of phase AUTHN run before jwt_authn, so no claims are there and every user is unknown",
    /// Ports in a match.
    MatchPorts "match-ports" Error
        "a match with ports takes the plugin out of every chain of a waypoint, without an error",
    /// Mode CLIENT in a match.
    MatchClient "match-client" Error
        "a waypoint serves only: with mode CLIENT the plugin is in no chain, without an error",
    /// A selector.
    Selector "selector" Error
        "a waypoint takes extensions by targetRefs only: with a selector the plugin is in no chain, without an error",
    /// The target is not there.
    TargetMissing "target-missing" Error
        "an extension whose target is not there is attached to nothing, without an error: requests pass unjudged",
    /// The target is behind no waypoint.
    NoWaypoint "no-waypoint" Error
        "what no waypoint stands before is reached directly: the plugin is in no chain",
    /// The module can change.
    DigestMissing "digest-missing" Error
        "without a digest whoever can write to the registry decides what decides",
    /// A tag that moves.
    LatestTag "latest-tag" Error
        "each start may bring another module, and no two proxies need have the same one",
    /// jwt_authn takes the token away.
    ForwardOriginalToken "forward-original-token" Error
        "jwt_authn removes the token: there is nothing to exchange, and refusals cannot tell an expired token from none",
    /// Nobody reads tokens.
    RequestAuthentication "request-authentication" Error
        "without a RequestAuthentication no claims are there, so every user is unknown",
    /// The proxy's buffer is smaller than what the plugin reads.
    BufferLimit "buffer-limit" Error
        "a waypoint buffers 1 MiB unless told otherwise: larger bodies get 413 from the proxy, which no record explains",
    /// An outside host that is not behind the waypoint.
    EgressAround "egress-around" Error
        "what can be reached without the waypoint is reached without policy",
    /// TLS from end to end.
    EgressOpaque "egress-opaque" Error
        "of a port with protocol HTTPS or TLS a waypoint sees bytes only: no plugin runs",
    /// Nothing forbids other ways out.
    EgressOpen "egress-open" Warning
        "enrolling a host does not close other ways to it: a pod can call its address directly",
    /// Any site may call with credentials.
    CorsWildcard "cors-wildcard" Error
        "every web site that the user visits can call with the user's credentials",
    /// A policy goes by what the caller says of the destination.
    HostBelieved "host-believed" Error
        "a waypoint sends a request where it was sent to, whatever its Host says: a token for one service can go to another",
    /// The caller says where a request goes.
    DestinationChosen "destination-chosen" Error
        "where a header of the caller's says where a request goes, a token for one destination can be sent to another",
    /// Copies of requests go elsewhere.
    TokenMirrored "token-mirrored" Error
        "the router copies a request as it leaves the filters: who gets the copy has a token that was issued for another",
    /// A route or a condition is for what the waypoint sends nothing to.
    RouteElsewhere "route-elsewhere" Error
        "a route or a condition binds to the service that the waypoint sends the request to: one that it sends none to is that of no request, so another route or none is taken, and a deny rule denies nothing",
    /// An access log prints records of some services only.
    AuditGap "audit-gap" Warning
        "istiod asks for a service of another namespace in that namespace only, and puts what is closer in the place of the rest: decisions are missing where auditors look",
    /// Two policies leave records under one name.
    AuditShared "audit-shared" Warning
        "what is left under a name takes the place of what was there: the access log has the records of the last policy only, and a guard behind one is content with those of another",
    /// A waypoint does not serve the namespace.
    WaypointNamespace "waypoint-namespace" Error
        "a waypoint has no chain for services of other namespaces unless its listener allows them, whatever their labels say",
    /// A filter is put where there may be nothing.
    FilterAnchor "filter-anchor" Error
        "jwt_authn and rbac are not in every chain: where they are not, the plugin is not either, without an error",
    /// No chain has a plugin.
    NotInChain "not-in-chain" Error
        "what is in no chain decides nothing: requests pass unjudged",
    /// A chain beside guarded ones has no plugin.
    ChainUnguarded "chain-unguarded" Warning
        "requests that this chain takes pass unjudged",
    /// The proxy runs something else than it was told.
    NotInForce "not-in-force" Error
        "the proxy refused what it was told, or waits: an older configuration decides, or nobody is served",
    /// A module did not come.
    ModuleMissing "module-missing" Error
        "without its module a plugin decides nothing: the proxy refuses all requests, or with FAIL_OPEN lets them through",
    /// A plugin is there and not asked.
    FilterDisabled "filter-disabled" Error
        "a filter that is disabled is passed by, without an error",
    /// Tokens are got before anybody decided.
    FilterOrder "filter-order" Error
        "what will be refused gets a token first: it is minted, paid for and in somebody's log",
    /// A certificate is to say who calls, and nobody verifies one.
    PeerUnverified "peer-unverified" Error
        "the agent is the verified certificate of the connection: without one no agent is known, and every rule that names one refuses",
    /// TLS sessions can be resumed.
    TlsResumption "tls-resumption" Error
        "Envoy does not verify the certificate of a resumed session again: such a caller is refused as no_agent",
}

impl Finding {
    /// About an object, at `path` in it.
    pub(super) fn new(check: Check, manifest: &Manifest, path: &str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            file: manifest.file.clone(),
            place: Some(manifest.node.locate(path)),
            path: path.to_owned(),
            object: manifest.to_string(),
            text: text.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.check.severity().as_str();
        match self.place {
            Some(place) => write!(f, "{}:{place}: ", self.file.display())?,
            None => write!(f, "{}: {}: ", self.file.display(), self.path)?,
        }
        writeln!(f, "{severity}[{}]: {}: {}", self.check.id(), self.object, self.text)?;
        writeln!(f, "    why: {}", self.check.why())?;
        write!(f, "    fix:")?;
        for line in self.fix.lines() {
            write!(f, "\n      {line}")?;
        }
        Ok(())
    }
}
