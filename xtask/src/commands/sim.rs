//! `cargo xtask sim`: builds the simulator and hands everything over to it.
//!
//! The simulator is a process of its own: it replaces the clock and the randomness of the C library (docs/determinism.md), which no
//! other program may. It is built in a profile of its own (`Cargo.toml`), because thousands of servers are simulated.

use crate::commands::cargo;
use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const EXAMPLES: &str = "\
Arguments of the simulator:
  SCENARIO…              names of scenarios; default: all
  --seed N               everything that is random follows from it
  --seeds A..B           many of them
  --profile PROFILE      instead of scenarios: random faults and people (none, calm, rough, hell, or a file)
  --plan FILE            instead of scenarios: faults and people as a file says
  --servers N            size of the fleet
  --crash-sweep          the operator dies before and after each of its effects
  --sweep late           something else happens at each effect: late, refused, deposed
  --shrink               the smallest plan that still fails
  --twice                run everything twice, and compare
  --report DIR           write index.html, report.json and junit.xml there
  --trace FILE           write the trace, line by line
  -- --help              all there are, told by the simulator itself

Examples:
  cargo xtask sim --seed 1
  cargo xtask sim --seeds 0..200 --profile rough --servers 20
  cargo xtask sim --seed 17 --profile rough --servers 20 --shrink
  cargo xtask sim --crash-sweep claim-boot-release-wipe
  cargo xtask sim merge shard-0.json shard-1.json";

/// Run scenarios, or random worlds, in one thread under virtual time, from one seed
///
/// Hours pass in seconds. The same seed gives the same trace on any machine; its hash is printed last. docs/simulation.md tells more.
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
    simulate(repository, arguments.dev, &arguments.arguments)
}

/// Builds the simulator and runs it.
pub(super) fn simulate(repository: &Repository, dev: bool, arguments: &[OsString]) -> miette::Result<ExitCode> {
    let profile = if dev { "dev" } else { "sim" };
    eprintln!("building the simulator ({profile} profile; the first time takes minutes)");
    cargo::build(repository, profile, "scenarios", "sim")?;
    let mut simulator = Command::new(executable(dev, "sim")?);
    simulator.args(arguments);
    // The simulator looks for its files where it is started, which may be a folder below.
    let is_command = |name: &str| arguments.first().is_some_and(|first| first == name);
    for (option, folder) in [("--scripts", "scenarios/scripts"), ("--profiles", "scenarios/profiles")] {
        let is_given = |argument: &OsString| argument.to_str().is_some_and(|text| text.starts_with(option));
        let is_known = match option {
            "--scripts" => !is_command("merge"),
            _ => !is_command("bench"),
        };
        if is_known && !arguments.iter().any(is_given) {
            simulator.arg(option).arg(repository.path(folder));
        }
    }
    let status = simulator
        .status()
        .into_diagnostic()
        .wrap_err("the simulator cannot be started")?;
    // It has said itself what is wrong. Killed by a signal, it has no code.
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => miette::bail!("the simulator was ended by a signal: {status}"),
    })
}

/// Beside this program, or in the folder of the profile `sim` next to its own.
pub(super) fn executable(dev: bool, binary: &str) -> miette::Result<PathBuf> {
    let beside = cargo::beside_this_program(binary)?;
    Ok(match (dev, beside.file_name(), beside.parent()) {
        (false, Some(name), Some(folder)) => folder.join("..").join("sim").join(name),
        _ => beside,
    })
}
