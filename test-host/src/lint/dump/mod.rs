//! What of a running proxy keeps a plugin from doing its work (F25): Envoy's `/config_dump`, which shows what manifests came to.
//!
//! Only what a dump shows is said: that a cluster is missing, not that a service behind it is down.

mod callouts;
mod chain;
mod delivery;
mod destination;
mod guard;
mod identity;
mod leads;
mod mirrors;
mod records;
mod routes;
mod standing;
mod switched;

use std::path::Path;

use super::finding::Finding;
use super::manifest::Known;
use super::spot::Spot;
use chain::Dump;
use leads::Leads;

/// A file that is no `config_dump`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoDump {
    /// It is not JSON.
    #[error("is not JSON: {0}")]
    Json(String),
    /// It has not what a dump has.
    #[error("is no config_dump: there is no `configs` with listeners; ask the admin port for /config_dump without a mask")]
    Other,
}

/// The number of HTTP chains that were looked at, and what was found in them.
pub fn lint_dump(file: &Path, text: &str, plugins: &[Known]) -> Result<(usize, Vec<Finding>), NoDump> {
    let root = serde_json::from_str(text).map_err(|error| NoDump::Json(error.to_string()))?;
    let dump = Dump::read(Spot::root(&root), plugins).ok_or(NoDump::Other)?;
    let mut found = Found { file, findings: Vec::new() };
    standing::check(&dump, &mut found);
    for chain in &dump.chains {
        identity::check_chain(chain, &mut found);
        guard::check(chain, &mut found);
        switched::check(&dump, chain, &mut found);
        for (index, filter) in chain.filters.iter().enumerate() {
            let Some(plugin) = &filter.plugin else { continue };
            delivery::check(chain, filter, plugin, plugins, &mut found);
            identity::check(chain, index, filter, plugin, &mut found);
            callouts::check(&dump, plugin, &chain.says(filter), &mut found);
            routes::check(&dump, plugin, &chain.says(filter), &mut found);
            if !plugin.exchanging().is_empty() {
                let leads = Leads::of(&dump, chain);
                mirrors::check(&leads, chain, filter, &mut found);
                destination::check(&leads, chain, filter, plugin, &mut found);
            }
            records::check(&dump, chain, index, filter, plugin, &mut found);
        }
    }
    let mut findings = found.findings;
    findings.sort_by(|a, b| (&a.path, a.check.id(), &a.object).cmp(&(&b.path, b.check.id(), &b.object)));
    // An extension that many chains share is told of once.
    findings.dedup_by(|a, b| (&a.path, a.check, &a.text) == (&b.path, b.check, &b.text));
    Ok((dump.chains.len(), findings))
}

/// What was found in one file.
struct Found<'f> {
    file: &'f Path,
    findings: Vec<Finding>,
}

impl Found<'_> {
    fn add(&mut self, check: super::Check, object: &str, path: &str, text: impl Into<String>, fix: impl Into<String>) {
        self.findings.push(Finding {
            check,
            file: self.file.to_owned(),
            place: None,
            path: path.to_owned(),
            object: object.to_owned(),
            text: text.into(),
            fix: fix.into(),
        });
    }
}
