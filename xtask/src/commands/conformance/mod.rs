//! `cargo xtask conformance`: what an API server answers, compared with what a real one does.

mod table;

use crate::repository::Repository;
use clap::{Subcommand, ValueEnum};
use kube_conformance::connection::Connection;
use kube_conformance::embedded::Embedded;
use kube_conformance::runner::Answers;
use kube_conformance::suite::Suite;
use kube_conformance::{corpus, differences, runner};
use miette::{Context, IntoDiagnostic};
use scenarios::envtest::ControlPlane;
use scenarios::envtest::assets::Assets;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "Examples:
  cargo xtask conformance                                             the embedded server against the recordings
  KUBEBUILDER_ASSETS=… cargo xtask conformance --compare              both servers, side by side
  KUBEBUILDER_ASSETS=… cargo xtask conformance record                 record the real server's answers anew
  cargo xtask conformance --cluster kubeconfig --kubeconfig FILE      any other cluster against the recordings";
/// More at a time only makes a real server slower.
const AT_A_TIME: usize = 8;

/// Put an API server to the checks of kube-emulator/conformance, and compare its answers with a real server's
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    record: Option<Record>,
    /// Who is asked.
    #[arg(long, value_enum, default_value_t = Cluster::Embedded)]
    cluster: Cluster,
    /// How to reach it, for --cluster kubeconfig.
    #[arg(long, value_name = "FILE", required_if_eq("cluster", "kubeconfig"))]
    kubeconfig: Option<PathBuf>,
    /// Start a real control plane as well, and compare with it instead of with the recordings.
    #[arg(long)]
    compare: bool,
    /// Write kube-emulator/DIFFERENCES.md anew.
    #[arg(long, conflicts_with = "compare")]
    write_differences: bool,
    /// Print every differing field, not only the first one of each check.
    #[arg(long)]
    all: bool,
    /// Only these topics, or checks with such a word in their name.
    only: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Record {
    /// Play all checks twice against a real control plane (KUBEBUILDER_ASSETS) and keep its answers
    Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cluster {
    /// kube-emulator in this process.
    Embedded,
    /// etcd, kube-apiserver and kube-controller-manager from KUBEBUILDER_ASSETS.
    Envtest,
    /// An existing cluster.
    Kubeconfig,
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .into_diagnostic()?
        .block_on(async {
            let folder = repository.path("kube-emulator/conformance");
            let mut suite = Suite::load(&folder.join("checks")).into_diagnostic()?;
            if arguments.record.is_some() {
                return record(&suite, &folder).await;
            }
            suite.select(&arguments.only);
            check(repository, arguments, &suite, &folder).await
        })
}

async fn record(suite: &Suite, folder: &Path) -> miette::Result<ExitCode> {
    let first = answers_of(Cluster::Envtest, None, suite).await?;
    let second = answers_of(Cluster::Envtest, None, suite).await?;
    corpus::write(&folder.join("corpus"), &first).into_diagnostic()?;
    println!("recorded the answers to {} checks", suite.checks());
    let unstable = differences::find(&first, &second);
    for ((topic, check), places) in &unstable {
        println!("not the same twice: {topic}, {check}, {}", places[0]);
    }
    Ok(if unstable.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn check(
    repository: &Repository,
    arguments: &Arguments,
    suite: &Suite,
    folder: &Path,
) -> miette::Result<ExitCode> {
    let real = match arguments.compare {
        true => answers_of(Cluster::Envtest, None, suite).await?,
        false => corpus::read(&folder.join("corpus")).into_diagnostic()?,
    };
    let answers = answers_of(arguments.cluster, arguments.kubeconfig.as_deref(), suite).await?;
    let found = differences::find(&real, &answers);
    let known = match arguments.cluster {
        Cluster::Embedded => differences::read(&folder.join("differences.yaml")).into_diagnostic()?,
        // What the emulator is forgiven is no excuse for others.
        Cluster::Envtest | Cluster::Kubeconfig => Vec::new(),
    };
    if arguments.write_differences {
        miette::ensure!(
            arguments.only.is_empty() && arguments.cluster == Cluster::Embedded,
            "DIFFERENCES.md is about all checks, and about the emulator"
        );
        let document = differences::document(suite.checks(), &found, &known);
        std::fs::write(repository.path("kube-emulator/DIFFERENCES.md"), document).into_diagnostic()?;
    }
    table::print(suite, &found, &known, arguments.all);
    let mut surprises = differences::surprises(&found, &known);
    if !arguments.only.is_empty() {
        surprises.retain(|surprise| !surprise.contains("does not differ any more"));
    }
    for surprise in &surprises {
        if surprise.contains("does not differ any more") {
            println!("{surprise}");
        }
    }
    Ok(if surprises.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Starts a cluster, or finds it, and plays the suite on it.
async fn answers_of(cluster: Cluster, kubeconfig: Option<&Path>, suite: &Suite) -> miette::Result<Answers> {
    match cluster {
        Cluster::Embedded => {
            let embedded = Embedded::start().await.into_diagnostic()?;
            play(&embedded.kubeconfig, suite).await
        }
        Cluster::Envtest => {
            let assets = Assets::find(None).into_diagnostic()?;
            let plane = ControlPlane::start(&assets, None).await.into_diagnostic()?;
            play(&plane.admin_kubeconfig(), suite).await
        }
        Cluster::Kubeconfig => {
            let path = kubeconfig.unwrap_or(Path::new(""));
            let text = std::fs::read_to_string(path)
                .into_diagnostic()
                .wrap_err_with(|| format!("{} cannot be read", path.display()))?;
            let connection = Connection::open(&text).into_diagnostic()?;
            runner::ensure_unused(&connection, suite).await.into_diagnostic()?;
            let played = runner::play(&connection, suite, AT_A_TIME).await;
            runner::clean_up(&connection, suite).await.into_diagnostic()?;
            played.into_diagnostic()
        }
    }
}

async fn play(kubeconfig: &str, suite: &Suite) -> miette::Result<Answers> {
    let connection = Connection::open(kubeconfig).into_diagnostic()?;
    runner::play(&connection, suite, AT_A_TIME).await.into_diagnostic()
}
