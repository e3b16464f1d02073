//! `cargo xtask bench operator`: builds the operator and the world it is measured in, and hands everything over to `scale`.

use crate::commands::{cargo, sim};
use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// What a fleet costs the operator on a real kube-apiserver: time, CPU, memory, requests (docs/operator-performance.md)
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Build in the dev profile: ready sooner, and much slower
    #[arg(long)]
    dev: bool,
    /// Handed over as they are: --servers 100,500,1000, --idle SECONDS, --without-events, …; --help lists them
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(super) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    let profile = if arguments.dev { "dev" } else { "sim" };
    eprintln!("building the operator and its world ({profile} profile; the first time takes minutes)");
    cargo::build(repository, profile, "operator", "metal-operator")?;
    cargo::build(repository, profile, "scenarios", "scale")?;
    let status = Command::new(sim::executable(arguments.dev, "scale")?)
        .arg("--operator")
        .arg(sim::executable(arguments.dev, "metal-operator")?)
        .args(&arguments.arguments)
        .status()
        .into_diagnostic()
        .wrap_err("the benchmark cannot be started")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
