//! The CustomResourceDefinition kind itself: its defaults, its validation, its conditions.

use serde_json::{Map, Value, json};

use super::definition;
use super::hooks::Hooks;
use crate::api::field_error::FieldError;

pub(super) const HOOKS: Hooks = Hooks {
    prepare,
    validate,
    ..Hooks::NONE
};

/// Put on a definition that is being deleted, until its objects are gone.
pub(crate) const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

fn prepare(object: &mut Value, old: Option<&Value>) {
    let storage = storage_version(object).map(str::to_owned);
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (field, default) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
            if names.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
                names.insert(field.to_owned(), json!(default));
            }
        }
    }
    let Some(definition) = object.as_object_mut() else {
        return;
    };
    if old.is_none() {
        definition.insert(
            "status".to_owned(),
            json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": storage}),
        );
    }
    // Every version that was ever the storage version stays listed until a client removes it from the status.
    let status = definition.entry("status").or_insert_with(|| Value::Object(Map::new()));
    let Some(status) = status.as_object_mut() else { return };
    let mut versions: Vec<Value> = match status.get("storedVersions") {
        Some(Value::Array(versions)) => versions.clone(),
        _ => Vec::new(),
    };
    if let Some(storage) = storage {
        let storage = Value::from(storage);
        if !versions.contains(&storage) {
            versions.push(storage);
        }
    }
    status.insert("storedVersions".to_owned(), Value::Array(versions));
}

fn storage_version(definition: &Value) -> Option<&str> {
    definition["spec"]["versions"]
        .as_array()?
        .iter()
        .find(|version| version["storage"] == true)?["name"]
        .as_str()
}

fn validate(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (group, names) = (text(spec, "group"), &spec["names"]);
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(
            "spec.group",
            &json!(group),
            "should be a domain with at least one dot",
        ));
    }
    let scope = text(spec, "scope");
    if scope.is_empty() {
        errors.push(FieldError::required("spec.scope", ""));
    } else if !matches!(scope.as_str(), "Namespaced" | "Cluster") {
        errors.push(FieldError::not_supported(
            "spec.scope",
            &json!(scope),
            ["Cluster", "Namespaced"],
        ));
    }
    for field in ["plural", "kind"] {
        if text(names, field).is_empty() {
            errors.push(FieldError::required(format!("spec.names.{field}"), ""));
        }
    }
    let expected = format!("{}.{group}", text(names, "plural"));
    let name = &object["metadata"]["name"];
    if name.as_str() != Some(expected.as_str()) {
        errors.push(FieldError::invalid(
            "metadata.name",
            name,
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if versions.is_empty() {
        errors.push(FieldError::required("spec.versions", "must have at least one version"));
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", &spec["versions"], detail));
    }
    if let Err(mistakes) = definition::resources(object, &json!({"type": "object"})) {
        errors.extend(mistakes);
    }
    if let [_] = versions {
        as_one_version(errors);
    }
    if let Some(old) = old {
        for field in ["group", "scope"] {
            if old["spec"][field] != spec[field] {
                errors.push(FieldError::invalid(
                    format!("spec.{field}"),
                    &spec[field],
                    "field is immutable",
                ));
            }
        }
        for field in ["plural", "kind"] {
            if old["spec"]["names"][field] != names[field] {
                errors.push(FieldError::invalid(
                    format!("spec.names.{field}"),
                    &names[field],
                    "field is immutable",
                ));
            }
        }
    }
}

/// What all versions have in common is converted to fields of the definition before it is validated, and named there: of a single version,
/// everything.
fn as_one_version(errors: &mut [FieldError]) {
    for error in errors {
        for (of_version, common) in [
            (
                "spec.versions[0].schema.openAPIV3Schema",
                "spec.validation.openAPIV3Schema",
            ),
            (
                "spec.versions[0].additionalPrinterColumns",
                "spec.additionalPrinterColumns",
            ),
        ] {
            if let Some(rest) = error.field.strip_prefix(of_version) {
                error.field = format!("{common}{rest}");
            }
        }
    }
}

/// The definition with its names accepted and itself established, as the real server's controllers leave it.
pub(crate) fn established(definition: &Value, now: &str) -> Value {
    let mut definition = definition.clone();
    let names = definition["spec"]["names"].clone();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    let conditions = vec![
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition(
            "Established",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
    ];
    let known: Vec<Value> = definition["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if let Some(status) = definition.get_mut("status").and_then(Value::as_object_mut) {
        let kept = conditions.into_iter().map(|condition| {
            let same = |old: &&Value| old["type"] == condition["type"] && old["status"] == condition["status"];
            known.iter().find(same).cloned().unwrap_or(condition)
        });
        let mut all: Vec<Value> = kept.collect();
        all.extend(
            known
                .iter()
                .filter(|old| !all.iter().any(|new| new["type"] == old["type"]))
                .cloned()
                .collect::<Vec<_>>(),
        );
        status.insert("conditions".to_owned(), Value::Array(all));
        status.insert("acceptedNames".to_owned(), names);
    }
    definition
}

/// The definition with the condition that says its objects are being deleted.
pub(crate) fn terminating(definition: &Value, now: &str) -> Value {
    let mut definition = definition.clone();
    if let Some(conditions) = definition
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut)
        && !conditions.iter().any(|condition| condition["type"] == "Terminating")
    {
        conditions.push(
            json!({"type": "Terminating", "status": "True", "lastTransitionTime": now,
            "reason": "InstanceDeletionInProgress", "message": "CustomResource deletion is in progress"}),
        );
    }
    definition
}
