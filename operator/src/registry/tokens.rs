//! Tokens that bind a report to a machine, a term of its Server and a purpose, signed with a key that all replicas share.

use std::fmt;
use std::sync::{Arc, OnceLock};

use hmac::{Hmac, Mac};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use rand::RngCore;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Term;
use crate::edges::Seed;
use crate::identity::SystemUuid;

/// Secret in the manager namespace that holds the signing key.
const KEY_SECRET: &str = "metal-operator-registry-key";
const KEY_FIELD: &str = "key";
const KEY_BYTES: usize = 32;
const EVENT_TOKEN_BYTES: usize = 16;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The probe's registration and boot state.
    Discovery,
    /// The wipe agent's reports and boot state.
    Cleanup,
}

impl Purpose {
    /// The word in the token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Cleanup => "cleanup",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Discovery, Self::Cleanup]
            .into_iter()
            .find(|purpose| purpose.as_str() == word)
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The key was not loaded: only a leader signs.
    #[error("the registry key is not loaded yet")]
    KeyNotLoaded,
    /// The Secret exists but holds no usable key.
    #[error(
        "Secret {namespace}/{KEY_SECRET} has no key of {KEY_BYTES} bytes under `{KEY_FIELD}`; delete it to have a new one made"
    )]
    KeyMalformed {
        /// The manager namespace.
        namespace: String,
    },
    /// The API server did not give or take the Secret.
    #[error("Secret {namespace}/{KEY_SECRET}: {source}")]
    Api {
        /// The manager namespace.
        namespace: String,
        /// What it said.
        source: Box<kube::Error>,
    },
}

/// Signs and checks tokens. Cheap to clone.
#[derive(Clone, Default)]
pub struct TokenIssuer(Arc<OnceLock<Zeroizing<Vec<u8>>>>);

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenIssuer([REDACTED])")
    }
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) term: Term,
    pub(super) purpose: Purpose,
}

impl TokenIssuer {
    /// Loads the key from its Secret, creating it if there is none. Two replicas that create it at once agree on one: the
    /// loser reads the winner's.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn load_key(&self, kube: &kube::Client, namespace: &str, seed: &Seed) -> Result<(), TokenError> {
        let api: Api<Secret> = Api::namespaced(kube.clone(), namespace);
        let failed = |source: kube::Error| TokenError::Api {
            namespace: namespace.to_owned(),
            source: Box::new(source),
        };
        let secret = match api.get_opt(KEY_SECRET).await.map_err(failed)? {
            Some(secret) => secret,
            None => match api
                .create(&PostParams::default(), &new_key_secret(namespace, seed))
                .await
            {
                Ok(secret) => secret,
                Err(kube::Error::Api(status)) if status.code == 409 => api.get(KEY_SECRET).await.map_err(failed)?,
                Err(error) => return Err(failed(error)),
            },
        };
        let key = secret
            .data
            .unwrap_or_default()
            .remove(KEY_FIELD)
            .filter(|key| key.0.len() >= KEY_BYTES);
        let key = key.ok_or_else(|| TokenError::KeyMalformed {
            namespace: namespace.to_owned(),
        })?;
        // A second term of the same process keeps the key it has: it is the same Secret.
        self.0.get_or_init(|| Zeroizing::new(key.0));
        Ok(())
    }

    /// The token that lets the agent of this machine report for this term and purpose.
    ///
    /// # Errors
    /// [`TokenError::KeyNotLoaded`].
    pub fn issue(&self, uuid: &SystemUuid, term: &Term, purpose: Purpose) -> Result<String, TokenError> {
        let mac = self
            .mac(&message(uuid, term, purpose))
            .ok_or(TokenError::KeyNotLoaded)?;
        Ok(format!(
            "v1-{}-{}-{}",
            purpose.as_str(),
            term.epoch,
            hex::encode(mac.finalize().into_bytes())
        ))
    }

    /// The operator's own token, for reading and deleting entries.
    ///
    /// # Errors
    /// [`TokenError::KeyNotLoaded`].
    pub fn internal(&self) -> Result<String, TokenError> {
        let mac = self.mac(INTERNAL).ok_or(TokenError::KeyNotLoaded)?;
        Ok(format!("v1-operator-{}", hex::encode(mac.finalize().into_bytes())))
    }

    /// The token with which the BMC of this UID sends events. Half of the signature is enough for what events may do, and some BMCs take no
    /// long destinations.
    ///
    /// # Errors
    /// [`TokenError::KeyNotLoaded`].
    pub fn event_token(&self, bmc_uid: &str) -> Result<String, TokenError> {
        let mac = self.mac(&events_of(bmc_uid)).ok_or(TokenError::KeyNotLoaded)?;
        Ok(hex::encode(&mac.finalize().into_bytes()[..EVENT_TOKEN_BYTES]))
    }

    /// Whether the token was issued for the BMC of this UID.
    pub fn verify_event(&self, bmc_uid: &str, token: &str) -> bool {
        let signature = hex::decode(token)
            .ok()
            .filter(|signature| signature.len() == EVENT_TOKEN_BYTES);
        match (signature, self.mac(&events_of(bmc_uid))) {
            (Some(signature), Some(mac)) => mac.verify_truncated_left(&signature).is_ok(),
            _ => false,
        }
    }

    /// What the token says, if it was issued for this machine and this Server.
    pub(super) fn verify(&self, uuid: &SystemUuid, server_uid: &str, token: &str) -> Option<Claims> {
        let (purpose, rest) = token.strip_prefix("v1-")?.split_once('-')?;
        let (epoch, signature) = rest.rsplit_once('-')?;
        let claims = Claims {
            term: Term {
                server_uid: server_uid.to_owned(),
                epoch: epoch.parse().ok()?,
            },
            purpose: Purpose::parse(purpose)?,
        };
        let mac = self.mac(&message(uuid, &claims.term, claims.purpose))?;
        mac.verify_slice(&hex::decode(signature).ok()?).ok()?;
        Some(claims)
    }

    pub(super) fn verify_internal(&self, token: &str) -> bool {
        let signature = token
            .strip_prefix("v1-operator-")
            .and_then(|signature| hex::decode(signature).ok());
        match (signature, self.mac(INTERNAL)) {
            (Some(signature), Some(mac)) => mac.verify_slice(&signature).is_ok(),
            _ => false,
        }
    }

    fn mac(&self, message: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.get()?).ok()?;
        mac.update(message.as_bytes());
        Some(mac)
    }
}

/// No system UUID contains a line break, so this cannot collide with a machine's message.
const INTERNAL: &str = "operator";

/// Has one line break, and a machine's message has three.
fn events_of(bmc_uid: &str) -> String {
    format!("events\n{bmc_uid}")
}

fn message(uuid: &SystemUuid, term: &Term, purpose: Purpose) -> String {
    format!("{uuid}\n{}\n{}\n{}", term.server_uid, term.epoch, purpose.as_str())
}

fn new_key_secret(namespace: &str, seed: &Seed) -> Secret {
    let mut key = vec![0_u8; KEY_BYTES];
    seed.stream("registry-key").fill_bytes(&mut key);
    Secret {
        metadata: ObjectMeta {
            name: Some(KEY_SECRET.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some([(KEY_FIELD.to_owned(), ByteString(key))].into()),
        ..Secret::default()
    }
}
