//! BMCSettings: the attributes a BMC should have (contract section 2.5).

use std::collections::BTreeMap;

use crate::firmware::{RetryPolicy, SettingsState};
use crate::kinds::server_maintenance::MaintenancePolicy;
use crate::shared::{LocalObjectReference, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What one BMC should have.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "The attributes a BMC should have.",
    kind = "BMCSettings",
    plural = "bmcsettings",
    singular = "bmcsettings",
    status = "BMCSettingsStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"BMCVersion","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"BMCRef","type":"string","jsonPath":".spec.BMCRef.name"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BMCSettingsSpec {
    #[serde(flatten)]
    pub template: BMCSettingsTemplate,
    /// One for each server of the BMC; written by the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_maintenance_refs: Vec<ServerMaintenanceRefItem>,
    #[serde(rename = "BMCRef")]
    #[schemars(extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "BMCRef is immutable"}])))]
    pub bmc_ref: LocalObjectReference,
}

/// What the settings of several BMCs have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BMCSettingsTemplate {
    /// The BMC version these settings are meant for.
    pub version: String,
    /// Names and values; values may contain `$(VARIABLE)`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-validations" = json!([{
            "rule": "self.all(x, self.exists_one(y, y.key == x.key))",
            "message": "variable keys must be unique"
        }]))
    )]
    pub variables: Vec<Variable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// For the ServerMaintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_maintenance_policy: Option<MaintenancePolicy>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerMaintenanceRefItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_maintenance_ref: Option<ObjectReference>,
}

/// A name that values can refer to as `$(KEY)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    #[schemars(length(min = 1, max = 63))]
    pub key: String,
    pub value_from: VariableSource,
}

/// Where the value of a variable is. Exactly one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = json!([{
    "rule": "(has(self.fieldRef) ? 1 : 0) + (has(self.objectFieldRef) ? 1 : 0) + (has(self.configMapKeyRef) ? 1 : 0) + (has(self.secretKeyRef) ? 1 : 0) == 1",
    "message": "exactly one of fieldRef, objectFieldRef, configMapKeyRef, or secretKeyRef must be provided"
}])))]
pub struct VariableSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<FieldRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_field_ref: Option<ObjectFieldRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<NamespacedKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<NamespacedKey>,
}

/// A text field of the BMCSettings itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldRef {
    #[schemars(length(min = 1, max = 256))]
    pub field_path: String,
}

/// A text field of a BMC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = json!([{
    "rule": "self.kind == 'BMC'",
    "message": "objectFieldRef.kind must be 'BMC'"
}])))]
pub struct ObjectFieldRef {
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// May contain `$(VARIABLE)`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    #[schemars(length(min = 1, max = 256))]
    pub field_path: String,
}

/// A key of a ConfigMap or Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespacedKey {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BMCSettingsStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SettingsState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_attempts: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
