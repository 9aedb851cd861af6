//! What agents hold in the place of users' tokens.

use super::super::policy::{Action, Referring};
use super::raw::{Raw, RawAction, RawRoute, RawUnmatched};
use crate::config::{Problems, RawSealingKey, choice, record};
use crate::identity::secret::{RawSecretFetch, SealingKeys};
use crate::identity::{Peer, Side, is_spiffe_id};
use crate::time::Duration;

record! {
    /// Reference tokens: what agents hold in the place of users' tokens.
    pub struct RawReferences {
        /// Keys that seal them. The first one seals, each one opens; all replicas on either side of an agent need the same.
        keys: Vec<RawSealingKey> = "keys", Vec::new();
        /// Where they are fetched, in the place of `keys`: a JWK Set of symmetric keys (RFC 7518 section 6.4), the one that seals first.
        keys_from: Option<RawSecretFetch> = "keysFrom", None;
        /// Longest life of a reference. None outlives its token.
        max_life: Duration = "maxLifetime", Duration::from_secs(600);
        /// With `direction: outbound`: what becomes of a request that brings a token itself.
        plain: RawPlain = "plainTokens", RawPlain::Refuse;
    }
}

choice! {
    /// What becomes of a request that brings a token itself, where references are opened.
    pub enum RawPlain {
        /// It is refused: 401 `reference_required`.
        Refuse = "refuse",
        /// It is judged like any other. For the time in which agents that still hold tokens are moved over. `wardpoint check` warns.
        Accept = "accept",
    }
}

/// A life of a reference that is worth a warning.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// What the configuration says of references; only good if no problem was added. The path of `problems` is that of the whole.
pub(super) fn references(raw: &Raw, warnings: &mut Vec<(String, &'static str)>, problems: &mut Problems) -> Option<Referring> {
    let makes = raw.routes.iter().any(|route| route.action == RawAction::Reference);
    let Some(references) = &raw.references else {
        if makes {
            problems.field("references", |p| p.add("is required by `action: reference`. Name the keys that seal"));
        }
        return None;
    };
    let outbound = raw.identity.direction == Side::Outbound;
    if outbound {
        opening(raw, problems);
    } else if !makes {
        problems.field("references", |p| p.add("no route has `action: reference`, and with `direction: inbound` none is opened"));
    }
    problems.field("references", |problems| {
        if references.max_life < Duration::from_secs(1) {
            problems.field("maxLifetime", |p| p.add("a reference has to live for 1s at the least"));
        }
        if references.max_life > LONG {
            warnings.push(("references.maxLifetime".to_owned(), "an agent holds what it was given for more than a day"));
        }
        if references.plain == RawPlain::Accept {
            if !outbound {
                problems.field("plainTokens", |p| p.add("only `direction: outbound` opens references. Take it away"));
            }
            warnings.push(("references.plainTokens".to_owned(), "agents may hold tokens of users, and bring them"));
        }
        let keys = SealingKeys::compile(&references.keys, references.keys_from.as_ref(), "references.keys", problems);
        Some(Referring { keys, longest: references.max_life, opens: outbound, plain: references.plain == RawPlain::Accept })
    })
}

/// What opening needs: to know who brings one, to judge what comes out, and nowhere to which one could go on.
fn opening(raw: &Raw, problems: &mut Problems) {
    problems.field("identity", |problems| {
        if raw.identity.peer == Peer::None {
            problems.field("peer", |p| p.add("`none` names nobody for whom a reference could have been made"));
        }
        if raw.identity.tokens.is_empty() {
            let text = "is required with `references`: the proxy sees no token that it could verify, only what stands for one";
            problems.field("tokens", |p| p.add(text));
        }
    });
    let text = "would send a reference where nobody can open it. Write `strip`";
    for (index, _) in raw.routes.iter().enumerate().filter(|(_, route)| route.action == RawAction::Passthrough) {
        problems.field("routes", |p| p.item(index, |p| p.field("action", |p| p.add(format!("`passthrough` {text}")))));
    }
    if raw.unmatched == RawUnmatched::Passthrough {
        problems.field("unmatched", |p| p.add(format!("`passthrough` {text}")));
    }
}

/// A route to an agent that gets references.
pub(super) fn reference(raw: &Raw, route: &RawRoute, problems: &mut Problems) -> Action {
    if raw.identity.direction == Side::Outbound {
        problems.field("action", |p| p.add("`reference` is for the way to an agent: write `direction: inbound`"));
    }
    let agent = route.agent.as_deref().unwrap_or_default();
    if !is_spiffe_id(agent) {
        let text = "is not a SPIFFE id. Write that of the agent behind this route: `spiffe://trust-domain/path`";
        problems.field("agent", |p| p.add(format!("`{agent}` {text}")));
    }
    Action::Reference(agent.into())
}
