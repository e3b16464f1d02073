//! BMCSecret: credentials of a BMC, shaped like a core Secret (contract section 1.4). It has no `spec`, so the kube derive
//! cannot describe it and the resource is written out here.

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `Debug` shows the keys, never a value.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BMCSecret {
    #[serde(default = "api_version")]
    pub api_version: String,
    #[serde(default = "kind")]
    pub kind: String,
    #[serde(default)]
    pub metadata: ObjectMeta,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    /// Base64 on the wire. Keys in use: `username`, `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<BTreeMap<String, ByteString>>,
    /// Not folded into `data` by the API server, because this is a custom resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_data: Option<BTreeMap<String, String>>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
}

fn api_version() -> String {
    format!("{}/{}", crate::GROUP, crate::VERSION)
}

fn kind() -> String {
    "BMCSecret".to_owned()
}

impl BMCSecret {
    pub fn new(name: &str, data: BTreeMap<String, ByteString>) -> Self {
        Self {
            api_version: api_version(),
            kind: kind(),
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..Self::default()
        }
    }

    /// Looks into `data` first, then `stringData`.
    ///
    /// # Errors
    /// The exact text of contract section 1.4 when neither has the key or the value is not UTF-8.
    pub fn value(&self, key: &str) -> Result<String, MissingKey> {
        let missing = || MissingKey {
            secret: self.metadata.name.clone().unwrap_or_default(),
            key: key.to_owned(),
        };
        if let Some(bytes) = self.data.as_ref().and_then(|data| data.get(key)) {
            return String::from_utf8(bytes.0.clone()).map_err(|_| missing());
        }
        self.string_data
            .as_ref()
            .and_then(|data| data.get(key))
            .cloned()
            .ok_or_else(missing)
    }
}

/// A BMCSecret lacks a key the operator needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot find value in BMCSecret '{secret}' for key '{key}' in data nor in stringData")]
pub struct MissingKey {
    pub secret: String,
    pub key: String,
}

impl std::fmt::Debug for BMCSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BMCSecret")
            .field("name", &self.metadata.name)
            .field("data", &self.data.as_ref().map(|data| data.keys().collect::<Vec<_>>()))
            .field(
                "string_data",
                &self.string_data.as_ref().map(|data| data.keys().collect::<Vec<_>>()),
            )
            .finish_non_exhaustive()
    }
}

impl Resource for BMCSecret {
    type DynamicType = ();
    type Scope = kube::core::ClusterResourceScope;

    fn kind(_: &()) -> Cow<'_, str> {
        "BMCSecret".into()
    }
    fn group(_: &()) -> Cow<'_, str> {
        crate::GROUP.into()
    }
    fn version(_: &()) -> Cow<'_, str> {
        crate::VERSION.into()
    }
    fn plural(_: &()) -> Cow<'_, str> {
        "bmcsecrets".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_wins_over_string_data_and_debug_is_silent() {
        let mut secret = BMCSecret::new(
            "bmc-1",
            BTreeMap::from([("username".into(), ByteString(b"root".to_vec()))]),
        );
        secret.string_data = Some(BTreeMap::from([
            ("username".into(), "other".into()),
            ("password".into(), "canary-7f".into()),
        ]));
        assert_eq!(secret.value("username").unwrap(), "root");
        assert_eq!(secret.value("password").unwrap(), "canary-7f");
        assert_eq!(
            secret.value("token").unwrap_err().to_string(),
            "cannot find value in BMCSecret 'bmc-1' for key 'token' in data nor in stringData"
        );
        assert!(!format!("{secret:?}").contains("canary-7f"));
    }
}
