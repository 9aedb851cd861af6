//! Does to a proxy-wasm host what a script says, and writes down what the host does back.
//!
//! It stands directly on the ABI, without adapter, core and SDK: it must be able to do what those never would. The
//! configuration is the script: `{"cluster": "probe", "on": {"requestHeaders": ["set x-a 1", "pause"]}}`. Every callback and
//! every action with its status is a line in the log.
#![expect(unsafe_code, reason = "the ABI is raw pointers")]
#![cfg(target_arch = "wasm32")]

mod abi;
mod script;

use script::Place;

const CONTINUE: u32 = 0;

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    abi::allocate(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(_context: u32, _parent: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_context: u32, _size: usize) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(_context: u32, size: usize) -> bool {
    script::load(&abi::buffer(abi::PLUGIN_CONFIGURATION, 0, size).1)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(_context: u32) {
    script::run(Place::Tick);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _count: u32, end: bool) -> u32 {
    abi::log(&format!("request headers{}", script::last(end)));
    script::run(Place::RequestHeaders)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(_context: u32, size: usize, end: bool) -> u32 {
    abi::log(&format!("request body {size}{}", script::last(end)));
    script::run(if end { Place::RequestBodyEnd } else { Place::RequestBody })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(_context: u32, count: u32) -> u32 {
    abi::log(&format!("request trailers {count}"));
    script::run(Place::RequestTrailers)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(_context: u32, _count: u32, end: bool) -> u32 {
    abi::log(&format!("response headers {}{}", abi::value(abi::RESPONSE_HEADERS, ":status"), script::last(end)));
    script::run(Place::ResponseHeaders)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(_context: u32, size: usize, end: bool) -> u32 {
    abi::log(&format!("response body {size}{}", script::last(end)));
    script::run(if end { Place::ResponseBodyEnd } else { Place::ResponseBody })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(_context: u32, count: u32) -> u32 {
    abi::log(&format!("response trailers {count}"));
    script::run(Place::ResponseTrailers)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(_context: u32, _call: u32, headers: u32, body: usize, trailers: u32) {
    let status = abi::value(abi::CALL_HEADERS, ":status");
    let none = if headers == 0 { " no headers" } else { "" };
    abi::log(&format!("callout {status}{none} body {body} trailers {trailers}"));
    script::run(Place::Callout);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(context: u32) -> bool {
    if context != 1 {
        abi::log("done");
    }
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(_context: u32) {
    abi::log("log");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    if context != 1 {
        abi::log("delete");
    }
}
