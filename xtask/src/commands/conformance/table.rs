//! Checks, equal and different, per topic; and where each check differs first.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use kube_conformance::compare::Difference;
use kube_conformance::differences::Known;
use kube_conformance::suite::Suite;
use std::collections::{BTreeMap, BTreeSet};

/// An object would fill the screen.
const LONGEST_VALUE: usize = 700;

pub(super) fn print(suite: &Suite, found: &BTreeMap<(String, String), Vec<Difference>>, known: &[Known], all: bool) {
    let listed: BTreeSet<&String> = known.iter().flat_map(|known| known.checks.keys()).collect();
    for ((topic, check), differences) in found {
        let note = if listed.contains(check) { " (listed)" } else { "" };
        let shown = if all { differences.len() } else { 1 };
        for difference in &differences[..shown] {
            println!("{topic}, {check}{note}\n    {}", short(&difference.to_string()));
        }
        if shown < differences.len() {
            println!("    and {} more", differences.len() - shown);
        }
    }
    let mut table = Table::new();
    table
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .set_header(["topic", "checks", "equal", "different", "of these listed"]);
    let mut sums = [0; 4];
    for (name, topic) in &suite.topics {
        let different: Vec<&String> = found
            .keys()
            .filter(|(topic, _)| topic == name)
            .map(|(_, check)| check)
            .collect();
        let row = [
            topic.checks.len(),
            topic.checks.len() - different.len(),
            different.len(),
            different.iter().filter(|check| listed.contains(**check)).count(),
        ];
        for (sum, number) in sums.iter_mut().zip(row) {
            *sum += number;
        }
        table.add_row(cells(name, row));
    }
    table.add_row(cells("all", sums));
    for column in 1..=4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}");
}

fn cells(name: &str, numbers: [usize; 4]) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    cells.extend(numbers.map(|number| number.to_string()));
    cells
}

fn short(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_VALUE).collect();
    if short.len() < text.len() {
        format!("{short}…")
    } else {
        short
    }
}
