//! `cargo xtask sim`: builds the simulator and hands everything over to it.
//!
//! The simulator is a process of its own: it replaces the clock and the randomness of the C library (docs/determinism.md), which no
//! other program may. It is built in the release profile, because thousands of servers are simulated.

use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use std::ffi::OsString;
use std::process::{Command, ExitCode, ExitStatus};

const EXAMPLES: &str = "\
Arguments of the simulator:
  SCENARIO…      names of scenarios; default: all
  --seed N       everything that is random follows from it
  --servers N    the parameter `servers` of scenarios that have it
  --report DIR   write index.html, report.json and junit.xml there
  --trace FILE   write the trace, line by line, to compare two runs
  -- --help      all there are, told by the simulator itself

Examples:
  cargo xtask sim --seed 1
  cargo xtask sim --seed 7 --servers 100 life-cycle
  cargo xtask sim --seed 7 --trace target/trace.txt operator-crash-in-every-state";

/// Run the scenarios in one thread under virtual time, from one seed
///
/// Hours pass in seconds. The same seed gives the same trace on any machine; its hash is printed last.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Build it in the dev profile: ready sooner where only `cargo xtask` was built before, but several times slower. Comes first.
    #[arg(long)]
    dev: bool,
    /// Handed to the simulator as they are.
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    let profile = if arguments.dev { "dev" } else { "release" };
    eprintln!("building the simulator ({profile} profile; the first time takes minutes)");
    let cargo = |command: &[&str], handed_over: &[OsString]| cargo(repository, command, profile, handed_over);
    if !cargo(&["build"], &[])?.success() {
        miette::bail!(
            help = "what the compiler says is above; nothing was simulated",
            "the simulator does not build"
        );
    }
    let mut handed_over = arguments.arguments.clone();
    let names_scripts = |argument: &OsString| argument.to_str().is_some_and(|text| text.starts_with("--scripts"));
    if !handed_over.iter().any(names_scripts) {
        // The simulator looks for them where it is started, which may be a folder below.
        handed_over.extend(["--scripts".into(), repository.path("scenarios/scripts").into()]);
    }
    let status = cargo(&["run", "--quiet"], &handed_over)?;
    // It has said itself what is wrong. Killed by a signal, it has no code.
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => miette::bail!("the simulator was ended by a signal: {status}"),
    })
}

fn cargo(
    repository: &Repository,
    command: &[&str],
    profile: &str,
    arguments: &[OsString],
) -> miette::Result<ExitStatus> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(command)
        .args([
            "--profile",
            profile,
            "--package",
            "scenarios",
            "--bin",
            "sim",
            "--manifest-path",
        ])
        .arg(repository.path("Cargo.toml"));
    if !arguments.is_empty() {
        cargo.arg("--").args(arguments);
    }
    cargo.status().into_diagnostic().wrap_err("cargo cannot be started")
}
