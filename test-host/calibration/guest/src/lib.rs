//! Does to a proxy-wasm host what a script says, and writes down what the host does back.
//!
//! It stands directly on the ABI, without adapter, core and SDK: it must be able to do what those never would. The
//! configuration is the script: `{"cluster": "probe", "on": {"requestHeaders": ["set x-a 1", "pause"]}}`. Every callback and
//! every action with its status is a line in the log.
#![cfg_attr(target_arch = "wasm32", expect(unsafe_code, reason = "the ABI is raw pointers"))]
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
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    if parent != 0 {
        script::begin(context);
    }
}

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
extern "C" fn proxy_on_request_headers(context: u32, _count: u32, end: bool) -> u32 {
    abi::log(&format!("request headers{}", script::last(end)));
    script::run_for(context, Place::RequestHeaders)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32 {
    abi::log(&format!("request body {size}{}", script::last(end)));
    script::run_for(context, if end { Place::RequestBodyEnd } else { Place::RequestBody })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, count: u32) -> u32 {
    abi::log(&format!("request trailers {count}"));
    script::run_for(context, Place::RequestTrailers)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _count: u32, end: bool) -> u32 {
    abi::log(&format!("response headers {}{}", abi::value(abi::RESPONSE_HEADERS, ":status"), script::last(end)));
    script::run_for(context, Place::ResponseHeaders)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32 {
    abi::log(&format!("response body {size}{}", script::last(end)));
    script::run_for(context, if end { Place::ResponseBodyEnd } else { Place::ResponseBody })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, count: u32) -> u32 {
    abi::log(&format!("response trailers {count}"));
    script::run_for(context, Place::ResponseTrailers)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(root: u32, call: u32, headers: u32, body: usize, trailers: u32) {
    // The host calls the root; on whose behalf the call was made is for the plugin to know.
    let stream = script::caller(call);
    if stream.is_none_or(|stream| abi::act_for(stream) != 0) {
        abi::log(&format!("callout for nobody, root {root}"));
        return;
    }
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
