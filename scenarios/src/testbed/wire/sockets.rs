//! Loopback sockets: the API server and the BMCs over TLS, as deployed; the rest over plain HTTP.

use super::{BmcFace, ClientsOf, Wire};
use crate::edges::HttpService;
use crate::testbed::TestbedError;
use crate::testbed::cluster::{Cluster, RealCluster};
use crate::testbed::roles::Roles;
use ::operator::bmc_http;
use ::operator::options::CertificatePolicy;
use ::operator::ssh::SshService;
use ::operator::ssh::client::Client;
use async_trait::async_trait;
use axum::Router;
use bmc_emulator::serve::{ServeOptions, serve_fleet};
use bmc_emulator::{Fleet, FleetSpec};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube_emulator::serve::{Served, serve_https};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Any free port of loopback.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SSH_TIMEOUT: Duration = Duration::from_secs(20);

/// Where BMCs without an address of their own listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// In a block of 127/8 that no other world of this machine uses, so that worlds can run side by side.
    OwnBlock,
    /// At the well-known addresses of the emulator.
    AsStated,
}

/// The cluster, as its clients reach it.
#[derive(Clone)]
enum Reached {
    /// Served here.
    Embedded {
        kubeconfig: String,
        config: Box<kube::Config>,
    },
    Real(Arc<RealCluster>),
}

/// Sockets of one world.
pub(crate) struct SocketWire {
    token: String,
    addresses: Addresses,
    directory: PathBuf,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    cluster: Option<Reached>,
    bmc_ca: Option<(PathBuf, String)>,
}

impl SocketWire {
    /// `directory` is where files for the operator go.
    pub(crate) fn new(token: &str, addresses: Addresses, directory: &Path) -> Self {
        // A second world of this process finds the provider installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            token: token.to_owned(),
            addresses,
            directory: directory.to_owned(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            cluster: None,
            bmc_ca: None,
        }
    }

    /// What `kubectl` needs.
    pub(crate) fn kubeconfig(&self) -> String {
        match &self.cluster {
            Some(Reached::Embedded { kubeconfig, .. }) => kubeconfig.clone(),
            Some(Reached::Real(cluster)) => cluster.kubeconfig().to_owned(),
            None => String::new(),
        }
    }

    /// The certificate of the authority that signed those of the BMCs.
    pub(crate) fn bmc_ca_pem(&self) -> String {
        self.bmc_ca.as_ref().map(|(_, pem)| pem.clone()).unwrap_or_default()
    }
}

#[async_trait]
impl Wire for SocketWire {
    async fn publish_cluster(&mut self, cluster: &Cluster) -> Result<(), TestbedError> {
        let emulator = match cluster {
            Cluster::Embedded(emulator) => emulator,
            Cluster::Real(cluster) => {
                self.cluster = Some(Reached::Real(cluster.clone()));
                return Ok(());
            }
        };
        let failed =
            |error: &dyn std::fmt::Display| TestbedError::failed("the cluster cannot be served", error.to_string());
        let served: Served = serve_https(emulator, ANYWHERE, self.stop.clone(), &mut self.tasks)
            .await
            .map_err(|error| failed(&error))?;
        let kubeconfig = served.kubeconfig(&self.token);
        let parsed = Kubeconfig::from_yaml(&kubeconfig).map_err(|error| failed(&error))?;
        let config = kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
            .await
            .map_err(|error| failed(&error))?;
        self.cluster = Some(Reached::Embedded {
            kubeconfig,
            config: Box::new(config),
        });
        Ok(())
    }

    fn kube(&self, user: &str) -> Result<kube::Client, TestbedError> {
        let failed = |why: String| TestbedError::failed(format!("the {user} cannot connect to the cluster"), why);
        match &self.cluster {
            Some(Reached::Embedded { config, .. }) => {
                kube::Client::try_from((**config).clone()).map_err(|error| failed(error.to_string()))
            }
            Some(Reached::Real(cluster)) => cluster.user(),
            None => Err(failed("it is not served yet".to_owned())),
        }
    }

    async fn publish(&mut self, name: &'static str, router: Router) -> Result<String, TestbedError> {
        let failed = |error: std::io::Error| TestbedError::failed(format!("{name} cannot be served"), error);
        let listener = TcpListener::bind(ANYWHERE).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(name, %error, "a server of the testbed ended");
            }
        });
        Ok(format!("http://{address}"))
    }

    fn machine_http(&self) -> Result<HttpService, TestbedError> {
        transport(None)
    }

    async fn publish_fleet(&mut self, fleet: &Fleet) -> Result<(), TestbedError> {
        let served = serve_fleet(fleet, ServeOptions::default(), &self.stop, &mut self.tasks, |_| {})
            .map_err(|error| TestbedError::failed("the BMCs cannot be served", error))?;
        let path = self.directory.join("bmc-ca.pem");
        std::fs::write(&path, &served.ca_pem)
            .map_err(|error| TestbedError::failed(format!("{} cannot be written", path.display()), error))?;
        self.bmc_ca = Some((path, served.ca_pem));
        Ok(())
    }

    fn place(&self, spec: &mut FleetSpec) {
        if self.addresses == Addresses::OwnBlock && spec.first_address.is_none() {
            spec.first_address = Some(next_block());
        }
    }

    fn bmc_face(&self) -> BmcFace<'_> {
        BmcFace {
            scheme: "https",
            ca_file: self.bmc_ca.as_ref().map(|(path, _)| path.as_path()),
        }
    }

    fn operator_clients(&self, roles: &Roles) -> Result<ClientsOf, TestbedError> {
        // Each process has connections of its own.
        let failed = |why: String| TestbedError::failed("the operator cannot connect to the cluster", why);
        let cluster = self.cluster.clone();
        let cluster = cluster.ok_or_else(|| failed("it is not served yet".to_owned()))?;
        let ca_file = self.bmc_face().ca_file.map(Path::to_owned);
        let roles = roles.clone();
        Ok(Arc::new(move |_| {
            let kube = match &cluster {
                Reached::Embedded { config, .. } => {
                    kube::Client::try_from((**config).clone()).map_err(|error| failed(error.to_string()))?
                }
                Reached::Real(cluster) => cluster.operator()?,
            };
            Ok((roles.client(kube), transport(ca_file.as_deref())?))
        }))
    }

    fn operator_ssh(&self) -> Result<SshService, TestbedError> {
        Ok(Arc::new(Client::new(SSH_TIMEOUT)))
    }

    async fn close(&mut self) {
        self.stop.cancel();
        // Watches never end by themselves; nobody reads them any more.
        self.tasks.shutdown().await;
    }
}

/// The deployed transport, for machines as well.
fn transport(ca_file: Option<&Path>) -> Result<HttpService, TestbedError> {
    bmc_http::service(CertificatePolicy::Verify, ca_file, CONNECT_TIMEOUT)
        .map_err(|error| TestbedError::failed("there is no HTTP client", error))
}

/// Blocks of four times 254 addresses, beginning somewhere that differs from process to process.
fn next_block() -> Ipv4Addr {
    const BLOCK: u32 = 4 << 8;
    /// 127.16.0.0 to 127.254.255.255.
    const BLOCKS: u32 = (239 << 16) / BLOCK;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = (std::process::id().wrapping_mul(61) + NEXT.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
    Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(127, 16, 0, 1)) + number * BLOCK)
}
