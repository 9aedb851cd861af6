//! Lists in answers (MCP-L-01…04, BY-S-04).

use wardpoint_core::json::Limits;
use wardpoint_core::mcp::{Fault, List, Shape, filter_lists, filter_tools};

fn filter(text: &str, keep: &[&str]) -> Result<Option<String>, Fault> {
    filter_tools(text.as_bytes(), Limits::default(), |name| keep.contains(&name))
        .map(|filtered| filtered.text.map(|text| String::from_utf8_lossy(&text).into_owned()))
        .map_err(|bad| bad.fault)
}

/// Every subset of four items, with all kinds of white space: what stays is untouched, and the rest is valid JSON.
#[test]
fn items_go_with_their_commas() {
    let items = [r#"{"name":"a"}"#, r#"{ "x" : 1, "name" : "b" }"#, r#"{"name":"\u0063","y":[{"name":"d"}]}"#, r#"{"name":"d"}"#];
    let names = ["a", "b", "c", "d"];
    for (open, comma, close) in [("[", ",", "]"), ("[ ", " ,\n  ", "\t]"), ("[\r\n", ",", " ]")] {
        let list = format!("{open}{}{close}", items.join(comma));
        let text = format!(r#"{{"jsonrpc":"2.0","id":3,"result":{{"nextCursor":"o","tools":{list},"z":1.50}} }}"#);
        for set in 0..16u32 {
            let kept: Vec<_> = (0..4).filter(|index| set >> index & 1 == 1).collect();
            let keep: Vec<_> = kept.iter().map(|index| names[*index]).collect();
            let out = filter(&text, &keep).unwrap();
            assert_eq!(out.is_none(), set == 15);
            let out = out.unwrap_or_else(|| text.clone());
            let tools = &serde_json::from_str::<serde_json::Value>(&out).unwrap()["result"]["tools"];
            let shown: Vec<_> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
            assert_eq!(shown, keep);
            kept.iter().for_each(|index| assert!(out.contains(items[*index])));
            assert!(
                out.starts_with(r#"{"jsonrpc":"2.0","id":3,"result":{"nextCursor":"o","tools":["#)
                    && out.ends_with(r#","z":1.50} }"#)
            );
        }
    }
}

/// MCP-L-03
#[test]
fn a_filtered_list_is_private_even_when_nothing_was_hidden() {
    for (scope, expected) in [
        (r#""public""#, Some(r#""private""#)),
        (r#""publi\u0063""#, Some(r#""private""#)),
        ("null", Some(r#""private""#)),
        (r#"{"a":[1]}"#, Some(r#""private""#)),
        (r#""private""#, None),
        (r#""\u0070rivate""#, None),
    ] {
        for (front, back) in [(format!(r#""cacheScope": {scope} ,"#), ""), (String::new(), "x")] {
            let tail = if back.is_empty() { String::new() } else { format!(r#","cacheScope": {scope} "#) };
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{front}"tools":[{{"name":"a"}}]{tail}}}}}"#);
            let out = filter(&text, &["a"]).unwrap();
            assert_eq!(out, expected.map(|expected| text.replace(scope, expected)), "{text}");
        }
    }
    let other = r#"{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"public","contents":[]}}"#;
    assert_eq!(filter(other, &[]), Ok(None));
}

#[test]
fn messages_without_a_list_stay() {
    for (text, shape) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"tools":[{}]}]}}"#, Shape::Result),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"m","data":{"tools":[1]}}}"#, Shape::Error),
        (r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"tools":[1]}}"#, Shape::Notification),
        (r#"{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{"tools":[1]}}"#, Shape::Request),
    ] {
        let out = filter_tools(text.as_bytes(), Limits::default(), |_| false).unwrap();
        assert_eq!((out.text, out.shape, out.lists.len()), (None, shape, 0), "{text}");
    }
}

/// MCP-L-04
#[test]
fn what_cannot_be_read_is_an_error() {
    for result in [
        r#"{"tools":[{}]}"#,
        r#"{"tools":[{"name":1}]}"#,
        r#"{"tools":[{"name":"a"},{"name":"a"}]}"#,
        r#"{"tools":[{"name":"a"},{"name":"\u0061"}]}"#,
        r#"{"tools":[{"name":"a","Name":"b"}]}"#,
        r#"{"tools":[{"NAME":"b"}]}"#,
        r#"{"tools":[{"name":"a","name":"b"}]}"#,
        r#"{"tools":["a"]}"#,
        r#"{"tools":[null]}"#,
        r#"{"tools":{"name":"a"}}"#,
        r#"{"tools":null}"#,
        r#"{"Tools":[{"name":"a"}]}"#,
        r#"{"tool\u017f":[{"name":"a"}]}"#,
        r#"{"tools":[],"cachescope":"public"}"#,
        r#"{"tools":[{"name":"a"}]"#,
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        assert!(filter(&text, &["a", "b"]).is_err(), "{text}");
    }
    let batch = r#"[{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}]"#;
    assert_eq!(filter(batch, &[]), Err(Fault::Batch));
}

#[test]
fn all_lists_and_the_id() {
    let text = r#"{"jsonrpc":"2.0","id":"7","result":{"prompts":[{"name":"p"}],"resources":[{"uri":"u","name":"n"}],"resourceTemplates":[{"uriTemplate":"t","name":"n"}],"tools":[{"name":"x"},{"name":"y"}]}}"#;
    let mut asked = Vec::new();
    let out = filter_lists(text.as_bytes(), Limits::default(), |list, name| {
        asked.push((list, name.to_owned()));
        name == "y"
    })
    .unwrap();
    assert_eq!((out.id.unwrap().raw(), out.shown, out.hidden), ("\"7\"", 1, 4));
    let expected =
        [(List::Prompts, "p"), (List::Resources, "u"), (List::ResourceTemplates, "t"), (List::Tools, "x"), (List::Tools, "y")];
    assert_eq!(asked, expected.map(|(list, name)| (list, name.to_owned())));
    let expected =
        r#"{"jsonrpc":"2.0","id":"7","result":{"prompts":[],"resources":[],"resourceTemplates":[],"tools":[{"name":"y"}]}}"#;
    assert_eq!(out.text.unwrap(), expected.as_bytes());
}
