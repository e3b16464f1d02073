//! `cargo xtask up`: a testbed that stays, for kubectl, curl and people.

mod invitation;

use super::cluster::Choice;
use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use scenarios::runner::{self, Logs, Settings, Standing};
use scenarios::script::parameters::Parameters;
use scenarios::script::{Scenario, Script};
use scenarios::testbed::log_lines::check_filter;
use std::fs;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The fleet, as a scenario with one step: its BMCs are registered.
const SCENARIO: &str = include_str!("up.yaml");
const CLAIM: &str = include_str!("claim.yaml");

const EXAMPLES: &str = "\
Examples:
  cargo xtask up
  cargo xtask up --servers 50 --time-scale 60
  cargo xtask up --state target/up/state
  cargo xtask up --servers 3 --personality dell --time-scale 1 --verbose";

/// Start a testbed that stays: a cluster, an operator and emulated machines, to be used with kubectl and curl
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many machines there are.
    #[arg(long, value_name = "N", default_value = "5")]
    servers: NonZeroU32,
    #[command(flatten)]
    cluster: Choice,
    /// Keep the embedded cluster there: it goes on where it was at the next start. Machines do not; they are off, and empty.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Whose BMCs they have.
    #[arg(long, value_enum, default_value_t = Personality::Generic)]
    personality: Personality,
    /// Machines are this many times as fast as in reality.
    #[arg(long, value_name = "FACTOR", default_value_t = 10.0, value_parser = super::time_scale)]
    time_scale: f64,
    /// Identities of machines, names and tokens follow from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where kubeconfig, CA certificate and an example claim are written; default: target/up of this repository.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What is logged, as of RUST_LOG.
    #[arg(long, value_name = "FILTER", default_value = runner::DEFAULT_LOG_FILTER)]
    log: String,
    /// Print logs to standard error.
    #[arg(long)]
    verbose: bool,
}

/// The personalities of bmc-emulator.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Personality {
    /// What the Redfish specification says, and nothing else.
    Generic,
    /// An iDRAC 9.
    Dell,
}

impl Personality {
    fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Dell => "dell",
        }
    }
}

/// Where what is needed to use the testbed was written.
struct Files {
    kubeconfig: PathBuf,
    bmc_ca: PathBuf,
    claim: PathBuf,
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    check_filter(&arguments.log).into_diagnostic()?;
    let directory = arguments.dir.clone().unwrap_or_else(|| repository.path("target/up"));
    // Another shell is somewhere else.
    let directory = std::path::absolute(&directory)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} is no usable path", directory.display()))?;
    if arguments.state.is_some() && !arguments.cluster.is_embedded() {
        miette::bail!("--state keeps an embedded cluster; real ones keep themselves");
    }
    let (scenario, provider) = (scenario(arguments)?, arguments.cluster.provider(repository)?);
    let settings = Settings {
        seed: arguments.seed,
        time_scale: arguments.time_scale,
        log_filter: arguments.log.clone(),
        logs: if arguments.verbose { Logs::Stderr } else { Logs::Quiet },
    };
    eprintln!("starting a cluster, an operator and {} machines", arguments.servers);
    let mut written = Ok(());
    let ended = runner::until_interrupted(
        &scenario,
        &settings,
        provider.as_ref(),
        arguments.state.as_deref(),
        &mut |standing| {
            written = write(&directory, standing).map(|files| {
                println!("{}", invitation::text(standing, &files, arguments.time_scale));
            });
            if let Err(error) = &written {
                // The testbed is of no use then, but only its owner can end it.
                eprintln!("{error:?}\nCtrl-C ends the testbed");
            }
        },
    );
    ended.into_diagnostic().wrap_err("the testbed failed")?;
    eprintln!("the testbed has ended");
    Ok(if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn scenario(arguments: &Arguments) -> miette::Result<Scenario> {
    let parameters = Parameters::from([
        ("servers".to_owned(), arguments.servers.to_string()),
        ("personality".to_owned(), arguments.personality.name().to_owned()),
    ]);
    let script = Script::parse("xtask/src/commands/up/up.yaml", SCENARIO.to_owned())?;
    Ok(script.bind(&parameters)?)
}

fn write(directory: &Path, standing: &Standing) -> miette::Result<Files> {
    let files = Files {
        kubeconfig: directory.join("kubeconfig"),
        bmc_ca: directory.join("bmc-ca.pem"),
        claim: directory.join("claim.yaml"),
    };
    fs::create_dir_all(directory)
        .and_then(|()| write_private(&files.kubeconfig, &standing.kubeconfig))
        .and_then(|()| fs::write(&files.bmc_ca, &standing.bmc_ca_pem))
        .and_then(|()| fs::write(&files.claim, CLAIM))
        .into_diagnostic()
        .wrap_err_with(|| {
            format!(
                "what is needed to use the testbed cannot be written to {}",
                directory.display()
            )
        })?;
    Ok(files)
}

/// Only its owner may read it: it holds an administrator's token.
fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    // The mode counts only when the file is made; one that exists may be readable for others.
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::os::unix::fs::PermissionsExt as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn every_fleet_that_can_be_asked_for_is_a_scenario() {
        for line in ["up", "up --servers 1 --personality dell", "up --servers 1000"] {
            let arguments = Line::parse_from(line.split(' ')).arguments;
            let scenario = scenario(&arguments).expect("a scenario");
            assert_eq!(
                scenario.fleet.machines[0].count,
                Some(arguments.servers.get()),
                "{line}"
            );
        }
    }

    #[test]
    fn the_kubeconfig_is_private_even_if_it_was_not_before() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kubeconfig");
        fs::write(&path, "older and longer").expect("a file");
        write_private(&path, "newer").expect("writable");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "newer");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    }
}
