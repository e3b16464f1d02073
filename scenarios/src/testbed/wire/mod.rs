//! How the parts of a world reach each other: over sockets, or by function calls in virtual time.
//!
//! | module | subject |
//! |---|---|
//! | [`memory`] | everything in one thread: [`crate::net`] |
//! | [`sockets`] | loopback sockets, with TLS where deployed systems have it |

pub(crate) mod memory;
pub(crate) mod sockets;

use super::TestbedError;
use super::cluster::Cluster;
use super::roles::Roles;
use crate::edges::HttpService;
use ::operator::ssh::SshService;
use async_trait::async_trait;
use axum::Router;
use bmc_emulator::{Fleet, FleetSpec};
use std::path::Path;
use std::sync::Arc;

/// What operators are told about BMCs.
pub(crate) struct BmcFace<'a> {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The authority that signs their certificates.
    pub ca_file: Option<&'a Path>,
}

/// Kubernetes client and transport to BMCs of the operator process with this number.
pub(crate) type ClientsOf = Arc<dyn Fn(u64) -> Result<(kube::Client, HttpService), TestbedError> + Send + Sync>;

/// Connects the parts of one world, in the order of these methods.
#[async_trait]
pub(crate) trait Wire: Send + Sync {
    /// Makes the API server reachable.
    async fn publish_cluster(&mut self, cluster: &Cluster) -> Result<(), TestbedError>;
    /// A new connection to the API server, for the component `user`.
    fn kube(&self, user: &str) -> Result<kube::Client, TestbedError>;
    /// Serves a router; its base URL, without a slash at the end.
    async fn publish(&mut self, name: &'static str, router: Router) -> Result<String, TestbedError>;
    /// What machines and their firmware reach the world with.
    fn machine_http(&self) -> Result<HttpService, TestbedError>;
    /// Serves every BMC where its endpoint says. Where to put those whose address is left open may be written into `spec` before.
    async fn publish_fleet(&mut self, fleet: &Fleet) -> Result<(), TestbedError>;
    /// Gives BMCs addresses that no other world has.
    fn place(&self, spec: &mut FleetSpec);
    fn bmc_face(&self) -> BmcFace<'_>;
    /// What processes of the operator reach the world with; its roles stand before the API server.
    fn operator_clients(&self, roles: &Roles) -> Result<ClientsOf, TestbedError>;
    /// How they reach the shells of BMCs.
    fn operator_ssh(&self) -> Result<SshService, TestbedError>;
    /// Takes everything down that was published.
    async fn close(&mut self);
}
