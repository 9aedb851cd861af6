//! proxy-wasm 0.2.1: the calls that a module makes; the callbacks that it exports are in `callbacks.rs`.
//!
//! Nothing here panics. Bytes only. A status is a number, for a host may give any; it becomes an error value.
#![expect(unsafe_code, reason = "calls through a C ABI, exports and memory that the host fills; nowhere else in what ships")]

pub mod callbacks;
#[cfg(any(target_arch = "wasm32", test))]
mod heap;
pub mod memory;

use core::ptr::null_mut;

pub use callbacks::start;

pub use crate::kinds::{Buffer, Callbacks, Grpc, Level, Map, Side, Status};

/// Writes a line to the proxy's log.
pub fn log(level: Level, line: &str) -> Result<(), Status> {
    // SAFETY: pointer and length are those of a live slice; the host only reads it.
    done(unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) })
}

/// Nanoseconds since the Unix epoch.
pub fn now() -> Result<u64, Status> {
    let mut nanos = 0;
    // SAFETY: the host writes one u64 to where the pointer shows.
    done(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) })?;
    Ok(nanos)
}

/// Asks for ticks on the current root.
pub fn set_tick_period(millis: u32) -> Result<(), Status> {
    // SAFETY: plain numbers.
    done(unsafe { proxy_set_tick_period_milliseconds(millis) })
}

/// Up to `size` bytes of a buffer from `start`.
pub fn buffer(buffer: Buffer, start: usize, size: usize) -> Result<Vec<u8>, Status> {
    // SAFETY: `given` hands out two pointers that the host may write to, and owns what it says there.
    given(|data, len| unsafe { proxy_get_buffer_bytes(buffer as u32, start, size, data, len) })
}

/// Puts `with` in the place of the whole buffer.
pub fn replace_buffer(buffer: Buffer, with: &[u8]) -> Result<(), Status> {
    set_buffer(buffer, 0, usize::MAX, with)
}

/// Puts `with` in the place of `size` bytes from `start`. Envoy takes the start or the end, nothing in between.
pub fn set_buffer(buffer: Buffer, start: usize, size: usize, with: &[u8]) -> Result<(), Status> {
    // SAFETY: pointer and length are those of a live slice; the host only reads it.
    done(unsafe { proxy_set_buffer_bytes(buffer as u32, start, size, with.as_ptr(), with.len()) })
}

/// A header map in the form of [`crate::pairs`].
pub fn map(map: Map) -> Result<Vec<u8>, Status> {
    // SAFETY: as in `buffer`.
    given(|data, len| unsafe { proxy_get_header_map_pairs(map as u32, data, len) })
}

/// Sets a header to this one value.
pub fn set_header(map: Map, name: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: pointers and lengths are those of live slices; the host only reads them.
    done(unsafe { proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Removes a header.
pub fn remove_header(map: Map, name: &[u8]) -> Result<(), Status> {
    // SAFETY: pointer and length are those of a live slice; the host only reads it.
    done(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// A host property; segments of the path are joined with NUL.
pub fn property(path: &[u8]) -> Result<Vec<u8>, Status> {
    // SAFETY: a live slice to read, and as in `buffer`.
    given(|data, len| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, len) })
}

/// Sets a host property; in Envoy this is filter state `wasm.<path>`.
pub fn set_property(path: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: pointers and lengths are those of live slices; the host only reads them.
    done(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// A value that all VMs share, and its version.
pub fn shared_data(key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
    let mut cas = 0;
    // SAFETY: a live slice to read, one u32 to write, and as in `buffer`.
    let value = given(|data, len| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, len, &raw mut cas) })?;
    Ok((value, cas))
}

/// Writes a value that all VMs share; `cas` 0 writes whatever is there.
pub fn set_shared_data(key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
    // SAFETY: pointers and lengths are those of live slices; the host only reads them.
    done(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

/// Lets a paused direction go on.
pub fn resume(side: Side) -> Result<(), Status> {
    // SAFETY: plain numbers.
    done(unsafe { proxy_continue_stream(side as u32) })
}

/// Resets the exchange.
pub fn close(side: Side) -> Result<(), Status> {
    // SAFETY: plain numbers.
    done(unsafe { proxy_close_stream(side as u32) })
}

/// Answers the client. `headers` is in the form of [`crate::pairs`].
pub fn respond(status: u16, details: &[u8], headers: &[u8], body: &[u8]) -> Result<(), Status> {
    // SAFETY: pointers and lengths are those of live slices; the host only reads them. -1: no gRPC status.
    done(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    })
}

/// Makes an HTTP call; the token names it. `headers` is in the form of [`crate::pairs`].
pub fn http_call(cluster: &[u8], headers: &[u8], body: &[u8], millis: u32) -> Result<u32, Status> {
    let mut token = 0;
    let no_trailers = [0; 4];
    // SAFETY: pointers and lengths are those of live slices that the host only reads; it writes one u32.
    done(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            no_trailers.as_ptr(),
            no_trailers.len(),
            millis,
            &raw mut token,
        )
    })?;
    Ok(token)
}

/// Makes a gRPC call; the token names it.
pub fn grpc_call(call: Grpc<'_>) -> Result<u32, Status> {
    let mut token = 0;
    let no_metadata = [0; 4];
    // SAFETY: pointers and lengths are those of live slices that the host only reads; it writes one u32.
    done(unsafe {
        proxy_grpc_call(
            call.cluster.as_ptr(),
            call.cluster.len(),
            call.service.as_ptr(),
            call.service.len(),
            call.method.as_ptr(),
            call.method.len(),
            no_metadata.as_ptr(),
            no_metadata.len(),
            call.message.as_ptr(),
            call.message.len(),
            call.millis,
            &raw mut token,
        )
    })?;
    Ok(token)
}

/// Which context the next calls are about.
pub fn set_effective_context(id: u32) -> Result<(), Status> {
    // SAFETY: plain numbers.
    done(unsafe { proxy_set_effective_context(id) })
}

/// Calls a function that only some hosts have.
pub fn foreign(name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status> {
    // SAFETY: live slices to read, and as in `buffer`.
    given(|data, len| unsafe {
        proxy_call_foreign_function(name.as_ptr(), name.len(), arguments.as_ptr(), arguments.len(), data, len)
    })
}

/// Defines a counter; the number names it.
pub fn define_counter(name: &[u8]) -> Result<u32, Status> {
    let mut id = 0;
    // SAFETY: a live slice to read, one u32 to write. 0: a counter.
    done(unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds to a counter.
pub fn increment(counter: u32, by: i64) -> Result<(), Status> {
    // SAFETY: plain numbers.
    done(unsafe { proxy_increment_metric(counter, by) })
}

/// Fills `into` with random bytes.
pub fn random(into: &mut [u8]) -> Result<(), Status> {
    // SAFETY: pointer and length are those of a live, exclusive slice.
    done(unsafe { random_get(into.as_mut_ptr(), into.len()) })
}

/// The environment that the proxy lends to this VM: `NAME=value`, each with a NUL behind it.
pub fn environment() -> Result<Vec<u8>, Status> {
    let (mut count, mut size) = (0_usize, 0_usize);
    // SAFETY: the host writes two numbers to where the pointers show.
    done(unsafe { environ_sizes_get(&raw mut count, &raw mut size) })?;
    if count > ENVIRONMENT || size > ENVIRONMENT {
        return Err(Status::MALFORMED);
    }
    let (mut places, mut text) = (vec![0_usize; count], vec![0; size]);
    // SAFETY: the host fills two live, exclusive slices of the very sizes that it has just named.
    done(unsafe { environ_get(places.as_mut_ptr(), text.as_mut_ptr()) })?;
    Ok(text)
}

/// Most variables, and most bytes of them, that are read.
const ENVIRONMENT: usize = 1 << 20;

fn done(status: u32) -> Result<(), Status> {
    if Status(status) == Status::OK { Ok(()) } else { Err(Status(status)) }
}

/// Takes over what the host has allocated and filled.
fn given(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
    let (mut data, mut size) = (null_mut(), 0);
    let status = done(call(&raw mut data, &raw mut size));
    if data.is_null() {
        return status.and(if size == 0 { Ok(Vec::new()) } else { Err(Status::MALFORMED) });
    }
    // SAFETY: the ABI says that such memory comes from `proxy_on_memory_allocate` with this very size, is initialized, and
    // is ours from now on.
    let bytes = unsafe { Vec::from_raw_parts(data, size, size) };
    status.map(|()| bytes)
}

macro_rules! imports {
    ($($module:literal { $(fn $name:ident($($argument:ident: $type:ty),*);)+ })+) => {
        $(#[cfg(target_arch = "wasm32")]
        #[link(wasm_import_module = $module)]
        unsafe extern "C" {
            $(fn $name($($argument: $type),*) -> u32;)+
        })+

        /// Off a proxy no call is there; this lets everything else be compiled and tested natively.
        #[cfg(not(target_arch = "wasm32"))]
        #[expect(clippy::too_many_arguments, reason = "the ABI has that many")]
        mod absent {
            $($(pub(super) unsafe fn $name($(_: $type),*) -> u32 {
                super::Status::UNIMPLEMENTED.0
            })+)+
        }
        #[cfg(not(target_arch = "wasm32"))]
        use absent::*;
    };
}

imports! { "env" {
    fn proxy_call_foreign_function(
        name: *const u8, name_size: usize, arguments: *const u8, arguments_size: usize, data: *mut *mut u8, size: *mut usize
    );
    fn proxy_close_stream(side: u32);
    fn proxy_continue_stream(side: u32);
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32);
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize);
    fn proxy_get_current_time_nanoseconds(nanos: *mut u64);
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize);
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize);
    fn proxy_get_shared_data(key: *const u8, key_size: usize, data: *mut *mut u8, size: *mut usize, cas: *mut u32);
    fn proxy_grpc_call(
        cluster: *const u8, cluster_size: usize, service: *const u8, service_size: usize, method: *const u8,
        method_size: usize, metadata: *const u8, metadata_size: usize, message: *const u8, message_size: usize,
        millis: u32, token: *mut u32
    );
    fn proxy_http_call(
        cluster: *const u8, cluster_size: usize, headers: *const u8, headers_size: usize, body: *const u8,
        body_size: usize, trailers: *const u8, trailers_size: usize, millis: u32, token: *mut u32
    );
    fn proxy_increment_metric(id: u32, by: i64);
    fn proxy_log(level: u32, line: *const u8, line_size: usize);
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize);
    fn proxy_replace_header_map_value(map: u32, name: *const u8, name_size: usize, value: *const u8, value_size: usize);
    fn proxy_send_local_response(
        status: u32, details: *const u8, details_size: usize, body: *const u8, body_size: usize, headers: *const u8,
        headers_size: usize, grpc_status: i32
    );
    fn proxy_set_buffer_bytes(buffer: u32, start: usize, size: usize, data: *const u8, data_size: usize);
    fn proxy_set_effective_context(id: u32);
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize);
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32);
    fn proxy_set_tick_period_milliseconds(millis: u32);
}
"wasi_snapshot_preview1" {
    fn environ_get(places: *mut usize, text: *mut u8);
    fn environ_sizes_get(count: *mut usize, size: *mut usize);
    fn random_get(into: *mut u8, size: usize);
} }
