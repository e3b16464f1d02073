//! PUT, and the part that all changes of an existing object share.

use std::borrow::Cow;
use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::body::{Decoded, RequestBody};
use super::create::{
    check_fields, check_type, complete_and_validate, create_object, decode_typed, from_storage, to_storage,
};
use super::field_error::FieldError;
use super::status::ApiError;
use super::{Answer, Call, metadata};
use crate::apply::{self, Operation};
use crate::edges::rfc3339_seconds;
use crate::resource::{GenerationRule, Resource};
use crate::schema;
use crate::store::{Decision, ObjectKey, Stored};

pub(super) fn put(
    call: &mut Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    name: &str,
    subresource: Option<&str>,
    body: &RequestBody,
) -> Result<Answer, ApiError> {
    let dry_run = call.query.dry_run("UpdateOptions")?;
    let validation = call.query.field_validation("UpdateOptions")?;
    if let Some(error) = call.query.manager_too_long() {
        return Err(ApiError::invalid_options("UpdateOptions", &[error]));
    }
    let Decoded { mut value, duplicates } = body.decode(resource)?;
    check_type(resource, &mut value)?;
    check_name(&value, namespace, name)?;
    check_fields(call, resource, &mut value, duplicates, validation)?;
    let key = ObjectKey::new(namespace, name);
    if resource.create_on_update
        && subresource.is_none()
        && call.emulator.store().get(&resource.storage, &key).is_none()
    {
        metadata::of(&mut value).insert("name".to_owned(), json!(name));
        let stored = create_object(call, resource, namespace, value, Operation::Update, dry_run)?;
        return Ok(Answer::Object(StatusCode::CREATED, resource.clone(), stored));
    }
    let change = Change {
        subresource,
        operation: Operation::Update,
        dry_run,
        uid_change: UidChange::Conflict,
    };
    let stored = change_object(call, resource, &key, change, |_, _| {
        if metadata::text(&value, "resourceVersion").is_empty() && !resource.unconditional_update {
            let error = FieldError::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            // Reported by the storage layer, which knows resources, not kinds.
            return Err(ApiError::invalid_kind(
                &resource.group,
                &resource.plural,
                name,
                &[error],
            ));
        }
        Ok(value)
    })?;
    Ok(Answer::Object(StatusCode::OK, resource.clone(), stored))
}

fn check_name(value: &Value, namespace: Option<&str>, name: &str) -> Result<(), ApiError> {
    let sent = metadata::text(value, "name");
    if sent != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({sent}) does not match the name on the URL ({name})"
        )));
    }
    let sent = metadata::text(value, "namespace");
    if !sent.is_empty() && Some(sent) != namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// How a body with another uid than the stored object is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UidChange {
    /// PUT: 409.
    Conflict,
    /// PATCH: 422.
    Immutable,
}

/// The circumstances of a change.
pub(super) struct Change<'a> {
    pub(super) subresource: Option<&'a str>,
    pub(super) operation: Operation,
    pub(super) dry_run: bool,
    pub(super) uid_change: UidChange,
}

/// Changes an existing object: `transform` makes the wanted content from the current one (both in the endpoint's
/// shape), everything else is decided here.
pub(super) fn change_object(
    call: &mut Call,
    resource: &Arc<Resource>,
    key: &ObjectKey,
    change: Change<'_>,
    transform: impl FnOnce(&mut Call, &Value) -> Result<Value, ApiError>,
) -> Result<Arc<Stored>, ApiError> {
    let emulator = call.emulator.clone();
    let context = call.write_context(resource, change.subresource, change.dry_run);
    let time = rfc3339_seconds(emulator.now());
    let mut removed = false;
    let written = emulator.store().write(&resource.storage, key, &context, |_, current| {
        let Some(current) = current else {
            return Err(ApiError::not_found(resource, key.name()));
        };
        let old = match resource.is_verbatim() {
            true => Cow::Borrowed(current.value()),
            false => Cow::Owned(from_storage(resource, current.value().clone())),
        };
        let wanted = transform(call, &old)?;
        let mut new = settle(call, resource, key, &change, &old, wanted, &time)?;
        removed = metadata::is_deleting(&new) && is_finished(resource, &new);
        if !resource.is_verbatim() {
            new = to_storage(resource, new);
        }
        Ok(if removed {
            Decision::Remove(new)
        } else {
            Decision::Put(new)
        })
    })?;
    let Some(written) = written else {
        return Err(ApiError::not_found(resource, key.name()));
    };
    if written.changed {
        emulator.after_write(resource, &written.object);
    }
    if removed && !change.dry_run {
        emulator.after_remove(resource);
    }
    Ok(written.object)
}

/// Nothing holds a deleted object any more.
pub(super) fn is_finished(resource: &Resource, object: &Value) -> bool {
    let namespace_held = resource.plural == "namespaces"
        && resource.group.is_empty()
        && object
            .pointer("/spec/finalizers")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
    metadata::finalizers(object).is_empty() && !namespace_held
}

/// From what the client wants to what will be stored, or why not.
fn settle(
    call: &Call,
    resource: &Resource,
    key: &ObjectKey,
    change: &Change<'_>,
    old: &Value,
    mut wanted: Value,
    time: &str,
) -> Result<Value, ApiError> {
    let name = key.name();
    check_identity(resource, name, change, old, &wanted)?;
    let mut new = match change.subresource {
        None | Some("scale") => {
            if resource.status {
                copy_field(&mut wanted, old, "status");
            }
            wanted
        }
        // The other half of the object is not reachable through a subresource.
        Some(subresource) => {
            let field = if subresource == "finalize" { "spec" } else { "status" };
            keep_all_but(&mut wanted, old, field);
            wanted
        }
    };
    metadata::keep_server_owned(&mut new, old);
    let revision = json!(metadata::text(old, "resourceVersion"));
    metadata::of(&mut new).insert("resourceVersion".to_owned(), revision);
    decode_typed(resource, &mut new)?;
    schema::apply_defaults(&resource.schema, &mut new);
    let finalize = change.subresource == Some("finalize");
    let errors = if finalize {
        Vec::new()
    } else {
        complete_and_validate(resource, &mut new, Some(old))
    };
    bump_generation(resource, &mut new, old);
    if !errors.is_empty() {
        return Err(ApiError::invalid(resource, name, &errors));
    }
    apply::track_update(
        resource,
        old,
        &mut new,
        &call.field_manager(),
        change.subresource,
        &change.operation,
        time,
    );
    Ok(metadata::ordered(new, &resource.api_version(), &resource.kind))
}

fn check_identity(
    resource: &Resource,
    name: &str,
    change: &Change<'_>,
    old: &Value,
    wanted: &Value,
) -> Result<(), ApiError> {
    let sent = metadata::text(wanted, "resourceVersion");
    if !sent.is_empty() && sent != "0" && sent != metadata::text(old, "resourceVersion") {
        if sent.parse::<u64>().is_err() {
            let message = format!("strconv.ParseUint: parsing {sent:?}: invalid syntax");
            return Err(ApiError::internal(message));
        }
        return Err(ApiError::conflict(resource, name));
    }
    let (sent, known) = (metadata::text(wanted, "uid"), metadata::text(old, "uid"));
    if !sent.is_empty() && sent != known {
        return Err(match change.uid_change {
            UidChange::Conflict => {
                let why = format!("Precondition failed: UID in precondition: {sent}, UID in object meta: {known}");
                ApiError::conflict_because(resource, name, &why)
            }
            UidChange::Immutable => {
                let error = FieldError::invalid("metadata.uid", &json!(sent), "field is immutable");
                ApiError::invalid(resource, name, &metadata::reported(resource, error))
            }
        });
    }
    Ok(())
}

/// Takes everything over from the stored object but one field and the records of managers.
fn keep_all_but(wanted: &mut Value, old: &Value, field: &str) {
    if !keeps_order(wanted, old, field) {
        let mut new = old.clone();
        copy_field(&mut new, wanted, field);
        if let Some(records) = wanted.pointer_mut("/metadata/managedFields") {
            metadata::of(&mut new).insert("managedFields".to_owned(), records.take());
        }
        *wanted = new;
        return;
    }
    // A patch of the subresource has left the rest as it was: nothing is copied.
    for (name, value) in wanted.as_object_mut().into_iter().flatten() {
        let Some(kept) = old.get(name).filter(|kept| name != field && !schema::same(value, kept)) else {
            continue;
        };
        let records = value
            .get_mut("managedFields")
            .filter(|_| name == "metadata")
            .map(Value::take);
        *value = kept.clone();
        if let (Some(records), Some(metadata)) = (records, value.as_object_mut()) {
            metadata.insert("managedFields".to_owned(), records);
        }
    }
}

/// Whether an object has the fields of the stored one, in its order; one field may come last, or be missing.
fn keeps_order(wanted: &Value, old: &Value, field: &str) -> bool {
    let (Some(wanted), Some(old)) = (wanted.as_object(), old.as_object()) else {
        return false;
    };
    let there = wanted.contains_key(field);
    let kept = old.keys().filter(|name| there || *name != field);
    let new = Some(field).filter(|_| there && !old.contains_key(field));
    wanted
        .keys()
        .map(String::as_str)
        .eq(kept.map(String::as_str).chain(new))
}

fn copy_field(to: &mut Value, from: &Value, field: &str) {
    let Some(object) = to.as_object_mut() else { return };
    match from.get(field) {
        Some(value) if schema::same_as(value, object.get(field)) => {}
        Some(value) => {
            object.insert(field.to_owned(), value.clone());
        }
        None => {
            object.shift_remove(field);
        }
    }
}

fn bump_generation(resource: &Resource, new: &mut Value, old: &Value) {
    let ignored: &[&str] = match resource.generation {
        GenerationRule::None => return,
        GenerationRule::SpecChange => &["metadata", "status"],
        GenerationRule::AnyChange => &["metadata"],
    };
    let desired = |value: &'_ Value| {
        let fields = value.as_object().into_iter().flatten();
        fields.filter(|(name, _)| !ignored.contains(&name.as_str())).count()
    };
    let kept =
        |(name, value): (&String, &Value)| ignored.contains(&name.as_str()) || schema::same_as(value, old.get(name));
    let same = desired(new) == desired(old) && new.as_object().into_iter().flatten().all(kept);
    if !same {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        metadata::of(new).insert("generation".to_owned(), json!(generation));
    }
}
