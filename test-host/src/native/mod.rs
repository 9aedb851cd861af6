//! The engine `native`: the core's own machine in process, on the model of Envoy.

mod driver;
mod services;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::anyhow;
use wardpoint_core::filter::{Plugin, Root};
use wardpoint_core::secret::Secret;

use crate::engine::{Engine, EngineError, Need, Play};
use crate::host::{self, Host, Manners, Shared};
use crate::transcript::Transcript;
use driver::Driver;

/// Plays with plugins that are linked in. Every play has a VM of its own.
pub struct Native {
    plugins: BTreeMap<&'static str, Run>,
    manners: Manners,
}

type Run = fn(&Play, Manners) -> Result<Transcript, EngineError>;

impl Native {
    /// Without any plugin.
    pub fn new(manners: Manners) -> Self {
        Self { plugins: BTreeMap::new(), manners }
    }

    /// With one more plugin.
    #[must_use]
    pub fn with<P: Plugin>(mut self) -> Self {
        self.plugins.insert(P::NAME, run::<P>);
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
        let run = self.plugins.get(play.plugin.as_str());
        let run = run.ok_or_else(|| anyhow!("no plugin `{}` is linked into this program", play.plugin))?;
        run(play, self.manners)
    }
}

fn run<P: Plugin>(play: &Play, manners: Manners) -> Result<Transcript, EngineError> {
    let variable = |name: &str| play.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let root = if P::SECRETS {
        Root::<P>::equipped(&play.config, &mut |name| variable(name).map(Secret::new))
    } else {
        Root::<P>::configure(&play.config)
    };
    let root = root.map_err(anyhow::Error::from)?;
    let mut host = Host::new(&play.config, Rc::new(RefCell::new(Shared::default())));
    let driver = Driver::new(root, &mut host);
    let mut driver = driver.map_err(|status| anyhow!("the host refuses ticks: {status:?}"))?;
    Ok(host::play_all(&mut driver, &mut host, play, &host::provider(&play.config), manners))
}
