//! Bench only: a plugin that is called for everything and does nothing. What it costs is what being a plugin costs.


use wardpoint_core::filter::Flow;
use wardpoint_proxy_wasm::abi::{self, Callbacks, Side};

struct Noop;

impl Callbacks for Noop {
    fn on_create(&mut self, _id: u32, _parent: u32) {}

    fn on_configure(&mut self, _id: u32, _size: usize) -> bool {
        true
    }

    fn on_tick(&mut self, _id: u32) {}

    fn on_headers(&mut self, _id: u32, _side: Side, _end_of_stream: bool) -> Flow {
        Flow::Continue
    }

    fn on_body(&mut self, _id: u32, _side: Side, _size: usize, _end_of_stream: bool) -> Flow {
        Flow::Continue
    }

    fn on_trailers(&mut self, _id: u32, _side: Side) -> Flow {
        Flow::Continue
    }

    fn on_http_reply(&mut self, _id: u32, _token: u32, _headers: usize, _body_size: usize) {}

    fn on_grpc_message(&mut self, _id: u32, _token: u32, _size: usize) {}

    fn on_grpc_close(&mut self, _id: u32, _token: u32, _status: u32) {}

    fn on_log(&mut self, _id: u32) {}

    fn on_delete(&mut self, _id: u32) {}
}

/// The proxy calls this first.
#[expect(unsafe_code, reason = "an export needs a name of its own; as `wardpoint_proxy_wasm::export!` does it")]
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    abi::start(|| Box::new(Noop));
}
