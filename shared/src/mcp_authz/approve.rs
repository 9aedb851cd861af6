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
use crate::identity::secret::{FetchedSecret, Ready};
use crate::json::{Limits, parse_tree};
use crate::oauth::ClientAuth;
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

/// What is fetched first: the secret of our client, and keys of tickets; one wait each, and one for newer keys.
const MAX_WAITS: u8 = 3;
/// When it is worth to come back where what is fetched cannot be had.
const SOON: Duration = Duration::from_secs(5);
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
    /// What a user is to be asked; `None`: there is nobody to ask.
    fn question(&self, call: &Call<'_>) -> Option<Question>;
    /// Whether the user lets the agent do exactly this. Whoever cannot be asked has not approved.
    fn ask(&self, policy: &str, question: &Question, ticket: Option<&str>, fx: &mut Effects<'_>) -> Said;
    /// Whether the token of an approval takes the place of the one that the request brought.
    fn is_outgoing(&self) -> bool;
    /// What came of a call.
    fn after(&self, call: CallId) -> Approval;
    /// The answer to a call.
    fn on_reply(&self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>);
    /// Time passes.
    fn on_tick(&self, now: Timestamp, fx: &mut RootEffects<'_>);
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
    call: CallId,
    allowed: Allowed,
    /// What is to be asked when that is over, and how often it has waited: something must come first.
    question: Option<(Question, u8)>,
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
}

/// What a user is asked.
pub struct Question {
    issuer: String,
    user: String,
    agent: String,
    tool: String,
    /// Digest of the arguments in one form.
    arguments: [u8; 32],
    /// How the server knows the user.
    hint: String,
}

/// What is heard at once.
pub enum Said {
    /// How it stands.
    Approval(Approval),
    /// Something must come first: ask again when this call is over.
    Wait(CallId),
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

    fn question(&self, _: &Call<'_>) -> Option<Question> {
        match *self {}
    }

    fn ask(&self, _: &str, _: &Question, _: Option<&str>, _: &mut Effects<'_>) -> Said {
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

    fn on_tick(&self, _: Timestamp, _: &mut RootEffects<'_>) {
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
        setup.equip(secret, problems);
        Some(Self { approvals: Approvals::new(setup.server, setup.tickets), client: Rc::new(setup.client), hint })
    }

    fn is_outgoing(&self) -> bool {
        self.approvals.is_outgoing()
    }

    fn after(&self, call: CallId) -> Approval {
        self.approvals.after(call)
    }

    fn on_reply(&self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) {
        let refused = matches!(reply, Ok(Reply { status: 401, .. }));
        if self.approvals.on_reply(call, now, reply, fx) {
            if let Some(secret) = self.client.fetched().filter(|_| refused) {
                secret.distrust(now, fx);
            }
            return;
        }
        // One that nobody knows any more came too late.
        let _known = self.fetched().any(|secret| secret.on_reply(call, now, reply, fx));
    }

    fn on_tick(&self, now: Timestamp, fx: &mut RootEffects<'_>) {
        self.approvals.on_tick(now);
        for secret in self.fetched() {
            secret.on_tick(now, fx);
        }
    }

    fn question(&self, call: &Call<'_>) -> Option<Question> {
        let (Item::Tool(name), Some(user)) = (call.item, &call.caller.user) else { return None };
        let hint = match self.hint {
            None => Some(user.user.to_string()),
            Some(at) => call.caller.claims.get(at).and_then(|claim| claim.value().ok()?.into_text().ok()?.map(str::to_owned)),
        };
        // One form for all texts that mean the same, so that nothing is approved twice or as something else.
        let tree = parse_tree(call.arguments, Limits::default()).ok()?;
        Some(Question {
            issuer: user.issuer.as_deref()?.to_owned(),
            user: user.user.to_string(),
            agent: call.caller.agent.as_deref()?.to_owned(),
            tool: name.to_owned(),
            arguments: Sha256::digest(tree.canonical()).into(),
            hint: hint.filter(|hint| hint.len() <= MAX_HINT && !hint.is_empty())?,
        })
    }

    fn ask(&self, policy: &str, question: &Question, ticket: Option<&str>, fx: &mut Effects<'_>) -> Said {
        let now = fx.now();
        let mut missing = false;
        // Both are on the way at the same time.
        for ready in [self.client.want(now, fx), self.approvals.keys().want(now, fx)] {
            match ready {
                Ready::Yes => {}
                Ready::Wait(call) => return Said::Wait(call),
                Ready::No(_) => missing = true,
            }
        }
        let Question { issuer, user, agent, tool, arguments, hint } = question;
        let action = Action { policy, issuer, user, agent, method: "tools/call", name: tool, arguments };
        let ask = |auth: &ClientAuth<'_>| self.approvals.ask(&action, &User::LoginHint(hint), auth, ticket, fx);
        let asked = if missing { None } else { self.client.show(now, ask) };
        match asked.unwrap_or(Approval::Unavailable { retry_after: SOON }) {
            Approval::WaitForKeys(call) => Said::Wait(call),
            approval => Said::Approval(approval),
        }
    }
}

impl Desk {
    /// What is fetched.
    fn fetched(&self) -> impl Iterator<Item = &FetchedSecret> {
        [self.client.fetched(), self.approvals.keys().fetched()].into_iter().flatten()
    }
}

impl<D: Asks> McpFilter<D> {
    /// Asks whether its user approves a call that is allowed but for that. Where nothing is carried out, nobody is asked.
    pub(super) fn ask(
        &mut self,
        caller: &Caller,
        item: Item<'_>,
        arguments: Option<&[u8]>,
        allowed: Allowed,
        fx: &mut Effects<'_>,
    ) -> Step {
        if self.policy.mode == Mode::Observe {
            return self.allow(allowed, fx);
        }
        let call = Call { caller, item, arguments: arguments.unwrap_or(b"{}") };
        match self.desk.as_ref().and_then(|desk| desk.question(&call)) {
            Some(question) => self.put(question, 0, allowed, fx),
            None => self.approved(NOBODY, allowed, fx),
        }
    }

    /// Puts a question, and waits for what has to be waited for.
    fn put(&mut self, question: Question, waits: u8, allowed: Allowed, fx: &mut Effects<'_>) -> Step {
        let ticket = self.ticket.as_deref();
        let said = self.desk.as_ref().map(|desk| desk.ask(&self.policy.id.digest, &question, ticket, fx));
        let (call, question) = match said {
            Some(Said::Wait(call)) if waits < MAX_WAITS => (call, Some((question, waits + 1))),
            Some(Said::Approval(Approval::Wait(call))) => (call, None),
            Some(Said::Approval(approval)) => return self.approved(approval, allowed, fx),
            Some(Said::Wait(_)) => return self.approved(Approval::Unavailable { retry_after: SOON }, allowed, fx),
            None => return self.approved(NOBODY, allowed, fx),
        };
        self.asked = Some(Box::new(Asked { call, allowed, question }));
        Step::Await(call)
    }

    /// A call is over that was waited for.
    pub(super) fn heard(&mut self, asked: Asked, fx: &mut Effects<'_>) -> Step {
        let Asked { call, allowed, question } = asked;
        match (question, &self.desk) {
            (Some((question, waits)), _) => self.put(question, waits, allowed, fx),
            (None, Some(desk)) => {
                let approval = desk.after(call);
                self.approved(approval, allowed, fx)
            }
            (None, None) => self.approved(NOBODY, allowed, fx),
        }
    }

    /// Lets a call go on that was approved. The token of the approval is the proof, and goes nowhere; or it goes on in the place
    /// of the one that the request brought, with this request and no other.
    fn approved(&mut self, approval: Approval, allowed: Allowed, fx: &mut Effects<'_>) -> Step {
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
        // None of these is a refusal; if one comes here nothing was approved.
        Approval::Approved(_) | Approval::Wait(_) | Approval::WaitForKeys(_) => (Reason::Internal, Denial::Refuse),
    }
}

/// Whole seconds, up.
fn seconds(duration: Duration) -> u32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX).max(1)
}
