//! `wardpoint schema`.

use std::io;

use clap::builder::PossibleValuesParser;

use super::plugins::{names, plugin};
use super::{Exit, Streams};

/// Print the JSON Schema of the audit record, of a plugin's configuration or of a declaration
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardpoint schema audit\n  wardpoint schema mcp-authz > mcp-authz.schema.json")]
pub(super) struct Args {
    /// `audit`, `access`, or a plugin
    #[arg(value_parser = PossibleValuesParser::new(["audit", crate::render::NAME].into_iter().chain(names())))]
    of: String,
}

pub(super) fn schema(args: &Args, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let text = match plugin(&args.of) {
        Some(plugin) => (plugin.schema)(),
        None if args.of == crate::render::NAME => crate::render::schema(),
        None => wardpoint_core::audit::SCHEMA.to_owned(),
    };
    let schema: serde_json::Value = serde_json::from_str(&text)?;
    writeln!(streams.out, "{}", serde_json::to_string_pretty(&schema)?)?;
    Ok(Exit::Good)
}
