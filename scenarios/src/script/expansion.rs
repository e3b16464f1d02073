//! `${…}` inside the objects of a step: the machine or the index a `forEach` is at.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What `${…}` may name in one round of a `forEach`.
pub type Variables = BTreeMap<String, Value>;

/// Names a `forEach` over machines offers, besides `index`.
pub const MACHINE_VARIABLES: [&str; 6] = [
    "machine.name",
    "machine.server",
    "machine.systemUUID",
    "machine.address",
    "machine.port",
    "machine.mac",
];
/// The round of a `forEach`, from 0.
pub const INDEX: &str = "index";

/// `value` with every `${name}` replaced, in keys too. A text that is nothing but one `${name}` becomes the variable's own type.
///
/// # Errors
/// The first name that is not in `variables`.
pub fn expand(value: &Value, variables: &Variables) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => expand_text(text, variables)?,
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| expand(item, variables))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => {
            let mut expanded = Map::new();
            for (key, item) in map {
                expanded.insert(expand_string(key, variables)?, expand(item, variables)?);
            }
            Value::Object(expanded)
        }
        other => other.clone(),
    })
}

/// As [`expand`], for a text that stays a text.
///
/// # Errors
/// The first name that is not in `variables`.
pub fn expand_string(text: &str, variables: &Variables) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = next_reference(rest) {
        expanded.push_str(before);
        match variables.get(name).ok_or_else(|| name.to_owned())? {
            Value::String(value) => expanded.push_str(value),
            other => expanded.push_str(&other.to_string()),
        }
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn expand_text(text: &str, variables: &Variables) -> Result<Value, String> {
    match next_reference(text) {
        Some(("", name, "")) => variables.get(name).cloned().ok_or_else(|| name.to_owned()),
        _ => expand_string(text, variables).map(Value::String),
    }
}

/// Text before the first `${name}`, the name, and the text after it.
fn next_reference(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_types_and_unknown_names() {
        let variables = Variables::from([
            ("machine.port".into(), json!(8443)),
            ("machine.name".into(), json!("node-1")),
            ("index".into(), json!(3)),
        ]);
        assert_eq!(
            expand(
                &json!({"name": "claim-${index}", "port": "${machine.port}", "list": ["${machine.name}:${machine.port}"], "${machine.name}": null}),
                &variables
            ),
            Ok(json!({"name": "claim-3", "port": 8443, "list": ["node-1:8443"], "node-1": null}))
        );
        assert_eq!(
            expand(&json!(["${machin.name}"]), &variables),
            Err("machin.name".to_owned())
        );
        assert_eq!(expand(&json!("$5 and ${open"), &variables), Ok(json!("$5 and ${open")));
    }
}
