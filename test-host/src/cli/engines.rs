//! The engines by name.

use clap::ValueEnum;

use super::plugins;
use crate::engine::{Engine, EngineError};
use crate::envoy::Envoy;
use crate::host::Manners;
use crate::scenario::run::Engines;
use crate::wasm::Wasm;

/// An engine on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum EngineName {
    /// The core in process
    Native,
    /// The compiled plugin in wasmtime, under a strict model of Envoy
    Wasm,
    /// A real Envoy
    Envoy,
    /// All three
    All,
}

impl EngineName {
    /// The engines that a list of names means, each once.
    pub fn expand(names: &[Self]) -> Vec<&'static str> {
        let all = [(Self::Native, "native"), (Self::Wasm, "wasm"), (Self::Envoy, "envoy")];
        let is_meant = |engine: &Self| names.contains(engine) || names.contains(&Self::All);
        all.iter().filter(|(engine, _)| is_meant(engine)).map(|(_, name)| *name).collect()
    }
}

/// The engines of this program.
#[derive(Clone, Copy, Debug)]
pub struct Real;

impl Engines for Real {
    fn make(&self, name: &'static str) -> Result<Box<dyn Engine>, EngineError> {
        match name {
            "native" => Ok(Box::new(plugins::native())),
            "wasm" => Ok(Box::new(Wasm::new(None, Manners::default()))),
            "envoy" => Ok(Box::new(Envoy::new()?)),
            other => Err(EngineError(anyhow::anyhow!("there is no engine `{other}`"))),
        }
    }
}
