//! The command line `wardpoint`. Every command returns what the process exits with; usage errors exit with 2.

mod check;
mod completions;
mod demo;
mod engines;
mod explain;
mod lint;
mod oci;
mod pin;
mod plugins;
mod render;
mod run;
mod schema;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::Style;
use crate::scenario::run::Engines;
pub use engines::{EngineName, Real};

/// The CLI.
#[derive(Debug, Parser)]
#[command(name = "wardpoint", version, about = "Plays scenarios against Wardpoint plugins, and says what a policy does and why")]
#[command(after_help = "Examples:
  wardpoint run                                              all scenarios, native and wasm, every cut
  wardpoint run my-server.yaml --engine all --format junit   one file, real Envoy too, for CI
  wardpoint check --plugin mcp-authz policy.yaml             every problem of a configuration, with its line
  wardpoint explain --plugin mcp-authz --config policy.yaml request.yaml
  wardpoint lint manifests/*.yaml                            what keeps a plugin from its work in a waypoint
  wardpoint render access.yaml                               one declaration, for the network, the mesh and the plugins
  wardpoint oci target/plugins/mcp-authz.wasm                an image for a registry, with its digest
  wardpoint pin tools.json                                   digests of tools, so that a changed one disappears
  wardpoint schema mcp-authz > mcp-authz.schema.json

NO_COLOR=1 turns colour off; there is none where the output is not a terminal.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play scenarios and compare what is seen with what they expect
    Run(run::Args),
    /// Report every problem of configurations, each with its line
    Check(check::Args),
    /// Say what a policy decides about one request, and why
    Explain(explain::Args),
    /// Show examples at work on the embedded wasmtime host: what was decided, and why
    Demo(demo::Args),
    /// Report what in manifests or in a running proxy keeps a plugin from doing its work
    Lint(lint::Args),
    /// Make NetworkPolicies, AuthorizationPolicies and plugin configuration of one declaration
    Render(render::Args),
    /// Write modules as OCI image layouts, the same bytes each time
    Oci(oci::OciArgs),
    /// Push an OCI image layout to a registry
    Push(oci::PushArgs),
    /// Print the pins of the tools in a list, for `tools.pins`
    Pin(pin::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the JSON Schema of the audit record, of a plugin's configuration or of a declaration
    Schema(schema::Args),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// All is well.
    Good,
    /// Something was found: a failed case, a problem in a configuration.
    Bad,
    /// The command could not do its work.
    Error,
}

/// Where a command writes.
pub struct Streams<'a> {
    /// What was asked for.
    pub out: &'a mut (dyn Write + Send),
    /// Everything else.
    pub err: &'a mut dyn Write,
    /// Colour of `out`.
    pub style: Style,
    /// Whether somebody watches `err`.
    pub progress: bool,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Good => Self::SUCCESS,
            Exit::Bad => Self::from(1),
            Exit::Error => Self::from(2),
        }
    }
}

/// The program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let style = Style::new(io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let (mut out, mut err) = (io::BufWriter::new(io::stdout()), io::stderr());
    let progress = err.is_terminal();
    execute(&cli, &Real, Streams { out: &mut out, err: &mut err, style, progress }).into()
}

/// Carries out a command line.
pub fn execute(cli: &Cli, engines: &dyn Engines, mut streams: Streams<'_>) -> Exit {
    let done = match &cli.command {
        Command::Run(args) => run::run(args, engines, &mut streams),
        Command::Check(args) => check::check(args, &mut streams),
        Command::Demo(args) => demo::demo(args, engines, &mut streams),
        Command::Explain(args) => explain::explain(args, &mut streams),
        Command::Lint(args) => lint::lint(args, &mut streams),
        Command::Render(args) => render::render(args, &mut streams),
        Command::Oci(args) => oci::oci(args, &mut streams),
        Command::Push(args) => oci::push(args, &mut streams),
        Command::Pin(args) => pin::pin(args, &mut streams),
        Command::Completions(args) => completions::completions(args, &mut streams),
        Command::Schema(args) => schema::schema(args, &mut streams),
    };
    match done.and_then(|exit| streams.out.flush().map(|()| exit)) {
        Ok(exit) => exit,
        // Whoever read the output has seen enough (`wardpoint run | head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Error,
        Err(error) => {
            let _ = writeln!(streams.err, "error: {error}");
            Exit::Error
        }
    }
}
