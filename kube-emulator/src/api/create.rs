//! POST to a collection.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::body::{Decoded, RequestBody};
use super::field_error::FieldError;
use super::query::FieldValidation;
use super::status::ApiError;
use super::{Answer, Call, metadata};
use crate::apply::{self, Operation};
use crate::edges::rfc3339_seconds;
use crate::resource::{Resource, Shape, events};
use crate::schema;
use crate::store::{Decision, ObjectKey, StorageId, Stored, View};

/// How often the server tries another suffix for a generated name.
const NAME_ATTEMPTS: usize = 8;

pub(super) fn create(
    call: &mut Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    body: &RequestBody,
) -> Result<Answer, ApiError> {
    let dry_run = call.query.dry_run("CreateOptions")?;
    let validation = call.query.field_validation("CreateOptions")?;
    if let Some(error) = call.query.manager_too_long() {
        return Err(ApiError::invalid_options("CreateOptions", &[error]));
    }
    let Decoded { mut value, duplicates } = body.decode(resource)?;
    check_type(resource, &mut value)?;
    if !metadata::text(&value, "resourceVersion").is_empty() {
        return Err(ApiError::internal(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    check_fields(call, resource, &mut value, duplicates, validation)?;
    let stored = create_object(call, resource, namespace, value, Operation::Update, dry_run)?;
    Ok(Answer::Object(StatusCode::CREATED, resource.clone(), stored))
}

/// Creates an object from a pruned value; also the second half of apply and of create-on-update.
pub(crate) fn create_object(
    call: &mut Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    value: Value,
    operation: Operation,
    dry_run: bool,
) -> Result<Arc<Stored>, ApiError> {
    let generated = metadata::text(&value, "name").is_empty() && !metadata::text(&value, "generateName").is_empty();
    let attempts = if generated { NAME_ATTEMPTS } else { 1 };
    let mut failure = None;
    for _ in 0..attempts {
        match attempt(call, resource, namespace, value.clone(), &operation, dry_run) {
            Err(error) if error.reason == "AlreadyExists" && generated => failure = Some(error),
            outcome => return outcome,
        }
    }
    let name = failure
        .as_ref()
        .and_then(|error| error.details.as_ref()?.get("name")?.as_str())
        .unwrap_or_default();
    Err(ApiError::name_not_generated(resource, name))
}

fn attempt(
    call: &mut Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    mut value: Value,
    operation: &Operation,
    dry_run: bool,
) -> Result<Arc<Stored>, ApiError> {
    let emulator = call.emulator.clone();
    let now = emulator.now();
    check_namespace(&mut value, namespace)?;
    if metadata::text(&value, "name").is_empty() {
        let prefix = metadata::text(&value, "generateName").to_owned();
        if !prefix.is_empty() {
            metadata::of(&mut value).insert("name".to_owned(), json!(emulator.entropy().generate_name(&prefix)));
        }
    }
    let name = metadata::text(&value, "name").to_owned();
    let key = ObjectKey::new(namespace, &name);
    metadata::stamp_new(&mut value, resource, emulator.entropy(), now);
    if resource.custom
        && resource.status
        && let Some(object) = value.as_object_mut()
    {
        object.shift_remove("status");
    }
    schema::apply_defaults(&resource.schema, &mut value);
    let errors = complete_and_validate(resource, &mut value, None);
    let context = call.write_context(resource, None, dry_run);
    let time = rfc3339_seconds(now);
    let written = emulator
        .store()
        .write(&resource.storage, &key, &context, |view, current| {
            check_lifecycle(view, resource, namespace, &name)?;
            if !errors.is_empty() {
                return Err(ApiError::invalid(resource, &name, &errors));
            }
            if current.is_some() {
                return Err(ApiError::already_exists(resource, &name));
            }
            apply::track_create(resource, &mut value, &call.field_manager(), operation, &time);
            Ok(Decision::Put(to_storage(resource, value)))
        })?;
    let Some(written) = written else {
        return Err(ApiError::internal("a created object was not stored"));
    };
    call.warnings
        .extend(metadata::finalizer_warnings(written.object.value()));
    if written.changed {
        emulator.after_write(resource, &written.object);
    }
    Ok(written.object)
}

/// Namespace and definition must be alive for new content.
fn check_lifecycle(view: &View<'_>, resource: &Resource, namespace: Option<&str>, name: &str) -> Result<(), ApiError> {
    if let Some(namespace) = namespace {
        let key = ObjectKey::new(None, namespace);
        let Some(found) = view.get(&StorageId::new("", "namespaces"), &key) else {
            return Err(ApiError::namespace_not_found(namespace));
        };
        if metadata::is_deleting(found.value()) {
            return Err(ApiError::namespace_terminating(resource, name, namespace));
        }
    }
    if resource.terminating {
        return Err(ApiError::forbidden(
            resource,
            name,
            "create not allowed while custom resource definition is terminating",
        ));
    }
    Ok(())
}

/// apiVersion and kind of a body must be those of the endpoint; built-ins may leave them out.
pub(super) fn check_type(resource: &Resource, value: &mut Value) -> Result<(), ApiError> {
    let expected = resource.api_version();
    let (api_version, kind) = {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("apiVersion"), text("kind"))
    };
    if resource.custom && kind.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{value}' ({value})",
            resource.kind
        )));
    }
    if (resource.custom || !api_version.is_empty()) && api_version != expected {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected})"
        )));
    }
    if !kind.is_empty() && kind != resource.kind {
        if resource.custom {
            let detail = format!("must be {}", resource.kind);
            let error = FieldError::invalid("kind", &json!(kind), detail);
            return Err(ApiError::invalid_kind(
                &resource.group,
                &kind,
                metadata::text(value, "name"),
                &[error],
            ));
        }
        return Err(ApiError::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {}: converting ({}.{kind}) to ({}.{}): unknown conversion",
            resource.version,
            resource.kind,
            resource.version,
            if resource.group.is_empty() {
                "core"
            } else {
                resource.group.split('.').next().unwrap_or_default()
            },
            resource.kind
        )));
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("apiVersion".to_owned(), json!(expected));
        object.insert("kind".to_owned(), json!(resource.kind));
    }
    Ok(())
}

/// Namespace of body and path must agree; the path decides.
fn check_namespace(value: &mut Value, namespace: Option<&str>) -> Result<(), ApiError> {
    let sent = metadata::text(value, "namespace").to_owned();
    match namespace {
        Some(namespace) if sent.is_empty() || sent == namespace => {
            metadata::of(value).insert("namespace".to_owned(), json!(namespace));
            Ok(())
        }
        None => {
            metadata::of(value).shift_remove("namespace");
            Ok(())
        }
        Some(_) => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

/// Unknown and duplicate fields: prune, and refuse or warn as asked. Then the checks a typed decode would do.
pub(super) fn check_fields(
    call: &mut Call,
    resource: &Resource,
    value: &mut Value,
    duplicates: Vec<String>,
    validation: FieldValidation,
) -> Result<(), ApiError> {
    let unknown = schema::prune(&resource.schema, value);
    let mut complaints: Vec<String> = unknown.iter().map(|field| format!("unknown field {field:?}")).collect();
    complaints.extend(duplicates.iter().map(|field| format!("duplicate field {field:?}")));
    if !complaints.is_empty() {
        match validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => call.warnings.append(&mut complaints),
            FieldValidation::Strict => {
                return Err(cannot_be_handled(
                    resource,
                    &format!("strict decoding error: {}", complaints.join(", ")),
                ));
            }
        }
    }
    decode_typed(resource, value)
}

fn cannot_be_handled(resource: &Resource, why: &str) -> ApiError {
    ApiError::bad_request(format!(
        "{} in version {:?} cannot be handled as a {}: {why}",
        resource.kind, resource.version, resource.kind
    ))
}

/// Built-ins are typed as a whole, custom resources in their metadata.
pub(super) fn decode_typed(resource: &Resource, value: &mut Value) -> Result<(), ApiError> {
    typed(resource, value).map_err(|why| cannot_be_handled(resource, &why))
}

/// The same, with the bare reason.
pub(super) fn typed(resource: &Resource, value: &mut Value) -> Result<(), String> {
    if !resource.custom {
        return schema::decode_typed(&resource.schema, &resource.kind, value);
    }
    match (resource.schema.properties.get("metadata"), value.get_mut("metadata")) {
        (Some(schema), Some(metadata)) if !metadata.is_null() => schema::decode_typed(schema, "ObjectMeta", metadata),
        _ => Ok(()),
    }
}

/// Kind-specific completion and every validation, in the order of the real server.
pub(super) fn complete_and_validate(resource: &Resource, value: &mut Value, old: Option<&Value>) -> Vec<FieldError> {
    if resource.is_verbatim() {
        (resource.hooks.prepare)(value, old);
        let mut errors = metadata::validate(value, resource, old);
        (resource.hooks.validate)(value, old, &mut errors);
        if resource.custom {
            schema::validate(&resource.schema, value, old, &mut errors);
        }
        return errors;
    }
    let mut stored = to_storage(resource, value.clone());
    let stored_old = old.map(|old| to_storage(resource, old.clone()));
    (resource.hooks.prepare)(&mut stored, stored_old.as_ref());
    let mut errors = metadata::validate(&stored, resource, old);
    (resource.hooks.validate)(&stored, stored_old.as_ref(), &mut errors);
    *value = from_storage(resource, stored);
    if resource.custom {
        schema::validate(&resource.schema, value, old, &mut errors);
    }
    errors
}

/// An object of this endpoint as it is stored.
pub(super) fn to_storage(resource: &Resource, value: Value) -> Value {
    let value = match resource.shape {
        Shape::Stored => value,
        Shape::NewEvent => events::from_new(&value),
    };
    metadata::ordered(value, &resource.storage_version, &resource.kind)
}

/// A stored object as this endpoint shows it.
pub(crate) fn from_storage(resource: &Resource, value: Value) -> Value {
    match resource.shape {
        Shape::Stored => metadata::ordered(value, &resource.api_version(), &resource.kind),
        Shape::NewEvent => events::to_new(&value),
    }
}
