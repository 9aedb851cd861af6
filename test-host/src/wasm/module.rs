//! Modules: found, compiled once a process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use wasmtime::{Config, Engine, InstancePre, Linker, Module, OptLevel};

use super::state::State;
use super::{imports, wasi};

/// A compiled module, its imports resolved, and where its stack ends.
#[derive(Clone)]
pub struct Compiled {
    pub(super) ready: InstancePre<State>,
    /// First byte of memory that outlives a callback: below lies the stack.
    pub(super) lasting: usize,
}

static ENGINE: LazyLock<Result<Engine, String>> = LazyLock::new(|| {
    let mut config = Config::new();
    config.consume_fuel(true).cranelift_opt_level(OptLevel::Speed);
    Engine::new(&config).map_err(|error| format!("{error:?}"))
});

static MODULES: LazyLock<Mutex<HashMap<PathBuf, Module>>> = LazyLock::new(Mutex::default);

impl Compiled {
    /// The module in `dir` of that plugin: `<plugin>.wasm`.
    pub fn load(dir: &Path, plugin: &str) -> anyhow::Result<Self> {
        let path = dir.join(format!("{plugin}.wasm"));
        let bytes = std::fs::read(&path).with_context(|| format!("no module for the plugin `{plugin}` at {}", path.display()))?;
        let known = MODULES.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        let module = match known {
            Some(module) => module,
            None => {
                let module = compile(&bytes).with_context(|| format!("{} cannot be compiled", path.display()))?;
                MODULES.lock().unwrap_or_else(PoisonError::into_inner).insert(path, module.clone());
                module
            }
        };
        Self::link(&module, &bytes)
    }

    /// From the bytes, or the text, of a module.
    pub fn from_bytes(bytes: &[u8]) -> anyhow::Result<Self> {
        Self::link(&compile(bytes)?, bytes)
    }

    fn link(module: &Module, bytes: &[u8]) -> anyhow::Result<Self> {
        let mut linker = Linker::new(module.engine());
        let ready = imports::define(&mut linker)
            .and_then(|()| wasi::define(&mut linker))
            // An import that the host does not have ends the VM when it is called, not before.
            .and_then(|()| linker.define_unknown_imports_as_traps(module))
            .and_then(|()| linker.instantiate_pre(module));
        Ok(Self { ready: ready.map_err(|error| anyhow!("{error:?}"))?, lasting: lasting(bytes).unwrap_or(0) })
    }
}

fn compile(bytes: &[u8]) -> anyhow::Result<Module> {
    let engine = ENGINE.as_ref().map_err(|error| anyhow!("{error}"))?;
    Module::new(engine, bytes).map_err(|error| anyhow!("{error:?}"))
}

/// Where the stack ends, if it lies first in memory as `wasm-ld --stack-first` puts it: the initial value of the first global,
/// with all data behind it. `None`: not so, or not understood; then all of memory counts.
fn lasting(bytes: &[u8]) -> Option<usize> {
    let mut top = None;
    let mut at = 8;
    while at < bytes.len() {
        let id = *bytes.get(at)?;
        at += 1;
        let size = leb(bytes, &mut at)?;
        let end = at.checked_add(usize::try_from(size).ok()?)?;
        let mut inside = at;
        match id {
            // globals: count, then type i32, mutable, i32.const
            6 if leb(bytes, &mut inside)? > 0 && bytes.get(inside..inside + 3)? == [0x7F, 0x01, 0x41] => {
                inside += 3;
                top = usize::try_from(leb(bytes, &mut inside)?).ok();
            }
            // data: count, then (flags 0, i32.const, end, bytes)
            11 => {
                for _ in 0..leb(bytes, &mut inside)? {
                    if leb(bytes, &mut inside)? != 0 || *bytes.get(inside)? != 0x41 {
                        return None;
                    }
                    inside += 1;
                    let offset = usize::try_from(leb(bytes, &mut inside)?).ok()?;
                    if *bytes.get(inside)? != 0x0B || offset < top? {
                        return None;
                    }
                    inside += 1;
                    let length = leb(bytes, &mut inside)?;
                    inside = inside.checked_add(usize::try_from(length).ok()?)?;
                }
            }
            _ => {}
        }
        at = end;
    }
    top
}

/// A LEB128 number. Signed ones are read as they are as long as they are not negative; others fail the checks above.
fn leb(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
