//! The command line.

use crate::job::{Job, JobPiece};
use clap::{Parser, Subcommand, ValueEnum};
use scenarios::net::effect::{Cut, Side};
use scenarios::runner::DEFAULT_LOG_FILTER;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

const EXAMPLES: &str = "Examples:
  sim --seed 7                                        every scripted scenario
  sim life-cycle --servers 1000
  sim --seeds 0..200 --profile rough --servers 20     random faults and people
  sim --seed 17 --profile rough --servers 20 --shrink the smallest plan that fails like seed 17
  sim --plan scenarios/regressions/x.yaml --report target/report
  sim --crash-sweep claim-boot-release-wipe           the operator dies at each of its effects
  sim --seeds 0..9000 --profile hell --shard 2/8 --result shard-2.json
  sim merge shard-*.json
  sim bench --servers 10,100,1000                     how fast it is";

/// Runs the whole system in one thread under virtual time. The same seed gives the same trace, on any machine.
#[derive(Debug, Parser)]
#[command(version, about, name = "sim", after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Scenarios by name; all of them if none is named.
    pub scenarios: Vec<String>,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Many seeds, the last one not included.
    #[arg(long, value_name = "A..B", conflicts_with_all = ["seed", "plan"])]
    pub seeds: Option<Seeds>,
    /// Instead of scenarios: random faults and people. `none`, `calm`, `rough`, `hell`, or a file.
    #[arg(long, value_name = "PROFILE", conflicts_with = "scenarios")]
    pub profile: Option<String>,
    /// Instead of scenarios: faults and people as this file says.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenarios", "profile", "seed", "servers"])]
    pub plan: Option<PathBuf>,
    /// Size of the fleet: of scenarios that have a parameter `servers`, and of random worlds (there, 10 without this).
    #[arg(long, value_name = "N")]
    pub servers: Option<u32>,
    /// Run scenarios once for every effect of the operator, at which this happens.
    #[arg(long, value_name = "WHAT", conflicts_with_all = ["profile", "plan", "seeds"])]
    pub sweep: Option<Sweep>,
    /// The same as `--sweep crash`.
    #[arg(long, conflicts_with_all = ["profile", "plan", "seeds", "sweep"])]
    pub crash_sweep: bool,
    /// Of a sweep: only every so many-th effect.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub every: u64,
    /// What a sweep does at one effect of the scenario, as it names it: `17:before`, `17:after`, `17:late`, `17:refused`, `17:deposed`.
    #[arg(long, value_name = "N:SIDE", conflicts_with_all = ["profile", "plan", "crash_sweep", "sweep"])]
    pub cut_at: Option<Cut>,
    /// Make the plan of a failing run as small as possible, and write it to --plan-out.
    #[arg(long)]
    pub shrink: bool,
    /// Where the plan of a failing run goes.
    #[arg(long, value_name = "FILE", default_value = "target/plan.yaml")]
    pub plan_out: PathBuf,
    /// Begin nothing more after the first failure.
    #[arg(long)]
    pub fail_fast: bool,
    /// Run everything twice, and compare.
    #[arg(long)]
    pub twice: bool,
    /// Simulations at the same time; default: one for every processor.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Only every n-th of the seeds, beginning with the i-th: `0/4` to `3/4`.
    #[arg(long, value_name = "I/N", requires = "seeds")]
    pub shard: Option<Shard>,
    /// Write what was found here, for `sim merge`.
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Directory of the scripts.
    #[arg(long, value_name = "DIR", default_value = "scenarios/scripts")]
    pub scripts: PathBuf,
    /// Directory of the fault profiles.
    #[arg(long, value_name = "DIR", default_value = "scenarios/profiles")]
    pub profiles: PathBuf,
    /// Write report.json, junit.xml and index.html here.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Write every line of the trace here. With several simulations: of the last one.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Which log lines are part of the trace.
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG_FILTER)]
    pub log: String,
    /// Print log lines, too.
    #[arg(long)]
    pub verbose: bool,
    /// Put a known incident back into the operator. Only in builds with the feature `sabotage`.
    #[arg(long, value_name = "BUG", hide = true)]
    pub sabotage: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Join the results of shards, and judge them together.
    Merge {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Directory of the fault profiles.
        #[arg(long, value_name = "DIR", default_value = "scenarios/profiles")]
        profiles: PathBuf,
    },
    /// Measure the throughput of the simulator
    Bench(crate::bench::Arguments),
    /// One simulation: a job on standard input, what became of it on standard output.
    #[command(hide = true)]
    Job,
}

/// Simulations to run.
pub(crate) type Jobs = Vec<Job>;

impl CommandLine {
    /// What is to be run, in order.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        let all = match &self.seeds {
            Some(Seeds(range)) => range.clone().collect(),
            None => vec![self.seed],
        };
        match self.shard {
            Some(Shard { index, of }) => all.into_iter().skip(index).step_by(of).collect(),
            None => all,
        }
    }

    pub(crate) fn at_once(&self) -> usize {
        self.jobs
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    pub(crate) fn job(&self, piece: JobPiece, seed: u64) -> Job {
        Job {
            piece,
            seed,
            log: self.log.clone(),
            verbose: self.verbose,
            trace: self.trace.clone(),
            sabotage: self.sabotage.clone(),
        }
    }
}

/// `A..B`.
#[derive(Clone, Debug)]
pub(crate) struct Seeds(Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no range of seeds; write, for example, 0..200");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let (from, to) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
        if from < to { Ok(Self(from..to)) } else { Err(wrong()) }
    }
}

/// `I/N`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shard {
    index: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no shard; write 0/4 for the first of four");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let (index, of) = (index.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if index < of {
            Ok(Self { index, of })
        } else {
            Err(wrong())
        }
    }
}

/// What happens at every effect in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sweep {
    /// The operator dies, before it and after it.
    Crash,
    /// A write to the API server arrives twenty minutes late: the operator has long given it up and gone on.
    Late,
    /// The API server answers 500, the BMC 503.
    Refused,
    /// The operator loses the API server, and with it its lease. Another one takes over.
    Deposed,
}

impl Sweep {
    pub(crate) fn sides(self) -> &'static [Side] {
        match self {
            Self::Crash => &[Side::Before, Side::After],
            Self::Late => &[Side::Late],
            Self::Refused => &[Side::Refused],
            Self::Deposed => &[Side::Deposed],
        }
    }
}

impl CommandLine {
    /// What happens where scenarios are repeated for each of their effects.
    pub(crate) fn swept(&self) -> Option<Sweep> {
        self.sweep.or(self.crash_sweep.then_some(Sweep::Crash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn it_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn shards_are_disjoint_and_complete() {
        let seeds = |shard: &str| {
            let arguments = ["sim", "--seeds", "3..13", "--shard", shard];
            CommandLine::try_parse_from(arguments).expect("valid").seeds()
        };
        let mut all: Vec<u64> = ["0/3", "1/3", "2/3"].into_iter().flat_map(seeds).collect();
        all.sort_unstable();
        assert_eq!(all, (3..13).collect::<Vec<_>>());
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            ["--seeds", "5..5"],
            ["--seeds", "5"],
            ["--cut-at", "0:before"],
            ["--cut-at", "3"],
        ] {
            let arguments = ["sim"].into_iter().chain(arguments);
            assert!(CommandLine::try_parse_from(arguments).is_err());
        }
    }
}
