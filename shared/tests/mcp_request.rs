//! What a client may send (rules.md 1.1, 1.4, 6.1).

use wardpoint_core::json::{ErrorKind, Limits};
use wardpoint_core::mcp::{Era, Fault, Message, Method, Shape, read_request};

fn read(text: &str) -> Result<Message<'_>, Fault> {
    read_request(text.as_bytes(), Limits::default()).map_err(|bad| bad.fault)
}

#[expect(clippy::panic, reason = "a test fails by it")]
fn fault(text: &str) -> Fault {
    read(text).map(|message| panic!("{text} was read as {message:?}")).unwrap_or_else(|fault| fault)
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"refund_order","arguments":{"order":"A1"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

#[test]
fn a_call_is_read_whole() {
    let message = read(CALL).unwrap();
    assert_eq!((message.shape, message.method, message.era()), (Shape::Request, Method::ToolsCall, Some(Era::Modern)));
    assert_eq!((message.id.unwrap().raw(), message.name(), message.uri()), ("7", Some("refund_order"), None));
    assert_eq!(message.arguments.unwrap().of(CALL.as_bytes()), br#"{"order":"A1"}"#);
    assert_eq!(message.params.unwrap().of(CALL.as_bytes()).first(), Some(&b'{'));
    assert_eq!(message.meta_version.as_deref(), Some("2026-07-28"));
}

/// Members come in any order, with escapes and white space (BY-J-04).
#[test]
fn order_and_escapes_do_not_matter() {
    let text = "\n{\"params\" : {\"arguments\":{}, \"n\\u0061me\":\"a\\u002fb\"} ,\t\"method\":\"tools\\/call\",\"id\":\"x\",\"jsonrpc\":\"2.0\"}\r\n";
    let message = read(text).unwrap();
    assert_eq!((message.method, message.name(), message.era()), (Method::ToolsCall, Some("a/b"), Some(Era::Legacy)));
    assert_eq!(message.id.unwrap().raw(), "\"x\"");
}

#[test]
fn every_method_is_known_by_its_name_and_key() {
    for method in Method::ALL {
        let name = method.text().unwrap();
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{name}","params":{{"name":"n","uri":"u","taskId":"t","ref":{{"type":"ref/prompt","name":"r"}}}}}}"#
        );
        let message = read(&text).unwrap();
        assert_eq!(message.method, *method);
        let key = match name {
            "tools/call" | "prompts/get" => Some("n"),
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" | "notifications/resources/updated" => Some("u"),
            "tasks/get" | "tasks/result" | "tasks/cancel" | "tasks/update" => Some("t"),
            "completion/complete" => Some("r"),
            _ => None,
        };
        assert_eq!(message.key.as_deref(), key, "{name}");
    }
    for unknown in ["tools/Call", "TOOLS/CALL", " tools/call", "tools/call ", "", "tools/call\\u0000", "x"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{unknown}"}}"#);
        assert_eq!(read(&text).unwrap().method, Method::Unknown, "{unknown}");
    }
}

#[test]
fn shapes() {
    for (text, shape) in [
        (r#"{"jsonrpc":"2.0","method":"ping","id":0}"#, Shape::Request),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Shape::Notification),
        (r#"{"jsonrpc":"2.0","method":"ping"}"#, Shape::Notification),
        (r#"{"jsonrpc":"2.0","id":"a","result":{}}"#, Shape::Result),
        (r#"{"jsonrpc":"2.0","id":"a","result":null}"#, Shape::Result),
        (r#"{"jsonrpc":"2.0","id":-3,"error":{"code":1,"message":""}}"#, Shape::Error),
        (r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#, Shape::Error),
        (r#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#, Shape::Error),
    ] {
        assert_eq!(read(text).unwrap().shape, shape, "{text}");
    }
}

#[test]
fn ids_are_strings_or_integers() {
    for id in ["0", "1", "-1", "9007199254740993", "\"\"", "\"0\"", "\"\\u0031\""] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(read(&text).unwrap().id.unwrap().raw(), id);
    }
    for id in ["null", "1.0", "1e0", "-0", "true", "[]", "[1]", "{}"] {
        assert_eq!(fault(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)), Fault::InvalidId, "{id}");
    }
    assert_eq!(fault(r#"{"jsonrpc":"2.0","result":{}}"#), Fault::InvalidId);
    assert_eq!(fault(r#"{"jsonrpc":"2.0","id":null,"result":{}}"#), Fault::InvalidId);
}

/// BY-S-04
#[test]
fn ids_are_compared_with_their_kind() {
    let id = |text: &'static str| read(text).unwrap().id.unwrap();
    let one = id(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    let text = id(r#"{"jsonrpc":"2.0","id":"1","method":"ping"}"#);
    let escaped = id(r#"{"jsonrpc":"2.0","id":"\u0031","method":"ping"}"#);
    assert!(one != text && text == escaped && one == one);
}

#[test]
fn what_is_not_one_message_is_refused() {
    use Fault::*;
    for (text, expected) in [
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Batch),
        ("[]", Batch),
        ("1", Malformed("not an object")),
        ("null", Malformed("not an object")),
        ("\"x\"", Malformed("not an object")),
        (r#"{"id":1,"method":"ping"}"#, Malformed("jsonrpc is not \"2.0\"")),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, Malformed("jsonrpc is not \"2.0\"")),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Malformed("jsonrpc is not \"2.0\"")),
        (r#"{"jsonrpc":"2.0","id":1}"#, Malformed("neither method nor result nor error")),
        (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, Malformed("method is not a string")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, Malformed("params is not an object")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, Malformed("params is not an object")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, Malformed("more than one of method, result and error")),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, Malformed("more than one of method, result and error")),
        (r#"{"jsonrpc":"2.0","id":1,"error":"x"}"#, Malformed("error is not an object")),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#, Malformed("a response with params")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, Params("params.name is not a string")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["a"]}}"#, Params("params.name is not a string")),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
            Params("params.arguments is not an object"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\u0000"}}"#,
            Params("a name has control characters"),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"name":"a"}}"#, Params("params.uri is not a string")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{}}"#, Params("params.taskId is not a string")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":1}}"#, Params("params.cursor is not a string")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":[]}}"#, Params("params._meta is not an object")),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}}"#,
            Params("the protocol version in params._meta is not a string"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":"x"}}}"#,
            Params("params.ref has no type"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"x","uri":"y"}}}"#,
            Params("params.ref is neither a prompt nor a resource"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","name":"x"}}}"#,
            Params("params.ref is neither a prompt nor a resource"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"taskIds":[1]}}}"#,
            Params("params.notifications does not list strings"),
        ),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn the_id_is_there_to_answer_with() {
    let bad = |text: &'static str| read_request(text.as_bytes(), Limits::default()).unwrap_err().id.map(|id| id.raw());
    assert_eq!(bad(r#"{"Method":1,"jsonrpc":"2.0","method":"ping","id":9}"#), Some("9"));
    assert_eq!(bad(r#"{"jsonrpc":"2.0","method":"tools/call","id":"a"}"#), Some("\"a\""));
    assert_eq!(bad(r#"{"jsonrpc":"2.0","method":"tools/call","id":null}"#), None);
    assert_eq!(bad(r#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#), None);
}

/// BY-J-01
#[test]
fn a_member_twice_is_refused_at_any_depth() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"x":1,"x":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"\u0078":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"l":[{"":1,"":2}]}}}"#,
    ] {
        assert!(matches!(fault(text), Fault::Json(error) if error.kind == ErrorKind::DuplicateMember), "{text}");
    }
}

/// BY-J-02, BY-J-03
#[test]
fn case_twins_are_refused_where_they_count() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":{}}"#,
        r#"{"JSONRPC":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","iD":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","größe":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0041me":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Argument\u017f":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a","tas\u212aid":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","ur\u0131":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_Meta":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/ProtocolVersion":"2026-07-28"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","URI":"b"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"taskids":["b"]}}}"#,
    ] {
        assert_eq!(fault(text), Fault::CaseTwin, "{text}");
    }
    let free = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"größe":1,"name":"a","arguments":{"Name":1,"name":2,"Method":3},"_meta":{"Name":1}}}"#;
    assert_eq!(read(free).unwrap().name(), Some("a"));
}

#[test]
fn what_stands_in_lists_and_references_is_read() {
    let text = r#"{"jsonrpc":"2.0","id":11,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///a"],"taskIds":["t1"]}}}"#;
    let message = read(text).unwrap();
    assert_eq!((message.subscriptions, message.subscribed_tasks), (vec!["file:///a".into()], vec!["t1".into()]));
    let text =
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"uri":"file:///{p}","type":"ref/resource"}}}"#;
    let message = read(text).unwrap();
    assert_eq!((message.key.as_deref(), message.key_is_uri), (Some("file:///{p}"), true));
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2099-01-01"}}"#;
    assert_eq!(read(text).unwrap().wanted_version.as_deref(), Some("2099-01-01"));
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":""}}"#;
    assert!(read(text).unwrap().cursor);
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{},"task":{"ttl":1}}}"#;
    assert!(read(text).unwrap().task);
}

/// However a message is cut short, nothing of it is used (BY-J-13).
#[test]
fn no_prefix_of_a_message_is_one() {
    for end in 0..CALL.len() {
        assert!(matches!(fault(CALL.get(..end).unwrap()), Fault::Json(_)));
    }
}
