//! What the templates show besides the report itself: the verdict, the order of the scenarios, texts.

use super::timeline::TimelineView;
use crate::report::model::{Millis, Mode, Outcome, RunReport, ScenarioReport, Statistics};
use crate::report::words::count;
use serde::Serialize;

/// Where nothing went wrong, scenarios of so many servers are open from the start; else only what went wrong is.
const OPEN: usize = 12;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RunView {
    /// `2 of 5 scenarios failed`.
    verdict: String,
    good: bool,
    /// Outcomes that occurred, as class, word and number.
    outcomes: Vec<(&'static str, &'static str, usize)>,
    /// Sum over the scenarios.
    scenario_time: Millis,
    /// How time passed, in words.
    clock: String,
    started_at: String,
    /// What went wrong comes first; otherwise as they were run.
    scenarios: Vec<ScenarioView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ScenarioView {
    /// Position in [`RunReport::scenarios`], where the template finds everything else.
    index: usize,
    id: String,
    outcome: &'static str,
    open: bool,
    /// Why it did not pass, in a sentence.
    why: Option<String>,
    /// What was not as it should be, unless the violations say it already.
    findings: Vec<String>,
    passed_steps: usize,
    /// `script.yaml:12`, as editors and terminals understand it.
    place: Option<String>,
    timeline: TimelineView,
    /// Names and numbers that are not zero.
    statistics: Vec<(String, u64)>,
}

impl RunView {
    pub(super) fn new(run: &RunReport) -> Self {
        let good = run.scenarios.iter().all(|scenario| scenario.outcome.is_good());
        let mut scenarios: Vec<ScenarioView> = run
            .scenarios
            .iter()
            .enumerate()
            .map(|(index, scenario)| ScenarioView::new(index, scenario, good))
            .collect();
        scenarios.sort_by_key(|view| gravity(&run.scenarios[view.index].outcome));
        let number = |name| {
            run.scenarios
                .iter()
                .filter(|scenario| scenario.outcome.name() == name)
                .count()
        };
        let outcomes: Vec<_> = [
            ("failed", "failed", number("Failed")),
            ("broken", "broken", number("Broken")),
            ("passed", "passed", number("Passed")),
            ("skipped", "skipped", number("Skipped")),
        ]
        .into_iter()
        .filter(|(_, _, number)| *number > 0)
        .collect();
        Self {
            verdict: verdict(run),
            good,
            outcomes,
            scenario_time: Millis(
                run.scenarios
                    .iter()
                    .fold(0, |sum: u64, scenario| sum.saturating_add(scenario.duration.0)),
            ),
            clock: match run.mode {
                Mode::VirtualTime => "virtual".to_owned(),
                Mode::RealTime if run.time_scale == 1.0 => "real".to_owned(),
                Mode::RealTime => format!("real, {} times as fast", run.time_scale),
            },
            started_at: run.started_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            scenarios,
        }
    }
}

impl ScenarioView {
    fn new(index: usize, scenario: &ScenarioReport, calm: bool) -> Self {
        let id = format!("s{}", index + 1);
        let (why, place) = match &scenario.outcome {
            Outcome::Passed => (None, None),
            Outcome::Failed(failure) => (Some(failure.message.clone()), Some(failure.place())),
            Outcome::Skipped { because } => (Some(because.clone()), None),
            Outcome::Broken { why } => (Some(why.clone()), None),
        };
        Self {
            index,
            outcome: class(&scenario.outcome),
            open: !scenario.outcome.is_good() || (calm && scenario.servers.len() <= OPEN),
            why,
            findings: findings(scenario),
            passed_steps: scenario.passed_steps(),
            place,
            timeline: TimelineView::new(scenario, &id),
            statistics: statistics(&scenario.statistics),
            id,
        }
    }
}

fn findings(scenario: &ScenarioReport) -> Vec<String> {
    match &scenario.outcome {
        Outcome::Failed(failure) if !scenario.fails_by_violation() => failure.details.clone(),
        _ => Vec::new(),
    }
}

fn verdict(run: &RunReport) -> String {
    let all = run.scenarios.len();
    let bad = run
        .scenarios
        .iter()
        .filter(|scenario| !scenario.outcome.is_good())
        .count();
    let skipped = run
        .scenarios
        .iter()
        .filter(|scenario| matches!(scenario.outcome, Outcome::Skipped { .. }))
        .count();
    match (all, bad) {
        (0, _) => "Nothing was run".to_owned(),
        (_, 0) if skipped == all => format!("{} skipped", count(all, "scenario")),
        (_, 0) => format!("{} passed", count(all - skipped, "scenario")),
        (1, _) => "The scenario did not pass".to_owned(),
        _ => format!("{bad} of {} did not pass", count(all, "scenario")),
    }
}

fn gravity(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Failed(_) => 0,
        Outcome::Broken { .. } => 1,
        Outcome::Passed => 2,
        Outcome::Skipped { .. } => 3,
    }
}

fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Broken { .. } => "broken",
    }
}

fn statistics(statistics: &Statistics) -> Vec<(String, u64)> {
    let writes = statistics
        .api_writes
        .iter()
        .map(|(kind, number)| (format!("writes of {kind}"), *number));
    let requests = statistics
        .bmc_requests
        .iter()
        .map(|(class, number)| (format!("BMC answers {class}"), *number));
    let others = [
        ("BMC sessions", statistics.sessions),
        ("failed logins", statistics.failed_logins),
        ("system resets", statistics.resets),
        ("BMC resets", statistics.bmc_resets),
        ("boots", statistics.boots),
        ("failed boots", statistics.failed_boots),
        ("drives erased", statistics.drives_erased),
        ("failed erasures", statistics.failed_erasures),
        ("faults", statistics.faults_fired),
        ("operator crashes", statistics.operator_crashes),
        ("Kubernetes events", statistics.kube_events),
        ("log lines", statistics.log_lines),
        ("left out of this report", statistics.left_out),
    ];
    writes
        .chain(requests)
        .chain(others.map(|(name, number)| (name.to_owned(), number)))
        .filter(|(_, number)| *number > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_gravest_comes_first() {
        let view = RunView::new(&sample::small());
        let order: Vec<_> = view.scenarios.iter().map(|scenario| scenario.outcome).collect();
        assert_eq!(order, ["failed", "broken", "passed", "skipped"]);
        assert_eq!(view.verdict, "2 of 4 scenarios did not pass");
        assert!(!view.good);
    }

    #[test]
    fn verdicts() {
        let small = sample::small();
        for (outcomes, expected) in [
            ("", "Nothing was run"),
            ("Passed", "1 scenario passed"),
            ("Passed Skipped", "1 scenario passed"),
            ("Skipped", "1 scenario skipped"),
            ("Failed", "The scenario did not pass"),
            ("Passed Broken", "1 of 2 scenarios did not pass"),
        ] {
            let scenarios = outcomes
                .split_whitespace()
                .map(|name| {
                    small
                        .scenarios
                        .iter()
                        .find(|scenario| scenario.outcome.name() == name)
                        .cloned()
                })
                .map(|scenario| scenario.expect("the sample has every outcome"))
                .collect();
            let run = RunReport {
                scenarios,
                ..small.clone()
            };
            assert_eq!(verdict(&run), expected, "{outcomes}");
        }
    }

    #[test]
    fn findings_are_told_once() {
        let told = |scenario: ScenarioReport| ScenarioView::new(0, &scenario, false).findings.len();
        assert_eq!(told(sample::late()), 3);
        assert_eq!(told(sample::failed()), 0, "the violation says them");
    }

    #[test]
    fn what_went_wrong_is_open_and_without_it_everything_small() {
        let open = |scenarios: Vec<ScenarioReport>| {
            let mut run = sample::small();
            run.scenarios = scenarios;
            let views = RunView::new(&run).scenarios;
            views.iter().map(|view| view.open).collect::<Vec<_>>()
        };
        assert_eq!(open(vec![sample::passed()]), [true]);
        assert_eq!(open(vec![sample::passed(), sample::failed()]), [true, false]);
        let mut large = sample::passed();
        large.servers = vec![large.servers[0].clone(); OPEN + 1];
        assert_eq!(open(vec![large, sample::passed()]), [false, true]);
    }
}
