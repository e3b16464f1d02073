//! A scenario from its first step to its end.

use super::cluster::Cluster;
use super::failure::StepFailure;
use super::observer::Observer;
use super::steps::Steps;
use super::time::Pace;
use super::world::ObjectKey;
use super::{Progress, Secrets};
use crate::edges::Clock;
use crate::report::{
    Failure, Millis, Outcome, Recorded, ScenarioReport, Statistics, StepOutcome, StepReport, Violation,
};
use crate::script::kinds;
use crate::script::model::{Capability, Scenario};
use crate::script::steps::Step;
use crate::testbed::Testbed;
use jiff::Timestamp;
use std::sync::Arc;

/// What is said of a step during which something else went wrong.
const VIOLATED: &str = "an invariant was violated meanwhile";

/// Runs `scenario` in a fresh world and ends that world. Seed and wall time of the report are for the caller to fill in.
///
/// A scenario ends at its first failed step or violated invariant; what follows is not run. The world is ended in an orderly way in
/// any case, and judged once more.
pub async fn run(scenario: &Scenario, testbed: Arc<dyn Testbed>, progress: &dyn Progress) -> ScenarioReport {
    let capabilities = testbed.capabilities();
    let clock = testbed.clock();
    let lacks = scenario.lacks(&capabilities);
    if !lacks.is_empty() {
        let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
        let because = format!("this world lacks {}", lacks.join(", "));
        return not_run(scenario, clock(), Outcome::Skipped { because });
    }

    let started_at = clock();
    let pace = Pace {
        scale: testbed.time_scale(),
        is_virtual: capabilities.contains(&Capability::VirtualTime),
    };
    let observer = Observer::attach(&testbed);
    let mut story = Story {
        scenario,
        progress,
        clock: &clock,
        observer: &observer,
        steps: Vec::new(),
        ending: None,
    };
    match adopt_existing(&Cluster::new(testbed.kube()), &observer).await {
        Err(why) => story.end(Outcome::Broken { why }),
        Ok(()) => story.tell(&mut Steps::new(&testbed, &observer, pace)).await,
    }
    story.skip_rest();

    if let Err(error) = testbed.finish().await {
        story.fail(
            None,
            format!(
                "the world did not end in an orderly way: {}",
                super::steps::with_causes(&error)
            )
            .into(),
        );
    }
    let truths = testbed
        .machines()
        .into_iter()
        .filter_map(|machine| testbed.inspect(&machine.name).map(|truth| (machine.name, truth)))
        .collect();
    observer.judge_end(&truths);
    story.conclude(started_at)
}

/// Carries out the steps of `scenario` in a world that is not to be judged and goes on afterwards.
///
/// # Errors
/// Which step failed, and why.
pub async fn play_steps(scenario: &Scenario, testbed: Arc<dyn Testbed>) -> Result<(), String> {
    let observer = Observer::attach(&testbed);
    let pace = Pace {
        scale: testbed.time_scale(),
        is_virtual: testbed.capabilities().contains(&Capability::VirtualTime),
    };
    let mut steps = Steps::new(&testbed, &observer, pace);
    for step in &scenario.steps {
        steps
            .run(step)
            .await
            .map_err(|failure| format!("{}: {}", step.title, failure.message))?;
    }
    Ok(())
}

/// The report of a scenario of which not one step was tried.
pub fn not_run(scenario: &Scenario, at: Timestamp, outcome: Outcome) -> ScenarioReport {
    ScenarioReport {
        outcome,
        steps: scenario.steps.iter().map(not_reached).collect(),
        ..blank(scenario, at)
    }
}

/// What has been told so far.
struct Story<'a> {
    scenario: &'a Scenario,
    progress: &'a dyn Progress,
    clock: &'a Clock,
    observer: &'a Observer,
    steps: Vec<StepReport>,
    /// How it ends, if not well.
    ending: Option<Outcome>,
}

impl Story<'_> {
    async fn tell(&mut self, steps: &mut Steps) {
        let (name, of) = (&self.scenario.name, self.scenario.steps.len());
        for (index, step) in self.scenario.steps.iter().enumerate() {
            self.progress.step_started(name, index + 1, of, &step.title);
            let started = self.now();
            let outcome = tokio::select! {
                biased;
                () = self.observer.violated.cancelled() => Err(VIOLATED.to_owned().into()),
                outcome = steps.run(step) => outcome,
            };
            // A violation is told by itself; the step it interrupts has not failed for a reason of its own.
            let violated = self.observer.violated.is_cancelled();
            let passed = outcome.is_ok() && !violated;
            self.progress.step_finished(name, index + 1, of, passed);
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
                ..not_reached(step)
            });
            if let Err(failure) = outcome
                && !violated
            {
                self.fail(Some(step), failure);
            }
            if !passed {
                return;
            }
        }
    }

    fn now(&self) -> Millis {
        self.observer.lock().record.millis((self.clock)())
    }

    fn fail(&mut self, step: Option<&Step>, failure: StepFailure) {
        let StepFailure {
            message,
            details,
            objects,
        } = failure;
        self.end(Outcome::Failed(Failure {
            message,
            at: self.now(),
            step: step.map(|step| step.title.clone()),
            file: self.scenario.file.clone(),
            line: step.map(|step| step.place.line),
            details,
            objects,
        }));
    }

    /// What went wrong first is what counts.
    fn end(&mut self, outcome: Outcome) {
        self.ending.get_or_insert(outcome);
    }

    fn skip_rest(&mut self) {
        let told = self.steps.len();
        self.steps.extend(self.scenario.steps[told..].iter().map(not_reached));
    }

    fn conclude(self, started_at: Timestamp) -> ScenarioReport {
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
            ..blank(self.scenario, started_at)
        };
        report.violations.extend(leak(&report, &state.secrets));
        report.outcome = match (self.ending, report.violations.first()) {
            (Some(ending), _) => ending,
            (None, Some(violation)) => Outcome::Failed(of_violation(violation, self.scenario)),
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

async fn adopt_existing(cluster: &Cluster, observer: &Observer) -> Result<(), String> {
    for kind in kinds::ALL {
        for object in cluster.list(kind).await? {
            let key = ObjectKey {
                kind: kind.kind.to_owned(),
                namespace: object.metadata.namespace.clone(),
                name: object.metadata.name.clone().unwrap_or_default(),
            };
            let value = serde_json::to_value(&object).map_err(|error| format!("{key} is no JSON: {error}"))?;
            observer.adopt(key, value);
        }
    }
    Ok(())
}

fn not_reached(step: &Step) -> StepReport {
    StepReport {
        title: step.title.clone(),
        kind: step.action.kind().to_owned(),
        line: step.place.line,
        outcome: StepOutcome::NotReached,
        started: None,
        duration: None,
    }
}

fn blank(scenario: &Scenario, started_at: Timestamp) -> ScenarioReport {
    ScenarioReport {
        name: scenario.name.clone(),
        description: scenario.description.clone(),
        file: scenario.file.clone(),
        outcome: Outcome::Passed,
        seed: 0,
        parameters: scenario.parameters.clone(),
        started_at,
        duration: Millis(0),
        wall_time: None,
        steps: Vec::new(),
        violations: Vec::new(),
        servers: Vec::new(),
        markers: Vec::new(),
        events: Vec::new(),
        statistics: Statistics::default(),
        log_tail: Vec::new(),
    }
}
