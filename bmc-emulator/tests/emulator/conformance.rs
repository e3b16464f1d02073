//! What holds for every resource of every personality: reachable, typed, tagged, protected.

use std::collections::{BTreeMap, BTreeSet};

use bmc_emulator::PersonalityName;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Run};

pub(crate) const FLEET: &str = "
machines:
- name: generic
  systemUUID: 11111111-1111-4111-8111-111111111111
  nics:
  - { name: eno1, ips: [192.0.2.10], neighbor: { chassisID: aa, portID: Ethernet1 } }
  - { name: eno2 }
  drives:
  - { name: nvme0n1 }
  - { name: sda, mediaType: HDD, protocol: SATA, secureErase: false }
- name: dell
  personality: dell
  systemUUID: 22222222-2222-4222-8222-222222222222
- { name: hpe, personality: hpe, systemUUID: 33333333-3333-4333-8333-333333333333 }
- { name: lenovo, personality: lenovo, systemUUID: 44444444-4444-4444-8444-444444444444 }
- { name: supermicro, personality: supermicro, systemUUID: 55555555-5555-4555-8555-555555555555 }
- { name: ami, personality: ami, systemUUID: 66666666-6666-4666-8666-666666666666 }
- { name: openbmc, personality: openbmc, systemUUID: 77777777-7777-4777-8777-777777777777 }
";

/// A machine of each personality is in the fleet, under its name.
pub(crate) fn personalities() -> impl Iterator<Item = String> {
    PersonalityName::ALL.iter().map(ToString::to_string)
}

/// Every document that can be reached from the service root.
pub(crate) async fn walk(client: &Client) -> BTreeMap<String, Value> {
    let mut documents = BTreeMap::new();
    let mut open = BTreeSet::from(["/redfish/v1".to_owned()]);
    while let Some(path) = open.pop_first() {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200, "dead link {path}");
        collect_links(&answer.body, &mut open);
        documents.insert(path, answer.body);
        open.retain(|path| !documents.contains_key(path));
    }
    documents
}

fn collect_links(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value.as_str() {
                    // A part of a document is in the document.
                    Some(uri)
                        if ["@odata.id", "Uri", "@Redfish.ActionInfo"].contains(&name.as_str())
                            && !uri.contains('#') =>
                    {
                        found.insert(uri.trim_end_matches('/').to_owned());
                    }
                    _ => collect_links(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_links(value, found)),
        _ => {}
    }
}

/// A session, a task and a subscription, so that their collections are not empty.
pub(crate) async fn populate(client: &Client) {
    let endpoint = client.bmc.endpoint();
    let credentials = json!({ "UserName": endpoint.username, "Password": endpoint.password.expose() });
    assert_eq!(
        client
            .post("/redfish/v1/SessionService/Sessions", credentials)
            .await
            .status,
        201
    );
    let subscription =
        json!({ "Destination": "http://listener.example/events", "Protocol": "Redfish", "Context": "test" });
    assert_eq!(
        client
            .post("/redfish/v1/EventService/Subscriptions", subscription)
            .await
            .status,
        201
    );
    let storage = client.get("/redfish/v1/Systems").await.body["Members"][0]["@odata.id"]
        .as_str()
        .map(|system| format!("{system}/Storage"));
    let storage = client.get(&storage.expect("a system")).await.body["Members"][0]["@odata.id"].clone();
    let drives = client.get(storage.as_str().expect("a controller")).await.body["Drives"].clone();
    let drive = client.get(drives[0]["@odata.id"].as_str().expect("a drive")).await.body;
    let target = drive["Actions"]["#Drive.SecureErase"]["target"]
        .as_str()
        .expect("the action")
        .to_owned();
    assert_eq!(client.post(&target, json!({})).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn the_trees() {
    for name in personalities() {
        let run = Run::new(FLEET);
        let client = run.client(&name);
        populate(&client).await;
        let documents = walk(&client).await;
        let tree: Vec<String> = documents
            .iter()
            // Members are those of `$metadata`.
            .filter(|(path, _)| !path.contains("/JsonSchemas/"))
            .map(|(path, document)| format!("{path} {}", document["@odata.type"].as_str().unwrap_or("-")))
            .collect();
        insta::assert_snapshot!(format!("tree_{name}"), tree.join("\n"));
        let system = documents
            .iter()
            .find(|(_, document)| document["SystemType"] == "Physical")
            .expect("a system")
            .1;
        insta::assert_json_snapshot!(format!("system_{name}"), system);
    }
}

#[tokio::test(start_paused = true)]
async fn every_resource_has_its_identity_and_a_stable_etag() {
    for name in personalities() {
        let run = Run::new(FLEET);
        let client = run.client(&name);
        populate(&client).await;
        for (path, document) in walk(&client).await {
            if path.ends_with("/Registry") {
                continue;
            }
            assert_eq!(
                document["@odata.id"].as_str().map(|id| id.trim_end_matches('/')),
                Some(path.as_str())
            );
            assert!(
                document["@odata.type"].is_string() && document["Name"].is_string(),
                "{path}"
            );
            assert!(
                document["Members"].is_array() || document["Id"].is_string(),
                "{path} has no Id"
            );
            let answer = client.get(&path).await;
            assert_eq!(
                answer.header("etag"),
                document["@odata.etag"].as_str().unwrap_or_default(),
                "{path}"
            );
            assert_eq!(answer.header("odata-version"), "4.0");
            let again = client.with("if-none-match", answer.header("etag")).get(&path).await;
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
            let head = client.send(Method::HEAD, &path, "").await;
            assert_eq!(
                (head.status, head.text.as_str(), head.header("etag")),
                (200, "", answer.header("etag")),
                "{path}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_must_be_open_is_open() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    for path in walk(&client).await.into_keys() {
        let answer = client.without_credentials().get(&path).await;
        if path == "/redfish/v1" {
            assert_eq!(answer.status, 200);
        } else {
            assert_eq!(
                (answer.status, answer.messages()),
                (401, vec!["NoValidSession"]),
                "{path}"
            );
            assert!(answer.header("www-authenticate").starts_with("Basic"));
        }
    }
    let open = client.without_credentials();
    assert_eq!(open.get("/redfish").await.body, json!({ "v1": "/redfish/v1/" }));
    assert_eq!(open.get("/redfish/v1/odata").await.status, 200);
    assert!(open.get("/redfish/v1/$metadata").await.text.contains("EntityContainer"));
}

#[tokio::test(start_paused = true)]
async fn methods_that_are_not_allowed_say_which_are() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    for (path, document) in walk(&client).await {
        let answer = client.send(Method::PUT, &path, "{}").await;
        assert_eq!(
            (answer.status, answer.messages()),
            (405, vec!["OperationNotAllowed"]),
            "{path}"
        );
        assert!(answer.header("allow").contains("GET"), "{path}");
        for (action, target) in document["Actions"].as_object().into_iter().flatten() {
            let target = target["target"].as_str().expect("a target");
            let answer = client.get(target).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{action}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_protocol_in_small() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let missing = client.get("/redfish/v1/Nothing").await;
    insta::assert_json_snapshot!("error_generic", missing.body);
    insta::assert_json_snapshot!("error_dell", run.client("dell").get("/redfish/v1/Nothing").await.body);
    assert_eq!(missing.status, 404);
    assert_eq!(
        client.get("/redfish/v1/Systems/1/").await.status,
        200,
        "a trailing slash is tolerated"
    );
    assert_eq!(client.with("odata-version", "3.0").get("/redfish/v1").await.status, 412);
    let expanded = client.get("/redfish/v1/Systems?$expand=.($levels=1)").await;
    assert_eq!(
        expanded.body["Members"][0]["UUID"],
        "11111111-1111-4111-8111-111111111111"
    );
    let malformed = client.send(Method::PATCH, "/redfish/v1/Systems/1", "{").await;
    assert_eq!((malformed.status, malformed.messages()), (400, vec!["MalformedJSON"]));
}
