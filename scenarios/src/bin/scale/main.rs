//! `scale`: what a fleet costs the operator, on a real kube-apiserver. `cargo xtask bench operator` builds both and starts this; what came out
//! is in `docs/operator-performance.md`.
//!
//! The operator is a process of its own, as deployed. This process is the rest of the world: it starts etcd and kube-apiserver, shows
//! thousands of BMCs at addresses of their own in 127/8 over TLS, boots their machines from a boot server, and runs the probes in them.

mod measure;
mod operator_process;
mod phases;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use miette::IntoDiagnostic as _;
use scenarios::envtest::assets::Assets;

use self::measure::Row;

/// What a fleet costs the operator, on a real kube-apiserver
#[derive(Debug, Parser)]
#[command(name = "scale")]
struct Arguments {
    /// Sizes of the fleets, one after the other, each with a cluster of its own
    #[arg(long, value_delimiter = ',', default_value = "100,500,1000", value_name = "N,…")]
    servers: Vec<u32>,
    /// The program `metal-operator`
    #[arg(long, value_name = "FILE")]
    operator: PathBuf,
    /// Folder with etcd and kube-apiserver; default: $KUBEBUILDER_ASSETS
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
    /// How much faster machines are than real ones: 1000 boots in a blink
    #[arg(long, default_value_t = 1000.0, value_name = "FACTOR")]
    time_scale: f64,
    /// How long to look at what an idle fleet costs; 0 leaves that out
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    idle: u64,
    /// Also claim and release every server
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    claims: bool,
    /// BMCs send no events
    #[arg(long)]
    without_events: bool,
    /// More flags of the operator, after those that are needed here
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> miette::Result<()> {
    let assets = Assets::find(arguments.assets.as_deref()).into_diagnostic()?;
    let mut rows: Vec<(u32, Row)> = Vec::new();
    for servers in &arguments.servers {
        eprintln!("{servers} servers");
        let plan = phases::Plan {
            servers: *servers,
            time_scale: arguments.time_scale,
            idle: Duration::from_secs(arguments.idle),
            claims: arguments.claims,
            events: !arguments.without_events,
            operator: &arguments.operator,
            flags: &arguments.flags,
        };
        let measured = phases::run(&assets, &plan).await.into_diagnostic()?;
        rows.extend(measured.into_iter().map(|row| (*servers, row)));
    }
    println!("{}", measure::table(&rows));
    Ok(())
}
