//! Campaigns as people run them, in small: random worlds end well, plans replay, shards join, a crash at an effect is survived.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    let here = concat!(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(arguments);
    if arguments[0] != "merge" && !arguments.contains(&"--scripts") {
        command.args(["--scripts", &format!("{here}/scripts")]);
    }
    command.args(["--profiles", &format!("{here}/profiles")]);
    command.output().expect("the simulator starts")
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn passes(arguments: &[&str]) -> String {
    let output = sim(arguments);
    assert!(output.status.success(), "{arguments:?}\n{}", text(&output));
    text(&output)
}

#[test]
fn random_worlds_end_well_and_repeat() {
    let text = passes(&["--seeds", "0..2", "--profile", "rough", "--servers", "3", "--twice"]);
    assert!(text.contains("every trace is the same"), "{text}");
    assert!(text.contains("operator-crash"), "what was reached is told: {text}");
}

#[test]
fn shards_join_to_a_campaign() {
    let directory = tempfile::tempdir().expect("a place");
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (first, second) = (file("0.json"), file("1.json"));
    for (shard, result) in [("0/2", &first), ("1/2", &second)] {
        passes(&[
            "--seeds",
            "0..2",
            "--profile",
            "none",
            "--servers",
            "1",
            "--shard",
            shard,
            "--result",
            result,
        ]);
    }
    let text = passes(&["merge", &first, &second]);
    assert!(text.contains("seeds         2"), "{text}");
    let twice = sim(&["merge", &first, &first]);
    assert_eq!(twice.status.code(), Some(2), "{twice:?}");
}

#[test]
fn a_crash_at_an_effect_is_survived() {
    let text = passes(&["--crash-sweep", "discover-one-server", "--every", "4"]);
    assert!(text.contains("bad           0"), "{text}");
    passes(&["discover-one-server", "--cut-at", "3:after"]);
}

/// Incidents of systems like this one, each as a script: the operator survives them.
#[test]
fn incidents_are_survived() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/incidents");
    let text = passes(&["--scripts", directory]);
    let scripts = std::fs::read_dir(directory).expect("the folder of incidents").count();
    assert_eq!(
        text.lines().filter(|line| line.starts_with("passed")).count(),
        scripts,
        "{text}"
    );
}

#[test]
fn a_refused_effect_and_a_lost_lease_are_survived() {
    for sweep in ["refused", "deposed"] {
        let text = passes(&["--sweep", sweep, "discover-one-server", "--every", "4"]);
        assert!(text.contains("bad           0"), "{text}");
    }
}

/// Each was found by a campaign, shrunk, and fixed.
#[test]
fn regressions_stay_fixed() {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/regressions"));
    let mut plans: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the folder of regressions")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    plans.sort();
    for plan in plans {
        passes(&["--plan", &plan.display().to_string()]);
    }
}

#[test]
fn mistakes_are_explained() {
    for (arguments, hint) in [
        (vec!["--profile", "paradise"], "give none, calm, rough, hell"),
        (vec!["--plan", "no-such-file.yaml"], "cannot be read"),
        (vec!["--seeds", "9..3"], "no range of seeds"),
        (vec!["--profile", "none", "--sabotage", "x"], "--features sabotage"),
    ] {
        let output = sim(&arguments);
        if cfg!(feature = "sabotage") && arguments.contains(&"--sabotage") {
            continue;
        }
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output).contains(hint), "{arguments:?}: {}", text(&output));
    }
}
