//! What the kinds that work in maintenances have in common, and how they are written.

use std::fmt::Debug;
use std::sync::Arc;

use crds::kinds::server_maintenance::MaintenancePolicy;
use crds::{ObjectReference, keys};
use kube::api::{Api, Patch};
use kube::core::ClusterResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::context::{Context, parameters};
use crate::freshness::View;

/// An object that asks for maintenances and works in them.
pub trait Maintained:
    Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + DeserializeOwned + Debug + Send + Sync
{
    /// How names of its maintenances begin: objects of two kinds may have one name (W33).
    const PREFIX: &'static str;
    const FINALIZER: &'static str;

    /// The maintenances it has asked for.
    fn references(&self) -> Vec<ObjectReference>;
    /// The part of `spec` that says so.
    fn references_patch(references: &[ObjectReference]) -> Value;
    fn policy(&self) -> Option<MaintenancePolicy>;
    fn observed_generation(&self) -> Option<i64>;
}

/// Key of an object among the own writes, and among the turns.
pub fn key<K: Maintained>(object: &K) -> String {
    format!("{}/{}", K::PREFIX, object.name_any())
}

/// The object as it is now, if the cached one is older than what this process has written.
#[derive(Debug)]
pub enum Fresh<K> {
    Current(K),
    /// The event of the last write is on its way.
    Lagging,
    Gone,
}

/// Looks whether a cached object can be decided upon.
///
/// # Errors
/// The API server's.
pub async fn fresh<K: Maintained>(context: &Context, cached: &Arc<K>) -> Result<Fresh<K>, kube::Error> {
    let (key, version) = (key(&**cached), cached.resource_version());
    let patience = context.settings.resource.interval;
    Ok(match context.own_writes.view(&key, version.as_deref(), patience) {
        View::Current => Fresh::Current(K::clone(cached)),
        View::Lagging => Fresh::Lagging,
        View::Lost => match context.api::<K>().get_opt(&cached.name_any()).await? {
            Some(object) => {
                wrote(context, &object);
                Fresh::Current(object)
            }
            None => Fresh::Gone,
        },
    })
}

/// Remembers what the cache has to show before the object is looked at again.
pub fn wrote<K: Maintained>(context: &Context, object: &K) {
    context
        .own_writes
        .wrote(&key(object), object.resource_version().as_deref());
}

/// Writes the status, if it changes. Returns the object as it is then.
///
/// # Errors
/// The API server's.
pub async fn write_status<K: Maintained, S: Serialize + PartialEq>(
    context: &Context,
    object: &K,
    old: &S,
    new: &S,
) -> Result<K, kube::Error> {
    match context.write_status(&context.api(), object, old, new).await? {
        Some(written) => {
            wrote(context, &written);
            Ok(written)
        }
        None => Ok(object.clone()),
    }
}

/// The value of the operation annotation.
pub fn request<K: Resource>(object: &K) -> Option<&str> {
    object.annotations().get(keys::OPERATION_ANNOTATION).map(String::as_str)
}

/// Whether somebody has changed what is wanted since the status was written. The operator's own writes to `spec` do not count: see
/// [`write_references`].
pub fn is_changed<K: Maintained>(object: &K) -> bool {
    object
        .observed_generation()
        .is_some_and(|observed| Some(observed) != object.meta().generation)
}

/// Writes which maintenances the object has asked for, and that this was no change of what is wanted.
///
/// # Errors
/// The API server's.
pub async fn write_references<K: Maintained>(
    context: &Context,
    object: &K,
    references: &[ObjectReference],
) -> Result<K, kube::Error> {
    if object.references() == references {
        return Ok(object.clone());
    }
    let own = !is_changed(object);
    let api: Api<K> = context.api();
    let patch = json!({
        "metadata": { "resourceVersion": object.resource_version() },
        "spec": K::references_patch(references),
    });
    let written: K = api
        .patch(&object.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    wrote(context, &written);
    if !own || written.observed_generation() == written.meta().generation {
        return Ok(written);
    }
    let patch = json!({
        "metadata": { "resourceVersion": written.resource_version() },
        "status": { "observedGeneration": written.meta().generation },
    });
    let written = api
        .patch_status(&object.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    wrote(context, &written);
    Ok(written)
}

/// Removes the request that was honoured, and no other.
///
/// # Errors
/// The API server's.
pub async fn clear_request<K: Maintained>(context: &Context, object: &K) -> Result<K, kube::Error> {
    let api: Api<K> = context.api();
    let patch = json!({ "metadata": {
        "resourceVersion": object.resource_version(),
        "annotations": { keys::OPERATION_ANNOTATION: null },
    } });
    let written = api
        .patch(&object.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    wrote(context, &written);
    Ok(written)
}
