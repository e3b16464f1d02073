//! Field ownership and server-side apply (`structured-merge-diff` and `managedfields` of the real server).

mod compare;
mod field_set;
mod managers;
mod merge;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::status::ApiError;
use crate::resource::Resource;
use crate::schema::Schema;
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
    // A client that writes an empty entry wants the records gone; whatever else it wrote is ignored.
    let reset = new
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .is_some_and(|fields| fields.len() == 1 && fields[0].as_object().is_some_and(serde_json::Map::is_empty));
    let mut managers = if reset {
        Managers::default()
    } else {
        Managers::read(old)
    };
    let untracked = managers.is_empty();
    let comparison = compare::compare(&resource.schema, old, new).retain(|set| tracked(set, resource, subresource));
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
    let managers = Managers::read(current);
    let set = tracked(compare::field_set(schema, applied), resource, subresource);
    let mut merged = current.clone();
    merge::merge(schema, &mut merged, applied);
    let entry = Entry::new(manager, true, &resource.api_version(), subresource, "", set);
    if let Some(last) = managers.same(&entry) {
        // What this manager applied before and does not apply any more goes, unless somebody else owns it.
        let mut kept = entry.set.clone();
        for other in managers.others(&entry) {
            kept = kept.union(&other.set);
        }
        merge::remove_dropped(schema, &mut merged, &last.set, &kept);
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
    error.details = Some(json!({"causes": causes}));
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
    let field = |name: &str| PathElement::Field(name.to_owned());
    set.remove(&[field("apiVersion")]);
    set.remove(&[field("kind")]);
    set.drop_membership(&field("metadata"));
    for name in UNTRACKED.iter().chain(&["deletionGracePeriodSeconds", "generateName"]) {
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
