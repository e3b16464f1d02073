//! The binary `sim` as people run it: every scenario passes, one seed gives one trace, and another seed gives another.

use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["--scripts", concat!(env!("CARGO_MANIFEST_DIR"), "/scripts")])
        .args(arguments)
        .output()
        .expect("the simulator starts")
}

fn trace_hash(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = text.lines().find_map(|line| line.strip_prefix("trace hash"));
    line.expect("a trace hash").trim().to_owned()
}

#[test]
fn every_scenario_passes() {
    trace_hash(&sim(&["--seed", "7"]));
}

#[test]
fn one_seed_gives_one_trace() {
    // Crashes and restarts open more doors to the outside than a quiet run.
    let run = |seed| {
        trace_hash(&sim(&[
            "life-cycle",
            "operator-crash-in-every-state",
            "--servers",
            "3",
            "--seed",
            seed,
        ]))
    };
    let first = run("1");
    assert_eq!(first, run("1"));
    assert_ne!(first, run("2"));
}

#[test]
fn an_unknown_scenario_is_named_with_those_that_exist() {
    let output = sim(&["life-cicle"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("life-cicle") && text.contains("life-cycle"), "{text}");
}
