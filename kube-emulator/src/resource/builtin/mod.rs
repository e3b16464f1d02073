//! The built-in kinds, as a table.

mod configuration;
mod lease;
mod namespace;
mod roles;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::columns::{Cell, Column};
use super::hooks::Hooks;
use super::{GenerationRule, Resource, Shape, events, install};
use crate::schema::{self, Schema};
use crate::store::StorageId;

const SCHEMAS: &str = include_str!("schemas.yaml");

/// The schema documents, read once per server.
pub(crate) struct Documents(Value);

impl Documents {
    /// The documents are part of the program, so a mistake in them is a bug and stops it.
    pub(crate) fn load() -> Self {
        match serde_saphyr::from_str::<Value>(SCHEMAS) {
            Ok(mut documents) => {
                let originals = documents.clone();
                resolve(&mut documents, &originals);
                Self(documents)
            }
            Err(error) => panic!("resource/builtin/schemas.yaml does not parse: {error}"),
        }
    }

    /// A document by name.
    pub(crate) fn get(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_else(|| json!({"type": "object"}))
    }

    /// A kind's document with apiVersion, kind and metadata.
    pub(crate) fn kind(&self, name: &str) -> Value {
        with_type_and_metadata(self.get(name), self.get("ObjectMeta"))
    }
}

/// Replaces `{$ref: Name}` by the named document.
fn resolve(node: &mut Value, documents: &Value) {
    match node {
        Value::Object(object) => {
            if let Some(Value::String(name)) = object.get("$ref") {
                *node = documents.get(name).cloned().unwrap_or(Value::Null);
                return;
            }
            for child in object.values_mut() {
                resolve(child, documents);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|child| resolve(child, documents)),
        _ => {}
    }
}

/// Puts apiVersion, kind and the full ObjectMeta in front of a kind's own properties.
pub(crate) fn with_type_and_metadata(mut document: Value, metadata: Value) -> Value {
    let mut properties = Map::new();
    properties.insert(
        "apiVersion".to_owned(),
        json!({"type": "string", "description": "Version of the schema this object is written in."}),
    );
    properties.insert(
        "kind".to_owned(),
        json!({"type": "string", "description": "Kind of the object."}),
    );
    properties.insert("metadata".to_owned(), metadata);
    if let Some(document) = document.as_object_mut() {
        if let Some(Value::Object(own)) = document.get("properties") {
            for (name, schema) in own {
                if !properties.contains_key(name) {
                    properties.insert(name.clone(), schema.clone());
                }
            }
        }
        document.insert("properties".to_owned(), Value::Object(properties));
    }
    document
}

/// One line of the table of built-ins.
struct Line {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
    document: &'static str,
    status: bool,
    generation: GenerationRule,
    create_on_update: bool,
    unconditional_update: bool,
    fields: &'static [&'static str],
    shape: Shape,
    hooks: Hooks,
    columns: Vec<Column>,
}

impl Line {
    fn new(group: &'static str, plural: &'static str, kind: &'static str, document: &'static str) -> Self {
        Self {
            group,
            version: "v1",
            plural,
            kind,
            short_names: &[],
            namespaced: true,
            document,
            status: false,
            generation: GenerationRule::None,
            create_on_update: false,
            unconditional_update: true,
            fields: &[],
            shape: Shape::Stored,
            hooks: Hooks::default(),
            columns: Vec::new(),
        }
    }
}

fn lines() -> Vec<Line> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    vec![
        Line {
            short_names: &["ns"],
            namespaced: false,
            status: true,
            fields: &["status.phase"],
            hooks: namespace::HOOKS,
            columns: vec![Column::new("Status", "string", Cell::path(".status.phase"))],
            ..Line::new("", "namespaces", "Namespace", "Namespace")
        },
        Line {
            fields: &["type"],
            hooks: configuration::SECRET,
            columns: vec![
                Column::new("Type", "string", Cell::path(".type")),
                Column::new("Data", "string", Cell::Count(&["data"])),
            ],
            ..Line::new("", "secrets", "Secret", "Secret")
        },
        Line {
            short_names: &["cm"],
            hooks: configuration::CONFIG_MAP,
            columns: vec![Column::new("Data", "string", Cell::Count(&["data", "binaryData"]))],
            ..Line::new("", "configmaps", "ConfigMap", "ConfigMap")
        },
        Line {
            short_names: &["sa"],
            columns: vec![Column::new("Secrets", "string", Cell::Count(&["secrets"]))],
            ..Line::new("", "serviceaccounts", "ServiceAccount", "ServiceAccount")
        },
        Line {
            short_names: &["ev"],
            create_on_update: true,
            fields: events::CORE_FIELDS,
            hooks: events::CORE,
            columns: events::columns(),
            ..Line::new("", "events", "Event", "Event")
        },
        Line {
            short_names: &["ev"],
            create_on_update: true,
            fields: events::NEW_FIELDS,
            shape: Shape::NewEvent,
            hooks: events::NEW,
            columns: events::columns(),
            ..Line::new("events.k8s.io", "events", "Event", "NewEvent")
        },
        Line {
            create_on_update: true,
            unconditional_update: false,
            hooks: lease::HOOKS,
            columns: vec![Column::new("Holder", "string", Cell::path(".spec.holderIdentity"))],
            ..Line::new("coordination.k8s.io", "leases", "Lease", "Lease")
        },
        Line {
            short_names: &["crd", "crds"],
            namespaced: false,
            status: true,
            generation: GenerationRule::SpecChange,
            hooks: install::HOOKS,
            columns: vec![Column::new("Created At", "date", Cell::path(".metadata.creationTimestamp")).verbatim()],
            ..Line::new(
                "apiextensions.k8s.io",
                "customresourcedefinitions",
                "CustomResourceDefinition",
                "CustomResourceDefinition",
            )
        },
        Line {
            create_on_update: true,
            hooks: roles::ROLE,
            ..Line::new(RBAC, "roles", "Role", "Role")
        },
        Line {
            create_on_update: true,
            hooks: roles::BINDING,
            ..Line::new(RBAC, "rolebindings", "RoleBinding", "RoleBinding")
        },
        Line {
            create_on_update: true,
            hooks: roles::ROLE,
            namespaced: false,
            ..Line::new(RBAC, "clusterroles", "ClusterRole", "ClusterRole")
        },
        Line {
            create_on_update: true,
            hooks: roles::BINDING,
            namespaced: false,
            ..Line::new(RBAC, "clusterrolebindings", "ClusterRoleBinding", "RoleBinding")
        },
        Line {
            short_names: &["deploy"],
            status: true,
            generation: GenerationRule::SpecChange,
            ..Line::new("apps", "deployments", "Deployment", "Workload")
        },
        Line {
            short_names: &["svc"],
            status: true,
            create_on_update: true,
            ..Line::new("", "services", "Service", "Workload")
        },
        Line {
            short_names: &["quota"],
            status: true,
            ..Line::new("", "resourcequotas", "ResourceQuota", "Workload")
        },
        Line {
            short_names: &["limits"],
            ..Line::new("", "limitranges", "LimitRange", "Workload")
        },
        Line {
            short_names: &["po"],
            status: true,
            fields: &["spec.nodeName", "status.phase"],
            columns: vec![Column::new("Status", "string", Cell::path(".status.phase"))],
            ..Line::new("", "pods", "Pod", "Workload")
        },
        Line {
            short_names: &["no"],
            namespaced: false,
            status: true,
            ..Line::new("", "nodes", "Node", "Workload")
        },
    ]
}

/// All built-in resources.
pub(crate) fn resources(documents: &Documents) -> Vec<Resource> {
    lines().into_iter().map(|line| resource(line, documents)).collect()
}

fn resource(line: Line, documents: &Documents) -> Resource {
    let document = documents.kind(line.document);
    let schema = compile(&document, line.kind);
    let singular = line.kind.to_lowercase();
    // CRDs show when they were created, events when they were last seen; every other kind its age.
    let mut columns = line.columns;
    if !matches!(line.plural, "customresourcedefinitions" | "events") {
        columns.push(Column::age());
    }
    if line.plural != "events" {
        columns.insert(0, Column::name());
    }
    let storage_group = if line.shape == Shape::NewEvent { "" } else { line.group };
    Resource {
        group: line.group.to_owned(),
        version: line.version.to_owned(),
        plural: line.plural.to_owned(),
        singular,
        kind: line.kind.to_owned(),
        list_kind: format!("{}List", line.kind),
        short_names: line.short_names.iter().map(|&name| name.to_owned()).collect(),
        categories: match line.plural {
            "customresourcedefinitions" => vec!["api-extensions".to_owned()],
            "deployments" | "services" | "pods" => vec!["all".to_owned()],
            _ => Vec::new(),
        },
        namespaced: line.namespaced,
        custom: false,
        storage: StorageId::new(storage_group, line.plural),
        storage_version: super::group_version(storage_group, line.version),
        shape: line.shape,
        schema: Arc::new(schema),
        openapi: Arc::new(document),
        status: line.status,
        scale: None,
        generation: line.generation,
        create_on_update: line.create_on_update,
        unconditional_update: line.unconditional_update,
        columns,
        selectable_fields: line.fields.iter().map(|&field| field.to_owned()).collect(),
        deprecation: None,
        terminating: false,
        hooks: line.hooks,
    }
}

fn compile(document: &Value, kind: &str) -> Schema {
    match schema::parse(document) {
        Ok(schema) => schema,
        Err(errors) => panic!("the built-in schema of {kind} is wrong: {errors:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_kind_compiles() {
        let resources = resources(&Documents::load());
        assert!(
            resources
                .iter()
                .any(|resource| resource.kind == "Lease" && !resource.unconditional_update)
        );
        let secret = resources
            .iter()
            .find(|resource| resource.kind == "Secret")
            .map(|resource| &resource.schema);
        assert!(secret.is_some_and(|schema| schema.properties.contains_key("stringData")));
    }
}
