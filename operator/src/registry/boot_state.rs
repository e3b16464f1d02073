//! `POST /bootstate` ends as a condition on the ServerBootConfiguration: contract section 1.11.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use crate::edges::Clock;

const CONDITION: &str = "BootStateReceived";

/// Sets the condition; a condition that is already True stays as it is.
pub(super) async fn record(kube: &kube::Client, clock: &Clock, namespace: &str, name: &str) -> Result<(), kube::Error> {
    let kind = GroupVersionKind::gvk("metal.ironcore.dev", "v1alpha1", "ServerBootConfiguration");
    let api: Api<DynamicObject> = Api::namespaced_with(kube.clone(), namespace, &ApiResource::from_gvk(&kind));
    let current = api.get(name).await?;
    let mut conditions = current
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if conditions
        .iter()
        .any(|condition| condition["type"] == CONDITION && condition["status"] == "True")
    {
        return Ok(());
    }
    conditions.retain(|condition| condition["type"] != CONDITION);
    conditions.push(json!({
        "type": CONDITION,
        "status": "True",
        "reason": CONDITION,
        "message": "Server successfully posted boot state",
        "observedGeneration": current.metadata.generation,
        "lastTransitionTime": (clock)().round(jiff::Unit::Second).unwrap_or_else(|_| (clock)()),
    }));
    // The list is atomic, so it is written against the version it was read from.
    let patch = json!({"metadata": {"resourceVersion": current.metadata.resource_version}, "status": {"conditions": conditions}});
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}
