//! OCI image references, as the distribution specification writes them, and the registry allow list.
//!
//! References come from tenants and end in boot scripts (bugs.md 161), so that anything outside of the grammar is
//! refused rather than quoted.

use std::fmt;

/// The name under which Docker's registry is normalised.
const DOCKER_HUB: &str = "docker.io";
/// Other names of the same registry.
const DOCKER_HUB_ALIASES: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];
/// Longest repository name that registries have to accept.
const NAME_LIMIT: usize = 255;

/// A parsed reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// Host name with an optional port, in lower case.
    pub registry: String,
    /// Path within the registry.
    pub repository: String,
    pub version: ImageVersion,
}

/// Which version of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageVersion {
    Tag(String),
    /// `sha256:` and so on; wins over a tag where both are given.
    Digest(String),
}

/// Why a reference cannot be booted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("no image is set; set spec.image to an OCI reference like registry.example/os/image:1.0")]
    Missing,
    #[error("{0:?} is not an OCI image reference; write it like registry.example/os/image:1.0")]
    Malformed(String),
    #[error("registry {registry} is not allowed; allowed are: {allowed}")]
    RegistryNotAllowed { registry: String, allowed: String },
}

impl ImageReference {
    /// Parses a reference. `latest` is the version of a reference without any.
    ///
    /// # Errors
    /// [`ImageError::Missing`] and [`ImageError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        if text.is_empty() {
            return Err(ImageError::Missing);
        }
        let malformed = || ImageError::Malformed(text.to_owned());
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) if is_digest(digest) => (named, Some(digest)),
            Some(_) => return Err(malformed()),
            None => (text, None),
        };
        // A colon after the last slash separates a tag; before it, a port.
        let path_start = named.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match named[path_start..].split_once(':') {
            Some((_, tag)) if is_tag(tag) => (&named[..named.len() - tag.len() - 1], Some(tag)),
            Some(_) => return Err(malformed()),
            None => (named, None),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
                (canonical_registry(host), path.to_owned())
            }
            Some(_) => (DOCKER_HUB.to_owned(), name.to_owned()),
            None => (DOCKER_HUB.to_owned(), format!("library/{name}")),
        };
        if !is_host(&registry) || repository.len() > NAME_LIMIT || !repository.split('/').all(is_path_component) {
            return Err(malformed());
        }
        let version = match (digest, tag) {
            (Some(digest), _) => ImageVersion::Digest(digest.to_owned()),
            (None, tag) => ImageVersion::Tag(tag.unwrap_or("latest").to_owned()),
        };
        Ok(Self {
            registry,
            repository,
            version,
        })
    }

    /// Refuses registries that are not on the list.
    ///
    /// # Errors
    /// [`ImageError::RegistryNotAllowed`].
    pub fn check_allowed(&self, allowed: &[String]) -> Result<(), ImageError> {
        if allowed.iter().any(|name| canonical_registry(name) == self.registry) {
            return Ok(());
        }
        let allowed = if allowed.is_empty() {
            "none".to_owned()
        } else {
            allowed.join(", ")
        };
        Err(ImageError::RegistryNotAllowed {
            registry: self.registry.clone(),
            allowed,
        })
    }

    /// Registry and repository, without the version.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl ImageVersion {
    /// The tag or digest itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.version {
            ImageVersion::Tag(_) => ':',
            ImageVersion::Digest(_) => '@',
        };
        write!(
            formatter,
            "{}/{}{separator}{}",
            self.registry,
            self.repository,
            self.version.as_str()
        )
    }
}

fn canonical_registry(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    if DOCKER_HUB_ALIASES.contains(&name.as_str()) {
        DOCKER_HUB.to_owned()
    } else {
        name
    }
}

fn is_host(text: &str) -> bool {
    let (host, port) = text
        .split_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else {
        return false;
    };
    is_word(first)
        && is_word(last)
        && text
            .split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit())
            .all(|gap| matches!(gap, "" | "." | "_" | "__") || gap.bytes().all(|byte| byte == b'-'))
}

/// `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The algorithms that the image specification registers.
fn is_digest(text: &str) -> bool {
    let digits = match text.split_once(':') {
        Some(("sha256", hex)) if hex.len() == 64 => hex,
        Some(("sha512", hex)) if hex.len() == 128 => hex,
        _ => return false,
    };
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            (
                "ghcr.io/ironcore-dev/os-images/gardenlinux:1443.3",
                "ghcr.io/ironcore-dev/os-images/gardenlinux:1443.3",
            ),
            ("GHCR.io/a/b", "ghcr.io/a/b:latest"),
            ("localhost:5000/a:1", "localhost:5000/a:1"),
            ("localhost/a", "localhost/a:latest"),
            ("ubuntu", "docker.io/library/ubuntu:latest"),
            ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
            ("me/tool", "docker.io/me/tool:latest"),
            ("index.docker.io/me/tool:1", "docker.io/me/tool:1"),
            ("10.0.0.1:5000/a/b-c__d.e:v_1", "10.0.0.1:5000/a/b-c__d.e:v_1"),
            (
                &format!("ghcr.io/a/b@sha256:{hex}"),
                &format!("ghcr.io/a/b@sha256:{hex}"),
            ),
            (
                &format!("ghcr.io/a/b:1@sha256:{hex}"),
                &format!("ghcr.io/a/b@sha256:{hex}"),
            ),
        ] {
            assert_eq!(ImageReference::parse(text).expect(text).to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        assert_eq!(ImageReference::parse(""), Err(ImageError::Missing));
        for text in [
            "ghcr.io/",
            "ghcr.io//a",
            "ghcr.io/A/b",
            "ghcr.io/a/b:",
            "ghcr.io/a/b:-1",
            "ghcr.io/a/b@sha256:12",
            "ghcr.io/a/b@md5:0123",
            "ghcr.io:0/a",
            "ghcr.io:99999/a",
            "-host.io/a",
            "ghcr.io/a b",
            "ghcr.io/a\nkernel http://evil.example/",
            "ghcr.io/a/../b",
            "ghcr.io/a/${uuid}",
            "https://ghcr.io/a",
            "ghcr.io/a._b",
            "ghcr.io/a-",
        ] {
            assert_eq!(ImageReference::parse(text), Err(ImageError::Malformed(text.to_owned())));
        }
        assert!(ImageReference::parse(&format!("ghcr.io/{}", "a".repeat(256))).is_err());
        assert!(ImageReference::parse(&format!("ghcr.io/a:{}", "a".repeat(129))).is_err());
    }

    #[test]
    fn only_listed_registries_are_allowed() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (image, allowed, expected) in [
            ("ghcr.io/a", list(&["ghcr.io"]), true),
            ("ghcr.io/a", list(&["GHCR.IO"]), true),
            ("ubuntu", list(&["registry-1.docker.io"]), true),
            ("evil.example/ghcr.io/a", list(&["ghcr.io"]), false),
            ("ghcr.io.evil.example/a", list(&["ghcr.io"]), false),
            ("ghcr.io:444/a", list(&["ghcr.io"]), false),
            ("ghcr.io/a", list(&[]), false),
        ] {
            let reference = ImageReference::parse(image).expect(image);
            assert_eq!(
                reference.check_allowed(&allowed).is_ok(),
                expected,
                "{image} against {allowed:?}"
            );
        }
    }
}
