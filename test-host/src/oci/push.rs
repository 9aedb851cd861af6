//! An image goes into a registry: OCI distribution 1.1, "pushing blobs" and "pushing manifests".

use hyper::{Method, StatusCode, Uri};

use super::credentials::Credentials;
use super::image::{Blob, Image};
use super::reference::Reference;
use super::registry::{Answer, Registry};

/// Why an image is not in the registry.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The reference names another image.
    #[error("{reference} names another image: this one is {digest}")]
    OtherDigest {
        /// What was asked for.
        reference: String,
        /// What is there.
        digest: String,
    },
    /// It would go over a wire unprotected.
    #[error("{0} is not on this machine: without TLS anybody on the way could change the image, or read the credentials")]
    Plain(String),
    /// Nobody answers, or not in HTTP.
    #[error("{host}: {problem}")]
    Unreachable {
        /// Whom.
        host: String,
        /// Why.
        problem: String,
    },
    /// The registry says no.
    #[error("{host} refuses {what}: {status}{said}")]
    Refused {
        /// Who.
        host: String,
        /// What was to be done.
        what: String,
        /// How it refuses.
        status: StatusCode,
        /// What it says about it.
        said: String,
    },
    /// The registry says something that nobody should follow.
    #[error("{host}: {problem}")]
    Odd {
        /// Who.
        host: String,
        /// What.
        problem: String,
    },
}

/// Puts `image` where `reference` says. `plain`: without TLS also to other machines.
pub async fn push(image: &Image, reference: &Reference, credentials: &Credentials, plain: bool) -> Result<(), PushError> {
    if reference.digest.as_ref().is_some_and(|digest| *digest != image.manifest.digest) {
        return Err(PushError::OtherDigest { reference: reference.to_string(), digest: image.manifest.digest.to_string() });
    }
    let mut registry = Registry::new(reference, credentials, plain)?;
    for blob in &image.blobs {
        upload(&mut registry, reference, blob).await?;
    }
    let version = reference.version().unwrap_or_else(|| image.manifest.digest.to_string());
    let path = format!("/v2/{}/manifests/{version}", reference.repository);
    let what = format!("the manifest {version}");
    let answer = registry.ask(Method::PUT, &path, Some(&image.manifest.media_type), &image.manifest.bytes).await?;
    registry.expect(&answer, &[StatusCode::CREATED], &what)?;
    // A registry that rewrites what it is given would be pinned by a digest that nobody has.
    match answer.header("docker-content-digest") {
        Some(other) if other != image.manifest.digest.to_string() => {
            Err(registry.odd(format!("it keeps {other} where {} was pushed", image.manifest.digest)))
        }
        _ => Ok(()),
    }
}

async fn upload(registry: &mut Registry, reference: &Reference, blob: &Blob) -> Result<(), PushError> {
    let base = format!("/v2/{}/blobs", reference.repository);
    let there = registry.ask(Method::HEAD, &format!("{base}/{}", blob.digest), None, b"").await?;
    // 307: it is there, in a storage of its own.
    if matches!(there.status, StatusCode::OK | StatusCode::TEMPORARY_REDIRECT) {
        return Ok(());
    }
    registry.expect(&there, &[StatusCode::NOT_FOUND], &format!("to say whether it has {}", blob.digest))?;
    let begun = registry.ask(Method::POST, &format!("{base}/uploads/"), None, b"").await?;
    registry.expect(&begun, &[StatusCode::ACCEPTED], &format!("to take {}", blob.digest))?;
    let place = location(registry, &begun)?;
    let sign = if place.contains('?') { '&' } else { '?' };
    let place = format!("{place}{sign}digest={}", blob.digest);
    let done = registry.ask(Method::PUT, &place, Some("application/octet-stream"), &blob.bytes).await?;
    registry.expect(&done, &[StatusCode::CREATED], &format!("the bytes of {}", blob.digest))
}

/// Path and query of where an upload goes on. The image and the credentials go to the registry that was named and to no other.
fn location(registry: &Registry, answer: &Answer) -> Result<String, PushError> {
    let text = answer.header("location").unwrap_or_default();
    let place: Option<Uri> = text.parse().ok();
    let here = |uri: &Uri| uri.authority().is_none_or(|authority| authority.as_str() == registry.server());
    let path = place.filter(here).and_then(|uri| uri.path_and_query().map(ToString::to_string));
    let path = path.filter(|path| path.starts_with('/'));
    path.ok_or_else(|| registry.odd(format!("it sends the upload to `{text}`, which is not a place in it")))
}
