//! Controllers: one folder or file per kind.
//!
//! A pass is level-triggered: it looks at the world as it is, takes the steps that are possible now, and returns. It never waits for
//! hardware: it is woken by watches, by the registry, or after an interval from the options.

pub mod bios_settings;
pub mod bmc;
pub mod bmc_settings;
pub mod bmc_user;
pub mod boot_configuration;
pub mod endpoint;
mod error;
pub mod firmware;
pub mod firmware_set;
pub mod firmware_version;
pub mod server;
pub mod server_claim;
pub mod server_maintenance;
pub mod server_readiness_rule;

pub use error::Error;

use crds::keys;
use kube::api::{Api, Patch};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::context::parameters;
use crate::sabotage::{self, Bug};

/// Whether a user asked the operator to leave the object alone. Deletion runs all the same.
pub fn is_ignored<K: Resource>(object: &K) -> bool {
    object
        .annotations()
        .get(keys::OPERATION_ANNOTATION)
        .is_some_and(|operation| {
            use keys::operation::{IGNORE, IGNORE_CHILD_AND_SELF, IGNORE_PROPAGATED};
            [IGNORE, IGNORE_CHILD_AND_SELF, IGNORE_PROPAGATED].contains(&operation.as_str())
        })
}

/// Adds a finalizer, provided that the object is still the one that was looked at. `None` when it is there already.
///
/// # Errors
/// The API server's.
pub async fn ensure_finalizer<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<Option<K>, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    if object.finalizers().iter().any(|present| present == finalizer) {
        return Ok(None);
    }
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(finalizer.to_owned());
    set_finalizers(api, object, finalizers).await.map(Some)
}

/// Removes our finalizer and leaves those of others. `None` when it is gone already.
///
/// # Errors
/// The API server's.
pub async fn remove_finalizer<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<Option<K>, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    if !object.finalizers().iter().any(|present| present == finalizer) {
        return Ok(None);
    }
    let others = object.finalizers().iter().filter(|present| *present != finalizer);
    set_finalizers(api, object, others.cloned().collect()).await.map(Some)
}

async fn set_finalizers<K>(api: &Api<K>, object: &K, finalizers: Vec<String>) -> Result<K, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut patch = json!({ "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers } });
    // Incident 42.
    if sabotage::active(Bug::FinalizersOverwritten) {
        patch["metadata"]["resourceVersion"] = json!(null);
    }
    api.patch(&object.name_any(), &parameters(), &Patch::Merge(patch)).await
}
