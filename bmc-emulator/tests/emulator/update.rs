//! Firmware updates: fetched, written, in effect.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Run};

const UPDATE: &str = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate";
const INVENTORY: &str = "/redfish/v1/UpdateService/FirmwareInventory";
const TASK: &str = "/redfish/v1/TaskService/Tasks/1";

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn version(client: &Client, id: &str) -> Value {
    client.get(&format!("{INVENTORY}/{id}")).await.body["Version"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_bios_update_waits_for_post() {
    let run = Run::new("machines: [{ name: node }]");
    run.world.serve("http://images.example/bios-2.0.bin", "firmware");
    let client = run.client("node");
    let accepted = client
        .post(
            UPDATE,
            json!({ "ImageURI": "images.example/bios-2.0.bin", "TransferProtocol": "HTTP" }),
        )
        .await;
    assert_eq!(accepted.status, 202);
    pass(90).await;
    let task = client.get(TASK).await.body;
    assert_eq!(
        (&task["TaskState"], &task["PercentComplete"]),
        (&json!("Running"), &json!(50))
    );
    pass(100).await;
    assert_eq!(
        client.get(TASK).await.body["TaskState"],
        "Starting",
        "written, not in effect"
    );
    assert_eq!(version(&client, "BIOS").await, "P79 v1.45");
    let reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    client.post(reset, json!({ "ResetType": "On" })).await;
    pass(10).await;
    assert_eq!(client.get(TASK).await.body["TaskState"], "Completed");
    assert_eq!(version(&client, "BIOS").await, "2.0");
    assert_eq!(client.get("/redfish/v1/Systems/1").await.body["BiosVersion"], "2.0");
}

#[tokio::test(start_paused = true)]
async fn a_bmc_update_restarts_the_bmc() {
    let run = Run::new("machines: [{ name: node }]");
    run.world.serve("http://images.example/BMC-1.46.bin", "firmware");
    let client = run.client("node");
    let targets = json!([format!("{INVENTORY}/BMC")]);
    client
        .post(
            UPDATE,
            json!({ "ImageURI": "http://images.example/BMC-1.46.bin", "Targets": targets }),
        )
        .await;
    pass(181).await;
    assert_eq!(run.bmc("node").inspect().counters.bmc_resets, 1);
    assert!(client.get(TASK).await.dropped, "it restarts");
    pass(120).await;
    assert_eq!(client.get(TASK).await.body["TaskState"], "Completed");
    assert_eq!(
        client.get("/redfish/v1/Managers/BMC").await.body["FirmwareVersion"],
        "1.46"
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_can_fail() {
    let table = [
        (
            "http://images.example/bios-3.0.bin",
            "BIOS",
            "GET http://images.example/bios-3.0.bin: 404 Not Found",
        ),
        (
            "http://images.example/gpu-1.0.bin",
            "BIOS",
            "http://images.example/gpu-1.0.bin is no firmware for this machine",
        ),
        (
            "http://images.example/bios-2.0.bin",
            "BMC",
            "http://images.example/bios-2.0.bin is not for the target of the update",
        ),
    ];
    for (image, target, expected) in table {
        let run = Run::new("machines: [{ name: node }]");
        for name in ["gpu-1.0.bin", "bios-2.0.bin"] {
            run.world.serve(&format!("http://images.example/{name}"), "firmware");
        }
        let client = run.client("node");
        let targets = json!([format!("{INVENTORY}/{target}")]);
        assert_eq!(
            client
                .post(UPDATE, json!({ "ImageURI": image, "Targets": targets }))
                .await
                .status,
            202
        );
        pass(200).await;
        let task = client.get(TASK).await.body;
        assert_eq!(
            (&task["TaskState"], &task["Messages"][0]["Message"]),
            (&json!("Exception"), &json!(expected))
        );
        assert_eq!(version(&client, "BIOS").await, "P79 v1.45");
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_are_checked() {
    let run = Run::new("machines: [{ name: node }]");
    let client = run.client("node");
    let table = [
        (json!({}), "ActionParameterMissing"),
        (json!({ "ImageURI": "bios-2.0.bin" }), "PropertyValueError"),
        (
            json!({ "ImageURI": "ftp://images.example/bios-2.0.bin" }),
            "PropertyValueError",
        ),
        (
            json!({ "ImageURI": "http://x/bios-2.0.bin", "Targets": ["/redfish/v1/Systems/1"] }),
            "PropertyValueError",
        ),
        (
            json!({ "ImageURI": "http://x/bios-2.0.bin", "Stage": 1 }),
            "ActionParameterUnknown",
        ),
    ];
    for (body, message) in table {
        let answer = client.post(UPDATE, body.clone()).await;
        assert_eq!((answer.status, answer.messages()), (400, vec![message]), "{body}");
    }
}

/// The body of a push, and its content type.
fn form(parameters: &Value, file: &str, content: &str) -> (String, &'static str) {
    let part =
        |head: &str, content: &str| format!("--limit\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    let parameters = part("name=\"UpdateParameters\"", &parameters.to_string());
    let file = part(&format!("name=\"UpdateFile\"; filename=\"{file}\""), content);
    (
        format!("{parameters}{file}--limit--\r\n"),
        "multipart/form-data; boundary=limit",
    )
}

#[tokio::test(start_paused = true)]
async fn an_image_can_come_with_the_request() {
    for personality in crate::conformance::personalities() {
        let run = Run::new(&format!("machines: [{{ name: node, personality: {personality} }}]"));
        let client = run.client("node");
        let service = client.get("/redfish/v1/UpdateService").await.body;
        let uri = service["MultipartHttpPushUri"].as_str().expect("a URI").to_owned();
        let members = client.get(INVENTORY).await.body["Members"].clone();
        let bios = members[0]["@odata.id"].as_str().expect("a member").to_owned();
        let push = async |parameters: Value, file: &str, content: &str| {
            let (body, content_type) = form(&parameters, file, content);
            client
                .with("content-type", content_type)
                .send(http::Method::POST, &uri, &body)
                .await
        };
        let refused = push(json!({ "Targets": ["/redfish/v1"] }), "bios-2.0.bin", "firmware").await;
        assert_eq!(refused.status, 400, "{personality}");
        let large = "x".repeat(300 * 1024);
        let accepted = push(json!({ "Targets": [bios] }), "bios-2.0.bin", &large).await;
        assert_eq!(accepted.status, 202, "{personality}: {}", accepted.text);
        pass(400).await;
        let system = client.get("/redfish/v1/Systems").await.body["Members"][0]["@odata.id"].clone();
        let system = system.as_str().expect("a system");
        let reset = json!({ "ResetType": "On" });
        client
            .post(&format!("{system}/Actions/ComputerSystem.Reset"), reset)
            .await;
        pass(30).await;
        assert_eq!(client.get(system).await.body["BiosVersion"], "2.0", "{personality}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_image_is_found_out() {
    let run = Run::new("machines: [{ name: node }]");
    let client = run.client("node");
    let (body, content_type) = form(&json!({}), "bios-2.0.bin", "corrupted on the way");
    let uri = "/redfish/v1/UpdateService/MultipartUpload";
    let push = client.with("content-type", content_type);
    assert_eq!(push.send(http::Method::POST, uri, &body).await.status, 202);
    pass(1).await;
    let task = client.get(TASK).await.body;
    assert_eq!(task["TaskState"], "Exception");
    assert_eq!(
        task["Messages"][0]["Message"],
        "bios-2.0.bin is damaged: its signature does not fit"
    );
    for body in ["", "--limit--"] {
        let refused = push.send(http::Method::POST, uri, body).await;
        assert_eq!(refused.status, 400, "{body:?}");
    }
    assert_eq!(client.get(uri).await.header("allow"), "POST");
}
