//! What is shown while scenarios run: a line per running scenario on a terminal, a line per finished one elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use scenarios::engine::Progress;
use scenarios::report::ScenarioReport;
use scenarios::script::Scenario;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const RUNNING: &str = "{spinner} {prefix}  {wide_msg}";
const FRAME: Duration = Duration::from_millis(120);

/// All scenarios of a run.
pub(super) struct Board {
    /// Absent where nobody watches, and where logs would tear the lines apart.
    bars: Option<MultiProgress>,
    /// So that the steps stand below each other.
    name_width: usize,
    total: usize,
    finished: AtomicUsize,
}

/// One running scenario.
pub(super) struct Line {
    bar: ProgressBar,
}

impl Board {
    pub(super) fn new(scenarios: &[Scenario], logs_are_printed: bool) -> Self {
        let watched = std::io::stderr().is_terminal() && !logs_are_printed;
        Self {
            bars: watched.then(MultiProgress::new),
            name_width: scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0),
            total: scenarios.len(),
            finished: AtomicUsize::new(0),
        }
    }

    pub(super) fn start(&self, scenario: &str) -> Line {
        let Some(bars) = &self.bars else {
            return Line {
                bar: ProgressBar::hidden(),
            };
        };
        let style = ProgressStyle::with_template(RUNNING).expect("the template is a constant");
        let bar = bars.add(ProgressBar::new_spinner().with_style(style));
        bar.set_prefix(format!("{scenario:width$}", width = self.name_width));
        bar.set_message("a world is being built");
        bar.enable_steady_tick(FRAME);
        Line { bar }
    }

    pub(super) fn finish(&self, line: Line, report: &ScenarioReport) {
        line.bar.finish_and_clear();
        let number = self.finished.fetch_add(1, Ordering::Relaxed) + 1;
        let text = format!(
            "[{number:>digits$}/{total}] {name:width$}  {outcome}",
            digits = self.total.to_string().len(),
            total = self.total,
            name = report.name,
            width = self.name_width,
            outcome = report.outcome.name().to_lowercase(),
        );
        match &self.bars {
            // A terminal that is gone does not keep scenarios from running.
            Some(bars) => drop(bars.println(text)),
            None => eprintln!("{text}"),
        }
    }
}

impl Progress for Line {
    fn step_started(&self, _: &str, number: usize, of: usize, title: &str) {
        self.bar.set_message(format!("step {number}/{of}  {title}"));
    }

    fn step_finished(&self, _: &str, _: usize, _: usize, _: bool) {}
}
