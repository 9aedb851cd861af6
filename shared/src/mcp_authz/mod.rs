//! `mcp-authz`: which agent and user may call which MCP tool; lists show only what may be called.
//!
//! 1. With the headers: the caller is named, and what no body could cure is refused.
//! 2. With the whole body: it is read strictly as one message, held against the routing headers, and decided.
//! 3. With the answer: lists of tools lose what the caller may not call; all else goes by byte for byte.
//!
//! What cannot be taken back: without header hold the request's headers reach the upstream before its body is judged; the
//! body does not (`late` in the record).

mod answer;
pub mod config;
mod filter;
mod how;
mod metadata;
mod policy;
mod request;
mod session;
mod surface;
#[cfg(test)]
mod tests;

pub use answer::pin_of;
pub use policy::{Ask, Fit, Item, Miss, Outcome, Policy, RequestFacts, RuleKind, RuleSays, UriPattern, Verdict};

use std::rc::Rc;

use crate::config::ConfigErrors;
use crate::filter::{Plugin, Properties, Settings};
use crate::identity::Caller;
use crate::policy::Reason;

/// The plugin's name.
pub const NAME: &str = "mcp-authz";

/// The plugin.
pub struct McpAuthz(Rc<Policy>);

impl Plugin for McpAuthz {
    const NAME: &'static str = NAME;
    const CALLS: bool = false;
    const SIGNATURES: bool = false;
    type Filter = filter::McpFilter;

    fn configure(config: &[u8]) -> Result<Self, ConfigErrors> {
        Policy::configure(config).map(|policy| Self(Rc::new(policy)))
    }

    fn settings(&self) -> Settings {
        self.0.settings()
    }

    fn filter(&self) -> Self::Filter {
        filter::McpFilter::new(self.0.clone())
    }
}

/// Why a question is decided as it is.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The verdict.
    pub verdict: Verdict,
    /// What each rule says, the caller's tiers first.
    pub rules: Vec<RuleSays>,
}

/// Who asks, by the values of the properties that the plugin declares; what the filter itself sees of a request.
pub fn caller(policy: &Policy, values: Properties<'_>) -> Result<Caller, Reason> {
    policy.source.read(values)
}

/// Why `caller` may or may not do what is asked; by the code that decides, with its trace.
pub fn explain(policy: &Policy, caller: &Caller, ask: &Ask<'_>) -> Explanation {
    Explanation { verdict: policy.decide(caller, ask), rules: policy.trace(caller, ask) }
}
