//! The engine `wasm`: the very module that ships, in wasmtime, on the model of Envoy.

mod imports;
mod memory;
mod module;
mod state;
mod vm;
mod wasi;
mod worker;

use std::collections::HashMap;
use std::path::PathBuf;

pub use module::Compiled;
pub use vm::{Cost, Vm};
pub use worker::{OnTrap, Worker};

use crate::engine::{Engine, EngineError, Need, Play};
use crate::host::Manners;
use crate::transcript::Transcript;

/// Names the directory with `<plugin>.wasm`.
const DIRECTORY: &str = "WARDPOINT_PLUGINS";
/// How many VMs are kept; beyond it all are given up.
const VMS: usize = 64;

/// Plays with compiled plugins. A VM is kept for its configuration and put back to its start before each play.
pub struct Wasm {
    directory: PathBuf,
    manners: Manners,
    modules: HashMap<String, Compiled>,
    vms: HashMap<Key, Vm>,
}

/// Plugin, configuration and environment.
type Key = (String, Vec<u8>, Vec<(String, String)>);

impl Wasm {
    /// With the modules of a directory; that of `WARDPOINT_PLUGINS`, or `target/plugins`, if none is named.
    pub fn new(directory: Option<PathBuf>, manners: Manners) -> Self {
        let directory = directory
            .or_else(|| std::env::var_os(DIRECTORY).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("target/plugins"));
        Self { directory, manners, modules: HashMap::new(), vms: HashMap::new() }
    }

    /// A compiled plugin.
    pub fn module(&mut self, plugin: &str) -> Result<&Compiled, EngineError> {
        if !self.modules.contains_key(plugin) {
            self.modules.insert(plugin.to_owned(), Compiled::load(&self.directory, plugin)?);
        }
        self.modules.get(plugin).ok_or_else(|| anyhow::anyhow!("no plugin `{plugin}`").into())
    }
}

impl Engine for Wasm {
    fn name(&self) -> &'static str {
        "wasm"
    }

    fn offers(&self, _: Need) -> bool {
        true
    }

    fn run(&mut self, play: &Play) -> Result<Transcript, EngineError> {
        let mut vm = self.take(play)?;
        let transcript = match play.behind() {
            None => vm.play(play, self.manners),
            Some(behind) => {
                let mut next = self.take(&behind)?;
                let seen = vm.play_before(&mut next, play, &behind, self.manners);
                self.keep(&behind, next);
                seen
            }
        };
        self.keep(play, vm);
        Ok(transcript)
    }
}

impl Wasm {
    /// A VM as it is after its configuration.
    fn take(&mut self, play: &Play) -> Result<Vm, EngineError> {
        let kept = self.vms.remove(&key(play)).and_then(|mut vm| vm.rewind().then_some(vm));
        match kept {
            Some(vm) => Ok(vm),
            None => Ok(Vm::start_in(self.module(&play.plugin)?, &play.config, Default::default(), &play.environment)?),
        }
    }

    fn keep(&mut self, play: &Play, vm: Vm) {
        if vm.is_dead() {
            return;
        }
        if self.vms.len() >= VMS {
            self.vms.clear();
        }
        self.vms.insert(key(play), vm);
    }
}

fn key(play: &Play) -> Key {
    (play.plugin.clone(), play.config.clone(), play.environment.clone())
}
