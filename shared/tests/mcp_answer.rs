//! What is read of a server's message: results by shape, what it wants of the client, and where (rules.md 1.4, 1.7, 1.8).
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use wardpoint_core::json::Limits;
use wardpoint_core::mcp::{Fault, Method, ServerMessage, WantedUrl, read_answer};

fn read<'a>(text: &'a str) -> Result<ServerMessage<'a>, Fault> {
    read_answer(text.as_bytes(), Limits::default()).map_err(|bad| bad.fault)
}

fn result(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

fn wants(text: &str) -> Vec<(Method, String)> {
    let url = |url: WantedUrl<'_>| match url {
        WantedUrl::None => "none".to_owned(),
        WantedUrl::Unreadable => "unreadable".to_owned(),
        WantedUrl::Text(url) => url.text().into_owned(),
    };
    read(text).unwrap().wants.into_iter().map(|want| (want.method, url(want.url))).collect()
}

/// MCP-G-03, BY-S-03: what it is, in whatever order the members come.
#[test]
fn a_result_is_known_by_its_shape() {
    for (text, of) in [
        (r#"{"content":[]}"#, Method::ToolsCall),
        (r#"{"structuredContent":1}"#, Method::ToolsCall),
        (r#"{"tools":[],"content":[]}"#, Method::ToolsCall),
        (r#"{"contents":[],"content":[]}"#, Method::ToolsCall),
        (r#"{"c\u006fntent":[]}"#, Method::ToolsCall),
        (r#"{"contents":[]}"#, Method::ResourcesRead),
        (r#"{"messages":[]}"#, Method::PromptsGet),
        (r#"{"completion":{}}"#, Method::CompletionComplete),
        (r#"{"tools":[]}"#, Method::ToolsList),
        (r#"{"resourceTemplates":[]}"#, Method::ResourcesTemplatesList),
        (r#"{"x":{"content":[]}}"#, Method::Unknown),
        ("[]", Method::Unknown),
        ("null", Method::Unknown),
    ] {
        let full = result(text);
        let message = read(&full).unwrap();
        let found: Vec<_> = message.results.iter().map(|payload| (payload.of, payload.span.of(full.as_bytes()))).collect();
        assert_eq!(found, [(of, text.as_bytes())]);
    }
}

/// MCP-K-03: a task's result stands inside of another, or in a notification.
#[test]
fn the_result_of_a_task_is_found() {
    let inner = r#"{"content":[{"type":"text","text":"x"}]}"#;
    let outer = format!(r#"{{"status":"completed","result":{inner},"ttlMs":5}}"#);
    let notice = format!(r#"{{"jsonrpc":"2.0","method":"notifications/tasks","params":{{"taskId":"t","result":{inner}}}}}"#);
    let full = result(&outer);
    let found: Vec<_> = read(&full).unwrap().results.iter().map(|p| (p.nested, p.of, p.span.of(full.as_bytes()))).collect();
    assert_eq!(found, [(true, Method::ToolsCall, inner.as_bytes()), (false, Method::Unknown, outer.as_bytes())]);
    let message = read(&notice).unwrap();
    let found: Vec<_> = message.results.iter().map(|p| (p.nested, p.of, p.span.of(notice.as_bytes()))).collect();
    assert_eq!((message.method, found), (Method::NotifyTask, vec![(true, Method::ToolsCall, inner.as_bytes())]));
}

/// MCP-S-04, MCP-G-07: each way in which a server sends a user somewhere.
#[test]
fn what_a_server_wants_is_found_in_every_place() {
    let url = r#"{"mode":"url","url":"https://a.example/","message":"m"}"#;
    let request = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{params}}}"#);
    let there = vec![(Method::ElicitationCreate, "https://a.example/".to_owned())];
    assert_eq!(wants(&request(url)), there);
    let input = format!(r#"{{"a":{{"params":{url},"method":"elicitation/create"}}}}"#);
    assert_eq!(wants(&result(&format!(r#"{{"resultType":"input_required","inputRequests":{input}}}"#))), there);
    assert_eq!(wants(&result(&format!(r#"{{"result":{{"inputRequests":{input}}}}}"#))), there);
    assert_eq!(
        wants(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/tasks","params":{{"inputRequests":{input}}}}}"#)),
        there
    );
    let error =
        format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"data":{{"elicitations":[{url}]}},"code":-32042,"message":"m"}}}}"#);
    assert_eq!(wants(&error), there);

    for (params, want) in [
        (r#"{"message":"m"}"#, "none"),
        (r#"{"mode":"form"}"#, "none"),
        (r#"{"mode":"form","url":"https://b.example"}"#, "https://b.example"),
        (r#"{"url":"https://b.example"}"#, "https://b.example"),
        (r#"{"mode":"url"}"#, "unreadable"),
        (r#"{"mode":"url","url":1}"#, "unreadable"),
        (r#"{"mode":"URL","url":"https://b.example"}"#, "unreadable"),
        (r#"{"mode":null}"#, "unreadable"),
    ] {
        assert_eq!(wants(&request(params)), [(Method::ElicitationCreate, want.to_owned())], "{params}");
    }
    let unreadable = vec![(Method::Unknown, "unreadable".to_owned())];
    assert_eq!(wants(&result(r#"{"inputRequests":[]}"#)), unreadable);
    assert_eq!(wants(&result(r#"{"inputRequests":{"a":null}}"#)), unreadable);
    assert_eq!(wants(&result(r#"{"inputRequests":{"a":{"method":1}}}"#)), [(Method::Unknown, "none".to_owned())]);
    assert_eq!(wants(&result(r#"{"inputRequests":{}}"#)), []);
    assert_eq!(wants(r#"{"jsonrpc":"2.0","id":1,"method":"x/y"}"#), [(Method::Unknown, "none".to_owned())]);
    assert_eq!(wants(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":[1]}}"#), []);
}

/// BY-J-02: another parser may take these for what they are not.
#[test]
fn twins_of_members_that_count_are_refused() {
    for text in [
        result(r#"{"Content":[]}"#),
        result(r#"{"inputrequests":{}}"#),
        result(r#"{"result":{"CONTENTS":[]}}"#),
        result(r#"{"inputRequests":{"a":{"Method":"elicitation/create"}}}"#),
        result(r#"{"inputRequests":{"a":{"method":"elicitation/create","params":{"URL":"https://a.example"}}}}"#),
        result(r#"{"contents":[{"uri":"a","URI":"b"}]}"#),
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"Uri":"a"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","Data":{}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"Elicitations":[]}}}"#.to_owned(),
    ] {
        assert_eq!(read(&text).map(|_| ()), Err(Fault::CaseTwin), "{text}");
    }
}

#[test]
fn contents_and_lifetimes() {
    let text = result(r#"{"contents":[{"uri":"a","text":"x"},{"uri":1},{"text":"y"},7],"ttlMs":5,"cacheScope":"public"}"#);
    let message = read(&text).unwrap();
    let uris: Vec<_> = message.contents.iter().map(|uri| uri.map(|uri| uri.text().into_owned())).collect();
    assert_eq!(uris, [Some("a".to_owned()), None, None, None]);
    assert_eq!(message.lifetimes.iter().map(|lifetime| lifetime.millis).collect::<Vec<_>>(), [Some(5)]);
    assert_eq!(message.shared.iter().map(|span| span.of(text.as_bytes())).collect::<Vec<_>>(), [br#""public""#]);
    assert_eq!(read(&result(r#"{"contents":{}}"#)).map(|_| ()), Err(Fault::Malformed("contents is not an array")));
}

/// MCP-L-03
#[test]
fn a_list_may_be_kept_no_longer_than_allowed() {
    for (ttl, want) in
        [("5", "5"), ("60000", "100"), ("1.5", "100"), ("-1", "100"), ("\"x\"", "100"), ("1e9", "100"), ("null", "100")]
    {
        let text = result(&format!(r#"{{"ttlMs": {ttl} ,"tools":[]}}"#));
        let shown = read(&text).unwrap().show(Some(100), |_, _, _| true).apply(text.as_bytes()).unwrap();
        let shown = shown.unwrap_or_else(|| text.clone().into_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), text.replace(&format!(" {ttl} "), &format!(" {want} ")));
    }
    let text = result(r#"{"ttlMs":60000,"supportedVersions":[]}"#);
    assert_eq!(read(&text).unwrap().show(Some(100), |_, _, _| true).apply(text.as_bytes()), Ok(None));
}
