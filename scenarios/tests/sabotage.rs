//! The simulator finds bugs: known incidents are put back into the operator, and campaigns catch each of them, by which invariant or demand
//! and below which seed is stated here. Minutes, and a build of its own; `docs/simulation.md` says how to run it.

use std::process::{Command, Output};

/// An incident, the first seed of `dense` with four servers that is not needed any more, and by what it is caught.
struct Case(&'static str, u64, &'static str);

include!("sabotage/cases.rs");

fn sim(arguments: &[&str]) -> Output {
    let here = concat!(env!("CARGO_MANIFEST_DIR"));
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(arguments)
        .args([
            "--scripts",
            &format!("{here}/scripts"),
            "--profiles",
            &format!("{here}/profiles"),
        ])
        .output()
        .expect("the simulator starts")
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
#[ignore = "takes many minutes; run it with --features sabotage --test sabotage -- --ignored"]
fn every_known_bug_is_caught() {
    let mut missed = Vec::new();
    for Case(bug, below, by) in CASES {
        let seeds = format!("0..{below}");
        let output = sim(&[
            "--profile",
            "dense",
            "--servers",
            "4",
            "--seeds",
            &seeds,
            "--fail-fast",
            "--sabotage",
            bug,
        ]);
        if output.status.code() != Some(1) || !text(&output).contains(by) {
            missed.push(format!("{bug} was not caught below seed {below} by: {by}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// A broken operator is caught, its plan shrunk to few servers, and the plan replays the failure.
#[test]
#[ignore = "takes many minutes; run it with --features sabotage --test sabotage -- --ignored"]
fn three_bugs_are_caught_shrunk_and_replayed() {
    let directory = tempfile::tempdir().expect("a place");
    for Case(bug, below, by) in CASES.iter().take(3) {
        let plan = directory.path().join(format!("{bug}.yaml")).display().to_string();
        let seeds = format!("0..{below}");
        let arguments = [
            "--profile",
            "dense",
            "--servers",
            "6",
            "--seeds",
            &seeds,
            "--fail-fast",
            "--sabotage",
            bug,
        ];
        let output = sim(&[&arguments[..], &["--shrink", "--plan-out", &plan]].concat());
        assert_eq!(output.status.code(), Some(1), "{bug}: {}", text(&output));
        let small = std::fs::read_to_string(&plan).expect("a plan was written");
        let small: serde_json::Value = serde_saphyr::from_str(&small).expect("a plan");
        let machines = small["machines"].as_array().map_or(usize::MAX, Vec::len);
        assert!(machines <= 3, "{bug}: {machines} machines are left");
        let replayed = sim(&["--plan", &plan, "--sabotage", bug]);
        assert_eq!(replayed.status.code(), Some(1), "{bug}: {}", text(&replayed));
        assert!(text(&replayed).contains(by), "{bug}: {}", text(&replayed));
        let healthy = sim(&["--plan", &plan]);
        assert!(healthy.status.success(), "{bug}: {}", text(&healthy));
    }
}
