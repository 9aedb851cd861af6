//! Routing headers against the body (MCP-E-02, MCP-H-01…08).

use wardpoint_core::http::Headers;
use wardpoint_core::json::Limits;
use wardpoint_core::mcp::HeaderFault::*;
use wardpoint_core::mcp::{Era, HeaderFault, check_headers, read_request};

const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

fn modern(method: &str, params: &str) -> String {
    message(method, &format!(r#"{params}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#))
}

fn message(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#)
}

#[expect(clippy::unwrap_used, reason = "the messages of these tests are readable")]
fn check(body: &str, headers: &[(&str, &str)]) -> Result<Era, HeaderFault> {
    let message = read_request(body.as_bytes(), Limits::default()).unwrap();
    check_headers(&message, &headers.iter().copied().collect::<Headers>())
}

#[test]
fn a_modern_call() {
    let body = modern("tools/call", r#""name":"refund","#);
    let all = [(VERSION, "2026-07-28"), (METHOD, "tools/call"), (NAME, "refund")];
    assert_eq!(check(&body, &all), Ok(Era::Modern));
    for (index, name) in [VERSION, METHOD, NAME].into_iter().enumerate() {
        let mut less = all.to_vec();
        less.remove(index);
        assert_eq!(check(&body, &less), Err(Missing(name)));
        let mut twice = all.to_vec();
        twice.push(all[index]);
        assert_eq!(check(&body, &twice), Err(Repeated(name)));
        for value in ["x", "", "tools/Call", "Refund", "refund,refund", "refund, refund", "2025-11-25"] {
            let mut other = all.to_vec();
            other[index].1 = value;
            assert_eq!(check(&body, &other), Err(Mismatch(name)), "{name}: {value}");
        }
        for value in ["a\u{7f}", "a\nb", "\u{1}", "ä"] {
            let mut other = all.to_vec();
            other[index].1 = value;
            assert_eq!(check(&body, &other), Err(Illegal(name)), "{name}: {value:?}");
        }
    }
}

/// MCP-H-08
#[test]
fn blanks_around_and_case_of_names_do_not_count() {
    let body = modern("tools/call", r#""name":"refund","#);
    let headers = [("MCP-Protocol-Version", " 2026-07-28\t"), ("MCP-METHOD", "\ttools/call "), ("Mcp-Name", "  refund  ")];
    assert_eq!(check(&body, &headers), Ok(Era::Modern));
}

/// MCP-H-02
#[test]
fn encoded_names_are_decoded_strictly() {
    let body = modern("resources/read", r#""uri":"file:///ü","#);
    let with = |name: &'static str| check(&body, &[(VERSION, "2026-07-28"), (METHOD, "resources/read"), (NAME, name)]);
    assert_eq!(with("=?base64?ZmlsZTovLy/DvA==?="), Ok(Era::Modern));
    for bad in [
        "=?base64?ZmlsZTovLy/DvA=?=",
        "=?base64?ZmlsZTovLy/DvA?=",
        "=?base64?ZmlsZTovLy/DvB==?=",
        "=?base64?ZmlsZTov Ly/DvA==?=",
        "=?base64?ZmlsZTovLy_DvA==?=",
        "=?base64?/w==?=",
    ] {
        assert_eq!(with(bad), Err(Illegal(NAME)), "{bad}");
    }
    for other in ["=?BASE64?ZmlsZTovLy/DvA==?=", "=?base64?ZmlsZTovLy/DvA==", "=?base64??=", "=?base64?ZmlsZTovLy9h?="] {
        assert_eq!(with(other), Err(Mismatch(NAME)), "{other}");
    }
    let looks = modern("tools/call", r#""name":"=?base64?YQ==?=","#);
    let plain = [(VERSION, "2026-07-28"), (METHOD, "tools/call"), (NAME, "=?base64?YQ==?=")];
    assert_eq!(check(&looks, &plain), Err(Mismatch(NAME)));
    let encoded = [(VERSION, "2026-07-28"), (METHOD, "tools/call"), (NAME, "=?base64?PT9iYXNlNjQ/WVE9PT89?=")];
    assert_eq!(check(&looks, &encoded), Ok(Era::Modern));
}

#[test]
fn only_what_names_something_has_a_name_header() {
    for (method, params, needs) in [
        ("tools/list", "", false),
        ("server/discover", "", false),
        ("tools/call", r#""name":"k","#, true),
        ("prompts/get", r#""name":"k","#, true),
        ("resources/read", r#""uri":"k","#, true),
        ("tasks/get", r#""taskId":"k","#, true),
        ("tasks/update", r#""taskId":"k","#, true),
        ("tasks/cancel", r#""taskId":"k","#, true),
        ("completion/complete", r#""ref":{"type":"ref/prompt","name":"k"},"#, false),
        ("subscriptions/listen", r#""notifications":{},"#, false),
    ] {
        let body = modern(method, params);
        let without = [(VERSION, "2026-07-28"), (METHOD, method)];
        assert_eq!(check(&body, &without), if needs { Err(Missing(NAME)) } else { Ok(Era::Modern) }, "{method}");
        let with = [(VERSION, "2026-07-28"), (METHOD, method), (NAME, "k")];
        let names = needs || method == "completion/complete";
        assert_eq!(check(&body, &with), if names { Ok(Era::Modern) } else { Err(Mismatch(NAME)) }, "{method}");
    }
}

/// MCP-E-02, MCP-E-04, MCP-G-02
#[test]
fn the_era_comes_from_the_body_and_the_header_must_fit() {
    let legacy = message("tools/call", r#""name":"a""#);
    assert_eq!(check(&legacy, &[]), Ok(Era::Legacy));
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        assert_eq!(check(&legacy, &[(VERSION, version)]), Ok(Era::Legacy));
        let dated = message("ping", &format!(r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"}}"#));
        assert_eq!(check(&dated, &[(VERSION, version)]), Err(AmbiguousEra));
        assert_eq!(check(&dated, &[]), Err(AmbiguousEra));
    }
    assert_eq!(check(&legacy, &[(VERSION, "2026-07-28")]), Err(MissingMeta));
    for version in ["2024-11-05", "2099-01-01", "", "2025-11-25,2025-11-25", "DRAFT-2026-v1"] {
        assert_eq!(check(&legacy, &[(VERSION, version)]), Err(UnsupportedVersion), "{version}");
    }
    let unknown = message("ping", r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01"}"#);
    assert_eq!(check(&unknown, &[(VERSION, "2099-01-01")]), Err(UnsupportedVersion));
    assert_eq!(check(&legacy, &[(METHOD, "tools/call"), (NAME, "a")]), Ok(Era::Legacy));
    assert_eq!(check(&legacy, &[(METHOD, "tools/list")]), Err(Mismatch(METHOD)));
    assert_eq!(check(&legacy, &[(NAME, "b")]), Err(Mismatch(NAME)));
}

#[test]
fn initialize_is_legacy() {
    let body = message("initialize", r#""protocolVersion":"2024-11-05","capabilities":{}"#);
    assert_eq!(check(&body, &[]), Ok(Era::Legacy));
    assert_eq!(check(&body, &[(VERSION, "2025-11-25")]), Ok(Era::Legacy));
    assert_eq!(check(&body, &[(VERSION, "2026-07-28")]), Err(AmbiguousEra));
    let both = modern("initialize", r#""protocolVersion":"2025-11-25","#);
    assert_eq!(check(&both, &[]), Err(Missing(VERSION)));
}

/// rules.md 7 item 4; MCP-T-02
#[test]
fn notifications_and_responses() {
    let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(check(note, &[]), Ok(Era::Legacy));
    assert_eq!(check(note, &[(VERSION, "2026-07-28")]), Ok(Era::Modern));
    assert_eq!(check(note, &[(METHOD, "notifications/cancelled")]), Ok(Era::Legacy));
    assert_eq!(check(note, &[(METHOD, "tools/call")]), Err(Mismatch(METHOD)));
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert_eq!(check(response, &[(VERSION, "2025-11-25")]), Ok(Era::Legacy));
    assert_eq!(check(response, &[(VERSION, "2026-07-28")]), Err(ResponseRefused));
    assert_eq!(check(response, &[(METHOD, "")]), Err(Mismatch(METHOD)));
}

/// MCP-H-04
#[test]
fn parameter_headers_go_on() {
    assert_eq!(check(&message("ping", ""), &[("mcp-param-x", "\u{1}")]), Ok(Era::Legacy));
}
