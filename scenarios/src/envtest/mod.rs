//! A real control plane on loopback: etcd, kube-apiserver and kube-controller-manager as processes of their own, the way controller-runtime's
//! `envtest` starts them. No node and no scheduler: pods do not run, everything else is as on a cluster.
//!
//! | module | subject |
//! |---|---|
//! | [`assets`] | where the three programs are |
//! | `certificates` | who trusts whom |
//! | `process` | a program that runs until it is dropped, with its log |
//! | [`install`] | manifests, applied as `kubectl apply` does |
//! | [`site`] | machines with BMCs, and a boot server |
//! | [`provider`] | a control plane for every scenario |
//! | `service_account` | their tokens |
//! | [`operator`] | the operator's binary, as its service account, on the manifests of `operator/deploy` |

pub mod assets;
mod certificates;
pub mod install;
pub mod operator;
mod process;
pub mod provider;
pub(crate) mod service_account;
pub mod site;

use crate::testbed::TestbedError;
use assets::{Assets, Program};
use certificates::Certificates;
use kube::config::{KubeConfigOptions, Kubeconfig};
use process::Process;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// On a busy machine; usually they are ready in three seconds.
const START: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Runs until it is dropped; nothing is left behind then but what was asked for.
pub struct ControlPlane {
    // In the order in which they may end.
    controller_manager: Process,
    api_server: Process,
    etcd: Process,
    server: SocketAddr,
    certificates: Certificates,
    admin: kube::Config,
    folder: tempfile::TempDir,
    logs: PathBuf,
}

/// Process numbers, for whoever measures.
#[derive(Clone, Copy, Debug)]
pub struct Pids {
    pub etcd: Option<u32>,
    pub api_server: Option<u32>,
    pub controller_manager: Option<u32>,
}

impl ControlPlane {
    /// Starts all three and waits until the API server says that it is ready. `logs` is a folder that outlives them; without one
    /// their logs are gone with them.
    ///
    /// # Errors
    /// A program is missing, or does not get ready; its last words are quoted.
    pub async fn start(assets: &Assets, logs: Option<&Path>) -> Result<Self, TestbedError> {
        // A second one of this process finds the provider installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().map_err(|error| TestbedError::failed("no temporary folder", error))?;
        let logs = logs.unwrap_or(folder.path()).to_owned();
        std::fs::create_dir_all(&logs)
            .map_err(|error| TestbedError::failed(format!("{} cannot be made", logs.display()), error))?;
        let [client, peer, server, manager] = free_addresses()?;
        let certificates = Certificates::make(folder.path())?;
        let mut etcd = Process::start(
            assets.program(Program::Etcd),
            &etcd_arguments(folder.path(), client, peer),
            &logs,
        )?;
        let mut api_server = Process::start(
            assets.program(Program::ApiServer),
            &api_server_arguments(folder.path(), client, server, &certificates.admin_token),
            &logs,
        )?;
        let admin = config(&certificates.kubeconfig(server, &certificates.admin_token)).await?;
        ready(&admin, &mut api_server).await?;
        // One that found its port taken would have left the API server to the etcd of somebody else.
        etcd.still_runs()?;
        let kubeconfig = folder.path().join("controller-manager.kubeconfig");
        std::fs::write(&kubeconfig, certificates.kubeconfig(server, &certificates.admin_token))
            .map_err(|error| TestbedError::failed(format!("{} cannot be written", kubeconfig.display()), error))?;
        let controller_manager = Process::start(
            assets.program(Program::ControllerManager),
            &controller_manager_arguments(folder.path(), &kubeconfig, manager),
            &logs,
        )?;
        Ok(Self {
            controller_manager,
            api_server,
            etcd,
            server,
            certificates,
            admin,
            folder,
            logs,
        })
    }

    /// Ends all three, and waits until they have.
    pub async fn end(mut self) {
        for process in [&mut self.controller_manager, &mut self.api_server, &mut self.etcd] {
            process.end().await;
        }
    }

    /// A client that may do everything.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn admin(&self) -> Result<kube::Client, TestbedError> {
        kube::Client::try_from(self.admin.clone())
            .map_err(|error| TestbedError::failed("no client for the API server", error))
    }

    /// How whoever may do everything connects.
    pub fn admin_config(&self) -> &kube::Config {
        &self.admin
    }

    /// A kubeconfig for the administrator.
    pub fn admin_kubeconfig(&self) -> String {
        self.certificates
            .kubeconfig(self.server, &self.certificates.admin_token)
    }

    /// A kubeconfig for a service account that exists.
    ///
    /// # Errors
    /// There is no such service account.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<String, TestbedError> {
        let token = self.service_account_token(namespace, name).await?;
        Ok(self.certificates.kubeconfig(self.server, &token))
    }

    /// A token as a pod of this service account would get it.
    ///
    /// # Errors
    /// There is no such service account.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String, TestbedError> {
        service_account::token(self.admin()?, namespace, name).await
    }

    /// Where the API server listens.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// A folder for files of the same life time.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where logs go.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    pub fn pids(&self) -> Pids {
        Pids {
            etcd: self.etcd.id(),
            api_server: self.api_server.id(),
            controller_manager: self.controller_manager.id(),
        }
    }
}

/// A client's view of a kubeconfig.
///
/// # Errors
/// It is none.
pub async fn config(kubeconfig: &str) -> Result<kube::Config, TestbedError> {
    let failed = |error: &dyn std::fmt::Display| TestbedError::failed("not a kubeconfig", error.to_string());
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(|error| failed(&error))?;
    kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| failed(&error))
}

async fn ready(config: &kube::Config, api_server: &mut Process) -> Result<(), TestbedError> {
    let client = kube::Client::try_from(config.clone())
        .map_err(|error| TestbedError::failed("no client for the API server", error))?;
    let began = Instant::now();
    loop {
        let request = http::Request::get("/readyz")
            .body(Vec::new())
            .map_err(|error| TestbedError::failed("no request", error))?;
        let answer = client.request_text(request).await;
        if answer.is_ok() {
            return Ok(());
        }
        api_server.still_runs()?;
        if began.elapsed() > START {
            return Err(TestbedError::failed(
                "kube-apiserver does not get ready",
                api_server.last_words(),
            ));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Ports that nobody listens on, and that nobody else in this process was given.
fn free_addresses<const N: usize>() -> Result<[SocketAddr; N], TestbedError> {
    static GIVEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());
    let failed = |error| TestbedError::failed("no free port of loopback", error);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    let (mut found, mut held) = (0, Vec::new());
    while found < N {
        // Held until the last one is found, or the next one could be the same.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        held.push(listener);
        if given.insert(address) {
            addresses[found] = address;
            found += 1;
        }
    }
    Ok(addresses)
}

fn etcd_arguments(folder: &Path, client: SocketAddr, peer: SocketAddr) -> Vec<String> {
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls=http://{client}"),
        format!("--advertise-client-urls=http://{client}"),
        format!("--listen-peer-urls=http://{peer}"),
        format!("--initial-advertise-peer-urls=http://{peer}"),
        format!("--initial-cluster=default=http://{peer}"),
        // Nothing here has to survive a power cut.
        "--unsafe-no-fsync=true".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

fn api_server_arguments(folder: &Path, etcd: SocketAddr, server: SocketAddr, unique: &str) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--etcd-servers=http://{etcd}"),
        // Should it ever talk to the etcd of another control plane, it finds nothing there.
        format!("--etcd-prefix=/{}", &unique[..unique.len().min(16)]),
        format!("--bind-address={}", server.ip()),
        format!("--secure-port={}", server.port()),
        format!("--tls-cert-file={}", file(certificates::SERVER_CERTIFICATE)),
        format!("--tls-private-key-file={}", file(certificates::SERVER_KEY)),
        format!("--token-auth-file={}", file(certificates::TOKENS)),
        format!("--service-account-issuer=https://{server}"),
        format!("--service-account-key-file={}", file(certificates::ACCOUNTS_PUBLIC_KEY)),
        format!(
            "--service-account-signing-key-file={}",
            file(certificates::ACCOUNTS_KEY)
        ),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // On in clusters that are careful: who makes an owner that cannot be deleted has to be allowed to.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement".to_owned(),
        // Pods do not run here, and pods that exist need no service account.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
    ]
}

fn controller_manager_arguments(folder: &Path, kubeconfig: &Path, listen: SocketAddr) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--bind-address={}", listen.ip()),
        format!("--secure-port={}", listen.port()),
        format!("--cert-dir={}", file("controller-manager")),
        format!(
            "--service-account-private-key-file={}",
            file(certificates::ACCOUNTS_KEY)
        ),
        format!("--root-ca-file={}", file(certificates::AUTHORITY)),
        "--leader-elect=false".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_addresses_differ() {
        let [a, b, c] = free_addresses().expect("free ports");
        assert!(a != b && b != c && a != c);
        assert!(
            [a, b, c]
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() != 0)
        );
    }
}
