//! An object with its kind, and what of it counts.

use std::collections::BTreeMap;
use std::fmt;

use kube::api::{Api, ApiResource, DynamicObject};
use kube::{Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::uids;

/// A kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    pub resource: ApiResource,
    pub namespaced: bool,
    /// Whether the status is a part of its own.
    pub has_status: bool,
}

/// The name of an object among all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

/// An object of the source.
#[derive(Clone, Debug)]
pub struct Item {
    pub kind: Kind,
    pub key: Key,
    pub object: DynamicObject,
}

impl Item {
    pub fn new(kind: &Kind, object: DynamicObject) -> Self {
        let key = Key {
            kind: kind.resource.kind.clone(),
            namespace: object.namespace(),
            name: object.name_any(),
        };
        Self {
            kind: kind.clone(),
            key,
            object,
        }
    }

    pub fn uid(&self) -> Option<&str> {
        self.object.metadata.uid.as_deref()
    }

    pub fn api(&self, client: &Client) -> Api<DynamicObject> {
        api(client, &self.kind, self.key.namespace.as_deref())
    }
}

pub fn api(client: &Client, kind: &Kind, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind.resource),
        None => Api::all_with(client.clone(), &kind.resource),
    }
}

/// What of the object is somebody's will or knowledge; the rest, each API server makes up itself. With every UID that `names` knows replaced.
pub fn essence(object: &DynamicObject, names: &BTreeMap<String, String>) -> Map<String, Value> {
    let metadata = &object.metadata;
    let mut essence = Map::new();
    let mut kept = json!({ "name": metadata.name });
    let owners = serde_json::to_value(&metadata.owner_references).unwrap_or_default();
    for (field, value) in [
        ("namespace", json!(metadata.namespace)),
        ("labels", json!(metadata.labels)),
        ("annotations", json!(metadata.annotations)),
        ("finalizers", json!(metadata.finalizers)),
        ("ownerReferences", owners),
    ] {
        let empty = value.is_null()
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(Map::is_empty);
        if !empty {
            kept[field] = value;
        }
    }
    essence.insert("metadata".to_owned(), uids::rewrite(&kept, names));
    for (field, value) in object.data.as_object().into_iter().flatten() {
        essence.insert(field.clone(), uids::rewrite(value, names));
    }
    essence
}
