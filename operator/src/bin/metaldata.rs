//! `metaldata`: tells machines about themselves. See `operator::metaldata`; this is where sockets and signals come in.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use operator::health::Health;
use operator::kube_config::kube_config;
use operator::metaldata::Metaldata;
use operator::metaldata::options::MetaldataOptions;
use operator::serve::serve;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let options = match MetaldataOptions::from_arguments(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            return match error.use_stderr() {
                true => ExitCode::FAILURE,
                false => ExitCode::SUCCESS,
            };
        }
    };
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "metaldata failed");
            ExitCode::FAILURE
        }
    }
}

fn start(options: MetaldataOptions) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed"))?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no async runtime")?
        .block_on(run(options))
}

async fn run(options: MetaldataOptions) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let config = kube_config(options.kubeconfig.as_deref()).await?;
    let client = kube::Client::try_from(config).context("cannot set up the Kubernetes client")?;
    let metaldata = Metaldata::new(client, options.fixed());
    let (stop, health, mut tasks) = (CancellationToken::new(), Health::new(), JoinSet::new());
    for (name, address, router) in [
        ("health", options.health_address()?, health.router()),
        ("metrics", options.metrics_address()?, metaldata.metrics_router()),
    ] {
        if let Some(address) = address {
            serve(name, address, router, stop.clone(), &mut tasks).await?;
        }
    }
    let address = SocketAddr::new(options.bind_address, options.metaldata_port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(%address, "listening");
    let service = metaldata.router().into_make_service_with_connect_info::<SocketAddr>();
    let until = stop.clone();
    tasks.spawn(async move {
        let served = axum::serve(listener, service).with_graceful_shutdown(until.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "the metadata service ended");
        }
    });
    let until = stop.clone();
    tasks.spawn(async move { metaldata.run(until, || health.set_ready(true)).await });
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = tasks.join_next() => {
            stop.cancel();
            return Err(anyhow!("a part of metaldata ended, so that it could serve nobody"));
        }
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(())
}
