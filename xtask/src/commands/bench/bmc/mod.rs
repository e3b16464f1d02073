//! `cargo xtask bench bmc`: how fast emulated BMCs are, and what many of them cost, beside the emulators of others.
//!
//! | module | subject |
//! |---|---|
//! | [`ours`] | `bmc-emulator`: one BMC that is asked, many that are idle |
//! | [`theirs`] | sushy-tools' emulator, and the DMTF's mockup server |
//! | [`load`] | requests, several at a time, for some seconds |
//! | [`process`] | programs under measurement: their time, their memory |
//! | [`document`] | the table, on the terminal and in the repository |

mod document;
mod load;
mod ours;
mod process;
mod theirs;

use crate::commands::{cargo, venv::Venv};
use crate::repository::Repository;
use load::Load;
use miette::{Context, IntoDiagnostic};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench bmc
  cargo xtask bench bmc --mockup-server <clone of DMTF/Redfish-Mockup-Server> --write

Needs python3 with its venv module, and once a package index. The DMTF's server is not in package indices: without a clone of its
repository it is left out.";

/// Requests a second, memory per idle BMC, and time until many listen, beside sushy-tools and the DMTF's mockup server
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many BMCs are idle at the same time.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    bmcs: u32,
    /// How long each kind of request is repeated.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    seconds: u64,
    /// Requests at the same time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// A clone of DMTF/Redfish-Mockup-Server.
    #[arg(long, value_name = "DIR")]
    mockup_server: Option<PathBuf>,
    /// Python environment of the others, made if it is not there; default: target/bench/venv.
    #[arg(long, value_name = "DIR")]
    venv: Option<PathBuf>,
    /// Write docs/bmc-emulator-performance.md.
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    let folder = std::path::absolute(repository.path("target/bench")).into_diagnostic()?;
    std::fs::create_dir_all(&folder)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot create {}", folder.display()))?;
    eprintln!("building bmc-emulator, optimised");
    let program = cargo::build_release(repository, "bmc-emulator", "bmc-emulator")?;
    let venv = arguments.venv.clone().unwrap_or_else(|| folder.join("venv"));
    let venv = Venv::open(&std::path::absolute(venv).into_diagnostic()?)?;
    venv.install(theirs::PINS.map(str::to_owned).as_slice())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .into_diagnostic()?;
    let load = Load {
        duration: Duration::from_secs(arguments.seconds),
        connections: arguments.connections,
    };
    let results = runtime.block_on(async {
        let mut results = vec![ours::requests(&program, &folder, &load).await?];
        let recording = ours::record(&program, &folder)?;
        results.push(theirs::sushy(&venv, &folder, &load).await?);
        if let Some(clone) = &arguments.mockup_server {
            results.push(theirs::mockup_server(&venv, clone, &recording, &folder, &load).await?);
        }
        Ok::<_, miette::Report>(results)
    })?;
    let size = runtime.block_on(ours::size(&program, &folder, arguments.bmcs))?;
    println!("{}", document::table(&results, &size));
    if arguments.mockup_server.is_none() {
        println!(
            "The DMTF's mockup server was left out: name a clone of DMTF/Redfish-Mockup-Server by --mockup-server."
        );
    }
    if arguments.write {
        let path = repository.path("docs/bmc-emulator-performance.md");
        std::fs::write(&path, document::markdown(&results, &size, arguments))
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// What was measured of one emulator.
#[derive(Debug, Default)]
struct Results {
    name: &'static str,
    /// Answers a second; none where it does not do this.
    get_system: Option<f64>,
    /// How long it has worked for one such answer.
    work_per_get: Option<Duration>,
    patch_boot: Option<f64>,
    expand: Option<f64>,
    memory_per_bmc: Option<u64>,
    /// Until the first BMC listens.
    start: Duration,
}

/// What was measured of many BMCs in one process.
#[derive(Debug)]
struct Size {
    bmcs: u32,
    /// Until all of them listen, with one socket.
    shared_start: Duration,
    /// Until so many listen, with a socket each.
    own_sockets: u32,
    own_start: Duration,
    idle_memory: Option<u64>,
    /// Until every BMC has been connected to, and has answered.
    contact: Duration,
    unanswered: usize,
    memory_after_contact: Option<u64>,
}
