//! Failures as the real server words them: HTTP code, reason, message and details.

use serde_json::{Map, Value, json};

use super::field_error::FieldError;
use crate::resource::Resource;

/// A request that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    /// `metav1.StatusReason`; empty where the real server gives none.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// Boxed to keep results small.
    pub(crate) details: Option<Box<Value>>,
    /// Some answers of the real server are plain text, not a Status.
    pub(crate) plain_text: bool,
    /// List metadata that goes with the failure (the inconsistent continue token of an expired list).
    pub(crate) continue_token: Option<String>,
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            plain_text: false,
            continue_token: None,
        }
    }

    fn with_details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn page_not_found() -> Self {
        Self {
            plain_text: true,
            ..Self::new(404, "", "404 page not found\n")
        }
    }

    pub(crate) fn resource_not_found() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with_details(json!({}))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with_details(json!({}))
    }

    pub(crate) fn not_acceptable(accepted: &str) -> Self {
        Self::new(
            406,
            "NotAcceptable",
            format!("only the following media types are accepted: {accepted}"),
        )
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}"),
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    /// POST to a subresource of an existing object, or DELETE.
    pub(crate) fn verb_not_supported(resource: &Resource, verb: &str) -> Self {
        let message = format!(
            "{verb} is not supported on resources of kind {:?}",
            resource.qualified()
        );
        Self::new(405, "MethodNotAllowed", message).with_details(resource_details(resource, ""))
    }

    /// 500 with its reason, as controllers of the server report their own trouble.
    pub(crate) fn internal_error(why: &str) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {why}"))
            .with_details(json!({"causes": [{"message": why}]}))
    }

    /// 403 for a request to a path outside of the resources.
    pub(crate) fn forbidden_path(user: &str, verb: &str, path: &str) -> Self {
        Self::new(
            403,
            "Forbidden",
            format!("forbidden: User \"{user}\" cannot {verb} path \"{path}\""),
        )
        .with_details(json!({}))
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} \"{name}\" not found", resource.qualified()),
        )
        .with_details(resource_details(resource, name))
    }

    pub(crate) fn namespace_not_found(name: &str) -> Self {
        Self::new(404, "NotFound", format!("namespaces \"{name}\" not found"))
            .with_details(json!({"name": name, "kind": "namespaces"}))
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{} \"{name}\" already exists", resource.qualified()),
        )
        .with_details(resource_details(resource, name))
    }

    pub(crate) fn name_not_generated(resource: &Resource, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!(
                "{} \"{name}\" already exists, the server was not able to generate a unique name for the object",
                resource.qualified()
            ),
        )
        .with_details(resource_details(resource, name))
    }

    /// The object changed since the client read it.
    pub(crate) fn conflict(resource: &Resource, name: &str) -> Self {
        Self::conflict_because(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(crate) fn conflict_because(resource: &Resource, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!(
                "Operation cannot be fulfilled on {} \"{name}\": {why}",
                resource.qualified()
            ),
        )
        .with_details(resource_details(resource, name))
    }

    /// A precondition of a delete does not hold; the real server names the Kind here.
    pub(crate) fn precondition(resource: &Resource, name: &str, why: &str) -> Self {
        let mut error = Self::conflict_because(resource, name, why);
        error.message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified_kind()
        );
        error.details = Some(Box::new(kind_details(resource, name)));
        error
    }

    pub(crate) fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        Self::forbidden_resource(&resource.group, &resource.plural, name, why)
    }

    /// The same about a resource that may not even be served.
    pub(crate) fn forbidden_resource(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let mut subject = plural.to_owned();
        if !group.is_empty() {
            subject = format!("{subject}.{group}");
        }
        if !name.is_empty() {
            subject = format!("{subject} \"{name}\"");
        }
        Self::new(403, "Forbidden", format!("{subject} is forbidden: {why}")).with_details(details(name, group, plural))
    }

    pub(crate) fn namespace_terminating(resource: &Resource, name: &str, namespace: &str) -> Self {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut error = Self::forbidden(resource, name, &why);
        if let Some(Value::Object(details)) = error.details.as_deref_mut() {
            details.insert(
                "causes".to_owned(),
                json!([{
                    "reason": "NamespaceTerminating",
                    "message": format!("namespace {namespace} is being terminated"),
                    "field": "metadata.namespace",
                }]),
            );
        }
        error
    }

    /// 422 with one cause per field.
    pub(crate) fn invalid(resource: &Resource, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_kind(&resource.group, &resource.kind, name, errors)
    }

    pub(crate) fn invalid_kind(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let subject = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let mut messages: Vec<String> = Vec::new();
        for error in errors {
            let message = error.to_string();
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        let text = match messages.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut details = Map::new();
        if !name.is_empty() {
            details.insert("name".to_owned(), json!(name));
        }
        if !group.is_empty() {
            details.insert("group".to_owned(), json!(group));
        }
        if !kind.is_empty() {
            details.insert("kind".to_owned(), json!(kind));
        }
        details.insert("causes".to_owned(), errors.iter().map(FieldError::cause).collect());
        Self::new(422, "Invalid", format!("{subject} \"{name}\" is invalid: {text}"))
            .with_details(Value::Object(details))
    }

    /// 422 for wrong request options (`DeleteOptions`, `PatchOptions`, …), which the server reports like objects.
    pub(crate) fn invalid_options(kind: &str, errors: &[FieldError]) -> Self {
        Self::invalid_kind("meta.k8s.io", kind, "", errors)
    }

    /// A patch whose result is no object of the kind.
    pub(crate) fn invalid_patch(error: &FieldError) -> Self {
        Self::invalid_kind("", "", "", std::slice::from_ref(error))
    }

    /// A JSON Patch that does not apply (trap T4).
    pub(crate) fn patch_does_not_apply() -> Self {
        Self::new(
            422,
            "Invalid",
            "the server rejected our request due to an error in our request",
        )
        .with_details(json!({}))
    }

    pub(crate) fn expired(oldest: u64, asked: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    pub(crate) fn too_large_revision(asked: u64, current: u64) -> Self {
        Self::new(
            504,
            "Timeout",
            format!("Timeout: Too large resource version: {asked}, current: {current}"),
        )
        .with_details(
            json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                   "retryAfterSeconds": 1}),
        )
    }

    /// `Retry-After` in seconds, if the details ask for it.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.details.as_ref()?.get("retryAfterSeconds")?.as_u64()
    }

    /// The `Status` body.
    pub(crate) fn body(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(token) = &self.continue_token {
            metadata.insert("continue".to_owned(), json!(token));
        }
        let mut status = Map::new();
        status.insert("kind".to_owned(), json!("Status"));
        status.insert("apiVersion".to_owned(), json!("v1"));
        status.insert("metadata".to_owned(), Value::Object(metadata));
        status.insert("status".to_owned(), json!("Failure"));
        status.insert("message".to_owned(), json!(self.message));
        if !self.reason.is_empty() {
            status.insert("reason".to_owned(), json!(self.reason));
        }
        if let Some(details) = &self.details {
            status.insert("details".to_owned(), (**details).clone());
        }
        status.insert("code".to_owned(), json!(self.code));
        Value::Object(status)
    }
}

fn resource_details(resource: &Resource, name: &str) -> Value {
    details(name, &resource.group, &resource.plural)
}

fn kind_details(resource: &Resource, name: &str) -> Value {
    details(name, &resource.group, &resource.kind)
}

fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = Map::new();
    if !name.is_empty() {
        details.insert("name".to_owned(), json!(name));
    }
    if !group.is_empty() {
        details.insert("group".to_owned(), json!(group));
    }
    details.insert("kind".to_owned(), json!(kind));
    Value::Object(details)
}

/// The answer of a delete that removed the object at once.
pub(crate) fn deleted(resource: &Resource, name: &str, uid: &str) -> Value {
    let mut details = details(name, &resource.group, &resource.plural);
    if let Some(details) = details.as_object_mut() {
        details.insert("uid".to_owned(), json!(uid));
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
