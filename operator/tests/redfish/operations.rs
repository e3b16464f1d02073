//! What the Redfish driver reads and writes.

use std::time::Duration;

use crate::fake::{Behaviour, DRIVE, FakeBmc, Reply, SYSTEM, client, drive, system};
use operator::bmc::{Bios, BmcError, BootTarget, IndicatorLed, Lasting, ReportedPower, ResetType, TaskState};
use operator::identity::{ManagerUri, SystemUuid, TaskUri};
use serde_json::{Value, json};

fn patches(bmc: &FakeBmc) -> Vec<Value> {
    bmc.seen("PATCH ").into_iter().map(|seen| seen.body).collect()
}

#[tokio::test(start_paused = true)]
async fn systems_and_managers_are_read_whole() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    let systems = client.systems().await.expect("systems");
    let [read] = systems.as_slice() else {
        panic!("{systems:?}")
    };
    assert_eq!(read.uri, system());
    assert_eq!(read.uuid, SystemUuid::new("38947555-7742-3448-3784-823347823834"));
    assert_eq!(
        (read.manufacturer.as_deref(), read.model.as_deref(), read.sku.as_deref()),
        (Some("Contoso"), Some("3500"), Some("8675309"))
    );
    assert_eq!(
        (read.power_state, read.total_memory_gib),
        (ReportedPower::Off, Some(96.0))
    );
    assert_eq!(
        read.boot.boot_order.as_deref(),
        Some(["Boot0001".to_owned(), "Boot0002".to_owned()].as_slice())
    );
    assert_eq!(read.boot_progress.as_deref(), Some("None"));
    assert!(read.has_override_target);

    let managers = client.managers().await.expect("managers");
    let [manager] = managers.as_slice() else {
        panic!("{managers:?}")
    };
    assert_eq!(manager.uuid.as_deref(), Some("58893887-8974-2487-2389-841168418919"));
    assert_eq!(
        (manager.sku.as_deref(), manager.state.as_deref()),
        (Some("P1"), Some("Enabled"))
    );
    assert_eq!(
        manager.last_reset_time,
        Some("2026-01-02T03:04:05Z".parse().expect("time"))
    );
    assert!(manager.has_graphical_console);
}

#[tokio::test(start_paused = true)]
async fn a_system_that_cannot_be_read_is_not_left_out() {
    let bmc = FakeBmc::new();
    bmc.answer(&format!("GET {SYSTEM}"), 500, json!({"error": {"message": "busy"}}));
    let error = client(&bmc)
        .await
        .expect("client")
        .systems()
        .await
        .expect_err("incomplete");
    assert_eq!(
        error,
        BmcError::Http {
            status: 500,
            message: "busy".to_owned(),
            sent: false
        }
    );
}

#[tokio::test(start_paused = true)]
async fn collections_are_expanded_where_offered_and_paged() {
    let bmc = FakeBmc::new();
    bmc.with(|state| {
        let root = state.documents.get_mut("/redfish/v1").expect("root");
        root["ProtocolFeaturesSupported"] = json!({"ExpandQuery": {"NoLinks": true, "Levels": true}});
        let mut second = state.documents[SYSTEM].clone();
        second["@odata.id"] = json!("/redfish/v1/Systems/0");
        let first = state.documents[SYSTEM].clone();
        let expanded = "/redfish/v1/Systems?$expand=.($levels=1)";
        state.documents.insert(expanded.to_owned(), json!({
            "@odata.id": "/redfish/v1/Systems", "Name": "Systems", "Members": [first], "Members@odata.nextLink": "/redfish/v1/Systems?page=2"
        }));
        state.documents.insert("/redfish/v1/Systems?page=2&$expand=.($levels=1)".to_owned(), json!({
            "@odata.id": "/redfish/v1/Systems", "Name": "Systems", "Members": [second]
        }));
    });
    let systems = client(&bmc).await.expect("client").systems().await.expect("systems");
    let uris: Vec<_> = systems.iter().map(|system| system.uri.as_str()).collect();
    assert_eq!(uris, ["/redfish/v1/Systems/0", SYSTEM]);
    assert!(
        bmc.seen(&format!("GET {SYSTEM}")).is_empty(),
        "expanded members are not read again"
    );
}

#[tokio::test(start_paused = true)]
async fn inventory_has_the_fields_of_server_status() {
    let bmc = FakeBmc::new();
    let inventory = client(&bmc)
        .await
        .expect("client")
        .inventory(&system())
        .await
        .expect("inventory");
    insta::assert_debug_snapshot!(inventory);
}

#[tokio::test(start_paused = true)]
async fn inventory_survives_one_broken_resource_but_not_a_broken_bmc() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    bmc.answer(&format!("GET {DRIVE}"), 404, json!(null));
    bmc.answer("GET /redfish/v1/Systems/1/Storage/S/Volumes", 500, json!(null));
    let inventory = client.inventory(&system()).await.expect("inventory");
    assert_eq!(
        (
            inventory.processors.len(),
            inventory.storages[0].drives.len(),
            inventory.storages[0].volumes.len()
        ),
        (1, 0, 0)
    );
    bmc.prepare(&format!("GET {DRIVE}"), Behaviour::Reset);
    assert!(matches!(
        client.inventory(&system()).await,
        Err(BmcError::Unreachable { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn simple_storage_stands_in_for_storage() {
    let bmc = FakeBmc::new();
    bmc.with(|state| {
        let system = state.documents.get_mut(SYSTEM).and_then(Value::as_object_mut).expect("system");
        system.remove("Storage");
        system.insert("SimpleStorage".to_owned(), json!({"@odata.id": "/redfish/v1/Systems/1/SimpleStorage"}));
        state.documents.insert("/redfish/v1/Systems/1/SimpleStorage".to_owned(), json!({
            "@odata.id": "/redfish/v1/Systems/1/SimpleStorage", "Members": [{"@odata.id": "/redfish/v1/Systems/1/SimpleStorage/1"}]
        }));
        state.documents.insert("/redfish/v1/Systems/1/SimpleStorage/1".to_owned(), json!({
            "@odata.id": "/redfish/v1/Systems/1/SimpleStorage/1", "Name": "AHCI", "Devices": [{"Name": "sda", "CapacityBytes": 8, "Model": "M"}]
        }));
    });
    let inventory = client(&bmc)
        .await
        .expect("client")
        .inventory(&system())
        .await
        .expect("inventory");
    assert_eq!(inventory.storages[0].name, "AHCI");
    assert_eq!(
        (
            inventory.storages[0].drives[0].name.as_str(),
            inventory.storages[0].drives[0].capacity_bytes
        ),
        ("sda", Some(8))
    );
}

#[tokio::test(start_paused = true)]
async fn resets_are_posted_once_to_the_action_target() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    client
        .reset_system(&system(), ResetType::GracefulShutdown)
        .await
        .expect("reset");
    let posts = bmc.seen("POST /redfish/v1/Systems");
    assert_eq!(posts.len(), 1);
    assert_eq!(
        (&posts[0].body, &posts[0].if_match),
        (&json!({"ResetType": "GracefulShutdown"}), &None)
    );
    assert!(matches!(
        client.reset_system(&system(), ResetType::PowerCycle).await,
        Err(BmcError::Unsupported { .. })
    ));
    assert_eq!(bmc.seen("POST /redfish/v1/Systems").len(), 1);

    let manager = ManagerUri::new("/redfish/v1/Managers/BMC");
    client
        .reset_manager(&manager, ResetType::GracefulRestart)
        .await
        .expect("reset");
    assert_eq!(
        bmc.seen("POST /redfish/v1/Managers")[0].body,
        json!({"ResetType": "GracefulRestart"})
    );
    assert!(matches!(
        client.reset_manager(&manager, ResetType::ForceRestart).await,
        Err(BmcError::Unsupported { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn an_action_that_demands_a_precondition_gets_one() {
    let bmc = FakeBmc::new();
    bmc.answer(
        "POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
        428,
        json!(null),
    );
    client(&bmc)
        .await
        .expect("client")
        .reset_system(&system(), ResetType::On)
        .await
        .expect("reset");
    let tags: Vec<_> = bmc
        .seen("POST /redfish/v1/Systems")
        .into_iter()
        .map(|seen| seen.if_match)
        .collect();
    assert_eq!(tags, [None, Some("*".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn one_time_boot_is_written_once() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    assert_eq!(
        client
            .set_boot_override(&system(), BootTarget::Pxe, Lasting::Once)
            .await,
        Ok(true)
    );
    assert_eq!(
        client
            .set_boot_override(&system(), BootTarget::Pxe, Lasting::Once)
            .await,
        Ok(false)
    );
    assert_eq!(
        patches(&bmc),
        [json!({"Boot": {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}})]
    );
    assert_eq!(bmc.seen("PATCH ")[0].if_match.as_deref(), Some("W/\"1\""));
    assert!(matches!(
        client
            .set_boot_override(&system(), BootTarget::UefiHttp, Lasting::Once)
            .await,
        Err(BmcError::Unsupported { .. })
    ));

    assert_eq!(client.clear_boot_override(&system()).await, Ok(true));
    assert_eq!(client.clear_boot_override(&system()).await, Ok(false));
    assert_eq!(
        patches(&bmc)[1],
        json!({"Boot": {"BootSourceOverrideEnabled": "Disabled"}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_only_mode_does_not_stop_the_boot_override() {
    let bmc = FakeBmc::new();
    bmc.with(|state| {
        state.documents.get_mut(SYSTEM).expect("system")["Boot"]["BootSourceOverrideMode"] = json!("Legacy")
    });
    bmc.answer(
        &format!("PATCH {SYSTEM}"),
        400,
        json!({"error": {"message": "PropertyNotWritable"}}),
    );
    assert_eq!(
        client(&bmc)
            .await
            .expect("client")
            .set_boot_override(&system(), BootTarget::Pxe, Lasting::Once)
            .await,
        Ok(true)
    );
    let modes: Vec<_> = patches(&bmc)
        .iter()
        .map(|patch| patch["Boot"].get("BootSourceOverrideMode").cloned())
        .collect();
    assert_eq!(modes, [Some(json!("UEFI")), None]);
}

#[tokio::test(start_paused = true)]
async fn settings_objects_take_what_the_system_refuses() {
    let bmc = FakeBmc::new();
    let settings = "/redfish/v1/Systems/1/Settings";
    bmc.with(|state| {
        state.documents.get_mut(SYSTEM).expect("system")["@Redfish.Settings"] =
            json!({"SettingsObject": {"@odata.id": settings}});
        state.documents.insert(
            settings.to_owned(),
            json!({"@odata.id": settings, "@odata.etag": "\"s1\"", "Id": "Settings", "Name": "s"}),
        );
    });
    let client = client(&bmc).await.expect("client");
    let order = ["Boot0002".to_owned(), "Boot0001".to_owned()];
    bmc.answer(&format!("PATCH {SYSTEM}"), 405, json!(null));
    assert_eq!(client.set_boot_order(&system(), &order).await, Ok(true));
    let to_settings = bmc.seen(&format!("PATCH {settings}"));
    assert_eq!(
        to_settings[0].body,
        json!({"Boot": {"BootOrder": ["Boot0002", "Boot0001"]}})
    );
    assert_eq!(to_settings[0].if_match.as_deref(), Some("\"s1\""));
    // It waits for the next boot there: writing it again would queue another job (bugs.md #65).
    assert_eq!(client.set_boot_order(&system(), &order).await, Ok(false));
    assert_eq!(bmc.seen("PATCH ").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stale_or_refused_etag_is_overcome() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    let patch = format!("PATCH {SYSTEM}");
    bmc.answer(&patch, 412, json!(null));
    client
        .set_indicator_led(&system(), IndicatorLed::Lit)
        .await
        .expect("once more with the current tag");
    bmc.answer(&patch, 412, json!(null));
    bmc.answer(&patch, 412, json!(null));
    client
        .set_indicator_led(&system(), IndicatorLed::Blinking)
        .await
        .expect("in the end without a tag");
    let tags: Vec<_> = bmc.seen(&patch).into_iter().map(|seen| seen.if_match).collect();
    let tag = Some("W/\"1\"".to_owned());
    assert_eq!(tags, [tag.clone(), tag.clone(), tag.clone(), tag, None]);
    assert_eq!(patches(&bmc)[0], json!({"IndicatorLED": "Lit"}));
}

#[tokio::test(start_paused = true)]
async fn drives_are_listed_completely_or_not_at_all() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    let drives = client.drives(&system()).await.expect("drives");
    assert_eq!(drives.len(), 1);
    assert_eq!(
        (
            drives[0].uri.clone(),
            drives[0].secure_erase,
            drives[0].serial_number.as_deref()
        ),
        (drive(), true, Some("SN1"))
    );
    bmc.answer(&format!("GET {DRIVE}"), 404, json!(null));
    assert!(client.drives(&system()).await.is_err());
    bmc.with(|state| {
        state
            .documents
            .get_mut("/redfish/v1/Systems/1/Storage/S")
            .expect("storage")["Drives"] = json!([{"Name": "no link"}])
    });
    assert!(matches!(client.drives(&system()).await, Err(BmcError::Protocol { .. })));
}

#[tokio::test(start_paused = true)]
async fn secure_erase_gives_a_task_to_follow() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    let erase = format!("POST {DRIVE}/Actions/Drive.SecureErase");
    assert_eq!(
        client.secure_erase(&drive()).await,
        Ok(None),
        "a BMC that answers 204 is done"
    );
    let task = "/redfish/v1/TaskService/Tasks/7";
    bmc.prepare(
        &erase,
        Behaviour::Answer(Reply {
            status: 202,
            headers: vec![("location", "https://internal/redfish/v1/TaskService/TaskMonitors/7".to_owned())],
            body: json!({"@odata.id": task, "@odata.type": "#Task.v1_7_0.Task", "Id": "7", "Name": "Erase", "TaskState": "New"}),
        }),
    );
    let started = client.secure_erase(&drive()).await.expect("erase").expect("task");
    assert_eq!(started, TaskUri::new(task));
    assert!(matches!(client.task(&started).await, Err(error) if error.is_not_found()));
    bmc.prepare(
        &format!("GET {task}"),
        Behaviour::Answer(Reply {
            status: 202,
            headers: vec![("retry-after", "5".to_owned())],
            body: json!({"@odata.id": task, "Id": "7", "Name": "Erase", "TaskState": "Running", "TaskStatus": "OK", "PercentComplete": 30}),
        }),
    );
    let report = client.task(&started).await.expect("task");
    assert_eq!(
        (report.state, report.percent, report.retry_after),
        (TaskState::Active, Some(30), Some(Duration::from_secs(5)))
    );
    bmc.answer(
        &format!("GET {task}"),
        200,
        json!({"@odata.id": task, "TaskState": "Completed", "TaskStatus": "Critical"}),
    );
    assert_eq!(client.task(&started).await.expect("task").state, TaskState::Failed);
    bmc.answer(&format!("GET {task}"), 204, json!(null));
    assert_eq!(
        client.task(&started).await.expect("monitor").state,
        TaskState::Succeeded
    );

    bmc.with(|state| state.documents.get_mut(DRIVE).expect("drive")["Actions"] = json!({}));
    assert!(matches!(
        client.secure_erase(&drive()).await,
        Err(BmcError::Unsupported { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn bios_shows_what_is_pending() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    let object = |value: Value| value.as_object().cloned().expect("object");
    let expected = Bios {
        attributes: object(json!({"A": "x", "B": 1})),
        pending: object(json!({"B": 2})),
        supports_reset: true,
        reset_pending: false,
    };
    assert_eq!(client.bios(&system()).await, Ok(Some(expected)));
    client.reset_bios(&system()).await.expect("reset");
    assert_eq!(bmc.seen("POST /redfish/v1/Systems/1/Bios").len(), 1);
    bmc.with(|state| {
        state
            .documents
            .get_mut(SYSTEM)
            .and_then(Value::as_object_mut)
            .expect("system")
            .remove("Bios")
    });
    assert_eq!(client.bios(&system()).await, Ok(None));
    assert!(matches!(
        client.reset_bios(&system()).await,
        Err(BmcError::Unsupported { .. })
    ));
}
