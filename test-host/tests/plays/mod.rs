//! Plays for the tests of the host model.
#![allow(dead_code, reason = "each test file uses some")]

use wardpoint_test_host::engine::{Play, Sent};

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

pub(crate) fn sent(headers: &[(&str, &str)], chunks: &[&str]) -> Sent {
    let chunks = chunks.iter().map(|chunk| chunk.as_bytes().to_vec()).collect();
    Sent { headers: pairs(headers), chunks, trailers: Vec::new() }
}

/// `POST /` with this body; the upstream answers 200 with `ok`.
pub(crate) fn post(chunks: &[&str]) -> Play {
    Play {
        plugin: "clerk".into(),
        config: b"{}".to_vec(),
        request: sent(&[(":method", "POST"), (":path", "/"), (":authority", "a")], chunks),
        upstream: Some(sent(&[(":status", "200")], &["ok"])),
        ..Play::default()
    }
}

pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}
