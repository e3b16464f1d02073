//! Virtual media: inserted, booted from, ejected, on every personality.

use std::time::Duration;

use bmc_emulator::Execution;
use serde_json::{Value, json};

use crate::conformance::{FLEET, personalities};
use crate::support::{Client, Run};

const IMAGE: &str = "http://images.example/rescue.iso";

async fn get(client: &Client, uri: &Value) -> Value {
    client.get(uri["@odata.id"].as_str().expect("a link")).await.body
}

/// The slot for discs, wherever this BMC has it.
async fn disc_slot(client: &Client) -> Value {
    let root = client.get("/redfish/v1").await.body;
    for collection in ["Systems", "Managers"] {
        let parent = get(client, &get(client, &root[collection]).await["Members"][0]).await;
        if parent["VirtualMedia"].is_null() {
            continue;
        }
        let members = get(client, &parent["VirtualMedia"]).await["Members"].clone();
        for member in members.as_array().expect("members") {
            let slot = get(client, member).await;
            if slot["MediaTypes"]
                .as_array()
                .is_some_and(|types| types.contains(&json!("CD")))
            {
                return slot;
            }
        }
    }
    panic!("no slot for discs")
}

fn action(resource: &Value, name: &str) -> String {
    resource["Actions"][name]["target"]
        .as_str()
        .expect("the action")
        .to_owned()
}

async fn boot_from(client: &Client, target: &str) {
    let root = client.get("/redfish/v1").await.body;
    let system = get(client, &get(client, &root["Systems"]).await["Members"][0]).await;
    let settings = &system["@Redfish.Settings"]["SettingsObject"]["@odata.id"];
    let boot = json!({ "Boot": {
        "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": target,
    } });
    let uri = system["@odata.id"].as_str().expect("an identity");
    let client = client.with("if-match", "*");
    if client.patch(uri, boot.clone()).await.status >= 400 {
        let answer = client.patch(settings.as_str().expect("a settings object"), boot).await;
        assert!(answer.status < 300, "{}", answer.text);
    }
    let reset = client
        .post(&action(&system, "#ComputerSystem.Reset"), json!({ "ResetType": "On" }))
        .await;
    assert_eq!(reset.status, 204);
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_boots_from_an_inserted_image() {
    for name in personalities() {
        let run = Run::new(FLEET);
        run.world.serve(IMAGE, "CD001");
        let client = run.client(&name);
        let slot = disc_slot(&client).await;
        assert_eq!(
            (&slot["Inserted"], &slot["ConnectedVia"]),
            (&json!(false), &json!("NotConnected")),
            "{name}"
        );
        let insert = action(&slot, "#VirtualMedia.InsertMedia");
        assert!(
            client.post(&insert, json!({ "Image": IMAGE })).await.status < 300,
            "{name}"
        );
        let inserted = get(&client, &slot).await;
        assert_eq!(
            (
                &inserted["Inserted"],
                &inserted["Image"],
                &inserted["ImageName"],
                &inserted["TransferProtocolType"]
            ),
            (&json!(true), &json!(IMAGE), &json!("rescue.iso"), &json!("HTTP")),
            "{name}"
        );
        assert_eq!(
            client.post(&insert, json!({ "Image": IMAGE })).await.status,
            409,
            "{name}: one at a time"
        );

        boot_from(&client, "Cd").await;
        let source = format!("media:{}", slot["Id"].as_str().expect("an id"));
        assert_eq!(
            run.bmc(&name).inspect().execution,
            Execution::Guest { source },
            "{name}"
        );
        assert_eq!(run.world.urls(), [IMAGE], "{name}");

        assert!(
            client
                .post(&action(&slot, "#VirtualMedia.EjectMedia"), json!({}))
                .await
                .status
                < 300
        );
        assert_eq!(get(&client, &slot).await["Inserted"], false, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_nobody_serves_boots_nothing() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let slot = disc_slot(&client).await;
    client
        .post(&action(&slot, "#VirtualMedia.InsertMedia"), json!({ "Image": IMAGE }))
        .await;
    boot_from(&client, "Cd").await;
    let Execution::Halted { reason } = run.bmc("generic").inspect().execution else {
        panic!("nothing can run")
    };
    assert!(
        reason.starts_with(&format!("media:Cd: GET {IMAGE}: 404 Not Found; drive:")),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn parameters_are_checked() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let slot = disc_slot(&client).await;
    let insert = action(&slot, "#VirtualMedia.InsertMedia");
    let table = [
        (json!({}), "ActionParameterMissing"),
        (json!({ "Image": "rescue.iso" }), "PropertyValueError"),
        (json!({ "Image": "gopher://images.example/a" }), "PropertyValueError"),
        (
            json!({ "Image": IMAGE, "TransferMethod": "Upload" }),
            "ActionParameterValueNotInList",
        ),
        (json!({ "Image": IMAGE, "Speed": 8 }), "ActionParameterUnknown"),
        (json!({ "Image": IMAGE, "Inserted": "yes" }), "PropertyValueTypeError"),
    ];
    for (body, message) in table {
        let answer = client.post(&insert, body.clone()).await;
        assert_eq!((answer.status, answer.messages()), (400, vec![message]), "{body}");
    }
    let later = json!({ "Image": IMAGE, "Inserted": false, "Password": "hunter2", "UserName": "reader" });
    assert_eq!(client.post(&insert, later).await.status, 204);
    assert_eq!(get(&client, &slot).await["Inserted"], false);
}

/// A client that sends what the schema allows, against BMCs that want more or less.
#[tokio::test(start_paused = true)]
async fn vendors_differ() {
    let fleet = |personality: &str, more: &str| {
        Run::new(&format!(
            "machines: [{{ name: node, personality: {personality}, {more} }}]"
        ))
    };
    let run = fleet("supermicro", "");
    let client = run.client("node");
    let slot = disc_slot(&client).await;
    let insert = action(&slot, "#VirtualMedia.InsertMedia");
    let full = json!({ "Image": IMAGE, "Inserted": true, "WriteProtected": true });
    let refused = client.post(&insert, full.clone()).await;
    assert_eq!(refused.messages(), ["ActionParameterUnknown", "ActionParameterUnknown"]);
    assert_eq!(client.post(&insert, json!({ "Image": IMAGE })).await.status, 200);
    client.post(&action(&slot, "#VirtualMedia.EjectMedia"), json!({})).await;
    assert_eq!(get(&client, &slot).await["ImageName"], "rescue.iso", "it remains");

    let run = fleet("hpe", "");
    let client = run.client("node");
    let eject = action(&disc_slot(&client).await, "#VirtualMedia.EjectMedia");
    assert_eq!(client.send(http::Method::POST, &eject, "").await.status, 415);
    assert_eq!(client.post(&eject, json!({})).await.status, 200);

    let run = fleet("generic", "quirks: [transfer-protocol-required]");
    let client = run.client("node");
    let insert = action(&disc_slot(&client).await, "#VirtualMedia.InsertMedia");
    assert_eq!(
        client.post(&insert, json!({ "Image": IMAGE })).await.messages(),
        ["ActionParameterMissing"]
    );
    let named = json!({ "Image": IMAGE, "TransferProtocolType": "HTTP" });
    assert_eq!(client.post(&insert, named).await.status, 204);

    let run = fleet("lenovo", "quirks: [media-by-patch]");
    let client = run.client("node");
    let slot = disc_slot(&client).await;
    assert!(slot["Actions"].is_null());
    let uri = slot["@odata.id"].as_str().expect("an identity");
    assert_eq!(client.patch(uri, full).await.status, 204);
    assert_eq!(get(&client, &slot).await["Inserted"], true);
    assert_eq!(client.patch(uri, json!({ "Image": null })).await.status, 204);
    assert_eq!(get(&client, &slot).await["Inserted"], false);
}
