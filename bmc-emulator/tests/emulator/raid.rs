//! RAID volumes, and what they leave on their drives.

use std::collections::BTreeMap;
use std::time::Duration;

use bmc_emulator::{AdminAction, DriveName, MachineTruth};
use serde_json::{Value, json};

use crate::support::{Client, Run};

const FLEET: &str = "
machines:
- name: generic
  drives: &drives
  - { name: sda, protocol: SAS, controller: RAID.1, sizeBytes: 1000000 }
  - { name: sdb, protocol: SAS, controller: RAID.1, sizeBytes: 2000000 }
  - { name: sdc, protocol: SAS, controller: RAID.1, sizeBytes: 2000000 }
  - { name: nvme0n1 }
  storageControllers: &controllers
  - { id: RAID.1, model: RAID 9560, raidTypes: [RAID0, RAID1, RAID5] }
- name: dell
  personality: dell
  drives: *drives
  storageControllers: *controllers
- name: delivered
  drives: *drives
  storageControllers: *controllers
  volumes: [{ controller: RAID.1, raidType: RAID1, drives: [sda, sdb], name: os }]
";

const STORAGE: &str = "/redfish/v1/Systems/1/Storage/RAID.1";

fn volume(storage: &str, raid: &str, drives: &[&str]) -> Value {
    let drives: Vec<Value> = drives
        .iter()
        .map(|drive| json!({ "@odata.id": format!("{storage}/Drives/{drive}") }))
        .collect();
    json!({ "RAIDType": raid, "Links": { "Drives": drives } })
}

/// What is on each drive and volume, by record name.
fn contents(truth: &MachineTruth) -> BTreeMap<String, Vec<String>> {
    let drives = truth.drives.iter().map(|drive| (&drive.name, &drive.records));
    let volumes = truth.volumes.iter().map(|volume| (&volume.device, &volume.records));
    let all = drives.chain(volumes).filter(|(_, records)| !records.is_empty());
    all.map(|(name, records)| (name.clone(), records.keys().cloned().collect()))
        .collect()
}

fn write(client: &Client, drive: &str, record: &str) {
    let records = BTreeMap::from([(record.to_owned(), "secret".to_owned())]);
    let drive = DriveName(drive.to_owned());
    let written = client.bmc.apply(AdminAction::WriteDrive { drive, records });
    written.expect("there is such a drive");
}

#[tokio::test(start_paused = true)]
async fn a_volume_hides_its_drives_and_keeps_them_from_being_erased() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let volumes = format!("{STORAGE}/Volumes");
    let created = client.post(&volumes, volume(STORAGE, "RAID1", &["sda", "sdb"])).await;
    assert_eq!(
        (created.status, created.header("location")),
        (201, format!("{volumes}/1").as_str())
    );
    insta::assert_json_snapshot!("volume", client.get(&format!("{volumes}/1")).await.body);
    insta::assert_json_snapshot!("storage", client.get(STORAGE).await.body);
    insta::assert_json_snapshot!("controller", client.get(&format!("{STORAGE}/Controllers/0")).await.body);
    let member = client.get(&format!("{STORAGE}/Drives/sda")).await.body;
    assert_eq!(
        member["Links"]["Volumes"],
        json!([{ "@odata.id": format!("{volumes}/1") }])
    );
    let erase = format!("{STORAGE}/Drives/sda/Actions/Drive.SecureErase");
    let refused = client.post(&erase, json!({})).await;
    assert_eq!((refused.status, refused.messages()), (409, vec!["ResourceInUse"]));
    assert_eq!(client.delete(&format!("{volumes}/1")).await.status, 204);
    assert_eq!(client.post(&erase, json!({})).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_become_a_volume() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let volumes = format!("{STORAGE}/Volumes");
    let sized = |bytes: u64| {
        let mut body = volume(STORAGE, "RAID0", &["sdc"]);
        body["CapacityBytes"] = json!(bytes);
        body
    };
    for (body, status, message) in [
        (volume(STORAGE, "RAID6", &["sda"]), 400, "PropertyValueNotInList"),
        (volume(STORAGE, "RAID1", &["sda"]), 400, "PropertyValueError"),
        (volume(STORAGE, "RAID1", &["sda", "sda"]), 400, "PropertyValueError"),
        (volume(STORAGE, "RAID1", &["sda", "nvme0n1"]), 400, "PropertyValueError"),
        (json!({ "RAIDType": "RAID1" }), 400, "PropertyMissing"),
        (sized(3_000_000), 400, "PropertyValueError"),
        (sized(0), 400, "PropertyValueError"),
    ] {
        let answer = client.post(&volumes, body.clone()).await;
        assert_eq!((answer.status, answer.messages()), (status, vec![message]), "{body}");
    }
    let first = client.post(&volumes, volume(STORAGE, "RAID1", &["sda", "sdb"])).await;
    assert_eq!(first.status, 201);
    let second = client.post(&volumes, volume(STORAGE, "RAID1", &["sdb", "sdc"])).await;
    assert_eq!((second.status, second.messages()), (409, vec!["ResourceInUse"]));
    let hba = client.post("/redfish/v1/Systems/1/Storage/1/Volumes", json!({})).await;
    assert_eq!((hba.status, hba.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_volume_stays_on_its_drives() {
    let run = Run::new(FLEET);
    let client = run.client("delivered");
    write(&client, "sdd", "tenant");
    assert_eq!(
        contents(&client.bmc.inspect()),
        BTreeMap::from([("sdd".to_owned(), vec!["tenant".to_owned()])])
    );
    let uri = format!("{STORAGE}/Volumes/1");
    assert_eq!(client.get(&uri).await.body["Name"], "os");
    let initialize = format!("{uri}/Actions/Volume.Initialize");
    let quick = client.post(&initialize, json!({ "InitializeType": "Fast" })).await;
    assert_eq!(quick.status, 202);
    assert_eq!(client.delete(&uri).await.status, 409, "one thing at a time");
    let operation = &client.get(&uri).await.body["Operations"][0];
    assert_eq!(operation["OperationName"], "Initialize");
    tokio::time::sleep(Duration::from_secs(40)).await;
    let left = |names: [&str; 2]| names.map(|name| (name.to_owned(), vec!["tenant".to_owned()]));
    assert_eq!(contents(&client.bmc.inspect()), BTreeMap::from(left(["sda", "sdb"])));
    assert_eq!(
        client
            .post(&initialize, json!({ "InitializeType": "Slow" }))
            .await
            .status,
        202
    );
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(contents(&client.bmc.inspect()).is_empty());

    write(&client, "sdd", "tenant");
    assert_eq!(client.delete(&uri).await.status, 204);
    assert_eq!(contents(&client.bmc.inspect()), BTreeMap::from(left(["sda", "sdb"])));
    assert_eq!(client.get(&uri).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn an_idrac_makes_jobs_of_it() {
    let run = Run::new(FLEET);
    let client = run.client("dell");
    let storage = "/redfish/v1/Systems/System.Embedded.1/Storage/RAID.1";
    let volumes = format!("{storage}/Volumes");
    let mut body = volume(storage, "RAID5", &["sda", "sdb", "sdc"]);
    body["@Redfish.OperationApplyTime"] = json!("OnReset");
    let accepted = client.post(&volumes, body.clone()).await;
    assert_eq!(accepted.status, 202);
    let job = accepted.header("location").to_owned();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(client.get(&volumes).await.body["Members@odata.count"], 0);
    assert_eq!(client.get(&job).await.body["TaskState"], "Starting");
    body["@Redfish.OperationApplyTime"] = json!("Immediate");
    assert_eq!(
        client.post(&volumes, body.clone()).await.status,
        409,
        "the drives are promised"
    );
    let reset = "/redfish/v1/Systems/System.Embedded.1/Actions/ComputerSystem.Reset";
    client.post(reset, json!({ "ResetType": "On" })).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(client.get(&job).await.body["TaskState"], "Completed");
    let volume = client.get(&format!("{volumes}/1")).await.body;
    assert_eq!(volume["CapacityBytes"], 2_000_000);

    let accepted = client.delete(&format!("{volumes}/1")).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(client.get(&volumes).await.body["Members@odata.count"], 1);
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(client.get(&volumes).await.body["Members@odata.count"], 0);
    body["@Redfish.OperationApplyTime"] = json!("AtMaintenanceWindowStart");
    assert_eq!(client.post(&volumes, body).await.messages(), ["PropertyValueNotInList"]);
}

#[tokio::test(start_paused = true)]
async fn a_volume_survives_what_its_type_says() {
    let run = Run::new(FLEET);
    let client = run.client("delivered");
    let uri = format!("{STORAGE}/Volumes/1");
    for (drive, state) in [("sda", "Degraded"), ("sdb", "UnavailableOffline")] {
        let drive = DriveName(drive.to_owned());
        client.bmc.apply(AdminAction::PullDrive { drive }).expect("a drive");
        assert_eq!(client.get(&uri).await.body["Status"]["State"], state);
    }
}

/// The host boots from a volume as from a drive, and from none of its members.
#[tokio::test(start_paused = true)]
async fn a_volume_can_be_booted() {
    let run = Run::new(FLEET);
    let client = run.client("delivered");
    write(&client, "sdd", "boot-image");
    let reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    client.post(reset, json!({ "ResetType": "On" })).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let execution = serde_json::to_value(client.bmc.inspect().execution).expect("JSON");
    assert_eq!(execution, json!({ "state": "Guest", "source": "drive:sdd" }));
}

/// Machines come with the disks of whoever had them before.
#[tokio::test(start_paused = true)]
async fn a_drive_may_have_a_past() {
    let run = Run::new(
        "
machines:
- name: node
  drives:
  - { name: sda, content: { partition-table: gpt, 'filesystem:/': ext4, raid-member: md0 } }
",
    );
    let client = run.client("node");
    let past = ["filesystem:/", "partition-table", "raid-member"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        contents(&client.bmc.inspect()),
        BTreeMap::from([("sda".to_owned(), past)])
    );
    let erase = "/redfish/v1/Systems/1/Storage/1/Drives/sda/Actions/Drive.SecureErase";
    assert_eq!(client.post(erase, json!({})).await.status, 202);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(contents(&client.bmc.inspect()).is_empty());
}
