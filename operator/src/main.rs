//! `metal-operator`: the deployed process. See the library for what it does; this is where the real clock, the operating
//! system's randomness, sockets and signals come in.

mod discovery_sources;
mod sockets;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use operator::edges::{Clock, Edges, Seed};
use operator::kube_config::kube_config;
use operator::{Operator, Options, bmc_http, logging, ssh};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sockets::Sockets;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How long answers under way may take after everything else has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = match Options::from_arguments(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            // The Go operator ends with 1 when a flag is missing or wrong.
            return if error.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    if let Err(error) = logging::install(&options) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = format!("{error:#}"), "metal-operator failed");
            ExitCode::FAILURE
        }
    }
}

fn start(options: Options) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed"))?;
    // One thread, as in a simulation: what was tested is what runs.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no async runtime")?
        .block_on(run(options))
}

async fn run(options: Options) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let sockets = Sockets::of(&options)?;
    let edges = edges(&options).await?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        identity = edges.identity,
        "metal-operator starts"
    );
    let sources = discovery_sources::of(&options.discovery, &edges);
    let operator = Operator::new(options, edges)?.discovering(sources);
    // The servers outlive the work: while it drains, probes of the kubelet and agents get an answer.
    let (stop, close) = (CancellationToken::new(), CancellationToken::new());
    let mut servers = sockets.open(&operator, &close).await?;
    let outcome = supervise(&operator, &mut signals, &mut servers, &stop).await;
    close.cancel();
    let answered = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_ANSWERS, answered).await.is_err() {
        warn!("requests that were still being answered are dropped");
    }
    outcome
}

/// Runs the operator until it has ended, orderly after the first signal.
async fn supervise(
    operator: &Operator,
    signals: &mut Signals,
    servers: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut work = std::pin::pin!(operator.run(stop.clone()));
    let mut deaf = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut work => {
                ended?;
                if deaf {
                    bail!("an HTTP server ended, so that nobody could reach this process");
                }
                info!("stopped: BMC sessions are closed, the lease is released");
                return Ok(());
            }
            name = signals.next() => {
                if stop.is_cancelled() {
                    bail!("{name} while stopping: ended at once, BMC sessions and the lease are left to expire");
                }
                info!(signal = name, "stopping; another signal ends the process at once");
                stop.cancel();
            }
            Some(_) = servers.join_next(), if !deaf => {
                deaf = true;
                stop.cancel();
            }
        }
    }
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

async fn edges(options: &Options) -> anyhow::Result<Edges> {
    let config = kube_config(options.kubeconfig.as_deref()).await?;
    Ok(Edges {
        kube: kube::Client::try_from(config).context("cannot set up the Kubernetes client")?,
        bmc_http: bmc_http::service(
            options.certificate_policy(),
            options.bmc.bmc_ca_file.as_deref(),
            // Whoever takes longer to be connected to cannot be operated in time either.
            options.bmc.bmc_request_timeout.get(),
        )?,
        ssh: Arc::new(ssh::client::Client::new(options.controllers.ssh_reset_timeout.get())),
        clock: clock(),
        seed: Seed::from_entropy(random()?),
        identity: identity()?,
    })
}

#[expect(clippy::disallowed_methods, reason = "the one place where the real clock enters")]
fn clock() -> Clock {
    Arc::new(jiff::Timestamp::now)
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .context("the operating system gives no randomness")?;
    Ok(bytes)
}

/// As client-go does it: where to look, and a suffix, because the next process of a pod must not take itself for this one.
fn identity() -> anyhow::Result<String> {
    let host = nix::unistd::gethostname().context("this machine has no name")?;
    Ok(format!("{}_{}", host.to_string_lossy(), hex::encode(random::<8>()?)))
}
