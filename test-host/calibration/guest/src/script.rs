//! The script: what to do in each callback.

use std::cell::RefCell;

use serde_json::Value;

use crate::abi;

thread_local! {
    static SCRIPT: RefCell<Value> = const { RefCell::new(Value::Null) };
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

    /// Body of the request or of the response.
    const fn body(self) -> u32 {
        match self {
            Self::ResponseBody | Self::ResponseBodyEnd | Self::ResponseHeaders | Self::ResponseTrailers => abi::RESPONSE_BODY,
            _ => abi::REQUEST_BODY,
        }
    }
}

/// Reads the script. `tickEvery` is a period in milliseconds.
pub(crate) fn load(config: &[u8]) -> bool {
    let Ok(script) = serde_json::from_slice::<Value>(config) else { return false };
    if let Some(period) = script.get("tickEvery").and_then(Value::as_u64) {
        abi::tick_every(u32::try_from(period).unwrap_or(u32::MAX));
    }
    SCRIPT.set(script);
    true
}

pub(crate) const fn last(end: bool) -> &'static str {
    if end { " end" } else { "" }
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
        let stream = |word: &str| u32::from(word == "response");
        let seen = match words.as_slice() {
            ["pause"] => {
                result = 1;
                continue;
            }
            ["result", value] => {
                result = u32::try_from(number(value)).unwrap_or(0);
                continue;
            }
            ["trap"] => trap(),
            ["respond", status, body] => abi::respond(u32::try_from(number(status)).unwrap_or(0), body).to_string(),
            ["call", timeout] => abi::call(&cluster, u32::try_from(number(timeout)).unwrap_or(0)).to_string(),
            ["resume", which] => abi::resume(stream(which)).to_string(),
            ["close", which] => abi::close(stream(which)).to_string(),
            ["get", which, name] => abi::value(map(which), name),
            ["set", which, name, value] => abi::set(map(which), name, value).to_string(),
            ["remove", which, name] => abi::remove(map(which), name).to_string(),
            ["property", path] => abi::property(path),
            ["body", start, size, text] => {
                abi::set_buffer(place.body(), number(start), number(size), text.as_bytes()).to_string()
            }
            ["empty"] => abi::set_buffer(place.body(), 0, usize::MAX, b"").to_string(),
            ["grow", size] => abi::set_buffer(place.body(), 0, usize::MAX, &vec![b'x'; number(size)]).to_string(),
            ["show"] => {
                let (status, bytes) = abi::buffer(place.body(), 0, usize::MAX);
                let shown = bytes.get(..bytes.len().min(64)).unwrap_or_default();
                format!("{status} {}", String::from_utf8_lossy(shown))
            }
            _ => "no such action".to_owned(),
        };
        abi::log(&format!("  {action} = {seen}"));
    }
    result
}

#[expect(clippy::panic, reason = "the script asks for a trap")]
fn trap() -> ! {
    panic!("the script says so")
}
