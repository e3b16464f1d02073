//! Several systems behind one BMC.

use std::collections::BTreeSet;
use std::time::Duration;

use bmc_emulator::{Fault, FleetError, FleetSpec, Mockups, PowerState};
use serde_json::{Value, json};

use crate::conformance::{personalities, walk};
use crate::support::{Client, Run, World, edges};

fn two(personality: &str) -> Run {
    Run::new(&format!(
        "machines:\n- {{ name: first, personality: {personality} }}\n- {{ name: second, personality: {personality}, behind: first }}\n"
    ))
}

async fn members(client: &Client, path: &str) -> Vec<String> {
    let answer = client.get(path).await;
    let members = answer.body["Members"].as_array().expect("a collection").iter();
    members
        .map(|member| member["@odata.id"].as_str().expect("a link").to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_personality_shows_all_systems_and_no_dead_link() {
    for personality in personalities() {
        let run = two(&personality);
        let client = run.client("first");
        let systems = members(&client, "/redfish/v1/Systems").await;
        assert_eq!(systems.len(), 2, "{personality}");
        let documents = walk(&client).await;
        let uuids: Vec<&Value> = systems.iter().map(|uri| &documents[uri]["UUID"]).collect();
        let known = ["first", "second"].map(|name| json!(run.bmc(name).system_uuid().to_string()));
        assert_eq!(uuids, known.iter().collect::<Vec<_>>(), "{personality}");
        for uri in &systems {
            let document = &documents[uri];
            assert_eq!(document["@odata.id"], json!(uri), "{personality}");
            assert_eq!(uri.rsplit('/').next(), document["Id"].as_str(), "{personality}");
        }
        let chassis = members(&client, "/redfish/v1/Chassis").await;
        assert_eq!(chassis.len(), 2, "{personality}");
        let managers = members(&client, "/redfish/v1/Managers").await;
        assert_eq!(managers.len(), 1, "{personality}");
        let served = documents[&managers[0]]["Links"]["ManagerForServers"]
            .as_array()
            .expect("links");
        assert_eq!(served.len(), 2, "{personality}");
        // Nothing below one system leads to the other, but the manager.
        for (path, document) in documents
            .iter()
            .filter(|(path, _)| path.starts_with(&format!("{}/", systems[1])))
        {
            assert!(
                document["@odata.id"]
                    .as_str()
                    .is_some_and(|uri| uri.starts_with(&systems[1])),
                "{path}"
            );
        }
        run.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_system_has_its_own_power_and_drives_and_one_door_leads_to_all() {
    let run = two("hpe");
    let client = run.client("second");
    let [first, second] = &members(&client, "/redfish/v1/Systems").await[..] else {
        panic!("two systems")
    };
    let reset = json!({ "ResetType": "On" });
    let answer = client
        .post(&format!("{second}/Actions/ComputerSystem.Reset"), reset)
        .await;
    assert!((200..300).contains(&answer.status), "{}", answer.text);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(run.bmc("first").inspect().power_state, PowerState::Off);
    assert_eq!(run.bmc("second").inspect().power_state, PowerState::On);
    assert_eq!(client.get(first).await.body["PowerState"], json!("Off"));
    assert_eq!(client.get(second).await.body["PowerState"], json!("On"));
    assert_eq!(client.without_credentials().get(second).await.status, 401);

    let expanded = client.get("/redfish/v1/Systems?$expand=.($levels=1)").await;
    let uuids: BTreeSet<String> = expanded.body["Members"]
        .as_array()
        .expect("members")
        .iter()
        .map(|member| member["UUID"].to_string())
        .collect();
    assert_eq!(uuids.len(), 2, "{}", expanded.text);
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn tasks_of_all_systems_are_in_one_list() {
    for personality in ["generic", "dell", "lenovo"] {
        let run = two(personality);
        let client = run.client("first");
        for system in members(&client, "/redfish/v1/Systems").await {
            let storage = members(&client, &format!("{system}/Storage")).await;
            let drives = client.get(&storage[0]).await.body["Drives"].clone();
            let drive = drives[0]["@odata.id"].as_str().expect("a drive").to_owned();
            let answer = client
                .post(&format!("{drive}/Actions/Drive.SecureErase"), json!({}))
                .await;
            assert_eq!(answer.status, 202, "{personality} {}", answer.text);
            let task = answer.header("location").to_owned();
            assert!(
                [200, 202].contains(&client.get(&task).await.status),
                "{personality} {task}"
            );
        }
        let tasks = members(&client, "/redfish/v1/TaskService/Tasks").await;
        assert_eq!(tasks.len(), 2, "{personality} {tasks:?}");
        tokio::time::sleep(Duration::from_secs(600 - 60)).await;
        for task in &tasks {
            assert_eq!(
                client.get(task).await.body["TaskState"],
                json!("Completed"),
                "{personality} {task}"
            );
        }
        for name in ["first", "second"] {
            assert_eq!(
                run.bmc(name).inspect().counters.erasures_started,
                1,
                "{personality} {name}"
            );
        }
        run.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_subscribes_hears_of_all_systems() {
    let run = two("openbmc");
    let client = run.client("first");
    run.world.serve("http://ear/events", "");
    let subscription = json!({ "Destination": "http://ear/events", "Protocol": "Redfish", "Context": "all" });
    let answer = client
        .post("/redfish/v1/EventService/Subscriptions", subscription)
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let systems = members(&client, "/redfish/v1/Systems").await;
    let reset = json!({ "ResetType": "On" });
    client
        .post(&format!("{}/Actions/ComputerSystem.Reset", systems[1]), reset)
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let told = run.world.requests.lock().expect("lock").clone();
    let origins: BTreeSet<String> = told
        .iter()
        .filter(|(url, _)| url == "http://ear/events")
        .filter_map(|(_, body)| {
            body["Events"][0]["OriginOfCondition"]["@odata.id"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert!(origins.contains(&systems[1]), "{origins:?}");
    assert!(!origins.contains(&systems[0]), "{origins:?}");
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_one_system_is_not_wrong_with_the_other() {
    let run = two("generic");
    let client = run.client("first");
    let systems = members(&client, "/redfish/v1/Systems").await;
    let fault: Fault = serde_json::from_value(json!({
        "type": "Http", "path": "/redfish/v1/Systems/*", "action": { "type": "Status", "status": 500 },
    }))
    .expect("a fault");
    run.bmc("second").inject(fault).expect("possible");
    assert_eq!(client.get(&systems[0]).await.status, 200);
    assert_eq!(client.get(&systems[1]).await.status, 500);
    run.end().await;
}

#[tokio::test(start_paused = true)]
async fn enclosures_that_make_no_sense_are_refused() {
    let refused = |yaml: &str| {
        let fleet = FleetSpec::from_yaml(yaml, "fleet.yaml")
            .map(|spec| bmc_emulator::Fleet::with_mockups(&spec, edges(&World::default()), &Mockups::new()).err());
        match fleet {
            Ok(Some(error @ FleetError::Invalid { .. })) | Err(error) => error.to_string(),
            other => panic!("{yaml}: {other:?}"),
        }
    };
    let errors = [
        "machines: [{ name: a, behind: b }, { name: b }]",
        "machines: [{ name: a }, { name: b, behind: a }, { name: c, behind: b }]",
        "machines: [{ name: a }, { name: b, behind: a, personality: dell }]",
        "machines: [{ name: a }, { name: b, behind: a, bmc: { port: 9 } }]",
    ]
    .map(refused);
    insta::assert_snapshot!(errors.join("\n"));
}
