//! Bench only: a plugin that decides nothing. Without a configuration it does nothing at all, and costs what being called
//! costs. Its configuration names what to do besides for every request, in words with blanks between: see [`Part`].

use wardpoint_core::filter::Flow;
use wardpoint_proxy_wasm::abi::{self, Buffer, Callbacks, Level, Map, Side};

/// One thing that a policy does for every request.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// Hold the request until its body is whole.
    Hold,
    /// Read the body.
    Body,
    /// Read the request's headers.
    Headers,
    /// Read the answer's headers.
    Answer,
    /// Read six claims.
    Claims,
    /// Read all claims at once.
    Payload,
    /// Read the clock when headers and a whole body come, and for the record.
    Clock,
    /// Look something up in shared data.
    Shared,
    /// Put another token in the place of the request's.
    Put,
    /// Write a line to the log.
    Log,
    /// Leave that line in filter state.
    State,
    /// Add to a counter.
    Count,
}

const PARTS: [(&str, Part); 12] = [
    ("hold", Part::Hold),
    ("body", Part::Body),
    ("headers", Part::Headers),
    ("answer", Part::Answer),
    ("claims", Part::Claims),
    ("payload", Part::Payload),
    ("clock", Part::Clock),
    ("shared", Part::Shared),
    ("put", Part::Put),
    ("log", Part::Log),
    ("state", Part::State),
    ("count", Part::Count),
];

const PAYLOAD: &str = "metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload";

const CLAIMS: [&str; 6] = ["iss", "sub", "scope", "azp", "client_id", "act"];

/// What stands there is as long as the owner of a session.
const SHARED: &[u8] = b"bench.shared";
const KEPT: [u8; 32] = [7; 32];

/// As long as a token.
const TOKEN: [u8; 512] = [b'a'; 512];

/// As long as an audit record.
const RECORD: &str = concat!(
    r#"{"v":1,"time":"2026-11-21T09:00:00.123Z","plugin":"mcp-authz","policy":{"name":"mcp-authz","digest":"#,
    r#""0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"},"trace":null,"#,
    r#""request":"f6c3a1a0-6d5c-4d0e-9c55-0d8e8f5d6b1e","subject":{"issuer":"https://idp.example.com/realms/agents","#,
    r#""user":"248289761001","owner":null},"agent":"planner","actors":[],"action":"tools/call","#,
    r#""resource":{"tool":"search_documents"},"decision":"allow","reason":null,"rule":"rule-0","mode":"enforce"}"#
);

#[derive(Default)]
struct Noop {
    parts: Vec<Part>,
    paths: Vec<Vec<u8>>,
    counter: Option<u32>,
}

impl Noop {
    fn does(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// What a policy does when it has decided.
    fn record(&self) {
        self.tell_time();
        if self.does(Part::Put) {
            let _put = abi::set_header(Map::RequestHeaders, b"authorization", &TOKEN);
        }
        if self.does(Part::Log) {
            let _written = abi::log(Level::Info, RECORD);
        }
        if self.does(Part::State) {
            let _left = abi::set_property(b"bench_record", RECORD.as_bytes());
        }
        for _ in self.parts.iter().filter(|part| **part == Part::Count) {
            let _counted = self.counter.map(|counter| abi::increment(counter, 1));
        }
    }

    fn tell_time(&self) {
        if self.does(Part::Clock) {
            let _now = abi::now();
        }
    }
}

impl Callbacks for Noop {
    fn on_create(&mut self, _id: u32, _parent: u32) {}

    fn on_configure(&mut self, _id: u32, size: usize) -> bool {
        let text = if size == 0 { Ok(Vec::new()) } else { abi::buffer(Buffer::Configuration, 0, size) };
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let Some((_, part)) = PARTS.iter().find(|(name, _)| *name == word) else { return false };
            self.parts.push(*part);
        }
        if self.does(Part::Claims) {
            self.paths.extend(CLAIMS.iter().map(|claim| format!("{PAYLOAD}\0{claim}").into_bytes()));
        }
        if self.does(Part::Payload) {
            self.paths.push(PAYLOAD.into());
        }
        if self.does(Part::Shared) && abi::set_shared_data(SHARED, &KEPT, 0).is_err() {
            return false;
        }
        self.counter = if self.does(Part::Count) { abi::define_counter(b"bench.count").ok() } else { None };
        true
    }

    fn on_tick(&mut self, _id: u32) {}

    fn on_headers(&mut self, _id: u32, side: Side, end_of_stream: bool) -> Flow {
        let (map, wanted) = match side {
            Side::Request => (Map::RequestHeaders, Part::Headers),
            Side::Response => (Map::ResponseHeaders, Part::Answer),
        };
        if self.does(wanted) {
            self.tell_time();
            let _pairs = abi::map(map);
        }
        if matches!(side, Side::Response) {
            return Flow::Continue;
        }
        for path in &self.paths {
            let _claim = abi::property(path);
        }
        if self.does(Part::Shared) {
            let _kept = abi::shared_data(SHARED);
        }
        if self.does(Part::Hold) && !end_of_stream {
            return Flow::Pause;
        }
        self.record();
        Flow::Continue
    }

    fn on_body(&mut self, _id: u32, side: Side, size: usize, end_of_stream: bool) -> Flow {
        if matches!(side, Side::Response) || !self.does(Part::Hold) {
            return Flow::Continue;
        }
        if !end_of_stream {
            return Flow::Pause;
        }
        self.tell_time();
        if self.does(Part::Body) {
            let _bytes = abi::buffer(Buffer::RequestBody, 0, size);
        }
        self.record();
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
#[expect(unsafe_code, reason = "an export needs a name of its own, as `wardpoint_proxy_wasm::export!` gives it")]
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    abi::start(|| Box::<Noop>::default());
}
