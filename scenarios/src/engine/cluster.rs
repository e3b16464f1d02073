//! Writes of the scenario's user to the cluster.

use crate::script::kinds::{self, KnownKind};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use std::time::Duration;

/// Of everything that scenarios write.
pub(crate) const FIELD_MANAGER: &str = "scenarios";
const DEFAULT_NAMESPACE: &str = "default";
/// Of a write that collides with those of others.
const ATTEMPTS: usize = 20;
const CONFLICT: u16 = 409;
/// No request of a scenario waits longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Acts as the scenario's user.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: kube::Client,
}

/// One object to be changed.
pub(crate) struct Target<'a> {
    pub kind: &'a str,
    pub namespace: Option<&'a str>,
    pub name: &'a str,
}

impl Cluster {
    pub(crate) fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// As `kubectl apply --server-side --force-conflicts`.
    pub(crate) async fn apply(&self, manifest: &Value) -> Result<(), String> {
        self.apply_as(None, manifest, false).await
    }

    /// The same in somebody else's name, with the status if wanted.
    pub(crate) async fn apply_as(&self, who: Option<&str>, manifest: &Value, status: bool) -> Result<(), String> {
        let manifest = self.with_owners(manifest).await?;
        let target = target_of(&manifest);
        let api = self.api(&target)?;
        let parameters = PatchParams::apply(who.unwrap_or(FIELD_MANAGER)).force();
        let patch = Patch::Apply(&manifest);
        request("apply", &target, api.patch(target.name, &parameters, &patch)).await?;
        if !status || manifest.get("status").is_none() {
            return Ok(());
        }
        let applied = api.patch_status(target.name, &parameters, &patch);
        request("apply the status of", &target, applied).await
    }

    /// Owner references without UID get that of the object they name.
    async fn with_owners(&self, manifest: &Value) -> Result<Value, String> {
        let mut manifest = manifest.clone();
        let namespace = target_of(&manifest).namespace.map(str::to_owned);
        let owners = manifest.pointer_mut("/metadata/ownerReferences");
        for owner in owners.and_then(Value::as_array_mut).into_iter().flatten() {
            if owner.get("uid").is_some() {
                continue;
            }
            let text = |field: &str| owner.get(field).and_then(Value::as_str).unwrap_or_default();
            let target = Target {
                kind: text("kind"),
                namespace: namespace.as_deref(),
                name: text("name"),
            };
            let uid = self.get(&target).await?["metadata"]["uid"].clone();
            owner["uid"] = uid;
        }
        Ok(manifest)
    }

    /// RFC 7386, of the object or its status. Conditions of other types stay, as whoever writes one of many must see to.
    pub(crate) async fn merge(&self, target: &Target<'_>, patch: &Value, status: bool) -> Result<(), String> {
        let api = self.api(target)?;
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        if !status {
            return request(
                "patch",
                target,
                api.patch(target.name, &parameters, &Patch::Merge(patch)),
            )
            .await;
        }
        let mut attempts = ATTEMPTS;
        loop {
            let mut patch = patch.clone();
            if patch.pointer("/status/conditions").is_some() {
                keep_conditions(&mut patch, &self.get(target).await?);
            }
            let patch = Patch::Merge(&patch);
            let patched = api.patch_status(target.name, &parameters, &patch);
            let patched = match tokio::time::timeout(REQUEST_TIMEOUT, patched).await {
                // Somebody else has written another condition.
                Ok(Err(kube::Error::Api(status))) if status.code == CONFLICT && attempts > 0 => {
                    attempts -= 1;
                    continue;
                }
                Ok(patched) => patched,
                Err(_) => {
                    return Err(format!(
                        "the status of {} is not patched within {REQUEST_TIMEOUT:?}",
                        target.name
                    ));
                }
            };
            return request("patch the status of", target, std::future::ready(patched)).await;
        }
    }

    pub(crate) async fn metadata(
        &self,
        target: &Target<'_>,
        field: &str,
        entries: &std::collections::BTreeMap<String, Option<String>>,
    ) -> Result<(), String> {
        self.merge(target, &json!({ "metadata": { field: entries } }), false)
            .await
    }

    pub(crate) async fn delete(&self, target: &Target<'_>) -> Result<(), String> {
        let api = self.api(target)?;
        request("delete", target, api.delete(target.name, &DeleteParams::default())).await
    }

    pub(crate) async fn get(&self, target: &Target<'_>) -> Result<Value, String> {
        let api = self.api(target)?;
        let what = || format!("cannot get {} {}", target.kind, target.name);
        let object = match tokio::time::timeout(REQUEST_TIMEOUT, api.get(target.name)).await {
            Err(_) => return Err(format!("{}: no answer within {REQUEST_TIMEOUT:?}", what())),
            Ok(object) => object.map_err(|error| format!("{}: {error}", what()))?,
        };
        serde_json::to_value(&object).map_err(|error| format!("{}: {error}", what()))
    }

    /// Only if nothing has this name.
    pub(crate) async fn create(&self, manifest: &Value) -> Result<(), String> {
        let target = target_of(manifest);
        let api = self.api(&target)?;
        let object: DynamicObject = serde_json::from_value(manifest.clone())
            .map_err(|error| format!("{} is no object: {error}", target.name))?;
        let parameters = kube::api::PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..kube::api::PostParams::default()
        };
        request("create", &target, api.create(&parameters, &object)).await
    }

    /// Everything of a kind, in all namespaces.
    pub(crate) async fn list(&self, kind: KnownKind) -> Result<Vec<DynamicObject>, String> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind.api_resource());
        let listed = tokio::time::timeout(REQUEST_TIMEOUT, api.list(&kube::api::ListParams::default())).await;
        let list = listed
            .map_err(|_| format!("listing {} took longer than {REQUEST_TIMEOUT:?}", kind.plural))?
            .map_err(|error| format!("{} cannot be listed: {error}", kind.plural))?;
        Ok(list.items)
    }

    fn api(&self, target: &Target<'_>) -> Result<Api<DynamicObject>, String> {
        let kind = kinds::find(target.kind).ok_or_else(|| format!("unknown kind `{}`", target.kind))?;
        let resource = kind.api_resource();
        Ok(if kind.namespaced {
            Api::namespaced_with(
                self.client.clone(),
                target.namespace.unwrap_or(DEFAULT_NAMESPACE),
                &resource,
            )
        } else {
            Api::all_with(self.client.clone(), &resource)
        })
    }
}

fn target_of(manifest: &Value) -> Target<'_> {
    let text = |pointer| manifest.pointer(pointer).and_then(Value::as_str);
    Target {
        kind: text("/kind").unwrap_or_default(),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").unwrap_or_default(),
    }
}

/// Adds to the conditions of `patch` those of other types that `object` has, and says which object that was.
fn keep_conditions(patch: &mut Value, object: &Value) {
    let type_of = |condition: &Value| condition.get("type").cloned();
    let has = object.pointer("/status/conditions").and_then(Value::as_array);
    if let Some(conditions) = patch.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
        let given: Vec<_> = conditions.iter().map(type_of).collect();
        let others = has
            .into_iter()
            .flatten()
            .filter(|condition| !given.contains(&type_of(condition)));
        let others: Vec<Value> = others.cloned().collect();
        conditions.splice(0..0, others);
    }
    patch["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
}

async fn request<T>(
    verb: &str,
    target: &Target<'_>,
    response: impl Future<Output = Result<T, kube::Error>>,
) -> Result<(), String> {
    let what = || format!("cannot {verb} {} {}", target.kind, target.name);
    match tokio::time::timeout(REQUEST_TIMEOUT, response).await {
        Err(_) => Err(format!("{}: no answer within {REQUEST_TIMEOUT:?}", what())),
        Ok(Err(kube::Error::Api(status))) => Err(format!("{}: {} ({})", what(), status.message, status.code)),
        Ok(Err(error)) => Err(format!("{}: {error}", what())),
        Ok(Ok(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_of_others_stay() {
        let condition = |type_: &str, status: &str| json!({ "type": type_, "status": status });
        let object = json!({
            "metadata": { "resourceVersion": "7" },
            "status": { "conditions": [condition("Discovered", "True"), condition("BurnedIn", "False")] },
        });
        let mut patch = json!({ "status": { "conditions": [condition("BurnedIn", "True")] } });
        keep_conditions(&mut patch, &object);
        let expected = json!({
            "metadata": { "resourceVersion": "7" },
            "status": { "conditions": [condition("Discovered", "True"), condition("BurnedIn", "True")] },
        });
        assert_eq!(patch, expected);
    }
}
