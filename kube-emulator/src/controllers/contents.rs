//! What every namespace contains: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`. Clients wait for
//! both before they use a namespace.

use serde_json::{Value, json};

use super::{Followed, create, edit};
use crate::emulator::KubeEmulator;
use crate::store::{CommitEvent, ObjectKey, StorageId};

const ROOT_CA: &str = "kube-root-ca.crt";

pub(super) fn fill_all(emulator: &KubeEmulator) {
    for namespace in emulator.objects("", "namespaces") {
        fill(emulator, &namespace);
    }
}

/// Publishes the certificate of the server in every namespace.
pub(crate) fn publish_ca(emulator: &KubeEmulator) {
    let Some(resource) = emulator.registry().find("", "v1", "configmaps").cloned() else {
        return;
    };
    for namespace in emulator.objects("", "namespaces") {
        let key = ObjectKey::new(namespace["metadata"]["name"].as_str(), ROOT_CA);
        let ca = emulator.ca();
        edit(emulator, &resource, &key, |object| {
            object["data"] = json!({"ca.crt": ca})
        });
    }
}

pub(super) fn see(emulator: &KubeEmulator, change: &Followed) {
    if change.table == StorageId::new("", "namespaces") && change.change.event == CommitEvent::Added {
        fill(emulator, change.change.object.value());
    }
    let ours = match (change.table.resource.as_str(), change.change.key.name()) {
        ("serviceaccounts", "default") | ("configmaps", ROOT_CA) => change.table.group.is_empty(),
        _ => false,
    };
    if ours && change.change.event == CommitEvent::Deleted {
        let key = ObjectKey::new(None, change.change.key.namespace().unwrap_or_default());
        if let Some(namespace) = emulator.store().get(&StorageId::new("", "namespaces"), &key) {
            fill(emulator, namespace.value());
        }
    }
}

fn fill(emulator: &KubeEmulator, namespace: &Value) {
    if namespace["metadata"].get("deletionTimestamp").is_some() {
        return;
    }
    let Some(name) = namespace["metadata"]["name"].as_str() else {
        return;
    };
    create(
        emulator,
        "",
        "serviceaccounts",
        Some(name),
        json!({"metadata": {"name": "default"}}),
    );
    let annotation = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as \
                      the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of \
                      Kubernetes clusters.";
    create(
        emulator,
        "",
        "configmaps",
        Some(name),
        json!({"metadata": {"name": ROOT_CA, "annotations": {"kubernetes.io/description": annotation}},
               "data": {"ca.crt": emulator.ca()}}),
    );
}
