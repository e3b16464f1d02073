//! DELETE: preconditions, propagation, finalizers (kube-semantics §1.10).

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::body::RequestBody;
use super::create::from_storage;
use super::field_error::FieldError;
use super::status::{self, ApiError};
use super::{Answer, Call, metadata, read, render, update};
use crate::edges::rfc3339_seconds;
use crate::resource::{Resource, install};
use crate::store::{Decision, ObjectKey, Stored};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
const KEPT_NAMESPACES: [&str; 3] = ["default", "kube-system", "kube-public"];

/// What happens to dependents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// The owner goes at once, dependents are collected afterwards.
    #[default]
    Background,
    /// Dependents go first.
    Foreground,
    /// Dependents stay and forget their owner.
    Orphan,
}

/// `metav1.DeleteOptions`, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) propagation: Propagation,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) dry_run: bool,
}

impl DeleteOptions {
    fn parse(call: &Call, body: &RequestBody) -> Result<Self, ApiError> {
        let options = body.decode_options()?;
        let text = |pointer: &str| options.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let policy = text("/propagationPolicy").or_else(|| call.query.get("propagationPolicy").map(str::to_owned));
        let orphan = options
            .get("orphanDependents")
            .and_then(Value::as_bool)
            .or_else(|| call.query.get("orphanDependents").map(|value| value == "true"));
        if policy.is_some() && orphan.is_some() {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            let error = FieldError::invalid("propagationPolicy", &json!(policy), detail);
            return Err(ApiError::invalid_options("DeleteOptions", &[error]));
        }
        let propagation = match (policy.as_deref(), orphan) {
            (Some("Background") | None, None | Some(false)) | (Some(""), _) => Propagation::Background,
            (Some("Foreground"), _) => Propagation::Foreground,
            (Some("Orphan"), _) | (None, Some(true)) => Propagation::Orphan,
            (Some(other), _) => {
                let supported = ["Foreground", "Background", "Orphan", "nil"];
                let error = FieldError::not_supported("propagationPolicy", &json!(other), supported);
                return Err(ApiError::invalid_options("DeleteOptions", &[error]));
            }
        };
        let dry_run = call.query.dry_run("DeleteOptions")?
            || options["dryRun"]
                .as_array()
                .is_some_and(|values| values.contains(&json!("All")));
        Ok(Self {
            propagation,
            uid: text("/preconditions/uid"),
            resource_version: text("/preconditions/resourceVersion"),
            dry_run,
        })
    }
}

/// The result of a delete.
pub(crate) enum Deleted {
    Gone(Arc<Stored>),
    /// Finalizers hold it.
    Pending(Arc<Stored>),
}

pub(super) fn delete(
    call: &mut Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    name: &str,
    body: &RequestBody,
) -> Result<Answer, ApiError> {
    let options = DeleteOptions::parse(call, body)?;
    let key = ObjectKey::new(namespace, name);
    match delete_object(call, resource, &key, &options)? {
        Deleted::Gone(object) => Ok(Answer::Json(
            StatusCode::OK,
            status::deleted(resource, name, metadata::text(object.value(), "uid")),
        )),
        Deleted::Pending(object) => Ok(Answer::Object(StatusCode::OK, resource.clone(), object)),
    }
}

pub(super) fn delete_collection(
    call: &mut Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    body: &RequestBody,
) -> Result<Answer, ApiError> {
    let options = DeleteOptions::parse(call, body)?;
    let selected = read::select(call, resource, namespace)?;
    let revision = call.emulator.store().revision();
    for object in &selected {
        let name = metadata::text(object.value(), "name");
        match delete_object(call, resource, &ObjectKey::new(namespace, name), &options) {
            Err(error) if error.code != 404 => return Err(error),
            _ => {}
        }
    }
    let items = selected
        .iter()
        .map(|object| from_storage(resource, object.value().clone()))
        .collect();
    Ok(Answer::Json(StatusCode::OK, render::list_of(resource, items, revision)))
}

/// Deletes an object, or marks it if something holds it.
pub(crate) fn delete_object(
    call: &Call,
    resource: &Arc<Resource>,
    key: &ObjectKey,
    options: &DeleteOptions,
) -> Result<Deleted, ApiError> {
    let emulator = &call.emulator;
    let name = key.name();
    if resource.plural == "namespaces" && resource.group.is_empty() && KEPT_NAMESPACES.contains(&name) {
        return Err(ApiError::forbidden(resource, name, "this namespace may not be deleted"));
    }
    let context = call.write_context(resource, None, options.dry_run);
    let now = rfc3339_seconds(emulator.now());
    let mut gone = false;
    let written = emulator.store().write(&resource.storage, key, &context, |_, current| {
        let Some(current) = current else {
            return Err(ApiError::not_found(resource, name));
        };
        check_preconditions(resource, name, options, current.value())?;
        let mut object = current.value().clone();
        adjust_finalizers(resource, &mut object, options.propagation);
        gone = update::is_finished(resource, &object);
        if gone {
            return Ok(Decision::Remove(object));
        }
        if !metadata::is_deleting(&object) {
            mark(resource, &mut object, &now);
        }
        Ok(Decision::Put(object))
    })?;
    let Some(written) = written else {
        return Err(ApiError::not_found(resource, name));
    };
    if gone {
        if !options.dry_run {
            emulator.after_remove(resource);
        }
        return Ok(Deleted::Gone(written.object));
    }
    if written.changed {
        emulator.after_write(resource, &written.object);
    }
    Ok(Deleted::Pending(written.object))
}

fn check_preconditions(
    resource: &Resource,
    name: &str,
    options: &DeleteOptions,
    object: &Value,
) -> Result<(), ApiError> {
    let uid = metadata::text(object, "uid");
    if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != uid) {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have \
             been deleted and then recreated"
        );
        return Err(ApiError::precondition(resource, name, &why));
    }
    let revision = metadata::text(object, "resourceVersion");
    if let Some(wanted) = options.resource_version.as_deref().filter(|wanted| *wanted != revision) {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record \
             ({revision}). The object might have been modified"
        );
        return Err(ApiError::precondition(resource, name, &why));
    }
    Ok(())
}

/// The propagation policy is kept as a finalizer that the garbage collector works off.
fn adjust_finalizers(resource: &Resource, object: &mut Value, propagation: Propagation) {
    let mut finalizers: Vec<String> = metadata::finalizers(object)
        .into_iter()
        .filter(|finalizer| *finalizer != FOREGROUND && *finalizer != ORPHAN)
        .map(str::to_owned)
        .collect();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => finalizers.push(FOREGROUND.to_owned()),
        Propagation::Orphan => finalizers.push(ORPHAN.to_owned()),
    }
    let definition = resource.plural == "customresourcedefinitions";
    if definition && !metadata::is_deleting(object) && !finalizers.iter().any(|f| f == install::CLEANUP_FINALIZER) {
        finalizers.push(install::CLEANUP_FINALIZER.to_owned());
    }
    let metadata = metadata::of(object);
    if finalizers.is_empty() {
        metadata.shift_remove("finalizers");
    } else {
        metadata.insert("finalizers".to_owned(), json!(finalizers));
    }
}

/// Trap T6: a deletion that has to wait counts as a change of the desired state.
fn mark(resource: &Resource, object: &mut Value, now: &str) {
    let metadata = metadata::of(object);
    metadata.insert("deletionTimestamp".to_owned(), json!(now));
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64)
        && resource.plural != "customresourcedefinitions"
    {
        metadata.insert("generation".to_owned(), json!(generation + 1));
    }
    if resource.plural == "namespaces" && resource.group.is_empty() {
        if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
            status.insert("phase".to_owned(), json!("Terminating"));
        }
    } else {
        metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
    }
}
