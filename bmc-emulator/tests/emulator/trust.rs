//! The TPM, and what can be read in it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::support::{Client, Run};

/// Registers and their values.
async fn registers(client: &Client) -> BTreeMap<u64, String> {
    let integrity = client.get("/redfish/v1/ComponentIntegrity/TPM").await.body;
    let measurements = integrity["TPM"]["MeasurementSet"]["Measurements"].clone();
    let all = measurements.as_array().expect("measurements").iter();
    all.map(|measurement| {
        let value = measurement["Measurement"].as_str().expect("a value");
        (measurement["PCR"].as_u64().expect("a register"), value.to_owned())
    })
    .collect()
}

async fn boot(client: &Client, reset: &str) -> BTreeMap<u64, String> {
    let target = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    let answer = client.post(target, json!({ "ResetType": reset })).await;
    assert_eq!(answer.status, 204);
    tokio::time::sleep(Duration::from_secs(120)).await;
    registers(client).await
}

#[tokio::test(start_paused = true)]
async fn each_boot_is_measured() {
    let run = Run::new("machines: [{ name: node, boot: { serverURL: 'http://boot.example' } }]");
    let client = run.client("node");
    let script = format!("http://boot.example/ipxe/{}", client.bmc.system_uuid());
    let serve = |arguments: &str| {
        let text = format!("#!ipxe\nkernel http://boot.example/kernel {arguments}\nboot\n");
        run.world.serve(&script, &text);
    };
    serve("one");
    let first = boot(&client, "On").await;
    insta::assert_json_snapshot!(first);
    let network = json!({ "Boot": { "BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Pxe" } });
    client.patch("/redfish/v1/Systems/1", network).await;
    assert_eq!(boot(&client, "ForceRestart").await, first, "the same again");
    serve("two");
    client
        .patch("/redfish/v1/Systems/1/SecureBoot", json!({ "SecureBootEnable": true }))
        .await;
    let second = boot(&client, "ForceRestart").await;
    let differ: Vec<u64> = first.keys().copied().filter(|pcr| first[pcr] != second[pcr]).collect();
    assert_eq!(differ, [4, 7], "another kernel, verified");
}

#[tokio::test(start_paused = true)]
async fn a_machine_may_have_no_tpm() {
    let run = Run::new("machines: [{ name: node, tpm: false }]");
    let client = run.client("node");
    for path in ["ComponentIntegrity", "Chassis/1/TrustedComponents"] {
        let members = client.get(&format!("/redfish/v1/{path}")).await.body["Members@odata.count"].clone();
        assert_eq!(members, 0, "{path}");
    }
    let system = client.get("/redfish/v1/Systems/1").await.body;
    assert_eq!(system.get("TrustedModules"), None);
}
