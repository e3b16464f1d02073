//! `cargo xtask bench`: how fast things are.

mod bmc;
mod operator;

use super::sim;
use crate::repository::Repository;
use clap::Subcommand;
use std::ffi::OsString;
use std::process::ExitCode;

/// Measure how fast things are, and print it as tables
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The throughput of the simulator: the whole life of every server of fleets that grow tenfold
    Sim {
        /// Sizes of the fleets, small ones first. 10000 takes gibibytes and minutes.
        #[arg(long, value_name = "N,…", default_value = "10,100,1000")]
        servers: OsString,
    },
    Bmc(bmc::Arguments),
    Operator(operator::Arguments),
}

pub(crate) fn run(repository: &Repository, arguments: Arguments) -> miette::Result<ExitCode> {
    match arguments.what {
        What::Sim { servers } => {
            let arguments = ["bench".into(), "--servers".into(), servers];
            sim::simulate(repository, false, &arguments)
        }
        What::Bmc(arguments) => bmc::run(repository, &arguments),
        What::Operator(arguments) => operator::run(repository, &arguments),
    }
}
