//! The event log, and the registries its messages are from.

use std::time::Duration;

use serde_json::{Value, json};

use crate::conformance::{FLEET, personalities, walk};
use crate::support::Run;

const LOG: &str = "/redfish/v1/Systems/1/LogServices/SEL";

#[tokio::test(start_paused = true)]
async fn what_happens_is_logged() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let wrong = json!({ "UserName": "admin", "Password": "wrong" });
    client.post("/redfish/v1/SessionService/Sessions", wrong).await;
    let reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    client.post(reset, json!({ "ResetType": "On" })).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let erase = "/redfish/v1/Systems/1/Storage/1/Drives/nvme0n1/Actions/Drive.SecureErase";
    client.post(erase, json!({})).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let entries = client.get(&format!("{LOG}/Entries")).await.body;
    let told: Vec<String> = entries["Members"]
        .as_array()
        .expect("members")
        .iter()
        .map(|entry| {
            let word = |name: &str| entry[name].as_str().expect("a text").to_owned();
            format!(
                "{} {} {}: {}",
                word("Created"),
                word("Severity"),
                word("MessageId"),
                word("Message")
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));

    let critical = client
        .get(&format!("{LOG}/Entries?$filter=Severity%20eq%20'Warning'&$top=1"))
        .await
        .body;
    assert_eq!(critical["Members@odata.count"], 2);
    let first = critical["Members"][0]["@odata.id"].as_str().expect("an identity");
    assert_eq!(client.get(first).await.body["Severity"], "Warning");
    assert_eq!(
        client
            .post(&format!("{LOG}/Actions/LogService.ClearLog"), json!({}))
            .await
            .status,
        204
    );
    assert_eq!(
        client.get(&format!("{LOG}/Entries")).await.body["Members@odata.count"],
        0
    );
    assert_eq!(client.get(first).await.status, 404);
}

/// Every message that is logged can be looked up in a registry the BMC serves, under the name it has there.
#[tokio::test(start_paused = true)]
async fn logged_messages_are_in_a_registry() {
    for name in personalities() {
        let run = Run::new(FLEET);
        let client = run.client(&name);
        let wrong = json!({ "UserName": "admin", "Password": "wrong" });
        client.post("/redfish/v1/SessionService/Sessions", wrong).await;
        let documents = walk(&client).await;
        let entries: Vec<&Value> = documents
            .values()
            .filter(|document| {
                document["@odata.type"]
                    .as_str()
                    .is_some_and(|kind| kind.starts_with("#LogEntry."))
            })
            .collect();
        assert_eq!(entries.len(), 1, "{name}");
        let id = entries[0]["MessageId"].as_str().expect("an id");
        let (registry, key) = id.rsplit_once('.').expect("registry and key");
        let registry = &documents[&format!("/redfish/v1/Registries/{registry}/Registry")];
        assert!(registry["Messages"][key].is_object(), "{name}: {id}");
    }
}

/// `$metadata` refers to the schema of everything the service shows (DSP0266 §8.4.3).
#[tokio::test(start_paused = true)]
async fn metadata_is_complete() {
    for name in personalities() {
        let run = Run::new(FLEET);
        let client = run.client(&name);
        crate::conformance::populate(&client).await;
        let metadata = client.get("/redfish/v1/$metadata").await.text;
        for (path, document) in walk(&client).await {
            let kind = document["@odata.type"].as_str().unwrap_or_default();
            let namespace = kind
                .trim_start_matches('#')
                .rsplit_once('.')
                .map(|(namespace, _)| namespace);
            let namespace = namespace.unwrap_or_else(|| panic!("{path} has the type {kind:?}"));
            assert!(
                metadata.contains(&format!("Namespace=\"{namespace}\"")),
                "{path}: {namespace}"
            );
        }
    }
}
