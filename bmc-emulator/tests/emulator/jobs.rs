//! Jobs, in the `JobService` and in the queue of an iDRAC.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Client, Run};

const DELL: &str = "/redfish/v1/Systems/System.Embedded.1";
const QUEUE: &str = "/redfish/v1/Managers/iDRAC.Embedded.1/Oem/Dell/Jobs";

async fn power_on(client: &Client, system: &str) {
    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    let answer = client.post(&reset, json!({ "ResetType": "On" })).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    tokio::time::sleep(Duration::from_secs(30)).await;
}

fn num_lock() -> Value {
    json!({ "Attributes": { "NumLock": "Off" } })
}

#[tokio::test(start_paused = true)]
async fn a_job_is_shown_in_both_places() {
    let run = Run::new("machines: [{ name: node, personality: dell }]");
    let client = run.client("node");
    let accepted = client.patch(&format!("{DELL}/Bios/Settings"), num_lock()).await;
    let id = accepted
        .header("location")
        .rsplit('/')
        .next()
        .expect("an id")
        .to_owned();
    let job = format!("/redfish/v1/JobService/Jobs/{id}");
    insta::assert_json_snapshot!("job", client.get(&job).await.body);
    insta::assert_json_snapshot!("dell_job", client.get(&format!("{QUEUE}/{id}")).await.body);
    power_on(&client, DELL).await;
    assert_eq!(client.get(&job).await.body["JobState"], "Completed");
    assert_eq!(client.get(&format!("{QUEUE}/{id}")).await.body["JobState"], "Completed");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_job_is_not_done() {
    let run = Run::new("machines: [{ name: node, personality: dell }]");
    let client = run.client("node");
    let settings = format!("{DELL}/Bios/Settings");
    client.patch(&settings, num_lock()).await;
    let clear = "/redfish/v1/Managers/iDRAC.Embedded.1/Oem/Dell/DellJobService/Actions/DellJobService.DeleteJobQueue";
    assert_eq!(client.post(clear, json!({ "JobID": "JID_1" })).await.status, 400);
    assert_eq!(client.post(clear, json!({ "JobID": "JID_CLEARALL" })).await.status, 200);
    assert_eq!(client.get(QUEUE).await.body["Members@odata.count"], 0);
    power_on(&client, DELL).await;
    assert_eq!(
        client.get(&format!("{DELL}/Bios")).await.body["Attributes"]["NumLock"],
        "On"
    );
    let drive = format!("{DELL}/Storage/PCIeSSD.Slot.1/Drives/nvme0n1/Actions/Drive.SecureErase");
    let erasure = client.post(&drive, json!({})).await;
    let running = erasure
        .header("location")
        .replace("TaskService/Tasks", "JobService/Jobs");
    assert_eq!(client.delete(&running).await.status, 409, "it runs");
}

/// What badfish and others do: settings first, the job for them afterwards.
#[tokio::test(start_paused = true)]
async fn settings_may_wait_for_a_job() {
    let run =
        Run::new("machines: [{ name: node, personality: dell, quirks: [bios-settings-need-job, bios-shows-pending] }]");
    let client = run.client("node");
    let settings = format!("{DELL}/Bios/Settings");
    let body = json!({ "TargetSettingsURI": settings });
    assert_eq!(client.post(QUEUE, body.clone()).await.messages()[0], "RAC0508");
    assert_eq!(client.patch(&settings, num_lock()).await.status, 200);
    let bios = client.get(&format!("{DELL}/Bios")).await.body;
    assert_eq!(bios["Attributes"]["NumLock"], "Off", "pending looks like in force");
    power_on(&client, DELL).await;
    assert_eq!(
        client.get(&settings).await.body["Attributes"],
        json!({ "NumLock": "Off" })
    );
    let created = client.post(QUEUE, body.clone()).await;
    assert_eq!(created.status, 200);
    let job = created.header("location").to_owned();
    assert_eq!(client.post(QUEUE, body).await.messages()[0], "RAC012");
    client
        .post(
            &format!("{DELL}/Actions/ComputerSystem.Reset"),
            json!({ "ResetType": "ForceRestart" }),
        )
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(client.get(&job).await.body["JobState"], "Completed");
    assert_eq!(client.get(&settings).await.body["Attributes"], json!({}));
}
