//! Why a pass failed.

use crate::bmc::BmcError;
use crate::ignition::IgnitionError;
use crate::registry::TokenError;

/// A failed pass. It is repeated with growing pauses; a conflict is none (the cache is merely behind).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Kubernetes API: {0}")]
    Kube(#[from] kube::Error),
    #[error(transparent)]
    Bmc(#[from] BmcError),
    #[error(transparent)]
    Access(#[from] super::bmc::AccessError),
    #[error("boot configuration: {0}")]
    Ignition(#[from] IgnitionError),
    #[error("registry token: {0}")]
    Token(#[from] TokenError),
    /// The BMC at this address has another machine behind it than the Server says.
    #[error("the BMC has no system with UUID {uuid} of server {server}; check spec.bmcRef and the address of the BMC")]
    SystemMissing { server: String, uuid: String },
    #[error("no default credentials present for BMC {mac}")]
    NoDefaultCredentials { mac: String },
    #[error("{0}")]
    Invalid(String),
}
