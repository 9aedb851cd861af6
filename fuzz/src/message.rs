//! MCP messages: reading never panics, says the same of the same message, and lists lose what they must and nothing else.

use wardpoint_core::http::Headers;
use wardpoint_core::json::{self, Limits, Node};
use wardpoint_core::mcp::{Message, Shape, check_headers, filter_lists, read_request};

pub(crate) const WORDS: &[&str] = &[
    "{\"jsonrpc\":\"2.0\",",
    "\"jsonrpc\":\"2.0\"",
    "\"id\":1,",
    "\"id\":null,",
    "\"id\":\"a\",",
    "\"id\":1.5,",
    "\"id\":{},",
    "\"method\":",
    "\"params\":{",
    "\"tools/call\"",
    "\"tools/list\"",
    "\"prompts/get\"",
    "\"resources/read\"",
    "\"resources/subscribe\"",
    "\"completion/complete\"",
    "\"subscriptions/listen\"",
    "\"tasks/get\"",
    "\"initialize\"",
    "\"notifications/cancelled\"",
    "\"name\":",
    "\"Name\":",
    "\"n\\u0061me\":",
    "\"uri\":",
    "\"taskId\":",
    "\"arguments\":{",
    "\"_meta\":{",
    "\"io.modelcontextprotocol/protocolVersion\":",
    "\"2026-07-28\"",
    "\"2025-11-25\"",
    "\"ref\":{",
    "\"type\":\"ref/prompt\"",
    "\"type\":\"ref/resource\"",
    "\"notifications\":{",
    "\"resourceSubscriptions\":[",
    "\"taskIds\":[",
    "\"result\":{",
    "\"tools\":[",
    "\"prompts\":[",
    "\"resources\":[",
    "\"resourceTemplates\":[",
    "\"uriTemplate\":",
    "\"cacheScope\":\"public\"",
    "\"nextCursor\":\"x\"",
    "\"error\":{",
    "mcp-protocol-version: ",
    "mcp-method: ",
    "mcp-name: ",
    "=?base64?",
    "?=",
    "\n\n",
    "\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"read_file\"",
    "read_file",
    "\u{17f}",
    "\u{212a}",
    "\u{131}",
    "\\u0000",
];

/// Header lines, an empty line, a body.
pub(crate) fn run(bytes: &[u8]) {
    let (headers, body) = parts(bytes);
    requests(&headers, body);
    lists(body);
}

/// `name: value` lines up to an empty one, and what follows.
pub(crate) fn parts(bytes: &[u8]) -> (Headers, &[u8]) {
    let (mut headers, mut rest) = (Headers::new(), bytes);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let Some(colon) = line.iter().position(|byte| *byte == b':').filter(|_| !line.is_empty()) else { break };
        let (name, value) = line.split_at(colon);
        headers.push(name.to_ascii_lowercase(), value.get(1..).unwrap_or_default().trim_ascii_start());
    }
    (headers, rest)
}

fn requests(headers: &Headers, body: &[u8]) {
    let read = read_request(body, Limits::default());
    let Ok(message) = read else { return };
    let tree = json::parse_tree(body, Limits::default());
    let Ok(tree) = tree else { panic!("a message that is not strict JSON") };
    same_as_written(&message, &tree);
    let text = tree.canonical();
    match read_request(text.as_bytes(), Limits::default()) {
        Err(bad) => panic!("read in one way of writing, refused in another: {:?}", bad.fault),
        Ok(again) => {
            assert_eq!((again.shape, again.method, &again.method_text), (message.shape, message.method, &message.method_text));
            assert_eq!((&again.key, again.key_is_uri, again.id), (&message.key, message.key_is_uri, message.id));
            assert_eq!((&again.meta_version, again.cursor, again.task), (&message.meta_version, message.cursor, message.task));
            assert_eq!((&again.subscriptions, &again.subscribed_tasks), (&message.subscriptions, &message.subscribed_tasks));
            assert_eq!(check_headers(&again, headers), check_headers(&message, headers));
        }
    }
    if let Ok(era) = check_headers(&message, headers) {
        assert!(message.meta_version.is_none() || message.era() == Some(era), "headers changed the era of the body");
        let said = headers.one("mcp-method").ok().flatten();
        assert!(
            said.is_none_or(|said| said.trim_ascii() == message.method_text.as_bytes()),
            "the method differs from its header"
        );
    }
}

/// What was read is what a plain tree has under these names.
fn same_as_written(message: &Message<'_>, tree: &Node) {
    let text = |path: &[&str]| match at(tree, path) {
        Some(Node::String(text)) => Some(text.as_str()),
        _ => None,
    };
    if matches!(message.shape, Shape::Request | Shape::Notification) {
        assert_eq!(text(&["method"]), Some(&*message.method_text));
        assert_eq!(message.shape == Shape::Request, at(tree, &["id"]).is_some());
    }
    if let Some(key) = &message.key {
        let places: [&[&str]; 5] = [
            &["params", "name"],
            &["params", "uri"],
            &["params", "taskId"],
            &["params", "ref", "name"],
            &["params", "ref", "uri"],
        ];
        assert!(places.iter().any(|place| text(place) == Some(&**key)), "a key from nowhere: {key}");
        assert!(!key.contains(char::is_control), "a key with control characters");
    }
    assert_eq!(message.arguments.is_some(), at(tree, &["params", "arguments"]).is_some());
}

fn at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, name| match node {
        Node::Map(members) => members.iter().find(|(member, _)| member == name).map(|(_, value)| value),
        _ => None,
    })
}

/// Keeping all changes nothing but `cacheScope`; what is cut is gone and the rest is there, in order.
fn lists(body: &[u8]) {
    let limits = Limits::default();
    let Ok(kept) = filter_lists(body, limits, |_, _| true) else { return };
    assert_eq!(kept.hidden, 0);
    let mut names = Vec::new();
    let Ok(some) = filter_lists(body, limits, |_, name| {
        let keep = name.len() % 2 == 0;
        if keep {
            names.push(name.to_owned());
        }
        keep
    }) else {
        panic!("a list that is readable only if all of it stays")
    };
    assert_eq!(some.shown + some.hidden, kept.shown);
    let text = some.text.as_deref().unwrap_or(body);
    let mut left = Vec::new();
    let again = filter_lists(text, limits, |_, name| {
        left.push(name.to_owned());
        true
    });
    assert!(again.is_ok_and(|again| again.text.is_none() && again.shown == some.shown), "a filtered list cannot be read again");
    assert_eq!(left, names, "other items stay than those that were to");
    let all = kept.text.as_deref().unwrap_or(body);
    let scope = |text: &[u8]| {
        let mut tree = json::parse_tree(text, limits).ok()?;
        if let Node::Map(members) = &mut tree
            && let Some((_, Node::Map(result))) = members.iter_mut().find(|(name, _)| name == "result")
        {
            result.retain(|(name, _)| name != "cacheScope");
        }
        Some(tree.canonical())
    };
    assert_eq!(scope(all), scope(body), "keeping all changed more than cacheScope");
}
