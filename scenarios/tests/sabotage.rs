//! The simulator finds bugs: known incidents are put back into the operator, and campaigns catch each of them, by which invariant or demand
//! and below which seed is stated here. Minutes, and a build of its own; `docs/simulation.md` says how to run it.

use operator::sabotage::Bug;
use std::process::{Command, Output};

/// An incident, in which worlds it is caught, and by what.
struct Case(&'static str, Worlds, &'static str);

/// What is simulated.
enum Worlds {
    /// Seeds of a profile below this one, with so many servers.
    Campaign {
        profile: &'static str,
        servers: &'static str,
        below: u64,
    },
    /// A script, with seven seeds.
    Scenario(&'static str),
    /// A script of `scenarios/incidents`.
    Incident(&'static str),
    /// Something happens at every effect of a script of either directory, once.
    Sweep(&'static str, &'static str),
}

const fn dense(below: u64) -> Worlds {
    Worlds::Campaign {
        profile: "dense",
        servers: "4",
        below,
    }
}

/// More machines for who needs company.
const fn six_dense(below: u64) -> Worlds {
    Worlds::Campaign {
        profile: "dense",
        servers: "6",
        below,
    }
}

const fn rough(below: u64) -> Worlds {
    Worlds::Campaign {
        profile: "rough",
        servers: "20",
        below,
    }
}

impl Worlds {
    fn arguments(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Campaign {
                profile,
                servers,
                below,
            } => &[
                "--profile",
                profile,
                "--servers",
                servers,
                "--seeds",
                &format!("0..{below}"),
            ],
            Self::Scenario(name) => &[name, "--seeds", "1..8"],
            Self::Incident(name) => &[name],
            Self::Sweep(what, name) => &["--sweep", what, name],
        };
        let mut arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let directory = match self {
            Self::Incident(name) | Self::Sweep(_, name) if is_incident(name) => "incidents",
            _ => "scripts",
        };
        arguments.extend(["--scripts".to_owned(), format!("{HERE}/{directory}")]);
        arguments
    }
}

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn is_incident(name: &str) -> bool {
    std::path::Path::new(&format!("{HERE}/incidents/{name}.yaml")).exists()
}

include!("sabotage/cases.rs");

fn sim<T: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = T>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(arguments)
        .args(["--profiles", &format!("{HERE}/profiles")])
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
fn every_bug_has_a_case_or_a_reason() {
    let shown = CASES
        .iter()
        .map(|Case(bugs, ..)| bugs.rsplit('+').next().unwrap_or_default());
    let mut named: Vec<&str> = shown.chain(BEYOND.iter().map(|(bug, _)| *bug)).collect();
    let mut all: Vec<&str> = Bug::ALL.iter().map(|bug| bug.as_str()).collect();
    named.sort_unstable();
    all.sort_unstable();
    assert_eq!(named, all);
    assert!(BEYOND.iter().all(|(_, why)| !why.is_empty()));
}

#[test]
#[ignore = "takes many minutes; run it with --profile sim --features sabotage --test sabotage -- --include-ignored"]
fn every_known_bug_is_caught() {
    let mut missed = Vec::new();
    for Case(bug, worlds, by) in CASES {
        let mut arguments = worlds.arguments();
        arguments.push("--fail-fast".to_owned());
        for bug in bug.split('+') {
            arguments.extend(["--sabotage", bug].map(str::to_owned));
        }
        let output = sim(&arguments);
        if output.status.code() != Some(1) || !text(&output).contains(by) {
            missed.push(format!("{bug} was not caught with {} by: {by}", arguments.join(" ")));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// A broken operator is caught, its plan shrunk to few servers, and the plan replays the failure.
#[test]
#[ignore = "takes many minutes; run it with --profile sim --features sabotage --test sabotage -- --include-ignored"]
fn three_bugs_are_caught_shrunk_and_replayed() {
    let directory = tempfile::tempdir().expect("a place");
    for Case(bug, _, by) in CASES.iter().take(3) {
        let plan = directory.path().join(format!("{bug}.yaml")).display().to_string();
        let arguments = [
            "--profile",
            "dense",
            "--servers",
            "6",
            "--seeds",
            "0..5",
            "--fail-fast",
            "--sabotage",
            bug,
        ];
        let output = sim([&arguments[..], &["--shrink", "--plan-out", &plan]].concat());
        assert_eq!(output.status.code(), Some(1), "{bug}: {}", text(&output));
        let small = std::fs::read_to_string(&plan).expect("a plan was written");
        let small: serde_json::Value = serde_saphyr::from_str(&small).expect("a plan");
        let machines = small["machines"].as_array().map_or(usize::MAX, Vec::len);
        assert!(machines <= 3, "{bug}: {machines} machines are left");
        let replayed = sim(["--plan", &plan, "--sabotage", bug]);
        assert_eq!(replayed.status.code(), Some(1), "{bug}: {}", text(&replayed));
        assert!(text(&replayed).contains(by), "{bug}: {}", text(&replayed));
        let healthy = sim(["--plan", &plan]);
        assert!(healthy.status.success(), "{bug}: {}", text(&healthy));
    }
}
