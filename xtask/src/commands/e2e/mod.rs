//! `cargo xtask e2e`: scenarios in real time, each in a world of its own.
//!
//! | module | subject |
//! |---|---|
//! | [`selection`] | which scenarios, with which parameters |
//! | [`progress`] | what is shown while they run |
//! | [`table`] | what is shown at the end |

mod progress;
mod selection;
mod table;

use super::cluster::Choice;
use crate::repository::Repository;
use miette::IntoDiagnostic;
use progress::Board;
use scenarios::report::{Millis, Mode, RunReport, ScenarioReport};
use scenarios::runner::{self, Logs, Settings};
use scenarios::script::{Scenario, Script};
use scenarios::testbed::cluster::provider::Provider;
use scenarios::testbed::log_lines::check_filter;
use selection::Assignment;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  cargo xtask e2e
  cargo xtask e2e discover-one-server --verbose
  cargo xtask e2e ten-servers-four-claims --set servers=20 --set claims=8
  cargo xtask e2e --report target/e2e-report
  KUBEBUILDER_ASSETS=… cargo xtask e2e --cluster envtest
  cargo xtask e2e --scripts my-scenarios --time-scale 10

The exit code is 0 when every scenario passed or was skipped, else 1.";

/// Run scenarios end to end: a cluster of any kind, emulated machines, real sockets, real time
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Names of scenarios; default: all.
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Folder of scenario scripts; default: scenarios/scripts of this repository.
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
    #[command(flatten)]
    cluster: Choice,
    /// Sets a parameter of every scenario that has it. Can be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    assignments: Vec<Assignment>,
    /// Machines, and the durations of scenarios, are this many times as fast as in reality.
    #[arg(long, value_name = "FACTOR", default_value_t = 120.0, value_parser = super::time_scale)]
    time_scale: f64,
    /// How many scenarios run at the same time.
    #[arg(long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
    /// Identities of machines, names and tokens follow from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write index.html, report.json and junit.xml there.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// What is logged, as of RUST_LOG. Logs are part of the report of a scenario that fails.
    #[arg(long, value_name = "FILTER", default_value = runner::DEFAULT_LOG_FILTER)]
    log: String,
    /// Print logs to standard error while scenarios run.
    #[arg(long)]
    verbose: bool,
}

pub(crate) fn run(repository: &Repository, arguments: Arguments) -> miette::Result<ExitCode> {
    check_filter(&arguments.log).into_diagnostic()?;
    let folder = arguments
        .scripts
        .clone()
        .unwrap_or_else(|| repository.path("scenarios/scripts"));
    let scripts = Script::read_all(&folder)?;
    let scenarios = selection::select(&scripts, &arguments.scenarios, &arguments.assignments, &folder)?;

    let provider = arguments.cluster.provider(repository)?;

    let started_at = (scenarios::edges::system_clock())();
    let started = Instant::now();
    let reports = run_all(&scenarios, provider.as_ref(), &arguments);
    let wall_time = Millis::from(started.elapsed());
    let report = RunReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command_line(),
        environment: format!("{} cluster, emulated machines, loopback sockets", provider.name()),
        seed: arguments.seed,
        mode: Mode::RealTime,
        time_scale: arguments.time_scale,
        started_at,
        wall_time: Some(wall_time),
        scenarios: reports,
    };

    table::print(&report, provider.name(), arguments.scripts.as_deref());
    if let Some(directory) = &arguments.report {
        let written = scenarios::report::write(directory, &report).into_diagnostic()?;
        println!("report: {}", written.page.display());
    }
    let good = report.scenarios.iter().all(|scenario| scenario.outcome.is_good());
    if !good {
        provider.failed().into_diagnostic()?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every scenario on some worker thread; the reports are in the order of the scenarios.
fn run_all(scenarios: &[Scenario], provider: &dyn Provider, arguments: &Arguments) -> Vec<ScenarioReport> {
    let settings = Settings {
        seed: arguments.seed,
        time_scale: arguments.time_scale,
        log_filter: arguments.log.clone(),
        logs: if arguments.verbose { Logs::Stderr } else { Logs::Quiet },
    };
    let board = Board::new(scenarios, arguments.verbose);
    let (next, interrupted) = (AtomicUsize::new(0), CancellationToken::new());
    let reports = Mutex::new(Vec::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(index).filter(|_| !interrupted.is_cancelled()) else {
                return;
            };
            let line = board.start(&scenario.name);
            let report = runner::in_real_time(scenario, &settings, provider, &interrupted, &line);
            board.finish(line, &report);
            let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
            reports.push((index, report));
        }
    };
    let jobs = arguments.jobs.get().min(provider.at_most().unwrap_or(usize::MAX));
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(scenarios.len()) {
            scope.spawn(work);
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|(index, _)| *index);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// What was typed.
fn command_line() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo xtask {}", arguments.join(" "))
}
