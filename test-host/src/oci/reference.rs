//! Where an image is: `registry.example.com/wardpoint/mcp-authz:1.0.0`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::image::Digest;

/// A place in a registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    /// Host, with its port if it has one.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// Nobody gets `latest` without asking for it.
    pub tag: Option<String>,
    /// What must be there.
    pub digest: Option<Digest>,
}

/// A text that is no reference.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadReference {
    /// There is no host, or one that could be a folder.
    #[error("has no registry: write `registry.example.com/wardpoint/mcp-authz:1.0.0`")]
    Host,
    /// Names have small letters, digits and single separators.
    #[error("has a repository that registries do not take: small letters, digits, and `.`, `_`, `-` between them")]
    Repository,
    /// The tag is none.
    #[error("has a tag that registries do not take")]
    Tag,
    /// The digest is none.
    #[error("has a digest that is not `sha256:` and 64 hexadecimal digits")]
    Digest,
    /// Which of the images?
    #[error("names no tag and no digest: a tag that is not written would be `latest`, which moves")]
    Nothing,
}

impl Reference {
    /// The name without its port.
    fn name(&self) -> &str {
        let name = self.host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|it| it.is_ascii_digit()));
        name.map_or(self.host.as_str(), |(name, _)| name).trim_matches(['[', ']'])
    }

    /// Whether it is on this machine, so that nobody is on the way.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.name())
    }

    /// The host that speaks for it: Docker Hub's name is not where its registry is.
    pub(super) fn server(&self) -> &str {
        if self.host == "docker.io" { "registry-1.docker.io" } else { &self.host }
    }

    /// How a manifest is asked for: by tag if there is one.
    pub(super) fn version(&self) -> Option<String> {
        self.tag.clone().or_else(|| self.digest.as_ref().map(ToString::to_string))
    }
}

/// Whether a name or address is this machine.
pub(super) fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        let text = text.strip_prefix("oci://").unwrap_or(text);
        let (text, digest) = match text.split_once('@') {
            Some((text, digest)) => (text, Some(Digest::read(digest).ok_or(BadReference::Digest)?)),
            None => (text, None),
        };
        let (host, rest) = text.split_once('/').ok_or(BadReference::Host)?;
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        let is_host = host.contains(['.', ':']) || host == "localhost";
        let clean = !host.is_empty() && host.bytes().all(|it| it.is_ascii_alphanumeric() || b".-:[]".contains(&it));
        if !is_host || !clean {
            return Err(BadReference::Host);
        }
        if !repository.split('/').all(is_part) || repository.len() > 255 {
            return Err(BadReference::Repository);
        }
        if !tag.is_none_or(is_tag) {
            return Err(BadReference::Tag);
        }
        if tag.is_none() && digest.is_none() {
            return Err(BadReference::Nothing);
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), tag: tag.map(str::to_owned), digest })
    }
}

/// OCI distribution 1.1, "pulling manifests": `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_part(part: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = part.bytes().next().is_some_and(word) && part.bytes().last().is_some_and(word);
    let separators = part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    ends && separators.filter(|it| !it.is_empty()).all(|it| matches!(it, "." | "_" | "__") || it.bytes().all(|byte| byte == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(|byte| word(byte) || b".-".contains(&byte))
}

/// As Istio wants it in `url`, with its scheme: without one a host with a port is refused.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_comes_back_as_it_was_written() {
        let digest = Digest::of(b"");
        for text in [
            "registry.example.com/wardpoint/mcp-authz:1.0.0",
            "localhost:5000/mcp-authz:a",
            "127.0.0.1:5000/a/b__c/d--e.f_g:_1",
            "[::1]:5000/x:1",
            &format!("registry.example.com/x:1@{digest}"),
            &format!("registry.example.com/x@{digest}"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), format!("oci://{text}"));
            assert_eq!(reference.to_string().parse(), Ok(reference));
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, loopback) in [
            ("localhost:5000/x:1", true),
            ("localhost/x:1", true),
            ("127.9.0.1:5000/x:1", true),
            ("[::1]:5000/x:1", true),
            ("localhost.example.com/x:1", false),
            ("10.0.0.1:5000/x:1", false),
            ("127.0.0.1.example.com/x:1", false),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn what_registries_do_not_take_is_refused_with_the_part_that_is_wrong() {
        for (text, why) in [
            ("mcp-authz:1", BadReference::Host),
            ("wardpoint/mcp-authz:1", BadReference::Host),
            ("user@registry.example.com/x:1", BadReference::Digest),
            ("regis try.example.com/x:1", BadReference::Host),
            ("registry.example.com/:1", BadReference::Repository),
            ("registry.example.com/Ward:1", BadReference::Repository),
            ("registry.example.com/a//b:1", BadReference::Repository),
            ("registry.example.com/a/../b:1", BadReference::Repository),
            ("registry.example.com/a..b:1", BadReference::Repository),
            ("registry.example.com/a-:1", BadReference::Repository),
            ("registry.example.com/x:", BadReference::Tag),
            ("registry.example.com/x:.1", BadReference::Tag),
            ("registry.example.com/x:1/2", BadReference::Tag),
            ("registry.example.com/x:1@sha256:00", BadReference::Digest),
            ("registry.example.com/x", BadReference::Nothing),
        ] {
            assert_eq!(text.parse::<Reference>(), Err(why), "{text}");
        }
    }
}
