//! Reviews about oneself: `kubectl auth whoami` and `kubectl auth can-i`. They are answered, never stored.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::auth::rbac::{self, Attributes};
use super::body::RequestBody;
use super::path::ResourcePath;
use super::status::ApiError;
use super::{Answer, Call};

pub(super) fn is_review(path: &ResourcePath) -> bool {
    matches!(
        (path.group.as_str(), path.resource.as_str()),
        ("authentication.k8s.io", "selfsubjectreviews") | ("authorization.k8s.io", "selfsubjectaccessreviews")
    ) && path.version == "v1"
        && path.name.is_none()
}

pub(super) fn answer(
    call: &Call,
    method: &Method,
    path: &ResourcePath,
    body: &RequestBody,
) -> Result<Answer, ApiError> {
    if *method != Method::POST {
        return Err(ApiError::method_not_allowed());
    }
    let review = body.decode_options()?;
    let api_version = format!("{}/v1", path.group);
    let answer = match path.resource.as_str() {
        "selfsubjectreviews" => json!({
            "kind": "SelfSubjectReview", "apiVersion": api_version, "metadata": {},
            "status": {"userInfo": {"username": call.user.name, "groups": call.user.groups}},
        }),
        _ => json!({
            "kind": "SelfSubjectAccessReview", "apiVersion": api_version, "metadata": {},
            "spec": review.get("spec").cloned().unwrap_or(Value::Null), "status": judged(call, &review["spec"]),
        }),
    };
    Ok(Answer::Json(StatusCode::CREATED, answer))
}

fn judged(call: &Call, spec: &Value) -> Value {
    let resource = &spec["resourceAttributes"];
    let text = |from: &Value, name: &str| from[name].as_str().unwrap_or_default().to_owned();
    let mut wanted = match spec["nonResourceAttributes"]["path"].as_str() {
        Some(path) => Attributes {
            verb: text(&spec["nonResourceAttributes"], "verb"),
            path: Some(path.to_owned()),
            ..Attributes::default()
        },
        None => Attributes {
            verb: text(resource, "verb"),
            group: text(resource, "group"),
            resource: text(resource, "resource"),
            name: text(resource, "name"),
            namespace: Some(text(resource, "namespace")).filter(|namespace| !namespace.is_empty()),
            path: None,
        },
    };
    let subresource = text(resource, "subresource");
    if !subresource.is_empty() {
        wanted.resource = format!("{}/{subresource}", wanted.resource);
    }
    match rbac::allowed(&call.emulator, &call.user, &wanted) {
        Some(reason) if reason.is_empty() => json!({"allowed": true}),
        Some(reason) => json!({"allowed": true, "reason": reason}),
        None => json!({"allowed": false}),
    }
}
