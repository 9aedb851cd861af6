//! `wardpoint render`.

use std::io;
use std::path::PathBuf;

use super::check::{configuration, read};
use super::plugins::Plugin;
use super::{Exit, Streams};
use crate::render::{Declaration, NAME, objects, schema, yaml};

/// Make NetworkPolicies, AuthorizationPolicies and plugin configuration of one declaration
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint render access.yaml > manifests.yaml
  wardpoint render access.yaml | wardpoint lint -
  wardpoint render access.yaml | kubectl diff -f -

The declaration says which agent may reach which server and which of its tools. What is printed says it to the network, to the mesh
and to the plugin at each server's waypoint, so that no path stands in one of them and not in the others. Its fields:
docs/reference/access.md and `wardpoint schema access`.

Exits with 0 if it was made, 1 if there are problems, 2 if the file cannot be read.")]
pub(super) struct Args {
    /// The declaration, YAML or JSON; `-` is the standard input
    declaration: PathBuf,
}

/// What reads a declaration, with the lines of its problems.
const READER: Plugin = Plugin {
    name: NAME,
    configure: |text| Declaration::read(text).map(|_| Vec::new()),
    schema,
    trace: |_, kind, _| Err(format!("a declaration is about paths, not about a {kind}")),
};

pub(super) fn render(args: &Args, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let text = match read(&args.declaration) {
        Ok(text) => text,
        Err(error) => {
            writeln!(streams.err, "error: {}: cannot be read: {error}", args.declaration.display())?;
            return Ok(Exit::Error);
        }
    };
    let read = configuration(&READER, &args.declaration, &text).map_err(|error| error.to_string());
    match read.and_then(|good| Declaration::read(&good.json).map_err(|error| error.to_string())) {
        Ok(declaration) => {
            write!(streams.out, "{}", yaml(&objects(&declaration)))?;
            Ok(Exit::Good)
        }
        Err(error) => {
            writeln!(streams.err, "{error}")?;
            Ok(Exit::Bad)
        }
    }
}
