//! `sim`: scenarios in one thread under virtual time, from one seed. Usually run as `cargo xtask sim`.

mod hash_seed;
mod shim;

use clap::Parser;
use miette::{IntoDiagnostic as _, WrapErr as _, miette};
use scenarios::engine::Silent;
use scenarios::report::{self, Millis, Mode, Outcome, RunReport, ScenarioReport, length};
use scenarios::runner::{self, DEFAULT_LOG_FILTER, Logs, Settings};
use scenarios::script::parameters::Parameters;
use scenarios::script::{Scenario, Script};
use scenarios::summary;
use scenarios::trace::Trace;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// JSON documents are built and dropped all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Deep futures need room, and a thread of its own begins with no state of any library.
const STACK: usize = 64 << 20;

/// Runs scenarios in one thread under virtual time. The same seed gives the same trace, on any machine.
#[derive(Parser)]
#[command(
    version,
    about,
    name = "sim",
    after_help = "Examples:\n  sim --seed 7\n  sim life-cycle --seed 1 --servers 1000\n  sim drive-fails-to-erase --trace trace.txt --verbose"
)]
struct CommandLine {
    /// Scenarios by name; all of them if none is named.
    scenarios: Vec<String>,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Size of the fleet, for scenarios that have a parameter `servers`.
    #[arg(long, value_name = "N")]
    servers: Option<u32>,
    /// Directory of the scripts.
    #[arg(long, value_name = "DIR", default_value = "scenarios/scripts")]
    scripts: PathBuf,
    /// Write report.json, junit.xml and index.html here.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Write every line of the trace here.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Which log lines are part of the trace.
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG_FILTER)]
    log: String,
    /// Print log lines, too.
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    hash_seed::own_ahash();
    match run(&CommandLine::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &CommandLine) -> miette::Result<bool> {
    scenarios::testbed::log_lines::check_filter(&arguments.log).into_diagnostic()?;
    let chosen = choose(arguments)?;
    let directory = tempfile::tempdir()
        .into_diagnostic()
        .wrap_err("there is no place for temporary files; set TMPDIR")?;
    if let Some(path) = &arguments.trace {
        File::create(path)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write the trace to {}", path.display()))?;
    }
    let start = now();
    let (mut reports, mut all, mut lines) = (Vec::new(), Sha256::new(), 0);
    for scenario in chosen {
        let outcome = simulate(scenario, arguments, directory.path())?;
        println!("{}", row(&outcome));
        all.update(outcome.hash.as_bytes());
        lines += outcome.lines;
        let explanation = summary::explain(&outcome.report);
        if !explanation.is_empty() {
            println!("{}", indented(&explanation));
        }
        reports.push(outcome.report);
    }
    let wall = Millis::from(start.elapsed());
    let virtual_time = Millis(reports.iter().map(|report| report.duration.0).sum());
    let good = reports.iter().all(|report| report.outcome.is_good());
    println!();
    println!("virtual time  {}", length(virtual_time));
    println!("wall time     {}", length(wall));
    println!("trace lines   {lines}");
    println!("trace hash    {}", hex::encode(&all.finalize()[..8]));
    if let Some(directory) = &arguments.report {
        let run = RunReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: replay(arguments),
            environment: "embedded cluster, emulated machines, virtual time".to_owned(),
            seed: arguments.seed,
            mode: Mode::VirtualTime,
            time_scale: 1.0,
            started_at: runner::EPOCH,
            wall_time: Some(wall),
            scenarios: reports,
        };
        let files = report::write(directory, &run).into_diagnostic()?;
        println!("report        {}", files.page.display());
    }
    Ok(good)
}

fn choose(arguments: &CommandLine) -> miette::Result<Vec<Scenario>> {
    let scripts = Script::read_all(&arguments.scripts)?;
    let names: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
    for wanted in &arguments.scenarios {
        if !names.contains(&wanted.as_str()) {
            return Err(miette!(
                help = format!("there are {}", names.join(", ")),
                "there is no scenario `{wanted}` in {}",
                arguments.scripts.display()
            ));
        }
    }
    let wanted = |script: &&Script| arguments.scenarios.is_empty() || arguments.scenarios.contains(&script.name);
    scripts
        .iter()
        .filter(wanted)
        .map(|script| {
            let mut parameters = Parameters::new();
            if let Some(servers) = arguments.servers
                && script.parameters.contains_key("servers")
            {
                parameters.insert("servers".to_owned(), servers.to_string());
            }
            Ok(script.bind(&parameters)?)
        })
        .collect()
}

/// What became of one scenario.
struct Simulated {
    report: ScenarioReport,
    hash: String,
    lines: u64,
}

fn simulate(scenario: Scenario, arguments: &CommandLine, directory: &Path) -> miette::Result<Simulated> {
    let settings = Settings {
        seed: arguments.seed,
        time_scale: 1.0,
        log_filter: arguments.log.clone(),
        logs: if arguments.verbose { Logs::Stderr } else { Logs::Quiet },
    };
    let copy = arguments
        .trace
        .as_ref()
        .map(|path| File::options().append(true).open(path))
        .transpose()
        .into_diagnostic()
        .wrap_err("cannot write the trace")?;
    let (trace, directory) = (Arc::new(Mutex::new(None::<Arc<Trace>>)), directory.to_owned());
    let of_thread = trace.clone();
    let start = now();
    let thread = std::thread::Builder::new().stack_size(STACK);
    let running = thread
        .spawn(move || {
            let _simulation = shim::Simulation::begin(settings.seed);
            hash_seed::seed_thread(settings.seed);
            runner::in_virtual_time(&scenario, &settings, &directory, &Silent, |clock| {
                shim::own_clock();
                let copy = copy.map(|file| Box::new(BufWriter::new(file)) as Box<dyn std::io::Write + Send>);
                let trace = Arc::new(Trace::new(clock, copy));
                *of_thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(trace.clone());
                trace
            })
        })
        .into_diagnostic()?;
    let mut report = running
        .join()
        .map_err(|_| miette!("the simulation panicked; the message stands above"))?;
    report.wall_time = Some(start.elapsed().into());
    let trace = trace.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (hash, lines) = trace.map(|trace| (trace.hash(), trace.lines())).unwrap_or_default();
    Ok(Simulated { report, hash, lines })
}

fn row(simulated: &Simulated) -> String {
    let Simulated { report, hash, .. } = simulated;
    let (passed, of) = (report.passed_steps(), report.steps.len());
    let outcome = match report.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "FAILED",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Broken { .. } => "BROKEN",
    };
    format!(
        "{outcome:7}  {:36} {passed:>2}/{of:<2} steps  {:>11} virtual  {:>7} wall  trace {hash}",
        report.name,
        length(report.duration),
        length(report.wall_time.unwrap_or_default()),
    )
}

/// The command line that does the same again.
fn replay(arguments: &CommandLine) -> String {
    let mut words = vec!["cargo xtask sim".to_owned()];
    words.extend(arguments.scenarios.iter().cloned());
    words.push(format!("--seed {}", arguments.seed));
    words.extend(arguments.servers.map(|servers| format!("--servers {servers}")));
    words.join(" ")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("         {line}\n")).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long people waited; nothing in the simulation sees it"
)]
fn now() -> Instant {
    Instant::now()
}
