//! The controllers of the sets: contract section 4.7. A set makes one object for each server or BMC that it selects.
//!
//! | module | subject |
//! |---|---|
//! | [`plan`] | what is made, changed and removed. Pure |
//! | `kinds` | the four kinds |

mod kinds;
pub mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crds::{BIOSSettingsSet, BIOSVersionSet, BMC, BMCSettingsSet, BMCVersionSet, Server, keys};
use kube::api::{Api, DeleteParams, Patch, PostParams, Preconditions};
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::{Error, ensure_finalizer, remove_finalizer};
use crate::conditions;
use crate::context::{Context, is_conflict, is_not_found, parameters};
use crate::label_selector;
use kinds::{Set, Targets};
use plan::{Child, Plan, Progress, Scene};

/// Condition of what was tried again, with the request as its message.
const RETRIED: &str = "RetryOfFailedResourceIssued";

/// One pass over one BIOSSettingsSet.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile_bios_settings(context: Arc<Context>, set: Arc<BIOSSettingsSet>) -> Result<Action, Error> {
    reconcile(&context, &set).await
}

/// One pass over one BIOSVersionSet.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile_bios_versions(context: Arc<Context>, set: Arc<BIOSVersionSet>) -> Result<Action, Error> {
    reconcile(&context, &set).await
}

/// One pass over one BMCSettingsSet.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile_bmc_settings(context: Arc<Context>, set: Arc<BMCSettingsSet>) -> Result<Action, Error> {
    reconcile(&context, &set).await
}

/// One pass over one BMCVersionSet.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile_bmc_versions(context: Arc<Context>, set: Arc<BMCVersionSet>) -> Result<Action, Error> {
    reconcile(&context, &set).await
}

async fn reconcile<K: Set>(context: &Context, set: &Arc<K>) -> Result<Action, Error> {
    match pass(context, K::clone(set)).await {
        Ok(pause) => Ok(Action::requeue(pause)),
        Err(Error::Kube(error)) if is_conflict(&error) => Ok(Action::requeue(context.settings.resource.interval)),
        Err(error) => Err(error),
    }
}

async fn pass<K: Set>(context: &Context, mut set: K) -> Result<Duration, Error> {
    let resync = context.options.firmware.maintenance_resync_interval.get();
    let children = children(context, &set);
    if set.meta().deletion_timestamp.is_some() {
        // What works on a machine ends first; then all go with their owner.
        if children.iter().any(|child| child.progress == Progress::InProgress) {
            return Ok(resync);
        }
        remove_finalizer(&context.api(), &set, K::FINALIZER).await?;
        return Ok(resync);
    }
    if let Some(written) = ensure_finalizer(&context.api(), &set, K::FINALIZER).await? {
        set = written;
    }
    let template = set.template().as_object().cloned().unwrap_or_default();
    let plan = plan::plan(&Scene {
        set: &set.name_any(),
        request: set.annotations().get(keys::OPERATION_ANNOTATION).map(String::as_str),
        template: &template,
        fields: K::FIELDS,
        selected: &selected(context, &set),
        taken: &set.taken(context),
        children: &children,
    });
    carry_out(context, &set, &plan, &template).await?;
    context
        .write_status(&context.api(), &set, &set.status(), &K::counted(plan.counts))
        .await?;
    Ok(resync)
}

/// Names of the servers or BMCs that the set selects.
fn selected<K: Set>(context: &Context, set: &K) -> BTreeSet<String> {
    let matches = |labels: &BTreeMap<String, String>| label_selector::matches(set.selector(), labels);
    match K::TARGETS {
        Targets::Servers => {
            let servers = context.caches.servers.all().into_iter();
            servers
                .filter(|server| matches(server.labels()))
                .map(|server| server.name_any())
                .collect()
        }
        Targets::Bmcs => {
            let bmcs = context.caches.bmcs.all().into_iter();
            bmcs.filter(|bmc| matches(bmc.labels()))
                .map(|bmc| bmc.name_any())
                .collect()
        }
    }
}

/// What the set has made, whatever it is called: an older operator has named some by chance.
fn children<K: Set>(context: &Context, set: &K) -> Vec<Child> {
    let owner = set.uid();
    let all = K::children(context).all().into_iter();
    let own = all.filter(|child| {
        let mut owners = child.owner_references().iter();
        owners.any(|reference| Some(&reference.uid) == owner.as_ref()) && child.meta().deletion_timestamp.is_none()
    });
    own.map(|child| {
        let document = serde_json::to_value(&*child).unwrap_or_default();
        let spec = document.get("spec").cloned().unwrap_or_default();
        let retried = conditions::find(&K::conditions(&child), RETRIED)
            .is_some_and(|condition| condition.message == keys::operation::RETRY_PROPAGATED);
        Child {
            name: child.name_any(),
            target: spec[K::REFERENCE]["name"].as_str().unwrap_or_default().to_owned(),
            progress: K::progress(&child),
            request: child.annotations().get(keys::OPERATION_ANNOTATION).cloned(),
            retried,
            spec,
        }
    })
    .collect()
}

async fn carry_out<K: Set>(
    context: &Context,
    set: &K,
    plan: &Plan,
    template: &serde_json::Map<String, Value>,
) -> Result<(), Error> {
    let api: Api<K::Child> = context.api();
    for (name, target) in &plan.create {
        let mut spec = template.clone();
        spec.insert(K::REFERENCE.to_owned(), json!({ "name": target }));
        let child = json!({
            "apiVersion": format!("{}/{}", crds::GROUP, crds::VERSION),
            "kind": <K::Child as kube::Resource>::kind(&()),
            "metadata": { "name": name, "ownerReferences": [set.controller_owner_ref(&())] },
            "spec": spec,
        });
        let child: K::Child = serde_json::from_value(child).map_err(kube::Error::SerdeError)?;
        match api.create(&PostParams::default(), &child).await {
            Ok(_) => {}
            // Made already, and not in the cache yet; or somebody has given the name to something else.
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for (name, patch) in &plan.update {
        write(
            &api,
            K::children(context).get(name).as_deref(),
            json!({ "spec": patch }),
        )
        .await?;
    }
    for (name, value) in &plan.annotate {
        let patch = json!({ "metadata": { "annotations": { keys::OPERATION_ANNOTATION: value } } });
        write(&api, K::children(context).get(name).as_deref(), patch).await?;
    }
    for name in &plan.delete {
        if let Some(child) = K::children(context).get(name)
            && is_deselected(context, set, &child).await?
        {
            let precondition = Preconditions {
                uid: child.uid(),
                resource_version: child.resource_version(),
            };
            let parameters = DeleteParams {
                preconditions: Some(precondition),
                ..DeleteParams::default()
            };
            match api.delete(name, &parameters).await {
                Ok(_) => {}
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Whether a live read shows that the target of a child is gone, or no longer selected: a cache may have missed it.
async fn is_deselected<K: Set>(context: &Context, set: &K, child: &K::Child) -> Result<bool, Error> {
    let document = serde_json::to_value(child).map_err(kube::Error::SerdeError)?;
    let target = document["spec"][K::REFERENCE]["name"].as_str().unwrap_or_default();
    let labels = match K::TARGETS {
        Targets::Servers => {
            let server = Api::<Server>::get_opt(&context.api(), target).await?;
            server.map(|server| server.labels().clone())
        }
        Targets::Bmcs => {
            let bmc = Api::<BMC>::get_opt(&context.api(), target).await?;
            bmc.map(|bmc| bmc.labels().clone())
        }
    };
    Ok(labels.is_none_or(|labels| !label_selector::matches(set.selector(), &labels)))
}

/// Sends a merge patch, provided that the object is still the one that was looked at.
async fn write<C>(api: &Api<C>, object: Option<&C>, mut patch: Value) -> Result<(), Error>
where
    C: crate::controllers::firmware::object::Maintained,
{
    let Some(object) = object else { return Ok(()) };
    patch["metadata"]["resourceVersion"] = json!(object.resource_version());
    api.patch(&object.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    Ok(())
}
