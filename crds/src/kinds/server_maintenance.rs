//! ServerMaintenance: a time in which a server belongs to whoever maintains it (contract section 2.2).

use crate::kinds::server::IndicatorLed;
use crate::kinds::server_boot_configuration::ServerBootConfigurationSpec;
use crate::open_enum::open_enum;
use crate::shared::{LocalObjectReference, Power};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "A time in which a server belongs to whoever maintains it.",
    kind = "ServerMaintenance",
    plural = "servermaintenances",
    singular = "servermaintenance",
    shortname = "sm",
    namespaced,
    status = "ServerMaintenanceStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"Server","type":"string","jsonPath":".spec.serverRef.name"}"#,
    printcolumn = r#"{"name":"Policy","type":"string","jsonPath":".spec.policy"}"#,
    printcolumn = r#"{"name":"BootConfiguration","type":"string","jsonPath":".spec.serverBootConfigurationTemplate.name"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".metadata.annotations.metal\\.ironcore\\.dev\\/maintenance-reason"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Priority","type":"integer","jsonPath":".spec.priority"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ServerMaintenanceSpec {
    /// Whether the owner of the server is asked; `OwnerApproval` where unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<MaintenancePolicy>,
    pub server_ref: LocalObjectReference,
    /// Power wanted during the maintenance; left as it is where unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_power: Option<Power>,
    #[serde(rename = "locatorLED", default, skip_serializing_if = "Option::is_none")]
    pub locator_led: Option<IndicatorLed>,
    /// Of several that wait for a server, the highest comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// What the server boots during the maintenance; without it, no operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_boot_configuration_template: Option<BootConfigurationTemplate>,
}

open_enum! {
    /// Whether the owner of a claimed server is asked.
    MaintenancePolicy { OwnerApproval = "OwnerApproval", Enforced = "Enforced" }
}

/// The boot configuration of a maintenance. The object is named as the maintenance, whatever `name` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BootConfigurationTemplate {
    pub name: String,
    pub spec: ServerBootConfigurationSpec,
}

open_enum! {
    /// State of a maintenance.
    MaintenanceState { Pending = "Pending", InMaintenance = "InMaintenance", Failed = "Failed" }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerMaintenanceStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<MaintenanceState>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
