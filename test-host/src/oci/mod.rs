//! Plugins as images in a registry, in the one form that Istio's agent and Envoy Gateway both take: an OCI manifest whose last layer is a
//! tar+gzip with the file `plugin.wasm` (envoy-istio.md 6). `sha256` in a manifest is the digest of the image's manifest, not of the module.

mod challenge;
mod credentials;
mod image;
mod layout;
mod push;
mod reference;
mod registry;

pub use credentials::{Credentials, Unusable};
pub use image::{Blob, Digest, Image, NoModule};
pub use layout::LayoutError;
pub use push::{PushError, push};
pub use reference::{BadReference, Reference};
