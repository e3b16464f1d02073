//! An emulator on loopback, with its controllers, to be put to the checks.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use kube_emulator::serve::{ServeError, serve_https};
use kube_emulator::{KubeEmulator, Settings};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "conformance";

/// Runs until it is dropped.
pub struct Embedded {
    pub kubeconfig: String,
    /// Ends everything when it is dropped.
    _tasks: JoinSet<()>,
}

impl Embedded {
    /// Starts an emulator whose clock follows tokio's.
    ///
    /// # Errors
    /// It cannot listen on loopback.
    pub async fn start() -> Result<Self, ServeError> {
        // A second one of this process finds the provider installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let start = tokio::time::Instant::now();
        let epoch = jiff::Timestamp::from_second(1_893_456_000).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let emulator = KubeEmulator::new(Settings {
            clock: Arc::new(move || epoch + start.elapsed()),
            seed: 1,
            admin_token: TOKEN.to_owned(),
            watch_history: 10_000,
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let served = serve_https(&emulator, address, stop.clone(), &mut tasks).await?;
        tasks.spawn(async move { emulator.run_controllers(stop).await });
        Ok(Self {
            kubeconfig: served.kubeconfig(TOKEN),
            _tasks: tasks,
        })
    }
}
