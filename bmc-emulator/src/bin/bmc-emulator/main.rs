//! `bmc-emulator`: a fleet of emulated machines, each with a Redfish service of its own, without anything around it.

mod edges;
mod files;
mod guest;
mod models;
mod quirks;
mod record;
mod serve;

use std::process::ExitCode;

use bmc_emulator::FleetSpec;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Emulated bare-metal machines and their BMCs.
#[derive(Debug, Parser)]
#[command(version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the machines of a fleet file until interrupted.
    Serve(serve::ServeArguments),
    /// Record the Redfish tree of a real BMC, without secrets, so that it can be served.
    Record(record::RecordArguments),
    /// Print the JSON Schema of fleet files.
    Schema,
    /// List the server models that a fleet file can name.
    Models,
    /// List what BMCs can be made to do beside the specification.
    Quirks,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let outcome = match CommandLine::parse().command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Record(arguments) => record::run(arguments).await,
        Command::Schema => print_schema(),
        Command::Models => models::print(),
        Command::Quirks => quirks::print(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_schema() -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&FleetSpec::json_schema())?);
    Ok(())
}
