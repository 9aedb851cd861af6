//! `wardpoint pin`.

use std::io;
use std::path::PathBuf;

use wardpoint_core::json::Limits;
use wardpoint_core::mcp::{Fault, Item, List, read_answer};
use wardpoint_core::mcp_authz::pin_of;

use super::check::read;
use super::{Exit, Streams};

/// Print the pins of the tools in a list, for `tools.pins`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint pin tools.json
  wardpoint pin --tool read_file tools.json

Give it what the server answered to tools/list, as it came: the JSON-RPC message, or its result. Look at each tool before you pin
it: a pin says that this description and this schema are what you agreed to. With a pin a tool that changes is no longer listed.")]
pub(super) struct Args {
    /// Only this tool; more than one may be given
    #[arg(long)]
    tool: Vec<String>,
    /// The answer to tools/list; `-` is the standard input
    list: PathBuf,
}

pub(super) fn pin(args: &Args, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let text = match read(&args.list) {
        Ok(text) => text,
        Err(error) => {
            writeln!(streams.err, "error: {}: cannot be read: {error}", args.list.display())?;
            return Ok(Exit::Error);
        }
    };
    let pins = match pins(&text) {
        Ok(pins) => pins,
        Err(problem) => {
            writeln!(streams.err, "error: {}: {problem}", args.list.display())?;
            return Ok(Exit::Error);
        }
    };
    if let Some(unknown) = args.tool.iter().find(|tool| pins.iter().all(|(name, _)| name != *tool)) {
        writeln!(streams.err, "error: {}: has no tool `{unknown}`", args.list.display())?;
        return Ok(Exit::Error);
    }
    writeln!(streams.out, "tools:\n  pins:")?;
    for (name, digest) in pins.iter().filter(|(name, _)| args.tool.is_empty() || args.tool.contains(name)) {
        // A JSON string is a YAML string, whatever is in it.
        writeln!(streams.out, "    {}: {digest}", serde_json::Value::from(name.as_str()))?;
    }
    Ok(Exit::Good)
}

/// Each tool of the list with its pin, read as the plugin reads it.
fn pins(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.trim();
    let wrapped = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{text}}}"#);
    let (text, message) =
        match (read_answer(text.as_bytes(), Limits::default()), read_answer(wrapped.as_bytes(), Limits::default())) {
            (Ok(message), _) => (text, message),
            (Err(_), Ok(message)) => (wrapped.as_str(), message),
            (Err(message), Err(result)) => {
                // A bare result is no message, which says nothing of what is wrong with it.
                let fault = if let Fault::Malformed(_) = message.fault { result.fault } else { message.fault };
                return Err(format!("is not an answer to tools/list: {}", why(fault)));
            }
        };
    let list = message.lists.iter().find(|list| list.list == List::Tools).ok_or("has no list of tools")?;
    let pin = |item: &Item<'_>| {
        let pin = pin_of(item.span.of(text.as_bytes()));
        pin.ok_or_else(|| format!("the tool `{}` cannot be read in one way only", item.key.text()))
    };
    list.items.iter().map(|item| Ok((item.key.text().into_owned(), pin(item)?))).collect()
}

fn why(fault: Fault) -> String {
    match fault {
        Fault::Batch => "it is an array".to_owned(),
        Fault::CaseTwin => "two names of members differ only in case".to_owned(),
        Fault::InvalidId => "its id is neither a string nor an integer".to_owned(),
        Fault::Json(error) => error.to_string(),
        Fault::Malformed(what) | Fault::Params(what) => what.to_owned(),
    }
}
