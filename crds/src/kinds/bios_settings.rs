//! BIOSSettings: the BIOS attributes a server should have (contract section 2.3).

use std::collections::BTreeMap;

use crate::firmware::{RetryPolicy, SettingsState};
use crate::kinds::server_maintenance::MaintenancePolicy;
use crate::shared::{LocalObjectReference, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What one server should have.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "The BIOS attributes a server should have.",
    kind = "BIOSSettings",
    plural = "biossettings",
    singular = "biossettings",
    shortname = "bioss",
    status = "BIOSSettingsStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"BIOSVersion","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"ServerRef","type":"string","jsonPath":".spec.serverRef.name"}"#,
    printcolumn = r#"{"name":"ServerMaintenanceRef","type":"string","jsonPath":".spec.serverMaintenanceRef.name"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"AppliedOn","type":"date","jsonPath":".status.lastAppliedTime"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BIOSSettingsSpec {
    #[serde(flatten)]
    pub template: BIOSSettingsTemplate,
    /// Written by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_maintenance_ref: Option<ObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "serverRef is immutable"}])))]
    pub server_ref: Option<LocalObjectReference>,
}

/// What the settings of several servers have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BIOSSettingsTemplate {
    /// The BIOS version these settings are meant for.
    pub version: String,
    /// Applied one after the other, lowest priority first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings_flow: Vec<SettingsFlowItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// For the ServerMaintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_maintenance_policy: Option<MaintenancePolicy>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsFlowItem {
    #[schemars(length(min = 1, max = 1000))]
    pub name: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    #[schemars(range(min = 1, max = 2_147_483_645))]
    pub priority: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BIOSSettingsStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SettingsState>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flow_state: Vec<FlowState>,
    /// Our addition: the values of all attributes of the flow before the first of them was changed. What fails half way goes back to them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub previous_settings: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_applied_time: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_attempts: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// How far one item of the flow is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_state: Option<SettingsState>,
    pub name: String,
    pub priority: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_applied_time: Option<Time>,
}
