//! ServerBootConfiguration: what a server is to boot; made Ready by a boot operator (contract section 1.8).

use crate::open_enum::open_enum;
use crate::shared::LocalObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "What a server is to boot.",
    kind = "ServerBootConfiguration",
    plural = "serverbootconfigurations",
    singular = "serverbootconfiguration",
    shortname = "sbc",
    namespaced,
    status = "ServerBootConfigurationStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"ServerRef","type":"string","jsonPath":".spec.serverRef.name"}"#,
    printcolumn = r#"{"name":"Image","type":"string","jsonPath":".spec.image"}"#,
    printcolumn = r#"{"name":"IgnitionRef","type":"string","jsonPath":".spec.ignitionSecretRef.name"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ServerBootConfigurationSpec {
    pub server_ref: LocalObjectReference,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition_secret_ref: Option<LocalObjectReference>,
}

open_enum! {
    /// State of a boot configuration.
    BootConfigurationState { Pending = "Pending", Ready = "Ready", Error = "Error" }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerBootConfigurationStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<BootConfigurationState>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
