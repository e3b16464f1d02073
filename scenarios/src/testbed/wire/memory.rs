//! Everything in one thread: function calls with latencies from the seed.

use super::{BmcFace, ClientsOf, Wire};
use crate::edges::HttpService;
use crate::net::party::Party;
use crate::net::{Latency, Network};
use crate::testbed::TestbedError;
use crate::testbed::cluster::Cluster;
use crate::testbed::roles::Roles;
use ::operator::bmc::Credentials;
use ::operator::ssh::{Host, Ssh, SshError, SshService};
use async_trait::async_trait;
use axum::Router;
use bmc_emulator::{Bmc, Fleet, FleetSpec, SshOutput};
use futures::FutureExt;
use futures::future::BoxFuture;
use kube_emulator::{FrontEnd, KubeEmulator};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// One way, in microseconds: a data centre's API server, a service next door, a BMC's small CPU.
const API_SERVER: RangeInclusive<u64> = 500..=3_000;
const SERVICE: RangeInclusive<u64> = 200..=2_000;
const BMC: RangeInclusive<u64> = 5_000..=40_000;

/// The network of one simulated world.
pub(crate) struct MemoryWire {
    seed: u64,
    token: String,
    network: Network,
    cluster: Option<KubeEmulator>,
    /// Processes of the operator take turns: one that was restarted finds another view of the cluster than its predecessor had.
    front_ends: Vec<FrontEnd>,
    fleet: Option<Fleet>,
}

/// As many as control planes have.
const FRONT_ENDS: usize = 3;

impl MemoryWire {
    pub(crate) fn new(seed: u64, token: &str, network: Network) -> Self {
        Self {
            seed,
            token: token.to_owned(),
            network,
            cluster: None,
            front_ends: Vec::new(),
            fleet: None,
        }
    }

    /// What stands between operators and the log of the API server.
    pub(crate) fn front_ends(&self) -> Vec<FrontEnd> {
        self.front_ends.clone()
    }
}

#[async_trait]
impl Wire for MemoryWire {
    async fn publish_cluster(&mut self, cluster: &Cluster) -> Result<(), TestbedError> {
        let cluster = cluster.emulator()?;
        self.front_ends = (0..FRONT_ENDS).map(|_| cluster.front_end()).collect();
        self.cluster = Some(cluster.clone());
        Ok(())
    }

    fn kube(&self, user: &str) -> Result<kube::Client, TestbedError> {
        let cluster = self.cluster.as_ref().ok_or_else(unpublished)?;
        Ok(client(&self.network, self.seed, &self.token, user, cluster.router()))
    }

    async fn publish(&mut self, name: &'static str, router: Router) -> Result<String, TestbedError> {
        let authority = format!("{name}.testbed:80");
        let latency = Latency::new(self.seed, &authority, SERVICE);
        self.network.listen(&authority, Party::new(name), router, latency);
        Ok(format!("http://{name}.testbed"))
    }

    fn machine_http(&self) -> Result<HttpService, TestbedError> {
        Ok(self.network.http(Party::new("machines")))
    }

    async fn publish_fleet(&mut self, fleet: &Fleet) -> Result<(), TestbedError> {
        // One stream for all of them: ten thousand generators would cost more than the machines do.
        let latency = Latency::new(self.seed, "bmc", BMC);
        for bmc in fleet.own_bmcs() {
            let endpoint = bmc.endpoint();
            let authority = format!("{}:{}", endpoint.address, endpoint.port);
            let party = Party::new(&format!("bmc/{}", bmc.name()));
            self.network.listen(&authority, party, bmc.router(), latency.clone());
        }
        self.fleet = Some(fleet.clone());
        Ok(())
    }

    fn place(&self, _: &mut FleetSpec) {}

    fn bmc_face(&self) -> BmcFace<'_> {
        BmcFace {
            scheme: "http",
            ca_file: None,
        }
    }

    fn operator_clients(&self, roles: &Roles) -> Result<ClientsOf, TestbedError> {
        if self.front_ends.is_empty() {
            return Err(unpublished());
        }
        let front_ends = self.front_ends.clone();
        let (network, seed, token) = (self.network.clone(), self.seed, self.token.clone());
        let roles = roles.clone();
        Ok(Arc::new(move |process| {
            let name = format!("operator-{process}");
            let turn = usize::try_from(process).unwrap_or_default() % front_ends.len();
            let router = roles.router(front_ends[turn].router());
            let kube = client(&network, seed, &token, &name, router);
            Ok((kube, network.http(Party::new(&name))))
        }))
    }

    fn operator_ssh(&self) -> Result<SshService, TestbedError> {
        let fleet = self.fleet.clone().ok_or_else(unpublished)?;
        Ok(Arc::new(Shells(fleet)))
    }

    async fn close(&mut self) {
        self.network.close().await;
    }
}

/// Shells without the protocol in between.
struct Shells(Fleet);

impl Shells {
    /// Whoever listens there.
    fn at(&self, host: &Host) -> Result<Bmc, SshError> {
        let listens = |bmc: &Bmc| {
            let endpoint = bmc.endpoint();
            endpoint.address == host.address && endpoint.ssh_port == Some(host.port) && bmc.ssh_answers()
        };
        self.0
            .own_bmcs()
            .into_iter()
            .find(listens)
            .ok_or(SshError::Unreachable {
                port: host.port,
                reason: "connection refused".to_owned(),
            })
    }
}

impl Ssh for Shells {
    fn host_key(&self, host: Host) -> BoxFuture<'static, Result<String, SshError>> {
        std::future::ready(self.at(&host).map(|bmc| bmc.ssh_host_key())).boxed()
    }

    fn run(
        &self,
        host: Host,
        key: String,
        credentials: Credentials,
        command: &'static str,
    ) -> BoxFuture<'static, Result<(), SshError>> {
        let run = || {
            let bmc = self.at(&host)?;
            let shown = bmc.ssh_host_key();
            if shown != key {
                return Err(SshError::OtherKey { shown });
            }
            if !bmc.ssh_log_in(&credentials.username, &credentials.password) {
                return Err(SshError::Denied);
            }
            match bmc.ssh_run(command) {
                SshOutput { status: 0, .. } => Ok(()),
                SshOutput { status, text } => Err(SshError::Failed { status, output: text }),
            }
        };
        std::future::ready(run()).boxed()
    }
}

fn client(network: &Network, seed: u64, token: &str, user: &str, router: Router) -> kube::Client {
    let latency = Latency::new(seed, &format!("kube/{user}"), API_SERVER);
    network.kube_client(Party::new(user), router, token, latency)
}

fn unpublished() -> TestbedError {
    TestbedError::failed("there is no client", "the cluster is not published yet")
}
