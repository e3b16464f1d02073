//! Servers: one that is being maintained is not deleted by accident.

use crds::keys::{OPERATION_ANNOTATION, operation};
use kube::ResourceExt;
use kube::core::DynamicObject;

use super::verdict::Verdict;

/// Whether `server` may be deleted.
pub(super) fn delete(server: &DynamicObject) -> Verdict {
    let state = server.data.pointer("/status/state").and_then(serde_json::Value::as_str);
    let asked = server.annotations().get(OPERATION_ANNOTATION).map(String::as_str);
    if state == Some("Maintenance") && asked != Some(operation::ALLOW_IN_PROGRESS_DELETE) {
        return Verdict::bad_request(&format!(
            "Server {} is under maintenance, unable to delete; annotate it with {OPERATION_ANNOTATION}={} to delete it nevertheless",
            server.name_any(),
            operation::ALLOW_IN_PROGRESS_DELETE,
        ));
    }
    Verdict::Allowed
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn maintenance_protects_a_server() {
        for (state, annotations, allowed) in [
            (json!("Available"), json!({}), true),
            (json!("Maintenance"), json!({}), false),
            (
                json!("Maintenance"),
                json!({ "metal.ironcore.dev/operation": "park" }),
                false,
            ),
            (
                json!("Maintenance"),
                json!({ "metal.ironcore.dev/operation": "allow-in-progress-delete" }),
                true,
            ),
            (Value::Null, json!({}), true),
        ] {
            let server: DynamicObject = serde_json::from_value(json!({
                "apiVersion": "metal.ironcore.dev/v1alpha1",
                "kind": "Server",
                "metadata": { "name": "a", "annotations": annotations },
                "status": { "state": state },
            }))
            .expect("an object");
            assert_eq!(delete(&server) == Verdict::Allowed, allowed, "{server:?}");
        }
    }
}
