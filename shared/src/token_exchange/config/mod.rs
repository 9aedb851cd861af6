//! Text to [`Policy`].

mod clients;
mod consent;
mod raw;
mod references;
mod routes;
mod servers;

pub use raw::{
    Raw, RawAction, RawActor, RawAgentClaim, RawAnswer, RawAuth, RawCache, RawChain, RawClient, RawClientOf, RawConsent,
    RawEndpoint, RawLimits, RawMethod, RawProfile, RawRoute, RawServer, RawSubject, RawUnmatched, RawWhose,
};
pub use references::{RawPlain, RawReferences};

use super::authority::ChainLimits;
use super::policy::{Action, CacheLimits, Policy};
use crate::config::{ConfigErrors, Decode as _, Problems, parse};
use crate::filter::HostProfile;
use crate::identity::tokens::Tokens;
use crate::identity::{Side, Source};
use crate::policy::{Mode, PolicyId};
use crate::time::Duration;

/// Longest time for which a refusal may be repeated (OA-TE-06).
const MAX_REFUSALS: Duration = Duration::from_secs(10);
/// Most tokens that a worker may keep: each takes some two kilobytes.
const MAX_TOKENS: u32 = 100_000;

/// The JSON Schema of the configuration.
pub fn schema() -> String {
    let title = r#""$schema":"https://json-schema.org/draft/2020-12/schema","title":"Configuration of token-exchange","#;
    Raw::schema().replacen('{', &format!("{{{title}"), 1)
}

impl Policy {
    /// Text to policy, with all problems at once.
    pub fn configure(text: &[u8]) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::new();
        let policy = parse(text, &mut problems).and_then(|(node, digest)| {
            let raw = Raw::decode(&node, &mut problems)?;
            let id = PolicyId { name: raw.name.as_str().into(), digest: digest.into() };
            Some(compile(raw, id, &mut problems))
        });
        match policy {
            Some(policy) if problems.is_empty() => Ok(policy),
            _ => Err(ConfigErrors::new(super::NAME, problems.into_list())),
        }
    }
}

/// The policy that `raw` means. It is only good if no problem was added.
fn compile(raw: Raw, id: PolicyId, problems: &mut Problems) -> Policy {
    let mut warnings = Vec::new();
    if raw.version != 1 {
        problems.field("version", |p| p.add(format!("`{}` is not known. Write 1", raw.version)));
    }
    if raw.identity.claims.is_none() && raw.identity.tokens.is_empty() {
        let text = "without `claims` or `tokens` no token is verified, and none may be exchanged then. Write one of them";
        problems.field("identity", |p| p.add(text));
    }
    if raw.audiences.is_empty() || raw.audiences.iter().any(String::is_empty) {
        let text = "names nobody. Write the `aud` of the tokens that requests bring: no issued token may have it";
        problems.field("audiences", |p| p.add(text));
    }
    if !(1..=8).contains(&raw.chain.depth) {
        problems.field("chain", |p| p.field("depth", |p| p.add("a chain has from 1 to 8 actors")));
    }
    if raw.mode == crate::filter::RawMode::Observe {
        warnings.push(("mode".to_owned(), "every request keeps the token that it brought, wherever it goes"));
    }
    let servers = problems.field("servers", |p| servers::servers(&raw, &mut warnings, p));
    let routes = problems.field("routes", |p| routes::routes(&raw, &mut warnings, p));
    let references = references::references(&raw, &mut warnings, problems);
    problems.field("limits", |p| {
        if raw.limits.max_body_bytes == 0 {
            p.field("maxBodyBytes", |p| p.add("is 0: every call would be refused"));
        }
    });
    problems.field("cache", |problems| {
        if raw.cache.tokens > MAX_TOKENS {
            problems.field("tokens", |p| p.add(format!("{MAX_TOKENS} is the limit: every worker keeps so many")));
        }
        if raw.cache.refusals > MAX_REFUSALS {
            problems.field("refusals", |p| p.add("10s is the limit: what was refused may be granted a moment later"));
        }
    });
    let unmatched = match raw.unmatched {
        RawUnmatched::Deny => Action::Deny,
        RawUnmatched::Strip => Action::Strip,
        RawUnmatched::Passthrough => {
            warnings.push(("unmatched".to_owned(), "tokens go to every destination that no route is for"));
            Action::Passthrough
        }
    };
    let consent = raw.consent.as_ref().map(|consent| problems.field("consent", |p| consent.compile(&raw.servers, p)));
    let audit = raw.audit.compile(super::NAME, problems);
    let (source, tokens, revocation) = problems.field("identity", |problems| {
        let (common, issuers, revocation) = raw.identity.split(problems);
        let tokens = (!issuers.is_empty()).then(|| problems.field("tokens", |p| Tokens::new(&issuers, p)));
        let revocation = revocation.map(|raw| problems.field("revocation", |p| raw.compile(p)));
        let outbound = common.direction == Side::Outbound;
        let source = Source::new(common, None, &[]);
        (if outbound { source.of_received() } else { source }, tokens, revocation)
    });
    Policy {
        id,
        mode: Mode::from(raw.mode),
        host: HostProfile::from(&raw.host_profile),
        audit,
        servers,
        max_body: usize::try_from(raw.limits.max_body_bytes).unwrap_or(usize::MAX),
        unmatched,
        cache: CacheLimits {
            tokens: usize::try_from(raw.cache.tokens).unwrap_or(usize::MAX),
            skew: raw.cache.skew,
            refusals: raw.cache.refusals,
        },
        ours: raw.audiences,
        chain: ChainLimits { depth: usize::try_from(raw.chain.depth).unwrap_or(usize::MAX), known: raw.chain.known },
        consent,
        properties: Policy::read_by(&source, &routes),
        routes,
        source,
        tokens,
        revocation,
        references,
        warnings,
    }
}

/// A path in the configuration, for what is said later than its problems.
fn at(list: &str, index: usize, field: &str) -> String {
    format!("{list}[{index}].{field}")
}

#[cfg(test)]
mod tests;
