//! What single vendors do beside the specification: with the quirk, and with it switched off.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Run};

const RESET: &str = "/Actions/ComputerSystem.Reset";

/// A machine of this personality, with and without its default quirks.
fn both(personality: &str, quirks: &str) -> (Run, Run) {
    let fleet = |more: &str| format!("machines: [{{ name: node, personality: {personality}, {more} }}]");
    (
        Run::new(&fleet("")),
        Run::new(&fleet(&format!("withoutQuirks: [{quirks}]"))),
    )
}

async fn only_member(client: &Client, collection: &str) -> String {
    let answer = client.get(&format!("/redfish/v1/{collection}")).await;
    answer.body["Members"][0]["@odata.id"]
        .as_str()
        .expect("a member")
        .to_owned()
}

fn pxe() -> Value {
    json!({ "Boot": { "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe" } })
}

#[tokio::test(start_paused = true)]
async fn an_ilo_cannot_be_modified_during_post() {
    let (quirky, plain) = both("hpe", "modify-refused-during-post");
    for (run, expected) in [
        (quirky, (400, vec!["UnableToModifyDuringSystemPOST"])),
        (plain, (200, vec!["Success"])),
    ] {
        let client = run.client("node");
        let system = only_member(&client, "Systems").await;
        client
            .post(&format!("{system}{RESET}"), json!({ "ResetType": "On" }))
            .await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        let answer = client.patch(&system, pxe()).await;
        assert_eq!((answer.status, answer.messages()), expected);
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(client.patch(&system, pxe()).await.status, 200, "after POST");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ilo_says_little_about_booting_in_the_standard_property() {
    let (quirky, plain) = both("hpe", "coarse-boot-progress");
    for (run, expected) in [(quirky, "None"), (plain, "PrimaryProcessorInitializationStarted")] {
        let client = run.client("node");
        let system = only_member(&client, "Systems").await;
        client
            .post(&format!("{system}{RESET}"), json!({ "ResetType": "On" }))
            .await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        let document = client.get(&system).await.body;
        assert_eq!(document["BootProgress"]["LastState"], expected);
        assert_eq!(document["Oem"]["Hpe"]["PostState"], "InPost");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ilo_takes_no_retry_policy() {
    let (quirky, plain) = both("hpe", "retry-policy-rejected");
    for (run, expected) in [(quirky, 400), (plain, 201)] {
        let subscription = json!({
            "Destination": "http://listener.example", "Protocol": "Redfish", "DeliveryRetryPolicy": "RetryForever",
        });
        let answer = run
            .client("node")
            .post("/redfish/v1/EventService/Subscriptions", subscription)
            .await;
        assert_eq!(answer.status, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn megarac_wants_a_precondition_and_the_settings_object() {
    let (quirky, plain) = both("ami", "boot-only-in-settings, patch-needs-if-match");
    let client = quirky.client("node");
    let system = only_member(&client, "Systems").await;
    let blind = client.patch(&system, pxe()).await;
    assert_eq!((blind.status, blind.messages()), (428, vec!["PreconditionRequired"]));
    let wrong_place = client.with("if-match", "*").patch(&system, pxe()).await;
    assert_eq!(
        (wrong_place.status, wrong_place.messages()),
        (400, vec!["PropertyNotWritable"])
    );
    let document = client.get(&system).await.body;
    let settings = document["@Redfish.Settings"]["SettingsObject"]["@odata.id"]
        .as_str()
        .expect("a link")
        .to_owned();
    assert_eq!(settings, format!("{system}/SD"));
    let etag = client.get(&settings).await.header("etag").to_owned();
    assert_eq!(client.with("if-match", &etag).patch(&settings, pxe()).await.status, 204);
    assert_eq!(
        client.get(&system).await.body["Boot"]["BootSourceOverrideTarget"],
        "Pxe"
    );

    let plain = plain.client("node");
    assert_eq!(plain.patch(&system, pxe()).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn supermicro_falls_back_to_legacy_boot() {
    let (quirky, plain) = both("supermicro", "boot-mode-reverts");
    for (run, expected) in [(quirky, "Legacy"), (plain, "UEFI")] {
        let client = run.client("node");
        let system = only_member(&client, "Systems").await;
        client.patch(&system, pxe()).await;
        assert_eq!(
            client.get(&system).await.body["Boot"]["BootSourceOverrideMode"],
            expected
        );
        let mut whole = pxe();
        whole["Boot"]["BootSourceOverrideMode"] = json!("UEFI");
        client.patch(&system, whole).await;
        assert_eq!(client.get(&system).await.body["Boot"]["BootSourceOverrideMode"], "UEFI");
    }
}

#[tokio::test(start_paused = true)]
async fn supermicro_hides_attributes_while_nothing_is_pending() {
    let (quirky, plain) = both("supermicro", "no-pending-attributes");
    for (run, expected) in [(quirky, false), (plain, true)] {
        let client = run.client("node");
        let settings = format!("{}/Bios/SD", only_member(&client, "Systems").await);
        assert_eq!(client.get(&settings).await.body["Attributes"].is_object(), expected);
        client
            .patch(&settings, json!({ "Attributes": { "QuietBoot": "Disable" } }))
            .await;
        assert_eq!(
            client.get(&settings).await.body["Attributes"],
            json!({ "QuietBoot": "Disable" })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_xcc_lists_firmware_twice_and_stages_the_boot_order() {
    let (quirky, plain) = both("lenovo", "pending-firmware-twins");
    for (run, expected) in [(&quirky, 4), (&plain, 2)] {
        let inventory = run
            .client("node")
            .get("/redfish/v1/UpdateService/FirmwareInventory")
            .await;
        assert_eq!(inventory.body["Members@odata.count"], expected);
    }
    let client = plain.client("node");
    let system = only_member(&client, "Systems").await;
    let reversed = json!({ "Boot": { "BootOrder": ["Boot0002", "Boot0001"] } });
    assert_eq!(client.patch(&system, reversed.clone()).await.status, 204);
    assert_eq!(
        client.get(&system).await.body["Boot"]["BootOrder"],
        json!(["Boot0001", "Boot0002"])
    );
    let pending = client.get(&format!("{system}/Pending")).await.body;
    assert_eq!(pending["Boot"]["BootOrder"], reversed["Boot"]["BootOrder"]);
    client
        .post(&format!("{system}{RESET}"), json!({ "ResetType": "On" }))
        .await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(
        client.get(&system).await.body["Boot"]["BootOrder"],
        reversed["Boot"]["BootOrder"]
    );
    let continuous =
        json!({ "Boot": { "BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Pxe" } });
    assert_eq!(
        client.patch(&system, continuous).await.messages(),
        ["PropertyValueNotInList"]
    );
}

#[tokio::test(start_paused = true)]
async fn openbmc_knows_no_boot_order() {
    let (quirky, plain) = both("openbmc", "no-boot-order");
    for (run, expected) in [(quirky, false), (plain, true)] {
        let client = run.client("node");
        let boot = client.get(&only_member(&client, "Systems").await).await.body["Boot"].clone();
        assert_eq!(
            (boot["BootOrder"].is_array(), boot["BootOptions"].is_object()),
            (expected, expected)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn network_cards_have_the_addresses_of_their_vendor() {
    let run = Run::new("machines: [{ name: node, count: 50, personality: supermicro }, { name: other }]");
    let addresses: std::collections::BTreeSet<String> =
        run.fleet.bmcs().iter().map(|bmc| bmc.endpoint().mac_address).collect();
    assert_eq!(addresses.len(), 51);
    assert_eq!(
        addresses
            .iter()
            .filter(|address| address.starts_with("3c:ec:ef:"))
            .count(),
        50
    );
}

/// A generic machine with this quirk.
fn with(quirk: &str) -> Run {
    Run::new(&format!("machines: [{{ name: node, quirks: [{quirk}] }}]"))
}

const SYSTEM: &str = "/redfish/v1/Systems/1";
const ERASE: &str = "/redfish/v1/Systems/1/Storage/1/Drives/nvme0n1/Actions/Drive.SecureErase";

#[tokio::test(start_paused = true)]
async fn a_task_begins_as_new() {
    let run = with("new-task-state");
    let client = run.client("node");
    client.post(ERASE, json!({})).await;
    let state = || {
        let client = client.clone();
        async move { client.get("/redfish/v1/TaskService/Tasks/1").await.body["TaskState"].clone() }
    };
    assert_eq!(state().await, "New");
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(state().await, "Running");
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(state().await, "Completed");
}

#[tokio::test(start_paused = true)]
async fn a_task_nobody_is_pointed_to() {
    let run = with("accepted-without-location");
    let accepted = run.client("node").post(ERASE, json!({})).await;
    assert_eq!((accepted.status, accepted.header("location")), (202, ""));
}

#[tokio::test(start_paused = true)]
async fn subscriptions_of_others() {
    let run = with("no-subscription-context, event-time-without-colon");
    let client = run.client("node");
    let wanted = json!({ "Destination": "http://listener.example/", "Protocol": "Redfish", "Context": "mine" });
    let made = client.post("/redfish/v1/EventService/Subscriptions", wanted).await;
    assert!(made.body["Context"].is_null() && made.body["Destination"].is_string());
    client
        .post(
            "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent",
            json!({}),
        )
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let requests = run.world.requests.lock().expect("lock").clone();
    assert_eq!(requests[0].1["Events"][0]["EventTimestamp"], "2025-12-31T18:00:00-0600");
}

#[tokio::test(start_paused = true)]
async fn a_button_that_is_not_there() {
    let run = with("push-power-button-listed");
    let client = run.client("node");
    let types = &client.get(SYSTEM).await.body["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"];
    assert!(
        types
            .as_array()
            .is_some_and(|types| types.contains(&json!("PushPowerButton")))
    );
    let refused = client
        .post(&format!("{SYSTEM}{RESET}"), json!({ "ResetType": "PushPowerButton" }))
        .await;
    assert_eq!(refused.status, 400);
}

#[tokio::test(start_paused = true)]
async fn an_override_that_does_not_stay() {
    let run = with("continuous-not-kept");
    let client = run.client("node");
    let boot = json!({ "Boot": { "BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Pxe" } });
    client.patch(SYSTEM, boot).await;
    assert_eq!(
        client.get(SYSTEM).await.body["Boot"]["BootSourceOverrideEnabled"],
        "Continuous"
    );
    client
        .post(&format!("{SYSTEM}{RESET}"), json!({ "ResetType": "On" }))
        .await;
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(
        client.get(SYSTEM).await.body["Boot"]["BootSourceOverrideEnabled"],
        "Disabled"
    );
}

#[tokio::test(start_paused = true)]
async fn weak_etags_do_not_match() {
    let run = with("weak-etags");
    let client = run.client("node");
    let tag = client.get(SYSTEM).await.header("etag").to_owned();
    assert!(tag.starts_with("W/\""));
    let lit = json!({ "IndicatorLED": "Lit" });
    assert_eq!(
        client.with("if-match", &tag).patch(SYSTEM, lit.clone()).await.status,
        412
    );
    assert_eq!(
        client
            .with("if-match", tag.trim_start_matches("W/"))
            .patch(SYSTEM, lit)
            .await
            .status,
        204
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_of_whole_seconds() {
    let run = with("clock-takes-whole-seconds");
    let client = run.client("node");
    let uri = "/redfish/v1/Managers/BMC";
    assert_eq!(
        client
            .patch(uri, json!({ "DateTime": "2030-05-06T07:08:09.5Z" }))
            .await
            .status,
        400
    );
    assert_eq!(
        client
            .patch(uri, json!({ "DateTime": "2030-05-06T07:08:09Z" }))
            .await
            .status,
        204
    );
}
