//! `cargo xtask`: the one entry point of this repository. Every command is a plain function behind typed arguments.

mod commands;
mod repository;

use clap::{Parser, Subcommand};
use commands::{bench, conformance, docker, e2e, envtest, generated, images, interop, sim, up};
use repository::Repository;
use std::process::ExitCode;

/// Bare-metal servers, operated and proven without a rack of hardware.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 120)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    E2e(e2e::Arguments),
    Up(up::Arguments),
    Sim(sim::Arguments),
    Bench(bench::Arguments),
    Envtest(envtest::Arguments),
    Conformance(conformance::Arguments),
    Images(images::Arguments),
    Docker(docker::Arguments),
    Interop(interop::Arguments),
    Crds(generated::CrdsArguments),
    Schemas(generated::SchemasArguments),
    Deploy(generated::DeployArguments),
}

/// Errors are what kept a command from doing its work; a command that found something wrong says so itself and fails.
fn main() -> miette::Result<ExitCode> {
    let command = CommandLine::parse().command;
    let repository = Repository::find()?;
    match command {
        Command::E2e(arguments) => e2e::run(&repository, arguments),
        Command::Up(arguments) => up::run(&repository, &arguments),
        Command::Sim(arguments) => sim::run(&repository, &arguments),
        Command::Bench(arguments) => bench::run(&repository, arguments),
        Command::Envtest(arguments) => envtest::run(&repository, &arguments),
        Command::Conformance(arguments) => conformance::run(&repository, &arguments),
        Command::Images(arguments) => images::run(&repository, &arguments),
        Command::Docker(arguments) => docker::run(&repository, &arguments),
        Command::Interop(arguments) => interop::run(&repository, &arguments),
        Command::Crds(arguments) => generated::crds(&repository, &arguments),
        Command::Schemas(arguments) => generated::schemas(&repository, &arguments),
        Command::Deploy(arguments) => generated::deploy(&repository, &arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
