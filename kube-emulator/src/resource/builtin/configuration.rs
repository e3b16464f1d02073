//! Secret and ConfigMap: sizes, keys, immutability, and the Secret's write-only `stringData`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::api::field_error::FieldError;
use crate::resource::hooks::Hooks;

pub(super) const SECRET: Hooks = Hooks {
    prepare: prepare_secret,
    validate: validate_secret,
    ..Hooks::NONE
};
pub(super) const CONFIG_MAP: Hooks = Hooks {
    validate: validate_config_map,
    ..Hooks::NONE
};

/// `core.MaxSecretSize`, for ConfigMaps as well.
const MAX_DATA_BYTES: usize = 1024 * 1024;
/// Longest key (a DNS subdomain).
const MAX_KEY: usize = 253;

fn prepare_secret(object: &mut Value, _: Option<&Value>) {
    let Some(secret) = object.as_object_mut() else { return };
    if let Some(Value::Object(plain)) = secret.remove("stringData") {
        let data = secret.entry("data").or_insert_with(|| Value::Object(Map::new()));
        if let Some(data) = data.as_object_mut() {
            for (key, value) in plain {
                data.insert(key, json!(STANDARD.encode(value.as_str().unwrap_or_default())));
            }
        }
    }
    if secret
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .is_empty()
    {
        secret.insert("type".to_owned(), json!("Opaque"));
    }
}

fn validate_secret(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let data = object.get("data").and_then(Value::as_object);
    let mut total = 0;
    for (key, value) in data.into_iter().flatten() {
        check_key("data", key, errors);
        total += value.as_str().map_or(0, |text| text.len() / 4 * 3);
    }
    if total > MAX_DATA_BYTES {
        errors.push(FieldError::too_long(
            "data",
            format!("may not be more than {MAX_DATA_BYTES} bytes"),
        ));
    }
    let needed: &[&str] = match object.get("type").and_then(Value::as_str) {
        Some("kubernetes.io/tls") => &["tls.crt", "tls.key"],
        Some("kubernetes.io/ssh-auth") => &["ssh-privatekey"],
        Some("kubernetes.io/dockerconfigjson") => &[".dockerconfigjson"],
        _ => &[],
    };
    let lacks = |key: &str| data.is_none_or(|data| !data.contains_key(key));
    if object["type"] == "kubernetes.io/basic-auth" && lacks("username") && lacks("password") {
        for key in ["username", "password"] {
            errors.push(FieldError::required(format!("data[{key}]"), ""));
        }
    }
    for key in needed.iter().filter(|key| lacks(key)) {
        errors.push(FieldError::required(format!("data[{key}]"), ""));
    }
    let Some(old) = old else { return };
    if old.get("type") != object.get("type") {
        let new = object.get("type").cloned().unwrap_or_default();
        errors.push(FieldError::invalid("type", &new, "field is immutable"));
    }
    check_immutable(object, old, &["data"], errors);
}

fn validate_config_map(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let mut total = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in object.get(field).and_then(Value::as_object).into_iter().flatten() {
            check_key(field, key, errors);
            total += value.as_str().map_or(0, str::len);
            if field == "data" && object["binaryData"].get(key).is_some() {
                let message = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid(format!("data[{key}]"), &json!(key), message));
            }
        }
    }
    if total > MAX_DATA_BYTES {
        errors.push(FieldError::too_long(
            "",
            format!("may not be more than {MAX_DATA_BYTES} bytes"),
        ));
    }
    if let Some(old) = old {
        check_immutable(object, old, &["data", "binaryData"], errors);
    }
}

fn check_key(field: &str, key: &str, errors: &mut Vec<FieldError>) {
    let legal = !key.is_empty()
        && key.len() <= MAX_KEY
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && key != "."
        && !key.starts_with("..");
    if matches!(key, "." | "..") {
        let rule = format!("must not be '{key}'");
        errors.push(FieldError::invalid(format!("{field}[{key}]"), &json!(key), rule));
    } else if !legal {
        let rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
                    'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
        errors.push(FieldError::invalid(format!("{field}[{key}]"), &json!(key), rule));
    }
}

fn check_immutable(object: &Value, old: &Value, fields: &[&str], errors: &mut Vec<FieldError>) {
    if old.get("immutable").and_then(Value::as_bool) != Some(true) {
        return;
    }
    if object.get("immutable").and_then(Value::as_bool) != Some(true) {
        errors.push(FieldError::forbidden(
            "immutable",
            "field is immutable when `immutable` is set",
        ));
    }
    for field in fields.iter().filter(|field| old.get(**field) != object.get(**field)) {
        errors.push(FieldError::forbidden(
            *field,
            "field is immutable when `immutable` is set",
        ));
    }
}
