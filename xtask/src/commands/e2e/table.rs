//! What is shown when all scenarios have ended.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use scenarios::report::{Outcome, RunReport, ScenarioReport, length};
use scenarios::summary;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn print(report: &RunReport, cluster: &str, scripts: Option<&Path>) {
    println!("{}", table(&report.scenarios));
    for scenario in &report.scenarios {
        if let Outcome::Skipped { because } = &scenario.outcome {
            println!("{} was skipped: {because}", scenario.name);
        }
    }
    for scenario in report.scenarios.iter().filter(|scenario| !scenario.outcome.is_good()) {
        println!("\n{} {}", scenario.name, scenario.outcome.name().to_lowercase());
        for line in summary::explain(scenario).lines() {
            println!("  {line}");
        }
        println!("  again: {}", again(scenario, cluster, scripts, report.time_scale));
    }
    println!("\n{}", conclusion(report));
}

fn table(reports: &[ScenarioReport]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(
            ["scenario", "outcome", "steps", "scenario time", "wall time", "servers"]
                .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
        );
    for report in reports {
        table.add_row([
            Cell::new(&report.name),
            Cell::new(report.outcome.name().to_lowercase()).fg(colour(&report.outcome)),
            Cell::new(format!("{}/{}", report.passed_steps(), report.steps.len())),
            Cell::new(length(report.duration)),
            Cell::new(report.wall_time.map(length).unwrap_or_default()),
            Cell::new(report.servers.len()),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn colour(outcome: &Outcome) -> Color {
    match outcome {
        Outcome::Passed => Color::Green,
        Outcome::Skipped { .. } => Color::Yellow,
        Outcome::Failed(_) | Outcome::Broken { .. } => Color::Red,
    }
}

/// `11 passed, 1 failed in 34 s (seed 1, 60 times as fast as hardware)`
fn conclusion(report: &RunReport) -> String {
    let mut counts: BTreeMap<usize, (&str, usize)> = BTreeMap::new();
    for scenario in &report.scenarios {
        let order = match scenario.outcome {
            Outcome::Passed => 0,
            Outcome::Failed(_) => 1,
            Outcome::Broken { .. } => 2,
            Outcome::Skipped { .. } => 3,
        };
        counts.entry(order).or_insert((scenario.outcome.name(), 0)).1 += 1;
    }
    let counts: Vec<String> = counts
        .values()
        .map(|(outcome, count)| format!("{count} {}", outcome.to_lowercase()))
        .collect();
    format!(
        "{}{} (seed {}, {} times as fast as hardware)",
        counts.join(", "),
        report
            .wall_time
            .map(|time| format!(" in {}", length(time)))
            .unwrap_or_default(),
        report.seed,
        report.time_scale,
    )
}

/// What runs a scenario again as it was run.
fn again(scenario: &ScenarioReport, cluster: &str, scripts: Option<&Path>, time_scale: f64) -> String {
    let mut command = format!(
        "cargo xtask e2e {} --cluster {cluster} --seed {} --time-scale {time_scale} --verbose",
        scenario.name, scenario.seed
    );
    if let Some(scripts) = scripts {
        command.push_str(&format!(" --scripts {}", scripts.display()));
    }
    for (name, value) in &scenario.parameters {
        command.push_str(&format!(" --set {name}={value}"));
    }
    command
}
