//! Reviews about oneself: `kubectl auth whoami` and `kubectl auth can-i`. They are answered, never stored.

use http::{Method, StatusCode};
use serde_json::{Value, json};

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
        // Whoever has the one token of this server is allowed everything.
        _ => json!({
            "kind": "SelfSubjectAccessReview", "apiVersion": api_version, "metadata": {},
            "spec": review.get("spec").cloned().unwrap_or(Value::Null), "status": {"allowed": true},
        }),
    };
    Ok(Answer::Json(StatusCode::CREATED, answer))
}
