//! The scripts of this repository, and what is said about wrong ones.

use scenarios::script::{Script, ScriptError};
use std::collections::BTreeMap;
use std::path::Path;

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts"))
}

fn render(error: ScriptError) -> String {
    let mut rendered = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .with_width(140)
        .render_report(&mut rendered, &error)
        .expect("a string takes everything");
    rendered.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn mistake(text: &str) -> String {
    match Script::parse("broken.yaml", text.to_owned()) {
        Ok(_) => "no mistake".to_owned(),
        Err(error) => render(error),
    }
}

/// A script around these lines of `steps`.
fn with_steps(steps: &str) -> String {
    format!(
        "name: broken\ndescription: A script.\nfleet:\n  machines:\n    - name: node\n      count: 2\nsteps:\n{steps}"
    )
}

#[test]
fn every_script_is_right() {
    let scripts = Script::read_all(directory()).unwrap_or_else(|error| panic!("{}", render(error)));
    let names: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
    insta::assert_debug_snapshot!(names);
}

#[test]
fn parameters_change_the_fleet() {
    let script = Script::read(&directory().join("life-cycle.yaml")).unwrap();
    let scenario = script
        .bind(&BTreeMap::from([("servers".to_owned(), "100".to_owned())]))
        .unwrap();
    assert_eq!(scenario.fleet.machines[0].count, Some(100));
    let unknown = script
        .bind(&BTreeMap::from([("server".to_owned(), "100".to_owned())]))
        .unwrap_err();
    insta::assert_snapshot!(render(unknown));
}

#[test]
fn an_unknown_step() {
    insta::assert_snapshot!(mistake(&with_steps("  - aply:\n      manifests: []\n")));
}

#[test]
fn an_unknown_field() {
    insta::assert_snapshot!(mistake(&with_steps(
        "  - expect:\n      kind: Server\n      withn: 5m\n"
    )));
}

#[test]
fn an_unknown_value() {
    insta::assert_snapshot!(mistake(&with_steps("  - operator: { action: kill }\n")));
}

#[test]
fn a_duration_nobody_understands() {
    insta::assert_snapshot!(mistake(&with_steps("  - wait: soon\n")));
}

#[test]
fn broken_yaml() {
    insta::assert_snapshot!(mistake(&with_steps("  - wait: [5m\n")));
}

#[test]
fn a_wrong_fleet() {
    insta::assert_snapshot!(mistake(
        "name: broken\ndescription: A script.\nfleet:\n  machines:\n    - name: node\n      personality: del\nsteps: []\n"
    ));
}

#[test]
fn several_mistakes_are_told_at_once() {
    insta::assert_snapshot!(mistake(&with_steps(
        "  - register: { machines: [node-1, node-7] }\n  - expect:\n      kind: Sever\n      that: object.status.state = 'Available'\n  - expect:\n      kind: Server\n      that:\n        - object.spec.tenancyEpoch > 0\n        - objekt.status.state == 'Available'\n  - apply:\n      forEach: { machines: all }\n      manifests:\n        - apiVersion: v1\n          kind: Secret\n          metadata: { name: \"${machine.nam}\" }\n  - operator: { action: crash, when: { enters: Availabel } }\n  - wait: 5m\n    expect: { that: 'true' }\n"
    )));
}

#[test]
fn a_name_that_is_not_the_files() {
    insta::assert_snapshot!(mistake(
        "name: other\ndescription: A script.\nfleet: { machines: [{ name: node }] }\nsteps: []\n"
    ));
}
