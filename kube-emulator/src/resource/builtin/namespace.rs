//! Namespace: the name as a label, the `kubernetes` finalizer, the phase.

use serde_json::{Map, Value, json};

use crate::resource::hooks::{Hooks, NameRule};

pub(super) const HOOKS: Hooks = Hooks {
    prepare,
    name: NameRule::Label,
    ..Hooks::NONE
};

fn prepare(object: &mut Value, old: Option<&Value>) {
    let name = object["metadata"]["name"].clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
        if let Some(labels) = labels.as_object_mut() {
            labels.insert("kubernetes.io/metadata.name".to_owned(), name);
        }
    }
    let Some(namespace) = object.as_object_mut() else {
        return;
    };
    match old {
        None => {
            let mut finalizers = namespace
                .get("spec")
                .and_then(|spec| spec["finalizers"].as_array().cloned())
                .unwrap_or_default();
            if !finalizers.iter().any(|name| name == "kubernetes") {
                finalizers.push(json!("kubernetes"));
            }
            namespace.insert("spec".to_owned(), json!({"finalizers": finalizers}));
            namespace.insert("status".to_owned(), json!({"phase": "Active"}));
        }
        // Only the finalize subresource changes the spec.
        Some(old) => {
            if let Some(spec) = old.get("spec") {
                namespace.insert("spec".to_owned(), spec.clone());
            }
        }
    }
}
