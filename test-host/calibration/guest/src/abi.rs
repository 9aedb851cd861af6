//! The host's functions, as far as scripts use them.

use std::alloc::{Layout, alloc};

pub(crate) const PLUGIN_CONFIGURATION: u32 = 7;
pub(crate) const REQUEST_HEADERS: u32 = 0;
pub(crate) const RESPONSE_HEADERS: u32 = 2;
pub(crate) const CALL_HEADERS: u32 = 6;

mod host {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
        pub(super) fn proxy_get_buffer_bytes(kind: u32, start: usize, size: usize, data: *mut *mut u8, got: *mut usize) -> u32;
        pub(super) fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, length: usize) -> u32;
        pub(super) fn proxy_get_header_map_value(
            kind: u32,
            key: *const u8,
            key_size: usize,
            value: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            kind: u32,
            key: *const u8,
            key_size: usize,
            value: *const u8,
            size: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(kind: u32, key: *const u8, key_size: usize) -> u32;
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
        pub(super) fn proxy_http_call(
            cluster: *const u8,
            cluster_size: usize,
            headers: *const u8,
            headers_size: usize,
            body: *const u8,
            body_size: usize,
            trailers: *const u8,
            trailers_size: usize,
            timeout: u32,
            token: *mut u32,
        ) -> u32;
        pub(super) fn proxy_continue_stream(kind: u32) -> u32;
        pub(super) fn proxy_close_stream(kind: u32) -> u32;
        pub(super) fn proxy_set_effective_context(context: u32) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_get_shared_data(
            key: *const u8,
            size: usize,
            value: *mut *mut u8,
            got: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub(super) fn proxy_set_shared_data(key: *const u8, size: usize, value: *const u8, length: usize, cas: u32) -> u32;
        pub(super) fn proxy_get_property(path: *const u8, size: usize, value: *mut *mut u8, got: *mut usize) -> u32;
    }
}

/// Memory that the host fills.
pub(crate) fn allocate(size: usize) -> *mut u8 {
    // SAFETY: the size is not zero; the host writes no more than it asked for.
    Layout::array::<u8>(size.max(1)).map_or(std::ptr::null_mut(), |layout| unsafe { alloc(layout) })
}

/// Takes what the host wrote to memory of ours.
fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host got this memory from `allocate`, which makes it of at least one byte.
    unsafe { Vec::from_raw_parts(data, size, size.max(1)) }
}

pub(crate) fn log(text: &str) {
    // SAFETY: the text lives through the call.
    unsafe { host::proxy_log(2, text.as_ptr(), text.len()) };
}

pub(crate) fn buffer(kind: u32, start: usize, size: usize) -> (u32, Vec<u8>) {
    let (mut data, mut got) = (std::ptr::null_mut(), 0);
    // SAFETY: both results live through the call.
    let status = unsafe { host::proxy_get_buffer_bytes(kind, start, size, &raw mut data, &raw mut got) };
    (status, take(data, got))
}

pub(crate) fn set_buffer(kind: u32, start: usize, size: usize, bytes: &[u8]) -> u32 {
    // SAFETY: the bytes live through the call.
    unsafe { host::proxy_set_buffer_bytes(kind, start, size, bytes.as_ptr(), bytes.len()) }
}

/// A header's value, or the status of asking for it in `<>`.
pub(crate) fn value(kind: u32, name: &str) -> String {
    let (mut data, mut got) = (std::ptr::null_mut(), 0);
    // SAFETY: name and results live through the call.
    let status = unsafe { host::proxy_get_header_map_value(kind, name.as_ptr(), name.len(), &raw mut data, &raw mut got) };
    if status == 0 { String::from_utf8_lossy(&take(data, got)).into_owned() } else { format!("<{status}>") }
}

pub(crate) fn set(kind: u32, name: &str, value: &str) -> u32 {
    // SAFETY: both texts live through the call.
    unsafe { host::proxy_replace_header_map_value(kind, name.as_ptr(), name.len(), value.as_ptr(), value.len()) }
}

pub(crate) fn remove(kind: u32, name: &str) -> u32 {
    // SAFETY: the name lives through the call.
    unsafe { host::proxy_remove_header_map_value(kind, name.as_ptr(), name.len()) }
}

pub(crate) fn respond(status: u32, body: &str) -> u32 {
    let headers = pairs(&[("x-local", "yes")]);
    // SAFETY: all live through the call.
    unsafe {
        host::proxy_send_local_response(
            status,
            b"probe".as_ptr(),
            5,
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    }
}

/// The status, and the number that names the call.
pub(crate) fn call(cluster: &str, timeout: u32) -> (u32, u32) {
    let headers = pairs(&[(":method", "POST"), (":path", "/call"), (":authority", "probe.test")]);
    let mut token = 0;
    // SAFETY: all live through the call.
    let status = unsafe {
        host::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            b"ask".as_ptr(),
            3,
            std::ptr::null(),
            0,
            timeout,
            &raw mut token,
        )
    };
    (status, token)
}

/// What follows is done for this stream.
pub(crate) fn act_for(stream: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { host::proxy_set_effective_context(stream) }
}

pub(crate) fn resume(kind: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { host::proxy_continue_stream(kind) }
}

pub(crate) fn close(kind: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { host::proxy_close_stream(kind) }
}

pub(crate) fn tick_every(milliseconds: u32) {
    // SAFETY: no pointers.
    unsafe { host::proxy_set_tick_period_milliseconds(milliseconds) };
}

/// A property; elements of the path are joined by `|` in scripts.
/// How many VMs of this name have asked, this one included.
pub(crate) fn turn() -> u8 {
    let key = "turn";
    let (mut data, mut got, mut cas) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: key and results live through the call.
    unsafe { host::proxy_get_shared_data(key.as_ptr(), key.len(), &raw mut data, &raw mut got, &raw mut cas) };
    let turn = take(data, got).first().map_or(1, |last| last.saturating_add(1));
    // SAFETY: key and value live through the call.
    unsafe { host::proxy_set_shared_data(key.as_ptr(), key.len(), &raw const turn, 1, cas) };
    turn
}

pub(crate) fn property(path: &str) -> String {
    let path = path.replace('|', "\0");
    let (mut data, mut got) = (std::ptr::null_mut(), 0);
    // SAFETY: path and results live through the call.
    let status = unsafe { host::proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut got) };
    if status == 0 { String::from_utf8_lossy(&take(data, got)).into_owned() } else { format!("<{status}>") }
}

/// Pairs as the ABI wants them: count, sizes, then each text with a zero byte.
fn pairs(all: &[(&str, &str)]) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = number(all.len()).to_vec();
    for (name, value) in all {
        out.extend(number(name.len()));
        out.extend(number(value.len()));
    }
    for (name, value) in all {
        for text in [name, value] {
            out.extend(text.as_bytes());
            out.push(0);
        }
    }
    out
}
