//! Everything but the operator.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bmc_emulator::serve::{ServeOptions, serve_fleet};
use bmc_emulator::{Edges, Fleet, FleetSpec};
use operator::bmc_http;
use operator::options::CertificatePolicy;
use scenarios::boot_server::{self, BootServer};
use scenarios::edges::system_clock;
use scenarios::envtest::assets::Assets;
use scenarios::envtest::{ControlPlane, install};
use scenarios::guest::Guests;
use scenarios::testbed::{IMAGE_REGISTRY, MANAGER_NAMESPACE, TestbedError};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const USER: &str = "admin";
const PASSWORD: &str = "scale-password-7Q";
const CONNECT: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) user: kube::Client,
    pub(crate) fleet: Fleet,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    ca: PathBuf,
    prefixes: PathBuf,
}

impl World {
    pub(crate) async fn start(assets: &Assets, servers: u32, time_scale: f64) -> Result<Self, TestbedError> {
        let plane = ControlPlane::start(assets, None).await?;
        let user = plane.admin()?;
        install::crds(&user).await?;
        let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {MANAGER_NAMESPACE} }}\n");
        install::manifests(&user, "namespace", &namespace).await?;
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let boot = boot_server(&user, &stop, &mut tasks)?;
        let fleet = fleet(servers, time_scale, &boot)?;
        let served = serve_fleet(&fleet, ServeOptions::default(), &stop, &mut tasks, |_| {})
            .map_err(|error| TestbedError::failed("the BMCs cannot be served", error))?;
        let (running, until) = (fleet.clone(), stop.clone());
        tasks.spawn(async move { running.run(until).await });
        let ca = file(plane.folder(), "bmc-ca.pem", &served.ca_pem)?;
        let prefixes = file(plane.folder(), "mac-prefixes.yaml", &mac_prefixes(&fleet))?;
        Ok(Self {
            plane,
            user,
            fleet,
            stop,
            tasks,
            ca,
            prefixes,
        })
    }

    /// What the operator has to be told about this world.
    pub(crate) fn flags(&self) -> Vec<String> {
        vec![
            format!("--probe-image={IMAGE_REGISTRY}/metalprobe:latest"),
            format!("--probe-os-image={IMAGE_REGISTRY}/probe-os:latest"),
            format!("--manager-namespace={MANAGER_NAMESPACE}"),
            format!("--mac-prefixes-file={}", self.prefixes.display()),
            "--protocol=https".to_owned(),
            format!("--bmc-ca-file={}", self.ca.display()),
        ]
    }

    pub(crate) fn endpoints(&self) -> Vec<Value> {
        let bmcs = self.fleet.bmcs();
        let endpoint = |bmc: &bmc_emulator::Bmc| {
            let endpoint = bmc.endpoint();
            json!({
                "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "Endpoint",
                "metadata": { "name": bmc.name() },
                "spec": { "ip": endpoint.address, "macAddress": endpoint.mac_address },
            })
        };
        bmcs.iter().map(endpoint).collect()
    }

    /// Requests that the BMCs have seen so far.
    pub(crate) fn bmc_requests(&self) -> u64 {
        self.fleet
            .bmcs()
            .iter()
            .map(|bmc| bmc.inspect().counters.requests)
            .sum()
    }

    pub(crate) async fn close(mut self) {
        self.stop.cancel();
        self.tasks.shutdown().await;
    }
}

fn boot_server(user: &kube::Client, stop: &CancellationToken, tasks: &mut JoinSet<()>) -> Result<String, TestbedError> {
    let failed = |error: std::io::Error| TestbedError::failed("the boot server cannot be served", error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    let settings = boot_server::Settings {
        service_url: url.clone(),
        allowed_registries: vec![IMAGE_REGISTRY.to_owned()],
    };
    let server = BootServer::new(user.clone(), settings, system_clock());
    serve(listener, server.router(), stop, tasks).map_err(failed)?;
    let until = stop.clone();
    tasks.spawn(async move { server.run(until).await });
    Ok(url)
}

fn serve(
    listener: TcpListener,
    router: Router,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let stop = stop.clone();
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = served.await {
            eprintln!("a server ended: {error}");
        }
    });
    Ok(())
}

fn fleet(servers: u32, time_scale: f64, boot_url: &str) -> Result<Fleet, TestbedError> {
    let failed = |error: &dyn std::fmt::Display| TestbedError::failed("the fleet cannot be built", error.to_string());
    let spec: FleetSpec = serde_json::from_value(json!({
        "machines": [{
            "name": "node",
            "count": servers,
            "bmc": { "username": USER, "password": PASSWORD },
            "boot": { "serverURL": boot_url },
        }],
    }))
    .map_err(|error| failed(&error))?;
    let http = bmc_http::service(CertificatePolicy::Verify, None, CONNECT).map_err(|error| failed(&error))?;
    let edges = Edges {
        clock: system_clock(),
        guest: Arc::new(Guests::new(http.clone())),
        http,
        seed: 1,
        time_scale,
    };
    Fleet::new(&spec, edges).map_err(|error| failed(&error))
}

/// The MAC prefix database of the fleet.
fn mac_prefixes(fleet: &Fleet) -> String {
    let mut entries = std::collections::BTreeMap::new();
    for bmc in fleet.bmcs() {
        let endpoint = bmc.endpoint();
        let prefix: String = endpoint.mac_address.replace(':', "").chars().take(6).collect();
        entries.entry(prefix.clone()).or_insert_with(|| {
            json!({
                "macPrefix": prefix, "manufacturer": "Contoso", "protocol": "Redfish", "port": endpoint.port, "type": "bmc",
                "defaultCredentials": [{ "username": USER, "password": PASSWORD }],
                "console": { "type": "SSH", "port": 22 },
            })
        });
    }
    json!({ "macPrefixes": entries.into_values().collect::<Vec<_>>() }).to_string()
}

fn file(folder: &Path, name: &str, text: &str) -> Result<PathBuf, TestbedError> {
    let path = folder.join(name);
    std::fs::write(&path, text)
        .map_err(|error| TestbedError::failed(format!("{} cannot be written", path.display()), error))?;
    Ok(path)
}

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> Result<u16, TestbedError> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    address
        .map(|address: SocketAddr| address.port())
        .map_err(|error| TestbedError::failed("no free port of loopback", error))
}
