//! Bytes to and from the module, every pointer checked.

use wasmtime::{Caller, Memory};

use super::state::State;
use crate::host::{Map, Status};

/// How a host call ends badly: with a status for the module, or with the VM (its allocator trapped).
pub(super) enum Fail {
    Status(Status),
    Trap(wasmtime::Error),
}

pub(super) type Done = Result<(), Fail>;

impl From<Status> for Fail {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// What the module gets.
pub(super) fn to_abi(done: Done) -> wasmtime::Result<u32> {
    match done {
        Ok(()) => Ok(0),
        Err(Fail::Status(status)) => Ok(status.0),
        Err(Fail::Trap(error)) => Err(error),
    }
}

/// The module's memory and the host's state at once.
pub(super) fn view<'a>(caller: &'a mut Caller<'_, State>) -> Result<(&'a mut [u8], &'a mut State), Fail> {
    let memory: Memory = caller.data().memory.ok_or(Status::INTERNAL_FAILURE)?;
    Ok(memory.data_and_store_mut(caller))
}

pub(super) fn slice(memory: &[u8], at: u32, length: u32) -> Result<&[u8], Status> {
    let (at, length) = (at as usize, length as usize);
    memory.get(at..at + length).ok_or(Status::INVALID_MEMORY_ACCESS)
}

pub(super) fn text(memory: &[u8], at: u32, length: u32) -> Result<String, Status> {
    Ok(String::from_utf8_lossy(slice(memory, at, length)?).into_owned())
}

pub(super) fn block(memory: &[u8], at: u32, length: u32) -> Result<Map, Status> {
    Map::from_block(slice(memory, at, length)?)
}

pub(super) fn write(memory: &mut [u8], at: u32, bytes: &[u8]) -> Result<(), Status> {
    let at = at as usize;
    memory.get_mut(at..at + bytes.len()).ok_or(Status::INVALID_MEMORY_ACCESS)?.copy_from_slice(bytes);
    Ok(())
}

pub(super) fn write_u32(memory: &mut [u8], at: u32, value: u32) -> Result<(), Status> {
    write(memory, at, &value.to_le_bytes())
}

/// Hands bytes to the module, in memory from its own allocator; no bytes are a null pointer.
pub(super) fn give(caller: &mut Caller<'_, State>, bytes: &[u8], data: u32, size: u32) -> Done {
    let mut at = 0;
    if !bytes.is_empty() {
        let allocate = caller.data().allocate.clone().ok_or(Status::INTERNAL_FAILURE)?;
        at = allocate.call(&mut *caller, bytes.len() as u32).map_err(Fail::Trap)?;
        if at == 0 {
            return Err(Status::INVALID_MEMORY_ACCESS.into());
        }
    }
    let (memory, _) = view(caller)?;
    write(memory, at, bytes)?;
    write_u32(memory, data, at)?;
    write_u32(memory, size, bytes.len() as u32)?;
    Ok(())
}
