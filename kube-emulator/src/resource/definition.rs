//! From a CustomResourceDefinition to the resources it serves.

use std::sync::Arc;

use serde_json::{Value, json};

use super::builtin::with_type_and_metadata;
use super::columns::{Cell, Column};
use super::hooks::Hooks;
use super::json_path::JsonPath;
use super::{GenerationRule, Resource, ScalePaths, Shape, group_version};
use crate::api::field_error::FieldError;
use crate::schema::{self, JsonType, SchemaError};
use crate::store::StorageId;

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];

/// Every served version of a definition, or what is wrong with it. `metadata` is the schema of ObjectMeta.
pub(crate) fn resources(definition: &Value, metadata: &Value) -> Result<Vec<Resource>, Vec<FieldError>> {
    let spec = &definition["spec"];
    let mut errors = Vec::new();
    let mut resources = Vec::new();
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let storage_version = versions
        .iter()
        .find(|version| flag(version, "storage"))
        .map(|version| text(version, "name"));
    for (index, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        match resource(
            definition,
            version,
            storage_version.unwrap_or_default(),
            metadata,
            &path,
        ) {
            Ok(resource) if flag(version, "served") => resources.push(resource),
            Ok(_) => {}
            Err(mistakes) => errors.extend(mistakes),
        }
    }
    if errors.is_empty() { Ok(resources) } else { Err(errors) }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn list(value: &Value, name: &str) -> Vec<String> {
    let list = value.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn resource(
    definition: &Value,
    version: &Value,
    storage_version: &str,
    metadata: &Value,
    path: &str,
) -> Result<Resource, Vec<FieldError>> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let (group, version_name) = (text(spec, "group").to_owned(), text(version, "name").to_owned());
    let schema_path = format!("{path}.schema.openAPIV3Schema");
    let Some(own) = version.pointer("/schema/openAPIV3Schema") else {
        return Err(vec![FieldError::required(schema_path, "schemas are required")]);
    };
    let mut errors = Vec::new();
    // The schema is judged as it was written, and used with the metadata every object has.
    match schema::parse_definition(own) {
        Ok(schema) if schema.json_type != Some(JsonType::Object) => {
            let found = Value::from(schema.json_type.map_or("", JsonType::name));
            errors.push(FieldError::invalid(
                format!("{schema_path}.type"),
                &found,
                "must be object at the root",
            ));
        }
        Ok(schema) => check_defaults(&schema, &schema_path, &mut errors),
        Err(mistakes) => errors.extend(mistakes.into_iter().map(|mistake| field_error(&schema_path, mistake))),
    }
    let named = own
        .pointer("/properties/metadata/properties")
        .and_then(Value::as_object);
    if named.is_some_and(|named| named.keys().any(|name| name != "name" && name != "generateName")) {
        errors.push(FieldError::forbidden(
            format!("{schema_path}.properties[metadata]"),
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        ));
    }
    let openapi = with_type_and_metadata(own.clone(), metadata.clone());
    let subresources = version
        .get("subresources")
        .filter(|subresources| !subresources.is_null());
    let status =
        subresources.is_some_and(|subresources| subresources.get("status").is_some_and(|status| !status.is_null()));
    let scale = subresources
        .and_then(|subresources| subresources.get("scale"))
        .filter(|scale| scale.is_object());
    let columns = columns(version, path, &mut errors);
    let selectable_fields = selectable_fields(version, path, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let schema = schema::parse(&openapi).map_err(|mistakes| {
        mistakes
            .into_iter()
            .map(|mistake| field_error(&schema_path, mistake))
            .collect::<Vec<_>>()
    })?;
    let deprecation =
        flag(version, "deprecated").then(|| match version.get("deprecationWarning").and_then(Value::as_str) {
            Some(warning) => warning.to_owned(),
            None => format!("{group}/{version_name} {} is deprecated", text(names, "kind")),
        });
    Ok(Resource {
        plural: text(names, "plural").to_owned(),
        singular: text(names, "singular").to_owned(),
        kind: text(names, "kind").to_owned(),
        list_kind: text(names, "listKind").to_owned(),
        short_names: list(names, "shortNames"),
        categories: list(names, "categories"),
        namespaced: text(spec, "scope") == "Namespaced",
        custom: true,
        storage: StorageId::new(&group, text(names, "plural")),
        storage_version: group_version(&group, storage_version),
        shape: Shape::Stored,
        schema: Arc::new(schema),
        openapi: Arc::new(openapi),
        status,
        scale: scale.map(|scale| ScalePaths {
            spec_replicas: text(scale, "specReplicasPath").to_owned(),
            status_replicas: text(scale, "statusReplicasPath").to_owned(),
            selector: scale
                .get("labelSelectorPath")
                .and_then(Value::as_str)
                .map(str::to_owned),
        }),
        generation: if status {
            GenerationRule::SpecChange
        } else {
            GenerationRule::AnyChange
        },
        create_on_update: false,
        unconditional_update: false,
        columns,
        selectable_fields,
        deprecation,
        terminating: definition["metadata"].get("deletionTimestamp").is_some(),
        hooks: Hooks::NONE,
        group,
        version: version_name,
    })
}

fn field_error(base: &str, mistake: SchemaError) -> FieldError {
    let path = format!("{base}.{}", mistake.path);
    match mistake.value {
        _ if mistake.required => FieldError::required(path, mistake.message),
        Some(value) => FieldError::invalid(path, &json!(value), mistake.message),
        None => FieldError::forbidden(path, mistake.message),
    }
}

/// Defaults must be values of their own schema.
fn check_defaults(node: &schema::Schema, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(default) = &node.default {
        let mut mistakes = Vec::new();
        schema::validate(node, default, None, &mut mistakes);
        for error in mistakes {
            let field = if error.field.is_empty() {
                format!("{path}.default")
            } else {
                format!("{path}.default.{}", error.field)
            };
            errors.push(FieldError::invalid(field, default, error.message()));
        }
    }
    for (name, child) in &node.properties {
        check_defaults(child, &format!("{path}.properties[{name}]"), errors);
    }
    if let Some(child) = &node.items {
        check_defaults(child, &format!("{path}.items"), errors);
    }
    if let Some(child) = &node.additional {
        check_defaults(child, &format!("{path}.additionalProperties"), errors);
    }
}

fn columns(version: &Value, path: &str, errors: &mut Vec<FieldError>) -> Vec<Column> {
    let mut columns = vec![Column::name()];
    let Some(declared) = version
        .get("additionalPrinterColumns")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
    else {
        columns.push(Column::created());
        return columns;
    };
    for (index, column) in declared.iter().enumerate() {
        let path = format!("{path}.additionalPrinterColumns[{index}]");
        let column_type = text(column, "type");
        if text(column, "name").is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
        if column_type.is_empty() {
            errors.push(FieldError::required(
                format!("{path}.type"),
                format!("must be one of {}", COLUMN_TYPES.join(",")),
            ));
        } else if !COLUMN_TYPES.contains(&column_type) {
            let detail = format!("must be one of {}", COLUMN_TYPES.join(","));
            errors.push(FieldError::invalid(format!("{path}.type"), &json!(column_type), detail));
        }
        match JsonPath::parse(text(column, "jsonPath")) {
            Ok(json_path) => columns.push(Column {
                format: text(column, "format").to_owned(),
                description: match text(column, "description") {
                    "" => format!(
                        "Custom resource definition column (in JSONPath format): {}",
                        text(column, "jsonPath")
                    ),
                    description => description.to_owned(),
                },
                priority: column.get("priority").and_then(Value::as_i64).unwrap_or(0),
                ..Column::new(text(column, "name"), column_type, Cell::Path(json_path))
            }),
            Err(error) => {
                let value = json!(text(column, "jsonPath"));
                errors.push(FieldError::invalid(format!("{path}.jsonPath"), &value, error));
            }
        }
    }
    columns
}

fn selectable_fields(version: &Value, path: &str, errors: &mut Vec<FieldError>) -> Vec<String> {
    let declared = version.get("selectableFields").and_then(Value::as_array);
    let mut fields = Vec::new();
    for (index, field) in declared.into_iter().flatten().enumerate() {
        let json_path = text(field, "jsonPath");
        match JsonPath::parse(json_path).map(|path| path.keys().map(|keys| keys.join("."))) {
            Ok(Some(field)) if !field.is_empty() => fields.push(field),
            _ => errors.push(FieldError::invalid(
                format!("{path}.selectableFields[{index}].jsonPath"),
                &json!(json_path),
                "must be a simple path",
            )),
        }
    }
    fields
}
