//! Happenings in, timelines out.

use super::*;
use crate::report::model::{ClaimSpan, GuestSpan, PowerSpan, StateSpan};
use bmc_emulator::MachineEventKind;
use serde_json::{Value, json};
use std::sync::Arc;

const UUID: &str = "aaaaaaaa-0000-4000-8000-000000000001";

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn at(millis: i64) -> Timestamp {
    start() + jiff::SignedDuration::from_millis(millis)
}

fn recorder(time_scale: f64) -> Recorder {
    Recorder::new(
        start(),
        time_scale,
        [("node-1", UUID), ("node-2", "bbbbbbbb-0000-4000-8000-000000000002")],
    )
}

fn plain(text: &str) -> String {
    text.to_owned()
}

fn commit(kind: &str, name: &str, event: CommitEvent, object: Value) -> Commit {
    Commit {
        revision: 1,
        event,
        group: String::new(),
        version: "v1".to_owned(),
        resource: format!("{}s", kind.to_lowercase()),
        kind: kind.to_owned(),
        namespace: (kind == "Event").then(|| "default".to_owned()),
        name: name.to_owned(),
        object: Arc::new(object),
        previous: None,
        user_agent: None,
        field_manager: None,
        subresource: None,
    }
}

fn server(state: &str, claim: Option<(&str, &str)>) -> Value {
    let mut server = json!({
        "spec": { "systemUUID": UUID.to_uppercase(), "tenancyEpoch": 3 },
        "status": { "state": state },
    });
    if let Some((name, uid)) = claim {
        server["spec"]["serverClaimRef"] = json!({ "namespace": "default", "name": name, "uid": uid });
    }
    server
}

fn put(recorder: &mut Recorder, millis: i64, object: Value) {
    recorder.commit(
        at(millis),
        &commit("Server", "node-1-system-0", CommitEvent::Modified, object),
        &plain,
    );
}

fn machine(recorder: &mut Recorder, millis: i64, kind: MachineEventKind) {
    recorder.machine(
        &MachineEvent {
            machine: "node-1".to_owned(),
            at: at(millis),
            kind,
        },
        &plain,
    );
}

fn state(state: &str, from: u64, to: u64) -> StateSpan {
    StateSpan {
        state: state.to_owned(),
        from: Millis(from),
        to: Millis(to),
        reason: None,
    }
}

#[test]
fn scenario_time_runs_faster_than_the_clock() {
    assert_eq!(recorder(1.0).millis(at(1500)), Millis(1500));
    assert_eq!(recorder(100.0).millis(at(1500)), Millis(150_000));
    assert_eq!(recorder(100.0).millis(at(-5)), Millis(0));
}

#[test]
fn states_and_claims_become_spans() {
    let mut recorder = recorder(1.0);
    put(&mut recorder, 0, json!({ "spec": { "systemUUID": UUID } }));
    put(&mut recorder, 100, server("Initial", None));
    put(&mut recorder, 150, server("Initial", None));
    put(&mut recorder, 200, server("Available", None));
    put(&mut recorder, 300, server("Available", Some(("db", "u1"))));
    put(&mut recorder, 400, server("Reserved", Some(("db", "u1"))));
    // Another claim of the same name is another tenant.
    put(&mut recorder, 500, server("Reserved", Some(("db", "u2"))));
    put(&mut recorder, 600, server("Cleanup", None));
    recorder.commit(
        at(700),
        &commit(
            "Server",
            "node-1-system-0",
            CommitEvent::Deleted,
            server("Cleanup", None),
        ),
        &plain,
    );
    let recorded = recorder.finish(at(1000));
    let names: Vec<&str> = recorded.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["node-1-system-0", "node-2"]);
    let server = &recorded.servers[0];
    assert_eq!(server.machine.as_deref(), Some("node-1"));
    assert_eq!(
        server.states,
        [
            state("Unknown", 0, 100),
            state("Initial", 100, 200),
            state("Available", 200, 400),
            state("Reserved", 400, 600),
            state("Cleanup", 600, 700),
        ]
    );
    let claim = |from, to| ClaimSpan {
        claim: "default/db".to_owned(),
        epoch: Some(3),
        from: Millis(from),
        to: Millis(to),
    };
    assert_eq!(server.claims, [claim(300, 500), claim(500, 600)]);
    assert_eq!(
        recorded.statistics.api_writes,
        BTreeMap::from([("Server".to_owned(), 9)])
    );
}

#[test]
fn the_reason_of_a_state_is_the_latest_condition_or_what_the_cleanup_says() {
    let mut recorder = recorder(1.0);
    let mut waiting = server("Discovery", None);
    waiting["status"]["conditions"] = json!([
        { "type": "New", "status": "False", "reason": "Timeout", "message": "no report", "lastTransitionTime": "2026-01-01T00:00:09Z" },
        { "type": "Old", "status": "True", "reason": "Fine", "message": "", "lastTransitionTime": "2026-01-01T00:00:01Z" },
    ]);
    put(&mut recorder, 0, waiting.clone());
    // A reason that vanishes was still the reason.
    put(&mut recorder, 10, server("Discovery", None));
    waiting["status"]["state"] = json!("Error");
    waiting["status"]["cleanup"] = json!({ "message": "drive disk.1 holds canary-1" });
    let redact = |text: &str| text.replace("canary-1", "█");
    recorder.commit(
        at(20),
        &commit("Server", "node-1-system-0", CommitEvent::Modified, waiting),
        &redact,
    );
    let reasons: Vec<_> = recorder.finish(at(30)).servers[0]
        .states
        .iter()
        .map(|span| span.reason.clone().unwrap())
        .collect();
    assert_eq!(reasons, ["New=False (Timeout): no report", "drive disk.1 holds █"]);
}

#[test]
fn machines_show_power_guests_and_markers() {
    let mut recorder = recorder(1.0);
    recorder.power(at(0), "node-1", PowerState::Off);
    machine(
        &mut recorder,
        10,
        MachineEventKind::ResetRequested {
            reset_type: "On".to_owned(),
        },
    );
    machine(&mut recorder, 10, MachineEventKind::Power { state: PowerState::On });
    let devices = vec!["Pxe".to_owned(), "Hdd".to_owned()];
    machine(
        &mut recorder,
        50,
        MachineEventKind::BootStarted {
            devices,
            from_override: true,
        },
    );
    machine(
        &mut recorder,
        60,
        MachineEventKind::GuestStarted {
            source: "network".to_owned(),
        },
    );
    let failed = MachineEventKind::DriveEraseFailed {
        drive: "d1".to_owned(),
        in_band: true,
        message: "I/O error".to_owned(),
    };
    machine(&mut recorder, 70, failed);
    machine(
        &mut recorder,
        90,
        MachineEventKind::GuestStopped {
            reason: "power lost".to_owned(),
        },
    );
    for status in [200, 204, 503] {
        let (method, path) = ("GET".to_owned(), "/redfish/v1".to_owned());
        machine(
            &mut recorder,
            95,
            MachineEventKind::RequestServed { method, path, status },
        );
    }
    recorder.marker(at(5), Some("node-1"), MarkerKind::Fault, "injected: 503".to_owned());
    let recorded = recorder.finish(at(100));
    let server = &recorded.servers[0];
    let power = |state: &str, from, to| PowerSpan {
        state: state.to_owned(),
        from: Millis(from),
        to: Millis(to),
    };
    assert_eq!(server.power, [power("Off", 0, 10), power("On", 10, 100)]);
    let ended = Some("power lost".to_owned());
    assert_eq!(
        server.guests,
        [GuestSpan {
            guest: "network".to_owned(),
            from: Millis(60),
            to: Millis(90),
            ended
        }]
    );
    let markers: Vec<_> = server
        .markers
        .iter()
        .map(|marker| (marker.at.0, marker.kind, marker.text.as_str()))
        .collect();
    assert_eq!(
        markers,
        [
            (5, MarkerKind::Fault, "injected: 503"),
            (10, MarkerKind::Operation, "reset On"),
            (50, MarkerKind::Boot, "boots by boot override: Pxe, Hdd"),
            (70, MarkerKind::Erase, "d1 not erased in band: I/O error"),
        ]
    );
    let statistics = recorded.statistics;
    assert_eq!(
        statistics.bmc_requests,
        BTreeMap::from([("2xx".to_owned(), 2), ("5xx".to_owned(), 1)])
    );
    assert_eq!(
        (statistics.resets, statistics.boots, statistics.failed_erasures),
        (1, 1, 1)
    );
}

#[test]
fn repeated_events_are_one_line_and_warnings_mark_their_server() {
    let mut recorder = recorder(1.0);
    put(&mut recorder, 0, server("Cleanup", None));
    let mut event = json!({
        "type": "Warning", "reason": "DriveNotErased", "note": "disk.1: canary-1",
        "regarding": { "kind": "Server", "name": "node-1-system-0" },
    });
    let redact = |text: &str| text.replace("canary-1", "█");
    recorder.commit(
        at(10),
        &commit("Event", "e1", CommitEvent::Added, event.clone()),
        &redact,
    );
    event["series"] = json!({ "count": 4 });
    recorder.commit(at(20), &commit("Event", "e1", CommitEvent::Modified, event), &redact);
    let claim = json!({
        "type": "Normal", "reason": "Bound", "message": "bound",
        "involvedObject": { "kind": "ServerClaim", "namespace": "default", "name": "db" },
    });
    recorder.commit(at(30), &commit("Event", "e2", CommitEvent::Added, claim), &redact);
    let recorded = recorder.finish(at(100));
    let lines: Vec<_> = recorded
        .events
        .iter()
        .map(|line| (line.at.0, line.count, line.regarding.as_str(), line.note.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (10, 4, "Server node-1-system-0", "disk.1: █"),
            (30, 1, "ServerClaim default/db", "bound")
        ]
    );
    let markers = &recorded.servers[0].markers;
    assert_eq!(markers.len(), 1);
    assert_eq!(markers[0].text, "DriveNotErased: disk.1: █");
    assert_eq!(recorded.statistics.kube_events, 2);
}

#[test]
fn the_log_keeps_its_end_and_operators_mark_everything() {
    let mut recorder = recorder(1.0);
    for line in 0..500 {
        recorder.log(&format!("line {line}"), &plain);
    }
    recorder.marker(at(7), None, MarkerKind::Crash, "operator crashed".to_owned());
    let recorded = recorder.finish(at(10));
    assert_eq!(recorded.log_tail.first().unwrap(), "line 300");
    assert_eq!(recorded.log_tail.len(), KEPT_LOG_LINES);
    assert_eq!(recorded.statistics.log_lines, 500);
    assert_eq!(recorded.statistics.operator_crashes, 1);
    assert_eq!(recorded.markers[0].kind, MarkerKind::Crash);
}

#[test]
fn ten_comes_after_nine() {
    let mut names = ["node-10-system-0", "node-9-system-0", "a", "node-9"];
    names.sort_by_key(|name| natural(name));
    assert_eq!(names, ["a", "node-9", "node-9-system-0", "node-10-system-0"]);
}
