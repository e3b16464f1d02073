//! Whether a boot configuration can be booted. Pure.

use std::fmt;

use crds::{BootConfigurationState, ServerBootConfigurationSpec, ServerBootConfigurationStatus};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::conditions;
use super::image::{ImageError, ImageReference};

/// Key of the payload in an ignition Secret.
pub(super) const IGNITION_KEY: &str = "ignition";
/// Key of the payload's format; `fcos` is Butane, anything else is delivered as it is.
pub(super) const FORMAT_KEY: &str = "format";
/// Condition that says why a configuration is not Ready.
const IMAGE_VALIDATION: &str = "ImageValidation";

/// What is known about the ignition Secret.
pub(super) enum Ignition<'a> {
    /// The configuration asks for none.
    NotWanted,
    Missing(&'a str),
    Found(&'a str, &'a Secret),
}

/// What a machine is going to get.
#[derive(Debug)]
pub(super) struct Bootable {
    pub image: ImageReference,
    pub ignition: Option<IgnitionPayload>,
}

/// The content of an ignition Secret; holds credentials, so it is never shown.
pub(super) struct IgnitionPayload {
    pub content: Vec<u8>,
    pub is_butane: bool,
}

impl fmt::Debug for IgnitionPayload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IgnitionPayload")
            .field("is_butane", &self.is_butane)
            .finish_non_exhaustive()
    }
}

/// Why a configuration cannot be booted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValidationError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("ignition Secret {0} does not exist; the configuration becomes Ready when it is created")]
    SecretMissing(String),
    #[error("ignition Secret {0} has no key {IGNITION_KEY:?}; add it, and {FORMAT_KEY:?}: \"fcos\" if it is Butane")]
    KeyMissing(String),
}

/// Decides whether and what to boot.
pub(super) fn validate(
    spec: &ServerBootConfigurationSpec,
    ignition: Ignition<'_>,
    allowed_registries: &[String],
) -> Result<Bootable, ValidationError> {
    let image = ImageReference::parse(spec.image.as_deref().unwrap_or_default())?;
    image.check_allowed(allowed_registries)?;
    let ignition = match ignition {
        Ignition::NotWanted => None,
        Ignition::Missing(name) => return Err(ValidationError::SecretMissing(name.to_owned())),
        Ignition::Found(name, secret) => {
            let value = |key| {
                secret
                    .data
                    .as_ref()
                    .and_then(|data| data.get(key))
                    .map(|bytes| &bytes.0)
            };
            let content = value(IGNITION_KEY).ok_or_else(|| ValidationError::KeyMissing(name.to_owned()))?;
            let is_butane = value(FORMAT_KEY).is_some_and(|format| format == b"fcos");
            Some(IgnitionPayload {
                content: content.clone(),
                is_butane,
            })
        }
    };
    Ok(Bootable { image, ignition })
}

/// Brings `status` in line with a verdict. Returns whether anything changed.
pub(super) fn apply(
    status: &mut ServerBootConfigurationStatus,
    verdict: Result<(), &ValidationError>,
    now: Timestamp,
) -> bool {
    let (state, changed) = match verdict {
        Ok(()) => (
            BootConfigurationState::Ready,
            conditions::remove(&mut status.conditions, IMAGE_VALIDATION),
        ),
        Err(error) => (
            BootConfigurationState::Error,
            conditions::set(
                &mut status.conditions,
                IMAGE_VALIDATION,
                false,
                "ValidationFailed",
                &error.to_string(),
                now,
            ),
        ),
    };
    let state = Some(state);
    let changed = changed || status.state != state;
    status.state = state;
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::LocalObjectReference;
    use k8s_openapi::ByteString;

    fn spec(image: &str) -> ServerBootConfigurationSpec {
        ServerBootConfigurationSpec {
            server_ref: LocalObjectReference::named("s1"),
            image: Some(image.to_owned()),
            ignition_secret_ref: Some(LocalObjectReference::named("ign")),
        }
    }

    fn secret(entries: &[(&str, &str)]) -> Secret {
        let data = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        Secret {
            data: Some(data.collect()),
            ..Secret::default()
        }
    }

    #[test]
    fn verdicts() {
        let allowed = vec!["ghcr.io".to_owned()];
        let good = spec("ghcr.io/a/os:1");
        let butane = secret(&[("ignition", "variant: fcos"), ("format", "fcos")]);
        let raw = secret(&[("ignition", "{}")]);
        let empty = secret(&[("other", "x")]);

        let bootable = validate(&good, Ignition::Found("ign", &butane), &allowed).expect("bootable");
        assert_eq!(bootable.image.to_string(), "ghcr.io/a/os:1");
        assert!(bootable.ignition.expect("a payload").is_butane);
        let bootable = validate(&good, Ignition::Found("ign", &raw), &allowed).expect("bootable");
        assert!(!bootable.ignition.expect("a payload").is_butane);
        assert!(
            validate(&good, Ignition::NotWanted, &allowed)
                .expect("bootable")
                .ignition
                .is_none()
        );

        for (spec, ignition, expected) in [
            (
                &good,
                Ignition::Missing("ign"),
                ValidationError::SecretMissing("ign".into()),
            ),
            (
                &good,
                Ignition::Found("ign", &empty),
                ValidationError::KeyMissing("ign".into()),
            ),
            (
                &spec("ghcr.io/A"),
                Ignition::NotWanted,
                ImageError::Malformed("ghcr.io/A".into()).into(),
            ),
            (
                &ServerBootConfigurationSpec::default(),
                Ignition::NotWanted,
                ImageError::Missing.into(),
            ),
            (
                &spec("evil.example/a"),
                Ignition::NotWanted,
                ImageError::RegistryNotAllowed {
                    registry: "evil.example".into(),
                    allowed: "ghcr.io".into(),
                }
                .into(),
            ),
        ] {
            assert_eq!(validate(spec, ignition, &allowed).expect_err("refused"), expected);
        }
    }

    #[test]
    fn status_follows_the_verdict_and_settles() {
        let now = Timestamp::from_second(1).expect("in range");
        let error = ValidationError::SecretMissing("ign".into());
        let mut status = ServerBootConfigurationStatus::default();
        assert!(apply(&mut status, Err(&error), now));
        assert!(
            !apply(&mut status, Err(&error), now),
            "a settled status is not written again"
        );
        assert_eq!(status.state, Some(BootConfigurationState::Error));
        assert_eq!(
            (
                status.conditions[0].status.as_str(),
                status.conditions[0].reason.as_str()
            ),
            ("False", "ValidationFailed")
        );
        assert!(apply(&mut status, Ok(()), now));
        assert!(!apply(&mut status, Ok(()), now));
        assert_eq!(
            (status.state, status.conditions.len()),
            (Some(BootConfigurationState::Ready), 0)
        );
    }

    #[test]
    fn payloads_are_not_shown() {
        let payload = IgnitionPayload {
            content: b"canary".to_vec(),
            is_butane: true,
        };
        assert!(!format!("{payload:?}").contains("canary") && !format!("{payload:?}").contains("99"));
    }
}
