//! Reports to test the writers with, and to look at.
//!
//! `SAMPLE_REPORT=some/dir cargo test -p scenarios --lib report::sample` writes one with every sort of scenario there.

mod builder;

use super::model::{
    Failure, KubeEventLine, Marker, MarkerKind, Millis, Mode, ObjectDump, Outcome, RunReport, ScenarioReport,
    Statistics, StepOutcome, Violation,
};
use builder::{Machine, minutes, scenario, step};
use std::collections::BTreeMap;

/// One scenario of every outcome.
pub(super) fn small() -> RunReport {
    run(vec![passed(), failed(), skipped(), broken()])
}

fn run(scenarios: Vec<ScenarioReport>) -> RunReport {
    RunReport {
        version: "0.1.0".to_owned(),
        command: "cargo xtask sim --seed 7".to_owned(),
        environment: "emulated cluster, emulated machines, virtual time".to_owned(),
        seed: 7,
        mode: Mode::VirtualTime,
        time_scale: 1.0,
        started_at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        wall_time: Some(Millis(8_340)),
        scenarios,
    }
}

pub(super) fn passed() -> ScenarioReport {
    let mut machine = Machine::new("node");
    machine.discovered(minutes(1));
    machine.claimed(minutes(20), "default/tenant", 1);
    machine.wiped(minutes(60));
    let titles = [
        "register all",
        "a tenant claims it",
        "its image runs",
        "it is offered again",
    ];
    let begins = [0, 20, 26, 60];
    ScenarioReport {
        description: "A tenant's image gets onto a server; after the release every drive is erased.".to_owned(),
        duration: minutes(80),
        parameters: BTreeMap::from([("servers".to_owned(), "1".to_owned())]),
        steps: (0..4)
            .map(|index| {
                let end = begins.get(index + 1).copied().unwrap_or(80);
                step(
                    titles[index],
                    index,
                    StepOutcome::Passed,
                    Some((minutes(begins[index]), minutes(end))),
                )
            })
            .collect(),
        servers: vec![machine.finish(minutes(80))],
        events: vec![KubeEventLine {
            at: minutes(21),
            type_: "Normal".to_owned(),
            reason: "Bound".to_owned(),
            regarding: "ServerClaim default/tenant".to_owned(),
            note: "bound to node-system-0".to_owned(),
            count: 1,
        }],
        statistics: Statistics {
            api_writes: BTreeMap::from([("Server".to_owned(), 41), ("ServerClaim".to_owned(), 5)]),
            bmc_requests: BTreeMap::from([("2xx".to_owned(), 230), ("4xx".to_owned(), 2)]),
            resets: 6,
            boots: 3,
            drives_erased: 2,
            sessions: 1,
            kube_events: 1,
            ..Statistics::default()
        },
        ..scenario("claim-boot-release-wipe")
    }
}

/// Fails by a violation: a server is handed on although one of its drives was not erased.
pub(super) fn failed() -> ScenarioReport {
    let end = minutes(95);
    let mut first = Machine::new("node-1");
    first.discovered(minutes(1));
    first.claimed(minutes(15), "default/db", 1);
    first.wipe_fails(minutes(50));
    first.claimed(minutes(85), "default/web", 2);
    let mut second = Machine::new("node-2");
    second.discovered(minutes(2));
    let message =
        "node-1 was bound to ServerClaim default/web while nvme1n1 still holds records of default/db".to_owned();
    let objects = vec![
        "Server node-1-system-0".to_owned(),
        "ServerClaim default/web".to_owned(),
    ];
    let invariant = "no residue of an earlier tenant".to_owned();
    ScenarioReport {
        description: "A drive refuses to be erased. The server must not be offered again before somebody has looked.".to_owned(),
        outcome: Outcome::Failed(Failure {
            message: format!("violated: {invariant}"),
            at: minutes(85),
            step: None,
            file: "scenarios/scripts/drive-fails-to-erase.yaml".to_owned(),
            line: Some(41),
            details: vec![message.clone(), "noticed at Modified Server node-1-system-0".to_owned()],
            objects: vec![ObjectDump {
                object: "Server node-1-system-0".to_owned(),
                yaml: "kind: Server\nmetadata:\n  name: node-1-system-0\nspec:\n  tenancyEpoch: 2\n  serverClaimRef:\n    name: web\nstatus:\n  state: Reserved\n".to_owned(),
            }],
        }),
        duration: end,
        steps: vec![
            step("register all", 0, StepOutcome::Passed, Some((minutes(0), minutes(15)))),
            step("a tenant fills both drives", 1, StepOutcome::Passed, Some((minutes(15), minutes(50)))),
            step(
                "the server is never offered with residue",
                2,
                StepOutcome::Failed {
                    message: "an invariant was violated meanwhile".to_owned(),
                },
                Some((minutes(50), minutes(85))),
            ),
            step("somebody replaces the drive", 3, StepOutcome::NotReached, None),
        ],
        violations: vec![Violation {
            invariant,
            at: minutes(85),
            message,
            event: "Modified Server node-1-system-0".to_owned(),
            objects,
        }],
        servers: vec![first.finish(end), second.finish(end)],
        markers: vec![
            Marker {
                at: minutes(70),
                kind: MarkerKind::Crash,
                text: "operator crashed".to_owned(),
            },
            Marker {
                at: minutes(71),
                kind: MarkerKind::Start,
                text: "operator started".to_owned(),
            },
            Marker {
                at: minutes(85),
                kind: MarkerKind::Violation,
                text: "violated: no residue of an earlier tenant".to_owned(),
            },
        ],
        events: vec![KubeEventLine {
            at: minutes(62),
            type_: "Warning".to_owned(),
            reason: "DriveNotErased".to_owned(),
            regarding: "Server node-1-system-0".to_owned(),
            note: "nvme1n1: input/output error".to_owned(),
            count: 3,
        }],
        statistics: Statistics {
            bmc_requests: BTreeMap::from([("2xx".to_owned(), 512), ("5xx".to_owned(), 7)]),
            failed_erasures: 3,
            operator_crashes: 1,
            ..Statistics::default()
        },
        log_tail: vec![
            "1:24:59.870  INFO bind: candidate node-1-system-0 for ServerClaim default/web".to_owned(),
            "1:25:00.000  INFO bind: reserved node-1-system-0 epoch=2".to_owned(),
        ],
        ..scenario("drive-fails-to-erase")
    }
}

fn skipped() -> ScenarioReport {
    ScenarioReport {
        outcome: Outcome::Skipped {
            because: "this world lacks virtual time".to_owned(),
        },
        steps: vec![step("wait a year", 0, StepOutcome::NotReached, None)],
        wall_time: None,
        ..scenario("a-year-of-silence")
    }
}

fn broken() -> ScenarioReport {
    ScenarioReport {
        outcome: Outcome::Broken {
            why: "the API server did not start: address in use".to_owned(),
        },
        steps: vec![step("register all", 0, StepOutcome::NotReached, None)],
        log_tail: vec!["ERROR bind 127.8.0.1:443: address in use".to_owned()],
        ..scenario("endpoint-to-server")
    }
}

/// Fails by an expectation that was not met in time, among servers that are fine.
pub(super) fn late() -> ScenarioReport {
    let end = minutes(150);
    let mut servers: Vec<_> = (1..=9)
        .map(|number| {
            let mut machine = Machine::new(&format!("node-{number}"));
            machine.discovered(minutes(number));
            if number != 7 {
                machine.claimed(minutes(18 + number), &format!("default/db-{number}"), 1);
                machine.wiped(minutes(80 + 3 * number));
            }
            machine.finish(end)
        })
        .collect();
    servers[6].markers.extend((0..12).map(|attempt| Marker {
        at: minutes(20 + attempt * 10),
        kind: MarkerKind::Fault,
        text: format!("fault at PATCH /redfish/v1/Systems/System.1 (attempt {})", attempt + 1),
    }));
    let what = "ServerClaim default/db-7";
    ScenarioReport {
        description: "Nine servers, nine claims, and a BMC that refuses every change. Its claim must get another server or say why not.".to_owned(),
        outcome: Outcome::Failed(Failure {
            message: format!("{what} was not as expected within 2 h"),
            at: end,
            step: Some("every claim is bound, or says why not".to_owned()),
            file: "scenarios/scripts/nine-servers-nine-claims.yaml".to_owned(),
            line: Some(27),
            details: vec![
                "object.status.phase == 'Bound' || object.status.conditions.exists(c, c.type == 'Bound' && c.reason != '')".to_owned(),
                "  object.status.phase is \"Unbound\"".to_owned(),
                "  object.status.conditions is []".to_owned(),
            ],
            objects: vec![
                ObjectDump {
                    object: what.to_owned(),
                    yaml: "kind: ServerClaim\nmetadata:\n  name: db-7\n  namespace: default\nstatus:\n  phase: Unbound\n  conditions: []\n".to_owned(),
                },
                ObjectDump {
                    object: "Server node-7-system-0".to_owned(),
                    yaml: "kind: Server\nmetadata:\n  name: node-7-system-0\nstatus:\n  state: Available\n".to_owned(),
                },
            ],
        }),
        duration: end,
        steps: vec![
            step("register all", 0, StepOutcome::Passed, Some((minutes(0), minutes(20)))),
            step(
                "every claim is bound, or says why not",
                1,
                StepOutcome::Failed {
                    message: format!("{what} was not as expected within 2 h"),
                },
                Some((minutes(30), end)),
            ),
        ],
        servers,
        log_tail: (0..40)
            .map(|line| format!("2:29:{:02}.000  WARN bind: node-7-system-0: 503 Service Unavailable, again in 10 m", line + 20))
            .collect(),
        ..scenario("nine-servers-nine-claims")
    }
}

/// Many servers with claims that come and go, faults and crashes.
fn fleet(servers: u64) -> ScenarioReport {
    let end = minutes(600);
    let finished = (0..servers).map(|number| {
        let mut machine = Machine::new(&format!("node-{number}"));
        let mut at = 1 + number * 7 % 40;
        machine.discovered(minutes(at));
        at += 20 + number * 13 % 60;
        for round in 1..4 {
            machine.claimed(minutes(at), &format!("team-{}/job-{number}-{round}", number % 5), round);
            at += 40 + number * 11 % 70;
            machine.wiped(minutes(at));
            at += 25 + number * 17 % 50;
        }
        machine.finish(end)
    });
    let crashes = (1..10).map(|hour| Marker {
        at: minutes(hour * 60),
        kind: MarkerKind::Crash,
        text: "operator crashed".to_owned(),
    });
    ScenarioReport {
        description: "Servers serve one claim after the other while the operator crashes every hour.".to_owned(),
        duration: end,
        steps: (0..6)
            .map(|index| {
                let times = (minutes(index * 100), minutes(index * 100 + 100));
                step(
                    "every claim is bound and served",
                    index as usize,
                    StepOutcome::Passed,
                    Some(times),
                )
            })
            .collect(),
        servers: finished.collect(),
        markers: crashes.collect(),
        ..scenario("operator-crash-in-every-state")
    }
}

#[test]
fn hundreds_of_servers_make_a_page_that_can_be_opened() {
    let mut report = small();
    report.scenarios.extend([late(), fleet(300)]);
    let page = super::page::render(&report).expect("rendered");
    assert!(page.len() < 16_000_000, "{} bytes", page.len());
    if let Some(dir) = std::env::var_os("SAMPLE_REPORT") {
        super::write(dir.as_ref(), &report).expect("written");
    }
}
