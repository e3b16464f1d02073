//! Quirks that no personality has by default, or that need some arranging: what a client sees of each.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Run};

const SYSTEM: &str = "/redfish/v1/Systems/1";
const BIOS: &str = "/redfish/v1/Systems/1/Bios/Settings";

fn run(quirks: &str) -> (Run, Client) {
    let run = Run::new(&format!("machines: [{{ name: node, quirks: [{quirks}] }}]"));
    let client = run.client("node");
    (run, client)
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn reset(client: &Client, reset_type: &str) -> Answer {
    let target = format!("{SYSTEM}/Actions/ComputerSystem.Reset");
    client.post(&target, json!({ "ResetType": reset_type })).await
}

/// Status and first message.
fn said(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.messages().first().copied().unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn what_has_to_be_tried_again() {
    let (_run, client) = run("first-insert-fails, first-bios-patch-fails, eject-takes-time");
    let numlock = json!({ "Attributes": { "HyperThreading": "Disabled" } });
    assert_eq!(
        said(&client.patch(BIOS, numlock.clone()).await),
        (400, "PropertyNotWritable")
    );
    assert_eq!(client.patch(BIOS, numlock).await.status, 204);
    let slot = format!("{SYSTEM}/VirtualMedia/Cd");
    let insert = async || {
        let image = json!({ "Image": "http://images.example/a.iso" });
        client
            .post(&format!("{slot}/Actions/VirtualMedia.InsertMedia"), image)
            .await
    };
    assert_eq!(said(&insert().await), (500, "SYS446"));
    assert_eq!(insert().await.status, 204);
    let eject = format!("{slot}/Actions/VirtualMedia.EjectMedia");
    assert_eq!(client.post(&eject, json!({})).await.status, 204);
    assert_eq!(client.get(&slot).await.body["Inserted"], true);
    insert().await;
    assert_eq!(said(&insert().await), (409, "ResourceInUse"));
    pass(11).await;
    assert_eq!(client.get(&slot).await.body["Inserted"], false);
}

#[tokio::test(start_paused = true)]
async fn what_passes_with_patience() {
    let (_run, client) = run("storage-not-ready-after-restart, busy-after-power-change, secure-boot-fails-during-post");
    assert_eq!(client.get(&format!("{SYSTEM}/Storage")).await.status, 200);
    let manager = "/redfish/v1/Managers/BMC/Actions/Manager.Reset";
    client.post(manager, json!({})).await;
    pass(100).await;
    assert_eq!(said(&client.get(&format!("{SYSTEM}/Storage")).await), (503, "SYS518"));
    pass(20).await;
    assert_eq!(client.get(&format!("{SYSTEM}/Storage")).await.status, 200);

    assert_eq!(reset(&client, "On").await.status, 204);
    pass(4).await;
    assert_eq!(
        said(&reset(&client, "ForceOff").await),
        (400, "InvalidOperationForSystemState")
    );
    assert_eq!(client.get(&format!("{SYSTEM}/SecureBoot")).await.status, 500);
    pass(120).await;
    assert_eq!(client.get(&format!("{SYSTEM}/SecureBoot")).await.status, 200);
    assert_eq!(reset(&client, "ForceOff").await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_forced_restart_may_not_come_back() {
    let (_run, client) = run("force-restart-hangs");
    reset(&client, "On").await;
    pass(120).await;
    reset(&client, "ForceRestart").await;
    pass(120).await;
    let state = async || serde_json::to_value(client.bmc.inspect().execution).expect("JSON")["state"].clone();
    assert_eq!(state().await, "PostHung");
    reset(&client, "ForceOff").await;
    pass(10).await;
    reset(&client, "On").await;
    pass(120).await;
    assert_ne!(state().await, "PostHung");
}

#[tokio::test(start_paused = true)]
async fn tasks_that_vanish() {
    let (_run, client) = run("tasks-vanish");
    let erase = format!("{SYSTEM}/Storage/1/Drives/nvme0n1/Actions/Drive.SecureErase");
    let accepted = client.post(&erase, json!({})).await;
    let monitor = accepted.header("location").to_owned();
    let task = monitor.replace("TaskMonitors", "Tasks");
    pass(95).await;
    assert_eq!(client.get(&monitor).await.status, 404);
    assert_eq!(client.get(&task).await.body["TaskState"], "Completed");
    pass(60).await;
    assert_eq!(client.get(&task).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_none() {
    let (_run, client) = run("bios-settings-become-job, refused-but-done");
    let attributes = json!({ "Attributes": { "HyperThreading": "Disabled" } });
    assert_eq!(client.patch(BIOS, attributes).await.status, 400);
    assert_eq!(
        client.get("/redfish/v1/TaskService/Tasks").await.body["Members@odata.count"],
        1
    );
    reset(&client, "On").await;
    pass(10).await;
    let bios = client.get("/redfish/v1/Systems/1/Bios").await.body;
    assert_eq!(bios["Attributes"]["HyperThreading"], "Disabled");
}

#[tokio::test(start_paused = true)]
async fn boot_settings_of_others() {
    let (_run, client) = run("override-none-refused, http-boot-uri-ignored");
    let boot = |enabled: &str, target: &str| {
        json!({ "Boot": {
            "BootSourceOverrideEnabled": enabled, "BootSourceOverrideTarget": target, "HttpBootUri": "http://boot.example",
        } })
    };
    assert_eq!(
        said(&client.patch(SYSTEM, boot("Once", "None")).await),
        (400, "PropertyValueNotInList")
    );
    assert_eq!(client.patch(SYSTEM, boot("Disabled", "None")).await.status, 204);
    assert_eq!(client.patch(SYSTEM, boot("Once", "UefiHttp")).await.status, 204);
    let shown = client.get(SYSTEM).await.body["Boot"].clone();
    assert_eq!(
        (&shown["BootSourceOverrideTarget"], &shown["HttpBootUri"]),
        (&json!("UefiHttp"), &Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn etags_of_others() {
    let (_run, client) = run("etags-quoted-twice");
    let tag = client.get(SYSTEM).await.header("etag").to_owned();
    assert!(tag.starts_with("\"\"") && tag.ends_with("\"\""), "{tag}");
    let change = json!({ "AssetTag": "a" });
    assert_eq!(
        client.with("if-match", &tag).patch(SYSTEM, change.clone()).await.status,
        204
    );
    let (_run, client) = run("gzip-weakens-etags");
    assert!(client.get(SYSTEM).await.header("etag").starts_with('"'));
    let compressed = client.with("accept-encoding", "gzip").get(SYSTEM).await;
    let tag = compressed.header("etag").to_owned();
    assert!(tag.starts_with("W/"), "{tag}");
    assert_eq!(client.with("if-match", &tag).patch(SYSTEM, change).await.status, 412);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there() {
    let (_run, client) = run("no-ethernet-interfaces, media-at-manager, null-members, pcie-members-empty");
    let system = client.get(SYSTEM).await.body;
    assert_eq!(system.get("EthernetInterfaces"), None);
    assert_eq!(client.get(&format!("{SYSTEM}/EthernetInterfaces")).await.status, 404);
    assert_eq!(system.get("VirtualMedia"), None);
    assert_eq!(client.get("/redfish/v1/Managers/BMC/VirtualMedia/Cd").await.status, 200);
    let volumes = client.get(&format!("{SYSTEM}/Storage/1/Volumes")).await.body;
    assert_eq!(volumes["Members"], Value::Null);
    reset(&client, "On").await;
    let devices = client.get("/redfish/v1/Chassis/1/PCIeDevices").await.body;
    assert_eq!(devices["Members"], json!([{}, {}]));
}

#[tokio::test(start_paused = true)]
async fn registries_of_others() {
    let (_run, client) = run("registries-need-gzip, registry-misspells");
    let uri = "/redfish/v1/Registries/BiosAttributeRegistry.1.0.0/Registry";
    assert_eq!(client.get(uri).await.status, 406);
    let (_run, client) = run("registry-misspells");
    let attribute = client.get(uri).await.body["RegistryEntries"]["Attributes"][0].clone();
    assert_eq!(
        (attribute.get("ReadOnly"), &attribute["Readonly"]),
        (None, &json!(false))
    );
}

#[tokio::test(start_paused = true)]
async fn clocks_and_events_of_others() {
    let (run, client) = run("same-offset-refused, bare-event-records");
    let offset = json!({ "DateTimeLocalOffset": "+00:00" });
    let answer = client.patch("/redfish/v1/Managers/BMC", offset).await;
    assert_eq!(said(&answer), (400, "PropertyValueError"));
    run.world.serve("http://listener.example", "");
    let subscription = json!({ "Destination": "http://listener.example", "Protocol": "Redfish" });
    client
        .post("/redfish/v1/EventService/Subscriptions", subscription)
        .await;
    reset(&client, "On").await;
    pass(5).await;
    let requests = run.world.requests.lock().expect("lock").clone();
    let record = &requests[0].1["Events"][0];
    assert!(record["MessageId"].is_string());
    assert_eq!((record.get("MemberId"), record.get("EventType")), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_bmc_may_be_deaf_after_its_own_update() {
    let (run, client) = run("deaf-after-update");
    run.world.serve("http://images.example/bmc-2.0.bin", "firmware");
    let update = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate";
    let body = json!({ "ImageURI": "http://images.example/bmc-2.0.bin" });
    assert_eq!(client.post(update, body).await.status, 202);
    pass(180 + 290).await;
    assert!(client.send(Method::GET, "/redfish/v1", "").await.dropped);
    pass(20).await;
    assert_eq!(client.get("/redfish/v1").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_virtual_cd_may_have_another_name() {
    for (target, expected) in [("Cd", "Halted"), ("UsbCd", "Guest")] {
        let (run, client) = run("virtual-cd-is-usb-cd");
        run.world.serve("http://images.example/a.iso", "image");
        let insert = format!("{SYSTEM}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia");
        client
            .post(&insert, json!({ "Image": "http://images.example/a.iso" }))
            .await;
        let boot = json!({ "Boot": { "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": target } });
        assert_eq!(client.patch(SYSTEM, boot).await.status, 204);
        reset(&client, "On").await;
        pass(120).await;
        let execution = serde_json::to_value(client.bmc.inspect().execution).expect("JSON");
        assert_eq!(execution["state"], expected, "{target}");
    }
}

/// What an iLO takes instead of `HttpBootUri`.
#[tokio::test(start_paused = true)]
async fn http_boot_follows_a_bios_attribute() {
    let run = Run::new("machines: [{ name: node, personality: hpe, quirks: [http-boot-uri-ignored] }]");
    let client = run.client("node");
    let script = "#!ipxe\nkernel http://boot.example/kernel quiet\nboot\n";
    run.world.serve("http://boot.example/script", script);
    let attributes = json!({ "Attributes": { "UrlBootFile": "http://boot.example/script" } });
    assert_eq!(client.patch(BIOS, attributes).await.status, 200);
    let boot = json!({ "Boot": {
        "BootSourceOverrideEnabled": "Once",
        "BootSourceOverrideTarget": "UefiHttp",
        "HttpBootUri": "http://boot.example/other",
    } });
    assert_eq!(client.patch(SYSTEM, boot).await.status, 200);
    reset(&client, "On").await;
    pass(300).await;
    assert_eq!(run.world.urls(), ["http://boot.example/script"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_idrac_says_so_in_its_own_words() {
    let run = Run::new("machines: [{ name: node, personality: dell }]");
    let client = run.client("node");
    let log_in = async || {
        let credentials = json!({ "UserName": "admin", "Password": "password" });
        client.post("/redfish/v1/SessionService/Sessions", credentials).await
    };
    for _ in 0..8 {
        assert_eq!(log_in().await.status, 201);
    }
    assert_eq!(said(&log_in().await), (503, "RAC0218"));
}
