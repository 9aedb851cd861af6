//! A request on its way to an agent: a reference takes the place of its token.

use super::caller::Asker;
use super::failure::Refused;
use super::filter::{refuse, strip};
use super::policy::Policy;
use super::reference::Referred;
use crate::audit::{About, Resource};
use crate::filter::{Effects, Ruling, Step};
use crate::policy::{Decision, Mode, Reason, RuleId};
use crate::secret::Secret;

/// Lets the request go on to this agent with a reference in the place of its token.
pub(super) fn refer(policy: &Policy, asker: &Asker<'_>, agent: &str, rule: RuleId, about: About, fx: &mut Effects<'_>) -> Step {
    let resource = Resource { kind: "agent", name: agent.to_owned() };
    let about = About { action: Some("reference".to_owned()), resource: Some(resource), ..about };
    let reference = asker.subject(None, fx.now()).and_then(|subject| {
        let token = Secret::new(asker.text()?);
        let expires = subject.expires.ok_or(Reason::InvalidToken)?;
        let references = policy.references.as_ref().and_then(|referring| referring.references(fx.now()));
        references.ok_or(Reason::Internal)?.issue(&Referred { token, expires, agent }, fx.now(), fx.services())
    });
    let reference = match reference {
        Ok(reference) => reference,
        Err(reason) => return refuse(about, &Refused::plain(reason), fx),
    };
    fx.count("references.made");
    fx.skip_response();
    let step = fx.enforce(Ruling { about, ..Ruling::new(Decision::allow(rule)) });
    if policy.mode == Mode::Enforce {
        strip(&asker.stripped(), true, fx);
        fx.set_header("authorization", ["Bearer ", reference.reveal()].concat());
    }
    step
}
