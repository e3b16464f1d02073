//! What backups do to a cluster.

use serde_json::{Value, json};

use crate::common::{WIDGETS, emulator, install, json_call, widget};
use kube_emulator::{KubeEmulator, RestoreError};

async fn with_status(emulator: &KubeEmulator, name: &str) -> Value {
    json_call(emulator, "POST", WIDGETS, &widget(name, json!({"size": 1}))).await;
    let path = format!("{WIDGETS}/{name}/status");
    let (code, stored) = json_call(emulator, "PATCH", &path, &json!({"status": {"phase": "Done"}})).await;
    assert_eq!(code, 200, "{stored}");
    stored
}

#[tokio::test(start_paused = true)]
async fn status_is_lost_in_a_write_per_object() {
    let emulator = emulator(100);
    install(&emulator).await;
    for name in ["a", "b", "c"] {
        with_status(&emulator, name).await;
    }
    let before = emulator.revision();
    let erased = emulator.erase_status("ex.io", "widgets", |object| object["metadata"]["name"] != "b");
    assert_eq!((erased, emulator.revision()), (Ok(2), before + 2));
    let phases: Vec<bool> = emulator
        .objects("ex.io", "widgets")
        .iter()
        .map(|object| object.get("status").is_some())
        .collect();
    assert_eq!(phases, [false, true, false]);
    assert_eq!(
        emulator.erase_status("ex.io", "widgets", |_| true),
        Ok(1),
        "only what has one"
    );
    assert!(matches!(
        emulator.erase_status("ex.io", "gadgets", |_| true),
        Err(RestoreError::UnknownResource { .. })
    ));
    assert!(matches!(
        emulator.erase_status("", "configmaps", |_| true),
        Err(RestoreError::NoStatus { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn deleted_objects_come_back_as_others() {
    let emulator = emulator(100);
    install(&emulator).await;
    let old = with_status(&emulator, "a").await;
    with_status(&emulator, "b").await;
    let backup = emulator.revision();
    json_call(&emulator, "DELETE", &format!("{WIDGETS}/a"), &json!({})).await;
    json_call(
        &emulator,
        "PATCH",
        &format!("{WIDGETS}/b"),
        &json!({"spec": {"size": 2}}),
    )
    .await;
    assert_eq!(emulator.restore("ex.io", "widgets", backup), Ok(1));
    let (_, restored) = json_call(&emulator, "GET", &format!("{WIDGETS}/a"), &json!({})).await;
    assert_eq!(restored["spec"], old["spec"]);
    assert!(restored.get("status").is_none());
    assert_ne!(restored["metadata"]["uid"], old["metadata"]["uid"]);
    let (_, kept) = json_call(&emulator, "GET", &format!("{WIDGETS}/b"), &json!({})).await;
    assert_eq!(
        (&kept["spec"]["size"], &kept["status"]["phase"]),
        (&json!(2), &json!("Done"))
    );
    assert_eq!(emulator.restore("ex.io", "widgets", backup), Ok(0));
    assert!(matches!(
        emulator.restore("ex.io", "widgets", 1),
        Err(RestoreError::TooOld { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn objects_are_lost_whatever_their_finalizers_say() {
    let emulator = emulator(100);
    install(&emulator).await;
    let mut guarded = widget("a", json!({"size": 1}));
    guarded["metadata"]["finalizers"] = json!(["example.com/guard"]);
    json_call(&emulator, "POST", WIDGETS, &guarded).await;
    json_call(&emulator, "POST", WIDGETS, &widget("b", json!({"size": 1}))).await;
    let backup = emulator.revision();
    assert_eq!(emulator.lose("ex.io", "widgets"), Ok(2));
    assert_eq!(emulator.objects("ex.io", "widgets").len(), 0);
    assert_eq!(emulator.restore("ex.io", "widgets", backup), Ok(2));
    let (_, restored) = json_call(&emulator, "GET", &format!("{WIDGETS}/a"), &json!({})).await;
    assert_eq!(restored["metadata"]["finalizers"], guarded["metadata"]["finalizers"]);
}
