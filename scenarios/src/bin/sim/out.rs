//! What people see.

use crate::job::Done;
use scenarios::report::{Millis, Outcome, length};
use scenarios::summary;
use sha2::{Digest as _, Sha256};

/// Prints rows, with an explanation where one is needed.
pub(crate) struct Lines(());

impl Lines {
    pub(crate) fn new() -> Self {
        Self(())
    }

    pub(crate) fn tell(&self, row: &str, done: &Done) {
        println!("{row}");
        let explanation = summary::explain(&done.report);
        if !explanation.is_empty() {
            println!("{}", indented(&explanation));
        }
    }
}

pub(crate) fn row(name: &str, done: &Done) -> String {
    let report = &done.report;
    let (passed, of) = (report.passed_steps(), report.steps.len());
    let outcome = match report.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "FAILED",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Broken { .. } => "BROKEN",
    };
    format!(
        "{outcome:7}  {name:36} {passed:>2}/{of:<2} steps  {:>11} virtual  {:>7} wall  trace {}",
        length(report.duration),
        length(report.wall_time.unwrap_or_default()),
        done.hash,
    )
}

/// Sums of a run.
pub(crate) fn totals(all: &[Done], wall: Millis) {
    let virtual_time = Millis(all.iter().map(|done| done.report.duration.0).sum());
    let lines: u64 = all.iter().map(|done| done.lines).sum();
    let mut hash = Sha256::new();
    all.iter().for_each(|done| hash.update(done.hash.as_bytes()));
    println!();
    println!("virtual time  {}", length(virtual_time));
    println!("wall time     {}", length(wall));
    println!("{}", speed(all, wall));
    println!("trace lines   {lines}");
    println!("trace hash    {}", hex::encode(&hash.finalize()[..8]));
}

/// How many hours of one server were simulated, in all and per second that people waited.
fn speed(all: &[Done], wall: Millis) -> String {
    let hours = |done: &Done| done.report.servers.len() as f64 * done.report.duration.0 as f64 / 3_600_000.0;
    let hours: f64 = all.iter().map(hours).sum();
    let seconds = (wall.0 as f64 / 1000.0).max(0.001);
    format!(
        "server hours  {hours:.1}, {:.1} per second of wall time",
        hours / seconds
    )
}

pub(crate) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("         {line}\n")).collect()
}
