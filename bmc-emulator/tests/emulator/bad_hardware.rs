//! Machines and BMCs that misbehave by themselves, whatever is asked of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bmc_emulator::{Bmc, Execution, Fault, MachineEventKind, PowerState};
use serde_json::{Value, json};

use crate::support::{Client, Run};

const SYSTEM: &str = "/redfish/v1/Systems/1";
const RESET: &str = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
const ERASE: &str = "/redfish/v1/Systems/1/Storage/1/Drives/nvme0n1/Actions/Drive.SecureErase";
const TASK: &str = "/redfish/v1/TaskService/Tasks/1";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
const FLEET: &str = "machines: [{ name: node, boot: { serverURL: 'http://boot.example' } }]";

fn inject(bmc: &Bmc, fault: Value) {
    let read: Fault = serde_json::from_value(fault.clone()).expect("a fault");
    bmc.inject(read).expect("valid");
    let seen = bmc.inspect().faults.pop().expect("it is there").fault;
    assert_eq!(serde_json::to_value(seen).expect("serialises"), fault);
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn reset(client: &Client, reset_type: &str) {
    let answer = client.post(RESET, json!({ "ResetType": reset_type })).await;
    assert_eq!(answer.status, 204, "{reset_type}");
}

/// The next network boot starts an operating system with this kernel command line.
fn serve_boot(run: &Run, arguments: &str) {
    let url = format!("http://boot.example/ipxe/{}", run.bmc("node").system_uuid());
    let script = format!("#!ipxe\nkernel http://boot.example/k {arguments}\nboot\n");
    run.world.serve(&url, &script);
}

fn write_tenant_data(bmc: &Bmc) {
    let write = json!({ "type": "WriteDrive", "drive": "nvme0n1", "records": { "tenant": "data" } });
    bmc.apply(serde_json::from_value(write).expect("an action"))
        .expect("the drive exists");
}

fn events(run: &Run) -> Arc<Mutex<Vec<MachineEventKind>>> {
    let events: Arc<Mutex<Vec<MachineEventKind>>> = Arc::default();
    let log = Arc::clone(&events);
    run.fleet.observe(Arc::new(move |event| {
        log.lock().expect("lock").push(event.kind.clone())
    }));
    events
}

fn lies(events: &Mutex<Vec<MachineEventKind>>) -> Vec<bool> {
    let events = events.lock().expect("lock");
    let bands = events.iter().filter_map(|event| match event {
        MachineEventKind::DriveEraseLied { in_band, .. } => Some(*in_band),
        _ => None,
    });
    bands.collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_session_table_lets_nobody_in_and_nobody_out() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let credentials = json!({ "UserName": "admin", "Password": "password" });
    let session = client.post(SESSIONS, credentials.clone()).await;
    inject(&bmc, json!({ "type": "SessionTableFull", "duration": "10m" }));
    let refused = client.post(SESSIONS, credentials.clone()).await;
    assert_eq!(
        (refused.status, refused.messages()),
        (503, vec!["SessionLimitExceeded"])
    );
    let holder = client
        .without_credentials()
        .with("x-auth-token", session.header("x-auth-token"));
    assert_eq!(holder.get(SYSTEM).await.status, 200);
    let wrong = json!({ "UserName": "admin", "Password": "wrong" });
    assert_eq!(client.post(SESSIONS, wrong).await.status, 401, "who it is comes first");
    pass(601).await;
    inject(&bmc, json!({ "type": "SessionTableFull", "remaining": 1 }));
    assert_eq!(client.post(SESSIONS, credentials.clone()).await.status, 503);
    assert_eq!(client.post(SESSIONS, credentials).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_clock_without_battery_counts_from_1970() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let observed = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&observed);
    run.fleet
        .observe(Arc::new(move |event| log.lock().expect("lock").push(event.at)));
    let subscription = json!({ "Destination": "http://listener.example/", "Protocol": "Redfish" });
    client
        .post("/redfish/v1/EventService/Subscriptions", subscription)
        .await;
    pass(60).await;
    assert_eq!(
        client.get("/redfish/v1").await.header("date"),
        "Thu, 01 Jan 2026 00:01:00 GMT"
    );

    inject(&bmc, json!({ "type": "ClockReset", "duration": "1m" }));
    let manager = client.get("/redfish/v1/Managers/BMC").await;
    assert_eq!(
        (&manager.body["DateTime"], &manager.body["LastResetTime"]),
        (&json!("1970-01-01T00:01:00Z"), &json!("1970-01-01T00:00:00Z"))
    );
    assert_eq!(manager.header("date"), "Thu, 01 Jan 1970 00:01:00 GMT");
    client.post(ERASE, json!({})).await;
    reset(&client, "On").await;
    pass(5).await;
    let (_, event) = run.world.requests.lock().expect("lock").first().cloned().expect("sent");
    assert_eq!(event["Events"][0]["EventTimestamp"], "1970-01-01T00:01:00Z");

    pass(100).await;
    let task = client.get(TASK).await.body;
    assert_eq!(
        (&task["StartTime"], &task["EndTime"]),
        (&json!("1970-01-01T00:01:00Z"), &json!("2026-01-01T00:02:30Z")),
        "the clock was set while the task ran"
    );
    let newest = client.get("/redfish/v1/Managers/BMC").await.body;
    assert_eq!(newest["DateTime"], "2026-01-01T00:02:45Z");
    let first = observed.lock().expect("lock").first().copied();
    assert!(observed.lock().expect("lock").is_sorted() && first >= "2026-01-01T00:00:00Z".parse().ok());
}

#[tokio::test(start_paused = true)]
async fn an_erasure_that_lies_shows_nothing_out_of_band() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let events = events(&run);
    write_tenant_data(&bmc);
    inject(
        &bmc,
        json!({ "type": "DriveEraseLies", "drive": "nvme0n1", "remaining": 1 }),
    );
    client.post(ERASE, json!({})).await;
    pass(91).await;
    let task = client.get(TASK).await.body;
    assert_eq!(
        (&task["TaskState"], &task["TaskStatus"]),
        (&json!("Completed"), &json!("OK"))
    );
    assert_eq!(bmc.inspect().drives[0].records["tenant"], "data");
    assert_eq!(lies(&events), [false]);
    client.post(ERASE, json!({})).await;
    pass(91).await;
    let truth = bmc.inspect();
    assert!(truth.drives[0].records.is_empty(), "the second time it is true");
    assert_eq!(truth.counters.erasures_started, 2);
}

#[tokio::test(start_paused = true)]
async fn an_erasure_that_lies_in_band_leaves_what_a_guest_can_read() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let events = events(&run);
    serve_boot(&run, "wipe");
    write_tenant_data(&bmc);
    inject(&bmc, json!({ "type": "DriveEraseLies", "drive": "nvme0n1" }));
    reset(&client, "On").await;
    pass(300).await;
    let truth = bmc.inspect();
    assert_eq!(
        truth.power_state,
        PowerState::Off,
        "the guest was told that all went well"
    );
    assert_eq!(truth.drives[0].records["tenant"], "data");
    assert_eq!(lies(&events), [true]);
    let unknown = json!({ "type": "DriveEraseLies", "drive": "sdz" });
    assert!(bmc.inject(serde_json::from_value(unknown).expect("a fault")).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_task_hangs_until_the_fault_is_gone() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    write_tenant_data(&bmc);
    let at_times = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&at_times);
    run.fleet
        .observe(Arc::new(move |event| log.lock().expect("lock").push(event.at)));
    inject(&bmc, json!({ "type": "TaskNeverEnds" }));
    client.post(ERASE, json!({})).await;
    pass(24 * 3600).await;
    let task = client.get(TASK).await.body;
    assert_eq!(
        (&task["TaskState"], &task["PercentComplete"]),
        (&json!("Running"), &json!(99))
    );
    let busy = client.post(ERASE, json!({})).await;
    assert_eq!((busy.status, busy.messages()), (409, vec!["ResourceInUse"]));
    assert!(!bmc.inspect().drives[0].records.is_empty());
    bmc.clear_faults();
    pass(0).await;
    let task = client.get(TASK).await.body;
    assert_eq!(
        (&task["TaskState"], &task["EndTime"]),
        (&json!("Completed"), &json!("2026-01-02T00:00:00Z"))
    );
    assert!(bmc.inspect().drives[0].records.is_empty());
    assert!(at_times.lock().expect("lock").is_sorted());

    inject(&bmc, json!({ "type": "TaskNeverEnds", "duration": "30s" }));
    client.post(ERASE, json!({})).await;
    pass(89).await;
    assert_eq!(
        bmc.inspect().tasks["2"],
        "Running",
        "it still takes the time that it takes"
    );
    pass(2).await;
    assert_eq!(bmc.inspect().tasks["2"], "Completed");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_hangs_in_post_tries_again_at_the_next_power_cycle() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    serve_boot(&run, "");
    let once = json!({ "Boot": { "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe" } });
    client.patch(SYSTEM, once).await;
    inject(&bmc, json!({ "type": "PostFails", "remaining": 2 }));
    for reset_type in ["On", "PowerCycle"] {
        reset(&client, reset_type).await;
        pass(3600).await;
        let truth = bmc.inspect();
        assert_eq!(truth.power_state, PowerState::On);
        let Execution::PostHung { reason } = truth.execution else {
            panic!("nothing may boot: {:?}", truth.execution)
        };
        assert_eq!(reason, "POST does not come to its end");
        let system = client.get(SYSTEM).await.body;
        assert_eq!(
            system["BootProgress"]["LastState"],
            "PrimaryProcessorInitializationStarted"
        );
        assert_eq!(system["Boot"]["BootSourceOverrideEnabled"], "Once", "not used up yet");
    }
    reset(&client, "GracefulShutdown").await;
    pass(60).await;
    assert_eq!(bmc.inspect().power_state, PowerState::On, "nobody hears the button");
    reset(&client, "ForceRestart").await;
    pass(120).await;
    let truth = bmc.inspect();
    assert!(matches!(truth.execution, Execution::Guest { .. }));
    assert_eq!((truth.counters.boots, truth.counters.resets), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn a_guest_dies_and_the_machine_stays_on() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    serve_boot(&run, "wipe");
    write_tenant_data(&bmc);
    inject(&bmc, json!({ "type": "GuestDies", "after": "30s", "remaining": 1 }));
    reset(&client, "On").await;
    pass(100).await;
    assert!(matches!(bmc.inspect().execution, Execution::Guest { .. }));
    pass(1000).await;
    let truth = bmc.inspect();
    assert_eq!(truth.power_state, PowerState::On);
    let reason = "the operating system died".to_owned();
    assert_eq!(truth.execution, Execution::Halted { reason });
    assert_eq!(truth.drives[0].records["tenant"], "data", "it died while it erased");
    reset(&client, "ForceRestart").await;
    pass(300).await;
    let truth = bmc.inspect();
    assert_eq!((truth.power_state, truth.drives[0].records.len()), (PowerState::Off, 0));
}

#[tokio::test(start_paused = true)]
async fn a_network_boot_by_the_wrong_nic_finds_nobody() {
    let run = Run::new(
        "machines: [{ name: node, boot: { serverURL: 'http://boot.example' }, nics: [{ name: eno1 }, { name: eno2 }] }]",
    );
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    serve_boot(&run, "");
    inject(&bmc, json!({ "type": "WrongNic", "remaining": 1 }));
    reset(&client, "On").await;
    pass(300).await;
    let Execution::Halted { reason } = bmc.inspect().execution else {
        panic!("there is nothing to boot")
    };
    assert_eq!(
        reason.matches("no link to the boot server").count(),
        2,
        "both devices of this boot, but only this boot: {reason}"
    );
    assert!(run.world.urls().is_empty());
    reset(&client, "ForceRestart").await;
    pass(120).await;
    assert!(matches!(bmc.inspect().execution, Execution::Guest { .. }));

    inject(&bmc, json!({ "type": "WrongNic", "remaining": 1 }));
    reset(&client, "ForceRestart").await;
    pass(120).await;
    let truth = bmc.inspect();
    let source = "drive:nvme0n1".to_owned();
    assert_eq!(truth.execution, Execution::Guest { source });
    assert_eq!(truth.faults.len(), 1, "a boot from the drive asks no NIC");
}

#[tokio::test(start_paused = true)]
async fn the_power_state_is_read_as_it_was() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    inject(&bmc, json!({ "type": "StaleReads", "duration": "30s" }));
    reset(&client, "On").await;
    let mut seen = Vec::new();
    for _ in 0..40 {
        let state = client.get(SYSTEM).await.body["PowerState"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match seen.last_mut() {
            Some((last, seconds)) if *last == state => *seconds += 1,
            _ => seen.push((state, 1)),
        }
        pass(1).await;
    }
    let expected = [("Off", 30), ("PoweringOn", 3), ("On", 7)];
    assert_eq!(seen, expected.map(|(state, seconds)| (state.to_owned(), seconds)));
    reset(&client, "ForceOff").await;
    pass(5).await;
    assert_eq!(bmc.inspect().power_state, PowerState::Off);
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "On");
    bmc.clear_faults();
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "Off");
}

#[tokio::test(start_paused = true)]
async fn only_logins_count_as_failed_logins() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let events = events(&run);
    inject(&bmc, json!({ "type": "WrongCredentials" }));
    let token = client.without_credentials().with("x-auth-token", "some token");
    assert_eq!(token.get(SYSTEM).await.status, 401);
    assert_eq!(bmc.inspect().counters.logins_failed, 0);
    assert_eq!(client.get(SYSTEM).await.status, 401);
    let credentials = json!({ "UserName": "admin", "Password": "password" });
    assert_eq!(client.post(SESSIONS, credentials).await.status, 401);
    assert_eq!(bmc.inspect().counters.logins_failed, 2);
    let failed = |event: &&MachineEventKind| matches!(event, MachineEventKind::LoginFailed { .. });
    assert_eq!(events.lock().expect("lock").iter().filter(failed).count(), 2);
}
