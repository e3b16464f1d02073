//! What a machine gets to boot for discovery and cleanup: the ignition with the agent's flags, and the Secrets that hold it.
//! Contract sections 3.4 (Initial, step e) and 8.3.

mod default_template;
mod ssh_key;
mod template;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use rand::Rng;
use rand::distr::Alphanumeric;
use zeroize::Zeroizing;

pub use default_template::DEFAULT_TEMPLATE;
pub use ssh_key::SshKeyError;
pub use template::{Variables, render, validate};

use crate::edges::Seed;
use crate::options::{ConfigError, DEFAULT_IGNITION_PATH};
use crate::registry::{Purpose, Term};
use crate::template::TemplateError;

/// Annotation on both Secrets: the tenancy epoch and purpose they were made for, so that they are made once per boot and not
/// once per pass (a machine may be fetching them).
pub const MADE_FOR_ANNOTATION: &str = "metal.ironcore.dev/made-for";

const PASSWORD_LENGTH: usize = 20;

/// Why there is no ignition.
#[derive(Debug, thiserror::Error)]
pub enum IgnitionError {
    /// The template file vanished or cannot be read.
    #[error("ignition template {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The template changed into something unusable.
    #[error("ignition template: {0}")]
    Template(#[from] TemplateError),
    /// A value could change the meaning of the unit it is put into (bugs.md #161).
    #[error("{what} contains {character:?}, which may not go into a boot configuration")]
    UnsafeValue {
        /// Which value.
        what: &'static str,
        /// The first offending character.
        character: char,
    },
    /// The password could not be hashed.
    #[error("the password could not be hashed: {0}")]
    Hash(#[from] bcrypt::BcryptError),
    /// No key.
    #[error(transparent)]
    SshKey(#[from] SshKeyError),
}

/// Where the template comes from. Read at every use, so that an edited file counts at once.
#[derive(Clone, Debug)]
pub enum TemplateSource {
    /// [`DEFAULT_TEMPLATE`].
    BuiltIn,
    /// A file.
    File(PathBuf),
}

impl TemplateSource {
    /// The source for `--discovery-ignition-path`. The default path may be missing: then the built-in template is used.
    ///
    /// # Errors
    /// The file is missing, empty or not a template.
    pub fn new(path: &str) -> Result<Self, ConfigError> {
        if path.is_empty() || (path == DEFAULT_IGNITION_PATH && !Path::new(path).exists()) {
            return Ok(Self::BuiltIn);
        }
        let source = Self::File(path.into());
        let invalid = |message: String| ConfigError::File {
            flag: "discovery-ignition-path",
            path: path.to_owned(),
            message,
        };
        let template = source.read().map_err(|error| invalid(error.to_string()))?;
        validate(&template).map_err(|error| invalid(error.to_string()))?;
        Ok(source)
    }

    /// The template. A local file of a few kilobytes: reading it in place is cheaper than a thread, and keeps simulations in one.
    ///
    /// # Errors
    /// [`IgnitionError::Read`].
    pub fn read(&self) -> Result<String, IgnitionError> {
        match self {
            Self::BuiltIn => Ok(DEFAULT_TEMPLATE.to_owned()),
            Self::File(path) => std::fs::read_to_string(path).map_err(|source| IgnitionError::Read {
                path: path.clone(),
                source,
            }),
        }
    }
}

/// What the Secrets of one boot are made from.
#[derive(Clone, Copy)]
pub struct BootSecretsRequest<'a> {
    /// Name of the Server, and of the ignition Secret.
    pub server: &'a str,
    /// The manager namespace.
    pub namespace: &'a str,
    /// `spec.systemUUID` as written.
    pub system_uuid: &'a str,
    /// Term of the Server in which it boots.
    pub term: &'a Term,
    /// What the agent is to do.
    pub purpose: Purpose,
    /// Probe image.
    pub image: &'a str,
    /// Registry URL as machines reach it.
    pub registry_url: &'a str,
    /// Token for the registry.
    pub token: &'a str,
    /// bcrypt cost; 10 in production, less where thousands of machines are simulated.
    pub password_hash_cost: u32,
    /// Owner of both Secrets, normally the ServerBootConfiguration.
    pub owner: Option<&'a OwnerReference>,
}

/// The Secrets of one boot.
#[derive(Clone, Debug)]
pub struct BootSecrets {
    /// `<server>` with the keys `format` and `ignition`.
    pub ignition: Secret,
    /// `<server>-ssh` with the keys `pub`, `pem` and `password`.
    pub ssh: Secret,
}

/// The words after `launch.sh`, which the agent parses as its command line.
pub fn agent_flags(purpose: Purpose, registry_url: &str, system_uuid: &str, token: &str) -> String {
    let command = match purpose {
        Purpose::Discovery => "",
        Purpose::Cleanup => "wipe ",
    };
    format!("{command}--registry-url={registry_url} --server-uuid={system_uuid} --registry-token={token}")
}

/// Makes both Secrets. The same seed, server, term and purpose give the same keys and password.
///
/// # Errors
/// [`IgnitionError`].
pub fn boot_secrets(
    template: &str,
    request: &BootSecretsRequest<'_>,
    seed: &Seed,
) -> Result<BootSecrets, IgnitionError> {
    for (what, value) in [
        ("the probe image", request.image),
        ("the registry URL", request.registry_url),
        ("the system UUID", request.system_uuid),
        ("the registry token", request.token),
    ] {
        if let Some(character) = value.chars().find(|character| !is_safe(*character)) {
            return Err(IgnitionError::UnsafeValue { what, character });
        }
    }
    let made_for = made_for(request.term, request.purpose);
    let mut rng = seed.stream(&format!("boot-secrets/{}/{made_for}", request.server));
    let key = ssh_key::generate(&mut rng, &format!("metal@{}", request.server))?;
    let password: Zeroizing<String> = Zeroizing::new(
        (&mut rng)
            .sample_iter(Alphanumeric)
            .take(PASSWORD_LENGTH)
            .map(char::from)
            .collect(),
    );
    let hash = bcrypt::hash_with_salt(password.as_bytes(), request.password_hash_cost, rng.random())?.to_string();
    let flags = agent_flags(
        request.purpose,
        request.registry_url,
        request.system_uuid,
        request.token,
    );
    let ignition = render(
        template,
        Variables {
            image: request.image,
            flags: &flags,
            ssh_public_key: &key.public,
            password_hash: &hash,
        },
    )?;
    let secret = |name: String, data: Vec<(&str, Vec<u8>)>| Secret {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(request.namespace.to_owned()),
            annotations: Some(BTreeMap::from([(MADE_FOR_ANNOTATION.to_owned(), made_for.clone())])),
            owner_references: request.owner.map(|owner| vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(
            data.into_iter()
                .map(|(key, value)| (key.to_owned(), ByteString(value)))
                .collect(),
        ),
        ..Secret::default()
    };
    Ok(BootSecrets {
        ignition: secret(
            request.server.to_owned(),
            vec![("format", b"fcos".to_vec()), ("ignition", ignition.into_bytes())],
        ),
        ssh: secret(
            format!("{}-ssh", request.server),
            vec![
                ("pub", key.public.into_bytes()),
                ("pem", key.private.as_bytes().to_vec()),
                ("password", password.as_bytes().to_vec()),
            ],
        ),
    })
}

/// Whether a Secret found in the cluster is the one of this term and purpose.
pub fn is_made_for(secret: &Secret, term: &Term, purpose: Purpose) -> bool {
    let annotations = secret.metadata.annotations.as_ref();
    annotations
        .and_then(|annotations| annotations.get(MADE_FOR_ANNOTATION))
        .is_some_and(|value| *value == made_for(term, purpose))
}

fn made_for(term: &Term, purpose: Purpose) -> String {
    format!("{}-{}-{}", purpose.as_str(), term.epoch, term.server_uid)
}

/// Characters that mean nothing to YAML inside a plain word, to systemd (`%`, `$`, `\`, quotes, `;`) and to a shell.
fn is_safe(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~:/@=+,[]".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(server_uid: &str, epoch: i64) -> Term {
        Term {
            server_uid: server_uid.to_owned(),
            epoch,
        }
    }

    fn request(term: &Term) -> BootSecretsRequest<'_> {
        BootSecretsRequest {
            server: "node-1",
            namespace: "metal",
            system_uuid: "38947555-7742-3448-3784-823347823834",
            term,
            purpose: Purpose::Cleanup,
            image: "registry.example/probe:v1",
            registry_url: "http://[fd00::1]:10000",
            token: "v1-cleanup-3-00ff",
            password_hash_cost: 4,
            owner: None,
        }
    }

    #[test]
    fn secrets_hold_what_the_contract_says() {
        let third = term("uid", 3);
        let secrets = boot_secrets(DEFAULT_TEMPLATE, &request(&third), &Seed::from(1)).expect("secrets");
        let ssh = secrets.ssh.data.as_ref().expect("data");
        assert_eq!(ssh.keys().collect::<Vec<_>>(), ["password", "pem", "pub"]);
        assert_eq!(ssh["password"].0.len(), PASSWORD_LENGTH);
        let data = secrets.ignition.data.as_ref().expect("data");
        assert_eq!(data["format"].0, b"fcos");
        let ignition = String::from_utf8(data["ignition"].0.clone()).expect("text");
        let hash = ignition
            .lines()
            .find_map(|line| line.trim().strip_prefix("password_hash: "))
            .expect("hash");
        assert!(bcrypt::verify(&ssh["password"].0, hash).expect("bcrypt"));
        for (term, purpose, expected) in [
            (&third, Purpose::Cleanup, true),
            (&third, Purpose::Discovery, false),
            (&term("uid", 4), Purpose::Cleanup, false),
            (&term("successor", 3), Purpose::Cleanup, false),
        ] {
            assert_eq!(is_made_for(&secrets.ignition, term, purpose), expected);
            assert_eq!(is_made_for(&secrets.ssh, term, purpose), expected);
        }
        insta::assert_snapshot!(ignition);
    }

    #[test]
    fn secrets_are_repeatable_per_term_and_purpose() {
        let made = |request: BootSecretsRequest<'_>| {
            boot_secrets(DEFAULT_TEMPLATE, &request, &Seed::from(1)).expect("secrets")
        };
        let third = term("uid", 3);
        assert_eq!(made(request(&third)).ssh, made(request(&third)).ssh);
        for other in [term("uid", 4), term("successor", 3)] {
            assert_ne!(made(request(&third)).ssh.data, made(request(&other)).ssh.data);
        }
        assert_ne!(
            made(request(&third)).ssh.data,
            made(BootSecretsRequest {
                purpose: Purpose::Discovery,
                ..request(&third)
            })
            .ssh
            .data
        );
    }

    #[test]
    fn values_cannot_add_units_or_commands() {
        for uuid in [
            "a\n        ExecStart=/bin/evil",
            "a b",
            "a;b",
            "$(x)",
            "%h",
            "a\"b",
            "a'b",
            "a\\b",
        ] {
            let result = boot_secrets(
                DEFAULT_TEMPLATE,
                &BootSecretsRequest {
                    system_uuid: uuid,
                    ..request(&term("uid", 3))
                },
                &Seed::from(1),
            );
            assert!(
                matches!(
                    result,
                    Err(IgnitionError::UnsafeValue {
                        what: "the system UUID",
                        ..
                    })
                ),
                "{uuid}"
            );
        }
    }

    #[test]
    fn a_named_template_must_exist() {
        assert!(matches!(
            TemplateSource::new(DEFAULT_IGNITION_PATH),
            Ok(TemplateSource::BuiltIn)
        ));
        assert!(matches!(
            TemplateSource::new("/nonexistent/template"),
            Err(ConfigError::File { .. })
        ));
    }
}
