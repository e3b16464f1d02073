//! Garbage collection and the life of namespaces.

use std::time::Duration;

use kube_emulator::KubeEmulator;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::common::{emulator, json_call};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Runs `user` with the controllers beside it.
async fn with_controllers(emulator: &KubeEmulator, user: impl Future<Output = ()>) {
    let stop = CancellationToken::new();
    let user = async {
        user.await;
        stop.cancel();
    };
    tokio::join!(emulator.run_controllers(stop.clone()), user);
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

async fn create(emulator: &KubeEmulator, name: &str, owners: &[(&str, &str, bool)]) -> String {
    let owners: Vec<Value> = owners
        .iter()
        .map(|(name, uid, block)| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": block}))
        .collect();
    let body = json!({"metadata": {"name": name, "ownerReferences": owners}});
    let (code, stored) = json_call(emulator, "POST", CONFIG_MAPS, &body).await;
    assert_eq!(code, 201, "{stored}");
    stored["metadata"]["uid"].as_str().unwrap().to_owned()
}

async fn exists(emulator: &KubeEmulator, name: &str) -> bool {
    json_call(emulator, "GET", &format!("{CONFIG_MAPS}/{name}"), &Value::Null)
        .await
        .0
        == 200
}

async fn delete(emulator: &KubeEmulator, name: &str, policy: &str) {
    let (code, _) = json_call(
        emulator,
        "DELETE",
        &format!("{CONFIG_MAPS}/{name}"),
        &json!({"propagationPolicy": policy}),
    )
    .await;
    assert_eq!(code, 200);
}

#[tokio::test(start_paused = true)]
async fn dependents_follow_their_last_owner() {
    let emulator = emulator(100);
    with_controllers(&emulator, async {
        let (one, two) = (create(&emulator, "one", &[]).await, create(&emulator, "two", &[]).await);
        create(&emulator, "child", &[("one", &one, false), ("two", &two, false)]).await;
        let grandchild_owner = create(&emulator, "only", &[("one", &one, false)]).await;
        create(&emulator, "grandchild", &[("only", &grandchild_owner, false)]).await;
        delete(&emulator, "one", "Background").await;
        settle().await;
        assert!(exists(&emulator, "child").await, "it has another owner");
        assert!(!exists(&emulator, "only").await && !exists(&emulator, "grandchild").await);
        let (_, child) = json_call(&emulator, "GET", &format!("{CONFIG_MAPS}/child"), &Value::Null).await;
        assert_eq!(
            child["metadata"]["ownerReferences"].as_array().unwrap().len(),
            1,
            "the dangling reference is dropped"
        );
        delete(&emulator, "two", "Background").await;
        settle().await;
        assert!(!exists(&emulator, "child").await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_never_was_is_no_owner() {
    let emulator = emulator(100);
    with_controllers(&emulator, async {
        create(&emulator, "child", &[("ghost", "1234", false)]).await;
        settle().await;
        assert!(!exists(&emulator, "child").await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn foreground_deletion_waits_for_blocking_dependents() {
    let emulator = emulator(100);
    with_controllers(&emulator, async {
        let owner = create(&emulator, "owner", &[]).await;
        create(&emulator, "child", &[("owner", &owner, true)]).await;
        let hold = json!({"metadata": {"finalizers": ["ex.io/f"]}});
        json_call(&emulator, "PATCH", &format!("{CONFIG_MAPS}/child"), &hold).await;
        delete(&emulator, "owner", "Foreground").await;
        settle().await;
        assert!(exists(&emulator, "owner").await);
        assert!(exists(&emulator, "child").await);
        json_call(
            &emulator,
            "PATCH",
            &format!("{CONFIG_MAPS}/child"),
            &json!({"metadata": {"finalizers": null}}),
        )
        .await;
        settle().await;
        assert!(!exists(&emulator, "owner").await && !exists(&emulator, "child").await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn orphans_forget_their_owner() {
    let emulator = emulator(100);
    with_controllers(&emulator, async {
        let owner = create(&emulator, "owner", &[]).await;
        create(&emulator, "child", &[("owner", &owner, true)]).await;
        delete(&emulator, "owner", "Orphan").await;
        settle().await;
        assert!(!exists(&emulator, "owner").await);
        let (_, child) = json_call(&emulator, "GET", &format!("{CONFIG_MAPS}/child"), &Value::Null).await;
        assert!(child["metadata"].get("ownerReferences").is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_takes_its_content_along() {
    let emulator = emulator(100);
    with_controllers(&emulator, async {
        json_call(
            &emulator,
            "POST",
            "/api/v1/namespaces",
            &json!({"metadata": {"name": "n"}}),
        )
        .await;
        settle().await;
        let maps = "/api/v1/namespaces/n/configmaps";
        let (_, list) = json_call(&emulator, "GET", maps, &Value::Null).await;
        assert_eq!(list["items"][0]["metadata"]["name"], "kube-root-ca.crt");
        assert_eq!(
            json_call(
                &emulator,
                "GET",
                "/api/v1/namespaces/n/serviceaccounts/default",
                &Value::Null
            )
            .await
            .0,
            200
        );
        let held = json!({"metadata": {"name": "held", "finalizers": ["ex.io/f"]}});
        json_call(&emulator, "POST", maps, &held).await;
        let (_, ending) = json_call(&emulator, "DELETE", "/api/v1/namespaces/n", &json!({})).await;
        assert_eq!(ending["status"]["phase"], "Terminating");
        settle().await;
        let (code, answer) = json_call(&emulator, "POST", maps, &json!({"metadata": {"name": "late"}})).await;
        assert_eq!(
            (code, answer["details"]["causes"][0]["reason"].as_str()),
            (403, Some("NamespaceTerminating"))
        );
        let (_, stuck) = json_call(&emulator, "GET", "/api/v1/namespaces/n", &Value::Null).await;
        let remaining = stuck["status"]["conditions"].as_array().unwrap().iter();
        let remaining: Vec<&str> = remaining
            .filter(|c| c["status"] == "True")
            .map(|c| c["message"].as_str().unwrap())
            .collect();
        assert_eq!(
            remaining,
            [
                "Some resources are remaining: configmaps. has 1 resource instances",
                "Some content in the namespace has finalizers remaining: ex.io/f in 1 resource instances"
            ]
        );
        json_call(
            &emulator,
            "PATCH",
            &format!("{maps}/held"),
            &json!({"metadata": {"finalizers": null}}),
        )
        .await;
        settle().await;
        assert_eq!(
            json_call(&emulator, "GET", "/api/v1/namespaces/n", &Value::Null)
                .await
                .0,
            404
        );
        assert_eq!(
            json_call(&emulator, "DELETE", "/api/v1/namespaces/default", &json!({}))
                .await
                .0,
            403
        );
    })
    .await;
}
