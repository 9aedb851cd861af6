//! `mcp-authz`: which agent and user may call which MCP tool; lists show only what may be called.
//!
//! 1. With the headers: the caller is named, and what no body could cure is refused.
//! 2. With the whole body: it is read strictly as one message, held against the routing headers, and decided.
//! 3. With the answer: lists of tools lose what the caller may not call; all else goes by byte for byte.
//!
//! What cannot be taken back: without header hold the request's headers reach the upstream before its body is judged; the
//! body does not (`late` in the record).

mod answer;
mod approve;
pub mod config;
mod counters;
mod decide;
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
pub use approve::{Approving, Asks, Call, Desk, Nobody, Question, Said};
pub use counters::COUNTERS_OF_ASKING;
pub use policy::{Ask, Fit, Item, Miss, Outcome, Policy, RequestFacts, RuleKind, RuleSays, UriPattern, Verdict};

use std::rc::Rc;

use crate::config::{ConfigErrors, Problems};
use crate::filter::{CallId, CalloutError, Plugin, Properties, Reply, RootEffects, Settings};
use crate::identity::Caller;
use crate::policy::Reason;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The plugin's name.
pub const NAME: &str = "mcp-authz";

/// The plugin that asks nobody: what cannot be asked for is not in its module.
pub type McpAuthz = Gate<Nobody>;

/// The plugin that also asks users (`approval`).
pub type McpAuthzApproval = Gate<Desk>;

/// The plugin; whether it can ask users.
pub struct Gate<D: Asks> {
    policy: Rc<Policy>,
    /// Until it was equipped.
    setup: Option<D::Setup>,
    /// Once it was equipped, if the policy asks users.
    desk: Option<D>,
}

impl<D: Asks> Plugin for Gate<D> {
    const NAME: &'static str = D::NAME;
    const SECRETS: bool = D::ASKS;
    const CALLS: bool = D::ASKS;
    const SIGNATURES: bool = false;
    type Filter = filter::McpFilter<D>;

    fn configure(config: &[u8]) -> Result<Self, ConfigErrors> {
        let (policy, setup) = Policy::read::<D>(config)?;
        Ok(Self { policy: Rc::new(policy), setup, desk: None })
    }

    fn equip(mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::new();
        self.desk = self.setup.take().and_then(|setup| D::open(setup, secret, &mut problems));
        let problems = problems.into_list();
        if problems.is_empty() { Ok(self) } else { Err(ConfigErrors::new(NAME, problems)) }
    }

    fn settings(&self) -> Settings {
        self.policy.settings()
    }

    fn filter(&self) -> Self::Filter {
        filter::McpFilter::new(self.policy.clone(), self.desk.clone())
    }

    fn on_tick(&mut self, now: Timestamp, fx: &mut RootEffects<'_>) {
        if let Some(desk) = &self.desk {
            desk.on_tick(now, fx);
        }
    }

    fn on_reply(&mut self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) {
        if let Some(desk) = &self.desk {
            desk.on_reply(call, now, reply, fx);
        }
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
