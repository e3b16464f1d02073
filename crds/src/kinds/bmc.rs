//! BMC: a baseboard management controller and how to log in to it (contract section 1.3).

use crate::open_enum::open_enum;
use crate::shared::{LocalObjectReference, Power, Protocol};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "A baseboard management controller and how to log in to it.",
    kind = "BMC",
    plural = "bmcs",
    singular = "bmc",
    status = "BMCStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"MACAddress","type":"string","jsonPath":".status.macAddress"}"#,
    printcolumn = r#"{"name":"IP","type":"string","jsonPath":".status.ip"}"#,
    printcolumn = r#"{"name":"Model","type":"string","jsonPath":".status.model"}"#,
    printcolumn = r#"{"name":"SKU","type":"string","jsonPath":".status.sku","priority":100}"#,
    printcolumn = r#"{"name":"SerialNumber","type":"string","jsonPath":".status.serialNumber","priority":100}"#,
    printcolumn = r#"{"name":"FirmwareVersion","type":"string","jsonPath":".status.firmwareVersion","priority":100}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"PowerState","type":"string","jsonPath":".status.powerState"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = json!([{
    "rule": "has(self.access) != has(self.endpointRef)",
    "message": "exactly one of access or endpointRef needs to be set"
}])))]
pub struct BMCSpec {
    /// Redfish UUID of the manager.
    #[serde(rename = "bmcUUID", default, skip_serializing_if = "Option::is_none")]
    pub bmc_uuid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "endpointRef is immutable"}])))]
    pub endpoint_ref: Option<LocalObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "access is immutable"}])))]
    pub access: Option<InlineEndpoint>,
    /// The BMCSecret with the keys `username` and `password`.
    pub bmc_secret_ref: LocalObjectReference,
    pub protocol: Protocol,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console_protocol: Option<ConsoleProtocol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The BMCSettings of this BMC; written by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc_settings_ref: Option<LocalObjectReference>,
}

/// Network access stated in place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineEndpoint {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// IPv4 or IPv6 literal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleProtocol {
    pub name: ConsoleProtocolName,
    pub port: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConsoleProtocolName {
    #[serde(rename = "IPMI")]
    Ipmi,
    #[serde(rename = "SSH")]
    Ssh,
    #[serde(rename = "SSHLenovo")]
    SshLenovo,
}

impl ConsoleProtocolName {
    pub fn is_ssh(self) -> bool {
        matches!(self, Self::Ssh | Self::SshLenovo)
    }
}

open_enum! {
    /// State of a BMC. Whatever Redfish `Manager.Status.State` says is copied.
    BMCState { Enabled = "Enabled", Error = "Error", Pending = "Pending" }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BMCStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^([0-9A-Fa-f]{2}[:-]){5}([0-9A-Fa-f]{2})$"))]
    pub mac_address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Pending"))]
    pub state: Option<BMCState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_state: Option<Power>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_reset_time: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_report_subscription_link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_subscription_link: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
