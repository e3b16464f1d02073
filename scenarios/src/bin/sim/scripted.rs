//! Scripted scenarios, each from one seed.

use crate::children;
use crate::command_line::{CommandLine, Jobs};
use crate::job::{Done, Job, JobPiece};
use crate::out::{Lines, row};
use miette::miette;
use scenarios::net::effect::Side;
use scenarios::script::Script;
use scenarios::script::parameters::Parameters;
use std::path::PathBuf;
use std::time::Duration;

/// How long a world is left alone before its end is compared with another: longer than any transition of a machine takes, and longer
/// than BMCs keep a session that nobody uses.
pub(crate) const REST: Duration = Duration::from_secs(2400);

/// The scripts that are named, or all of them.
pub(crate) fn chosen(arguments: &CommandLine) -> miette::Result<Vec<(Script, PathBuf, Parameters)>> {
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
    let wanted = |script: &Script| arguments.scenarios.is_empty() || arguments.scenarios.contains(&script.name);
    Ok(scripts
        .into_iter()
        .filter(wanted)
        .map(|script| {
            let mut parameters = Parameters::new();
            if let Some(servers) = arguments.servers
                && script.parameters.contains_key("servers")
            {
                parameters.insert("servers".to_owned(), servers.to_string());
            }
            let path = arguments.scripts.join(format!("{}.yaml", script.name));
            (script, path, parameters)
        })
        .collect())
}

/// Jobs of all chosen scenarios for all seeds.
pub(crate) fn jobs(arguments: &CommandLine) -> miette::Result<Jobs> {
    let chosen = chosen(arguments)?;
    let mut jobs = Vec::new();
    for seed in arguments.seeds() {
        for (_, script, parameters) in &chosen {
            let piece = JobPiece::Scenario {
                script: script.clone(),
                parameters: parameters.clone(),
                // A cut is replayed as the sweep played it.
                rest: if arguments.cut_at.is_some() {
                    REST
                } else {
                    Duration::ZERO
                },
                elects: arguments.cut_at.is_some_and(|cut| cut.side == Side::Deposed),
                cut: arguments.cut_at,
            };
            jobs.push(arguments.job(piece, seed));
        }
    }
    Ok(jobs)
}

/// Runs them; what became of each is told on the way.
pub(crate) fn run(arguments: &CommandLine, jobs: &[Job]) -> miette::Result<Vec<Done>> {
    let lines = Lines::new();
    children::run(jobs, arguments.at_once(), |_, done| {
        lines.tell(&row(&done.report.name, done), done)
    })
}
