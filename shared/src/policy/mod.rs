//! The vocabulary of decisions. What a policy *is* stands with its plugin; what it *says* is here.

mod answer;
pub mod cel;
mod fault;
mod lookup;
mod pattern;
mod reason;

pub use answer::{Answer, Challenge, Denial, Wire, rpc_error};
pub use lookup::Lookup;
pub use pattern::Pattern;
pub use reason::Reason;

use core::fmt;
use std::rc::Rc;

/// What a policy says about one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It may go on.
    Allow(Allow),
    /// It may not.
    Deny(Deny),
}

/// Why it may go on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Allow {
    /// The rule that granted it.
    pub rule: RuleId,
    /// The tier that the rule stands in, if it is not in the plain `rules`.
    pub tier: Option<Tier>,
}

/// Why it may not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deny {
    /// The stable machine code.
    pub reason: Reason,
    /// The rule that refused it, if one did.
    pub rule: Option<RuleId>,
    /// The tier of that rule.
    pub tier: Option<Tier>,
}

/// The name of a rule: from the configuration, or `builtin:…` for what the protocol itself needs.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RuleId(Rc<str>);

/// Where a rule stands. A tier may only narrow what the others grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tier {
    /// For one OAuth client.
    Clients,
    /// For all.
    Global,
    /// For the namespace of the caller.
    Namespaces,
}

/// Whether a decision is carried out or only recorded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// Carried out.
    #[default]
    Enforce,
    /// Recorded as `would_deny`; the bytes are left alone.
    Observe,
}

/// Name and digest of the configuration in force.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PolicyId {
    /// What the operator calls it.
    pub name: Rc<str>,
    /// `sha256:` and the hex digest of its canonical JSON.
    pub digest: Rc<str>,
}

// === impl Decision ===

impl Decision {
    /// Allowed by `rule`.
    pub fn allow(rule: impl Into<RuleId>) -> Self {
        Self::Allow(Allow { rule: rule.into(), tier: None })
    }

    /// Denied, no rule involved.
    pub fn deny(reason: Reason) -> Self {
        Self::Deny(Deny { reason, rule: None, tier: None })
    }

    /// Denied by `rule`.
    pub fn deny_by(reason: Reason, rule: impl Into<RuleId>) -> Self {
        Self::Deny(Deny { reason, rule: Some(rule.into()), tier: None })
    }
}

// === impl RuleId ===

impl RuleId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RuleId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Tier, Mode ===

impl Tier {
    /// Its name in configuration and audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Global => "global",
            Self::Namespaces => "namespaces",
        }
    }
}

impl Mode {
    /// Its name in configuration and audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}
