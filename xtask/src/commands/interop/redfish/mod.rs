//! `cargo xtask interop redfish`: the validators of the DMTF, and a client, against the Redfish service of every personality.
//!
//! | module | subject |
//! |---|---|
//! | [`emulator`] | the fleet that is judged, in a process of its own |
//! | [`tools`] | validators and clients: pinned, installed, run |
//! | [`schemas`] | the schema files the service validator reads |
//! | [`verdict`] | what a validator has counted |
//! | [`document`] | the table, on the terminal and in the repository |

mod document;
mod emulator;
mod schemas;
mod tools;
mod verdict;

use crate::repository::Repository;
use bmc_emulator::PersonalityName;
use document::Row;
use emulator::Emulator;
use indicatif::{ProgressBar, ProgressStyle};
use miette::{Context, IntoDiagnostic};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tools::{Judged, Tools};

const EXAMPLES: &str = "\
Examples:
  cargo xtask interop redfish
  cargo xtask interop redfish --personality dell
  cargo xtask interop redfish --schemas redfish-csdl.tar.xz

Needs python3 with its venv module, and once a package index; with Go, and once its module proxy, gofish takes part, too. The exit code is 0 when nothing failed, else 1.";

/// Run the DMTF's protocol validator, service validator and use-case checkers, and clients of the DMTF, of OpenStack and in Go, against every personality
///
/// Writes bmc-emulator/INTEROP.md when all personalities are judged.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Judge only this one. Can be repeated.
    #[arg(long = "personality", value_name = "NAME", value_parser = personality)]
    personalities: Vec<PersonalityName>,
    /// The DMTF's CSDL files, packed with tar; default: ../shared/mockups/redfish-csdl.tar.xz beside the repository.
    #[arg(long, value_name = "FILE")]
    schemas: Option<PathBuf>,
    /// Python environment of the tools, made if it is not there; default: target/interop/venv.
    #[arg(long, value_name = "DIR")]
    venv: Option<PathBuf>,
    /// How many personalities are judged at the same time; the tools mostly wait.
    #[arg(long, value_name = "N", default_value_t = 3)]
    jobs: usize,
}

fn personality(text: &str) -> Result<PersonalityName, String> {
    let known = PersonalityName::ALL.iter().find(|name| name.to_string() == text);
    known.copied().ok_or_else(|| {
        let names: Vec<String> = PersonalityName::ALL.iter().map(ToString::to_string).collect();
        format!("there are {}", names.join(", "))
    })
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    // The tools are started elsewhere, so that what they leave behind is in one place.
    let folder = std::path::absolute(repository.path("target/interop")).into_diagnostic()?;
    std::fs::create_dir_all(&folder)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot create {}", folder.display()))?;
    let venv = arguments.venv.clone().unwrap_or_else(|| folder.join("venv"));
    let venv = std::path::absolute(venv).into_diagnostic()?;
    let tools = Tools::install(repository, &venv, &folder)?;
    let schemas = schemas::unpack(repository, arguments.schemas.as_deref(), &folder, tools.python())?;
    let personalities = match arguments.personalities.as_slice() {
        [] => PersonalityName::ALL,
        chosen => chosen,
    };
    let emulator = Emulator::start(repository, personalities, &folder)?;
    let rows = judge_all(&tools, &emulator, &schemas, &folder, arguments.jobs)?;
    drop(emulator);

    println!("{}", document::table(&rows));
    let failed: Vec<&Row> = rows.iter().filter(|row| row.verdict.fail > 0).collect();
    for row in &failed {
        println!(
            "{} against {}: {}",
            row.tool.name,
            row.personality,
            row.report.display()
        );
    }
    if arguments.personalities.is_empty() {
        let path = repository.path("bmc-emulator/INTEROP.md");
        std::fs::write(&path, document::markdown(&rows))
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One tool after the other against each BMC, several BMCs at a time. In the order of the fleet.
fn judge_all(
    tools: &Tools,
    emulator: &Emulator,
    schemas: &Path,
    folder: &Path,
    jobs: usize,
) -> miette::Result<Vec<Row>> {
    let waiting = Mutex::new(emulator.bmcs.iter().enumerate());
    let done: Mutex<Vec<(usize, miette::Result<Vec<Row>>)>> = Mutex::default();
    let progress = ProgressBar::new((emulator.bmcs.len() * tools.all().len()) as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}").into_diagnostic()?);
    progress.enable_steady_tick(Duration::from_millis(200));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((index, bmc)) = next() {
            let outcome = tools
                .all()
                .into_iter()
                .map(|tool| {
                    progress.set_message(format!("{} against {}", tool.name, bmc.personality));
                    let report = folder.join("reports").join(bmc.personality.to_string()).join(tool.name);
                    let judged = Judged {
                        url: &bmc.url,
                        password: emulator::PASSWORD,
                        ca_file: &emulator.ca_file,
                        schemas,
                        report: &report,
                    };
                    let verdict = tools.judge(tool, &judged);
                    progress.inc(1);
                    Ok(Row {
                        personality: bmc.personality,
                        tool,
                        verdict: verdict?,
                        report,
                    })
                })
                .collect();
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((index, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, emulator.bmcs.len()) {
            scope.spawn(work);
        }
    });
    progress.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    let rows: Vec<Vec<Row>> = done.into_iter().map(|(_, rows)| rows).collect::<miette::Result<_>>()?;
    Ok(rows.into_iter().flatten().collect())
}
