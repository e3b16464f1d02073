//! `POST /bootstate` ends as a condition on the ServerBootConfiguration: contract section 1.11.

use crds::ServerBootConfiguration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::edges::Clock;

const CONDITION: &str = "BootStateReceived";

/// Sets the condition; a condition that is already True stays as it is.
pub(super) async fn record(kube: &kube::Client, clock: &Clock, namespace: &str, name: &str) -> Result<(), kube::Error> {
    let api: Api<ServerBootConfiguration> = Api::namespaced(kube.clone(), namespace);
    let current = api.get(name).await?;
    let mut conditions = current.status.unwrap_or_default().conditions;
    if conditions
        .iter()
        .any(|condition| condition.type_ == CONDITION && condition.status == "True")
    {
        return Ok(());
    }
    conditions.retain(|condition| condition.type_ != CONDITION);
    conditions.push(Condition {
        type_: CONDITION.to_owned(),
        status: "True".to_owned(),
        reason: CONDITION.to_owned(),
        message: "Server successfully posted boot state".to_owned(),
        observed_generation: current.metadata.generation,
        last_transition_time: Time((clock)()),
    });
    // The list is atomic, so it is written against the version it was read from.
    let patch = json!({"metadata": {"resourceVersion": current.metadata.resource_version}, "status": {"conditions": conditions}});
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}
