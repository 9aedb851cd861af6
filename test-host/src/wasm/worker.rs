//! A worker of a proxy: a VM that serves one exchange after the other, and what happens when it traps.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Compiled, Vm};
use crate::engine::{EngineError, Play};
use crate::host::{Manners, Shared};
use crate::transcript::Transcript;

/// Envoy's `failure_policy` (`envoy-istio` 4.5). `FAIL_OPEN` is not for a policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnTrap {
    /// `FAIL_CLOSED`: every later request is answered 503.
    Closed,
    /// `FAIL_RELOAD`: the next request finds a new VM. What VMs share stays.
    Reload,
}

/// One worker. Several with one [`Shared`] are the workers of one proxy.
pub struct Worker {
    module: Compiled,
    config: Vec<u8>,
    shared: Rc<RefCell<Shared>>,
    on_trap: OnTrap,
    vm: Vm,
}

impl Worker {
    /// Starts and configures its VM.
    pub fn start(module: Compiled, config: &[u8], shared: Rc<RefCell<Shared>>, on_trap: OnTrap) -> Result<Self, EngineError> {
        let vm = Vm::start(&module, config, shared.clone())?;
        Ok(Self { module, config: config.to_vec(), shared, on_trap, vm })
    }

    /// The next exchange, on the VM as the last one left it.
    pub fn play(&mut self, play: &Play, manners: Manners) -> Result<Transcript, EngineError> {
        if self.vm.is_dead() && self.on_trap == OnTrap::Reload {
            self.reload()?;
        }
        Ok(self.vm.play(play, manners))
    }

    /// A new VM, as after a change of configuration. What VMs share stays.
    pub fn reload(&mut self) -> Result<(), EngineError> {
        self.vm = Vm::start(&self.module, &self.config, self.shared.clone())?;
        Ok(())
    }

    /// Its VM.
    pub fn vm(&self) -> &Vm {
        &self.vm
    }
}
