//! Answers in the form the client asked for.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::accept::{IncludeObject, Rendering};
use super::create::from_storage;
use super::read::Page;
use super::status::ApiError;
use super::{Answer, Call};
use crate::resource::Resource;
use crate::store::Stored;

const JSON: &str = "application/json";

/// Turns an answer into HTTP.
pub(super) fn finish(call: &Call, answer: Answer) -> Result<Response<Body>, ApiError> {
    match answer {
        Answer::Json(code, value) => Ok(response(code, JSON, Body::from(value.to_string()))),
        Answer::Text(code, media, body) => Ok(response(code, media, body)),
        Answer::Ready(response) => Ok(response),
        Answer::Object(code, resource, stored) => {
            let body = match call.rendering()? {
                Rendering::Plain => plain(&resource, &stored),
                Rendering::Table(include) => {
                    let rows = vec![row(call, &resource, &stored, include)];
                    Bytes::from(table(&resource, rows, stored.revision, true).to_string())
                }
                Rendering::PartialMetadata => Bytes::from(partial(&stored).to_string()),
            };
            Ok(response(code, JSON, Body::from(body)))
        }
    }
}

pub(super) fn response(code: StatusCode, media: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// The JSON of a stored object at this endpoint.
pub(super) fn plain(resource: &Resource, stored: &Stored) -> Bytes {
    if resource.is_verbatim() {
        return stored.text();
    }
    Bytes::from(from_storage(resource, stored.value().clone()).to_string())
}

/// `PartialObjectMetadata` of an object.
pub(super) fn partial(stored: &Stored) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
           "metadata": stored.value().get("metadata").cloned().unwrap_or_default()})
}

/// One row of a Table.
fn row(call: &Call, resource: &Resource, stored: &Stored, include: IncludeObject) -> Value {
    row_at(call.emulator.now(), resource, stored, include)
}

/// One row of a Table, with ages as of `now`.
pub(super) fn row_at(now: jiff::Timestamp, resource: &Resource, stored: &Stored, include: IncludeObject) -> Value {
    // Columns of events are paths of the stored shape, whatever the endpoint.
    let cells: Vec<Value> = resource
        .columns
        .iter()
        .map(|column| column.render(stored.value(), now))
        .collect();
    let object = match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Metadata => partial(stored),
        IncludeObject::Object => from_storage(resource, stored.value().clone()),
    };
    json!({"cells": cells, "object": object})
}

/// A Table; later events of a watch carry no column definitions.
pub(super) fn table(resource: &Resource, rows: Vec<Value>, revision: u64, with_columns: bool) -> Value {
    let columns = match with_columns {
        true => resource.columns.iter().map(|column| column.definition()).collect(),
        false => Value::Null,
    };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": revision.to_string()},
           "columnDefinitions": columns, "rows": rows})
}

fn list_metadata(resource: &Resource, page: &Page) -> Map<String, Value> {
    let mut metadata = Map::new();
    match &page.next {
        Some(token) => {
            metadata.insert("continue".to_owned(), json!(token));
        }
        // Trap T10: lists of custom resources always have the field.
        None if resource.custom => {
            metadata.insert("continue".to_owned(), json!(""));
        }
        None => {}
    }
    if let Some(remaining) = page.remaining {
        metadata.insert("remainingItemCount".to_owned(), json!(remaining));
    }
    metadata.insert("resourceVersion".to_owned(), json!(page.revision.to_string()));
    metadata
}

/// A page as a list, a Table or a metadata list.
pub(super) fn list(call: &Call, resource: &Arc<Resource>, page: &Page) -> Result<Answer, ApiError> {
    let mut metadata = list_metadata(resource, page);
    let rendering = call.rendering()?;
    if rendering != Rendering::Plain {
        metadata.retain(|name, value| name != "continue" || value != "");
    }
    match rendering {
        Rendering::Plain => {
            let mut text = Vec::with_capacity(256 + page.objects.len() * 512);
            text.extend_from_slice(b"{\"kind\":");
            text.extend_from_slice(json!(resource.list_kind).to_string().as_bytes());
            text.extend_from_slice(b",\"apiVersion\":");
            text.extend_from_slice(json!(resource.api_version()).to_string().as_bytes());
            text.extend_from_slice(b",\"metadata\":");
            text.extend_from_slice(Value::Object(metadata).to_string().as_bytes());
            text.extend_from_slice(b",\"items\":[");
            let head = type_head(resource);
            for (index, stored) in page.objects.iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                append_item(resource, &plain(resource, stored), &head, &mut text);
            }
            text.extend_from_slice(b"]}");
            Ok(Answer::Text(StatusCode::OK, JSON, Body::from(text)))
        }
        Rendering::Table(include) => {
            let rows = page
                .objects
                .iter()
                .map(|stored| row(call, resource, stored, include))
                .collect();
            let mut table = table(resource, rows, page.revision, true);
            table["metadata"] = Value::Object(metadata);
            Ok(Answer::Json(StatusCode::OK, table))
        }
        Rendering::PartialMetadata => {
            let items: Vec<Value> = page.objects.iter().map(|stored| partial(stored)).collect();
            Ok(Answer::Json(
                StatusCode::OK,
                json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                       "metadata": metadata, "items": items}),
            ))
        }
    }
}

/// How the text of every object of this endpoint starts (`metadata::ordered` puts the type first).
fn type_head(resource: &Resource) -> String {
    let text = json!({"apiVersion": resource.api_version(), "kind": resource.kind}).to_string();
    format!("{},", text.trim_end_matches('}'))
}

/// Items of built-in lists have no type (trap T10).
fn append_item(resource: &Resource, item: &[u8], head: &str, text: &mut Vec<u8>) {
    match item.strip_prefix(head.as_bytes()) {
        Some(rest) if !resource.custom => {
            text.push(b'{');
            text.extend_from_slice(rest);
        }
        _ => text.extend_from_slice(item),
    }
}

/// A list of given objects (answers of deletecollection).
pub(super) fn list_of(resource: &Resource, items: Vec<Value>, revision: u64) -> Value {
    let page = Page {
        objects: Vec::new(),
        revision,
        next: None,
        remaining: None,
    };
    json!({"kind": resource.list_kind, "apiVersion": resource.api_version(),
           "metadata": list_metadata(resource, &page), "items": items})
}
