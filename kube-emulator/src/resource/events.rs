//! Events: one stored object (core/v1) with a second face, `events.k8s.io/v1`.

use serde_json::{Map, Value, json};

use super::columns::{Cell, Column};
use super::hooks::Hooks;
use crate::api::field_error::FieldError;

pub(super) const CORE: Hooks = Hooks {
    prepare,
    validate: validate_core,
    ..Hooks::NONE
};
pub(super) const NEW: Hooks = Hooks {
    prepare,
    validate: validate_new,
    ..Hooks::NONE
};

pub(super) const CORE_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];
pub(super) const NEW_FIELDS: &[&str] = &[
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reason",
    "reportingController",
    "type",
];

/// Longest note of a new-style event.
const MAX_NOTE: usize = 1024;

/// (core name, events.k8s.io name) of the fields that are called differently.
const RENAMED: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The stored core event as `events.k8s.io/v1`.
pub(crate) fn to_new(core: &Value) -> Value {
    rename(core, "events.k8s.io/v1", |name| {
        RENAMED
            .iter()
            .find(|(core, _)| *core == name)
            .map_or(name, |(_, new)| new)
    })
}

/// An `events.k8s.io/v1` event as it is stored.
pub(crate) fn from_new(new: &Value) -> Value {
    rename(new, "v1", |name| {
        RENAMED
            .iter()
            .find(|(_, new)| *new == name)
            .map_or(name, |(core, _)| core)
    })
}

fn rename<'a>(event: &'a Value, api_version: &str, name_of: impl Fn(&'a str) -> &'a str) -> Value {
    let mut renamed = Map::new();
    for (name, value) in event.as_object().into_iter().flatten() {
        let value = if name == "apiVersion" {
            json!(api_version)
        } else {
            value.clone()
        };
        renamed.insert(name_of(name).to_owned(), value);
    }
    Value::Object(renamed)
}

/// The Go type has no `omitempty` on these: they are always there. Works on the stored (core) shape.
fn prepare(object: &mut Value, _: Option<&Value>) {
    let Some(event) = object.as_object_mut() else { return };
    for (name, empty) in [
        ("involvedObject", json!({})),
        ("source", json!({})),
        ("firstTimestamp", Value::Null),
        ("lastTimestamp", Value::Null),
        ("eventTime", Value::Null),
        ("reportingComponent", json!("")),
        ("reportingInstance", json!("")),
    ] {
        event.entry(name).or_insert(empty);
    }
}

/// An event lives where the object that it is about does.
fn validate_core(object: &Value, _: Option<&Value>, errors: &mut Vec<FieldError>) {
    let about = &object["involvedObject"]["namespace"];
    let expected = about
        .as_str()
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or("default");
    if object["metadata"]["namespace"] != expected {
        errors.push(FieldError::invalid(
            "involvedObject.namespace",
            &json!(about.as_str().unwrap_or_default()),
            "does not match event.namespace",
        ));
    }
}

/// Rules for events written through `events.k8s.io/v1`, on the stored shape.
fn validate_new(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    if old.is_some() {
        return;
    }
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("eventTime").is_empty() {
        errors.push(FieldError::required("eventTime", ""));
    }
    for (stored, shown) in [
        ("reportingComponent", "reportingController"),
        ("reportingInstance", "reportingInstance"),
        ("action", "action"),
        ("reason", "reason"),
    ] {
        if text(stored).is_empty() {
            errors.push(FieldError::required(shown, ""));
        }
    }
    if !matches!(text("type"), "Normal" | "Warning") {
        errors.push(FieldError::invalid(
            "type",
            &json!(""),
            "has invalid value: ".to_owned() + text("type"),
        ));
    }
    if text("message").len() > MAX_NOTE {
        errors.push(FieldError::invalid(
            "message",
            &json!(""),
            format!("can have at most {MAX_NOTE} characters"),
        ));
    }
}

pub(super) fn columns() -> Vec<Column> {
    vec![
        Column::new("Last Seen", "string", Cell::EventLastSeen),
        Column::new("Type", "string", Cell::path(".type")),
        Column::new("Reason", "string", Cell::path(".reason")),
        Column::new("Object", "string", Cell::EventObject),
        Column::new("Subobject", "string", Cell::path(".involvedObject.fieldPath")).wide(),
        Column::new("Source", "string", Cell::path(".reportingComponent")).wide(),
        Column::new("Message", "string", Cell::path(".message")),
        Column::new("Name", "string", Cell::path(".metadata.name")).wide(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_shapes_are_one_event() {
        let core = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "hi",
            "involvedObject": {"name": "x"}, "reportingComponent": "c", "reason": "r", "count": 2});
        let new = to_new(&core);
        assert_eq!(new["note"], "hi");
        assert_eq!(new["regarding"]["name"], "x");
        assert_eq!(new["reportingController"], "c");
        assert_eq!(new["deprecatedCount"], 2);
        assert_eq!(from_new(&new), core);
    }
}
