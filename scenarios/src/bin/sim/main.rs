//! `sim`: the whole system in one thread under virtual time, from one seed. Usually run as `cargo xtask sim`.
//!
//! | module | subject |
//! |---|---|
//! | `command_line` | the command line |
//! | `job` | one simulation, in a process of its own |
//! | `children` | several of these processes at a time |
//! | `cost` | what a simulation costs its process |
//! | `scripted` | scripted scenarios |
//! | `random` | campaigns of random worlds, and shrinking of their plans |
//! | `sweep` | something happens at each effect in turn |
//! | `bench` | throughput |
//! | `twice` | whether one seed gives one trace |
//! | `shard` | results of parts of a campaign, and their sum |
//! | `out` | what people see |
//! | `shim`, `hash_seed` | the doors to the outside (docs/determinism.md) |
//! | `sabotage` | known incidents put back |

mod bench;
mod children;
mod command_line;
mod cost;
mod hash_seed;
mod job;
mod out;
mod random;
mod sabotage;
mod scripted;
mod shard;
mod shim;
mod sweep;
mod twice;

use clap::Parser as _;
use command_line::{Command, CommandLine};
use job::{Done, Job};
use miette::{IntoDiagnostic as _, WrapErr as _};
use scenarios::campaign::coverage::Coverage;
use scenarios::report::{self, Millis, Mode, RunReport};
use scenarios::runner;
use std::io::Read as _;
use std::process::ExitCode;

/// JSON documents are built and dropped all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    match &arguments.command {
        Some(Command::Job) => return child().map(|()| true),
        Some(Command::Bench(wanted)) => return bench::run(wanted),
        Some(Command::Merge { files, profiles }) => return shard::merge(files, profiles),
        None => {}
    }
    scenarios::testbed::log_lines::check_filter(&arguments.log).into_diagnostic()?;
    sabotage::check(&arguments.sabotage)?;
    if let Some(path) = &arguments.trace {
        std::fs::File::create(path)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write the trace to {}", path.display()))?;
    }
    let start = children::now();
    let is_random = arguments.profile.is_some() || arguments.plan.is_some();
    let (all, as_expected) = if let Some(sweep) = arguments.swept() {
        sweep::run(arguments, sweep)?
    } else {
        let jobs = jobs(arguments, is_random)?;
        let all = if is_random {
            random::run(arguments, &jobs)?
        } else {
            scripted::run(arguments, &jobs)?
        };
        let same = !arguments.twice || twice::compare(arguments, &jobs, &all)?;
        (all, same)
    };
    let wall = Millis::from(start.elapsed());
    if arguments.swept().is_none() {
        out::totals(&all, wall);
    }
    let mut coverage = Coverage::default();
    all.iter().for_each(|done| coverage.add(&done.coverage));
    let covered = match random::profile(arguments)? {
        Some(profile) => random::judge_coverage(&coverage, all.len(), &profile),
        None => true,
    };
    if let Some(path) = &arguments.result {
        shard::PartResult::new(arguments, &all).write(path)?;
    }
    let good = all.iter().all(Done::is_good);
    if let Some(directory) = &arguments.report {
        write_report(arguments, directory, all, wall)?;
    }
    Ok(good && as_expected && covered)
}

fn jobs(arguments: &CommandLine, is_random: bool) -> miette::Result<Vec<Job>> {
    if is_random {
        random::jobs(arguments)
    } else {
        scripted::jobs(arguments)
    }
}

/// A child: one simulation.
fn child() -> miette::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).into_diagnostic()?;
    let job: Job = serde_json::from_str(&text)
        .into_diagnostic()
        .wrap_err("this is no job")?;
    let done = job::simulate(job)?;
    println!("{}", serde_json::to_string(&done).into_diagnostic()?);
    Ok(())
}

fn write_report(
    arguments: &CommandLine,
    directory: &std::path::Path,
    all: Vec<Done>,
    wall: Millis,
) -> miette::Result<()> {
    let mut words = vec!["cargo xtask sim".to_owned()];
    words.extend(arguments.scenarios.iter().cloned());
    let command = match &arguments.plan {
        Some(plan) => format!("cargo xtask sim --plan {}", plan.display()),
        None if arguments.profile.is_some() => random::replay(arguments, arguments.seed),
        None => {
            words.push(format!("--seed {}", arguments.seed));
            words.extend(arguments.servers.map(|servers| format!("--servers {servers}")));
            words.join(" ")
        }
    };
    let run = RunReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        environment: "embedded cluster, emulated machines, virtual time".to_owned(),
        seed: arguments.seed,
        mode: Mode::VirtualTime,
        time_scale: 1.0,
        started_at: runner::EPOCH,
        wall_time: Some(wall),
        scenarios: all.into_iter().map(|done| done.report).collect(),
    };
    let files = report::write(directory, &run).into_diagnostic()?;
    println!("report        {}", files.page.display());
    Ok(())
}
