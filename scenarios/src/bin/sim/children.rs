//! Simulations in processes of their own, several at a time.

use crate::job::{Done, Job, JobPiece};
use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic as _, WrapErr as _};
use scenarios::report::Millis;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The hidden command of a child: a job on standard input, what became of it on standard output.
pub(crate) const COMMAND: &str = "job";

/// Runs all jobs, `at_once` at a time, and tells what became of each, in the order of `jobs`.
pub(crate) fn run(jobs: &[Job], at_once: usize, tell: impl FnMut(usize, &Done) + Send) -> miette::Result<Vec<Done>> {
    run_until(jobs, at_once, |_| false, tell)
}

/// As [`run`], until the first of them of which `enough` is true: what has not begun by then is not run.
pub(crate) fn run_until(
    jobs: &[Job],
    at_once: usize,
    enough: impl Fn(&Done) -> bool + Sync,
    mut tell: impl FnMut(usize, &Done) + Send,
) -> miette::Result<Vec<Done>> {
    let program = std::env::current_exe()
        .into_diagnostic()
        .wrap_err("this program does not know where it is")?;
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Done>>> = Mutex::new(vec![None; jobs.len()]);
    let progress = bar(jobs.len());
    let told = Mutex::new((0, &mut tell));
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { return };
                    let done = child(&program, job);
                    if enough(&done) {
                        next.store(jobs.len(), Ordering::Relaxed);
                    }
                    // One lock after the other: results first, then whoever listens.
                    lock(&results)[index] = Some(done);
                    progress.inc(1);
                    let (first, tell) = &mut *lock(&told);
                    while let Some(Some(done)) = lock(&results).get(*first).cloned() {
                        progress.suspend(|| tell(*first, &done));
                        *first += 1;
                    }
                }
            });
        }
    });
    progress.finish_and_clear();
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(results.into_iter().flatten().collect())
}

fn child(program: &std::path::Path, job: &Job) -> Done {
    let name = match &job.piece {
        JobPiece::Scenario { script, .. } => script.display().to_string(),
        JobPiece::Plan(_) => format!("seed {}", job.seed),
    };
    let start = now();
    let attempt = || -> std::io::Result<Done> {
        let mut child = Command::new(program)
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(serde_json::to_string(job)?.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(std::io::Error::other(format!(
                "its process ended with {}",
                output.status
            )));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let mut done = attempt().unwrap_or_else(|error| {
        Done::broken(
            &name,
            job.seed,
            format!("the simulation did not come to its end: {error}"),
        )
    });
    done.report.wall_time = Some(Millis::from(start.elapsed()));
    done
}

/// Shown where somebody looks, and where there is something to wait for.
fn bar(length: usize) -> ProgressBar {
    if length < 2 {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} simulations, {elapsed} gone, {eta} to go");
    bar.with_style(style.expect("a template that is known to be right"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long people waited; nothing in the simulation sees it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
