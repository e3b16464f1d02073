//! `kube-emulator serve`: the API server on a socket, for kubectl and anything else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use axum::body::Body;
use clap::{Parser, Subcommand};
use http::Request;
use kube_emulator::serve::{Served, serve_https};
use kube_emulator::{Clock, KubeEmulator, Settings};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// An in-memory Kubernetes API server for tests.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the API over HTTPS until interrupted.
    Serve(ServeOptions),
}

#[derive(clap::Args)]
struct ServeOptions {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// Where to write the kubeconfig; without it, it goes to standard output.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// A folder of CustomResourceDefinitions (*.yaml) to install at start.
    #[arg(long, value_name = "DIR")]
    crds: Option<PathBuf>,
    /// Bearer token of the administrator; random if not given.
    #[arg(long, env = "KUBE_EMULATOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Seed of uids and generated names; random if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Watch events kept per resource.
    #[arg(long, default_value_t = 10_000)]
    watch_history: usize,
}

#[derive(Debug, thiserror::Error)]
enum ServeFailure {
    #[error(transparent)]
    Serve(#[from] kube_emulator::serve::ServeError),
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} is not accepted as a CustomResourceDefinition: {message}")]
    Definition { path: PathBuf, message: String },
    #[error("cannot wait for the interrupt signal: {0}")]
    Signal(std::io::Error),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let Command::Serve(options) = Arguments::parse().command;
    match serve(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The edges of a served emulator: the system's clock and randomness.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary is where the real clock and randomness come in"
)]
fn settings(options: &ServeOptions) -> Settings {
    let clock: Clock = Arc::new(jiff::Timestamp::now);
    let mut random = StdRng::from_os_rng();
    let token = options
        .token
        .clone()
        .unwrap_or_else(|| hex::encode(random.random::<[u8; 16]>()));
    let seed = options.seed.unwrap_or_else(|| random.random());
    Settings {
        clock,
        seed,
        admin_token: token,
        watch_history: options.watch_history,
    }
}

async fn serve(options: ServeOptions) -> Result<(), ServeFailure> {
    let settings = settings(&options);
    let token = settings.admin_token.clone();
    let emulator = KubeEmulator::new(settings);
    if let Some(folder) = &options.crds {
        install(&emulator, folder, &token).await?;
    }
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let served = serve_https(&emulator, options.bind, stop.clone(), &mut tasks).await?;
    let (controllers, controllers_stop) = (emulator.clone(), stop.clone());
    tasks.spawn(async move { controllers.run_controllers(controllers_stop).await });
    tracing::info!(address = %served.address, "serving the Kubernetes API");
    publish(&options, &served, &token)?;
    tokio::signal::ctrl_c().await.map_err(ServeFailure::Signal)?;
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// Hands the kubeconfig out, in a file only its owner can read.
fn publish(options: &ServeOptions, served: &Served, token: &str) -> Result<(), ServeFailure> {
    let kubeconfig = served.kubeconfig(token);
    let Some(path) = &options.kubeconfig else {
        println!("{kubeconfig}");
        return Ok(());
    };
    let write = |source| ServeFailure::Write {
        path: path.clone(),
        source,
    };
    write_private(path, &kubeconfig).map_err(write)?;
    tracing::info!(kubeconfig = %path.display(), "wrote the kubeconfig");
    Ok(())
}

fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_bytes())
}

/// Installs every definition of a folder, through the API like anybody else.
async fn install(emulator: &KubeEmulator, folder: &Path, token: &str) -> Result<(), ServeFailure> {
    let read = |path: &Path, source| ServeFailure::Read {
        path: path.to_owned(),
        source,
    };
    let entries = std::fs::read_dir(folder).map_err(|source| read(folder, source))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(|source| read(folder, source)))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    for path in files {
        let document = std::fs::read_to_string(&path).map_err(|source| read(&path, source))?;
        let refused = |message: String| ServeFailure::Definition {
            path: path.clone(),
            message,
        };
        let request =
            Request::post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldManager=kube-emulator")
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/yaml")
                .body(Body::from(document))
                .map_err(|error| refused(error.to_string()))?;
        let response = match emulator.router().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if !response.status().is_success() {
            let body = axum::body::to_bytes(response.into_body(), usize::MAX)
                .await
                .unwrap_or_default();
            return Err(refused(String::from_utf8_lossy(&body).into_owned()));
        }
    }
    Ok(())
}
