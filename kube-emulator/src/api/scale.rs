//! The scale subresource: an `autoscaling/v1 Scale` made from three paths of the object.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::body::{RequestBody, decode_json};
use super::field_error::FieldError;
use super::status::ApiError;
use super::update::{Change, UidChange, change_object};
use super::{Answer, Call, metadata};
use crate::apply::Operation;
use crate::patch::merge_patch;
use crate::resource::{Resource, ScalePaths};
use crate::selector::lookup;
use crate::store::ObjectKey;

pub(super) fn handle(
    call: &mut Call,
    method: &Method,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    name: &str,
    body: &RequestBody,
) -> Result<Answer, ApiError> {
    let Some(paths) = resource.scale.clone() else {
        return Err(ApiError::not_found(resource, name));
    };
    let key = ObjectKey::new(namespace, name);
    let current = call.emulator.store().get(&resource.storage, &key);
    let current = current.ok_or_else(|| ApiError::not_found(resource, name))?;
    if lookup(current.value(), &paths.spec_replicas).is_empty() && *method == Method::GET {
        let path = &paths.spec_replicas;
        return Err(ApiError::internal_error(&format!(
            "the spec replicas field {path:?} does not exist"
        )));
    }
    if *method == Method::GET {
        return Ok(Answer::Json(StatusCode::OK, scale(&paths, current.value())));
    }
    let wanted = match *method {
        Method::PUT => body.decode(resource)?.value,
        Method::PATCH if body.media == "application/merge-patch+json" => {
            let patch = decode_json(&body.bytes)
                .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
            let mut wanted = scale(&paths, current.value());
            merge_patch(&mut wanted, &patch.value);
            wanted
        }
        Method::PATCH => return Err(ApiError::unsupported_media_type("application/merge-patch+json")),
        _ => return Err(ApiError::method_not_allowed()),
    };
    let replicas = wanted.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
    if replicas < 0 {
        let error = FieldError::invalid(
            paths.spec_replicas.clone(),
            &json!(replicas),
            "should be a non-negative integer",
        );
        return Err(ApiError::invalid(resource, name, &[error]));
    }
    let dry_run = call.query.dry_run("UpdateOptions")?;
    let change = Change {
        subresource: Some("scale"),
        operation: Operation::Update,
        dry_run,
        uid_change: UidChange::Conflict,
    };
    let revision = metadata::text(&wanted, "resourceVersion").to_owned();
    let stored = change_object(call, resource, &key, change, |_, current| {
        let mut object = current.clone();
        metadata::of(&mut object).insert("resourceVersion".to_owned(), json!(revision));
        set(&mut object, &paths.spec_replicas, json!(replicas));
        Ok(object)
    })?;
    Ok(Answer::Json(StatusCode::OK, scale(&paths, stored.value())))
}

fn scale(paths: &ScalePaths, object: &Value) -> Value {
    let number = |path: &str| lookup(object, path).parse::<i64>().unwrap_or(0);
    let mut status = json!({"replicas": number(&paths.status_replicas)});
    if let Some(selector) = &paths.selector {
        let selector = lookup(object, selector);
        if !selector.is_empty() {
            status["selector"] = json!(selector);
        }
    }
    let field = |name: &str| object["metadata"].get(name).cloned().unwrap_or(Value::Null);
    let mut kept = Map::new();
    for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if !field(name).is_null() {
            kept.insert(name.to_owned(), field(name));
        }
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept,
           "spec": {"replicas": number(&paths.spec_replicas)}, "status": status})
}

fn set(object: &mut Value, path: &str, value: Value) {
    let mut current = object;
    for segment in path.trim_start_matches('.').split('.') {
        if !current.is_object() {
            *current = Value::Object(Map::new());
        }
        let Value::Object(fields) = current else { return };
        current = fields.entry(segment).or_insert(Value::Null);
    }
    *current = value;
}
