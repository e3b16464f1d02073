//! The throughput of the simulator: the whole life of every server of fleets that grow tenfold.

use crate::children;
use crate::job::{Done, Job, JobPiece};
use indicatif::{ProgressBar, ProgressStyle};
use miette::miette;
use scenarios::report::{Millis, length};
use scenarios::runner::DEFAULT_LOG_FILTER;
use scenarios::script::parameters::Parameters;
use scenarios::summary;
use std::path::PathBuf;
use std::time::Duration;

/// Discovery, a claim, boot, release, wipe, and being offered again.
const SCENARIO: &str = "life-cycle";

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Sizes of the fleets, small ones first.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [10, 100, 1000], value_parser = clap::value_parser!(u32).range(1..))]
    servers: Vec<u32>,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Directory of the scripts.
    #[arg(long, value_name = "DIR", default_value = "scenarios/scripts")]
    scripts: PathBuf,
}

/// One fleet.
#[derive(Clone, Copy, Debug)]
struct Measured {
    servers: u32,
    virtual_time: Millis,
    processor_time: Millis,
    memory_bytes: u64,
}

/// Prints a table, a row at a time. False if a scenario failed: what it cost says nothing then.
pub(crate) fn run(arguments: &Arguments) -> miette::Result<bool> {
    println!(
        "| servers | virtual time | processor time | per server | server hours per second | times real time | memory | growth |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut before = None;
    for servers in &arguments.servers {
        let done = simulate(arguments, *servers)?;
        if !done.is_good() {
            println!("{}", summary::explain(&done.report));
            return Ok(false);
        }
        let measured = Measured {
            servers: *servers,
            virtual_time: done.report.duration,
            processor_time: done.cost.processor_time,
            memory_bytes: done.cost.memory_bytes,
        };
        println!("{}", measured.row(before));
        before = Some(measured);
    }
    println!();
    println!(
        "Processor time of one process, which has one thread. Growth is that of processor time per tenfold: 10 is linear."
    );
    Ok(true)
}

fn simulate(arguments: &Arguments, servers: u32) -> miette::Result<Done> {
    let job = Job {
        piece: JobPiece::Scenario {
            script: arguments.scripts.join(format!("{SCENARIO}.yaml")),
            parameters: Parameters::from([("servers".to_owned(), servers.to_string())]),
            rest: Duration::ZERO,
            elects: false,
            cut: None,
        },
        seed: arguments.seed,
        log: DEFAULT_LOG_FILTER.to_owned(),
        verbose: false,
        trace: None,
        sabotage: Vec::new(),
    };
    let waiting = ProgressBar::new_spinner();
    waiting.set_style(
        ProgressStyle::with_template("{spinner} {msg}, {elapsed}").expect("a template that is known to be right"),
    );
    waiting.set_message(format!("{servers} servers"));
    waiting.enable_steady_tick(Duration::from_millis(200));
    let done = children::run(&[job], 1, |_, _| {})?.pop();
    waiting.finish_and_clear();
    done.ok_or_else(|| miette!("there is no result for {servers} servers"))
}

impl Measured {
    fn row(&self, before: Option<Self>) -> String {
        let (virtual_time, processor_time) = (self.virtual_time.0 as f64 / 1000.0, self.seconds());
        let servers = f64::from(self.servers);
        let growth = before.map_or_else(|| "–".to_owned(), |before| format!("{:.1}", self.growth(before)));
        format!(
            "| {} | {} | {:.1} s | {:.1} ms | {:.1} | {:.0} | {:.0} MiB | {growth} |",
            self.servers,
            length(self.virtual_time),
            processor_time,
            processor_time * 1000.0 / servers,
            servers * virtual_time / 3600.0 / processor_time,
            virtual_time / processor_time,
            self.memory_bytes as f64 / f64::from(1 << 20),
        )
    }

    /// By how much processor time is multiplied when there are ten times as many servers.
    fn growth(&self, before: Self) -> f64 {
        let tenfolds = (f64::from(self.servers) / f64::from(before.servers)).log10();
        (self.seconds() / before.seconds()).powf(1.0 / tenfolds)
    }

    fn seconds(&self) -> f64 {
        (self.processor_time.0 as f64 / 1000.0).max(0.001)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(servers: u32, seconds: u64) -> Measured {
        Measured {
            servers,
            virtual_time: Millis(3_600_000),
            processor_time: Millis(seconds * 1000),
            memory_bytes: 3 << 20,
        }
    }

    #[test]
    fn a_row_says_how_fast_and_how_it_grows() {
        let small = measured(10, 2);
        assert_eq!(
            small.row(None),
            "| 10 | 1 h | 2.0 s | 200.0 ms | 5.0 | 1800 | 3 MiB | – |"
        );
        assert!((measured(100, 20).growth(small) - 10.0).abs() < 1e-9);
        assert!((measured(1000, 200).growth(small) - 10.0).abs() < 1e-9);
        assert!((measured(100, 200).growth(small) - 100.0).abs() < 1e-9);
    }
}
