//! JUnit XML, as CI systems read it: a suite, a test case per scenario.

use super::model::{Failure, Millis, Outcome, RunReport, ScenarioReport, StepOutcome};
use super::words::{length, moment};
use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// Test cases of one run are told apart from those of unit tests by this class.
const CLASS: &str = "scenarios";

pub(super) fn render(run: &RunReport) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(CLASS);
    for (name, value) in [
        ("version", run.version.clone()),
        ("command", run.command.clone()),
        ("environment", run.environment.clone()),
        ("seed", run.seed.to_string()),
    ] {
        suite.add_property(Property::new(name, value));
    }
    suite.add_test_cases(run.scenarios.iter().map(test_case));
    let mut report = Report::new(CLASS);
    if let Some(time) = run.wall_time {
        suite.set_time(duration(time));
        report.set_time(duration(time));
    }
    report.add_test_suite(suite);
    report.to_string()
}

fn test_case(scenario: &ScenarioReport) -> TestCase {
    let mut case = TestCase::new(scenario.name.as_str(), status(scenario));
    case.set_classname(CLASS);
    // What CI adds up and compares is time somebody waited for, never scenario time.
    if let Some(time) = scenario.wall_time {
        case.set_time(duration(time));
    }
    case.extra.insert("file".into(), scenario.file.as_str().into());
    if let Outcome::Failed(Failure { line: Some(line), .. }) = &scenario.outcome {
        case.extra.insert("line".into(), line.to_string().into());
    }
    case.add_property(Property::new("seed", scenario.seed.to_string()));
    case.add_property(Property::new("scenario time", length(scenario.duration)));
    for (name, value) in &scenario.parameters {
        case.add_property(Property::new(format!("parameter {name}"), value.as_str()));
    }
    if !scenario.outcome.is_good() {
        case.set_system_out(steps(scenario));
    }
    if !scenario.log_tail.is_empty() {
        case.set_system_err(scenario.log_tail.join("\n"));
    }
    case
}

fn status(scenario: &ScenarioReport) -> TestCaseStatus {
    match &scenario.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Skipped { because } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(because.as_str());
            status
        }
        Outcome::Broken { why } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("broken").set_message(why.as_str());
            status.set_description("The testbed itself failed; the scenario proves nothing.");
            status
        }
        Outcome::Failed(failure) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let kind = if failure.step.is_some() { "step" } else { "invariant" };
            status.set_type(kind).set_message(failure.message.as_str());
            status.set_description(description(scenario, failure));
            status
        }
    }
}

/// All that is known in text: a reader of CI results may not have the page at hand.
fn description(scenario: &ScenarioReport, failure: &Failure) -> String {
    let mut lines = vec![failure.message.clone()];
    if !scenario.fails_by_violation() {
        lines.extend(failure.details.iter().map(|detail| format!("  {detail}")));
    }
    if let Some(step) = &failure.step {
        lines.push(format!("step: {step}"));
    }
    lines.push(format!("at: {} of scenario time", moment(failure.at)));
    lines.push(format!("script: {}", failure.place()));
    for violation in &scenario.violations {
        lines.push(format!(
            "violated at {}: {}: {} (noticed at {})",
            moment(violation.at),
            violation.invariant,
            violation.message,
            violation.event
        ));
    }
    for dump in &failure.objects {
        lines.push(format!("\n{}:\n{}", dump.object, dump.yaml.trim_end()));
    }
    lines.join("\n")
}

fn steps(scenario: &ScenarioReport) -> String {
    let line = |(index, step): (usize, &super::model::StepReport)| {
        let outcome = match &step.outcome {
            StepOutcome::Passed => "passed",
            StepOutcome::Failed { .. } => "FAILED",
            StepOutcome::NotReached => "not reached",
        };
        let time = step.duration.map(|time| format!(" after {}", length(time)));
        format!(
            "{:>3}. {}: {outcome}{}",
            index + 1,
            step.title,
            time.unwrap_or_default()
        )
    };
    scenario
        .steps
        .iter()
        .enumerate()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn duration(Millis(millis): Millis) -> Duration {
    Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_outcome() {
        insta::assert_snapshot!(render(&sample::small()).expect("rendered"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut run = sample::small();
        let hostile = "</failure><script>alert(1)</script> ]]> & \" \u{1b}[31m \u{0}";
        run.scenarios.truncate(1);
        let scenario = &mut run.scenarios[0];
        hostile.clone_into(&mut scenario.name);
        scenario.log_tail = vec![hostile.to_owned()];
        scenario.outcome = Outcome::Failed(Failure {
            message: hostile.to_owned(),
            at: Millis(0),
            step: Some(hostile.to_owned()),
            file: hostile.to_owned(),
            line: None,
            details: vec![hostile.to_owned()],
            objects: Vec::new(),
        });
        let xml = render(&run).expect("rendered");
        assert!(!xml.contains("<script"), "{xml}");
        assert_eq!(xml.matches("</failure>").count(), 1, "{xml}");
        assert!(!xml.contains(['\u{1b}', '\u{0}']), "{xml}");
        let read = Report::deserialize_from_str(&xml).expect("JUnit XML");
        assert!(read.test_suites[0].test_cases[0].name.contains("]]>"));
    }
}
