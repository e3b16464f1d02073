//! The end of a namespace: its content goes first, then its `kubernetes` finalizer, then the namespace itself.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Followed, edit_subresource};
use crate::api::{self, Call, DeleteOptions};
use crate::edges::rfc3339_seconds;
use crate::emulator::KubeEmulator;
use crate::resource::Resource;
use crate::store::{CommitEvent, ObjectKey, StorageId};

pub(super) fn sweep_all(emulator: &KubeEmulator) {
    for namespace in emulator.objects("", "namespaces") {
        if let Some(name) = namespace["metadata"]["name"].as_str() {
            sweep(emulator, name);
        }
    }
}

pub(super) fn see(emulator: &KubeEmulator, change: &Followed) {
    let key = &change.change.key;
    if change.table == StorageId::new("", "namespaces") {
        if change.change.event == CommitEvent::Modified {
            sweep(emulator, key.name());
        }
    } else if change.change.event == CommitEvent::Deleted
        && let Some(namespace) = key.namespace()
    {
        sweep(emulator, namespace);
    }
}

/// Deletes what is in a terminating namespace, and finishes it when nothing is left.
fn sweep(emulator: &KubeEmulator, name: &str) {
    let call = Call::internal(emulator);
    let Some(namespaces) = call.registry.find("", "v1", "namespaces").cloned() else {
        return;
    };
    let key = ObjectKey::new(None, name);
    let Some(namespace) = emulator.store().get(&namespaces.storage, &key) else {
        return;
    };
    if namespace.value()["metadata"].get("deletionTimestamp").is_none() {
        return;
    }
    let mut remaining: Vec<(Arc<Resource>, usize, Vec<String>)> = Vec::new();
    for resource in call
        .registry
        .tables()
        .into_values()
        .filter(|resource| resource.namespaced)
    {
        let keys = content(emulator, &resource, name);
        for (key, deleting) in keys {
            if !deleting && let Err(error) = api::delete_object(&call, &resource, &key, &DeleteOptions::default()) {
                tracing::debug!(%key, %error, "content of a terminating namespace is already gone");
            }
        }
        let left = content(emulator, &resource, name);
        if !left.is_empty() {
            let finalizers = left
                .iter()
                .filter_map(|(key, _)| emulator.store().get(&resource.storage, key))
                .flat_map(|object| api::finalizers_of(object.value()))
                .collect();
            remaining.push((resource, left.len(), finalizers));
        }
    }
    if remaining.is_empty() {
        edit_subresource(emulator, &namespaces, &key, "finalize", |namespace| {
            if let Some(finalizers) = namespace.pointer_mut("/spec/finalizers").and_then(Value::as_array_mut) {
                finalizers.retain(|finalizer| finalizer != "kubernetes");
            }
        });
    } else {
        let now = rfc3339_seconds(emulator.now());
        let conditions = conditions(&remaining, namespace.value(), &now);
        edit_subresource(emulator, &namespaces, &key, "status", |namespace| {
            namespace["status"]["conditions"] = conditions;
        });
    }
}

fn content(emulator: &KubeEmulator, resource: &Resource, namespace: &str) -> Vec<(ObjectKey, bool)> {
    emulator.store().read(&resource.storage, |table, _| {
        table
            .range(Some(namespace), None)
            .map(|(key, stored)| {
                (
                    key.clone(),
                    stored.value()["metadata"].get("deletionTimestamp").is_some(),
                )
            })
            .collect()
    })
}

/// Why the namespace is still there.
fn conditions(remaining: &[(Arc<Resource>, usize, Vec<String>)], namespace: &Value, now: &str) -> Value {
    let content: Vec<String> = remaining
        .iter()
        .map(|(resource, count, _)| format!("{} has {count} resource instances", resource.qualified_with_dot()))
        .collect();
    let mut finalizers: Vec<(String, usize)> = Vec::new();
    for finalizer in remaining.iter().flat_map(|(_, _, finalizers)| finalizers) {
        match finalizers.iter_mut().find(|(known, _)| known == finalizer) {
            Some((_, count)) => *count += 1,
            None => finalizers.push((finalizer.clone(), 1)),
        }
    }
    let finalizers: Vec<String> = finalizers
        .iter()
        .map(|(name, count)| format!("{name} in {count} resource instances"))
        .collect();
    let known = namespace["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let condition = |kind: &str, status: bool, reason: &str, message: String| {
        let status = if status { "True" } else { "False" };
        let same = |old: &&Value| old["type"] == kind && old["status"] == status && old["message"] == message.as_str();
        let time = known
            .iter()
            .find(same)
            .map_or(json!(now), |old| old["lastTransitionTime"].clone());
        json!({"type": kind, "status": status, "lastTransitionTime": time, "reason": reason, "message": message})
    };
    json!([
        condition(
            "NamespaceDeletionDiscoveryFailure",
            false,
            "ResourcesDiscovered",
            "All resources successfully discovered".to_owned()
        ),
        condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            false,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned()
        ),
        condition(
            "NamespaceDeletionContentFailure",
            false,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".to_owned()
        ),
        condition(
            "NamespaceContentRemaining",
            true,
            "SomeResourcesRemain",
            format!("Some resources are remaining: {}", content.join(", "))
        ),
        condition(
            "NamespaceFinalizersRemaining",
            !finalizers.is_empty(),
            "SomeFinalizersRemain",
            format!(
                "Some content in the namespace has finalizers remaining: {}",
                finalizers.join(", ")
            )
        ),
    ])
}
