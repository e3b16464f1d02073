//! What an operator finds in a data centre beside its cluster: machines with BMCs on loopback, behind TLS, and a boot server.

use super::ControlPlane;
use crate::boot_server::{self, BootServer};
use crate::edges::{HttpService, system_clock};
use crate::guest::Guests;
use crate::testbed::{IMAGE_REGISTRY, MachineInfo, TestbedError};
use ::operator::bmc_http;
use ::operator::options::CertificatePolicy;
use bmc_emulator::serve::{ServeOptions, serve_fleet};
use bmc_emulator::{Fleet, FleetSpec};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs until it is dropped.
pub struct Site {
    pub fleet: Fleet,
    pub boot_url: String,
    /// Signs the certificates of the BMCs.
    pub bmc_ca_file: PathBuf,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.abort_all();
    }
}

impl Site {
    /// Builds the fleet and serves it. The boot server acts as the administrator of `plane`.
    ///
    /// # Errors
    /// The fleet cannot be built or served.
    pub async fn start(plane: &ControlPlane, mut spec: FleetSpec, time_scale: f64) -> Result<Self, TestbedError> {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| TestbedError::failed("the boot server cannot be served", error))?;
        let address = listener
            .local_addr()
            .map_err(|error| TestbedError::failed("the boot server cannot be served", error))?;
        let boot_url = format!("http://{address}");
        let settings = boot_server::Settings {
            service_url: boot_url.clone(),
            allowed_registries: vec![IMAGE_REGISTRY.to_owned()],
        };
        let server = BootServer::new(plane.admin()?, settings, system_clock());
        let router = server.router();
        let (until, ended) = (stop.clone(), stop.clone());
        tasks.spawn(async move { server.run(until).await });
        tasks.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(%error, "the boot server ended");
            }
        });
        for machine in &mut spec.machines {
            machine.boot.server_url.get_or_insert_with(|| boot_url.clone());
        }
        let http = machine_http()?;
        let edges = bmc_emulator::Edges {
            clock: system_clock(),
            guest: Arc::new(Guests::new(http.clone())),
            http,
            seed: 1,
            time_scale,
        };
        let fleet =
            Fleet::new(&spec, edges).map_err(|error| TestbedError::failed("the fleet cannot be built", error))?;
        let served = serve_fleet(&fleet, ServeOptions::default(), &stop, &mut tasks, |_| {})
            .map_err(|error| TestbedError::failed("the BMCs cannot be served", error))?;
        let bmc_ca_file = plane.folder().join("bmc-ca.pem");
        write(&bmc_ca_file, &served.ca_pem)?;
        let (running, until) = (fleet.clone(), stop.clone());
        tasks.spawn(async move { running.run(until).await });
        Ok(Self {
            fleet,
            boot_url,
            bmc_ca_file,
            stop,
            tasks,
        })
    }

    /// How to reach their BMCs.
    pub fn machines(&self) -> Vec<MachineInfo> {
        self.fleet
            .bmcs()
            .iter()
            .map(|bmc| MachineInfo::of(bmc, "https"))
            .collect()
    }
}

/// What machines and their firmware reach the world with.
fn machine_http() -> Result<HttpService, TestbedError> {
    bmc_http::service(CertificatePolicy::Verify, None, CONNECT_TIMEOUT)
        .map_err(|error| TestbedError::failed("there is no HTTP client", error))
}

fn write(path: &Path, content: &str) -> Result<(), TestbedError> {
    std::fs::write(path, content)
        .map_err(|error| TestbedError::failed(format!("{} cannot be written", path.display()), error))
}
