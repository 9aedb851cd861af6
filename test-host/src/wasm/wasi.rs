//! The calls of `wasi_snapshot_preview1` that Rust modules make; Envoy has these too, and no files.

use wasmtime::{Caller, Linker};

use super::memory::{slice, view, write, write_u32};
use super::state::State;
use crate::host::Status;

type C<'a> = Caller<'a, State>;

// wasi_snapshot_preview1, `errno`.
const OK: u32 = 0;
const BAD_FILE: u32 = 8;
const FAULT: u32 = 21;
const IO: u32 = 29;
/// Level `error` of the ABI's log.
const ERROR: u32 = 4;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let module = "wasi_snapshot_preview1";
    linker.func_wrap(module, "environ_sizes_get", |mut c: C<'_>, count: u32, size: u32| {
        errno(view(&mut c).map_err(|_| Status::INTERNAL_FAILURE).and_then(|(memory, state)| {
            state.host.check("environ_sizes_get")?;
            write_u32(memory, count, state.environment.len() as u32)?;
            write_u32(memory, size, state.environment.iter().map(Vec::len).sum::<usize>() as u32)
        }))
    })?;
    linker.func_wrap(module, "environ_get", |mut c: C<'_>, places: u32, text: u32| {
        errno(view(&mut c).map_err(|_| Status::INTERNAL_FAILURE).and_then(|(memory, state)| {
            state.host.check("environ_get")?;
            let (mut place, mut at) = (places, text);
            for variable in &state.environment {
                write_u32(memory, place, at)?;
                write(memory, at, variable)?;
                place += 4;
                at += variable.len() as u32;
            }
            Ok(())
        }))
    })?;
    linker.func_wrap(module, "args_sizes_get", |mut c: C<'_>, count: u32, size: u32| {
        errno(view(&mut c).map_err(|_| Status::INTERNAL_FAILURE).and_then(|(memory, _)| {
            write_u32(memory, count, 0)?;
            write_u32(memory, size, 0)
        }))
    })?;
    linker.func_wrap(module, "args_get", |_: C<'_>, _: u32, _: u32| OK)?;
    linker.func_wrap(module, "clock_time_get", |mut c: C<'_>, _clock: u32, _precision: u64, out: u32| {
        errno(view(&mut c).map_err(|_| Status::INTERNAL_FAILURE).and_then(|(memory, state)| {
            state.host.check("clock_time_get")?;
            write(memory, out, &state.host.now().to_le_bytes())
        }))
    })?;
    linker.func_wrap(module, "random_get", |mut c: C<'_>, out: u32, size: u32| {
        errno(view(&mut c).map_err(|_| Status::INTERNAL_FAILURE).and_then(|(memory, state)| {
            state.host.check("random_get")?;
            slice(memory, out, size)?;
            let mut bytes = vec![0; size as usize];
            state.random.fill(&mut bytes);
            write(memory, out, &bytes)
        }))
    })?;
    linker.func_wrap(module, "fd_write", |mut c: C<'_>, file: u32, parts: u32, count: u32, written: u32| {
        if !matches!(file, 1 | 2) {
            return BAD_FILE;
        }
        errno(view(&mut c).map_err(|_| Status::INTERNAL_FAILURE).and_then(|(memory, state)| {
            let total = print(memory, state, parts, count)?;
            write_u32(memory, written, total)
        }))
    })?;
    for name in ["fd_close", "fd_fdstat_get", "fd_prestat_get"] {
        if name == "fd_close" {
            linker.func_wrap(module, name, |_: C<'_>, _: u32| BAD_FILE)?;
        } else {
            linker.func_wrap(module, name, |_: C<'_>, _: u32, _: u32| BAD_FILE)?;
        }
    }
    linker.func_wrap(module, "sched_yield", |_: C<'_>| OK)?;
    linker.func_wrap(module, "proc_exit", |_: C<'_>, code: u32| -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(format!("the module exited with {code}")))
    })?;
    Ok(())
}

/// Whole lines go to the log.
fn print(memory: &[u8], state: &mut State, parts: u32, count: u32) -> Result<u32, Status> {
    let mut total = 0;
    for index in 0..count {
        let part = slice(memory, parts.saturating_add(index.saturating_mul(8)), 8)?;
        let word = |at: usize| part.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes);
        let bytes = slice(memory, word(0), word(4))?;
        state.output.extend_from_slice(bytes);
        total += bytes.len() as u32;
    }
    while let Some(end) = state.output.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = state.output.drain(..=end).collect();
        let _not_the_module_s_own_call = state.host.log(ERROR, String::from_utf8_lossy(&line).trim_end());
    }
    Ok(total)
}

fn errno(done: Result<(), Status>) -> u32 {
    match done {
        Ok(()) => OK,
        Err(Status::INVALID_MEMORY_ACCESS) => FAULT,
        Err(_) => IO,
    }
}
