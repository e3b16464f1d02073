//! Campaigns: random worlds, a seed each; and single plans.

use crate::children;
use crate::command_line::{CommandLine, Jobs};
use crate::job::{Done, Job, JobPiece};
use crate::out::{Lines, row};
use miette::IntoDiagnostic as _;
use scenarios::campaign::coverage::Coverage;
use scenarios::campaign::generate;
use scenarios::campaign::plan::Plan;
use scenarios::campaign::profile::Profile;
use scenarios::campaign::shrink::shrink;
use scenarios::report::Outcome;
use std::time::Duration;

/// Servers of a random world.
pub(crate) const SERVERS: u32 = 10;
/// A campaign of so many seeds has to reach everything.
pub(crate) const MANY: usize = 50;

/// The plans of all seeds, or the one that is given.
pub(crate) fn jobs(arguments: &CommandLine) -> miette::Result<Jobs> {
    let plans = match (&arguments.plan, profile(arguments)?) {
        (Some(file), _) => vec![Plan::read(file).into_diagnostic()?],
        (None, Some(profile)) => {
            let servers = arguments.servers.unwrap_or(SERVERS);
            arguments
                .seeds()
                .into_iter()
                .map(|seed| generate(&profile, servers, seed))
                .collect()
        }
        (None, None) => Vec::new(),
    };
    Ok(plans
        .into_iter()
        .map(|plan| {
            let seed = plan.seed;
            arguments.job(JobPiece::Plan(plan), seed)
        })
        .collect())
}

pub(crate) fn profile(arguments: &CommandLine) -> miette::Result<Option<Profile>> {
    let name = arguments.profile.as_ref();
    name.map(|name| Profile::read(name, &arguments.profiles).into_diagnostic())
        .transpose()
}

/// Runs them; what became of each is told on the way.
pub(crate) fn run(arguments: &CommandLine, jobs: &[Job]) -> miette::Result<Vec<Done>> {
    let lines = Lines::new();
    let enough = |done: &Done| arguments.fail_fast && !done.is_good();
    let all = children::run_until(jobs, arguments.at_once(), enough, |index, done| {
        lines.tell(&row(&format!("seed {}", jobs[index].seed), done), done);
        if !done.is_good() && arguments.plan.is_none() {
            println!("         replay: {}\n", replay(arguments, jobs[index].seed));
        }
    })?;
    if arguments.shrink
        && let Some(index) = all.iter().position(|done| !done.is_good())
    {
        smaller(arguments, &jobs[index], &all[index])?;
    }
    Ok(all)
}

/// The command line that does the same again.
pub(crate) fn replay(arguments: &CommandLine, seed: u64) -> String {
    let mut words = vec![format!("cargo xtask sim --seed {seed}")];
    words.extend(arguments.profile.as_ref().map(|profile| format!("--profile {profile}")));
    words.extend(arguments.servers.map(|servers| format!("--servers {servers}")));
    words.join(" ")
}

/// What a campaign has reached. False if that is too little.
pub(crate) fn judge_coverage(coverage: &Coverage, seeds: usize, profile: &Profile) -> bool {
    println!("{coverage}");
    let missing = coverage.missing(profile);
    if missing.is_empty() {
        return true;
    }
    println!("not reached   {}", missing.join(", "));
    if seeds < MANY {
        return true;
    }
    println!("\nA campaign of {seeds} seeds that does not reach everything proves little: it counts as failed.");
    false
}

fn smaller(arguments: &CommandLine, job: &Job, done: &Done) -> miette::Result<()> {
    let (JobPiece::Plan(plan), Some(wanted)) = (&job.piece, done.kind_of_failure()) else {
        return Ok(());
    };
    // A demand that is not met in the end fails long after what caused it.
    let failed_at = match &done.report.outcome {
        Outcome::Failed(failure) if !done.report.violations.is_empty() => Duration::from_millis(failure.at.0),
        _ => plan.lasts.0,
    };
    println!(
        "\nshrinking seed {}: {} machines, {} entries",
        plan.seed,
        plan.machines.len(),
        plan.entries.len()
    );
    let mut tried = 0;
    let mut trial = |candidates: &[Plan]| {
        let jobs: Vec<Job> = candidates
            .iter()
            .map(|plan| arguments.job(JobPiece::Plan(plan.clone()), plan.seed))
            .collect();
        tried += jobs.len();
        let done = children::run(&jobs, arguments.at_once(), |_, _| {}).ok()?;
        let failing = done
            .iter()
            .position(|done| done.kind_of_failure().as_ref() == Some(&wanted));
        if let Some(index) = failing {
            eprintln!(
                "  {} machines, {} entries still fail ({tried} tried)",
                candidates[index].machines.len(),
                candidates[index].entries.len()
            );
        }
        failing
    };
    let mut small = shrink(plan, failed_at, &mut trial);
    small.description = format!("Found by {}: {wanted}", replay(arguments, plan.seed));
    if let Some(directory) = arguments.plan_out.parent() {
        std::fs::create_dir_all(directory).into_diagnostic()?;
    }
    small.write(&arguments.plan_out).into_diagnostic()?;
    println!(
        "smallest      {} machines, {} entries, after {tried} runs\nplan          {}\nreplay        cargo xtask sim --plan {}",
        small.machines.len(),
        small.entries.len(),
        arguments.plan_out.display(),
        arguments.plan_out.display(),
    );
    Ok(())
}
