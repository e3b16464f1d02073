//! The wipe agent: what it erases, what it proves, and how it insists on being heard.

use std::sync::Arc;
use std::time::Duration;

use probe::command_line::{self, Command};
use probe::model::CleanupState;
use probe::wipe::{self, WipeError, WipeOptions};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, Behaviour, Registry, TestHost};

fn options() -> WipeOptions {
    let line = "wipe --registry-url=http://registry:10000 --server-uuid=u1 --registry-token=tok";
    match command_line::parse(line.split_whitespace()).expect("valid flags") {
        Command::Wipe(options) => options,
        Command::Probe(_) => unreachable!("a wipe was asked for"),
    }
}

async fn run(host: &Arc<TestHost>, registry: &Registry) -> Result<CleanupState, WipeError> {
    wipe::run(&options(), host.clone(), registry.http(), CancellationToken::new()).await
}

fn host(drives: &[(&str, Behaviour)]) -> Arc<TestHost> {
    Arc::new(TestHost::with_drives(drives))
}

#[tokio::test(start_paused = true)]
async fn every_drive_is_erased_verified_and_reported() {
    let registry = Registry::new([]);
    let host = host(&[("nvme0n1", Behaviour::Erases), ("nvme1n1", Behaviour::Erases)]);
    assert_eq!(
        run(&host, &registry).await.expect("acknowledged"),
        CleanupState::Succeeded
    );
    let seen = registry.seen();
    assert!(seen.iter().all(|seen| seen.path == "http://registry:10000/cleanup"));
    assert!(
        seen.iter()
            .all(|seen| seen.authorization.as_deref() == Some("Bearer tok"))
    );
    let states: Vec<_> = seen
        .iter()
        .map(|seen| (seen.seconds, seen.body["drives"][0]["state"].clone()))
        .collect();
    assert_eq!(
        states.first(),
        Some(&(0, json!("Pending"))),
        "the first report comes before anything is erased"
    );
    assert_eq!(states[states.len() - 2].1, "Erasing");
    // Both drives take 100 s, at the same time; a sign of life every 30 s.
    assert_eq!(seen.last().expect("a report").seconds, 100);
    assert!(seen.iter().filter(|seen| seen.body["state"] == "InProgress").count() >= 4);
    insta::assert_json_snapshot!(seen.last().expect("a report").body);
}

#[tokio::test(start_paused = true)]
async fn one_drive_that_is_not_proven_empty_fails_the_wipe() {
    for (behaviour, complaint) in [
        (Behaviour::FailsToErase, "medium error"),
        (Behaviour::Lies, "still holds data at byte 4096"),
        (Behaviour::InUse, "mounted on /data"),
        (Behaviour::Vanishes, "disappeared during the wipe"),
    ] {
        let registry = Registry::new([]);
        let host = host(&[("sda", Behaviour::Erases), ("sdb", behaviour)]);
        assert_eq!(
            run(&host, &registry).await.expect("acknowledged"),
            CleanupState::Failed,
            "{behaviour:?}"
        );
        let report = registry.seen().last().expect("a report").body.clone();
        assert_eq!(report["state"], "Failed");
        assert_eq!(report["message"], "1 of 2 drives erased, 1 failed");
        assert_eq!(
            report["drives"][0]["state"], "Erased",
            "the other drive is erased all the same"
        );
        assert_eq!(report["drives"][1]["state"], "Failed");
        let message = report["drives"][1]["message"].as_str().expect("a message");
        assert!(message.contains(complaint) && message.contains("/dev/sdb"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drive_that_appears_late_is_erased_too() {
    let registry = Registry::new([]);
    let host = host(&[("sda", Behaviour::Erases), ("sdb", Behaviour::AppearsLate)]);
    assert_eq!(
        run(&host, &registry).await.expect("acknowledged"),
        CleanupState::Succeeded
    );
    assert_eq!((host.times_erased("sda"), host.times_erased("sdb")), (1, 1));
    assert_eq!(
        registry.seen().last().expect("a report").body["drives"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_to_wipe_proves_nothing() {
    let unlisted = TestHost {
        no_drive_list: true,
        ..TestHost::default()
    };
    for (host, complaint) in [(TestHost::default(), "shows no drive"), (unlisted, "cannot be listed")] {
        let registry = Registry::new([]);
        assert_eq!(
            run(&Arc::new(host), &registry).await.expect("acknowledged"),
            CleanupState::Failed
        );
        let message = registry.seen().last().expect("a report").body["message"].to_string();
        assert!(message.contains(complaint), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_erased_without_a_valid_token() {
    let registry = Registry::new([Answer::Status(401)]);
    let host = host(&[("sda", Behaviour::Erases)]);
    let error = run(&host, &registry).await.expect_err("rejected");
    assert_eq!((registry.seen().len(), host.times_erased("sda")), (5, 0));
    assert!(
        error.to_string().contains("no drive was touched") && error.to_string().contains("401"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn erasing_stops_when_the_tenancy_has_moved_on() {
    let registry = Registry::new([Answer::Status(200), Answer::Status(401)]);
    let host = host(&[("sda", Behaviour::Erases)]);
    let error = run(&host, &registry).await.expect_err("rejected");
    assert!(error.to_string().contains("stopped half way"), "{error}");
    assert!(
        registry
            .seen()
            .iter()
            .all(|seen| seen.body["drives"][0]["state"] != "Erased")
    );
}

#[tokio::test(start_paused = true)]
async fn the_result_is_repeated_until_the_operator_is_back() {
    let mut script = vec![Answer::Status(200)];
    script.extend([Answer::Reset, Answer::Status(503), Answer::Status(401), Answer::Never].repeat(30));
    script.push(Answer::Status(200));
    let registry = Registry::new(script);
    let host = host(&[("sda", Behaviour::Erases)]);
    assert_eq!(
        run(&host, &registry).await.expect("acknowledged at last"),
        CleanupState::Succeeded
    );
    let seen = registry.seen();
    assert_eq!(seen.len(), 122, "every answer of the script was needed");
    assert_eq!(host.times_erased("sda"), 1);
    assert!(seen.last().expect("a report").seconds > 3_600);
    let final_reports = seen.iter().filter(|seen| seen.body["state"] == "Succeeded").count();
    assert!(final_reports > 100, "{final_reports}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_wipe_says_that_it_is_not_done() {
    let registry = Registry::new([]);
    let stop = CancellationToken::new();
    let options = options();
    let host = host(&[("sda", Behaviour::Erases)]);
    let running = wipe::run(&options, host.clone(), registry.http(), stop.clone());
    let ((), ended) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            stop.cancel();
        },
        running
    );
    assert!(matches!(ended, Err(WipeError::Stopped)), "{ended:?}");
    assert!(registry.seen().iter().all(|seen| seen.body["state"] == "InProgress"));
}

#[tokio::test(start_paused = true)]
async fn the_operator_is_reminded_until_the_machine_is_switched_off() {
    let registry = Registry::new([]);
    let stop = CancellationToken::new();
    let options = options();
    let host = host(&[("sda", Behaviour::Erases)]);
    let running = wipe::run_and_remind(&options, host.clone(), registry.http(), stop.clone());
    let ((), ended) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_secs(300)).await;
            stop.cancel();
        },
        running
    );
    assert_eq!(ended.expect("acknowledged"), CleanupState::Succeeded);
    let reminders = registry
        .seen()
        .iter()
        .filter(|seen| seen.body["state"] == "Succeeded")
        .count();
    // Done after 100 s; then every 30 s.
    assert_eq!(reminders, 1 + 6);
    assert_eq!(host.times_erased("sda"), 1);
}
