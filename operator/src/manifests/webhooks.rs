//! ValidatingWebhookConfiguration.

use kube::core::admission::Operation;
use serde_json::{Value, json};

use super::{NAME, NAMESPACE, yaml};
use crate::webhook::hooks::{HOOKS, Hook};

/// With the names of the kustomization, and cert-manager's authority.
pub(super) fn configuration() -> String {
    let service = json!({ "name": format!("{NAME}-webhook-service"), "namespace": NAMESPACE, "port": 443 });
    yaml(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": format!("{NAME}-validating-webhook-configuration"),
            "annotations": { "cert-manager.io/inject-ca-from": format!("{NAMESPACE}/{NAME}-serving-cert") },
        },
        "webhooks": HOOKS.iter().map(|hook| webhook(hook, Some(&service))).collect::<Vec<_>>(),
    }))
}

/// Without a service: the chart knows its name.
pub(super) fn webhooks() -> String {
    yaml(&HOOKS.iter().map(|hook| webhook(hook, None)).collect::<Vec<_>>().into())
}

fn webhook(hook: &Hook, service: Option<&Value>) -> Value {
    let mut target = service.cloned().unwrap_or_else(|| json!({}));
    target["path"] = json!(hook.path);
    json!({
        "name": hook.name,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        // As long as a review may take on our side.
        "timeoutSeconds": 10,
        "clientConfig": { "service": target },
        "rules": [{
            "apiGroups": [crds::GROUP],
            "apiVersions": [crds::VERSION],
            "operations": hook.operations.iter().map(word).collect::<Vec<_>>(),
            "resources": [hook.resource],
        }],
    })
}

fn word(operation: &Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}
