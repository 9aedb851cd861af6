//! What is sent: requests of given sizes, and a list of tools as an answer.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::token::Token;

/// The tool that every call names.
pub(crate) const TOOL: &str = "search_documents";
/// A tool that no policy here allows.
pub(crate) const FORBIDDEN: &str = "delete_documents";
/// How many tools a list has; the callers may use each second one.
const TOOLS: usize = 80;
/// Bytes of the list.
const LIST: usize = 52_000;

/// What a call's arguments look like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// One long text, with the line ends of a document.
    Text,
    /// Many small members.
    Members,
}

/// Requests, to be sent again and again.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// What is sent to who does not say otherwise.
    pub(crate) usual: Arc<[Request]>,
    /// The same with some tokens that can be remembered.
    pub(crate) several: Arc<[Request]>,
    /// The same with tokens that nobody remembers: so many that each has been forgotten when it comes again.
    pub(crate) cold: Arc<[Request]>,
    /// The same, and every tenth token is signed with another signature.
    pub(crate) forged: Arc<[Request]>,
    /// Bytes of the body.
    pub(crate) body: usize,
}

/// Which of them a variant gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Load {
    Usual,
    Several,
    Cold,
    Forged,
}

/// One request: head and body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    /// Its token is forged.
    pub(crate) forged: bool,
}

impl Work {
    /// One request, with one token.
    pub(crate) fn new(name: &'static str, body: &str, token: &Token) -> Self {
        let usual = Arc::new([Request::new(body, &token.text)]);
        Self { name, usual, several: Arc::default(), cold: Arc::default(), forged: Arc::default(), body: body.len() }
    }

    /// The requests for a variant.
    pub(crate) const fn requests(&self, load: Load) -> &Arc<[Request]> {
        match load {
            Load::Usual => &self.usual,
            Load::Several => &self.several,
            Load::Cold => &self.cold,
            Load::Forged => &self.forged,
        }
    }

    /// The first one.
    pub(crate) fn first(&self) -> &[u8] {
        self.usual.first().map_or(&[], |request| request.bytes.as_slice())
    }
}

impl Request {
    /// A body as a client of MCP sends it.
    pub(crate) fn new(body: &str, token: &str) -> Self {
        let bytes = format!(
            "POST /mcp HTTP/1.1\r\nhost: tools.example.com\r\nuser-agent: bench\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\nauthorization: Bearer {}\r\nmcp-protocol-version: 2025-06-18\r\n\
             mcp-session-id: 1868a90c-5f7a-4b7e-9c1d-3f6d0a9f2c11\r\ncontent-length: {}\r\n\r\n{body}",
            token,
            body.len()
        );
        Self { bytes: bytes.into_bytes(), forged: false }
    }
}

/// A call of this tool, exactly so many bytes long.
pub(crate) fn call(tool: &str, size: usize, shape: Shape) -> String {
    let start = format!(r#"{{"jsonrpc":"2.0","id":1042,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"#);
    let mut body = start;
    if shape == Shape::Members {
        let mut index = 0;
        while body.len() + 100 < size {
            let _written = write!(body, r#""f{index:04}":{},"g{index:04}":"v{index}","#, index * 37 % 1000);
            index += 1;
        }
    }
    body.push_str(r#""text":""#);
    let end = r#""}}}"#;
    let text = prose(size.saturating_sub(body.len() + end.len()));
    body.push_str(&text);
    body.push_str(end);
    body
}

/// A call that names its tool twice: first the allowed one, then the other. Many readers take the last.
pub(crate) fn call_with_two_names() -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1042,"method":"tools/call","params":{{"name":"{TOOL}","arguments":{{}},"name":"{FORBIDDEN}"}}}}"#
    )
}

/// The answer to a call.
pub(crate) fn answer() -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": 1042, "result": {"content": [{"type": "text", "text": "3 documents found"}], "isError": false}})
        .to_string()
        .into_bytes()
}

/// A request for the list of tools.
pub(crate) const LIST_REQUEST: &str = r#"{"jsonrpc":"2.0","id":1042,"method":"tools/list","params":{}}"#;

/// The answer to it, with descriptions and schemas.
pub(crate) fn list() -> Vec<u8> {
    let bare = |text: usize| -> Value {
        let tools: Vec<Value> = (0..TOOLS).map(|index| tool(index, text)).collect();
        json!({ "jsonrpc": "2.0", "id": 1042, "result": { "tools": tools } })
    };
    let without = bare(0).to_string().len();
    bare(LIST.saturating_sub(without) / TOOLS).to_string().into_bytes()
}

/// The name of a listed tool.
pub(crate) fn listed(index: usize) -> String {
    format!("workspace_tool_{index:02}")
}

/// The listed tools that the caller may use.
pub(crate) fn kept() -> Vec<String> {
    (0..TOOLS).step_by(2).map(listed).collect()
}

fn tool(index: usize, text: usize) -> Value {
    json!({
        "name": listed(index),
        "title": format!("Workspace tool {index}"),
        "description": prose(text).replace("\\n", "  "),
        "inputSchema": {
            "type": "object",
            "properties": {
                "query": { "type": "string", "description": "What to look for", "minLength": 1 },
                "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": 20 },
                "fields": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["query"],
            "additionalProperties": false,
        },
        "annotations": { "readOnlyHint": index.is_multiple_of(3), "openWorldHint": false },
    })
}

/// Text for a JSON string, this long: lines of words, their ends escaped.
fn prose(length: usize) -> String {
    const LINE: &str = "The quarterly figures of the northern region are in the second table below.\\n";
    let mut text = LINE.repeat(length / LINE.len());
    text.push_str(&"x".repeat(length - text.len()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_their_size_and_are_json() {
        for (size, shape) in [(256, Shape::Text), (2048, Shape::Text), (65_536, Shape::Text), (65_536, Shape::Members)] {
            let body = call(TOOL, size, shape);
            assert_eq!(body.len(), size);
            let read: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(read.pointer("/params/name").unwrap(), TOOL);
            let members = read.pointer("/params/arguments").unwrap().as_object().unwrap().len();
            assert!(if shape == Shape::Members { members > 3_000 } else { members == 1 }, "{members}");
        }
    }

    #[test]
    fn the_list_is_as_long_as_it_should_be() {
        let list = list();
        assert!((LIST - 200..=LIST).contains(&list.len()), "{}", list.len());
        let read: Value = serde_json::from_slice(&list).unwrap();
        assert_eq!(read.pointer("/result/tools").unwrap().as_array().unwrap().len(), TOOLS);
        assert_eq!(kept().len(), TOOLS / 2);
    }
}
