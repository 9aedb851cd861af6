//! Raw host calls: what the contract between policy and proxy keeps a plugin from doing, done all the same, to see what a
//! host makes of it. No policy is involved: a request with the header `x-raw` is not decided by anybody.
//!
//! `x-raw` is a script like `x-probe`: `<phase>=<call>`, separated by `;`; the parts of a call are separated by `|`.
//! Every callback and the status of every call is one log line `probe.raw …`.

use std::collections::BTreeMap;

use wardpoint_core::filter::Flow;
use wardpoint_proxy_wasm::abi::{self, Buffer, Callbacks, Level, Map, Side, Status};
use wardpoint_proxy_wasm::pairs;
use wardpoint_proxy_wasm::vm::Vm;

use crate::filter::Probe;

/// The probe, and beside it the requests that want raw calls.
#[derive(Default)]
pub(crate) struct Raw {
    policy: Vm<Probe>,
    scripts: BTreeMap<u32, String>,
    /// Who made a call: Envoy answers on the root, whoever called.
    calls: BTreeMap<u32, u32>,
}

impl Callbacks for Raw {
    fn on_create(&mut self, id: u32, parent: u32) {
        self.policy.on_create(id, parent);
    }

    fn on_configure(&mut self, id: u32, size: usize) -> bool {
        self.policy.on_configure(id, size)
    }

    fn on_tick(&mut self, id: u32) {
        let ids: Vec<u32> = self.scripts.keys().copied().collect();
        for stream in ids {
            let turned = abi::set_effective_context(stream);
            let _cannot = self.run(stream, "tick", &format!("turned={turned:?}"));
        }
        let _back = abi::set_effective_context(id);
        self.policy.on_tick(id);
    }

    fn on_headers(&mut self, id: u32, side: Side, end_of_stream: bool) -> Flow {
        if side == Side::Request
            && let Some(script) = asked()
        {
            self.scripts.insert(id, script);
        }
        self.run(id, name(side, "requestHeaders", "responseHeaders"), &format!("eos={end_of_stream}"))
            .unwrap_or_else(|| self.policy.on_headers(id, side, end_of_stream))
    }

    fn on_body(&mut self, id: u32, side: Side, size: usize, end_of_stream: bool) -> Flow {
        self.run(id, name(side, "requestBody", "responseBody"), &format!("size={size} eos={end_of_stream}"))
            .unwrap_or_else(|| self.policy.on_body(id, side, size, end_of_stream))
    }

    fn on_trailers(&mut self, id: u32, side: Side) -> Flow {
        self.run(id, name(side, "requestTrailers", "responseTrailers"), "").unwrap_or_else(|| self.policy.on_trailers(id, side))
    }

    fn on_http_reply(&mut self, id: u32, token: u32, headers: usize, body_size: usize) {
        let Some(stream) = self.calls.remove(&token) else { return self.policy.on_http_reply(id, token, headers, body_size) };
        let turned = abi::set_effective_context(stream);
        let _done = self.run(stream, "callout", &format!("on={id} n={headers} size={body_size} turned={turned:?}"));
    }

    fn on_grpc_message(&mut self, id: u32, token: u32, size: usize) {
        self.policy.on_grpc_message(id, token, size);
    }

    fn on_grpc_close(&mut self, id: u32, token: u32, status: u32) {
        self.policy.on_grpc_close(id, token, status);
    }

    fn on_log(&mut self, id: u32) {
        if self.run(id, "log", "").is_none() {
            self.policy.on_log(id);
        }
    }

    fn on_delete(&mut self, id: u32) {
        if self.scripts.remove(&id).is_none() {
            self.policy.on_delete(id);
        }
    }
}

impl Raw {
    /// Makes the calls of a phase; `pause` among them is what the callback answers. `None`: not a raw request.
    fn run(&mut self, id: u32, phase: &str, seen: &str) -> Option<Flow> {
        let script = self.scripts.get(&id)?.clone();
        log(&format!("{phase} {seen}"));
        let mut flow = Flow::Continue;
        for step in script.split(';').filter_map(|step| step.trim().split_once('=')).filter(|(at, _)| *at == phase) {
            match step.1 {
                "pause" => flow = Flow::Pause,
                call if call.starts_with("call|") => {
                    let made = make(call.trim_start_matches("call|"));
                    log(&format!("{phase} {call} -> {}", made.map_or_else(|status| status.0, |_| 0)));
                    if let Ok(token) = made {
                        self.calls.insert(token, id);
                    }
                }
                call => log(&format!("{phase} {call} -> {}", outcome(call))),
            }
        }
        Some(flow)
    }
}

fn outcome(call: &str) -> String {
    let parts: Vec<&str> = call.split('|').collect();
    let size = |text: &str| text.parse().unwrap_or(usize::MAX);
    let result = match parts.as_slice() {
        ["close", side] => abi::close(which(side, Side::Request, Side::Response)).map(|()| String::new()),
        ["getBuffer", side, start, length] => {
            let buffer = which(side, Buffer::RequestBody, Buffer::ResponseBody);
            abi::buffer(buffer, size(start), size(length)).map(|bytes| format!(" {:?}", String::from_utf8_lossy(&bytes)))
        }
        ["getMap", side] => abi::map(which(side, Map::RequestHeaders, Map::ResponseHeaders))
            .map(|block| format!(" n={:?}", pairs::parse(&block).map(|headers| headers.len()))),
        ["getProperty", path] => {
            abi::property(path.replace('.', "\0").as_bytes()).map(|value| format!(" {:?}", String::from_utf8_lossy(&value)))
        }
        ["removeHeader", side, name] => {
            abi::remove_header(which(side, Map::RequestHeaders, Map::ResponseHeaders), name.as_bytes()).map(|()| String::new())
        }
        ["respond", status] => {
            abi::respond(status.parse().unwrap_or(500), b"probe", &pairs::encode([]), b"raw").map(|()| String::new())
        }
        ["resume", side] => abi::resume(which(side, Side::Request, Side::Response)).map(|()| String::new()),
        ["setBuffer", side, start, length, text] => {
            let buffer = which(side, Buffer::RequestBody, Buffer::ResponseBody);
            abi::set_buffer(buffer, size(start), size(length), text.as_bytes()).map(|()| String::new())
        }
        ["setHeader", side, name, value] => {
            let map = which(side, Map::RequestHeaders, Map::ResponseHeaders);
            abi::set_header(map, name.as_bytes(), value.as_bytes()).map(|()| String::new())
        }
        _ => return "no such call".into(),
    };
    match result {
        Ok(what) => format!("0{what}"),
        Err(Status(status)) => status.to_string(),
    }
}

fn make(cluster: &str) -> Result<u32, Status> {
    let headers = [(":method", "GET"), (":path", "/raw"), (":authority", "raw")];
    let headers = pairs::encode(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    abi::http_call(cluster.as_bytes(), &headers, b"", 500)
}

fn asked() -> Option<String> {
    let headers = pairs::parse(&abi::map(Map::RequestHeaders).ok()?).ok()?;
    Some(String::from_utf8_lossy(headers.one("x-raw").ok()??).into_owned())
}

fn which<T>(side: &str, request: T, response: T) -> T {
    if side == "request" { request } else { response }
}

fn name(side: Side, request: &'static str, response: &'static str) -> &'static str {
    match side {
        Side::Request => request,
        Side::Response => response,
    }
}

fn log(line: &str) {
    let _written = abi::log(Level::Info, &format!("probe.raw {line}"));
}
