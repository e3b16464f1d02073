//! `cargo xtask docker`: the images in containers.

use super::cargo;
use super::images;
use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use std::process::{Command, ExitCode, Stdio};

/// Build the images, load them into Docker, and run each: it starts, answers, and stops when it is told to
///
/// Needs a Docker daemon that this user may talk to. No registry is asked for anything.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Take the images that Docker has already.
    #[arg(long)]
    no_build: bool,
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    needs_daemon()?;
    if !arguments.no_build {
        images::build(repository, &images::Arguments::loaded())?;
    }
    let good = cargo::test(
        repository,
        &["--package", "xtask", "--features", "docker", "--test", "docker"],
    )?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether there is a Docker daemon to talk to; if not, what to do about it.
pub(super) fn needs_daemon() -> miette::Result<()> {
    let info = Command::new("docker").arg("info").stdout(Stdio::null()).output();
    let info = info
        .into_diagnostic()
        .wrap_err("docker cannot be started: install it (Debian: docker.io)")?;
    miette::ensure!(
        info.status.success(),
        help = "start dockerd, and see that this user may talk to it",
        "no Docker daemon answers: {}",
        String::from_utf8_lossy(&info.stderr).trim()
    );
    Ok(())
}
