//! Field ownership and server-side apply (`structured-merge-diff` and `managedfields` of the real server).

mod compare;
mod field_set;
mod managers;
mod merge;
mod records;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::status::ApiError;
use crate::resource::Resource;
use crate::schema::{self, Schema};
use compare::Comparison;
use field_set::{FieldSet, PathElement};
use managers::{Entry, Managers};

/// How a write takes part in ownership.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Any write but apply: owns what it changes.
    Update,
    /// Apply: owns what it says.
    Apply { applied: Arc<Value> },
}

/// Manager of what an object contained before ownership was tracked.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// The manager that may still have objects from its days of client-side apply, with the annotation below.
const LAST_APPLIED_MANAGER: &str = "kubectl";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The server keeps the annotation of client-side apply up to date, so that a user can go back to it.
fn update_last_applied(merged: &mut Value, applied: &Value) {
    let Some(annotations) = merged
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    if annotations.contains_key(LAST_APPLIED) {
        annotations.insert(LAST_APPLIED.to_owned(), json!(format!("{}\n", sorted(applied))));
    }
}

/// The value with the keys of its objects in order, as Go writes maps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<(&String, &Value)> = object.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// Records who owns the fields of a new object.
pub(crate) fn track_create(resource: &Resource, object: &mut Value, manager: &str, operation: &Operation, time: &str) {
    let mut managers = Managers::default();
    let (set, apply) = match operation {
        Operation::Update => (compare::compare(&resource.schema, &Value::Null, object).added, false),
        Operation::Apply { applied } => (compare::field_set(&resource.schema, applied), true),
    };
    let set = tracked(set, resource, None);
    if !set.is_empty() {
        managers.insert(Entry::new(manager, apply, &resource.api_version(), None, time, set));
    }
    managers.write(object);
}

/// Records what an update changed in the ownership of an object.
pub(crate) fn track_update(
    resource: &Resource,
    old: &Value,
    new: &mut Value,
    manager: &str,
    subresource: Option<&str>,
    operation: &Operation,
    time: &str,
) {
    let comparison = compare::compare(&resource.schema, old, new).retain(|set| tracked(set, resource, subresource));
    if matches!(operation, Operation::Update) {
        let updater = records::Updater {
            manager,
            api_version: &resource.api_version(),
            subresource,
            time,
        };
        if track_in_place(old, new, &comparison, &updater) {
            return;
        }
    }
    let mut managers = Managers::of_update(old, new, subresource);
    let untracked = managers.is_empty();
    match operation {
        Operation::Update => {
            // Objects without records stay so until somebody applies.
            if !untracked {
                managers.lose(&comparison, None);
                let gained = comparison.added.union(&comparison.modified);
                if !gained.is_empty() {
                    managers.gain(Entry::new(
                        manager,
                        false,
                        &resource.api_version(),
                        subresource,
                        time,
                        gained,
                    ));
                }
            }
        }
        Operation::Apply { applied } => {
            if untracked {
                let known = tracked(
                    compare::compare(&resource.schema, &Value::Null, old).added,
                    resource,
                    subresource,
                );
                managers.insert(Entry::new(
                    BEFORE_FIRST_APPLY,
                    false,
                    &resource.api_version(),
                    None,
                    time,
                    known,
                ));
            }
            let set = tracked(compare::field_set(&resource.schema, applied), resource, subresource);
            let entry = Entry::new(manager, true, &resource.api_version(), subresource, time, set);
            managers.lose(&comparison, Some(&entry));
            managers.replace(entry);
        }
    }
    managers.write(new);
}

/// Does the same to the records as they stand in the object, where that is enough.
fn track_in_place(old: &Value, new: &mut Value, comparison: &Comparison, updater: &records::Updater<'_>) -> bool {
    let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) else {
        return false;
    };
    // A client that rewrites them, or leaves them out, takes the long way.
    let known = old.get("metadata").and_then(|metadata| metadata.get("managedFields"));
    let untouched = |entries: &Value| schema::same_as(entries, known);
    let Some(Value::Array(entries)) = metadata.get_mut("managedFields").filter(|entries| untouched(entries)) else {
        return false;
    };
    if !records::update(entries, comparison, updater) {
        return false;
    }
    if entries.is_empty() {
        metadata.shift_remove("managedFields");
    }
    true
}

/// The object after an apply, or the conflicts that prevent it.
pub(crate) fn merge_applied(
    resource: &Resource,
    current: &Value,
    applied: &Value,
    manager: &str,
    subresource: Option<&str>,
    force: bool,
) -> Result<Value, ApiError> {
    let schema = &resource.schema;
    let mut managers = Managers::read(current);
    if managers.is_empty() {
        let known = tracked(
            compare::compare(schema, &Value::Null, current).added,
            resource,
            subresource,
        );
        managers.insert(Entry::new(
            BEFORE_FIRST_APPLY,
            false,
            &resource.api_version(),
            None,
            "",
            known,
        ));
    }
    let set = tracked(compare::field_set(schema, applied), resource, subresource);
    let mut merged = current.clone();
    merge::merge(schema, &mut merged, applied);
    if manager == LAST_APPLIED_MANAGER {
        update_last_applied(&mut merged, applied);
    }
    let entry = Entry::new(manager, true, &resource.api_version(), subresource, "", set);
    if let Some(last) = managers.same(&entry) {
        // What this manager applied before and does not apply any more goes, unless somebody else owns it.
        let mut kept = entry.set.clone();
        for other in managers.others(&entry) {
            kept = kept.union(&other.set);
        }
        merge::remove_dropped(schema, &mut merged, &last.set, &kept);
        if resource.custom {
            let mut errors = Vec::new();
            schema::validate_nulls(schema, &merged, &mut errors);
            if !errors.is_empty() {
                let name = merged
                    .pointer("/metadata/name")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                return Err(ApiError::invalid(resource, name, &errors));
            }
        }
    }
    if !force {
        let comparison = compare::compare(schema, current, &merged).retain(|set| tracked(set, resource, subresource));
        let conflicts = conflicts(&managers, &entry, &comparison);
        if !conflicts.is_empty() {
            return Err(conflict_error(&conflicts));
        }
    }
    Ok(merged)
}

/// The first list with two items of the same identity: its path and that identity.
pub(crate) fn duplicate_item(schema: &Schema, applied: &Value) -> Option<(String, String)> {
    compare::duplicate_item(Some(schema), applied, "")
}

fn conflicts(managers: &Managers, entry: &Entry, comparison: &Comparison) -> Vec<(String, String)> {
    let changed = comparison.added.union(&comparison.modified);
    let mut conflicts = Vec::new();
    for other in managers.others(entry) {
        for path in other.set.intersection(&changed).paths() {
            conflicts.push((other.described(), path));
        }
    }
    conflicts
}

fn conflict_error(conflicts: &[(String, String)]) -> ApiError {
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(manager, path)| {
            json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path})
        })
        .collect();
    let plural = if conflicts.len() == 1 { "conflict" } else { "conflicts" };
    let mut text = format!("Apply failed with {} {plural}", conflicts.len());
    let same_manager = conflicts.iter().all(|(manager, _)| *manager == conflicts[0].0);
    match conflicts {
        [(manager, path)] => text.push_str(&format!(": conflict with {manager}: {path}")),
        _ if same_manager => {
            text.push_str(&format!(": conflicts with {}:", conflicts[0].0));
            for (_, path) in conflicts {
                text.push_str(&format!("\n- {path}"));
            }
        }
        _ => {
            text.push(':');
            let mut shown = "";
            for (manager, path) in conflicts {
                if manager != shown {
                    text.push_str(&format!(" conflicts with {manager}:"));
                    shown = manager;
                }
                text.push_str(&format!("\n- {path}"));
            }
        }
    }
    let mut error = ApiError::new(409, "Conflict", text);
    error.details = Some(Box::new(json!({"causes": causes})));
    error
}

/// Metadata the server owns is nobody's; the other half of the object is not reachable through this endpoint.
fn tracked(mut set: FieldSet, resource: &Resource, subresource: Option<&str>) -> FieldSet {
    const UNTRACKED: [&str; 9] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
        "deletionTimestamp",
    ];
    if set.is_empty() {
        return set;
    }
    let field = |name: &str| PathElement::Field(name.to_owned());
    set.remove(&[field("apiVersion")]);
    set.remove(&[field("kind")]);
    set.drop_membership(&field("metadata"));
    for name in UNTRACKED.iter().chain(&["deletionGracePeriodSeconds"]) {
        set.remove(&[field("metadata"), field(name)]);
    }
    match subresource {
        None if resource.status => set.remove(&[field("status")]),
        None => {}
        Some("status") => {
            for name in set.field_names() {
                if name != "status" && name != "metadata" {
                    set.remove(&[field(&name)]);
                }
            }
        }
        Some(_) => {}
    }
    set
}

/// The schema of unknown content: maps merge, lists are replaced.
fn field_schema<'a>(schema: Option<&'a Schema>, name: &str) -> Option<&'a Schema> {
    schema.and_then(|schema| schema.field(name))
}

#[cfg(test)]
mod tests;
