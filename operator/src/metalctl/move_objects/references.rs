//! Secrets and ConfigMaps that metal objects name. The Go program leaves them behind, so that claims point to nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::item::Item;

/// `(kind, namespace, name)`.
pub type Reference = (&'static str, String, String);

/// What the objects name; and, second, what could not be understood.
pub fn named<'a>(items: impl Iterator<Item = &'a Item>) -> (BTreeSet<Reference>, Vec<String>) {
    let (mut found, mut notes) = (BTreeSet::new(), Vec::new());
    for item in items {
        let spec = &item.object.data["spec"];
        walk(spec, &mut |kind, reference| {
            let text = |field: &str| {
                reference[field]
                    .as_str()
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
            };
            let Some(name) = text("name") else { return };
            match text("namespace").or_else(|| item.key.namespace.clone()) {
                Some(namespace) => {
                    found.insert((kind, namespace, name));
                }
                None => notes.push(format!(
                    "{} names {kind} {name} without a namespace; it is not moved",
                    item.key
                )),
            }
        });
    }
    (found, notes)
}

fn walk(value: &Value, found: &mut dyn FnMut(&'static str, &Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Object(fields) => {
            for (field, item) in fields {
                match kind_of(field) {
                    Some(kind) => found(kind, item),
                    None => walk(item, found),
                }
            }
        }
        _ => {}
    }
}

/// The core kind that a field of this name refers to. `bmcSecretRef` is about BMCSecrets, which are moved in any case.
fn kind_of(field: &str) -> Option<&'static str> {
    match field {
        "ignitionSecretRef" | "userDataRef" | "secretRef" | "secretKeyRef" => Some("Secret"),
        "configMapKeyRef" => Some("ConfigMap"),
        _ => None,
    }
}
