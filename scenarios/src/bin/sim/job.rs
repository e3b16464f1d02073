//! One simulation. It has a process of its own, because process-wide counters of libraries go on from one simulation to the next.

use crate::cost::Cost;
use crate::{hash_seed, shim};
use miette::{IntoDiagnostic as _, WrapErr as _, miette};
use scenarios::campaign::coverage::Coverage;
use scenarios::campaign::plan::Plan;
use scenarios::end_state::EndState;
use scenarios::engine::Silent;
use scenarios::net::effect::Cut;
use scenarios::report::{Outcome, ScenarioReport};
use scenarios::runner::{self, Logs, Piece, Settings};
use scenarios::script::Script;
use scenarios::script::parameters::Parameters;
use scenarios::script::source::Place;
use scenarios::script::steps::{Action, ScenarioDuration, Step};
use scenarios::trace::Trace;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Deep futures need room, and a thread of its own begins with no state of any library.
const STACK: usize = 64 << 20;

/// What a process is to simulate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub piece: JobPiece,
    pub seed: u64,
    pub log: String,
    pub verbose: bool,
    /// Where every line of the trace goes.
    pub trace: Option<PathBuf>,
    /// Known incidents to put back into the operator; only builds for tests can.
    #[serde(default)]
    pub sabotage: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum JobPiece {
    Scenario {
        script: PathBuf,
        parameters: Parameters,
        /// How long everything is left alone after the last step, so that what ends is what stays.
        rest: Duration,
        /// Whether the operator elects a leader, as several of them have to.
        elects: bool,
        cut: Option<Cut>,
    },
    Plan(Plan),
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub report: ScenarioReport,
    pub coverage: Coverage,
    pub effects: Vec<String>,
    pub end_state: EndState,
    pub hash: String,
    pub lines: u64,
    pub cost: Cost,
}

impl Done {
    /// A simulation that did not come to its end.
    pub(crate) fn broken(name: &str, seed: u64, why: String) -> Self {
        Self {
            report: ScenarioReport {
                seed,
                ..runner::broken_report(name, why)
            },
            coverage: Coverage::default(),
            effects: Vec::new(),
            end_state: EndState::default(),
            hash: String::new(),
            lines: 0,
            cost: Cost::default(),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.report.outcome.is_good()
    }

    /// In a few words, the same for two failures of one kind.
    pub(crate) fn kind_of_failure(&self) -> Option<String> {
        if let Some(violation) = self.report.violations.first() {
            return Some(violation.invariant.clone());
        }
        match &self.report.outcome {
            Outcome::Failed(failure) => Some(failure.step.clone().unwrap_or_else(|| failure.message.clone())),
            Outcome::Broken { why } => Some(why.clone()),
            Outcome::Passed | Outcome::Skipped { .. } => None,
        }
    }
}

/// Simulates on a thread of its own.
pub(crate) fn simulate(job: Job) -> miette::Result<Done> {
    let directory = tempfile::tempdir()
        .into_diagnostic()
        .wrap_err("there is no place for temporary files; set TMPDIR")?;
    let settings = Settings {
        seed: job.seed,
        time_scale: 1.0,
        log_filter: job.log.clone(),
        logs: if job.verbose { Logs::Stderr } else { Logs::Quiet },
    };
    let copy = job.trace.as_ref().map(File::create).transpose().into_diagnostic();
    let copy = copy.wrap_err("the trace cannot be written")?;
    let scenario = match &job.piece {
        JobPiece::Scenario {
            script,
            parameters,
            rest,
            elects,
            ..
        } => {
            let mut scenario = Script::read(script)?.bind(parameters)?;
            if *elects {
                scenario.operator.elect();
            }
            if !rest.is_zero() {
                scenario.steps.push(Step {
                    title: "everything is left alone".to_owned(),
                    action: Action::Wait(ScenarioDuration(*rest)),
                    place: Place::default(),
                });
            }
            Some(scenario)
        }
        JobPiece::Plan(_) => None,
    };
    let trace = Arc::new(Mutex::new(None::<Arc<Trace>>));
    let of_thread = trace.clone();
    let thread = std::thread::Builder::new().stack_size(STACK);
    let running = thread
        .spawn(move || {
            let _simulation = shim::Simulation::begin(settings.seed);
            hash_seed::seed_thread(settings.seed);
            crate::sabotage::activate(&job.sabotage);
            let piece = match (&job.piece, &scenario) {
                (JobPiece::Plan(plan), _) => Piece::Plan(plan),
                (JobPiece::Scenario { cut, .. }, Some(scenario)) => Piece::Scenario(scenario, *cut),
                (JobPiece::Scenario { .. }, None) => unreachable!("it was read above"),
            };
            runner::in_virtual_time(piece, &settings, directory.path(), &Silent, |clock| {
                shim::own_clock();
                let copy = copy.map(|file| Box::new(BufWriter::new(file)) as Box<dyn std::io::Write + Send>);
                let trace = Arc::new(Trace::new(clock, copy));
                *of_thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(trace.clone());
                trace
            })
        })
        .into_diagnostic()?;
    let simulated = running
        .join()
        .map_err(|_| miette!("the simulation panicked; the message stands above"))?;
    let trace = trace.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (hash, lines) = trace.map(|trace| (trace.hash(), trace.lines())).unwrap_or_default();
    Ok(Done {
        report: simulated.report,
        coverage: simulated.coverage,
        effects: simulated.effects,
        end_state: simulated.end_state,
        hash,
        lines,
        cost: Cost::of_this_process(),
    })
}
