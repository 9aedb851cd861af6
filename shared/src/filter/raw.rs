//! What every plugin's configuration has: its mode, what its proxy can do, where its records go.

use super::HostProfile;
use super::trail::{Destinations, left_as};
use crate::config::{Problems, choice, record};
use crate::policy::Mode;

choice! {
    /// Whether decisions are carried out.
    pub enum RawMode {
        /// Decisions are carried out.
        Enforce = "enforce",
        /// Decisions are only recorded, as `would_deny`.
        Observe = "observe",
    }
}

record! {
    /// What the proxy can do.
    pub struct RawHostProfile {
        /// Request headers can wait for the body: `allow_on_headers_stop_iteration` is set (not through Istio's APIs).
        hold_headers: bool = "holdHeaders", false;
    }
}

choice! {
    /// A place for audit records.
    pub enum RawDestination {
        /// The proxy's log: a line `wardpoint.audit {…}` as soon as it is decided.
        Log = "log",
        /// A list in filter state, which the access log prints when the request is over, for this plugin: `%FILTER_STATE(wasm.wardpoint_<plugin>:PLAIN)%`.
        AccessLog = "accessLog",
    }
}

record! {
    /// Where audit records go.
    pub struct RawAudit {
        /// Every record goes to each of these. A line in the log is a write of its own for every decision; the access log is written anyway. What the access log cannot take goes to the log in any case.
        to: Vec<RawDestination> = "to", both();
        /// For one of several policies of a plugin that judge the same request: what stands behind the name of its filter state, as in `%FILTER_STATE(wasm.wardpoint_<plugin>.<as>:PLAIN)%`. The access log has the records of the last of those that share a name.
        own: Option<String> = "as", None;
    }
}

/// Nobody has to set up an access log to find a record.
fn both() -> Vec<RawDestination> {
    vec![RawDestination::Log, RawDestination::AccessLog]
}

impl Default for RawAudit {
    fn default() -> Self {
        Self { to: both(), own: None }
    }
}

impl RawAudit {
    /// The places; a policy without any is a problem.
    pub fn compile(&self, plugin: &str, problems: &mut Problems) -> Destinations {
        if self.to.is_empty() {
            problems.field("audit", |p| {
                p.field("to", |p| p.add("is empty: no decision would be recorded. Write `log`, `accessLog` or both"))
            });
        }
        if let Some(own) = &self.own {
            problems.field("audit", |p| p.field("as", |p| p.named(own)));
        }
        Destinations {
            log: self.to.contains(&RawDestination::Log),
            access_log: self.to.contains(&RawDestination::AccessLog),
            left_as: left_as(plugin, self.own.as_deref()).into(),
        }
    }
}

impl From<RawMode> for Mode {
    fn from(raw: RawMode) -> Self {
        match raw {
            RawMode::Enforce => Self::Enforce,
            RawMode::Observe => Self::Observe,
        }
    }
}

impl From<&RawHostProfile> for HostProfile {
    fn from(raw: &RawHostProfile) -> Self {
        Self { hold_headers: raw.hold_headers }
    }
}
