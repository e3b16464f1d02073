//! BIOSVersion: the BIOS version a server should run (contract section 2.4).

use crate::firmware::{ImageSpec, RetryPolicy, UpdatePolicy, UpgradeIntent, UpgradeTask, VersionState};
use crate::kinds::server_maintenance::MaintenancePolicy;
use crate::shared::{LocalObjectReference, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What one server should run.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "The BIOS version a server should run.",
    kind = "BIOSVersion",
    plural = "biosversions",
    singular = "biosversion",
    shortname = "biosv",
    status = "VersionStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"BIOSVersion","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"UpdatePolicy","type":"string","jsonPath":".spec.updatePolicy"}"#,
    printcolumn = r#"{"name":"ServerRef","type":"string","jsonPath":".spec.serverRef.name"}"#,
    printcolumn = r#"{"name":"ServerMaintenanceRef","type":"string","jsonPath":".spec.serverMaintenanceRef.name"}"#,
    printcolumn = r#"{"name":"TaskState","type":"string","jsonPath":".status.upgradeTask.state"}"#,
    printcolumn = r#"{"name":"TaskStatus","type":"string","jsonPath":".status.upgradeTask.status"}"#,
    printcolumn = r#"{"name":"TaskProgress","type":"integer","jsonPath":".status.upgradeTask.percentageComplete"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BIOSVersionSpec {
    #[serde(flatten)]
    pub template: VersionTemplate,
    /// Written by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_maintenance_ref: Option<ObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "serverRef is immutable"}])))]
    pub server_ref: Option<LocalObjectReference>,
}

/// What the versions of several servers or BMCs have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionTemplate {
    /// As the machine will report it.
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_policy: Option<UpdatePolicy>,
    pub image: ImageSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// For the ServerMaintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_maintenance_policy: Option<MaintenancePolicy>,
}

/// How far an update is; of a BIOSVersion and of a BMCVersion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<VersionState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_task: Option<UpgradeTask>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_intent: Option<UpgradeIntent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_attempts: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
