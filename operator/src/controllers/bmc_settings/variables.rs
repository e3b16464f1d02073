//! The variables of BMCSettings, and the settings with their values in (contract section 4.6).

use std::collections::BTreeMap;

use crds::kinds::bmc_settings::{Variable, VariableSource};
use crds::{BMC, BMCSettings};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use serde_json::Value;

use super::expansion::expand;
use crate::context::Context;

/// The settings as they are meant, or why nobody can tell.
///
/// # Errors
/// The API server's.
pub(super) async fn resolve(
    context: &Context,
    settings: &BMCSettings,
) -> Result<Result<BTreeMap<String, String>, String>, kube::Error> {
    let mut values = BTreeMap::new();
    for variable in &settings.spec.template.variables {
        match value(context, settings, variable, &values).await? {
            // A value may contain variables before it.
            Ok(value) => {
                let value = expand(&value, &values);
                values.insert(variable.key.clone(), value);
            }
            Err(reason) => return Ok(Err(format!("Variable {}: {reason}", variable.key))),
        }
    }
    let settings = settings.spec.template.settings.iter();
    Ok(Ok(settings
        .map(|(name, text)| (name.clone(), expand(text, &values)))
        .collect()))
}

async fn value(
    context: &Context,
    settings: &BMCSettings,
    variable: &Variable,
    known: &BTreeMap<String, String>,
) -> Result<Result<String, String>, kube::Error> {
    let VariableSource {
        field_ref,
        object_field_ref,
        config_map_key_ref,
        secret_key_ref,
    } = &variable.value_from;
    if let Some(field) = field_ref {
        let document = serde_json::to_value(settings).map_err(kube::Error::SerdeError)?;
        return Ok(at(&document, &field.field_path));
    }
    if let Some(field) = object_field_ref {
        let name = expand(&field.name, known);
        let Some(bmc) = Api::<BMC>::get_opt(&context.api(), &name).await? else {
            return Ok(Err(format!("BMC {name} is not there")));
        };
        let document = serde_json::to_value(&bmc).map_err(kube::Error::SerdeError)?;
        return Ok(at(&document, &field.field_path));
    }
    // Read now and not watched: the operator lists no Secrets of others.
    if let Some(key) = config_map_key_ref {
        let api: Api<ConfigMap> = context.api_in(&key.namespace);
        let found = readable(api.get_opt(&key.name).await)?;
        return Ok(found.and_then(|map| {
            let map = map.ok_or_else(|| format!("ConfigMap {}/{} is not there", key.namespace, key.name))?;
            let value = map.data.as_ref().and_then(|data| data.get(&key.key).cloned());
            value.ok_or_else(|| format!("ConfigMap {}/{} has no key {}", key.namespace, key.name, key.key))
        }));
    }
    if let Some(key) = secret_key_ref {
        let api: Api<Secret> = context.api_in(&key.namespace);
        let found = readable(api.get_opt(&key.name).await)?;
        return Ok(found.and_then(|secret| {
            let secret = secret.ok_or_else(|| format!("Secret {}/{} is not there", key.namespace, key.name))?;
            let value = secret.data.as_ref().and_then(|data| data.get(&key.key));
            let text = value.and_then(|value| String::from_utf8(value.0.clone()).ok());
            text.ok_or_else(|| {
                format!(
                    "Secret {}/{} has no text under key {}",
                    key.namespace, key.name, key.key
                )
            })
        }));
    }
    Ok(Err("it has no source".to_owned()))
}

fn readable<T>(found: Result<Option<T>, kube::Error>) -> Result<Result<Option<T>, String>, kube::Error> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            Ok(Err("the operator may not read its source".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// The text at a path: names with dots between them, and `['key']` or `[key]` for those that contain dots or slashes.
fn at(document: &Value, path: &str) -> Result<String, String> {
    let mut current = document;
    for name in names(path).ok_or_else(|| format!("{path} is no path"))? {
        current = current.get(&name).ok_or_else(|| format!("there is no {path}"))?;
    }
    let text = current.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("{path} is no text"))
}

fn names(path: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = path.strip_prefix('.').unwrap_or(path);
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (key, remainder) = inner.split_once(']')?;
            names.push(key.trim_matches(['\'', '"']).to_owned());
            rest = remainder.strip_prefix('.').unwrap_or(remainder);
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, remainder) = rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        names.push(name.to_owned());
        rest = remainder.strip_prefix('.').unwrap_or(remainder);
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_texts() {
        let document = json!({
            "metadata": { "name": "node", "labels": { "metal.ironcore.dev/rack": "7" } },
            "spec": { "hostname": "host", "port": 443 },
        });
        let error = |text: &str| Err(text.to_owned());
        for (path, expected) in [
            ("metadata.name", Ok("node".to_owned())),
            (".metadata.name", Ok("node".to_owned())),
            ("metadata.labels[metal.ironcore.dev/rack]", Ok("7".to_owned())),
            ("metadata.labels['metal.ironcore.dev/rack']", Ok("7".to_owned())),
            ("spec.port", error("spec.port is no text")),
            ("spec.missing", error("there is no spec.missing")),
            ("metadata..name", error("metadata..name is no path")),
            ("metadata[name", error("metadata[name is no path")),
            ("", error(" is no path")),
        ] {
            assert_eq!(at(&document, path), expected, "{path}");
        }
    }
}
