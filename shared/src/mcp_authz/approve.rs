//! Calls that their user must approve.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::filter::McpFilter;
use super::policy::Item;
use crate::approval::config::{RawApproval, Setup};
use crate::approval::{Action, Approval, Approvals};
use crate::audit::About;
use crate::config::{Problems, Undecoded};
use crate::filter::{CallId, CalloutError, Effects, Reply, RootEffects, Ruling, Step};
use crate::identity::Caller;
use crate::identity::client::Client;
use crate::json::{Limits, parse_tree};
use crate::oauth::ciba::User;
use crate::policy::{Decision, Denial, Deny, Mode, Reason, Wire};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// The header by which a caller brings its ticket; it goes no further.
pub(super) const TICKET: &str = "wardpoint-approval";
/// Longest ticket in bytes: an id of 4 KiB, sealed and in base64.
const MAX_TICKET: usize = 8 << 10;
/// Longest name by which a user is asked for, in bytes.
const MAX_HINT: usize = 256;

/// Nobody can be asked, and that does not pass soon.
const NOBODY: Approval = Approval::Unavailable { retry_after: Duration::from_secs(60) };

/// Whether users can be asked, and how: [`Nobody`] keeps all of it out of a module.
pub trait Asks: Clone + 'static {
    /// The name of the plugin.
    const NAME: &'static str;
    /// Whether users can be asked at all.
    const ASKS: bool;
    /// What the configuration says of it.
    type Setup: 'static;

    /// What `raw` means on a proxy that can hold headers, or cannot; `claim` says where a claim will stand in [`Caller::claims`].
    fn compile(
        raw: &Undecoded<RawApproval>,
        holds: bool,
        claim: &mut dyn FnMut(&[String]) -> usize,
        problems: &mut Problems,
    ) -> Option<Self::Setup>;
    /// With the secrets of the proxy's environment; `None` if a problem was added.
    fn open(setup: Self::Setup, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) -> Option<Self>;
    /// Whether the user lets the agent do exactly this. Whoever cannot be asked has not approved.
    fn ask(&self, policy: &str, call: &Call<'_>, fx: &mut Effects<'_>) -> Approval;
    /// Whether the token of an approval takes the place of the one that the request brought.
    fn is_outgoing(&self) -> bool;
    /// What came of a call.
    fn after(&self, call: CallId) -> Approval;
    /// The answer to a call.
    fn on_reply(&self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>);
    /// Time passes.
    fn on_tick(&self, now: Timestamp);
}

/// Nobody is asked.
#[derive(Clone, Copy, Debug)]
pub enum Nobody {}

/// Asks users; one for all requests of a worker.
#[derive(Clone)]
pub struct Desk {
    approvals: Approvals,
    client: Rc<Client>,
    hint: Option<usize>,
}

/// How users are asked.
#[derive(Clone, Debug)]
pub struct Approving {
    setup: Setup,
    /// The claim that says how the server knows a user, in [`Caller::claims`]; `sub`, if absent.
    hint: Option<usize>,
}

/// A call that waits for what its user says.
pub(super) struct Asked {
    pub(super) call: CallId,
    pub(super) allowed: Allowed,
}

/// A call that is allowed but for that.
pub(super) struct Allowed {
    pub(super) decision: Decision,
    pub(super) about: About,
    pub(super) wire: Wire,
    pub(super) observed: Vec<(Deny, About)>,
}

/// What is to be approved.
pub struct Call<'a> {
    caller: &'a Caller,
    item: Item<'a>,
    /// As JSON text.
    arguments: &'a [u8],
    ticket: Option<&'a str>,
}

impl Asks for Nobody {
    const NAME: &'static str = super::NAME;
    const ASKS: bool = false;
    type Setup = Self;

    fn compile(
        _: &Undecoded<RawApproval>,
        _: bool,
        _: &mut dyn FnMut(&[String]) -> usize,
        problems: &mut Problems,
    ) -> Option<Self> {
        let other = Desk::NAME;
        problems.add(format!("this module asks nobody. Use `{other}`, which takes the same configuration"));
        None
    }

    fn open(setup: Self, _: &mut dyn FnMut(&str) -> Option<Secret<String>>, _: &mut Problems) -> Option<Self> {
        match setup {}
    }

    fn ask(&self, _: &str, _: &Call<'_>, _: &mut Effects<'_>) -> Approval {
        match *self {}
    }

    fn is_outgoing(&self) -> bool {
        match *self {}
    }

    fn after(&self, _: CallId) -> Approval {
        match *self {}
    }

    fn on_reply(&self, _: CallId, _: Timestamp, _: Result<Reply<'_>, CalloutError>, _: &mut RootEffects<'_>) {
        match *self {}
    }

    fn on_tick(&self, _: Timestamp) {
        match *self {}
    }
}

impl Asks for Desk {
    const NAME: &'static str = "mcp-authz-approval";
    const ASKS: bool = true;
    type Setup = Approving;

    fn compile(
        raw: &Undecoded<RawApproval>,
        holds: bool,
        claim: &mut dyn FnMut(&[String]) -> usize,
        problems: &mut Problems,
    ) -> Option<Approving> {
        let raw = raw.read(problems)?;
        let setup = raw.compile(holds, problems);
        Some(Approving { setup, hint: (raw.hint.0 != ["sub"]).then(|| claim(&raw.hint.0)) })
    }

    fn open(setup: Approving, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) -> Option<Self> {
        let Approving { mut setup, hint } = setup;
        let sealer = setup.equip(secret, problems)?;
        Some(Self { approvals: Approvals::new(setup.server, sealer), client: Rc::new(setup.client), hint })
    }

    fn is_outgoing(&self) -> bool {
        self.approvals.is_outgoing()
    }

    fn after(&self, call: CallId) -> Approval {
        self.approvals.after(call)
    }

    fn on_reply(&self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) {
        // One that nobody knows any more came too late.
        let _known = self.approvals.on_reply(call, now, reply, fx);
    }

    fn on_tick(&self, now: Timestamp) {
        self.approvals.on_tick(now);
    }

    fn ask(&self, policy: &str, call: &Call<'_>, fx: &mut Effects<'_>) -> Approval {
        let (Item::Tool(name), Some(user)) = (call.item, &call.caller.user) else { return NOBODY };
        let (Some(issuer), Some(agent)) = (user.issuer.as_deref(), call.caller.agent.as_deref()) else { return NOBODY };
        let hint = match self.hint {
            None => Some(user.user.to_string()),
            Some(at) => call.caller.claims.get(at).and_then(|claim| claim.value().ok()?.into_text().ok()?),
        };
        let Some(hint) = hint.filter(|hint| hint.len() <= MAX_HINT && !hint.is_empty()) else { return NOBODY };
        // One form for all texts that mean the same, so that nothing is approved twice or as something else.
        let Ok(tree) = parse_tree(call.arguments, Limits::default()) else { return NOBODY };
        let arguments: [u8; 32] = Sha256::digest(tree.canonical()).into();
        let Some(auth) = self.client.auth() else { return NOBODY };
        let action = Action { policy, issuer, user: &user.user, agent, method: "tools/call", name, arguments: &arguments };
        self.approvals.ask(&action, &User::LoginHint(&hint), &auth, call.ticket, fx)
    }
}

impl<D: Asks> McpFilter<D> {
    /// Whether its user approves a call that is allowed but for that. `None`: nothing is carried out, so nobody is asked.
    pub(super) fn ask(
        &self,
        caller: &Caller,
        item: Item<'_>,
        arguments: Option<&[u8]>,
        fx: &mut Effects<'_>,
    ) -> Option<Approval> {
        if self.policy.mode == Mode::Observe {
            return None;
        }
        let call = Call { caller, item, arguments: arguments.unwrap_or(b"{}"), ticket: self.ticket.as_deref() };
        Some(match &self.desk {
            Some(desk) => desk.ask(&self.policy.id.digest, &call, fx),
            None => NOBODY,
        })
    }

    /// Lets a call go on that was approved. The token of the approval is the proof, and goes nowhere; or it goes on in the place
    /// of the one that the request brought, with this request and no other.
    pub(super) fn approved(&mut self, approval: Approval, allowed: Allowed, fx: &mut Effects<'_>) -> Step {
        if let Approval::Approved(issued) = approval {
            let step = self.allow(allowed, fx);
            if D::ASKS && self.desk.as_ref().is_some_and(D::is_outgoing) {
                fx.set_header("authorization", ["Bearer ", issued.token.reveal()].concat());
            }
            return step;
        }
        let Allowed { decision, about, wire, .. } = allowed;
        self.expect_nothing();
        let (reason, denial) = refusal(approval);
        let rule = match decision {
            Decision::Allow(allow) => Some(allow.rule),
            Decision::Deny(deny) => deny.rule,
        };
        let decision = Decision::Deny(Deny { reason, rule, tier: None });
        fx.enforce(Ruling { decision, about, wire, denial, challenge: None })
    }

    /// Lets a call go on.
    pub(super) fn allow(&mut self, allowed: Allowed, fx: &mut Effects<'_>) -> Step {
        let Allowed { decision, about, wire, observed } = allowed;
        if self.expects_nothing() {
            fx.skip_response();
        }
        let step = fx.enforce(Ruling { about, wire, ..Ruling::new(decision) });
        for (deny, about) in observed {
            fx.note(&Decision::Deny(deny), about, true);
        }
        step
    }
}

/// The ticket that a request brings.
pub(super) fn ticket(value: &[u8]) -> Option<String> {
    let fits = value.len() <= MAX_TICKET && value.iter().all(u8::is_ascii_graphic);
    // One that cannot be any is kept as one that does not open.
    Some(if fits { core::str::from_utf8(value).ok()?.to_owned() } else { String::new() })
}

/// How it is told that there is no approval.
fn refusal(approval: Approval) -> (Reason, Denial) {
    let later = |retry_after: Duration| Denial::Later(seconds(retry_after));
    match approval {
        Approval::Denied => (Reason::ApprovalDenied, Denial::Refuse),
        Approval::Expired => (Reason::ApprovalExpired, Denial::Refuse),
        Approval::Pending { ticket, retry_after } => {
            (Reason::ApprovalPending, Denial::Approval { ticket, retry_after: seconds(retry_after) })
        }
        Approval::TooMany => (Reason::ApprovalsExceeded, later(Duration::from_secs(60))),
        Approval::Unavailable { retry_after } => (Reason::ApprovalUnavailable, later(retry_after)),
        // Neither is a refusal; if one comes here nothing was approved.
        Approval::Approved(_) | Approval::Wait(_) => (Reason::Internal, Denial::Refuse),
    }
}

/// Whole seconds, up.
fn seconds(duration: Duration) -> u32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX).max(1)
}
