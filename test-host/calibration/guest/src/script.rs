//! The script: what to do in each callback.

use std::cell::{Cell, RefCell};

use serde_json::Value;

use crate::abi;

thread_local! {
    static SCRIPT: RefCell<Value> = const { RefCell::new(Value::Null) };
    /// The stream for which things are done.
    static STREAM: Cell<u32> = const { Cell::new(0) };
    /// What is to be done once has been done.
    static DONE: Cell<bool> = const { Cell::new(false) };
    /// Calls under way, and the streams that made them.
    static CALLS: RefCell<Vec<(u32, u32)>> = const { RefCell::new(Vec::new()) };
}

/// A callback that a script can act in.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Callout,
    RequestBody,
    RequestBodyEnd,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseBodyEnd,
    ResponseHeaders,
    ResponseTrailers,
    Tick,
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Callout => "callout",
            Self::RequestBody => "requestBody",
            Self::RequestBodyEnd => "requestBodyEnd",
            Self::RequestHeaders => "requestHeaders",
            Self::RequestTrailers => "requestTrailers",
            Self::ResponseBody => "responseBody",
            Self::ResponseBodyEnd => "responseBodyEnd",
            Self::ResponseHeaders => "responseHeaders",
            Self::ResponseTrailers => "responseTrailers",
            Self::Tick => "tick",
        }
    }
}

/// Reads the script. `tickEvery` is a period in milliseconds; `refuseFrom` says from which VM on it is refused.
pub(crate) fn load(config: &[u8]) -> bool {
    let Ok(script) = serde_json::from_slice::<Value>(config) else { return false };
    if let Some(period) = script.get("tickEvery").and_then(Value::as_u64) {
        abi::tick_every(u32::try_from(period).unwrap_or(u32::MAX));
    }
    let refused = script.get("refuseFrom").and_then(Value::as_u64).is_some_and(|first| u64::from(abi::turn()) >= first);
    SCRIPT.set(script);
    !refused
}

pub(crate) const fn last(end: bool) -> &'static str {
    if end { " end" } else { "" }
}

/// The stream that made this call.
pub(crate) fn caller(call: u32) -> Option<u32> {
    let stream = CALLS.with_borrow(|calls| calls.iter().find(|(token, _)| *token == call).map(|(_, stream)| *stream));
    STREAM.set(stream.unwrap_or_default());
    stream
}

/// A new stream: nothing has been done for it.
pub(crate) fn begin(stream: u32) {
    STREAM.set(stream);
    DONE.set(false);
}

/// As [`run`], for this stream.
pub(crate) fn run_for(stream: u32, place: Place) -> u32 {
    STREAM.set(stream);
    run(place)
}

/// Carries out what the script says for this callback. The result is the callback's.
pub(crate) fn run(place: Place) -> u32 {
    let (actions, cluster) = SCRIPT.with_borrow(|script| {
        let actions = script.pointer("/on").and_then(|on| on.get(place.name())).and_then(Value::as_array).cloned();
        (actions.unwrap_or_default(), script.get("cluster").and_then(Value::as_str).unwrap_or_default().to_owned())
    });
    let mut result = crate::CONTINUE;
    for action in actions.iter().filter_map(Value::as_str) {
        let words: Vec<&str> = action.split(' ').collect();
        let number = |word: &str| if word == "max" { usize::MAX } else { word.parse().unwrap_or(0) };
        let map = |word: &str| if word == "response" { abi::RESPONSE_HEADERS } else { abi::REQUEST_HEADERS };
        // Also the number of its body's buffer.
        let stream = |word: &str| u32::from(word == "response");
        let seen = match words.as_slice() {
            ["pause"] => {
                result = 1;
                continue;
            }
            ["pauseOnce"] => {
                result = u32::from(!DONE.replace(true));
                continue;
            }
            ["callOnce", timeout] => {
                if DONE.replace(true) {
                    "not again".to_owned()
                } else {
                    call(&cluster, number(timeout))
                }
            }
            ["resume", "last"] => {
                if STREAM.get() == 0 || DONE.replace(true) {
                    continue;
                }
                let status = (abi::act_for(STREAM.get()), abi::resume(0));
                format!("{status:?}")
            }
            ["trap"] => core::arch::wasm32::unreachable(),
            ["respond", status, body] => abi::respond(u32::try_from(number(status)).unwrap_or(0), body).to_string(),
            ["call", timeout] => call(&cluster, number(timeout)),
            ["resume", which] => abi::resume(stream(which)).to_string(),
            ["close", which] => abi::close(stream(which)).to_string(),
            ["get", which, name] => abi::value(map(which), name),
            ["set", which, name, value] => abi::set(map(which), name, value).to_string(),
            ["remove", which, name] => abi::remove(map(which), name).to_string(),
            ["property", path] => abi::property(path),
            ["body", which, start, size, text] => {
                abi::set_buffer(stream(which), number(start), number(size), text.as_bytes()).to_string()
            }
            ["empty", which] => abi::set_buffer(stream(which), 0, usize::MAX, b"").to_string(),
            ["grow", which, size] => abi::set_buffer(stream(which), 0, usize::MAX, &vec![b'x'; number(size)]).to_string(),
            ["show", which] => {
                let (status, bytes) = abi::buffer(stream(which), 0, usize::MAX);
                let shown = bytes.get(..bytes.len().min(64)).unwrap_or_default();
                format!("{status} {}", String::from_utf8_lossy(shown))
            }
            _ => "no such action".to_owned(),
        };
        abi::log(&format!("  {action} = {seen}"));
    }
    result
}

fn call(cluster: &str, timeout: usize) -> String {
    let (status, token) = abi::call(cluster, u32::try_from(timeout).unwrap_or(0));
    if status == 0 {
        CALLS.with_borrow_mut(|calls| calls.push((token, STREAM.get())));
    }
    status.to_string()
}
