//! A reset of the BMC in its own shell, where its web server does not answer any more (contract section 3.3).
//!
//! The host's key is pinned in an annotation of the BMC: by an administrator, or by the operator when it first sees one
//! (`--ssh-trust-on-first-use`). It is there before a password is sent; a host with another key gets none.

use crds::{BMC, keys};
use kube::ResourceExt;
use kube::api::{Api, Patch};
use serde_json::json;

use super::access::{self, AccessError};
use crate::context::{Context, parameters};
use crate::controllers::Error;
use crate::ssh::{Host, SshError};

/// Where SSH listens unless `spec.consoleProtocol` says otherwise.
const SSH_PORT: i32 = 22;

/// Why a reset by SSH did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Address(AccessError),
    #[error("no reset by SSH is known for BMCs of manufacturer {0:?}")]
    Manufacturer(String),
    #[error(
        "the SSH key of the BMC is not known; write it to annotation {}: {shown}",
        keys::SSH_HOST_KEY_ANNOTATION
    )]
    UnknownKey { shown: String },
    #[error(transparent)]
    Ssh(#[from] SshError),
}

impl Failure {
    /// Reason of the condition (contract section 1.11, and one for keys).
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Address(AccessError::Secret(_)) | Self::Ssh(SshError::Denied) => "AuthenticationFailed",
            Self::Address(_) | Self::Ssh(SshError::Unreachable { .. }) => "ConnectionFailed",
            Self::UnknownKey { .. } | Self::Ssh(SshError::OtherKey { .. }) => HOST_KEY_MISMATCH,
            Self::Manufacturer(_) | Self::Ssh(SshError::Failed { .. } | SshError::Broken(_)) => "InternalServerError",
        }
    }

    /// Whether another attempt would end the same, or lock an account, until somebody changes something.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Manufacturer(_)) || is_hopeless(self.reason())
    }
}

/// Reason of a host that shows another key than the one that is known.
const HOST_KEY_MISMATCH: &str = "HostKeyMismatch";

/// Whether a failure with this reason is not to be repeated by itself.
pub(super) fn is_hopeless(reason: &str) -> bool {
    matches!(reason, "AuthenticationFailed" | HOST_KEY_MISMATCH)
}

/// The command that restarts a BMC of this manufacturer.
fn command(manufacturer: &str) -> Option<&'static str> {
    Some(match manufacturer {
        "Dell Inc." => "racreset",
        "HPE" => "cd /map1 && reset",
        "Lenovo" => "resetsp",
        _ => return None,
    })
}

/// Whether this BMC has a shell in which it can be restarted, as far as is known.
pub(super) fn is_possible(context: &Context, bmc: &BMC) -> bool {
    command(&manufacturer(context, bmc)).is_some()
}

/// Resets the BMC.
///
/// # Errors
/// The inner one says what is wrong with the BMC; the outer one is the API server's.
pub(super) async fn reset(context: &Context, bmc: &mut BMC) -> Result<Result<(), Failure>, Error> {
    let manufacturer = manufacturer(context, bmc);
    let Some(command) = command(&manufacturer) else {
        return Ok(Err(Failure::Manufacturer(manufacturer)));
    };
    let access = match access::of_bmc(context, bmc) {
        Ok(access) => access,
        Err(error) => return Ok(Err(Failure::Address(error))),
    };
    let host = Host {
        address: access.host,
        port: port(bmc),
    };
    let key = match host_key(context, bmc, &host).await? {
        Ok(key) => key,
        Err(failure) => return Ok(Err(failure)),
    };
    let result = context.ssh.run(host, key, access.credentials, command).await;
    tracing::info!(bmc = %bmc.name_any(), command, ok = result.is_ok(), "BMC reset by SSH");
    Ok(result.map_err(Failure::from))
}

/// The key that is known, or becomes known now.
async fn host_key(context: &Context, bmc: &mut BMC, host: &Host) -> Result<Result<String, Failure>, Error> {
    if let Some(known) = bmc.annotations().get(keys::SSH_HOST_KEY_ANNOTATION) {
        return Ok(Ok(without_comment(known)));
    }
    let shown = match context.ssh.host_key(host.clone()).await {
        Ok(shown) => shown,
        Err(error) => return Ok(Err(error.into())),
    };
    if !context.options.controllers.ssh_trust_on_first_use {
        return Ok(Err(Failure::UnknownKey { shown }));
    }
    let patch = json!({ "metadata": {
        "resourceVersion": bmc.resource_version(),
        "annotations": { keys::SSH_HOST_KEY_ANNOTATION: shown },
    } });
    let api: Api<BMC> = context.api();
    *bmc = api.patch(&bmc.name_any(), &parameters(), &Patch::Merge(patch)).await?;
    Ok(Ok(shown))
}

/// A line of `known_hosts` or of a `.pub` file may end in one.
fn without_comment(key: &str) -> String {
    key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// As the BMC has said itself, else as its first Server.
fn manufacturer(context: &Context, bmc: &BMC) -> String {
    let own = bmc.status.as_ref().and_then(|status| status.manufacturer.clone());
    own.filter(|own| !own.is_empty()).unwrap_or_else(|| {
        let servers = context.board.servers_of(&bmc.name_any());
        let first = servers.iter().find_map(|name| context.caches.servers.get(name));
        first
            .and_then(|server| server.status.as_ref()?.manufacturer.clone())
            .unwrap_or_default()
    })
}

fn port(bmc: &BMC) -> u16 {
    let console = bmc.spec.console_protocol.as_ref();
    let console = console
        .filter(|console| console.name.is_ssh())
        .map(|console| console.port);
    u16::try_from(console.unwrap_or(SSH_PORT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_vendors() {
        for (manufacturer, expected) in [
            ("Dell Inc.", Some("racreset")),
            ("HPE", Some("cd /map1 && reset")),
            ("Lenovo", Some("resetsp")),
            ("Supermicro", None),
            ("dell inc.", None),
        ] {
            assert_eq!(command(manufacturer), expected, "{manufacturer}");
        }
    }

    #[test]
    fn what_is_worth_another_attempt() {
        for (failure, reason, is_final) in [
            (Failure::Manufacturer("Contoso".into()), "InternalServerError", true),
            (SshError::Denied.into(), "AuthenticationFailed", true),
            (SshError::OtherKey { shown: "k".into() }.into(), "HostKeyMismatch", true),
            (Failure::UnknownKey { shown: "k".into() }, "HostKeyMismatch", true),
            (
                SshError::Unreachable {
                    port: 22,
                    reason: "refused".into(),
                }
                .into(),
                "ConnectionFailed",
                false,
            ),
            (SshError::Broken("eof".into()).into(), "InternalServerError", false),
        ] {
            assert_eq!((failure.reason(), failure.is_final()), (reason, is_final), "{failure}");
        }
    }

    #[test]
    fn keys_as_people_paste_them() {
        assert_eq!(without_comment("ssh-ed25519 AAAA root@idrac\n"), "ssh-ed25519 AAAA");
    }
}
