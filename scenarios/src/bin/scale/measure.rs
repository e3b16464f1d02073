//! What a phase costs.

use std::fmt::Write as _;
use std::time::Duration;

use crate::operator_process::Usage;

/// All counters at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) usage: Usage,
    pub(crate) bmc_requests: u64,
}

/// A phase.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    phase: &'static str,
    took: Duration,
    cpu_seconds: f64,
    peak_mebibytes: f64,
    api_requests: u64,
    bmc_requests: u64,
}

impl Row {
    pub(crate) fn between(phase: &'static str, took: Duration, before: Reading, after: Reading) -> Self {
        Self {
            phase,
            took,
            cpu_seconds: after.usage.cpu_seconds - before.usage.cpu_seconds,
            peak_mebibytes: after.usage.peak_mebibytes,
            api_requests: after.usage.api_requests.saturating_sub(before.usage.api_requests),
            bmc_requests: after.bmc_requests.saturating_sub(before.bmc_requests),
        }
    }
}

/// As Markdown.
pub(crate) fn table(rows: &[(u32, Row)]) -> String {
    let mut table = String::from(
        "| servers | phase | time | CPU of the operator | peak memory | API requests per server | BMC requests per server |\n|---|---|---|---|---|---|---|\n",
    );
    for (servers, row) in rows {
        let each = |count: u64| {
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let each = count as f64 / f64::from(*servers);
            each
        };
        let minutes = row.took.as_secs_f64() / 60.0;
        let (api, bmc) = (each(row.api_requests), each(row.bmc_requests));
        let counts = if row.phase == "idle" {
            format!("{:.2} a minute | {:.2} a minute", api / minutes, bmc / minutes)
        } else {
            format!("{api:.1} | {bmc:.1}")
        };
        // Nobody reads what a failed write leaves out: a String takes everything.
        let _ = writeln!(
            table,
            "| {servers} | {} | {:.1} s | {:.1} s | {:.0} MiB | {counts} |",
            row.phase,
            row.took.as_secs_f64(),
            row.cpu_seconds,
            row.peak_mebibytes,
        );
    }
    table
}
