//! `ObjectMeta`: what the server owns, and what clients may not write.

use serde_json::{Map, Value, json};

use super::field_error::FieldError;
use crate::edges::{Entropy, rfc3339_seconds};
use crate::resource::hooks::NameRule;
use crate::resource::{GenerationRule, Resource};

/// Total size of annotations (`TotalAnnotationSizeLimitB`).
const MAX_ANNOTATIONS: usize = 256 * 1024;
const SUBDOMAIN_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_MESSAGE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE_MESSAGE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED_NAME_MESSAGE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Fields of the metadata that only the server writes.
const SERVER_OWNED: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
];

/// The metadata of an object, created where it is missing.
pub(crate) fn of(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let metadata = match object {
        Value::Object(object) => object.entry("metadata").or_insert_with(|| Value::Object(Map::new())),
        other => other,
    };
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    match metadata {
        Value::Object(metadata) => metadata,
        _ => unreachable!("the metadata was made an object two lines above"),
    }
}

pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object
        .get("metadata")
        .and_then(|metadata| metadata.get(field))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let list = object
        .get("metadata")
        .and_then(|metadata| metadata.get("finalizers"))
        .and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    object
        .get("metadata")
        .is_some_and(|metadata| metadata.get("deletionTimestamp").is_some())
}

/// Makes an object new: whatever the client sent in server-owned fields is replaced.
pub(crate) fn stamp_new(object: &mut Value, resource: &Resource, entropy: &Entropy, now: jiff::Timestamp) {
    let metadata = of(object);
    for field in SERVER_OWNED.iter().chain(&["resourceVersion"]) {
        metadata.shift_remove(*field);
    }
    metadata.insert("uid".to_owned(), json!(entropy.uid()));
    metadata.insert("creationTimestamp".to_owned(), json!(rfc3339_seconds(now)));
    if resource.generation != GenerationRule::None {
        metadata.insert("generation".to_owned(), json!(1));
    }
}

/// Takes server-owned fields over from the stored object.
pub(crate) fn keep_server_owned(object: &mut Value, old: &Value) {
    let previous = old.get("metadata");
    let metadata = of(object);
    for field in SERVER_OWNED.iter().chain(&["name", "namespace", "generateName"]) {
        match previous.and_then(|previous| previous.get(*field)) {
            Some(value) => {
                metadata.insert((*field).to_owned(), value.clone());
            }
            None => {
                metadata.shift_remove(*field);
            }
        }
    }
}

/// apiVersion, kind and metadata first: what people expect to read first, and what lists cut off.
pub(crate) fn ordered(value: Value, api_version: &str, kind: &str) -> Value {
    if is_ordered(&value, api_version, kind) {
        return value;
    }
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), json!(api_version));
    object.insert("kind".to_owned(), json!(kind));
    if let Value::Object(mut fields) = value {
        if let Some(metadata) = fields.shift_remove("metadata") {
            object.insert("metadata".to_owned(), metadata);
        }
        for (name, field) in fields {
            if name != "apiVersion" && name != "kind" {
                object.insert(name, field);
            }
        }
    }
    Value::Object(object)
}

fn is_ordered(value: &Value, api_version: &str, kind: &str) -> bool {
    let mut fields = value.as_object().into_iter().flatten();
    let mut next_is = |name: &str, text: Option<&str>| {
        let field = fields.next().filter(|(known, _)| *known == name);
        field.is_some_and(|(_, value)| text.is_none() || value.as_str() == text)
    };
    next_is("apiVersion", Some(api_version)) && next_is("kind", Some(kind)) && next_is("metadata", None)
}

/// Validates the metadata of an object (`ValidateObjectMeta`).
pub(crate) fn validate(object: &Value, resource: &Resource, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let metadata = object.get("metadata").and_then(Value::as_object);
    let field = |name: &str| metadata.and_then(|metadata| metadata.get(name));
    if old.is_none() {
        match field("name").and_then(Value::as_str).unwrap_or_default() {
            "" => errors.push(FieldError::required(
                "metadata.name",
                "name or generateName is required",
            )),
            name => validate_name(name, resource.hooks.name, &mut errors),
        }
    }
    for (key, value) in field("labels").and_then(Value::as_object).into_iter().flatten() {
        validate_key("metadata.labels", key, &mut errors);
        let value = value.as_str().unwrap_or_default();
        if value.len() > 63 {
            errors.push(FieldError::invalid(
                "metadata.labels",
                &json!(value),
                "must be no more than 63 bytes",
            ));
        }
        if !is_label_value(value) {
            errors.push(FieldError::invalid(
                "metadata.labels",
                &json!(value),
                LABEL_VALUE_MESSAGE,
            ));
        }
    }
    let mut size = 0;
    for (key, value) in field("annotations").and_then(Value::as_object).into_iter().flatten() {
        validate_key("metadata.annotations", &key.to_lowercase(), &mut errors);
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MAX_ANNOTATIONS {
        errors.push(FieldError::too_long(
            "metadata.annotations",
            format!("may not be more than {MAX_ANNOTATIONS} bytes"),
        ));
    }
    validate_owners(field("ownerReferences"), &mut errors);
    for (index, finalizer) in finalizers(object).into_iter().enumerate() {
        validate_key("metadata.finalizers", finalizer, &mut errors);
        if !resource.custom && !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
            errors.push(FieldError::invalid(
                format!("metadata.finalizers[{index}]"),
                &json!(finalizer),
                "name is neither a standard finalizer name nor is it fully qualified",
            ));
        }
    }
    if let Some(old) = old
        && is_deleting(old)
    {
        let known = finalizers(old);
        let new: Vec<&str> = finalizers(object)
            .into_iter()
            .filter(|finalizer| !known.contains(finalizer))
            .collect();
        if !new.is_empty() {
            let list = new
                .iter()
                .map(|finalizer| format!("{finalizer:?}"))
                .collect::<Vec<_>>()
                .join(", ");
            let error = FieldError::forbidden(
                "metadata.finalizers",
                format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
                ),
            );
            errors.extend(reported(resource, error));
        }
    }
    errors
}

/// Updates of custom resources validate their metadata twice, and say so twice.
pub(crate) fn reported(resource: &Resource, error: FieldError) -> Vec<FieldError> {
    if resource.custom {
        vec![error.clone(), error]
    } else {
        vec![error]
    }
}

fn validate_name(name: &str, rule: NameRule, errors: &mut Vec<FieldError>) {
    let legal = match rule {
        NameRule::Subdomain => (name.len() <= 253 && is_subdomain(name), SUBDOMAIN_MESSAGE),
        NameRule::Label => (name.len() <= 63 && is_label(name), LABEL_MESSAGE),
        NameRule::PathSegment => (
            !name.contains(['/', '%']) && name != "." && name != "..",
            "may not contain '/' or '%'",
        ),
    };
    if let (false, message) = legal {
        errors.push(FieldError::invalid("metadata.name", &json!(name), message));
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label_value(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    edge(text.bytes().next())
        && edge(text.bytes().last())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn validate_key(field: &str, key: &str, errors: &mut Vec<FieldError>) {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix
        && (prefix.is_empty() || !is_subdomain(prefix))
    {
        errors.push(FieldError::invalid(
            field,
            &json!(key),
            format!("prefix part {SUBDOMAIN_MESSAGE}"),
        ));
    }
    if name.is_empty() {
        errors.push(FieldError::invalid(field, &json!(key), "name part must be non-empty"));
    } else if name.len() > 63 {
        errors.push(FieldError::invalid(
            field,
            &json!(key),
            "name part must be no more than 63 bytes",
        ));
    }
    if !name.is_empty() && !is_label_value(name) {
        errors.push(FieldError::invalid(field, &json!(key), QUALIFIED_NAME_MESSAGE));
    }
}

fn validate_owners(owners: Option<&Value>, errors: &mut Vec<FieldError>) {
    let mut controllers = Vec::new();
    for owner in owners.and_then(Value::as_array).into_iter().flatten() {
        let path = "metadata.ownerReferences";
        for (field, detail) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if owner.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
                errors.push(FieldError::invalid(format!("{path}.{field}"), &json!(""), detail));
            }
        }
        if owner.get("controller").and_then(Value::as_bool) == Some(true) {
            let text = |name: &str| owner.get(name).and_then(Value::as_str).unwrap_or_default();
            controllers.push(format!("{}/{}", text("kind"), text("name")));
        }
    }
    if controllers.len() > 1 {
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            controllers[0], controllers[1]
        );
        errors.push(FieldError::invalid(
            "metadata.ownerReferences",
            owners.unwrap_or(&Value::Null),
            detail,
        ));
    }
}

/// What the server itself, or the garbage collector, works off.
const STANDARD_FINALIZERS: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

/// Finalizers outside of a domain are legal for custom resources, but frowned upon.
pub(crate) fn finalizer_warnings(object: &Value) -> Vec<String> {
    finalizers(object)
        .into_iter()
        .filter(|finalizer| {
            !finalizer.contains('/') && !finalizer.contains('.') && !STANDARD_FINALIZERS.contains(finalizer)
        })
        .map(|finalizer| {
            format!(
                "metadata.finalizers: {finalizer:?}: prefer a domain-qualified finalizer name to \
                 avoid accidental conflicts with other finalizer writers"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values() {
        assert!(is_subdomain("a.b-c.d1"));
        assert!(!is_subdomain("a..b"));
        assert!(!is_subdomain("A"));
        assert!(is_label_value("") && is_label_value("a_b.C-1") && !is_label_value("-a"));
        let mut errors = Vec::new();
        validate_key("metadata.labels", "ex.io/name", &mut errors);
        validate_key("metadata.labels", "plain", &mut errors);
        assert_eq!(errors, vec![]);
        validate_key("metadata.labels", "bad key", &mut errors);
        validate_key("metadata.labels", "/x", &mut errors);
        assert_eq!(errors.len(), 2);
    }
}
