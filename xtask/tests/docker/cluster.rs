//! An API server in this process, and files that containers can read.

use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube_emulator::serve::serve_https;
use kube_emulator::{KubeEmulator, Settings};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use testcontainers::core::Mount;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "docker-tier";

/// Runs until it is dropped.
pub(crate) struct Cluster {
    folder: TempDir,
    _tasks: JoinSet<()>,
}

impl Cluster {
    /// With our kinds.
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let emulator = KubeEmulator::new(Settings {
            clock: scenarios::edges::system_clock(),
            seed: 1,
            admin_token: TOKEN.to_owned(),
            watch_history: 1000,
        });
        let mut tasks = JoinSet::new();
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let served = serve_https(&emulator, anywhere, CancellationToken::new(), &mut tasks);
        let kubeconfig = served.await.expect("it can be served").kubeconfig(TOKEN);
        let parsed = Kubeconfig::from_yaml(&kubeconfig).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await;
        let client = kube::Client::try_from(config.expect("a configuration")).expect("a client");
        for crd in crds::manifest::all() {
            let created = Api::all(client.clone()).create(&PostParams::default(), &crd).await;
            created.expect("one of our kinds");
        }
        let folder = folder();
        write(&folder.path().join("kubeconfig"), &kubeconfig);
        Self { folder, _tasks: tasks }
    }

    /// Its kubeconfig is at `/cluster/kubeconfig`.
    pub(crate) fn mount(&self) -> Mount {
        Mount::bind_mount(self.folder.path().display().to_string(), "/cluster")
    }
}

/// Everybody may read and write there: containers run as somebody else.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).expect("it is ours");
    folder
}

pub(crate) fn write(path: &Path, content: &str) {
    std::fs::write(path, content).expect("a file");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).expect("it is ours");
}
