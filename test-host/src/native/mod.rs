//! The engine `native`: the core's own machine in process, on the model of Envoy.

mod calls;
mod driver;
mod records;
mod services;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::anyhow;
use wardpoint_core::filter::{Plugin, Root};
use wardpoint_core::secret::Secret;

use crate::engine::{Engine, EngineError, Need, Play};
use crate::host::{self, End, FilterEnd, Host, Manners, Shared};
use crate::transcript::Transcript;
use driver::Driver;

/// Plays with plugins that are linked in. Every play has a VM of its own.
pub struct Native {
    plugins: BTreeMap<&'static str, Start>,
    manners: Manners,
}

type Start = fn(&Play) -> Result<(Box<dyn FilterEnd>, Host), EngineError>;

impl Native {
    /// Without any plugin.
    pub fn new(manners: Manners) -> Self {
        Self { plugins: BTreeMap::new(), manners }
    }

    /// With one more plugin.
    #[must_use]
    pub fn with<P: Plugin + 'static>(mut self) -> Self {
        self.plugins.insert(P::NAME, start::<P>);
        self
    }
}

impl Engine for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn offers(&self, need: Need) -> bool {
        // No memory of its own that could be killed, and one VM only.
        !matches!(need, Need::Kill | Need::Vms)
    }

    fn has(&self, plugin: &str) -> bool {
        self.plugins.contains_key(plugin)
    }

    fn run(&mut self, play: &Play) -> Result<Transcript, EngineError> {
        let (mut filter, mut host) = self.start(play)?;
        let provider = host::provider(&play.config);
        let Some(behind) = play.behind() else {
            return Ok(host::play_all(&mut *filter, &mut host, play, &provider, self.manners));
        };
        let (mut next, mut seen_by_next) = self.start(&behind)?;
        let ends: [End<'_>; 2] = [(&mut *filter, &mut host), (&mut *next, &mut seen_by_next)];
        Ok(host::play_chain(ends, play, &behind, &provider, self.manners))
    }
}

impl Native {
    fn start(&self, play: &Play) -> Result<(Box<dyn FilterEnd>, Host), EngineError> {
        let start = self.plugins.get(play.plugin.as_str());
        start.ok_or_else(|| anyhow!("no plugin `{}` is linked into this program", play.plugin))?(play)
    }
}

fn start<P: Plugin + 'static>(play: &Play) -> Result<(Box<dyn FilterEnd>, Host), EngineError> {
    let variable = |name: &str| play.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let root = if P::SECRETS {
        Root::<P>::equipped(&play.config, &mut |name| variable(name).map(Secret::new))
    } else {
        Root::<P>::configure(&play.config)
    };
    let root = root.map_err(anyhow::Error::from)?;
    let mut host = Host::new(&play.config, Rc::new(RefCell::new(Shared::default())));
    let driver = Driver::new(root, &mut host);
    let driver = driver.map_err(|status| anyhow!("the host refuses ticks: {status:?}"))?;
    Ok((Box::new(driver), host))
}
