//! What the host calls, and who is told.
//!
//! Only what a plugin needs: each further export costs the proxy a call a request. A host that calls back while a callback
//! runs would find the slot taken; it gets the answer that fails closed.

use core::cell::RefCell;

use wardpoint_core::filter::Flow;

use super::{Callbacks, Side};

thread_local! {
    static CALLBACKS: RefCell<Option<Box<dyn Callbacks>>> = const { RefCell::new(None) };
}

/// Takes the receiver of all callbacks. To be called once, from `_initialize`.
pub fn start(make: impl FnOnce() -> Box<dyn Callbacks>) {
    #[cfg(target_arch = "wasm32")]
    // SAFETY: the linker makes this function; it takes nothing and is called once, before anything else.
    unsafe {
        __wasm_call_ctors();
    }
    let callbacks = make();
    CALLBACKS.with(|slot| {
        if let Ok(mut slot) = slot.try_borrow_mut() {
            *slot = Some(callbacks);
        }
    });
}

#[cfg(target_arch = "wasm32")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

fn tell<R>(otherwise: R, what: impl FnOnce(&mut dyn Callbacks) -> R) -> R {
    CALLBACKS.with(|slot| match slot.try_borrow_mut() {
        Ok(mut slot) => match slot.as_deref_mut() {
            Some(callbacks) => what(callbacks),
            None => otherwise,
        },
        Err(_) => otherwise,
    })
}

fn action(what: impl FnOnce(&mut dyn Callbacks) -> Flow) -> u32 {
    match tell(Flow::Pause, what) {
        Flow::Continue => 0,
        Flow::Pause => 1,
    }
}

macro_rules! exports {
    ($($(#[$doc:meta])+ fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $body:block)+) => {
        $($(#[$doc])+
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        pub extern "C" fn $name($($argument: $type),*) $(-> $result)? $body)+
    };
}

exports! {
    /// Says which ABI this module speaks.
    fn proxy_abi_version_0_2_1() {}

    /// Memory that the host fills and `given` takes over.
    fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
        // A boxed slice has exactly the size that `given` will name.
        Box::into_raw(Box::<[u8]>::new_uninit_slice(size)).cast()
    }

    /// A new context.
    fn proxy_on_context_create(id: u32, parent: u32) {
        tell((), |c| c.on_create(id, parent));
    }

    /// The VM starts; its own configuration is not used.
    fn proxy_on_vm_start(_id: u32, _size: usize) -> u32 {
        1
    }

    /// A root's configuration.
    fn proxy_on_configure(id: u32, size: usize) -> u32 {
        tell(false, |c| c.on_configure(id, size)).into()
    }

    /// Time passes.
    fn proxy_on_tick(id: u32) {
        tell((), |c| c.on_tick(id));
    }

    /// The request's headers.
    fn proxy_on_request_headers(id: u32, _headers: usize, end_of_stream: u32) -> u32 {
        action(|c| c.on_headers(id, Side::Request, end_of_stream != 0))
    }

    /// The request's body.
    fn proxy_on_request_body(id: u32, size: usize, end_of_stream: u32) -> u32 {
        action(|c| c.on_body(id, Side::Request, size, end_of_stream != 0))
    }

    /// The request's trailers.
    fn proxy_on_request_trailers(id: u32, _trailers: usize) -> u32 {
        action(|c| c.on_trailers(id, Side::Request))
    }

    /// The response's headers.
    fn proxy_on_response_headers(id: u32, _headers: usize, end_of_stream: u32) -> u32 {
        action(|c| c.on_headers(id, Side::Response, end_of_stream != 0))
    }

    /// The response's body.
    fn proxy_on_response_body(id: u32, size: usize, end_of_stream: u32) -> u32 {
        action(|c| c.on_body(id, Side::Response, size, end_of_stream != 0))
    }

    /// The response's trailers.
    fn proxy_on_response_trailers(id: u32, _trailers: usize) -> u32 {
        action(|c| c.on_trailers(id, Side::Response))
    }

    /// The answer to an HTTP call.
    fn proxy_on_http_call_response(id: u32, token: u32, headers: usize, body_size: usize, _trailers: usize) {
        tell((), |c| c.on_http_reply(id, token, headers, body_size));
    }

    /// The message that answers a gRPC call.
    fn proxy_on_grpc_receive(id: u32, token: u32, size: usize) {
        tell((), |c| c.on_grpc_message(id, token, size));
    }

    /// The end of a gRPC call.
    fn proxy_on_grpc_close(id: u32, token: u32, status: u32) {
        tell((), |c| c.on_grpc_close(id, token, status));
    }

    /// The exchange is over.
    fn proxy_on_log(id: u32) {
        tell((), |c| c.on_log(id));
    }

    /// A context goes away.
    fn proxy_on_delete(id: u32) {
        tell((), |c| c.on_delete(id));
    }
}
