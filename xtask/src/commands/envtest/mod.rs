//! `cargo xtask envtest`: the deployed operator on a real kube-apiserver.
//!
//! | module | subject |
//! |---|---|
//! | [`life`] | from Endpoint to Available, to a claim and back |
//! | [`refusals`] | what users may not do, said by admission policy and webhooks |
//! | [`metrics`] | who may read metrics |

mod life;
mod metrics;
mod refusals;

use super::cargo;
use crate::repository::Repository;
use bmc_emulator::FleetSpec;
use miette::{Context, IntoDiagnostic};
use scenarios::envtest::ControlPlane;
use scenarios::envtest::assets::Assets;
use scenarios::envtest::operator::DeployedOperator;
use scenarios::envtest::site::Site;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  KUBEBUILDER_ASSETS=… cargo xtask envtest
  cargo xtask envtest --assets DIR --logs target/envtest";

/// One machine, whose BMC the prefix database knows, where no other command has its BMCs.
const FLEET: &str = r#"
firstAddress: 127.77.0.1
machines:
  - name: node
    bmc: { macAddress: "23:11:8A:33:CF:EA", username: admin, password: canary-default-password-7Q }
"#;
const MAC_PREFIXES: &str = r#"
macPrefixes:
  - macPrefix: "23118A"
    manufacturer: Contoso
    protocol: Redfish
    port: 8443
    type: bmc
    defaultCredentials: [{ username: admin, password: canary-default-password-7Q }]
"#;
const CANARY: &str = "canary-default-password-7Q";

/// Check the deployed operator on a real kube-apiserver: kinds, roles, admission policy, webhooks, one machine's whole life
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Folder with etcd, kube-apiserver and kube-controller-manager; default: what KUBEBUILDER_ASSETS says.
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
    /// Keep the logs of all processes there.
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Machines are this many times as fast as in reality.
    #[arg(long, value_name = "FACTOR", default_value_t = 120.0, value_parser = super::time_scale)]
    time_scale: f64,
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    let assets = Assets::find(arguments.assets.as_deref()).into_diagnostic()?;
    eprintln!("building metal-operator");
    cargo::build(repository, "dev", "operator", "metal-operator")?;
    let binary = cargo::beside_this_program("metal-operator")?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .into_diagnostic()?
        .block_on(check(repository, arguments, &assets, binary))
}

async fn check(
    repository: &Repository,
    arguments: &Arguments,
    assets: &Assets,
    binary: PathBuf,
) -> miette::Result<ExitCode> {
    let plane = ControlPlane::start(assets, arguments.logs.as_deref())
        .await
        .into_diagnostic()?;
    said("a control plane is ready");
    let spec = FleetSpec::from_yaml(FLEET, "fleet.yaml").into_diagnostic()?;
    let site = Site::start(&plane, spec, arguments.time_scale)
        .await
        .into_diagnostic()?;
    let prefixes = plane.folder().join("mac-prefixes.yaml");
    std::fs::write(&prefixes, MAC_PREFIXES)
        .into_diagnostic()
        .wrap_err("the MAC prefixes cannot be written")?;
    let mut flags = intervals(arguments.time_scale);
    flags.push(format!("--mac-prefixes-file={}", prefixes.display()));
    let deploy = repository.path("operator/deploy");
    let operator = DeployedOperator::start(&plane, &site, &deploy, binary, &flags)
        .await
        .into_diagnostic()?;
    said(
        "the operator is ready, as its service account; kinds, roles, policy and webhooks are those of operator/deploy",
    );
    let admin = plane.admin().into_diagnostic()?;
    let machine = site
        .machines()
        .into_iter()
        .next()
        .ok_or_else(|| miette::miette!("the fleet is empty"))?;
    life::to_available(&admin, &machine).await?;
    refusals::all(&admin).await?;
    metrics::check(&plane, &operator).await?;
    life::claim_and_release(&admin).await?;
    let log = operator.log().into_diagnostic()?;
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("orbidden")).collect();
    miette::ensure!(
        refused.is_empty(),
        "the operator was refused something:\n{}",
        refused.join("\n")
    );
    said("its roles were enough");
    miette::ensure!(
        !log.contains(CANARY),
        "the password of a BMC stands in the operator's log"
    );
    said("no password in its log");
    Ok(ExitCode::SUCCESS)
}

/// The operator's intervals that follow the speed of the hardware.
fn intervals(time_scale: f64) -> Vec<String> {
    [
        ("server-resync-interval", 120.0),
        ("bmc-resync-interval", 120.0),
        ("power-polling-interval", 5.0),
        ("power-off-confirmation-time", 15.0),
        ("resource-polling-interval", 5.0),
    ]
    .map(|(flag, seconds)| format!("--{flag}={}ms", (seconds * 1000.0 / time_scale).max(50.0).round()))
    .into()
}

fn said(what: &str) {
    println!("ok  {what}");
}
