//! A scenario from its first step to its end.

use super::Progress;
use super::cluster::Cluster;
use super::drama::{Drama, Over};
use super::observer::Observer;
use super::steps::Steps;
use super::time::Pace;
use super::world::ObjectKey;
use crate::report::{Millis, Outcome, ScenarioReport, Statistics, StepOutcome, StepReport};
use crate::script::kinds;
use crate::script::model::{Capability, Scenario};
use crate::script::steps::Step;
use crate::testbed::Testbed;
use jiff::Timestamp;
use std::sync::Arc;

/// Runs `scenario` in a fresh world and ends that world. Seed and wall time of the report are for the caller to fill in.
///
/// A scenario ends at its first failed step or violated invariant; what follows is not run. The world is ended in an orderly way in
/// any case, and judged once more.
pub async fn run(scenario: &Scenario, testbed: Arc<dyn Testbed>, progress: &dyn Progress) -> ScenarioReport {
    let capabilities = testbed.capabilities();
    let lacks = scenario.lacks(&capabilities);
    if !lacks.is_empty() {
        let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
        let because = format!("this world lacks {}", lacks.join(", "));
        return not_run(scenario, testbed.clock()(), Outcome::Skipped { because });
    }
    let pace = Pace {
        scale: testbed.time_scale(),
        is_virtual: capabilities.contains(&Capability::VirtualTime),
    };
    let mut drama = Drama::begin(&testbed);
    let observer = drama.observer();
    match adopt_existing(&Cluster::new(testbed.kube()), &observer).await {
        Err(why) => drama.end_with(Outcome::Broken { why }),
        // Whoever fails a step has said so in the report.
        Ok(()) => match tell(
            scenario,
            &mut drama,
            &mut Steps::new(&testbed, &observer, pace),
            progress,
        )
        .await
        {
            Ok(()) | Err(Over) => {}
        },
    }
    let told = drama.steps.len();
    drama.steps.extend(scenario.steps[told..].iter().map(not_reached));
    drama.end(scenario).await
}

async fn tell(scenario: &Scenario, drama: &mut Drama, steps: &mut Steps, progress: &dyn Progress) -> Result<(), Over> {
    let (name, of) = (&scenario.name, scenario.steps.len());
    for (index, step) in scenario.steps.iter().enumerate() {
        progress.step_started(name, index + 1, of, &step.title);
        let played = drama.play(not_reached(step), &scenario.file, steps.run(step)).await;
        progress.step_finished(name, index + 1, of, played.is_ok());
        played?;
    }
    Ok(())
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

pub(super) fn blank(scenario: &Scenario, started_at: Timestamp) -> ScenarioReport {
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
