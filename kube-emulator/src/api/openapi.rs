//! `/openapi/v3`: an index, and one document per group and version. kubectl reads them for `explain`, and to learn
//! that the server validates fields itself (the `fieldValidation` parameter of PATCH).

use axum::body::Body;
use http::StatusCode;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};

use super::status::ApiError;
use super::{Answer, Call};
use crate::resource::Resource;
use crate::schema::openapi::published;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

pub(super) fn index(call: &Call) -> Answer {
    let mut paths = Map::new();
    for (group, versions) in call.registry.groups() {
        for version in versions {
            let path = if group.is_empty() {
                format!("api/{version}")
            } else {
                format!("apis/{group}/{version}")
            };
            let hash = hex::encode_upper(Sha512::digest(body(call, &group, &version).to_string()));
            paths.insert(
                path.clone(),
                json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}),
            );
        }
    }
    // The real server sends the index as plain text, too.
    Answer::Text(
        StatusCode::OK,
        "text/plain; charset=utf-8",
        Body::from(json!({"paths": paths}).to_string()),
    )
}

pub(super) fn document(call: &Call, group: &str, version: &str) -> Result<Answer, ApiError> {
    if !call.registry.has_version(group, version) {
        return Err(ApiError::page_not_found());
    }
    Ok(Answer::Json(StatusCode::OK, body(call, group, version)))
}

fn body(call: &Call, group: &str, version: &str) -> Value {
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for resource in call.registry.in_version(group, version) {
        let name = schema_name(resource);
        let kind = json!([{"group": group, "version": version, "kind": resource.kind}]);
        let mut schema = published(&resource.openapi);
        // One ObjectMeta for all, as in the real documents.
        if let Some(metadata) = schema.pointer_mut("/properties/metadata") {
            let description = metadata.get("description").cloned().unwrap_or_default();
            let shared = std::mem::replace(
                metadata,
                json!({"description": description, "default": {},
                       "allOf": [{"$ref": format!("#/components/schemas/{OBJECT_META}")}]}),
            );
            schemas.entry(OBJECT_META).or_insert(shared);
        }
        schema["x-kubernetes-group-version-kind"] = kind.clone();
        schemas.insert(name.clone(), schema);
        schemas.insert(format!("{name}List"), list_schema(resource, &name));
        for (path, operations) in operations(resource, &name) {
            paths.insert(path, operations);
        }
    }
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "unversioned"},
           "paths": paths, "components": {"schemas": schemas}})
}

/// `io.ex.v1.Widget`: the group's labels reversed, as the real server names schemas of custom resources.
fn schema_name(resource: &Resource) -> String {
    let group = if resource.group.is_empty() {
        "core.api.k8s.io"
    } else {
        resource.group.as_str()
    };
    let mut labels: Vec<&str> = group.split('.').collect();
    labels.reverse();
    format!("{}.{}.{}", labels.join("."), resource.version, resource.kind)
}

fn list_schema(resource: &Resource, item: &str) -> Value {
    json!({
        "type": "object",
        "description": format!("{} is a list of {}", resource.list_kind, resource.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "items": {"type": "array", "items": {"$ref": format!("#/components/schemas/{item}")}},
        },
        "x-kubernetes-group-version-kind": [
            {"group": resource.group, "version": resource.version, "kind": resource.list_kind}
        ],
    })
}

fn operations(resource: &Resource, schema: &str) -> Vec<(String, Value)> {
    let base = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    let collection = if resource.namespaced {
        format!("{base}/namespaces/{{namespace}}/{}", resource.plural)
    } else {
        format!("{base}/{}", resource.plural)
    };
    let object = format!("{collection}/{{name}}");
    let query = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let in_path = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    let mut scope = Vec::new();
    if resource.namespaced {
        scope.push(in_path("namespace"));
    }
    let mut named = vec![in_path("name")];
    named.extend(scope.clone());
    let operation = |action: &str, write: bool| {
        let parameters: Vec<Value> = if write {
            ["dryRun", "fieldManager", "fieldValidation"].map(query).to_vec()
        } else {
            Vec::new()
        };
        let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}});
        let mut operation = json!({
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind":
                {"group": resource.group, "version": resource.version, "kind": resource.kind},
        });
        if matches!(action, "post" | "put") {
            operation["requestBody"] =
                json!({"content": {"*/*": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}}});
        }
        if action == "patch" {
            operation["requestBody"] = json!({"content": {
                "application/apply-patch+yaml": {"schema": {"type": "object"}},
                "application/json-patch+json": {"schema": {"type": "object"}},
                "application/merge-patch+json": {"schema": {"type": "object"}},
            }});
        }
        operation
    };
    vec![
        (
            collection,
            json!({"get": operation("list", false), "post": operation("post", true),
                   "delete": operation("deletecollection", false), "parameters": scope}),
        ),
        (
            object,
            json!({"get": operation("get", false), "put": operation("put", true), "patch": operation("patch", true),
                   "delete": operation("delete", false), "parameters": named}),
        ),
    ]
}
