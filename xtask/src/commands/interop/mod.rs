//! `cargo xtask interop`: what others have written judges what we have written.

mod redfish;

use crate::repository::Repository;
use std::process::ExitCode;

/// Judge the emulators with the tools of those who wrote the standards
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    standard: Standard,
}

#[derive(Debug, clap::Subcommand)]
enum Standard {
    Redfish(redfish::Arguments),
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    match &arguments.standard {
        Standard::Redfish(arguments) => redfish::run(repository, arguments),
    }
}
