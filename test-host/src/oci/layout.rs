//! An image in a folder: OCI image layout 1.0.0. Written without a registry or a Docker, read back to be pushed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::image::{Blob, Digest, Image};

const MARKER: &str = "oci-layout";
const VERSION: &str = "1.0.0";

/// A folder that is no layout of one image.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something else in it.
    #[error("{}: there is something else in it; give it a folder of its own", .0.display())]
    Occupied(PathBuf),
    /// A file is not what its place says.
    #[error("{}: {problem}", file.display())]
    Bad {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl Image {
    /// Writes the image into a folder; an image that is there is replaced, anything else is not.
    pub fn write(&self, folder: &Path) -> Result<(), LayoutError> {
        let blobs = folder.join("blobs/sha256");
        match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
            Ok(true) if !folder.join(MARKER).is_file() => return Err(LayoutError::Occupied(folder.to_owned())),
            Ok(true) if blobs.exists() => fs::remove_dir_all(&blobs).map_err(about(&blobs))?,
            _ => {}
        }
        fs::create_dir_all(&blobs).map_err(about(&blobs))?;
        for blob in self.blobs.iter().chain([&self.manifest]) {
            save(&blobs.join(blob.digest.hex()), &blob.bytes)?;
        }
        save(&folder.join(MARKER), json!({ "imageLayoutVersion": VERSION }).to_string().as_bytes())?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [self.manifest.descriptor()],
        });
        save(&folder.join("index.json"), index.to_string().as_bytes())
    }

    /// Reads the one image of a layout. Every blob is held against its digest.
    pub fn read(folder: &Path) -> Result<Self, LayoutError> {
        let marker = folder.join(MARKER);
        if text(&json_of(&marker, &load(&marker)?)?, "imageLayoutVersion") != Some(VERSION) {
            return Err(bad(&marker, format!("this is no layout of version {VERSION}")));
        }
        let file = folder.join("index.json");
        let index = json_of(&file, &load(&file)?)?;
        let [descriptor] = list(&index, "manifests") else {
            return Err(bad(&file, "a layout of one image has one manifest".to_owned()));
        };
        let manifest = blob(folder, &file, descriptor)?;
        let file = path(folder, &manifest.digest);
        let parts = json_of(&file, &manifest.bytes)?;
        let blobs = parts.get("config").into_iter().chain(list(&parts, "layers"));
        Ok(Self { blobs: blobs.map(|descriptor| blob(folder, &file, descriptor)).collect::<Result<_, _>>()?, manifest })
    }
}

/// What a descriptor in `file` refers to.
fn blob(folder: &Path, file: &Path, descriptor: &Value) -> Result<Blob, LayoutError> {
    let digest = text(descriptor, "digest").and_then(Digest::read);
    let (Some(digest), Some(media_type)) = (digest, text(descriptor, "mediaType")) else {
        return Err(bad(file, format!("`{descriptor}` refers to nothing: `digest` (sha256) and `mediaType` are needed")));
    };
    let file = path(folder, &digest);
    let blob = Blob::new(media_type, load(&file)?);
    if blob.digest != digest || descriptor.get("size") != Some(&blob.bytes.len().into()) {
        return Err(bad(&file, format!("this has {} bytes and is {}: it was changed", blob.bytes.len(), blob.digest)));
    }
    Ok(blob)
}

fn path(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("blobs/sha256").join(digest.hex())
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

fn json_of(file: &Path, bytes: &[u8]) -> Result<Value, LayoutError> {
    serde_json::from_slice(bytes).map_err(|error| bad(file, error.to_string()))
}

fn load(file: &Path) -> Result<Vec<u8>, LayoutError> {
    fs::read(file).map_err(about(file))
}

fn save(file: &Path, bytes: &[u8]) -> Result<(), LayoutError> {
    fs::write(file, bytes).map_err(about(file))
}

fn about(file: &Path) -> impl FnOnce(io::Error) -> LayoutError {
    move |source| LayoutError::Io { file: file.to_owned(), source }
}

fn bad(file: &Path, problem: String) -> LayoutError {
    LayoutError::Bad { file: file.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(body: &str) -> Image {
        Image::of("mcp-authz", "1.2.3", format!("\0asm\x01\0\0\0{body}").as_bytes()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_of_an_older_image_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (image("old"), image("new"));
        old.write(folder.path()).unwrap();
        assert_eq!(Image::read(folder.path()).unwrap(), old);
        new.write(folder.path()).unwrap();
        assert_eq!(Image::read(folder.path()).unwrap(), new);
        assert_eq!(fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count(), 3);
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter.txt"), "dear").unwrap();
        let error = image("").write(folder.path()).unwrap_err();
        assert!(matches!(error, LayoutError::Occupied(_)), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_changed_blob_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let image = image("");
        for blob in image.blobs.iter().chain([&image.manifest]) {
            image.write(folder.path()).unwrap();
            let mut bytes = blob.bytes.clone();
            bytes[0] ^= 1;
            fs::write(path(folder.path(), &blob.digest), bytes).unwrap();
            let error = Image::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains("it was changed"), "{error}");
        }
    }

    #[test]
    fn what_is_no_layout_of_one_image_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let image = image("");
        let said = || Image::read(folder.path()).unwrap_err().to_string();
        assert!(said().contains("oci-layout"), "{}", said());
        image.write(folder.path()).unwrap();
        for (index, why) in [
            (json!({ "manifests": [image.manifest.descriptor(), image.manifest.descriptor()] }), "has one manifest"),
            (json!({ "manifests": [{ "digest": "sha256:../../secret", "mediaType": "x" }] }), "refers to nothing"),
            (json!({}), "has one manifest"),
        ] {
            fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
            assert!(said().contains(why), "{}", said());
        }
        fs::write(folder.path().join(MARKER), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
        assert!(said().contains("no layout of version"), "{}", said());
    }
}
