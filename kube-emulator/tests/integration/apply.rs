//! Server-side apply over the API.

use kube_emulator::KubeEmulator;
use serde_json::{Value, json};

use crate::common::{WIDGETS, call, emulator, install, widget};

async fn apply(emulator: &KubeEmulator, manager: &str, force: bool, spec: Value) -> (u16, Value) {
    let path = format!("{WIDGETS}/a?fieldManager={manager}&force={force}");
    let (code, answer, _) = call(
        emulator,
        "PATCH",
        &path,
        "application/apply-patch+yaml",
        widget("a", spec).to_string(),
    )
    .await;
    (code.as_u16(), answer)
}

#[tokio::test(start_paused = true)]
async fn apply_creates_repeats_conflicts_and_forces() {
    let emulator = emulator(100);
    install(&emulator).await;
    let (code, created) = apply(&emulator, "m1", false, json!({"color": "blue", "tags": ["t1"]})).await;
    assert_eq!(code, 201);
    let (code, again) = apply(&emulator, "m1", false, json!({"color": "blue", "tags": ["t1"]})).await;
    assert_eq!((code, &again), (200, &created), "a repeated apply changes nothing");
    let (code, answer) = apply(&emulator, "m2", false, json!({"color": "green"})).await;
    assert_eq!(code, 409);
    assert_eq!(
        answer["message"],
        "Apply failed with 1 conflict: conflict with \"m1\": .spec.color"
    );
    assert_eq!(
        answer["details"],
        json!({"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"m1\"", "field": ".spec.color"}]})
    );
    let (code, forced) = apply(&emulator, "m2", true, json!({"color": "green", "tags": ["t2"]})).await;
    assert_eq!((code, &forced["spec"]["tags"]), (200, &json!(["t1", "t2"])));
    let (_, dropped) = apply(&emulator, "m2", false, json!({})).await;
    assert_eq!(
        (&dropped["spec"]["color"], &dropped["spec"]["tags"]),
        (&json!("red"), &json!(["t1"])),
        "the default is back"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_applied_is_said() {
    let emulator = emulator(100);
    install(&emulator).await;
    let (code, answer) = apply(&emulator, "m1", false, json!({"bogus": 1})).await;
    assert_eq!(code, 500);
    assert_eq!(
        answer["message"],
        "failed to create typed patch object (/a; ex.io/v1, Kind=Widget): .spec.bogus: field not declared in schema"
    );
    let (code, _, _) = call(
        &emulator,
        "PATCH",
        &format!("{WIDGETS}/a"),
        "application/apply-patch+yaml",
        "{}",
    )
    .await;
    assert_eq!(code, 422, "a field manager is required");
    let (code, answer, _) = call(
        &emulator,
        "PATCH",
        &format!("{WIDGETS}/a/status?fieldManager=m"),
        "application/apply-patch+yaml",
        widget("a", json!({})).to_string(),
    )
    .await;
    assert_eq!(code, 404, "status is never created: {answer}");
}
