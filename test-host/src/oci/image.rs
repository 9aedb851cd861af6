//! One module as an image: the same bytes for the same module, whoever makes it and when.

use std::fmt;
use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tar::{EntryType, Header};

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The file in the layer; both fetchers look for this name.
const FILE: &str = "plugin.wasm";

/// The operating system byte of RFC 1952 2.3.1 that says nothing.
const UNKNOWN_SYSTEM: u8 = 255;

/// `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Digest(String);

/// Bytes that others refer to by their digest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Blob {
    /// What it is.
    pub media_type: String,
    /// Of `bytes`.
    pub digest: Digest,
    /// It.
    pub bytes: Vec<u8>,
}

/// A manifest and everything that it refers to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// What the image is known by: its digest is what `sha256` in a TrafficExtension means.
    pub manifest: Blob,
    /// Configuration and layers, in the order of the manifest.
    pub blobs: Vec<Blob>,
}

/// What was to become an image is not a WebAssembly module.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not a WebAssembly module")]
pub struct NoModule;

impl Image {
    /// Of a plugin's module.
    pub fn of(plugin: &str, version: &str, module: &[u8]) -> Result<Self, NoModule> {
        if !module.starts_with(b"\0asm\x01\0\0\0") {
            return Err(NoModule);
        }
        // Writing to memory fails for names only, and the name is ours.
        let tar = tarred(module).map_err(|_| NoModule)?;
        let layer = Blob::new(LAYER, gzipped(&tar).map_err(|_| NoModule)?);
        // Containerd and Docker want to know the layers unpacked. The platform is that which fetchers ask for unless told otherwise.
        let config = Blob::json(
            CONFIG,
            &json!({
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": { "type": "layers", "diff_ids": [Digest::of(&tar).0] },
            }),
        );
        let manifest = Blob::json(
            MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.descriptor(),
                "layers": [layer.descriptor()],
                "annotations": {
                    "module.wasm.image/variant": "compat",
                    "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                    "org.opencontainers.image.title": plugin,
                    "org.opencontainers.image.version": version,
                },
            }),
        );
        Ok(Self { manifest, blobs: vec![config, layer] })
    }
}

impl Blob {
    pub(super) fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.to_owned(), digest: Digest::of(&bytes), bytes }
    }

    fn json(media_type: &str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    /// How others refer to it.
    pub(super) fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest.0, "size": self.bytes.len() })
    }
}

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let hex = digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Self(format!("sha256:{hex}"))
    }

    /// One that somebody wrote.
    pub fn read(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let good = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        good.then(|| Self(text.to_owned()))
    }

    /// The 64 digits.
    pub fn hex(&self) -> &str {
        self.0.trim_start_matches("sha256:")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One file, with nothing of the machine that packs it: no owner, no time.
fn tarred(module: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(module.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, FILE, module)?;
    tar.into_inner()
}

fn gzipped(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0 and so on";

    #[test]
    fn the_same_module_is_the_same_image_whoever_packs_it() {
        let image = Image::of("mcp-authz", "1.2.3", MODULE).unwrap();
        assert_eq!(image, Image::of("mcp-authz", "1.2.3", MODULE).unwrap());
        // What was once published under a digest must come out again: a new version of what packs may not change it unseen.
        assert_eq!(image.blobs[1].digest.hex(), "cddebd30a248bc7bbfa625901b92f65d6c6fa6e7b0f2e6e921502cb0a9a109df");
        assert_eq!(image.manifest.digest.hex(), "cee0dc491ea336f26fb7168aeb94c82abe6c0f3afa423e3dddd3675bb1f0200d");
    }

    #[test]
    fn the_last_layer_is_the_module_and_the_configuration_names_it_unpacked() {
        let image = Image::of("mcp-authz", "1.2.3", MODULE).unwrap();
        let manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        assert_eq!(manifest["layers"], json!([image.blobs[1].descriptor()]));
        assert_eq!(manifest["layers"][0]["mediaType"], LAYER);
        assert_eq!(manifest["config"], image.blobs[0].descriptor());
        let mut tar = Vec::new();
        GzDecoder::new(image.blobs[1].bytes.as_slice()).read_to_end(&mut tar).unwrap();
        let config: Value = serde_json::from_slice(&image.blobs[0].bytes).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"], json!([Digest::of(&tar).0]));
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut files = archive.entries().unwrap().map(Result::unwrap);
        let mut file = files.next().unwrap();
        let (mut module, header) = (Vec::new(), file.header().clone());
        file.read_to_end(&mut module).unwrap();
        assert_eq!((file.path_bytes().as_ref(), module.as_slice()), (b"plugin.wasm".as_slice(), MODULE));
        assert_eq!(
            (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
            (0o644, 0, 0, 0)
        );
        assert!(files.next().is_none());
    }

    #[test]
    fn what_is_no_module_becomes_no_image() {
        assert_eq!(Image::of("mcp-authz", "1.2.3", b"#!/bin/sh"), Err(NoModule));
    }

    #[test]
    fn a_digest_is_read_strictly() {
        let digest = Digest::of(b"");
        assert_eq!(digest.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Digest::read(&digest.to_string()), Some(digest.clone()));
        for bad in [digest.hex(), "sha256:", &digest.to_string().to_uppercase(), &format!("{digest}0"), "sha512:00"] {
            assert_eq!(Digest::read(bad), None, "{bad}");
        }
    }
}
