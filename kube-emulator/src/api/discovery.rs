//! Discovery: what is served, in the old form (one document per version) and in the aggregated one.

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::status::ApiError;
use super::{Answer, Call};
use crate::resource::{Resource, group_version};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
/// Version of Kubernetes whose behaviour is copied.
const MINOR: &str = "34";
const GIT_VERSION: &str = "v1.34.4";

pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": MINOR, "emulationMajor": "1", "emulationMinor": MINOR,
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
        "gitVersion": GIT_VERSION, "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "", "platform": "linux/amd64",
    })
}

fn wants_aggregated(call: &Call) -> bool {
    call.header(ACCEPT).is_some_and(|accept| {
        let first = accept.split(',').next().unwrap_or_default().replace(' ', "");
        first.contains("g=apidiscovery.k8s.io") && first.contains("as=APIGroupDiscoveryList")
    }) && call
        .header(ACCEPT)
        .is_some_and(|accept| accept.replace(' ', "").contains("v=v2;") || accept.replace(' ', "").contains("v=v2,"))
}

pub(super) fn core_versions(call: &Call) -> Result<Answer, ApiError> {
    if wants_aggregated(call) {
        return Ok(aggregated(call, true));
    }
    Ok(Answer::Json(
        StatusCode::OK,
        json!({"kind": "APIVersions", "versions": ["v1"],
               "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]}),
    ))
}

pub(super) fn groups(call: &Call) -> Result<Answer, ApiError> {
    if wants_aggregated(call) {
        return Ok(aggregated(call, false));
    }
    let groups = call.registry.groups();
    let groups: Vec<Value> = groups
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, versions)| api_group(name, versions))
        .collect();
    Ok(Answer::Json(
        StatusCode::OK,
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
    ))
}

fn api_group(name: &str, versions: &[String]) -> Value {
    let entry = |version: &String| json!({"groupVersion": group_version(name, version), "version": version});
    let entries: Vec<Value> = versions.iter().map(entry).collect();
    json!({"name": name, "versions": entries, "preferredVersion": entries.first()})
}

pub(super) fn group(call: &Call, name: &str) -> Result<Answer, ApiError> {
    if !call.registry.has_group(name) {
        return Err(ApiError::page_not_found());
    }
    let versions = call.registry.groups().remove(name).unwrap_or_default();
    let Value::Object(group) = api_group(name, &versions) else {
        return Err(ApiError::page_not_found());
    };
    let mut document = Map::new();
    document.insert("kind".to_owned(), json!("APIGroup"));
    document.insert("apiVersion".to_owned(), json!("v1"));
    document.extend(group);
    Ok(Answer::Json(StatusCode::OK, Value::Object(document)))
}

pub(super) fn resources(call: &Call, group: &str, version: &str) -> Result<Answer, ApiError> {
    if !call.registry.has_version(group, version) {
        return Err(ApiError::page_not_found());
    }
    let mut resources = Vec::new();
    for resource in call.registry.in_version(group, version) {
        let mut entry = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": verbs(resource),
        });
        insert_names(&mut entry, resource);
        entry["storageVersionHash"] = json!(storage_hash(resource));
        resources.push(entry);
        for (name, kind, group_version) in subresources(resource) {
            let mut entry = json!({"name": format!("{}/{name}", resource.plural), "singularName": "",
                "namespaced": resource.namespaced, "kind": kind, "verbs": subresource_verbs(name)});
            if let Some((group, version)) = group_version {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
            }
            resources.push(entry);
        }
    }
    let mut list = Map::new();
    list.insert("kind".to_owned(), json!("APIResourceList"));
    // The oldest group has the oldest form.
    if !group.is_empty() {
        list.insert("apiVersion".to_owned(), json!("v1"));
    }
    list.insert("groupVersion".to_owned(), json!(group_version(group, version)));
    list.insert("resources".to_owned(), Value::Array(resources));
    Ok(Answer::Json(StatusCode::OK, Value::Object(list)))
}

fn verbs(resource: &Resource) -> Vec<&'static str> {
    let all = [
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ];
    // As the two handlers of the real server list them.
    let custom = [
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "create",
        "update",
        "watch",
    ];
    let all = if resource.custom { custom } else { all }.into_iter();
    all.filter(|verb| *verb != "deletecollection" || resource.plural != "namespaces")
        .collect()
}

/// Name, kind, and group and version of the kind where it is another one.
type Subresource = (&'static str, String, Option<(&'static str, &'static str)>);

fn subresources(resource: &Resource) -> Vec<Subresource> {
    let mut subresources = Vec::new();
    if resource.plural == "namespaces" && resource.group.is_empty() {
        subresources.push(("finalize", resource.kind.clone(), None));
    }
    if resource.status {
        subresources.push(("status", resource.kind.clone(), None));
    }
    if resource.scale.is_some() {
        subresources.push(("scale", "Scale".to_owned(), Some(("autoscaling", "v1"))));
    }
    subresources
}

fn subresource_verbs(name: &str) -> &'static [&'static str] {
    match name {
        "finalize" => &["update"],
        _ => &["get", "patch", "update"],
    }
}

fn insert_names(entry: &mut Value, resource: &Resource) {
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
}

fn storage_hash(resource: &Resource) -> String {
    use base64::Engine as _;
    let version = resource.storage_version.rsplit('/').next().unwrap_or_default();
    let identity = format!("{}/{version}/{}", resource.storage.group, resource.kind);
    base64::engine::general_purpose::STANDARD.encode(&Sha256::digest(identity)[..8])
}

/// `APIGroupDiscoveryList` of the core group or of all others.
fn aggregated(call: &Call, core: bool) -> Answer {
    let groups = call.registry.groups();
    let items: Vec<Value> = groups
        .iter()
        .filter(|(name, _)| name.is_empty() == core)
        .map(|(name, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let resources: Vec<Value> = call
                        .registry
                        .in_version(name, version)
                        .map(|resource| aggregated_resource(resource))
                        .collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if core {
                json!({"creationTimestamp": null})
            } else {
                json!({"name": name, "creationTimestamp": null})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let document = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
    cached(call, document.to_string(), AGGREGATED)
}

fn aggregated_resource(resource: &Resource) -> Value {
    // Built-ins leave group and version of the kind empty: those of the group it is listed in.
    let kind = |kind: &str, group_version: Option<(&str, &str)>| match group_version {
        Some((group, version)) => json!({"group": group, "version": version, "kind": kind}),
        None if resource.custom => json!({"group": resource.group, "version": resource.version, "kind": kind}),
        None => json!({"group": "", "version": "", "kind": kind}),
    };
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": kind(&resource.kind, None),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": verbs(resource),
    });
    insert_names(&mut entry, resource);
    let subresources: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|(name, response, group_version)| {
            json!({"subresource": name, "responseKind": kind(&response, group_version), "verbs": subresource_verbs(name)})
        })
        .collect();
    if !subresources.is_empty() {
        entry["subresources"] = Value::Array(subresources);
    }
    entry
}

/// A document clients may keep: with its hash as ETag, 304 if they have it already.
fn cached(call: &Call, document: String, media: &'static str) -> Answer {
    let etag = format!("\"{}\"", hex::encode_upper(Sha512::digest(&document)));
    let known = call.header(IF_NONE_MATCH) == Some(etag.as_str());
    let mut response = if known {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(axum::body::Body::from(document));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(media));
        response
    };
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    Answer::Ready(response)
}
