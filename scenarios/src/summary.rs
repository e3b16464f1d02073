//! Why a scenario did not pass, in a few lines for a terminal.

use crate::report::{Failure, Outcome, ScenarioReport, moment};
use std::fmt::Write as _;

/// Lines of the log at the end of an explanation.
const LOG_LINES: usize = 15;

/// Several lines; empty for a scenario that passed.
pub fn explain(report: &ScenarioReport) -> String {
    let mut text = String::new();
    match &report.outcome {
        Outcome::Passed => return text,
        Outcome::Skipped { because } => line(&mut text, 0, &format!("skipped: {because}")),
        Outcome::Broken { why } => line(&mut text, 0, &format!("the testbed failed, nothing is proven: {why}")),
        Outcome::Failed(failure) => failed(&mut text, failure),
    }
    for violation in &report.violations {
        line(
            &mut text,
            0,
            &format!("violated at {}: {}", moment(violation.at), violation.invariant),
        );
        line(&mut text, 2, &violation.message);
        line(&mut text, 2, &format!("noticed at {}", violation.event));
    }
    if !report.log_tail.is_empty() {
        line(&mut text, 0, "the log ended with");
        let skipped = report.log_tail.len().saturating_sub(LOG_LINES);
        for entry in &report.log_tail[skipped..] {
            line(&mut text, 2, entry);
        }
    }
    text
}

fn failed(text: &mut String, failure: &Failure) {
    line(
        text,
        0,
        &format!("{}: {} (at {})", failure.place(), failure.message, moment(failure.at)),
    );
    if let Some(step) = &failure.step {
        line(text, 2, &format!("in step: {step}"));
    }
    for detail in &failure.details {
        line(text, 2, detail);
    }
    let names: Vec<&str> = failure.objects.iter().map(|dump| dump.object.as_str()).collect();
    if !names.is_empty() {
        line(
            text,
            2,
            &format!("about {}; their contents are in the report", names.join(", ")),
        );
    }
}

/// Texts of several lines keep their indentation.
fn line(text: &mut String, indent: usize, content: &str) {
    for content in content.lines() {
        let _ = writeln!(text, "{:indent$}{content}", "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Millis, Violation};

    #[test]
    fn an_explanation_names_place_step_and_invariant() {
        let report = ScenarioReport {
            name: "demo".to_owned(),
            description: String::new(),
            file: "demo.yaml".to_owned(),
            outcome: Outcome::Failed(Failure {
                message: "node did not become Available in time".to_owned(),
                at: Millis(62_500),
                step: Some("all are offered".to_owned()),
                file: "demo.yaml".to_owned(),
                line: Some(12),
                details: vec![
                    "object.status.state == 'Available' is false:\n  object.status.state = 'Error'".to_owned(),
                ],
                objects: Vec::new(),
            }),
            seed: 1,
            parameters: Default::default(),
            started_at: jiff::Timestamp::UNIX_EPOCH,
            duration: Millis(62_500),
            wall_time: None,
            steps: Vec::new(),
            violations: vec![Violation {
                invariant: "one claim per server".to_owned(),
                at: Millis(61_000),
                message: "two hold it".to_owned(),
                event: "Modified of Server node at revision 7".to_owned(),
                objects: Vec::new(),
            }],
            servers: Vec::new(),
            markers: Vec::new(),
            events: Vec::new(),
            statistics: Default::default(),
            log_tail: vec!["a line".to_owned()],
        };
        insta::assert_snapshot!(explain(&report));
    }
}
