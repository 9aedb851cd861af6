//! `wardpoint completions`.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Exit, Streams};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wardpoint completions bash > /etc/bash_completion.d/wardpoint")]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn completions(args: &Args, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wardpoint", &mut script);
    streams.out.write_all(&script)?;
    Ok(Exit::Good)
}
