//! Power and boot of whole machines, in virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bmc_emulator::{AdminAction, DriveName, Execution, Fault, MachineEvent, PowerState};
use serde_json::json;

use crate::support::Run;

const SYSTEM: &str = "/redfish/v1/Systems/1";
const RESET: &str = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
const FLEET: &str = "
machines:
- name: node
  systemUUID: 38947555-7742-3448-3784-823347823834
  boot: { serverURL: \"http://boot.example/\" }
";
const SCRIPT: &str = "http://boot.example/ipxe/38947555-7742-3448-3784-823347823834";
const IGNITION: &str = "http://boot.example/ignition/38947555-7742-3448-3784-823347823834";

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn serve_boot(run: &Run) {
    run.world.serve(
        SCRIPT,
        "#!ipxe\nset svc http://boot.example\nkernel ${svc}/k ignition.config.url=${svc}/ignition/${uuid}\nboot\n",
    );
    run.world.serve(IGNITION, r#"{"ignition":{"version":"3.4.0"}}"#);
}

#[tokio::test(start_paused = true)]
async fn power_takes_time() {
    let run = Run::new(FLEET);
    let client = run.client("node");
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "Off");
    assert_eq!(client.post(RESET, json!({ "ResetType": "On" })).await.status, 204);
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "PoweringOn");
    let busy = client.post(RESET, json!({ "ResetType": "ForceRestart" })).await;
    assert_eq!((busy.status, busy.messages()), (409, vec!["ResourceInUse"]));
    pass(4).await;
    let system = client.get(SYSTEM).await.body;
    assert_eq!(
        (&system["PowerState"], &system["BootProgress"]["LastState"]),
        (&json!("On"), &json!("PrimaryProcessorInitializationStarted"))
    );
    assert_eq!(client.post(RESET, json!({ "ResetType": "ForceOff" })).await.status, 204);
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "PoweringOff");
    pass(3).await;
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "Off");
}

#[tokio::test(start_paused = true)]
async fn a_one_time_override_boots_the_network_once_and_the_disk_afterwards() {
    let run = Run::new(FLEET);
    serve_boot(&run);
    let client = run.client("node");
    let once = json!({ "Boot": { "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe" } });
    assert_eq!(client.patch(SYSTEM, once).await.status, 204);
    client.post(RESET, json!({ "ResetType": "On" })).await;
    pass(120).await;
    let truth = run.bmc("node").inspect();
    assert_eq!(
        truth.execution,
        Execution::Guest {
            source: "network:eno1".to_owned()
        }
    );
    assert_eq!(run.world.urls(), [SCRIPT, IGNITION]);
    assert_eq!(
        truth.drives[0].records["ignition"],
        r#"{"ignition":{"version":"3.4.0"}}"#
    );
    let boot = &client.get(SYSTEM).await.body["Boot"];
    assert_eq!(
        (&boot["BootSourceOverrideEnabled"], &boot["BootSourceOverrideTarget"]),
        (&json!("Disabled"), &json!("None"))
    );

    client.post(RESET, json!({ "ResetType": "GracefulRestart" })).await;
    pass(10).await;
    assert_eq!(run.bmc("node").inspect().power_state, PowerState::PoweringOff);
    pass(120).await;
    assert_eq!(
        run.bmc("node").inspect().execution,
        Execution::Guest {
            source: "drive:nvme0n1".to_owned()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_anything_to_boot_says_so_and_obeys_the_power_button_at_once() {
    let run = Run::new(FLEET);
    let client = run.client("node");
    client.post(RESET, json!({ "ResetType": "On" })).await;
    pass(300).await;
    let Execution::Halted { reason } = run.bmc("node").inspect().execution else {
        panic!("nothing can run")
    };
    assert_eq!(
        reason,
        format!("drive:nvme0n1: nothing to boot on it; network:eno1: GET {SCRIPT}: 404 Not Found; no bootable device")
    );
    assert_eq!(run.world.urls().len(), 3, "boot ROMs try a few times");
    let graceful = |kind: &str| {
        let (client, body) = (client.clone(), json!({ "ResetType": kind }));
        async move { client.post(RESET, body).await.status }
    };
    assert_eq!(graceful("GracefulRestart").await, 204);
    assert_eq!(run.bmc("node").inspect().execution, Execution::Post);
    assert_eq!(graceful("GracefulShutdown").await, 204);
    pass(5).await;
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "Off");
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn some_firmware_ignores_the_power_button() {
    let run = Run::new(&FLEET.replace(
        "- name: node",
        "- name: node\n  quirks: [firmware-ignores-power-button]",
    ));
    let client = run.client("node");
    client.post(RESET, json!({ "ResetType": "On" })).await;
    pass(300).await;
    let answer = client.post(RESET, json!({ "ResetType": "GracefulShutdown" })).await;
    assert_eq!(answer.status, 204);
    pass(300).await;
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "On");
    client.post(RESET, json!({ "ResetType": "ForceOff" })).await;
    pass(10).await;
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "Off");
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_found_no_ignition_does_not_hear_the_power_button() {
    let run = Run::new(FLEET);
    run.world.serve(
        SCRIPT,
        "#!ipxe\nkernel http://boot.example/k ignition.config.url=http://boot.example/none\nboot\n",
    );
    let client = run.client("node");
    client.post(RESET, json!({ "ResetType": "On" })).await;
    pass(600).await;
    assert!(matches!(run.bmc("node").inspect().execution, Execution::Halted { .. }));
    client.post(RESET, json!({ "ResetType": "GracefulShutdown" })).await;
    pass(300).await;
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "On");
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_in_the_middle_of_a_boot_cuts_it_off() {
    let run = Run::new(FLEET);
    serve_boot(&run);
    let client = run.client("node");
    let always = json!({ "Boot": { "BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Pxe" } });
    client.patch(SYSTEM, always).await;
    client.post(RESET, json!({ "ResetType": "On" })).await;
    pass(70).await;
    assert_eq!(
        run.bmc("node").inspect().execution,
        Execution::Firmware {
            device: Some("network:eno1".to_owned())
        }
    );
    client.post(RESET, json!({ "ResetType": "ForceRestart" })).await;
    assert_eq!(run.bmc("node").inspect().execution, Execution::Post);
    pass(30).await;
    assert!(
        run.bmc("node").inspect().drives[0].records.is_empty(),
        "the first boot must not have got anywhere"
    );
    pass(90).await;
    assert_eq!(run.bmc("node").inspect().counters.boots, 2);
    assert_eq!(
        run.bmc("node").inspect().execution,
        Execution::Guest {
            source: "network:eno1".to_owned()
        }
    );
}

/// A machine with tenant data whose next boot is the wipe agent.
async fn start_wipe(run: &Run) {
    run.world
        .serve(SCRIPT, "#!ipxe\nkernel http://boot.example/k wipe\nboot\n");
    let records = [("tenant".to_owned(), "data".to_owned())].into();
    let write = AdminAction::WriteDrive {
        drive: DriveName("nvme0n1".to_owned()),
        records,
    };
    run.bmc("node").apply(write).expect("the drive exists");
    let client = run.client("node");
    let once = json!({ "Boot": { "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe" } });
    client.patch(SYSTEM, once).await;
    client.post(RESET, json!({ "ResetType": "On" })).await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_erases_drives_and_switches_off() {
    let run = Run::new(FLEET);
    start_wipe(&run).await;
    pass(150).await;
    assert!(
        !run.bmc("node").inspect().drives[0].records.is_empty(),
        "erasing takes its time"
    );
    pass(100).await;
    let truth = run.bmc("node").inspect();
    assert!(truth.drives[0].records.is_empty());
    assert_eq!(
        (truth.power_state, truth.execution),
        (PowerState::Off, Execution::Nothing)
    );
}

#[tokio::test(start_paused = true)]
async fn power_lost_half_way_through_a_wipe_leaves_the_data() {
    let run = Run::new(FLEET);
    start_wipe(&run).await;
    pass(150).await;
    run.bmc("node").apply(AdminAction::PowerOff).expect("always possible");
    pass(600).await;
    let truth = run.bmc("node").inspect();
    assert_eq!(truth.power_state, PowerState::Off);
    assert_eq!(truth.drives[0].records["tenant"], "data");
}

#[tokio::test(start_paused = true)]
async fn a_failed_wipe_halts_the_guest() {
    let run = Run::new(FLEET);
    let drive = DriveName("nvme0n1".to_owned());
    let broken = Fault::DriveEraseFails {
        drive,
        message: "medium error".to_owned(),
        remaining: None,
    };
    run.bmc("node").inject(broken).expect("the drive exists");
    start_wipe(&run).await;
    pass(300).await;
    let Execution::Halted { reason } = run.bmc("node").inspect().execution else {
        panic!("it cannot go on")
    };
    assert_eq!(
        reason,
        "erasing nvme0n1 failed: medium error; replace the drive or erase it again"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_run_gives_the_same_events() {
    let mut traces = Vec::new();
    for _ in 0..2 {
        let run = Run::new(FLEET);
        let events: Arc<Mutex<Vec<MachineEvent>>> = Arc::default();
        let log = Arc::clone(&events);
        run.fleet
            .observe(Arc::new(move |event| log.lock().expect("lock").push(event.clone())));
        serve_boot(&run);
        let client = run.client("node");
        client.post(RESET, json!({ "ResetType": "On" })).await;
        pass(200).await;
        client.post(RESET, json!({ "ResetType": "GracefulShutdown" })).await;
        pass(60).await;
        run.end().await;
        let trace = events.lock().expect("lock").clone();
        traces.push(serde_json::to_string_pretty(&trace).expect("events serialise"));
    }
    assert_eq!(traces[0], traces[1]);
    insta::assert_snapshot!("trace", traces[0]);
}
