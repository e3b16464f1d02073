//! `metalctl`: see `operator::metalctl`; this is where arguments, sockets and signals come in.

use std::io::{Write, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Parser;
use operator::edges::Clock;
use operator::metalctl::move_objects::{self, Wishes};
use operator::metalctl::options::{Command, CordonOptions, Options, VisualizerOptions, client};
use operator::metalctl::{console, cordon, visualizer};
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = start(options.command);
    let Err(error) = ended else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn start(command: Command) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no async runtime")?;
    let ended = runtime.block_on(run(command));
    // Somebody may still be read from the keyboard, for ever.
    runtime.shutdown_background();
    ended
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Move(options) => {
            let source = client(&options.source_kubeconfig, None).await?;
            let target = client(&options.target_kubeconfig, None).await?;
            let wishes = Wishes {
                namespace: options.namespace,
                dry_run: options.dry_run,
                verbose: options.verbose,
                allow_running_operator: options.allow_running_operator,
            };
            move_objects::run(&source, &target, &wishes, &clock(), &mut stdout()).await
        }
        Command::Console(options) => console::run(options.cluster.client().await?, &options).await,
        Command::Visualizer(options) => show(&options).await,
        Command::Cordon(options) => set(&options, true).await,
        Command::Uncordon(options) => set(&options, false).await,
    }
}

async fn set(options: &CordonOptions, unclaimable: bool) -> anyhow::Result<()> {
    let client = options.cluster.client().await?;
    let told = cordon::cordon(client, &options.server, unclaimable, options.dry_run).await?;
    writeln!(stdout(), "{told}").context("nobody listens")
}

async fn show(options: &VisualizerOptions) -> anyhow::Result<()> {
    let router = visualizer::router(options.cluster.client().await?);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr().context("no address")?;
    writeln!(stdout(), "http://{address}").context("nobody listens")?;
    let served = axum::serve(listener, router).with_graceful_shutdown(async {
        // Without signals it ends with the process.
        let _ = tokio::signal::ctrl_c().await;
    });
    served.await.context("the page cannot be served any more")
}

#[expect(clippy::disallowed_methods, reason = "the edge: the clock of this machine")]
fn clock() -> Clock {
    Arc::new(jiff::Timestamp::now)
}
