//! `wardpoint oci` and `wardpoint push`.

use std::io;
use std::path::{Path, PathBuf};

use super::{Exit, Streams};
use crate::oci::{Credentials, Image, Reference, push as into_registry};

/// Where layouts are unless told otherwise.
const LAYOUTS: &str = "target/oci";

/// Write modules as OCI image layouts, the same bytes each time
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint oci target/plugins/mcp-authz.wasm
  wardpoint oci --out images --tag 1.0.0 target/plugins/*.wasm

One layout a module, in a folder of its name, in the form that Istio and Envoy Gateway take: one layer, tar+gzip, with the file
plugin.wasm. No registry and no Docker is needed. Prints the digest of each: what `sha256` in a TrafficExtension, a WasmPlugin or an
EnvoyExtensionPolicy is for an image.")]
pub(super) struct OciArgs {
    /// Modules; the name of a plugin is that of its file
    #[arg(required = true)]
    modules: Vec<PathBuf>,
    /// Where the layouts go
    #[arg(long, default_value = LAYOUTS)]
    out: PathBuf,
    /// The version that an image says it is
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
}

/// Push an OCI image layout to a registry
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardpoint push registry.example.com/wardpoint/mcp-authz:0.1.0
  wardpoint push --layout images/mcp-authz 127.0.0.1:5000/mcp-authz:try

Without --layout it is target/oci/NAME, by the last part of the repository. Prints `url` and `sha256` for a TrafficExtension.

Credentials are WARDPOINT_REGISTRY_USER and WARDPOINT_REGISTRY_PASSWORD, or WARDPOINT_REGISTRY_TOKEN, else those of
$DOCKER_CONFIG/config.json or ~/.docker/config.json, else none; they are shown only to a registry that asks. Registries that want a
token of another service are served. Root certificates are the system's; SSL_CERT_FILE names others.

Exits with 0 if the image is there, 1 if the registry refuses it, 2 if there is nothing to push.")]
pub(super) struct PushArgs {
    /// REGISTRY/REPOSITORY:TAG
    reference: String,
    /// The layout
    #[arg(long)]
    layout: Option<PathBuf>,
    /// Without TLS, also to another machine; to this one it always is
    #[arg(long)]
    plain_http: bool,
}

pub(super) fn oci(args: &OciArgs, streams: &mut Streams<'_>) -> io::Result<Exit> {
    for file in &args.modules {
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = args.out.join(name);
        match written(file, name, &args.tag, &folder) {
            Ok(digest) => writeln!(streams.out, "{}: {digest}", folder.display())?,
            Err(error) => {
                writeln!(streams.err, "error: {error}")?;
                return Ok(Exit::Error);
            }
        }
    }
    Ok(Exit::Good)
}

/// The digest of the image that was written.
fn written(file: &Path, name: &str, tag: &str, folder: &Path) -> Result<String, String> {
    let module = std::fs::read(file).map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    let image = Image::of(name, tag, &module).map_err(|error| format!("{}: {error}", file.display()))?;
    image.write(folder).map_err(|error| error.to_string())?;
    Ok(image.manifest.digest.to_string())
}

pub(super) fn push(args: &PushArgs, streams: &mut Streams<'_>) -> io::Result<Exit> {
    let (reference, image) = match ready(args) {
        Ok(ready) => ready,
        Err(error) => {
            writeln!(streams.err, "error: {error}")?;
            return Ok(Exit::Error);
        }
    };
    let pushed = match Credentials::find(&reference) {
        Ok(credentials) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(into_registry(&image, &reference, &credentials, args.plain_http)).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = pushed {
        writeln!(streams.err, "error: {error}")?;
        return Ok(Exit::Bad);
    }
    writeln!(streams.out, "url: {reference}\nsha256: \"{}\"", image.manifest.digest.hex())?;
    Ok(Exit::Good)
}

/// What goes where.
fn ready(args: &PushArgs) -> Result<(Reference, Image), String> {
    let reference: Reference = args.reference.parse().map_err(|error| format!("`{}` {error}", args.reference))?;
    let name = reference.repository.rsplit('/').next().unwrap_or_default();
    let folder = args.layout.clone().unwrap_or_else(|| Path::new(LAYOUTS).join(name));
    let image = Image::read(&folder).map_err(|error| error.to_string())?;
    Ok((reference, image))
}
