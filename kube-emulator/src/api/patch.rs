//! PATCH in its four formats.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::body::{RequestBody, decode_json, decode_yaml};
use super::create::{create_object, typed};
use super::field_error::FieldError;
use super::query::FieldValidation;
use super::status::ApiError;
use super::update::{Change, UidChange, change_object};
use super::{Answer, Call, metadata};
use crate::apply::{self, Operation};
use crate::patch::{JsonPatch, PatchFailure, merge_patch, strategic_merge};
use crate::resource::Resource;
use crate::schema;
use crate::store::ObjectKey;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";
const APPLY_PATCH: &str = "application/apply-patch+yaml";

pub(super) fn patch(
    call: &mut Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    name: &str,
    subresource: Option<&str>,
    body: &RequestBody,
) -> Result<Answer, ApiError> {
    let dry_run = call.query.dry_run("PatchOptions")?;
    let validation = call.query.field_validation("PatchOptions")?;
    let is_apply = body.media == APPLY_PATCH;
    check_options(call, is_apply)?;
    if is_apply {
        return server_side_apply(call, resource, namespace, name, subresource, body, dry_run);
    }
    let transform = transformation(resource, body)?;
    let key = ObjectKey::new(namespace, name);
    let change = Change {
        subresource,
        operation: Operation::Update,
        dry_run,
        uid_change: UidChange::Immutable,
    };
    let stored = change_object(call, resource, &key, change, |call, current| {
        let mut wanted = transform(current)?;
        check_type_unchanged(resource, name, &wanted)?;
        if metadata::text(&wanted, "name") != name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({name})",
                metadata::text(&wanted, "name")
            )));
        }
        let unknown = schema::prune(&resource.schema, &mut wanted);
        let complaints: Vec<String> = unknown.iter().map(|field| format!("unknown field {field:?}")).collect();
        // The patched document is decoded like a body, but its faults are those of the patch.
        let rejected = |why: String| {
            let mut sent = transform(current)?;
            schema::prune(&resource.schema, &mut sent);
            let error = FieldError::invalid_text("patch", &sent.to_string(), why);
            Err(ApiError::invalid_patch(&error))
        };
        if let Err(why) = typed(resource, &mut wanted) {
            return rejected(why);
        }
        match validation {
            FieldValidation::Strict if !complaints.is_empty() => {
                return rejected(format!("strict decoding error: {}", complaints.join(", ")));
            }
            FieldValidation::Warn => call.warnings.extend(complaints),
            FieldValidation::Strict | FieldValidation::Ignore => {}
        }
        Ok(wanted)
    })?;
    call.warnings.extend(metadata::finalizer_warnings(stored.value()));
    Ok(Answer::Object(StatusCode::OK, resource.clone(), stored))
}

fn check_options(call: &Call, is_apply: bool) -> Result<(), ApiError> {
    let mut errors = Vec::new();
    if is_apply && call.query.get("fieldManager").is_none() {
        errors.push(FieldError::required("fieldManager", "is required for apply patch"));
    }
    if !is_apply && call.query.get("force").is_some() {
        errors.push(FieldError::forbidden(
            "force",
            "may not be specified for non-apply patch",
        ));
    }
    errors.extend(call.query.manager_too_long());
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ApiError::invalid_options("PatchOptions", &errors))
    }
}

type Transformation = Box<dyn Fn(&Value) -> Result<Value, ApiError>>;

/// What a non-apply patch does to the current object.
fn transformation(resource: &Resource, body: &RequestBody) -> Result<Transformation, ApiError> {
    let accepted = if resource.custom {
        format!("{JSON_PATCH}, {MERGE_PATCH}, {APPLY_PATCH}")
    } else {
        format!("{JSON_PATCH}, {MERGE_PATCH}, {STRATEGIC_PATCH}, {APPLY_PATCH}")
    };
    let known =
        [JSON_PATCH, MERGE_PATCH].contains(&body.media.as_str()) || (body.media == STRATEGIC_PATCH && !resource.custom);
    if !known {
        return Err(ApiError::unsupported_media_type(&accepted));
    }
    let document = decode_json(&body.bytes)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?
        .value;
    match body.media.as_str() {
        JSON_PATCH => {
            let failed = |failure| match failure {
                PatchFailure::Malformed(why) => ApiError::bad_request(format!("error decoding patch: {why}")),
                PatchFailure::DoesNotApply => ApiError::patch_does_not_apply(),
                PatchFailure::TooManyOperations(most) => ApiError::new(
                    413,
                    "RequestEntityTooLarge",
                    format!("The allowed maximum operations in a JSON patch is {most}"),
                ),
            };
            let patch = JsonPatch::parse(&document).map_err(failed)?;
            Ok(Box::new(move |current| patch.apply(current).map_err(failed)))
        }
        MERGE_PATCH => {
            if !document.is_object() {
                return Err(ApiError::bad_request(
                    "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
                ));
            }
            Ok(Box::new(move |current| {
                let mut wanted = current.clone();
                merge_patch(&mut wanted, &document);
                Ok(wanted)
            }))
        }
        _ => Ok(Box::new(move |current| {
            let mut wanted = current.clone();
            strategic_merge(&mut wanted, &document).map_err(ApiError::bad_request)?;
            Ok(wanted)
        })),
    }
}

fn check_type_unchanged(resource: &Resource, name: &str, wanted: &Value) -> Result<(), ApiError> {
    let text = |field: &str| wanted.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("kind") != resource.kind {
        let error = FieldError::invalid("kind", &json!(text("kind")), format!("must be {}", resource.kind));
        return Err(ApiError::invalid_kind(&resource.group, text("kind"), name, &[error]));
    }
    if text("apiVersion") != resource.api_version() {
        let detail = format!("must be {}", resource.api_version());
        let error = FieldError::invalid("apiVersion", &json!(text("apiVersion")), detail);
        return Err(ApiError::invalid(resource, name, &[error]));
    }
    Ok(())
}

fn server_side_apply(
    call: &mut Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    name: &str,
    subresource: Option<&str>,
    body: &RequestBody,
    dry_run: bool,
) -> Result<Answer, ApiError> {
    let applied = decode_yaml(&body.bytes)
        .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?
        .value;
    let mut applied = check_applied(resource, namespace, name, applied)?;
    let force = call.query.flag("force") && call.query.get("force").is_some();
    let operation = Operation::Apply {
        applied: Arc::new(applied.clone()),
    };
    let key = ObjectKey::new(namespace, name);
    if call.emulator.store().get(&resource.storage, &key).is_none() {
        if subresource.is_some() {
            return Err(ApiError::not_found(resource, name));
        }
        let uid = metadata::text(&applied, "uid");
        if !uid.is_empty() {
            let why =
                format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(ApiError::conflict_because(resource, name, &why));
        }
        metadata::of(&mut applied).insert("name".to_owned(), json!(name));
        let stored = create_object(call, resource, namespace, applied, operation, dry_run)?;
        return Ok(Answer::Object(StatusCode::CREATED, resource.clone(), stored));
    }
    let change = Change {
        subresource,
        operation,
        dry_run,
        uid_change: UidChange::Immutable,
    };
    let stored = change_object(call, resource, &key, change, |call, current| {
        apply::merge_applied(resource, current, &applied, &call.field_manager(), subresource, force)
    })?;
    Ok(Answer::Object(StatusCode::OK, resource.clone(), stored))
}

fn check_applied(
    resource: &Resource,
    namespace: Option<&str>,
    name: &str,
    mut applied: Value,
) -> Result<Value, ApiError> {
    let text = |field: &str| {
        applied
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version.is_empty() || kind.is_empty() {
        return Err(ApiError::bad_request(format!(
            "invalid object type: /{api_version}, Kind={kind}"
        )));
    }
    if api_version != resource.api_version() || kind != resource.kind {
        return Err(ApiError::bad_request(format!(
            "invalid object type: {api_version}, Kind={kind}: expected {}, Kind={}",
            resource.api_version(),
            resource.kind
        )));
    }
    let given = applied.pointer("/metadata/managedFields");
    if given.is_some_and(|fields| !fields.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let sent = metadata::text(&applied, "name").to_owned();
    if !sent.is_empty() && sent != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({sent}) does not match the name on the URL ({name})"
        )));
    }
    let sent_namespace = metadata::text(&applied, "namespace").to_owned();
    let sent = sent_namespace.clone();
    if !sent.is_empty() && Some(sent.as_str()) != namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let metadata = metadata::of(&mut applied);
    metadata.insert("name".to_owned(), json!(name));
    if let Some(namespace) = namespace {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    let mut pruned = applied.clone();
    if let Some(field) = schema::prune(&resource.schema, &mut pruned).first() {
        return Err(ApiError::internal(format!(
            "failed to create typed patch object ({}/{name}; {api_version}, Kind={kind}): .{field}: field not declared in schema",
            sent_namespace
        )));
    }
    // Compared as it would be stored: empty collections and nulls of built-in kinds are nothing.
    typed(resource, &mut applied).map_err(|why| ApiError::bad_request(format!("error decoding YAML: {why}")))?;
    if let Some((field, key)) = apply::duplicate_item(&resource.schema, &applied) {
        return Err(ApiError::internal(format!(
            "failed to create typed patch object ({sent_namespace}/{name}; {api_version}, Kind={kind}): .{field}: duplicate entries for key {key}"
        )));
    }
    Ok(applied)
}
