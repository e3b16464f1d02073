//! Commands on a BMC by SSH, for what Redfish cannot do any more. An edge: the deployed one is [`client`].
//!
//! A host is only ever told a password after it has shown the key that is expected of it.

pub mod client;

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::bmc::Credentials;

/// Where an SSH server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub address: String,
    pub port: u16,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    #[error("no SSH connection to port {port}: {reason}")]
    Unreachable { port: u16, reason: String },
    #[error("the host shows the SSH key {shown}, which is not the one that is known")]
    OtherKey { shown: String },
    #[error("the SSH login was refused")]
    Denied,
    #[error("the SSH command ended with status {status}: {output}")]
    Failed { status: u32, output: String },
    #[error("the SSH session broke off: {0}")]
    Broken(String),
}

/// SSH towards BMCs.
pub trait Ssh: Send + Sync {
    /// The key that the host shows, in OpenSSH's format. Nobody logs in.
    fn host_key(&self, host: Host) -> BoxFuture<'static, Result<String, SshError>>;

    /// Runs a command on the host, provided that it shows this key.
    fn run(
        &self,
        host: Host,
        key: String,
        credentials: Credentials,
        command: &'static str,
    ) -> BoxFuture<'static, Result<(), SshError>>;
}

/// The edge.
pub type SshService = Arc<dyn Ssh>;
