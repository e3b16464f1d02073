//! A run as a sequence of acts, each of which is played until it ends, fails, or an invariant is violated meanwhile; and the report of it.

use super::Secrets;
use super::failure::StepFailure;
use super::observer::Observer;
use super::run::blank;
use crate::edges::Clock;
use crate::report::{Failure, Millis, Outcome, Recorded, ScenarioReport, StepOutcome, StepReport, Violation};
use crate::script::model::Scenario;
use crate::testbed::Testbed;
use jiff::Timestamp;
use std::sync::Arc;

/// What is said of a step during which something else went wrong.
const VIOLATED: &str = "an invariant was violated meanwhile";

/// A run that goes on.
pub(crate) struct Drama {
    testbed: Arc<dyn Testbed>,
    clock: Clock,
    observer: Arc<Observer>,
    started_at: Timestamp,
    pub(super) steps: Vec<StepReport>,
    /// How it ends, if not well.
    ending: Option<Outcome>,
}

/// What follows is not played.
#[derive(Debug)]
pub(crate) struct Over;

impl Drama {
    /// From now on everything is observed.
    pub(crate) fn begin(testbed: &Arc<dyn Testbed>) -> Self {
        let clock = testbed.clock();
        Self {
            testbed: testbed.clone(),
            started_at: clock(),
            clock,
            observer: Observer::attach(testbed),
            steps: Vec::new(),
            ending: None,
        }
    }

    pub(crate) fn observer(&self) -> Arc<Observer> {
        self.observer.clone()
    }

    /// Plays one act of a run that no script tells.
    pub(crate) async fn act(
        &mut self,
        title: &str,
        act: impl Future<Output = Result<(), StepFailure>>,
    ) -> Result<(), Over> {
        let step = StepReport {
            title: title.to_owned(),
            kind: "act".to_owned(),
            line: 0,
            outcome: StepOutcome::NotReached,
            started: None,
            duration: None,
        };
        self.play(step, "", act).await
    }

    /// Plays one act; `step` is what the report says of it before it began, `file` where it is written.
    pub(super) async fn play(
        &mut self,
        step: StepReport,
        file: &str,
        act: impl Future<Output = Result<(), StepFailure>>,
    ) -> Result<(), Over> {
        let started = self.now();
        let outcome = tokio::select! {
            biased;
            () = self.observer.violated.cancelled() => Err(VIOLATED.to_owned().into()),
            outcome = act => outcome,
        };
        // A violation is told by itself; the step it interrupts has not failed for a reason of its own.
        let violated = self.observer.violated.is_cancelled();
        let passed = outcome.is_ok() && !violated;
        self.steps.push(StepReport {
            outcome: match &outcome {
                Err(failure) => StepOutcome::Failed {
                    message: failure.message.clone(),
                },
                Ok(()) if violated => StepOutcome::Failed {
                    message: VIOLATED.to_owned(),
                },
                Ok(()) => StepOutcome::Passed,
            },
            started: Some(started),
            duration: Some(Millis(self.now().0.saturating_sub(started.0))),
            ..step.clone()
        });
        if let Err(failure) = outcome
            && !violated
        {
            self.fail(Some(&step), file, failure);
        }
        if passed { Ok(()) } else { Err(Over) }
    }

    /// Ends the world in an orderly way, judges it once more, and tells what happened.
    pub(crate) async fn end(mut self, scenario: &Scenario) -> ScenarioReport {
        let testbed = self.testbed.clone();
        if let Err(error) = testbed.finish().await {
            let why = super::steps::with_causes(&error);
            let failure = format!("the world did not end in an orderly way: {why}").into();
            self.fail(None, &scenario.file, failure);
        }
        let truths = testbed
            .machines()
            .into_iter()
            .filter_map(|machine| testbed.inspect(&machine.name).map(|truth| (machine.name, truth)))
            .collect();
        self.observer.judge_end(&truths);
        self.conclude(scenario)
    }

    /// What went wrong first is what counts.
    pub(super) fn end_with(&mut self, outcome: Outcome) {
        self.ending.get_or_insert(outcome);
    }

    fn now(&self) -> Millis {
        self.observer.lock().record.millis((self.clock)())
    }

    fn fail(&mut self, step: Option<&StepReport>, file: &str, failure: StepFailure) {
        let StepFailure {
            message,
            details,
            objects,
        } = failure;
        self.end_with(Outcome::Failed(Failure {
            message,
            at: self.now(),
            step: step.map(|step| step.title.clone()),
            file: file.to_owned(),
            line: step.map(|step| step.line).filter(|line| *line > 0),
            details,
            objects,
        }));
    }

    fn conclude(self, scenario: &Scenario) -> ScenarioReport {
        let finished = (self.clock)();
        let state = self.observer.lock();
        let Recorded {
            servers,
            markers,
            events,
            statistics,
            log_tail,
        } = state.record.finish(finished);
        let mut report = ScenarioReport {
            outcome: Outcome::Passed,
            duration: state.record.millis(finished),
            steps: self.steps,
            violations: state.violations.clone(),
            servers,
            markers,
            events,
            statistics,
            ..blank(scenario, self.started_at)
        };
        report.violations.extend(leak(&report, &state.secrets));
        report.outcome = match (self.ending, report.violations.first()) {
            (Some(ending), _) => ending,
            (None, Some(violation)) => Outcome::Failed(of_violation(violation, scenario)),
            (None, None) => Outcome::Passed,
        };
        if !report.outcome.is_good() {
            report.log_tail = log_tail.iter().map(|line| state.secrets.redact(line)).collect();
        }
        report
    }
}

fn of_violation(violation: &Violation, scenario: &Scenario) -> Failure {
    Failure {
        message: format!("violated: {}", violation.invariant),
        at: violation.at,
        step: None,
        file: scenario.file.clone(),
        line: None,
        details: vec![violation.message.clone(), format!("noticed at {}", violation.event)],
        objects: Vec::new(),
    }
}

/// The report itself must not tell secrets either.
fn leak(report: &ScenarioReport, secrets: &Secrets) -> Option<Violation> {
    let text = serde_json::to_string(report).expect("a report is plain data");
    let origin = secrets.find(&text)?;
    Some(Violation {
        invariant: "no secret value outside Secrets".to_owned(),
        at: report.duration,
        message: format!("{origin} stands in the report"),
        event: "writing the report".to_owned(),
        objects: Vec::new(),
    })
}
