//! The services, one flow each.

use std::time::Duration;

use bmc_emulator::{AdminAction, DriveName};
use serde_json::{Value, json};

use crate::conformance::FLEET;
use crate::support::{Client, Run};

const SYSTEM: &str = "/redfish/v1/Systems/1";
const DELL_SYSTEM: &str = "/redfish/v1/Systems/System.Embedded.1";

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn power(client: &Client, system: &str, reset: &str) -> u16 {
    client
        .post(
            &format!("{system}/Actions/ComputerSystem.Reset"),
            json!({ "ResetType": reset }),
        )
        .await
        .status
}

#[tokio::test(start_paused = true)]
async fn sessions_open_expire_and_close() {
    let run = Run::new(FLEET);
    let open = run.client("generic").without_credentials();
    let sessions = "/redfish/v1/SessionService/Sessions";
    let wrong = open
        .post(sessions, json!({ "UserName": "admin", "Password": "nope" }))
        .await;
    assert_eq!(wrong.status, 401);
    let answer = open
        .post(sessions, json!({ "UserName": "admin", "Password": "password" }))
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (201, "/redfish/v1/SessionService/Sessions/1")
    );
    assert_eq!(answer.body["Password"], Value::Null);
    let user = open.with("x-auth-token", answer.header("x-auth-token"));
    assert_eq!(user.get(SYSTEM).await.status, 200);
    pass(1700).await;
    assert_eq!(user.get(SYSTEM).await.status, 200, "being used keeps a session open");
    pass(1700).await;
    assert_eq!(user.get(SYSTEM).await.status, 200);
    assert_eq!(user.delete("/redfish/v1/SessionService/Sessions/1").await.status, 204);
    assert_eq!(user.get(SYSTEM).await.status, 401);

    let answer = open
        .post(sessions, json!({ "UserName": "admin", "Password": "password" }))
        .await;
    let user = open.with("x-auth-token", answer.header("x-auth-token"));
    pass(1801).await;
    assert_eq!(user.get(SYSTEM).await.status, 401);
    let truth = run.bmc("generic").inspect();
    assert_eq!(
        (
            truth.sessions.len(),
            truth.counters.logins_failed,
            truth.counters.sessions_opened
        ),
        (0, 1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_bmc_has_room_for_so_many_sessions_only() {
    let run = Run::new(FLEET);
    let client = run.client("dell");
    let mut statuses = Vec::new();
    for _ in 0..9 {
        let body = json!({ "UserName": "admin", "Password": "password" });
        statuses.push(client.post("/redfish/v1/SessionService/Sessions", body).await.status);
    }
    assert_eq!(statuses, [201, 201, 201, 201, 201, 201, 201, 201, 503]);
}

#[tokio::test(start_paused = true)]
async fn patches_are_checked_as_a_whole() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let answer = client
        .patch(
            SYSTEM,
            json!({
                "IndicatorLED": "Lit", "UUID": "x", "Nonsense": 1,
                "Boot": { "BootSourceOverrideTarget": "Floppy", "BootOrder": ["Boot0009"] },
            }),
        )
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.messages(),
        [
            "PropertyNotWritable",
            "PropertyUnknown",
            "PropertyValueNotInList",
            "PropertyValueNotInList"
        ]
    );
    assert!(!run.bmc("generic").inspect().indicator_lit, "nothing of it may be done");
}

#[tokio::test(start_paused = true)]
async fn a_stale_etag_changes_nothing() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let before = client.get(SYSTEM).await.header("etag").to_owned();
    let lit = json!({ "IndicatorLED": "Lit" });
    assert_eq!(
        client.with("if-match", &before).patch(SYSTEM, lit.clone()).await.status,
        204
    );
    let stale = client
        .with("if-match", &before)
        .patch(SYSTEM, json!({ "IndicatorLED": "Off" }))
        .await;
    assert_eq!((stale.status, stale.messages()), (412, vec!["PreconditionFailed"]));
    assert_eq!(client.get(SYSTEM).await.body["IndicatorLED"], "Lit");
    assert_eq!(client.with("if-match", "*").patch(SYSTEM, lit).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn reset_refuses_what_it_does_not_know() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let target = format!("{SYSTEM}/Actions/ComputerSystem.Reset");
    for (body, message) in [
        (json!({ "ResetType": "Explode" }), "ActionParameterValueNotInList"),
        (json!({}), "ActionParameterMissing"),
        (json!({ "ResetType": "On", "Delay": 1 }), "ActionParameterUnknown"),
    ] {
        let answer = client.post(&target, body).await;
        assert_eq!((answer.status, answer.messages()), (400, vec![message]));
    }
    let dell = run.client("dell");
    let answer = dell
        .post(
            &format!("{DELL_SYSTEM}/Actions/ComputerSystem.Reset"),
            json!({ "ResetType": "ForceOff" }),
        )
        .await;
    assert_eq!(
        (answer.status, answer.messages()),
        (409, vec!["PSU501", "GeneralError"])
    );
}

#[tokio::test(start_paused = true)]
async fn secure_erase_takes_time_and_leaves_nothing() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let bmc = run.bmc("generic");
    let records = [("tenant".to_owned(), "secret data".to_owned())].into();
    let write = AdminAction::WriteDrive {
        drive: DriveName("nvme0n1".to_owned()),
        records,
    };
    bmc.apply(write).expect("the drive exists");
    let drive = format!("{SYSTEM}/Storage/1/Drives/nvme0n1");
    let target = format!("{drive}/Actions/Drive.SecureErase");
    let accepted = client.post(&target, json!({})).await;
    assert_eq!(accepted.status, 202);
    let monitor = accepted.header("location").to_owned();
    assert_eq!(
        client.post(&target, json!({})).await.status,
        409,
        "one erasure at a time"
    );
    pass(45).await;
    let task = client.get("/redfish/v1/TaskService/Tasks/1").await.body;
    assert_eq!(
        (&task["TaskState"], &task["PercentComplete"]),
        (&json!("Running"), &json!(50))
    );
    assert_eq!(client.get(&drive).await.body["Operations"][0]["PercentageComplete"], 50);
    assert_eq!(client.get(&monitor).await.status, 202);
    assert!(!bmc.inspect().drives[0].records.is_empty());
    pass(46).await;
    let task = client.get("/redfish/v1/TaskService/Tasks/1").await.body;
    assert_eq!(
        (&task["TaskState"], &task["EndTime"]),
        (&json!("Completed"), &json!("2026-01-01T00:01:30Z"))
    );
    assert_eq!(client.get(&monitor).await.status, 204);
    assert!(bmc.inspect().drives[0].records.is_empty());

    let unsupported = client
        .post(
            &format!("{SYSTEM}/Storage/1/Drives/sda/Actions/Drive.SecureErase"),
            json!({}),
        )
        .await;
    assert_eq!(
        (unsupported.status, unsupported.messages()),
        (400, vec!["ActionNotSupported"])
    );
    assert_eq!(
        client
            .get(&format!("{SYSTEM}/Storage/1/Drives/sda"))
            .await
            .body
            .get("Actions"),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn bios_settings_wait_for_post_and_reset_restores_the_boot_order() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let (bios, settings) = (format!("{SYSTEM}/Bios"), format!("{SYSTEM}/Bios/Settings"));
    let factory = client.get(SYSTEM).await.body["Boot"]["BootOrder"].clone();
    client
        .patch(SYSTEM, json!({ "Boot": { "BootOrder": ["Boot0003"] } }))
        .await;
    let body = json!({ "Attributes": { "PowerProfile": "MaxPerf" }, "@Redfish.SettingsApplyTime": { "ApplyTime": "OnReset" } });
    assert_eq!(client.patch(&settings, body).await.status, 204);
    assert_eq!(
        client.get(&bios).await.body["Attributes"]["PowerProfile"],
        "BalancedPowerPerf"
    );
    power(&client, SYSTEM, "On").await;
    pass(10).await;
    assert_eq!(client.get(&bios).await.body["Attributes"]["PowerProfile"], "MaxPerf");
    assert_eq!(client.get(&settings).await.body["Attributes"], json!({}));

    assert_eq!(
        client
            .send(http::Method::POST, &format!("{bios}/Actions/Bios.ResetBios"), "")
            .await
            .status,
        204
    );
    assert_eq!(client.get(&bios).await.body["ResetBiosToDefaultsPending"], true);
    power(&client, SYSTEM, "ForceRestart").await;
    assert_eq!(
        client.get(&bios).await.body["Attributes"]["PowerProfile"],
        "BalancedPowerPerf"
    );
    assert_eq!(client.get(&bios).await.body["ResetBiosToDefaultsPending"], false);
    assert_eq!(client.get(SYSTEM).await.body["Boot"]["BootOrder"], factory);
    let wrong = client
        .patch(
            &settings,
            json!({ "Attributes": { "PowerProfile": "Turbo", "Nope": 1 } }),
        )
        .await;
    assert_eq!(
        (wrong.status, wrong.messages()),
        (400, vec!["PropertyValueNotInList", "PropertyUnknown"])
    );
}

#[tokio::test(start_paused = true)]
async fn a_dell_does_configuration_as_jobs() {
    let run = Run::new(FLEET);
    let client = run.client("dell");
    let order = json!({ "Boot": { "BootOrder": ["Boot0002", "Boot0001"] } });
    let accepted = client.patch(DELL_SYSTEM, order).await;
    assert_eq!(accepted.status, 202);
    let job = accepted.header("location").to_owned();
    assert!(job.starts_with("/redfish/v1/TaskService/Tasks/JID_"), "{job}");
    assert_eq!(
        client.get(DELL_SYSTEM).await.body["Boot"]["BootOrder"],
        json!(["Boot0001", "Boot0002"])
    );
    let pending = client.get(&format!("{DELL_SYSTEM}/Settings")).await.body;
    assert_eq!(pending["Boot"]["BootOrder"], json!(["Boot0002", "Boot0001"]));
    assert_eq!(client.get(&job).await.body["TaskState"], "New");
    pass(10).await;
    assert_eq!(client.get(&job).await.body["TaskState"], "Starting");
    power(&client, DELL_SYSTEM, "On").await;
    pass(10).await;
    assert_eq!(client.get(&job).await.body["TaskState"], "Completed");
    assert_eq!(
        client.get(DELL_SYSTEM).await.body["Boot"]["BootOrder"],
        json!(["Boot0002", "Boot0001"])
    );
    let reset = format!("{DELL_SYSTEM}/Bios/Actions/Bios.ResetBios");
    assert_eq!(client.send(http::Method::POST, &reset, "").await.status, 400);
    assert_eq!(client.post(&reset, json!({})).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn accounts_by_collection_and_by_slot() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let accounts = "/redfish/v1/AccountService/Accounts";
    let carol = json!({ "UserName": "carol", "Password": "s3cret", "RoleId": "ReadOnly", "Enabled": true });
    let created = client.post(accounts, carol.clone()).await;
    assert_eq!(
        (created.status, created.header("location")),
        (201, "/redfish/v1/AccountService/Accounts/2")
    );
    assert_eq!(
        client.post(accounts, carol.clone()).await.messages(),
        ["ResourceAlreadyExists"]
    );
    let basic = |credentials: &str| {
        use base64::Engine;
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
        client
            .without_credentials()
            .with("authorization", &format!("Basic {encoded}"))
    };
    let user = basic("carol:s3cret");
    assert_eq!(user.get(SYSTEM).await.status, 200);
    assert_eq!(
        user.patch(SYSTEM, json!({ "IndicatorLED": "Lit" })).await.messages(),
        ["InsufficientPrivilege"]
    );
    assert_eq!(
        user.patch(&format!("{accounts}/2"), json!({ "Password": "n3w" }))
            .await
            .status,
        200
    );
    assert_eq!(user.get(SYSTEM).await.status, 401);
    assert_eq!(basic("carol:n3w").get(SYSTEM).await.status, 200);
    let long = client
        .patch(&format!("{accounts}/2"), json!({ "Password": "x".repeat(65) }))
        .await;
    assert_eq!(long.messages(), ["StringValueTooLong"]);
    assert!(!long.text.contains("xxx"), "passwords are never repeated");
    assert_eq!(client.delete(&format!("{accounts}/2")).await.status, 204);
    assert_eq!(client.get(&format!("{accounts}/2")).await.status, 404);

    let dell = run.client("dell");
    assert_eq!(dell.post(accounts, carol.clone()).await.status, 405);
    assert_eq!(dell.delete(&format!("{accounts}/2")).await.status, 405);
    assert_eq!(dell.get(accounts).await.body["Members@odata.count"], 16);
    assert_eq!(dell.patch(&format!("{accounts}/3"), carol).await.status, 200);
    assert_eq!(run.bmc("dell").inspect().accounts, ["admin", "carol"]);
    dell.patch(&format!("{accounts}/3"), json!({ "UserName": "", "Enabled": false }))
        .await;
    assert_eq!(run.bmc("dell").inspect().accounts, ["admin"]);
}

#[tokio::test(start_paused = true)]
async fn events_reach_subscribers() {
    let run = Run::new(FLEET);
    run.world.serve("http://listener.example/events", "");
    let client = run.client("generic");
    let subscriptions = "/redfish/v1/EventService/Subscriptions";
    let body = json!({
        "Destination": "http://listener.example/events", "Protocol": "Redfish", "EventFormatType": "Event",
        "DeliveryRetryPolicy": "TerminateAfterRetries", "Context": "mine",
    });
    let created = client.post(subscriptions, body.clone()).await;
    assert_eq!(
        (created.status, created.header("location")),
        (201, "/redfish/v1/EventService/Subscriptions/1")
    );
    assert_eq!(
        client.post(subscriptions, body).await.messages(),
        ["ResourceAlreadyExists"]
    );
    client
        .post(
            "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent",
            json!({}),
        )
        .await;
    power(&client, SYSTEM, "On").await;
    pass(5).await;
    let events: Vec<(String, String)> = run
        .world
        .requests
        .lock()
        .expect("lock")
        .iter()
        .map(|(_, event)| {
            assert_eq!(event["Context"], "mine");
            let text = |name: &str| event["Events"][0][name].as_str().unwrap_or_default().to_owned();
            (text("MessageId"), text("Message"))
        })
        .collect();
    let state = |state: &str| {
        let text = format!("The state of resource '{SYSTEM}' has changed to {state}.");
        ("ResourceEvent.1.3.ResourceStateChanged".to_owned(), text)
    };
    let test = (
        "ResourceEvent.1.3.TestMessage".to_owned(),
        "Test event of generic.".to_owned(),
    );
    assert_eq!(events, [test, state("PoweringOn"), state("On")]);

    let nowhere = json!({ "Destination": "http://gone.example/", "Protocol": "Redfish" });
    client.post(subscriptions, nowhere).await;
    power(&client, SYSTEM, "ForceOff").await;
    pass(120).await;
    let remaining = run.bmc("generic").inspect().subscriptions;
    assert_eq!(
        remaining,
        ["http://listener.example/events"],
        "who stays away loses the subscription"
    );
    assert_eq!(client.delete(&format!("{subscriptions}/1")).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_bmc_reset_takes_the_bmc_away_and_its_sessions_with_it() {
    let run = Run::new(FLEET);
    for (name, manager, starting) in [("generic", "BMC", 18), ("dell", "iDRAC.Embedded.1", 54)] {
        let client = run.client(name);
        let credentials = json!({ "UserName": "admin", "Password": "password" });
        client.post("/redfish/v1/SessionService/Sessions", credentials).await;
        let reset = format!("/redfish/v1/Managers/{manager}/Actions/Manager.Reset");
        assert_eq!(
            client
                .post(&reset, json!({ "ResetType": "GracefulRestart" }))
                .await
                .status,
            204
        );
        let (mut dropped, mut unavailable) = (0, 0);
        loop {
            pass(1).await;
            let answer = client.get("/redfish/v1").await;
            match answer.status {
                200 => break,
                503 => unavailable += 1,
                _ => dropped += u32::from(answer.dropped),
            }
        }
        assert!((50..200).contains(&dropped), "{name} was away for {dropped} s");
        assert_eq!(unavailable, starting, "{name}");
        assert!(run.bmc(name).inspect().sessions.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn secure_boot_changes_with_post() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let uri = format!("{SYSTEM}/SecureBoot");
    assert_eq!(
        client.patch(&uri, json!({ "SecureBootEnable": true })).await.status,
        204
    );
    let document = client.get(&uri).await.body;
    assert_eq!(
        (&document["SecureBootEnable"], &document["SecureBootCurrentBoot"]),
        (&json!(true), &json!("Disabled"))
    );
    client
        .post(
            &format!("{SYSTEM}/Actions/ComputerSystem.Reset"),
            json!({ "ResetType": "On" }),
        )
        .await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(client.get(&uri).await.body["SecureBootCurrentBoot"], "Enabled");
    let reset = format!("{uri}/Actions/SecureBoot.ResetKeys");
    let wrong = client.post(&reset, json!({ "ResetKeysType": "Some" })).await;
    assert_eq!(wrong.messages(), ["ActionParameterValueNotInList"]);
    assert_eq!(
        client.post(&reset, json!({ "ResetKeysType": "DeletePK" })).await.status,
        204
    );
    assert_eq!(client.get(&uri).await.body["SecureBootMode"], "SetupMode");
}

#[tokio::test(start_paused = true)]
async fn time_servers_are_set_by_position() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let uri = "/redfish/v1/Managers/BMC/NetworkProtocol";
    let set = |servers: serde_json::Value| {
        let client = client.clone();
        async move {
            let answer = client.patch(uri, json!({ "NTP": { "NTPServers": servers } })).await;
            (answer.status, answer.body["NTP"]["NTPServers"].clone())
        }
    };
    assert_eq!(set(json!(["a", "b", "c"])).await, (200, json!(["a", "b", "c"])));
    assert_eq!(set(json!([{}, null, "d"])).await, (200, json!(["a", "d"])));
    assert_eq!(set(json!([{}])).await, (200, json!(["a"])));
    assert_eq!(set(json!([1])).await.0, 400);
    assert_eq!(set(json!(["a", "b", "c", "d", "e"])).await.0, 400);
    let renamed = client
        .patch(uri, json!({ "HostName": "bmc-7", "NTP": { "ProtocolEnabled": true } }))
        .await;
    assert_eq!(
        (&renamed.body["HostName"], &renamed.body["NTP"]["ProtocolEnabled"]),
        (&json!("bmc-7"), &json!(true))
    );
    assert_eq!(
        client.patch(uri, json!({ "HTTPS": {} })).await.messages(),
        ["PropertyNotWritable"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_a_bmc_can_be_set() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let uri = "/redfish/v1/Managers/BMC";
    assert_eq!(
        client
            .patch(uri, json!({ "DateTime": "2030-05-06T07:08:09Z" }))
            .await
            .status,
        204
    );
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(client.get(uri).await.body["DateTime"], "2030-05-06T07:09:09Z");
    assert_eq!(
        client.get("/redfish/v1/TaskService").await.body["DateTime"],
        "2030-05-06T07:09:09Z"
    );
    assert_eq!(
        client.patch(uri, json!({ "DateTime": "yesterday" })).await.messages(),
        ["PropertyValueError"]
    );
    assert_eq!(
        client.patch(uri, json!({ "UUID": "x" })).await.messages(),
        ["PropertyNotWritable"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_bmc_forgets_its_users_when_it_is_reset_to_defaults() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let carol = json!({ "UserName": "carol", "Password": "secret", "RoleId": "Operator" });
    client.post("/redfish/v1/AccountService/Accounts", carol).await;
    client
        .patch(
            "/redfish/v1/AccountService/Accounts/1",
            json!({ "Password": "changed" }),
        )
        .await;
    let admin = json!({ "UserName": "admin", "Password": "changed" });
    let session = client.post("/redfish/v1/SessionService/Sessions", admin).await;
    let user = client
        .without_credentials()
        .with("x-auth-token", session.header("x-auth-token"));
    let target = "/redfish/v1/Managers/BMC/Actions/Manager.ResetToDefaults";
    assert_eq!(
        user.post(target, json!({ "ResetType": "Half" })).await.messages(),
        ["ActionParameterValueNotInList"]
    );
    assert_eq!(user.post(target, json!({ "ResetType": "ResetAll" })).await.status, 204);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(
        client.get("/redfish/v1/AccountService/Accounts").await.body["Members@odata.count"],
        1
    );
    assert!(run.bmc("generic").inspect().sessions.is_empty());
}
