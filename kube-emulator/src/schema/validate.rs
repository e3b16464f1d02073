//! Schema validation with the real server's causes and sentences, including ratcheting: on updates a value that did not
//! change is not judged again (kube-semantics §1.5).

use serde_json::{Number, Value};

use super::formats::matches_format;
use super::{JsonType, ListKind, Place, Schema, cel, correlate, item_key, same_as, same_item};
use crate::api::field_error::{Fault, FieldError};

/// Validates an object; `old` is what it was before an update. `errors` are what is known to be wrong with it already,
/// in its metadata for example: CEL rules are not run on an object that is structurally wrong anywhere.
pub(crate) fn validate(schema: &Schema, value: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    check(schema, value, old, &Place::Root, errors);
    check_lists(schema, value, &Place::Root, errors);
    let blocked = errors.iter().any(|error| {
        matches!(
            error.fault,
            Fault::NotSupported | Fault::Required | Fault::TooLong | Fault::TooMany | Fault::TypeInvalid
        )
    });
    if !blocked {
        cel::check_rules(schema, value, old, errors);
    } else if schema.has_rules {
        errors.push(unchecked_rules());
    }
}

/// Only the nulls: fields that are null and may not be.
pub(crate) fn validate_nulls(schema: &Schema, value: &Value, errors: &mut Vec<FieldError>) {
    check_nulls(schema, value, &Place::Root, errors);
    if !errors.is_empty() && schema.has_rules {
        errors.push(unchecked_rules());
    }
}

fn check_nulls(schema: &Schema, value: &Value, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Null if !schema.nullable && schema.json_type.is_some() => push_type_error(schema, value, place, errors),
        Value::Object(object) => {
            for (name, child) in object {
                if let Some(field) = schema.field(name) {
                    check_nulls(field, child, &Place::Field(place, name), errors);
                }
            }
        }
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                if let Some(items) = &schema.items {
                    check_nulls(items, item, &Place::Item(place, index), errors);
                }
            }
        }
        _ => {}
    }
}

/// Goes with errors that keep CEL rules from being run.
fn unchecked_rules() -> FieldError {
    FieldError::invalid(
        "<nil>",
        &Value::Null,
        "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    )
}

fn check(schema: &Schema, value: &Value, old: Option<&Value>, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    if same_as(value, old) {
        return;
    }
    if value.is_null() {
        if !schema.nullable && !schema.preserve_unknown && (schema.json_type.is_some() || schema.int_or_string) {
            push_type_error(schema, value, place, errors);
        }
        return;
    }
    if !has_type(schema, value) {
        push_type_error(schema, value, place, errors);
        return;
    }
    check_value(schema, value, place, errors);
    match value {
        Value::Object(object) => {
            if schema.embedded_resource {
                for name in ["apiVersion", "kind"] {
                    if object.get(name).and_then(Value::as_str).unwrap_or_default().is_empty() {
                        errors.push(FieldError::required(Place::Field(place, name), ""));
                    }
                }
            }
            for name in &schema.required {
                let field = schema.properties.get(name);
                let present = object
                    .get(name)
                    .is_some_and(|value| !value.is_null() || field.is_some_and(|field| field.nullable));
                if !present {
                    errors.push(FieldError::required(Place::Field(place, name), ""));
                }
            }
            for (name, child) in object {
                let Some(field) = schema.field(name) else { continue };
                let old = old.and_then(|old| old.get(name));
                if child.is_null() && schema.required.contains(name) && !field.nullable {
                    continue;
                }
                check(field, child, old, &Place::Field(place, name), errors);
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (index, item) in list.iter().enumerate() {
                    check(
                        items,
                        item,
                        correlate(schema, item, old),
                        &Place::Item(place, index),
                        errors,
                    );
                }
            }
        }
        _ => {}
    }
}

fn has_type(schema: &Schema, value: &Value) -> bool {
    if schema.int_or_string {
        return value.is_string() || is_integer(value);
    }
    match schema.json_type {
        None => true,
        Some(JsonType::Object) => value.is_object(),
        Some(JsonType::Array) => value.is_array(),
        Some(JsonType::String) => value.is_string(),
        Some(JsonType::Boolean) => value.is_boolean(),
        Some(JsonType::Number) => value.is_number(),
        Some(JsonType::Integer) => is_integer(value),
    }
}

fn is_integer(value: &Value) -> bool {
    value.as_number().is_some_and(|number| {
        number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
    })
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_integer(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn push_type_error(schema: &Schema, value: &Value, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    let wanted = if schema.int_or_string {
        "integer,string"
    } else {
        schema.json_type.map_or("object", JsonType::name)
    };
    let found = type_name(value);
    let detail = format!("{place} in body must be of type {wanted}: {found:?}");
    errors.push(FieldError::type_invalid(place, &Value::from(found), detail));
}

fn check_value(schema: &Schema, value: &Value, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    let invalid = |what: String| FieldError::invalid(place, value, format!("{place} in body {what}"));
    if let Some(allowed) = &schema.enumeration
        && !allowed.contains(value)
    {
        let names: Vec<String> = allowed.iter().map(plain).collect();
        errors.push(FieldError::not_supported(
            place,
            value,
            names.iter().map(String::as_str),
        ));
    }
    let limits = &schema.limits;
    match value {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if let Some(most) = limits.max_length.filter(|most| length > *most) {
                errors.push(FieldError::too_long(
                    place,
                    format!("may not be more than {most} bytes"),
                ));
            }
            if let Some(least) = limits.min_length.filter(|least| length < *least) {
                errors.push(invalid(format!("should be at least {least} chars long")));
            }
            if let Some(pattern) = limits.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
                errors.push(invalid(format!("should match '{pattern}'")));
            }
            if let Some(format) = schema.format.as_ref().filter(|format| !matches_format(format, text)) {
                let detail = format!("{place} in body must be of type {format}: {text:?}");
                errors.push(FieldError::type_invalid(place, value, detail));
            }
        }
        Value::Number(number) => check_number(schema, number, &invalid, errors),
        Value::Array(list) => {
            let count = list.len();
            if let Some(most) = limits.max_items.filter(|most| count as u64 > *most) {
                errors.push(FieldError::too_many(place, count, most));
            }
            if let Some(least) = limits.min_items.filter(|least| (count as u64) < *least) {
                errors.push(invalid(format!("should have at least {least} items")));
            }
        }
        Value::Object(object) => {
            let count = object.len();
            if let Some(most) = limits.max_properties.filter(|most| count as u64 > *most) {
                errors.push(FieldError::too_many(place, count, most));
            }
            if let Some(least) = limits.min_properties.filter(|least| (count as u64) < *least) {
                errors.push(invalid(format!("should have at least {least} properties")));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    check_junctors(schema, value, place, errors);
}

fn check_number(
    schema: &Schema,
    number: &Number,
    invalid: &impl Fn(String) -> FieldError,
    errors: &mut Vec<FieldError>,
) {
    let limits = &schema.limits;
    let Some(float) = number.as_f64() else { return };
    let as_float = |bound: &Number| bound.as_f64().unwrap_or_default();
    if let Some(bound) = &limits.minimum {
        if limits.exclusive_minimum && float <= as_float(bound) {
            errors.push(invalid(format!("should be greater than {bound}")));
        } else if float < as_float(bound) {
            errors.push(invalid(format!("should be greater than or equal to {bound}")));
        }
    }
    if let Some(bound) = &limits.maximum {
        if limits.exclusive_maximum && float >= as_float(bound) {
            errors.push(invalid(format!("should be less than {bound}")));
        } else if float > as_float(bound) {
            errors.push(invalid(format!("should be less than or equal to {bound}")));
        }
    }
    if let Some(factor) = &limits.multiple_of
        && (float / as_float(factor)).fract() != 0.0
    {
        errors.push(invalid(format!("should be a multiple of {factor}")));
    }
    let range = match schema.format.as_deref() {
        Some("int32") => Some((f64::from(i32::MIN), f64::from(i32::MAX), "int32")),
        _ => None,
    };
    if let Some((low, high, name)) = range
        && !(low..=high).contains(&float)
    {
        errors.push(invalid(format!("must be a valid {name} number")));
    }
}

fn check_junctors(schema: &Schema, value: &Value, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    let passes = |branch: &Schema| {
        let mut found = Vec::new();
        check_branch(branch, value, place, &mut found);
        found
    };
    for branch in &schema.all_of {
        errors.extend(passes(branch));
    }
    if !schema.any_of.is_empty() && !schema.any_of.iter().any(|branch| passes(branch).is_empty()) {
        errors.push(FieldError::invalid(
            place,
            value,
            format!("{place} in body must validate at least one schema (anyOf)"),
        ));
    }
    if !schema.one_of.is_empty() {
        let valid = schema.one_of.iter().filter(|branch| passes(branch).is_empty()).count();
        if valid != 1 {
            let found = if valid == 0 {
                "none valid".to_owned()
            } else {
                format!("{valid} valid alternatives")
            };
            let detail = format!("{place} in body must validate one and only one schema (oneOf). Found {found}");
            errors.push(FieldError::invalid(place, value, detail));
        }
    }
    if let Some(not) = &schema.not
        && passes(not).is_empty()
    {
        errors.push(FieldError::invalid(
            place,
            value,
            format!("{place} in body must not validate the schema (not)"),
        ));
    }
}

/// A branch of a junctor judges values only: it has no types of its own unless it names them.
fn check_branch(branch: &Schema, value: &Value, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    check(branch, value, None, place, errors);
}

/// Uniqueness in sets and map lists. Not ratcheted.
fn check_lists(schema: &Schema, value: &Value, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(object) => {
            for (name, child) in object {
                if let Some(field) = schema.field(name) {
                    check_lists(field, child, &Place::Field(place, name), errors);
                }
            }
        }
        Value::Array(list) => {
            match &schema.list {
                ListKind::Atomic => {}
                ListKind::Set => {
                    for (index, item) in list.iter().enumerate() {
                        if list[..index].contains(item) {
                            errors.push(FieldError::duplicate(Place::Item(place, index), item));
                        }
                    }
                }
                ListKind::Map(keys) => {
                    let items = schema.items.as_deref();
                    for (index, item) in list.iter().enumerate() {
                        if list[..index]
                            .iter()
                            .any(|earlier| same_item(earlier, item, keys, items))
                        {
                            let identity = Value::Object(item_key(item, keys, items).into_iter().collect());
                            errors.push(FieldError::duplicate(Place::Item(place, index), &identity));
                        }
                    }
                }
            }
            if let Some(items) = &schema.items {
                for (index, item) in list.iter().enumerate() {
                    check_lists(items, item, &Place::Item(place, index), errors);
                }
            }
        }
        _ => {}
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parse;
    use super::*;

    fn messages(schema: &Schema, value: &Value, old: Option<&Value>) -> Vec<String> {
        let mut errors = Vec::new();
        validate(schema, value, old, &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    fn widget() -> Schema {
        parse(&json!({"type": "object", "required": ["spec"], "properties": {"spec": {
            "type": "object", "required": ["name"],
            "x-kubernetes-validations": [
                {"rule": "!has(self.max) || self.size <= self.max", "message": "size must be <= max"},
                {"rule": "!has(oldSelf.mac) || (has(self.mac) && self.mac == oldSelf.mac)",
                 "message": "mac is immutable", "reason": "FieldValueForbidden", "fieldPath": ".mac"},
            ],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 5},
                "size": {"type": "integer", "minimum": 0, "maximum": 10},
                "max": {"type": "integer"},
                "color": {"type": "string", "enum": ["red", "green"]},
                "code": {"type": "string", "pattern": "^[a-z]+$"},
                "mac": {"type": "string"},
                "at": {"type": "string", "format": "date-time"},
                "port": {"x-kubernetes-int-or-string": true},
                "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
                    "items": {"type": "object", "required": ["id"], "properties": {
                        "id": {"type": "string"},
                        "serial": {"type": "string", "x-kubernetes-validations": [
                            {"rule": "self == oldSelf", "message": "serial is immutable"}]},
                    }}},
            },
        }}}))
        .unwrap()
    }

    fn spec(fields: Value) -> Value {
        let mut spec = json!({"name": "a"});
        spec.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        json!({"spec": spec})
    }

    #[test]
    fn messages_are_those_of_the_server() {
        let nil = "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; \
                   correct the existing errors to complete validation";
        let table: Vec<(Value, Vec<&str>)> = vec![
            (spec(json!({})), vec![]),
            (json!({}), vec!["spec: Required value", nil]),
            (json!({"spec": {"name": null}}), vec!["spec.name: Required value", nil]),
            (
                spec(json!({"size": -1})),
                vec!["spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0"],
            ),
            (
                spec(json!({"size": "x"})),
                vec![
                    "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
                    nil,
                ],
            ),
            (
                spec(json!({"color": "blue"})),
                vec![
                    "spec.color: Unsupported value: \"blue\": supported values: \"red\", \"green\"",
                    nil,
                ],
            ),
            (
                spec(json!({"code": "A"})),
                vec!["spec.code: Invalid value: \"A\": spec.code in body should match '^[a-z]+$'"],
            ),
            (
                spec(json!({"name": "abcdef"})),
                vec!["spec.name: Too long: may not be more than 5 bytes", nil],
            ),
            (
                spec(json!({"at": "now"})),
                vec![
                    "spec.at: Invalid value: \"now\": spec.at in body must be of type date-time: \"now\"",
                    nil,
                ],
            ),
            (
                spec(json!({"port": true})),
                vec![
                    "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"",
                    nil,
                ],
            ),
            (
                spec(json!({"tags": ["a", "a"]})),
                vec!["spec.tags[1]: Duplicate value: \"a\""],
            ),
            (
                spec(json!({"tags": ["a", "b", "c"]})),
                vec!["spec.tags: Too many: 3: must have at most 2 items", nil],
            ),
            (
                spec(json!({"parts": [{"id": "1"}, {"id": "1"}]})),
                vec!["spec.parts[1]: Duplicate value: {\"id\":\"1\"}"],
            ),
            (
                spec(json!({"size": 5, "max": 4})),
                vec!["spec: Invalid value: \"object\": size must be <= max"],
            ),
        ];
        let schema = widget();
        for (value, expected) in table {
            let errors = messages(&schema, &value, None);
            assert_eq!(errors, expected, "{value}");
        }
    }

    #[test]
    fn transition_rules_follow_map_keys_and_reasons() {
        let schema = widget();
        let old = spec(json!({"mac": "m", "parts": [{"id": "1", "serial": "a"}, {"id": "2", "serial": "b"}]}));
        let reordered = spec(json!({"mac": "m", "parts": [{"id": "2", "serial": "b"}, {"id": "1", "serial": "a"}]}));
        assert_eq!(messages(&schema, &reordered, Some(&old)), Vec::<String>::new());
        let swapped = spec(json!({"mac": "n", "parts": [{"id": "2", "serial": "a"}, {"id": "3", "serial": "c"}]}));
        let errors = messages(&schema, &swapped, Some(&old));
        assert_eq!(
            errors,
            [
                "spec.mac: Forbidden: mac is immutable",
                "spec.parts[0].serial: Invalid value: \"string\": serial is immutable"
            ]
        );
    }

    #[test]
    fn unchanged_values_are_not_judged_again() {
        let schema = widget();
        let old = spec(json!({"color": "blue", "size": 20, "max": 1}));
        let elsewhere = spec(json!({"color": "blue", "size": 20, "max": 1, "code": "a", "mac": "x"}));
        let errors = messages(&schema, &elsewhere, Some(&old));
        // The values are ratcheted; the rule of the changed object is not.
        assert_eq!(errors, ["spec: Invalid value: \"object\": size must be <= max"]);
        let worse = spec(json!({"color": "black"}));
        assert!(!messages(&schema, &worse, Some(&old)).is_empty());
    }
}
